//! `tollgate init`: a configuration out of a saved request, with what the request does not say asked for.

mod any_key;

mod fields;

mod guess;

mod write;

use super::print::{self, Lines};
use super::saved;
use super::words::{Words, fill, words};
use crate::config::{Config, Limits};
use crate::domain::clock;
use crate::domain::order::{AppId, MerchantId};
use crate::domain::reason::Reason;
use crate::gate::intake::Intake;
use crate::gate::route::Routes;
use crate::server::Arrival;
use crate::upstream::Upstream;
use any_key::AnyKey;
use anyhow::{Context, bail};
use bytes::Bytes;
use fields::Request;
use guess::{Choice, Guess};
use hyper::http::request::Parts;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use write::Known;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The request is one callback as it goes over the wire, as for `tollgate verify`: request line, fields, an empty \
                  line, the body. What it does not say is asked for at a terminal; elsewhere it must be given. The file is \
                  read back before it is written: check accepts it, and verify reads the same order.\n\nExit codes: 0 written, \
                  1 the file is there already, or nothing can be made of the request, 2 wrong usage, or something is missing \
                  that cannot be asked for."
)]
pub(super) struct Args {
    /// A saved callback.
    #[arg(long, value_name = "REQUEST")]
    from: Option<PathBuf>,

    /// The order system, such as http://127.0.0.1:5000.
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: Option<Upstream>,

    /// The appid of the merchant account; a notification of WeChat Pay says it itself.
    #[arg(long, value_name = "APPID", value_parser = appid)]
    appid: Option<AppId>,

    /// The merchant's number; a notification of WeChat Pay says it itself.
    #[arg(long, value_name = "MCH_ID", value_parser = mch_id)]
    mch_id: Option<MerchantId>,

    /// The file to write. One that is there is left as it is.
    #[arg(long, value_name = "FILE", default_value = "config.yaml")]
    out: PathBuf,
}

/// What is missing and cannot be asked for.
const MISSING: u8 = 2;

/// How often a question is asked.
const TRIES: usize = 3;

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let words = words();
    if args.out.exists() {
        bail!(fill(words.is_there, &[&args.out.display()]));
    }
    let from = match &args.from {
        Some(from) => from.clone(),
        None => match ask(words.ask_from, |text| Ok(PathBuf::from(text)))? {
            Some(from) => from,
            None => return missing(words, &["--from"]),
        },
    };
    let saved = std::fs::read(&from).with_context(|| fill(words.cannot_read, &[&from.display()]))?;
    let Arrival { head, body, .. } = saved::arrive(&saved, Limits::default().server, words).await?;
    let body = body.map_err(|reason| {
        let fault = saved::fault(&saved, words).filter(|_| reason == Reason::RequestMalformed);
        anyhow::anyhow!(fault.unwrap_or_else(|| format!("{reason}: {}", words.reason(reason))))
    })?;
    let request = Request::read(&head, &body)?;
    refuse_others(&request)?;
    let known = match known(args, &request, words)? {
        Ok(known) => known,
        Err(options) => return missing(words, &options),
    };
    let made = make(&head, &body, &request, &known, &from.display().to_string(), words)?;
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&args.out) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(fill(words.is_there, &[&args.out.display()])),
        file => file.with_context(|| fill(words.cannot_write, &[&args.out.display()]))?,
    };
    file.write_all(made.text.as_bytes()).with_context(|| fill(words.cannot_write, &[&args.out.display()]))?;
    print::print(false, &(), &tell(args, &from, &made.guess, words))?;
    Ok(ExitCode::SUCCESS)
}

/// A configuration that reads the request.
struct Made {
    guess: Guess,
    text: String,
}

/// The first guess that the gate itself agrees with.
fn make(
    head: &Parts,
    body: &Bytes,
    request: &Request,
    known: &Known,
    from: &str,
    words: &Words,
) -> anyhow::Result<Made> {
    let mut why = words.no_order.to_owned();
    let (mut is_first, any_key) = (true, AnyKey::default());
    for guess in guess::guesses(head, request) {
        let text = write::write(&guess, known, from, words);
        match try_out(&text, head, body, &guess, &any_key) {
            Ok(()) => return Ok(Made { guess, text }),
            // What keeps the likeliest from being read says most.
            Err(error) if is_first => (why, is_first) = (error, false),
            Err(_) => {}
        }
    }
    bail!(fill(words.cannot_make, &[&why]))
}

/// Reads the request as the gate would, under this configuration.
fn try_out(text: &str, head: &Parts, body: &Bytes, guess: &Guess, any_key: &AnyKey) -> Result<(), String> {
    let config = Config::parse(text, Path::new("config.yaml"), any_key).map_err(|problems| problems.to_string())?;
    let routes = Routes::new(config.routes);
    let (route, path) = routes.find(head).map_err(|error| error.to_string())?;
    let read = Intake::read(route, &path, head, body, clock::now()).map_err(|unreadable| unreadable.to_string())?;
    match read.claim() {
        // What it is about is sealed.
        None if guess.of_v3.is_some() && read.selected().is_some() => Ok(()),
        Some(claim) if claim.order.as_str() == guess.order.field.value => Ok(()),
        _ => Err(format!("{} is read as another order", guess.order.field.name)),
    }
}

/// What looks like a payment callback and is none that this version can confirm.
fn refuse_others(request: &Request) -> anyhow::Result<()> {
    if request.has("req_info") && request.has("return_code") {
        bail!("this is WeChat Pay's notification of a refund, not of a payment: save one of a payment");
    }
    if request.has("notify_type") && request.has("trade_status") && request.has("app_id") {
        bail!("this is a notification of Alipay, and this version confirms payments with WeChat Pay only");
    }
    Ok(())
}

