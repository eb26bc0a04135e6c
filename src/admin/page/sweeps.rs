//! Sweeps: which bills were compared, and the rows behind a sweep's numbers.

use super::href::order_href;
use super::notice;
use super::shell::{Chip, Shell};
use super::words::{Words, fill};
use super::{Html, render, show};
use crate::admin::Admin;
use crate::journal::sweeps::{Counts, Progress, RowKind, RowRecord, Sweep, SweepId};
use askama::Template;
use axum::extract::{Path, Query, State as Shared};
use serde::Deserialize;
use std::sync::Arc;

/// Sweeps on the page.
const MOST_SWEEPS: usize = 100;

/// Rows on a page.
const ROWS: usize = 100;

#[derive(Debug, Template)]
#[template(path = "sweeps.html")]
struct List {
    shell: Shell,
    /// The gate's first whole day.
    gate_since: Option<String>,
    sweeps: Vec<Line>,
}

#[derive(Debug, Template)]
#[template(path = "sweep.html")]
struct Report {
    shell: Shell,
    live: bool,
    sweep: Line,
    /// What the bill is made of, and what its payments are.
    figures: [Vec<Figure>; 2],
    choices: Vec<Choice>,
    filtered: bool,
    rows: Vec<Row>,
    next: Option<String>,
}

/// A sweep in the list, and on top of its report.
#[derive(Debug)]
struct Line {
    id: i64,
    bill_date: String,
    mch_id: String,
    channels: String,
    state: &'static str,
    tone: &'static str,
    dry_run: bool,
    paid: String,
    found: String,
    malformed: Option<String>,
    wanted_by: &'static str,
    began_at: Option<show::Moment>,
    ended_at: Option<show::Moment>,
    problem: String,
}

/// A number of the report.
#[derive(Debug)]
struct Figure {
    id: &'static str,
    name: &'static str,
    value: String,
    tone: &'static str,
    href: Option<String>,
    here: bool,
}

/// A link to the rows of one kind.
#[derive(Debug)]
struct Choice {
    id: &'static str,
    name: &'static str,
    href: String,
    here: bool,
}

/// A row of the bill.
#[derive(Debug)]
struct Row {
    line: u64,
    order: String,
    channel: String,
    href: Option<String>,
    kind: &'static str,
    refunded: bool,
    detail: Option<String>,
    amount: Option<show::Amount>,
    transaction_id: String,
    chip: Option<Chip>,
    became: &'static str,
}

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: String,
    after: u64,
}

/// Shows all.
pub(super) async fn list(Shared(admin): Shared<Arc<Admin>>, shell: Shell) -> Html {
    let shell = shell.titled_by(|words| words.sweeps);
    match admin.sweeps(None, MOST_SWEEPS).await {
        Ok(sweeps) => {
            let gate_since = admin.gate_since().await.map(|day| fill(shell.words.gate_since, &[&day]));
            let sweeps = sweeps.iter().map(|sweep| Line::of(sweep, &shell)).collect();
            render(List { sweeps, shell, gate_since })
        }
        Err(error) => notice::unread(shell, &error),
    }
}

