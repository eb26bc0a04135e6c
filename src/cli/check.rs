//! `tollgate check`: is this configuration usable?

use super::ConfigFile;
use super::print::{self, Lines};
use crate::config::{Config, Outline, Problems, Warning};
use crate::gate::accepted::Accepted;
use crate::order::OutTradeNo;
use crate::reason::{Reason, Verdict};
use crate::wechat::{AskBy, WeChatPay};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --resolve, secrets (${NAME} or ${file:PATH} as a key or token) are not read, so that a file can be checked where
they are not. The files of tls.cert and tls.key must be there and readable.

Exit codes: 0 usable, 1 not usable, 2 wrong usage.")]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,

    /// Also read the secrets, and ask WeChat Pay one harmless question for each channel.
    #[arg(long)]
    resolve: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// An order number that no shop gives: the right answer is ORDERNOTEXIST, signed.
const NOBODYS_ORDER: &str = "TOLLGATE-CHECK";

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(problems) => return show(&problems, args.json),
    };
    let channels = if args.resolve {
        match Config::load(&args.file.config) {
            Ok(config) => Some(ask_each(&config).await?),
            Err(problems) => return show(&problems, args.json),
        }
    } else {
        None
    };
    let all_answer = channels.iter().flatten().all(|(_, reason)| answers(*reason));
    print::print(args.json, &report(&outline, channels.as_deref()), &lines(args, &outline, channels.as_deref()))?;
    Ok(if all_answer { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows everything that is wrong with a configuration.
pub(super) fn show(problems: &Problems, as_json: bool) -> anyhow::Result<ExitCode> {
    if as_json {
        let list: Vec<_> = problems.list.iter().map(ToString::to_string).collect();
        print::json(&json!({ "usable": false, "problems": list }))?;
    } else {
        writeln!(std::io::stderr(), "{problems}")?;
    }
    Ok(ExitCode::FAILURE)
}

async fn ask_each(config: &Config) -> anyhow::Result<Vec<(String, Reason)>> {
    let wechat = WeChatPay::new(&config.wechat)?;
    let ask = AskBy::OutTradeNo(OutTradeNo::parse(NOBODYS_ORDER)?);
    let mut answers = Vec::with_capacity(config.channels.len());
    for channel in &config.channels {
        let (finding, _) = super::query::ask(&wechat, channel, &ask).await;
        answers.push((channel.id.to_string(), finding.reason()));
    }
    Ok(answers)
}

/// Whether a channel's account works: WeChat Pay knew it and signed, whatever it said of the order.
fn answers(reason: Reason) -> bool {
    reason.verdict() != Some(Verdict::Unknown)
}

fn report(outline: &Outline, channels: Option<&[(String, Reason)]>) -> Value {
    let channels = channels.map(|channels| {
        let answer = |(channel, reason): &(String, Reason)| {
            json!({ "channel": channel, "answers": answers(*reason), "reason": reason.code() })
        };
        channels.iter().map(answer).collect::<Vec<_>>()
    });
    let warning = |warning: &Warning| json!({ "key": warning.key, "text": warning.text });
    let warnings: Vec<_> = outline.warnings.iter().map(warning).collect();
    json!({
        "usable": true,
        "warnings": warnings,
        "listen": outline.listen.to_string(),
        "upstream": outline.upstream.to_string(),
        "routes": outline.routes,
        "accepted": outline.accepted.iter().map(|(route, rule)| (route.as_str(), rule.to_string())).collect::<BTreeMap<_, _>>(),
        "channels": outline.channels,
        "unread_secrets": outline.unread_secrets,
        "admin": outline.admin.map(|(listen, _)| listen.to_string()),
        "asked": channels,
    })
}

fn lines(args: &Args, outline: &Outline, channels: Option<&[(String, Reason)]>) -> Lines {
    let mut lines = Lines::default();
    lines.say(format!(
        "{}: usable. {} -> {}, {} routes, {} channels.",
        args.file.config.display(),
        outline.listen,
        outline.upstream,
        outline.routes,
        outline.channels
    ));
    // What is written replaces the default, so it is said what counts then.
    let is_default = |rule: &Accepted| *rule == Accepted::any_2xx() || *rule == Accepted::notification();
    for (route, rule) in outline.accepted.iter().filter(|(_, rule)| !is_default(rule)) {
        lines.say(format!("route {route}: an answer counts as taken with {rule}"));
    }
    for warning in &outline.warnings {
        let space = if warning.place.is_some() { "" } else { " " };
        lines.say(format!("warning: {}:{space}{warning}", args.file.config.display()));
    }
    if !outline.unread_secrets.is_empty() && channels.is_none() {
        let names = outline.unread_secrets.join(", ");
        lines.say(format!("Not read without --resolve, and needed to run: {names}"));
    }
    for (channel, reason) in channels.unwrap_or_default() {
        let outcome = if answers(*reason) { "WeChat Pay answers and knows the account" } else { reason.text() };
        lines.say(format!("channel {channel}: {outcome} ({reason})"));
    }
    lines
}
