//! `tollgate check`: is this configuration usable?

mod resolve;

use super::ConfigFile;
use super::print::{self, Lines};
use super::problems;
use super::words::{fill, words};
use crate::config::{Config, Outline, Warning};
use resolve::{Resolved, resolve};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --resolve, secrets (${NAME} or ${file:PATH} as a key or token) are not read, so that a file can be checked where
they are not. The files of tls.cert and tls.key must be there and readable.

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