/// Shows one.
pub(super) async fn report(
    Shared(admin): Shared<Arc<Admin>>,
    shell: Shell,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Html {
    let Ok(id) = id.parse().map(SweepId) else { return notice::not_found(shell, "/sweeps") };
    let sweep = match admin.sweep(id).await {
        Ok(Some((sweep, _))) => sweep,
        Ok(None) => return notice::not_found(shell, "/sweeps"),
        Err(error) => return notice::unread(shell, &error),
    };
    let kind = RowKind::from_name(&asked.kind);
    let rows = match admin.sweep_rows(id, kind, asked.after, ROWS).await {
        Ok(rows) => rows,
        Err(error) => return notice::unread(shell, &error),
    };
    let next = (rows.len() == ROWS).then(|| rows.last().map(|last| last.row.line)).flatten();
    let address = |kind: Option<RowKind>, after: u64| {
        let kind = kind.map_or_else(String::new, |kind| format!("kind={}&", kind.as_str()));
        let after = if after > 0 { format!("after={after}") } else { String::new() };
        format!("/sweeps/{}?{kind}{after}", id.0).trim_end_matches(['?', '&']).to_owned()
    };
    let title = fill(shell.words.bill_of, &[&sweep.wanted.bill_date]);
    let shell = shell.titled(title);
    let kinds = std::iter::once(None).chain(RowKind::ALL.into_iter().map(Some));
    render(Report {
        live: !sweep.state.is_over(),
        sweep: Line::of(&sweep, &shell),
        figures: figures(&sweep.counts, kind, shell.words, |kind| address(Some(kind), 0)),
        choices: kinds
            .filter(|choice| choice.is_none_or(|choice| kind == Some(choice) || count_of(&sweep.counts, choice) > 0))
            .map(|choice| Choice {
                id: choice.map_or("all", RowKind::as_str),
                name: choice.map_or(shell.words.any_kind, |choice| kind_name(choice, shell.words)),
                href: address(choice, 0),
                here: choice == kind,
            })
            .collect(),
        filtered: kind.is_some(),
        rows: rows.iter().map(|row| Row::of(row, &shell)).collect(),
        next: next.map(|after| address(kind, after)),
        shell,
    })
}

impl Line {
    fn of(sweep: &Sweep, shell: &Shell) -> Self {
        let words = shell.words;
        let (state, tone) = match sweep.state {
            Progress::Asked => (words.progress_asked, "quiet"),
            Progress::Running => (words.progress_running, "quiet"),
            Progress::Done => (words.progress_done, "good"),
            Progress::Failed => (words.progress_failed, "bad"),
        };
        let channels: Vec<_> = sweep.wanted.channels.iter().map(ToString::to_string).collect();
        Self {
            id: sweep.id.0,
            bill_date: sweep.wanted.bill_date.to_string(),
            mch_id: sweep.wanted.mch_id.to_string(),
            channels: channels.join(", "),
            state,
            tone,
            dry_run: sweep.wanted.dry_run,
            paid: show::count(sweep.counts.paid),
            found: show::count(sweep.counts.found),
            malformed: (sweep.counts.malformed > 0).then(|| show::count(sweep.counts.malformed)),
            wanted_by: if sweep.wanted.due_on.is_some() { words.by_schedule } else { words.by_operator },
            began_at: sweep.began_at.map(|at| shell.moment(at)),
            ended_at: sweep.ended_at.map(|at| shell.moment(at)),
            problem: sweep.problem.clone().unwrap_or_default(),
        }
    }
}

impl Row {
    fn of(record: &RowRecord, shell: &Shell) -> Self {
        let payment = record.row.payment.as_ref();
        let named = payment.and_then(|payment| Some((payment.channel?, payment.order?)));
        Self {
            line: record.row.line,
            order: match (named, payment) {
                (Some((_, order)), _) => order.to_string(),
                (None, Some(payment)) => payment.out_trade_no.map_or_else(|| "–".to_owned(), |id| id.to_string()),
                (None, None) => "–".to_owned(),
            },
            channel: payment
                .and_then(|payment| payment.channel)
                .map_or_else(String::new, |channel| channel.to_string()),
            href: record.row.entry.and(named).map(|(channel, order)| order_href(channel.as_str(), order.as_str())),
            kind: kind_name(record.row.kind, shell.words),
            refunded: payment.is_some_and(|payment| payment.refunded),
            detail: record.row.detail.clone(),
            amount: payment.and_then(|payment| payment.amount).map(|amount| show::amount(amount, shell.language)),
            transaction_id: payment.map_or_else(String::new, |payment| payment.transaction_id.to_string()),
            chip: record.state.map(|state| shell.chip(state)),
            became: record.state.map_or("", |state| shell.explain(state, record.reason).short),
        }
    }
}

const fn kind_name(kind: RowKind, words: &Words) -> &'static str {
    match kind {
        RowKind::Found => words.rows_found,
        RowKind::UnderWay => words.rows_under_way,
        RowKind::Parked => words.rows_parked,
        RowKind::UnknownOrder => words.rows_unknown,
        RowKind::NotOurs => words.rows_not_ours,
        RowKind::Malformed => words.rows_malformed,
    }
}

const fn count_of(counts: &Counts, kind: RowKind) -> u64 {
    match kind {
        RowKind::Found => counts.found,
        RowKind::UnderWay => counts.under_way,
        RowKind::Parked => counts.parked,
        RowKind::UnknownOrder => counts.unknown,
        RowKind::NotOurs => counts.not_ours,
        RowKind::Malformed => counts.malformed,
    }
}

/// The numbers, those with rows behind them as links.
fn figures(
    counts: &Counts,
    chosen: Option<RowKind>,
    words: &Words,
    address: impl Fn(RowKind) -> String,
) -> [Vec<Figure>; 2] {
    let plain = |id, name, value: u64| Figure {
        id,
        name,
        value: show::count(value),
        tone: if value == 0 { "is-zero" } else { "" },
        href: None,
        here: false,
    };
    let of_kind = |kind: RowKind, tone| {
        let value = count_of(counts, kind);
        Figure {
            href: (value > 0).then(|| address(kind)),
            here: chosen == Some(kind),
            tone: if value == 0 { "is-zero" } else { tone },
            ..plain(kind.as_str(), kind_name(kind, words), value)
        }
    };
    let bill = vec![
        plain("rows", words.rows, counts.rows),
        plain("paid", words.rows_paid, counts.paid),
        plain("refunds", words.rows_refunds, counts.refunds),
        plain("others", words.rows_others, counts.others),
        of_kind(RowKind::Malformed, "is-bad"),
    ];
    let payments = vec![
        plain("accepted", words.rows_accepted, counts.accepted),
        of_kind(RowKind::UnderWay, ""),
        of_kind(RowKind::Found, "is-warn"),
        of_kind(RowKind::Parked, "is-warn"),
        of_kind(RowKind::UnknownOrder, "is-warn"),
        of_kind(RowKind::NotOurs, ""),
    ];
    [bill, payments]
}
