//! `tollgate journal`: looking after the file or the database.

mod copy;

mod migrate;

use super::ConfigFile;
use super::print::{self, Lines};
use super::records;
use super::words::english;
use crate::admin::records::{EntryStory, Figures};
use crate::config::Outline;
use crate::domain::clock::rfc3339;
use crate::journal::{self, EntryId, Health, Search, State};
use serde::Serialize;
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
    /// Read the whole journal, file or database, and say what is wrong with it.
    #[command(
        after_help = "The gate may be running. If something is wrong: stop the gate, keep a copy of the file with its -wal, \
                      and see docs/operating.md.\n\nExit codes: 0 sound, 1 not sound, 2 wrong usage."
    )]
    Check(Check),
    /// Make the tables of a journal in a database (journal.url), or lead them to this version's layout.
    #[command(
        after_help = "Gates may be running, of this version and of the one before. With journal.migrate: auto a gate does the same \
                      when it starts.\n\nExit codes: 0 done or nothing to do, 1 failed, 2 wrong usage."
    )]
    Migrate(migrate::Args),
    /// Copy a journal that is a file into the database that journal.url names: every record, with the numbers that go on.
    #[command(
        after_help = "No gate may be running, neither with the file nor with the database; the tables are there already (tollgate \
                      journal migrate). The file stays as it is. Done again it adds only what is not there yet.\n\nExit codes: 0 \
                      both sides have the same, 1 they have not or it failed, 2 wrong usage."
    )]
    Copy(copy::Args),
}

#[derive(Debug, clap::Args)]
struct Export {
    /// Only what was received since: a duration like 2h or 3d, a day (today, yesterday, 2026-11-24), or a time like
    /// 2026-11-24T10:00:00+08:00.
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

/// Records read at once: a page holds up no write.
const PAGE: usize = 500;

/// Reads a state's name.
pub(super) fn state(name: &str) -> Result<State, String> {
    State::from_name(name).ok_or_else(|| format!("write {}", State::ALL.map(State::as_str).join(", ")))
}

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Export(args) => export(args).await,
        Command::Check(args) => check(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Copy(args) => copy::run(args).await,
    }
}

async fn export(args: &Export) -> anyhow::Result<ExitCode> {
    let archive = match records::open(&args.file.config).await? {
        Ok(archive) => archive,
        Err(problems) => return super::problems::print(&problems, false),
    };
    let mut search =
        Search { received_within: args.since, state: args.state, after: Some(EntryId(0)), ..Search::default() };
    loop {
        let page = archive.find(search, PAGE).await?;
        let Some(last) = page.last() else { return Ok(ExitCode::SUCCESS) };
        search.after = Some(last.entry);
        let mut out = std::io::BufWriter::new(print::out());
        for record in &page {
            writeln!(out, "{}", serde_json::to_string(&EntryStory::from(record))?)?;
        }
        out.flush()?;
    }
}

async fn check(args: &Check) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    let journal = records::settings(outline.journal.as_ref())?;
    let health = journal::check(journal).await?;
    print::print(args.json, &report(&health), &lines(journal, &health))?;
    Ok(if health.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is printed under `--json`.
#[derive(Serialize)]
struct Report<'h> {
    sound: bool,
    problems: &'h [String],
    version: usize,
    /// The gate's first whole day.
    gate_since: Option<String>,
    #[serde(flatten)]
    figures: Figures,
}

fn report(health: &Health) -> Report<'_> {
    let (problems, version) = (health.problems.as_slice(), health.version);
    let gate_since = gate_since(health);
    Report { sound: problems.is_empty(), problems, version, gate_since, figures: (&health.figures).into() }
}

/// The first whole day of the gate that the journal is of.
fn gate_since(health: &Health) -> Option<String> {
    health.made_at.and_then(journal::gate_since).map(|day| day.to_string())
}

fn lines(journal: &journal::Settings, health: &Health) -> Lines {
    let mut lines = Lines::default();
    let sound = if health.problems.is_empty() { "sound" } else { "NOT sound" };
    lines.say(format!("{journal}: {sound}, layout version {}", health.version));
    for problem in &health.problems {
        lines.say(format!("  {problem}"));
    }
    if let Some(day) = gate_since(health) {
        lines.item("gate since", format!("{day}, its first whole day in Beijing"));
    }
    for state in State::ALL {
        lines.item(state.as_str(), health.figures.in_state(state));
    }
    let (records, bytes) = (health.figures.unconfirmed, health.figures.unconfirmed_bytes);
    lines.item("unconfirmed", format!("{records}, their requests have {} KiB", bytes / 1024));
    lines.item("refused", health.figures.refused);
    tell_recovery(&mut lines, &health.figures);
    lines.item(
        "size",
        format!("{} KiB, {} KiB of it free", health.figures.bytes / 1024, health.figures.free_bytes / 1024),
    );
    lines
}

fn tell_recovery(lines: &mut Lines, figures: &journal::Figures) {
    let words = english();
    let oldest = figures.oldest_not_accepted.map(|oldest| format!(", the oldest for {}", words.duration(oldest)));
    lines.item("not accepted", format!("{} that are paid{}", figures.paid_not_accepted, oldest.unwrap_or_default()));
    lines.item("found", format!("{} by sweeps, {} by sources", figures.found_by_sweep, figures.found_by_pending));
    lines.item("paid twice", figures.second_payments);
    lines.item("paid late", figures.paid_after_close);
    for (mch_id, at) in &figures.last_sweeps {
        lines.item("swept", format!("merchant {mch_id} at {}", rfc3339(*at)));
    }
    if figures.sweeps_missing > 0 {
        lines.item(
            "not swept",
            format!(
                "{} that a schedule wanted: tollgate sweep --list",
                words.count("{} bill|{} bills", figures.sweeps_missing)
            ),
        );
    }
    if figures.rows_malformed > 0 {
        lines.item("unreadable", format!("{} rows of the latest bills: tollgate sweep --list", figures.rows_malformed));
    }
    for source in &figures.sources {
        let well = source.read_at.map_or_else(|| "never read".to_owned(), |at| format!("read at {}", rfc3339(at)));
        let ill = source.problem.as_ref().map(|problem| format!("; {problem}")).unwrap_or_default();
        lines.item(
            "source",
            format!(
                "{}: {well}, {}, {}{ill}",
                source.name,
                words.count(words.orders, source.orders),
                words.count("{} failure|{} failures", source.failures)
            ),
        );
    }
}
