//! `tollgate verify`: what would the gate do with this saved request, and would this saved answer count? Offline:
//! nobody is asked, nothing is forwarded.

mod answer;

use super::ConfigFile;
use super::print::{self, Lines};
use super::saved;
use super::words::english;
use crate::config::Config;
use crate::domain::clock;
use crate::domain::reason::Reason;
use crate::gate::channel::Channels;
use crate::gate::claim::Claim;
use crate::gate::intake::{Callback, Intake};
use crate::gate::reply;
use crate::gate::route::{Route, Routes};
use crate::provider::{AskBy, Dialect, SignedBy, Unopened};
use crate::server::Arrival;
use anyhow::Context;
use hyper::http::request::Parts;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Said of a key that is not known here.
const TO_BE_FETCHED: &str = "the gate would first download the certificate that Wechatpay-Serial names, and decide by it; \
                             verify asks nobody, and cannot tell";

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "REQUEST holds one HTTP request as it goes over the wire: request line, fields, an empty line, the \
                  body. What editors do to it is undone: LF for the head's line ends, a mark in front, a line end behind \
                  a body without Content-Length.\n\nANSWER holds what the order system answered: head and body, \
                  as `curl -i` prints them, or the body alone, whose status is then taken to be 200. Each part of the \
                  route's `accepted` is held against it; no secret is read for that.\n\nExit codes: with --file, 0 the \
                  gate would ask WeChat Pay about it, 1 it would refuse it without asking; with --answer, 0 it would \
                  count as taken, 1 it would not, and the callback be sent again; 2 wrong usage."
)]
#[command(group = clap::ArgGroup::new("saved").required(true))]
pub(super) struct Args {
    /// The saved request.
    #[arg(long, value_name = "REQUEST", group = "saved")]
    file: Option<PathBuf>,

    /// A saved answer of the order system: would it count as taken?
    #[arg(long, value_name = "ANSWER", group = "saved", requires = "route")]
    answer: Option<PathBuf>,

    /// The route whose `accepted` the answer is held against.
    #[arg(long, value_name = "NAME", requires = "answer", conflicts_with = "file")]
    route: Option<String>,

    #[command(flatten)]
    config: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match (&args.file, &args.answer, &args.route) {
        (_, Some(answer), Some(route)) => answer::run(&args.config, answer, route, args.json),
        (Some(file), ..) => request(args, file).await,
        // The arguments' own rules leave nothing else.
        (None, ..) => anyhow::bail!("name --file, or --answer and --route"),
    }
}

