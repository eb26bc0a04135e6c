//! What a sweep came to, for people and programs.

use crate::admin::records::{self, SweepOutcome, SweepRow};
use crate::cli::print::Lines;
use crate::cli::words::{Words, fill, words};
use crate::domain::clock::rfc3339;
use crate::domain::reason::{Reason, Verdict};
use crate::journal::sweeps::{Outcome, Progress, RowKind, RowRecord, Sweep};
use crate::journal::{Archive, State};
use serde::Serialize;
use serde_json::Value;

/// A sweep as it stands.
#[derive(Debug)]
pub(super) struct Report {
    sweep: Sweep,
    outcomes: Vec<Outcome>,
    rows: Vec<RowRecord>,
    cut: bool,
}

/// The numbers of a report that can be added up.
pub(super) const SUMMED: [&str; 10] =
    ["rows", "paid", "refunds", "malformed", "accepted_before", "found", "delivered", "parked", "closed", "due_again"];

/// Rows that are shown.
const MOST_ROWS: usize = 1000;

impl Report {
    pub(super) fn new(sweep: Sweep, outcomes: Vec<Outcome>) -> Self {
        Self { sweep, outcomes, rows: Vec::new(), cut: false }
    }

    /// Reads the rows behind the numbers.
    pub(super) async fn read_rows(&mut self, archive: &dyn Archive) -> anyhow::Result<()> {
        self.rows = archive.swept_rows(self.sweep.id, None, 0, MOST_ROWS + 1).await?;
        self.cut = self.rows.len() > MOST_ROWS;
        self.rows.truncate(MOST_ROWS);
        Ok(())
    }

    /// Whether nothing more comes of it soon: the bill was compared and every order tried, or it has to wait.
    pub(super) fn is_settled(&self) -> bool {
        match self.sweep.state {
            Progress::Failed => true,
            Progress::Asked => self.sweep.problem.is_some(),
            Progress::Running => false,
            Progress::Done => self.outcomes.iter().all(was_tried),
        }
    }

    /// Whether the bill was compared and nothing is left to do for the gate.
    pub(super) fn is_done(&self) -> bool {
        let over = |outcome: &Outcome| !matches!(outcome.state, Some(State::Asking | State::Delivering));
        let left = self.sweep.counts.unknown + self.sweep.counts.malformed;
        self.sweep.state == Progress::Done && left == 0 && self.outcomes.iter().all(over)
    }

    fn orders(&self, state: State) -> u64 {
        self.outcomes.iter().filter(|outcome| outcome.state == Some(state)).map(|outcome| outcome.orders).sum()
    }

    /// One line while it is waited for.
    pub(super) fn progress(&self) -> String {
        let (words, counts) = (words(), &self.sweep.counts);
        let what = match self.sweep.state {
            Progress::Asked => words.waiting.to_owned(),
            Progress::Running => fill(words.reading_bill, &[&words.count(words.rows, counts.rows), &counts.found]),
            Progress::Done | Progress::Failed => {
                fill(words.progress, &[&counts.found, &self.orders(State::Accepted), &self.orders(State::Parked)])
            }
        };
        format!("{}{}", self.sweep.wanted.bill_date, fill(words.because, &[&what]))
    }

    pub(super) fn tell(&self, lines: &mut Lines) {
        let words = words();
        let Sweep { id, wanted, state, counts, .. } = &self.sweep;
        let channels: Vec<_> = wanted.channels.iter().map(|channel| channel.as_str()).collect();
        let dry = if wanted.dry_run { words.dry } else { "" };
        let (date, mch_id, channels) = (wanted.bill_date, wanted.mch_id, channels.join(" "));
        lines.say(fill(words.sweep_of, &[&id.0, &date, &mch_id, &channels, &progress(words, *state), &dry]));
        if let Some(problem) = &self.sweep.problem {
            lines.item(words.note, problem);
        }
        if let (Progress::Asked, Some(at)) = (state, self.sweep.again_at) {
            lines.item(words.next, fill(words.again_while_running, &[&rfc3339(at)]));
        }
        if *state == Progress::Asked {
            return;
        }
        let unreadable =
            if counts.malformed > 0 { fill(words.unreadable, &[&counts.malformed]) } else { String::new() };
        let [payments, refunds, others] =
            [(words.payments, counts.paid), (words.refunds, counts.refunds), (words.others, counts.others)]
                .map(|(template, number)| words.count(template, number));
        lines.item(words.bill_rows, fill(words.of_rows, &[&counts.rows, &payments, &refunds, &others, &unreadable]));
        lines.item(words.accepted_before, fill(words.before, &[&counts.accepted]));
        for (name, count) in [
            (words.rows_under_way, counts.under_way),
            (words.rows_parked, counts.parked),
            (words.unknown_order, counts.unknown),
            (words.not_ours, counts.not_ours),
        ] {
            if count > 0 {
                lines.item(name, count);
            }
        }
        lines.item(words.found, counts.found);
        for outcome in &self.outcomes {
            let why = outcome.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            lines.say(format!("    {} {}{why}", outcome.orders, word(words, outcome.state)));
        }
        for row in self.rows.iter().filter(|row| needs_somebody(row)) {
            tell_row(words, lines, row);
        }
        if self.cut {
            lines.say(format!("    {}", fill(words.rows_cut, &[&MOST_ROWS])));
        }
    }

