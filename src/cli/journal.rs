//! `tollgate journal`: looking after the file.

use super::ConfigFile;
use super::print::{self, Lines};
use super::records;
use crate::config::Outline;
use crate::journal::listed::SourceHealth;
use crate::journal::sqlite::{Health, check};
use crate::journal::{EntryId, Figures, Journal, Search, State};
use serde_json::{Value, json};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// The command's arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print every record as JSON, one a line, oldest first; without the content of the callbacks.
    #[command(after_help = "The gate may be running.\n\nExit codes: 0 done, 1 failed, 2 wrong usage.")]
    Export(Export),
    /// Read the whole file and say what is wrong with it.
    #[command(
        after_help = "The gate may be running. If something is wrong: stop the gate, keep a copy of the file with its -wal, \
                      and see docs/operating.md.\n\nExit codes: 0 sound, 1 not sound, 2 wrong usage."
    )]
    Check(Check),
}

#[derive(Debug, clap::Args)]
struct Export {
    /// Only what was received since: a duration like 2h or 3d, or a time like 2026-11-24T10:00:00+08:00.
    #[arg(long, value_name = "TIME", value_parser = records::since)]
    since: Option<Duration>,

    /// Only what is in this state.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,

    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    file: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Records read at once: a page holds nobody up.
const PAGE: usize = 500;

/// Reads a state's name.
pub(super) fn state(name: &str) -> Result<State, String> {
    State::from_name(name).ok_or_else(|| format!("write {}", State::ALL.map(State::as_str).join(", ")))
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Export(args) => export(args).await,
        Command::Check(args) => check_file(args),
    }
}

async fn export(args: &Export) -> anyhow::Result<ExitCode> {
    let journal = match records::open(&args.file.config)? {
        Ok(journal) => journal,
        Err(problems) => return super::check::show(&problems, false),
    };
    let mut search =
        Search { received_within: args.since, state: args.state, after: Some(EntryId(0)), ..Search::default() };
    loop {
        let page = journal.find(search, PAGE).await?;
        let Some(last) = page.last() else { return Ok(ExitCode::SUCCESS) };
        search.after = Some(last.entry);
        let mut out = std::io::stdout().lock();
        for record in &page {
            writeln!(out, "{}", records::record(record))?;
        }
    }
}

fn check_file(args: &Check) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(problems) => return super::check::show(&problems, args.json),
    };
    let journal = records::file(outline.journal.as_ref())?;
    let health = check(&journal.path)?;
    print::print(args.json, &value(&health), &lines(&journal.path.display().to_string(), &health))?;
    Ok(if health.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn value(health: &Health) -> Value {
    let last_sweeps = health.figures.last_sweeps.iter();
    let last_sweeps = last_sweeps.map(|(mch_id, at)| (mch_id.to_string(), json!(records::show(*at))));
    let by_state = |state: State| (state.as_str().to_owned(), json!(health.figures.in_state(state)));
    json!({
        "sound": health.problems.is_empty(),
        "problems": health.problems,
        "version": health.version,
        "entries": State::ALL.into_iter().map(by_state).collect::<serde_json::Map<_, _>>(),
        "unconfirmed": health.figures.unconfirmed,
        "refused": health.figures.refused,
        "paid_not_accepted": health.figures.paid_not_accepted,
        "oldest_not_accepted_s": health.figures.oldest_not_accepted.map(|oldest| oldest.as_secs()),
        "found_by_sweep": health.figures.found_by_sweep,
        "found_by_pending": health.figures.found_by_pending,
        "second_payments": health.figures.second_payments,
        "paid_after_close": health.figures.paid_after_close,
        "last_sweeps": last_sweeps.collect::<serde_json::Map<_, _>>(),
        "sweeps_missing": health.figures.sweeps_missing,
        "sources": health.figures.sources.iter().map(source).collect::<Vec<_>>(),
        "bytes": health.figures.bytes,
        "free_bytes": health.figures.free_bytes,
    })
}

fn lines(path: &str, health: &Health) -> Lines {
    let mut lines = Lines::default();
    let sound = if health.problems.is_empty() { "sound" } else { "NOT sound" };
    lines.say(format!("{path}: {sound}, layout version {}", health.version));
    for problem in &health.problems {
        lines.say(format!("  {problem}"));
    }
    for state in State::ALL {
        lines.item(state.as_str(), health.figures.in_state(state));
    }
    lines.item("unconfirmed", health.figures.unconfirmed);
    lines.item("refused", health.figures.refused);
    tell_recovery(&mut lines, &health.figures);
    lines.item(
        "size",
        format!("{} KiB, {} KiB of it free", health.figures.bytes / 1024, health.figures.free_bytes / 1024),
    );
    lines
}

fn tell_recovery(lines: &mut Lines, figures: &Figures) {
    let oldest = figures.oldest_not_accepted.map(|oldest| format!(", the oldest for {} s", oldest.as_secs()));
    lines.item("not accepted", format!("{} that are paid{}", figures.paid_not_accepted, oldest.unwrap_or_default()));
    lines.item("found", format!("{} by sweeps, {} by sources", figures.found_by_sweep, figures.found_by_pending));
    lines.item("paid twice", figures.second_payments);
    lines.item("paid late", figures.paid_after_close);
    for (mch_id, at) in &figures.last_sweeps {
        lines.item("swept", format!("merchant {mch_id} at {}", records::show(*at)));
    }
    if figures.sweeps_missing > 0 {
        lines.item(
            "not swept",
            format!("{} bills that a schedule wanted: tollgate sweep --list", figures.sweeps_missing),
        );
    }
    for source in &figures.sources {
        let well =
            source.read_at.map_or_else(|| "never read".to_owned(), |at| format!("read at {}", records::show(at)));
        let ill = source.problem.as_ref().map(|problem| format!("; {problem}")).unwrap_or_default();
        lines.item(
            "source",
            format!("{}: {well}, {} orders, {} failures{ill}", source.name, source.orders, source.failures),
        );
    }
}

fn source(health: &SourceHealth) -> Value {
    json!({
        "name": health.name,
        "read_at": health.read_at.map(records::show),
        "failed_at": health.failed_at.map(records::show),
        "failures": health.failures,
        "problem": health.problem,
        "orders": health.orders,
        "malformed": health.malformed,
    })
}