async fn request(args: &Args, file: &Path) -> anyhow::Result<ExitCode> {
    let config = match Config::load(&args.config.config) {
        Ok(config) => config,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    let saved = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let arrival = saved::arrive(&saved, config.limits.server, english()).await?;
    let mut account = Account::default();
    let outcome = walk(config, arrival, &saved, &mut account);
    account.conclude(outcome.err());
    print::print(args.json, &Value::Object(account.value), &account.lines)?;
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What was found, step by step.
#[derive(Debug, Default)]
struct Account {
    lines: Lines,
    value: Map<String, Value>,
    /// The provider's way of being answered, where its status says all of it.
    dialect: Option<&'static Dialect>,
}

impl Account {
    fn note(&mut self, name: &str, what: impl Into<Value>) {
        let what = what.into();
        self.lines.item(name, what.as_str().map_or_else(|| what.to_string(), str::to_owned));
        self.value.insert(name.to_owned(), what);
    }

    fn conclude(&mut self, refused: Option<Reason>) {
        self.value.insert("would_ask".into(), json!(refused.is_none()));
        match refused {
            None => self.lines.say("The gate would now ask WeChat Pay, and forward it only if the order is paid."),
            Some(reason) => {
                self.note("reason", reason.code());
                let status = self.dialect.map_or_else(
                    || reply::http_status(reason),
                    |dialect| (dialect.status)(reason, reply::http_status(reason)),
                );
                self.note("http_status", status.as_u16());
                self.lines.say(format!("The gate would refuse it without asking anybody: {}", reason.text()));
            }
        }
    }
}

/// The offline steps of the way, as `gate.rs` takes them.
fn walk(config: Config, arrival: Arrival, saved: &[u8], account: &mut Account) -> Result<(), Reason> {
    let routes = Routes::new(config.routes);
    let channels = Channels::new(config.channels);
    let found = routes.find(&arrival.head);
    if let Ok((route, _)) = &found {
        account.note("route", route.name.as_str());
    }
    // What the server refused is refused for that, also where no route would take it.
    let body = arrival.body.inspect_err(|reason| {
        if let Some(fault) = saved::fault(saved, english()).filter(|_| *reason == Reason::RequestMalformed) {
            account.note("detail", fault);
        }
    })?;
    let (route, path) = found.map_err(|error| error.reason())?;
    let reading = route.reading(&body).unwrap_or_else(|_| route.reading_of_head(&arrival.head.headers));
    account.dialect = reading.reply.dialect.filter(|dialect| dialect.status_decides);
    let (at, signed_at) = arrived_at(route, &arrival.head, &body);
    if let Some(preset) =
        route.reading(&body).ok().and_then(|reading| reading.preset).filter(|_| !route.also.is_empty())
    {
        account.note("preset", preset.name);
    }
    if let Some(signed_at) = signed_at {
        let told = format!("{signed_at}, as its headers say: it is checked as if it had arrived then");
        account.note("signed_at", told);
    }
    let intake = Intake::read(route, &path, &arrival.head, &body, at).map_err(|unreadable| {
        account.note("detail", unreadable.detail.as_str());
        unreadable.reason
    })?;
    match intake.claim() {
        Some(claim) => note_claim(claim, &intake, account),
        // What is sealed beside fields in the clear is a refund.
        None if signed_at.is_none() => account.note("event", "refund"),
        None => {}
    }
    let (is_sealed, names_no_channel) =
        (intake.claim().is_none(), intake.claim().is_none() || intake.selected().is_none());
    let may_be_fetched = intake.lacks_key(&channels);
    let mut unopened = |unopened: Unopened| {
        if may_be_fetched && unopened.reason == Reason::NotificationSerialUnknown {
            account.note("detail", TO_BE_FETCHED);
        } else if let Some(detail) = unopened.detail {
            account.note("detail", detail.as_ref());
        }
        unopened.reason
    };
    let channel = intake.channel(&channels).map_err(&mut unopened)?;
    let signed_by = intake.signed_by(channel);
    let callback = intake.open(channel).map_err(unopened)?;
    if names_no_channel {
        account.note("channel", channel.id.as_str());
    }
    if let Some(SignedBy { kind, key }) = signed_by {
        account.note("signed_by", format!("{kind} {key}"));
    }
    let claimed = &callback.claimed;
    if is_sealed {
        note_sealed(&callback, account);
    } else if route.takes_notifications() {
        account.note("signature", "valid");
    }
    if callback.refund.is_some() && !route.events.refund {
        return Err(Reason::NotificationNotPayment);
    }
    if !is_sealed && !route.is_evident(channel, &claimed.order, &claimed.out_trade_no) {
        account.note("number_proof", route.number_proof.to_string());
    }
    would_ask(channel.ask(claimed), account);
    Ok(())
}

/// When a saved request is to have arrived: a notification whose signature ages at the time that it says it was signed, or
/// it would be too old.
fn arrived_at(route: &Route, head: &Parts, body: &[u8]) -> (Timestamp, Option<Timestamp>) {
    let signed_at = route.reading(body).ok().and_then(|reading| reading.preset?.signed_at);
    let signed_at = signed_at.and_then(|signed_at| signed_at(&head.headers));
    (signed_at.unwrap_or_else(clock::now), signed_at)
}

/// What stands in the clear.
fn note_claim(claim: &Claim, intake: &Intake<'_>, account: &mut Account) {
    account.note("order", claim.order.as_str());
    if let Some(id) = claim.transaction_id {
        account.note("transaction_id", id.as_str());
    }
    if let Some(amount) = claim.amount {
        account.note("amount", amount.0);
    }
    if let Some(channel) = intake.selected() {
        account.note("channel", channel.as_str());
    }
}

/// What was sealed.
fn note_sealed(callback: &Callback, account: &mut Account) {
    account.note("order", callback.claimed.order.as_str());
    if let Some(id) = callback.claimed.transaction_id {
        account.note("transaction_id", id.as_str());
    }
    if let Some(amount) = callback.claimed.amount {
        account.note("amount", amount.fen.0);
    }
    if let Some(refund) = &callback.refund {
        if !account.value.contains_key("event") {
            account.note("event", "refund");
        }
        account.note("refund_id", refund.id.as_str());
        account.note("refund_status", refund.status.as_str());
    }
}

fn would_ask(ask: AskBy, account: &mut Account) {
    match ask {
        AskBy::OutTradeNo(id) => account.note("would ask by", format!("out_trade_no {id}")),
        AskBy::TransactionId(id) => account.note("would ask by", format!("transaction_id {id}")),
    }
}
