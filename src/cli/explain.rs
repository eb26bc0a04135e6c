//! `tollgate explain`: what happened to a callback or an order, and why.

use super::ConfigFile;
use super::print::{self, Lines};
use super::records;
use crate::admin::records::{self as shapes, EntryStory};
use crate::clock::{self, rfc3339};
use crate::journal::{Journal, Origin, Override, Record, Refused, Search, State};
use crate::order::OrderId;
use crate::reason::Reason;
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

/// What is said of an entry whose request is gone.
pub(super) const NOT_KEPT: &str = "not kept any more (journal.keep.bodies); if it is delivered again, its callback is made \
    anew as its route's synthesize says, or it is parked as cannot-synthesize";

/// Entries of one order that are shown.
const MOST: usize = 100;

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let journal = match records::open(&args.file.config)? {
        Ok(journal) => journal,
        Err(problems) => return super::check::show(&problems, args.json),
    };
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    for search in searches(&args.id)? {
        found.extend(journal.find(search, MOST).await?);
        refused.extend(journal.refused(search, MOST).await?);
    }
    if found.is_empty() && refused.is_empty() {
        bail!(
            "the journal knows nothing of {}; a callback without a readable order, a repetition beyond the first of an \
             order, and what is older than journal.keep.entries are in the log only (request_id)",
            args.id
        );
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
        bail!("that is neither a request id nor an order");
    }
    Ok(searches)
}

fn tell(lines: &mut Lines, record: &Record) {
    let claimed = &record.claimed;
    let (order, channel, route) = (claimed.order, claimed.channel, &record.route);
    lines.say(format!("{order} on {channel} (route {route}): {} since {}", record.state, rfc3339(record.since)));
    lines.item(
        "why",
        record.reason.map_or_else(|| "not known yet".to_owned(), |reason| format!("{reason}: {}", reason.text())),
    );
    let transaction = claimed.transaction_id.map(|id| format!(", transaction {id}")).unwrap_or_default();
    let amount = claimed.amount.map(|amount| format!(", {amount}")).unwrap_or_default();
    for flag in record.flags() {
        lines.item("flagged", format!("{flag}: {}", flag.text()));
    }
    let claim = match record.origin {
        Origin::Sweep => "the bill",
        Origin::Pending => "its source",
        Origin::Callback | Origin::FollowUp => "claim",
    };
    lines.item(claim, format!("order {order}, out_trade_no {}{transaction}{amount}", claimed.out_trade_no));
    if let Some(price) = &record.price {
        let since = price.listed_at.map(|at| format!(" since {}", rfc3339(at))).unwrap_or_default();
        lines.item("costs", format!("{}, says {}{since}", price.amount, price.source));
    }
    lines.item("answer", answer(record));
    lines.item("sent", sent(record));
    lines.item("next", next(record));
    lines.item("callback", record.request_id);
    if record.is_without_request() {
        lines.item("request", NOT_KEPT);
    }
    for (at, what) in history(record) {
        lines.say(format!("    {}  {what}", rfc3339(at)));
    }
}

/// What WeChat Pay said, as far as it was a payment.
fn answer(record: &Record) -> String {
    let Some(payment) = &record.verified else { return "no payment was confirmed".to_owned() };
    let state = if payment.refunded { "refunded since" } else { "paid" };
    let paid_at = payment.paid_at.map(|at| format!(", paid at {}", clock::rfc3339_beijing(at))).unwrap_or_default();
    let when = record.verified_at.map(|at| format!("; confirmed at {}", rfc3339(at))).unwrap_or_default();
    format!("{state}: transaction {}, {}{paid_at}{when}", payment.transaction_id, payment.amount)
}

fn sent(record: &Record) -> String {
    let times = match record.attempts {
        0 => return "not yet: the order system has seen nothing of it".to_owned(),
        1 => "once".to_owned(),
        attempts => format!("{attempts} times"),
    };
    let accepted =
        record.accepted_at.map_or_else(|| "not accepted".to_owned(), |at| format!("accepted at {}", rfc3339(at)));
    format!("{times}, as delivery {}; {accepted}", record.delivery)
}

fn next(record: &Record) -> String {
    match (record.state, record.due_at) {
        (State::Asking, Some(at)) => format!("WeChat Pay is asked again at {}", rfc3339(at)),
        (State::Delivering, Some(at)) => format!("it is sent again at {}", rfc3339(at)),
        (State::Parked, _) => match record.reason.and_then(decision) {
            Some(one) => format!(
                "nothing, unless you decide it: tollgate redeliver {} --override {} --because WHY",
                record.claimed.order,
                one.as_str()
            ),
            None => "somebody has to look; then: tollgate redeliver".to_owned(),
        },
        _ => "nothing".to_owned(),
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
fn history(record: &Record) -> Vec<(Timestamp, String)> {
    let because = |reason: Option<Reason>| reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let events = record.events.iter().map(|event| {
        let by = event.request_id.map(|id| format!(" (callback {id})")).unwrap_or_default();
        (event.at, format!("{}{}{by}", event.what, because(event.reason)))
    });
    let sendings = record.sendings.iter().map(|sent| {
        let outcome = match (sent.status, sent.reason, sent.ended_at) {
            (Some(status), _, _) if sent.accepted => format!("answered {status}, accepted"),
            (Some(status), _, _) => format!("answered {status}, which is not accepted"),
            (None, Some(reason), _) => reason.to_string(),
            (None, None, Some(_)) => "nothing was heard".to_owned(),
            (None, None, None) => "under way, or broken off with the gate".to_owned(),
        };
        (sent.began_at, format!("sent, attempt {} ({}): {outcome}", sent.attempt, sent.origin.as_str()))
    });
    let came = match record.origin {
        Origin::Sweep => "found in the bill, without a callback",
        Origin::Pending => "listed by a source of pending orders",
        Origin::Callback | Origin::FollowUp => "received",
    };
    let received = (record.received_at, format!("{came} (callback {})", record.request_id));
    let mut history: Vec<_> = std::iter::once(received).chain(events).chain(sendings).collect();
    history.sort_by_key(|(at, _)| *at);
    history
}

fn tell_refused(lines: &mut Lines, refused: &Refused) {
    let order = refused.order.map_or_else(|| "no readable order".to_owned(), |order| order.to_string());
    let route = refused.route.as_deref().unwrap_or("none");
    lines.say(format!("A callback for {order} (route {route}) was refused before it was taken in"));
    lines.item("why", format!("{}: {}", refused.reason, refused.reason.text()));
    if let Some(detail) = &refused.detail {
        lines.item("detail", detail);
    }
    if let Some(at) = refused.at {
        lines.item("at", rfc3339(at));
    }
    lines.item("callback", refused.request_id);
}
