//! `tollgate verify`: what would the gate do with this saved request, and would this saved answer count? Offline: nobody is
//! asked, nothing is forwarded.

mod answer;

use super::ConfigFile;
use super::print::{self, Lines};
use crate::config::Config;
use crate::gate::channel::Channels;
use crate::gate::claim::Sealed;
use crate::gate::notification;
use crate::gate::reply;
use crate::gate::route::{Route, Routes};
use crate::reason::Reason;
use crate::server::{self, Arrival, Handler, Limits};
use crate::shutdown::Shutdown;
use crate::wechat::AskBy;
use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "REQUEST holds one HTTP request as it goes over the wire: request line, fields, an empty line, the \
                  body. Line ends of the head may be LF.\n\nANSWER holds what the order system answered: head and body, \
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
        Err(problems) => return super::check::show(&problems, args.json),
    };
    let saved = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let arrival = arrive(saved, config.limits.server).await?;
    let mut account = Account::default();
    let outcome = walk(config, arrival, &mut account);
    account.conclude(outcome.err());
    print::print(args.json, &Value::Object(account.value), &account.lines)?;
    Ok(if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends the saved bytes to the real server, on a socket of this process, so that what it refuses is refused here too.
pub(super) async fn arrive(saved: Vec<u8>, limits: Limits) -> anyhow::Result<Arrival> {
    let (handler, mut arrivals) = mpsc::channel(1);
    let listener = server::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let addr = listener.local_addr()?;
    let shutdown = Shutdown::new();
    let serving = server::run(listener, None, limits, Arc::new(Taker(handler)), shutdown.clone());
    let serving = tokio::spawn(serving);
    let mut sender = TcpStream::connect(addr).await?;
    sender.write_all(&with_length(with_crlf(saved))).await?;
    sender.shutdown().await?;
    let arrival = timeout(PATIENCE, arrivals.recv()).await.ok().flatten();
    shutdown.begin();
    serving.abort();
    arrival.context("the file holds no HTTP request: it needs a request line, fields, an empty line and the body")
}

/// Hands the first request over and answers nothing of interest.
struct Taker(mpsc::Sender<Arrival>);

impl Handler for Taker {
    async fn handle(self: Arc<Self>, arrival: Arrival) -> Response<Full<Bytes>> {
        // A second request in the file is not looked at.
        let _ = self.0.try_send(arrival);
        Response::default()
    }
}

/// A saved body without a Content-Length is meant to be sent whole.
fn with_length(request: Vec<u8>) -> Vec<u8> {
    let Some(head_end) = memchr::memmem::find(&request, b"\r\n\r\n") else { return request };
    let (head, rest) = request.split_at(head_end + 2);
    let body_len = rest.len().saturating_sub(2);
    let named = |name: &str| head.to_ascii_lowercase().windows(name.len()).any(|part| part == name.as_bytes());
    if body_len == 0 || named("\ncontent-length:") || named("\ntransfer-encoding:") {
        return request;
    }
    [head, format!("Content-Length: {body_len}\r\n").as_bytes(), rest].concat()
}

/// Editors save LF; HTTP wants CRLF in the head. The body stays as it is.
fn with_crlf(saved: Vec<u8>) -> Vec<u8> {
    let first_line_end = saved.iter().position(|byte| *byte == b'\n');
    let saved_with_crlf = first_line_end.is_some_and(|end| end > 0 && saved.get(end - 1) == Some(&b'\r'));
    let Some(head_end) = memchr::memmem::find(&saved, b"\n\n").filter(|_| !saved_with_crlf) else { return saved };
    let (head, body) = saved.split_at(head_end + 2);
    let mut request = Vec::with_capacity(saved.len() + 64);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        request.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(body);
    request
}

/// The server's own deadlines end the wait before.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found, step by step.
#[derive(Debug, Default)]
struct Account {
    lines: Lines,
    value: Map<String, Value>,
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
                self.note("http_status", reply::http_status(reason).as_u16());
                self.lines.say(format!("The gate would refuse it without asking anybody: {}", reason.text()));
            }
        }
    }
}

/// The offline steps of the way, as `gate.rs` takes them.
fn walk(config: Config, arrival: Arrival, account: &mut Account) -> Result<(), Reason> {
    let routes = Routes::new(config.routes);
    let channels = Channels::new(config.channels);
    let (route, path) = routes.find(&arrival.head).map_err(|error| error.reason())?;
    account.note("route", route.name.as_str());
    let body = arrival.body?;
    if let Some(sealed) = route.notification.then(|| route.claim.read_sealed(&arrival.head, &path, &body)).flatten() {
        return refund(&channels, route, &sealed, account);
    }
    let callback = route.claim.read(&arrival.head, &path, &body).map_err(|unreadable| {
        account.note("detail", unreadable.detail.as_str());
        unreadable.reason
    })?;
    account.note("order", callback.claim.order.as_str());
    if let Some(id) = callback.claim.transaction_id {
        account.note("transaction_id", id.as_str());
    }
    if let Some(amount) = callback.claim.amount {
        account.note("amount", amount.0);
    }
    if let Some(channel) = callback.channel {
        account.note("channel", channel.as_str());
    }
    let channel = callback.channel.and_then(|id| channels.get(&id)).ok_or(Reason::ChannelUnknown)?;
    if route.notification {
        notification::check(&channel.account, callback.xml.as_ref())?;
        account.note("signature", "valid");
    }
    let number = channel.number(&callback.claim)?;
    if !route.is_evident(channel, &callback.claim.order, &number) {
        account.note("number_proof", route.number_proof.to_string());
    }
    would_ask(channel.ask(&callback.claim, number), account);
    Ok(())
}

fn would_ask(ask: AskBy, account: &mut Account) {
    match ask {
        AskBy::OutTradeNo(id) => account.note("would ask by", format!("out_trade_no {id}")),
        AskBy::TransactionId(id) => account.note("would ask by", format!("transaction_id {id}")),
    }
}

/// The same of a refund notification.
fn refund(channels: &Channels, route: &Route, sealed: &Sealed<'_>, account: &mut Account) -> Result<(), Reason> {
    account.note("event", "refund");
    let channel = notification::refund::channel(channels, sealed).ok_or(Reason::ChannelUnknown)?;
    account.note("channel", channel.id.as_str());
    let opened = notification::refund::open(&channel.account, &sealed.xml).map_err(|unreadable| {
        account.note("detail", unreadable.detail.as_str());
        unreadable.reason
    })?;
    let claim = notification::refund::claim(&opened)?;
    account.note("order", claim.order.as_str());
    account.note("transaction_id", opened.transaction_id.as_str());
    account.note("amount", opened.total_fee.0);
    for (name, said) in [("refund_id", &opened.refund_id), ("refund_status", &opened.refund_status)] {
        account.note(name, said.as_str());
    }
    if !route.events.refund {
        return Err(Reason::NotificationNotPayment);
    }
    would_ask(channel.ask(&claim, opened.out_trade_no), account);
    Ok(())
}
