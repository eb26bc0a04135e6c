//! `tollgate explain`: what happened to a callback or an order, and why.

use super::ConfigFile;
use super::print::{self, Lines};
use super::records;
use super::words::{Words, fill, words};
use crate::admin::records::{self as shapes, EntryStory};
use crate::domain::clock::{self, rfc3339};
use crate::domain::order::OrderId;
use crate::domain::reason::Reason;
use crate::journal::{Origin, Override, Record, Refused, Search, State};
use anyhow::bail;
use jiff::Timestamp;
use serde_json::json;
use std::process::ExitCode;
use uuid::Uuid;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Looks into the journal, whether or not the gate is running. Times are UTC. What a reason code means and \
                  what to do about it stands in docs/reasons.md.\n\nExit codes: 0 found, 1 not found, 2 wrong usage."
)]
pub(super) struct Args {
    /// A callback's X-Request-Id, an X-Tollgate-Delivery, or an order: the legacy system's id, WeChat Pay's number or
    /// transaction id.
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    file: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Entries of one order that are shown.
const MOST: usize = 100;

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let archive = match records::open(&args.file.config).await? {
        Ok(archive) => archive,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for search in searches(&args.id)? {
        found.extend(archive.find(search, MOST).await?);
        refused.extend(archive.refused(search, MOST).await?);
    }
    if found.is_empty() && refused.is_empty() {
        bail!(fill(words().journal_knows_nothing, &[&args.id]));
    }
    found.reverse();
    let mut lines = Lines::default();
    found.iter().for_each(|record| tell(&mut lines, record));
    refused.iter().rev().for_each(|refused| tell_refused(&mut lines, refused));
    let value = json!({
        "entries": found.iter().map(EntryStory::from).collect::<Vec<_>>(),
        "refused": refused.iter().map(shapes::Refused::from).collect::<Vec<_>>(),
    });
    print::print(args.json, &value, &lines)?;
    Ok(ExitCode::SUCCESS)
}

/// An order can look like a request id, and only an order can look like anything else.
fn searches(id: &str) -> anyhow::Result<Vec<Search>> {
    let request_id = id.parse::<Uuid>().ok().map(|id| Search { request_id: Some(id), ..Search::default() });
    let order = OrderId::parse(id).ok().map(|order| Search { order: Some(order), ..Search::default() });
    let searches: Vec<_> = request_id.into_iter().chain(order).collect();
    if searches.is_empty() {
        bail!(words().neither);
    }
    Ok(searches)
}

fn tell(lines: &mut Lines, record: &Record) {
    let words = words();
    let claimed = &record.claimed;
    let (order, channel, route) = (claimed.order, claimed.channel, &record.route);
    let (state, since) = (words.state(record.state), rfc3339(record.since));
    lines.say(fill(words.entry, &[&order, &channel, route, &state, &since]));
    let why = |reason: Reason| format!("{reason}{}", fill(words.because, &[&words.reason(reason)]));
    lines.item(words.why, record.reason.map_or_else(|| words.not_known_yet.to_owned(), why));
    for flag in record.flags() {
        lines.item(words.flagged, why(flag));
    }
    let claim = match record.origin {
        Origin::Sweep => words.the_bill,
        Origin::Pending => words.its_source,
        Origin::Callback | Origin::FollowUp => words.claim,
    };
    let mut said = fill(words.claimed, &[&order, &claimed.out_trade_no]);
    said.extend(claimed.transaction_id.map(|id| fill(words.claimed_transaction, &[&id])));
    said.extend(claimed.amount.map(|amount| fill(words.claimed_amount, &[&amount])));
    lines.item(claim, said);
    if let Some(price) = &record.price {
        let (amount, source) = (&price.amount, &price.source);
        lines.item(
            words.costs,
            match price.listed_at {
                Some(at) => fill(words.costs_since, &[amount, source, &rfc3339(at)]),
                None => fill(words.costs_by, &[amount, source]),
            },
        );
    }
    lines.item(words.answer, answer(words, record));
    lines.item(words.sent, sent(words, record));
    lines.item(words.next, next(words, record));
    lines.item(words.callback, record.request_id);
    if record.is_without_request() {
        lines.item(words.request, words.not_kept);
    }
    for (at, what) in history(words, record) {
        lines.say(format!("    {}  {what}", rfc3339(at)));
    }
}

/// What WeChat Pay said, as far as it was a payment.
fn answer(words: &Words, record: &Record) -> String {
    let Some(payment) = &record.verified else { return words.no_payment.to_owned() };
    let state = if payment.refunded { words.refunded_since } else { words.paid };
    let mut answer = fill(words.answered, &[&state, &payment.transaction_id, &payment.amount]);
    answer.extend(payment.paid_at.map(|at| fill(words.paid_at, &[&clock::rfc3339_beijing(at)])));
    answer.extend(record.verified_at.map(|at| fill(words.confirmed_at, &[&rfc3339(at)])));
    answer
}

fn sent(words: &Words, record: &Record) -> String {
    if record.attempts == 0 {
        return words.not_sent.to_owned();
    }
    let accepted = record.accepted_at.map(|at| fill(words.accepted_at, &[&rfc3339(at)]));
    let accepted = accepted.unwrap_or_else(|| words.not_accepted.to_owned());
    fill(words.sent_as, &[&words.count(words.times, record.attempts), &record.delivery, &accepted])
}

fn next(words: &Words, record: &Record) -> String {
    match (record.state, record.due_at) {
        (State::Asking, Some(at)) => fill(words.asked_again_at, &[&rfc3339(at)]),
        (State::Delivering, Some(at)) if record.reason == Some(Reason::WindowOver) => {
            fill(words.comes_again_until, &[&rfc3339(at)])
        }
        (State::Delivering, Some(at)) => fill(words.sent_again_at, &[&rfc3339(at)]),
        (State::Parked, _) => match record.reason.and_then(decision) {
            Some(one) => fill(words.unless_decided, &[&record.claimed.order, &one.as_str()]),
            None => words.somebody_looks.to_owned(),
        },
        _ => words.nothing.to_owned(),
    }
}

/// What a person decides who has it sent although it was parked for this.
const fn decision(reason: Reason) -> Option<Override> {
    match reason {
        Reason::ExpectedAmountDiffers => Some(Override::Amount),
        Reason::SecondPayment => Some(Override::SecondPayment),
        _ => None,
    }
}

/// What happened, in order of time.
fn history(words: &Words, record: &Record) -> Vec<(Timestamp, String)> {
    let by = |id: &Uuid| fill(words.by_callback, &[id]);
    let events = record.events.iter().map(|event| {
        let because = event.reason.map(|reason| fill(words.because, &[&reason])).unwrap_or_default();
        let by = event.request_id.as_ref().map(by).unwrap_or_default();
        (event.at, format!("{}{because}{by}", words.event(&event.what)))
    });
    let attempt_log = record.attempt_log.iter().map(|sent| {
        let outcome = match (sent.status, sent.reason, sent.ended_at) {
            (Some(status), _, _) if sent.accepted => fill(words.took, &[&status]),
            (Some(status), _, _) => fill(words.did_not_take, &[&status]),
            (None, Some(reason), _) => reason.to_string(),
            (None, None, Some(_)) => words.unheard.to_owned(),
            (None, None, None) => words.under_way.to_owned(),
        };
        (sent.began_at, fill(words.attempt, &[&sent.attempt, &sent.origin.as_str(), &outcome]))
    });
    let came = match record.origin {
        Origin::Sweep => words.found_in_bill,
        Origin::Pending => words.listed_by_source,
        Origin::Callback | Origin::FollowUp => words.received,
    };
    let received = (record.received_at, format!("{came}{}", by(&record.request_id)));
    let mut history: Vec<_> = std::iter::once(received).chain(events).chain(attempt_log).collect();
    history.sort_by_key(|(at, _)| *at);
    history
}

fn tell_refused(lines: &mut Lines, refused: &Refused) {
    let words = words();
    let order = refused.order.map_or_else(|| words.no_order_id.to_owned(), |order| order.to_string());
    let route = refused.route.as_deref().unwrap_or(words.no_route);
    lines.say(fill(words.was_refused, &[&order, &route]));
    lines.item(words.why, format!("{}{}", refused.reason, fill(words.because, &[&words.reason(refused.reason)])));
    if let Some(detail) = &refused.detail {
        lines.item(words.detail, detail);
    }
    if let Some(at) = refused.at {
        lines.item(words.at, rfc3339(at));
    }
    lines.item(words.callback, refused.request_id);
}