    pub(super) fn value(&self) -> anyhow::Result<Value> {
        let shape = Shape {
            sweep: (&self.sweep).into(),
            delivered: self.orders(State::Accepted),
            parked: self.orders(State::Parked),
            closed: self.orders(State::Closed),
            due_again: self.orders(State::Asking) + self.orders(State::Delivering),
            outcomes: self.outcomes.iter().map(SweepOutcome::from).collect(),
            kept_rows: self.rows.iter().map(SweepRow::from).collect(),
            kept_rows_cut: self.cut,
        };
        Ok(serde_json::to_value(shape)?)
    }
}

/// What is printed under `--json`.
#[derive(Serialize)]
struct Shape {
    #[serde(flatten)]
    sweep: records::Sweep,
    delivered: u64,
    parked: u64,
    closed: u64,
    due_again: u64,
    outcomes: Vec<SweepOutcome>,
    kept_rows: Vec<SweepRow>,
    kept_rows_cut: bool,
}

/// What WeChat Pay cannot say at the moment may take long; the rest is settled in seconds.
fn was_tried(outcome: &Outcome) -> bool {
    match outcome.state {
        None | Some(State::Accepted | State::Parked | State::Closed) => true,
        Some(State::Delivering) => outcome.untried == 0,
        Some(State::Asking) => {
            outcome.untried == 0 && outcome.reason.and_then(Reason::verdict) == Some(Verdict::Unknown)
        }
    }
}

fn progress(words: &Words, state: Progress) -> &'static str {
    match state {
        Progress::Asked => words.sweep_asked,
        Progress::Running => words.sweep_running,
        Progress::Done => words.sweep_done,
        Progress::Failed => words.sweep_failed,
    }
}

fn word(words: &Words, state: Option<State>) -> &'static str {
    match state {
        None => words.out_not_asked,
        Some(State::Asking) => words.out_asking,
        Some(State::Delivering) => words.out_delivering,
        Some(State::Accepted) => words.out_delivered,
        Some(State::Parked) => words.parked,
        Some(State::Closed) => words.closed,
    }
}

fn needs_somebody(row: &RowRecord) -> bool {
    match row.row.kind {
        RowKind::Malformed | RowKind::Parked | RowKind::UnknownOrder | RowKind::NotOurs => true,
        RowKind::Found => row.state != Some(State::Accepted),
        RowKind::UnderWay => false,
    }
}

fn tell_row(words: &Words, lines: &mut Lines, record: &RowRecord) {
    let row = &record.row;
    let order = row.payment.map(|payment| {
        let order = payment.order.map(|order| order.to_string());
        let order = order.or_else(|| payment.out_trade_no.map(|number| number.to_string()));
        let order = order.map(|order| format!("{order}, ")).unwrap_or_default();
        let amount = payment.amount.map(|amount| format!(", {amount}")).unwrap_or_default();
        let refunded = if payment.refunded { words.row_refunded } else { "" };
        fill(words.row_payment, &[&order, &payment.transaction_id, &amount, &refunded])
    });
    let because = |what: &dyn std::fmt::Display| fill(words.because, &[what]);
    let state = record.state.map(|state| because(&words.state(state))).unwrap_or_default();
    let why = record.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let detail = row.detail.as_ref().map(|detail| because(detail)).unwrap_or_default();
    let order = order.unwrap_or_default();
    let line = fill(words.row_line, &[&row.line, &row.kind.as_str(), &order, &state, &why, &detail]);
    lines.say(format!("    {line}"));
}
