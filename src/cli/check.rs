//! `tollgate check`: is this configuration usable?

mod resolve;

use super::ConfigFile;
use super::print::{self, Lines};
use super::problems;
use super::words::{Words, fill, words};
use crate::config::{AccountOutline, Config, Outline, Verifier, Warning};
use resolve::{Resolved, resolve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --resolve, secrets (${NAME} or ${file:PATH} as a key or token) are not read, so that a file can be checked where
they are not. The files of tls.cert and tls.key must be there and readable. The keys and certificates of API v3 are read where
they are there, because only then can be told that one was taken for another; none of them is shown.

With --resolve every channel's account is asked about an order that nobody has, a connection to every order system is opened
and closed, every source of pending orders is read once, and a file is made and removed in the journal's folder. No callback is sent.

Exit codes: 0 usable, 1 not usable, 2 wrong usage.")]
pub(super) struct Args {
    #[command(flatten)]
    file: ConfigFile,

    /// Also read the secrets, and ask everybody who is named: WeChat Pay, order systems, sources of pending orders.
    #[arg(long)]
    resolve: bool,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(problems) => return problems::print(&problems, args.json),
    };
    let resolved = if args.resolve {
        match Config::load(&args.file.config) {
            Ok(config) => Some(resolve(&config).await?),
            Err(problems) => return problems::print(&problems, args.json),
        }
    } else {
        None
    };
    print::print(args.json, &report(&outline, resolved.as_ref()), &lines(args, &outline, resolved.as_ref()))?;
    let is_well = resolved.as_ref().is_none_or(Resolved::is_well);
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report(outline: &Outline, resolved: Option<&Resolved>) -> Value {
    let warning = |warning: &Warning| json!({ "key": warning.key, "text": warning.text });
    let warnings: Vec<_> = outline.warnings.iter().map(warning).collect();
    // With --resolve they were read.
    let unread: &[String] = if resolved.is_some() { &[] } else { &outline.unread_secrets };
    json!({
        "usable": true,
        "warnings": warnings,
        "listen": outline.listen.to_string(),
        "upstream": outline.upstream.to_string(),
        "routes": outline.routes,
        "accepted": outline.accepted.iter().map(|of| (of.route.as_str(), of.to_string())).collect::<BTreeMap<_, _>>(),
        "channels": outline.channels,
        "accounts": outline.accounts.iter().map(|(id, account)| (id.to_string(), account_value(account))).collect::<BTreeMap<_, _>>(),
        "unread_secrets": unread,
        "admin": outline.admin.map(|(listen, _)| listen.to_string()),
        "asked": resolved.map(Resolved::asked),
        "upstreams": resolved.map(Resolved::upstreams),
        "sources": resolved.map(Resolved::sources),
        "journal": resolved.map(Resolved::journal),
    })
}

fn lines(args: &Args, outline: &Outline, resolved: Option<&Resolved>) -> Lines {
    let (words, file) = (words(), args.file.config.display());
    let mut lines = Lines::default();
    let routes = words.count(words.routes, outline.routes);
    let channels = words.count(words.channels, outline.channels);
    lines.say(fill(words.usable, &[&file, &outline.listen, &outline.upstream, &routes, &channels]));
    for (id, account) in &outline.accounts {
        lines.say(fill(words.channel_has, &[id, &what_it_has(account, words)]));
    }
    // What is written replaces the default, so it is said what counts then.
    for of in outline.accepted.iter().filter(|of| !of.is_default()) {
        lines.say(fill(words.counts_as_taken, &[&of.route, of]));
    }
    for warning in &outline.warnings {
        let space = if warning.place.is_some() { "" } else { " " };
        let warning = Warning { text: words.text(&warning.text), ..warning.clone() };
        lines.say(fill(words.warning, &[&format!("{file}:{space}{warning}")]));
    }
    if let (false, None) = (outline.unread_secrets.is_empty(), resolved) {
        lines.say(fill(words.not_read, &[&outline.unread_secrets.join(", ")]));
    }
    if let Some(resolved) = resolved {
        resolved.tell(&mut lines, words);
    }
    lines
}

fn account_value(account: &AccountOutline) -> Value {
    let verifier = |verifier: &Verifier| match verifier {
        Verifier::Named(serial) => Value::from(&**serial),
        Verifier::Unread => Value::Null,
        Verifier::Downloaded => Value::from("downloaded"),
    };
    let verifies_with: Vec<_> = account.verifies_with.iter().map(verifier).collect();
    json!({ "asked_by": account.asked_by, "reads": account.reads, "verifies_with": verifies_with })
}

/// `asked by wechat-v3, reads notifications of wechat-v3 and wechat-v2, verifies with PUB_KEY_ID_...`
fn what_it_has(account: &AccountOutline, words: &Words) -> String {
    let reads = match account.reads.as_slice() {
        [] => words.reads_none.to_owned(),
        presets => fill(words.reads, &[&presets.join(words.and)]),
    };
    let mut text = fill(words.asked_by, &[&account.asked_by, &reads]);
    let verifiers: Vec<_> = account
        .verifies_with
        .iter()
        .map(|verifier| match verifier {
            Verifier::Named(serial) => &**serial,
            Verifier::Unread => words.unread_key,
            Verifier::Downloaded => words.downloaded_certificates,
        })
        .collect();
    if !verifiers.is_empty() {
        text.push_str(&fill(words.verifies_with, &[&verifiers.join(words.and)]));
    }
    text
}