/// What the request does not say; the options that are missing if there is no terminal to ask at.
fn known(args: &Args, request: &Request, words: &Words) -> anyhow::Result<Result<Known, Vec<&'static str>>> {
    let upstream = match &args.upstream {
        Some(given) => Some(given.clone()),
        None => ask(words.ask_upstream, upstream)?,
    };
    let said = |name: &str| if guess::is_notification(request) { request.get(name) } else { None };
    let appid = match args.appid.or_else(|| appid(said("appid")?).ok()) {
        None => ask(words.ask_appid, appid)?,
        given => given,
    };
    let mch_id = match args.mch_id.or_else(|| mch_id(said("mch_id")?).ok()) {
        None => ask(words.ask_mch_id, mch_id)?,
        given => given,
    };
    Ok(match (upstream, appid, mch_id) {
        (Some(upstream), Some(appid), Some(mch_id)) => Ok(Known { upstream, appid, mch_id }),
        (upstream, appid, mch_id) => {
            let missing =
                [("--upstream", upstream.is_none()), ("--appid", appid.is_none()), ("--mch-id", mch_id.is_none())];
            Err(missing.into_iter().filter(|(_, is_missing)| *is_missing).map(|(option, _)| option).collect())
        }
    })
}

/// Asks whoever sits at the terminal; `None` if nobody does, or nothing usable is said.
fn ask<T>(question: &str, read: impl Fn(&str) -> Result<T, String>) -> anyhow::Result<Option<T>> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(None);
    }
    for _ in 0..TRIES {
        let mut out = io::stderr().lock();
        write!(out, "{question} ")?;
        out.flush()?;
        let mut answer = String::new();
        if io::stdin().read_line(&mut answer)? == 0 {
            break;
        }
        match read(answer.trim()) {
            Ok(value) => return Ok(Some(value)),
            Err(why) => writeln!(out, "  {why}")?,
        }
    }
    Ok(None)
}

fn missing(words: &Words, options: &[&str]) -> anyhow::Result<ExitCode> {
    writeln!(io::stderr(), "tollgate: {}", fill(words.missing, &[&options.join(", ")]))?;
    Ok(ExitCode::from(MISSING))
}

fn upstream(text: &str) -> Result<Upstream, String> {
    Upstream::parse(text).map_err(|error| error.to_string())
}

fn appid(text: &str) -> Result<AppId, String> {
    AppId::parse(text).map_err(|error| error.to_string())
}

fn mch_id(text: &str) -> Result<MerchantId, String> {
    let id = MerchantId::parse(text).map_err(|error| error.to_string())?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) { Ok(id) } else { Err("has letters".to_owned()) }
}

/// What was taken, what it might be instead, and what to do now.
fn tell(args: &Args, from: &Path, guess: &Guess, words: &Words) -> Lines {
    let mut lines = Lines::default();
    lines.say(fill(words.written, &[&args.out.display(), &from.display()]));
    lines.item("path", &guess.path);
    for (name, value) in &guess.matched {
        lines.item("match", format!("query.{name}: {value}"));
    }
    if guess.of_v3.is_some() {
        lines.item("preset", format!("wechat: {}", words.preset_any));
        lines.item("order", words.is_sealed);
    } else if guess.is_notification {
        lines.item("preset", format!("wechat-v2: {}", words.preset_is));
    } else {
        lines.item("carrier", format!("{}, {}", write::carrier(guess.carrier), guess.method));
        if guess.any_type {
            lines.item("content_type", format!("any: {}", words.any_type));
        }
        if guess.ignores_cookies {
            lines.item("cookies", format!("ignore: {}", words.cookies_are));
        }
    }
    let parts = [
        ("order", Some(&guess.order)),
        ("out_trade_no", guess.out_trade_no.as_ref()),
        ("transaction", guess.transaction.as_ref()),
        ("amount", guess.amount.as_ref()),
    ];
    for (name, choice) in parts {
        let Some(Choice { field, others }) = choice.filter(|_| guess.of_v3.is_none()) else { continue };
        let perhaps = if others.is_empty() {
            String::new()
        } else {
            format!("; {}", fill(words.or_perhaps, &[&others.join(", ")]))
        };
        let unit = match (name, guess.in_yuan) {
            ("amount", true) => " yuan",
            ("amount", false) => " fen",
            _ => "",
        };
        let value = if field.value.is_empty() { String::new() } else { format!(" ({}{unit})", field.value) };
        lines.item(name, format!("{}{value}{perhaps}", field.name));
    }
    if !guess.is_notification {
        let names: Vec<_> = guess.channels.iter().map(|field| field.name.as_str()).collect();
        let hint = if names.is_empty() {
            String::new()
        } else {
            format!("; {}", fill(words.channel_hint, &[&names.join(", ")]))
        };
        lines.item("channel", format!("app{hint}"));
    }
    let (out, from) = (args.out.display(), from.display());
    match guess.of_v3 {
        Some(_) => lines.say(fill(words.now_do_v3, &[&write::V3_KEY])),
        None => lines.say(fill(words.now_do, &[&write::KEY])),
    }
    lines.say(format!("  tollgate check --config {out}"));
    lines.say(format!("  tollgate verify --config {out} --file {from}"));
    lines.say(format!("  tollgate check --resolve --config {out}"));
    lines
}

#[cfg(test)]
mod tests;
