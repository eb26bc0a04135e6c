//! `tollgate sweep`, or `tollgate reconcile`: find paid orders without an accepted delivery in WeChat Pay's bill, and
//! deliver them. A running gate does it; without one this command does.

mod report;

use super::ConfigFile;
use super::print::{self, Lines};
use super::records;
use super::words::{fill, words};
use crate::app::{Services, recall};
use crate::config::{Config, Outline, parse_duration};
use crate::domain::clock;
use crate::domain::order::{ChannelId, MerchantId};
use crate::journal::audit::Action;
use crate::journal::sweeps::{Progress, SweepId, Wanted};
use crate::journal::{self, Archive, Audit, gate_since};
use crate::process::shutdown::{Shutdown, Signals};
use anyhow::{Context, bail};
use jiff::ToSpan;
use jiff::civil::Date;
use report::Report;
use serde_json::{Map, Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("what").required(true).args(["date", "list", "report"])),
    after_help = "A bill is there from about 10:00 Beijing time of the next day, and for three months. Every payment in it that \
                  the order system has not accepted is asked about with WeChat Pay, and delivered by the channel's \
                  sweep.route if that confirms it; refunded ones follow on_refunded. What was accepted before is not sent \
                  again, so a sweep can be repeated. A running gate does it; without one this command does.\n\nTry \
                  --dry-run first where the order system got its callbacks without the gate on that day: those orders were \
                  never accepted by way of the gate. It says how many of the days are before the gate's first whole one, and at \
                  a terminal it asks.\n\nExit codes: 0 the bill was compared and every order found is \
                  delivered, parked or closed; 1 something is left to do or went wrong, also where a row of the bill \
                  cannot be read or nobody has named its order; 2 wrong usage."
)]
pub(super) struct Args {
    /// The channel, by its name in the configuration; it needs a sweep there.
    #[arg(long, value_name = "CHANNEL", required_unless_present_any = ["list", "report"])]
    channel: Option<ChannelId>,

    /// The bill's day, Beijing time: like 2026-11-22, or yesterday.
    #[arg(long, value_name = "DATE", value_parser = records::date)]
    date: Option<Date>,

    /// The last day, to sweep several.
    #[arg(long, value_name = "DATE", requires = "date", value_parser = records::date)]
    to: Option<Date>,

    /// Only say what is found; nothing is asked or delivered.
    #[arg(long, requires = "date")]
    dry_run: bool,

    /// Show the latest sweeps, also those of the schedule.
    #[arg(long)]
    list: bool,

    /// Show one sweep as it stands now, with the rows behind its numbers.
    #[arg(long, value_name = "NUMBER")]
    report: Option<i64>,

    /// How long to wait for the outcome; what is not done then goes on while the gate runs.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "10m")]
    wait: Duration,

    #[command(flatten)]
    file: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long the end waits for the journal.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

/// Sweeps that are listed.
const LISTED: usize = 20;

/// Most days at once: as many as WeChat Pay has.
const MOST_DAYS: usize = 93;

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    let journal = records::settings(outline.journal.as_ref())?;
    if args.list || args.report.is_some() {
        return look(args, &*journal::open_beside(journal).await?).await;
    }
    let (mch_id, dates) = wanted(args, &outline)?;
    let early = early(journal, &dates).await;
    if !agrees(args, &early)? {
        return Ok(ExitCode::FAILURE);
    }
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    if journal::is_worked_on(journal).await? {
        let archive = journal::open_beside(journal).await?;
        return sweep(args, mch_id, &dates, &*archive, &mut signals).await;
    }
    let config = match Config::load(&args.file.config) {
        Ok(config) => config,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    // So that a journal that was never there is said so, and not made: it would know of nothing that was accepted.
    drop(journal::open_beside(journal).await?);
    let services = Services::build(Config { traces: None, ..config }, Arc::default()).await?;
    let (Some(follow_up), Some(sweeper)) = (services.follow_up, services.sweeper) else { bail!("there is no journal") };
    let archive = Arc::clone(&sweeper.journal.archive);
    let shutdown = Shutdown::new();
    recall(services.pending.as_deref()).await;
    shutdown.spawn(follow_up.run(shutdown.clone()));
    shutdown.spawn(sweeper.run_wanted(shutdown.clone()));
    let code = sweep(args, mch_id, &dates, &*archive, &mut signals).await;
    shutdown.drain(Duration::from_secs(10), signals.next()).await;
    // A disk that hangs does not keep this process.
    let _ = tokio::time::timeout(WRITTEN_OUT, services.gate.records.flush()).await;
    code
}

/// The days that the gate was not there for as a whole, and its first one.
struct Early {
    days: usize,
    /// Of so many.
    all: usize,
    gate_since: Option<Date>,
}

async fn early(journal: &journal::Settings, dates: &[Date]) -> Early {
    let gate_since = journal::made_at(journal).await.and_then(gate_since);
    let days = dates.iter().filter(|date| gate_since.is_some_and(|since| **date < since)).count();
    Early { days, all: dates.len(), gate_since }
}

/// Says on standard error what may be sent again, and asks whoever sits at a terminal.
fn agrees(args: &Args, early: &Early) -> anyhow::Result<bool> {
    let (Some(since), false, true) = (early.gate_since, args.dry_run, early.days > 0) else { return Ok(true) };
    let words = words();
    let all = words.count(words.day_count, early.all);
    let mut out = std::io::stderr().lock();
    writeln!(out, "{}", fill(words.early_days, &[&since, &early.days, &all]))?;
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Ok(true);
    }
    write!(out, "{} ", words.send_it)?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Whose bill, and of which days.
fn wanted(args: &Args, outline: &Outline) -> anyhow::Result<(MerchantId, Vec<Date>)> {
    let (Some(channel), Some(from)) = (args.channel, args.date) else { bail!("name --channel and --date") };
    let Some((_, mch_id)) = outline.sweeps.iter().find(|(swept, _)| *swept == channel) else {
        let known: Vec<_> = outline.sweeps.iter().map(|(channel, _)| channel.to_string()).collect();
        let known = if known.is_empty() { "none has".to_owned() } else { format!("these have: {}", known.join(", ")) };
        bail!(
            "no channel {channel} with a sweep in {}; {known}. Add `sweep: {{ route: NAME }}` to the channel: the route to \
             deliver to, which needs `synthesize`",
            args.file.config.display()
        );
    };
    let to = args.to.unwrap_or(from);
    let today = clock::beijing(clock::now()).date();
    if from > to || to > today {
        bail!("write --date and --to in order, and no day that is still to come: it is {today} in Beijing");
    }
    let dates: Vec<_> = from.series(1.day()).take_while(|date| *date <= to).take(MOST_DAYS + 1).collect();
    if dates.len() > MOST_DAYS {
        bail!("WeChat Pay keeps bills for three months; name fewer days");
    }
    Ok((*mch_id, dates))
}

async fn sweep(
    args: &Args,
    mch_id: MerchantId,
    dates: &[Date],
    archive: &dyn Archive,
    signals: &mut Signals,
) -> anyhow::Result<ExitCode> {
    let deadline = Instant::now() + args.wait;
    let mut ids = Vec::new();
    for date in dates {
        let channels = args.channel.into_iter().collect();
        let wanted = Wanted { mch_id, bill_date: *date, channels, due_on: None, dry_run: args.dry_run };
        let id = archive.want_sweep(wanted).await?;
        if !args.dry_run {
            archive.audit(line(args, *date, id)).await?;
        }
        ids.push(id);
    }
    let on_terminal = std::io::stderr().is_terminal();
    let mut reports = Vec::new();
    let mut interrupted = false;
    for (place, id) in ids.iter().enumerate() {
        loop {
            let began = Instant::now();
            let report = read(archive, *id).await?;
            // Reading a million orders takes a while, and is not to be all that is done.
            let pause = LOOK_EVERY.max(began.elapsed() * 4);
            if on_terminal {
                // Progress that cannot be printed is no failure.
                let _ = write!(std::io::stderr(), "\r[{}/{}] {}\x1b[K", place + 1, ids.len(), report.progress());
            }
            if interrupted || report.is_settled() || Instant::now() >= deadline {
                break reports.push(report);
            }
            tokio::select! {
                () = signals.next() => interrupted = true,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
    if on_terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    for report in &mut reports {
        report.read_rows(archive).await?;
    }
    show(args, &reports)?;
    Ok(if reports.iter().all(Report::is_done) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the audit trail has of it.
fn line(args: &Args, date: Date, id: SweepId) -> Audit {
    Audit {
        by: records::by(),
        action: Action::Sweep,
        channel: args.channel,
        order: None,
        entries: Vec::new(),
        outcome: Some(format!("bill of {date}: sweep {}", id.0)),
        because: None,
    }
}

/// Shows what is kept of sweeps.
async fn look(args: &Args, archive: &dyn Archive) -> anyhow::Result<ExitCode> {
    let ids: Vec<SweepId> = match args.report {
        Some(number) => vec![SweepId(number)],
        None => archive.sweeps(None, LISTED).await?.iter().map(|sweep| sweep.id).collect(),
    };
    let mut reports = Vec::new();
    for id in ids {
        let mut report = read(archive, id).await?;
        if args.report.is_some() {
            report.read_rows(archive).await?;
        }
        reports.push(report);
    }
    show(args, &reports)?;
    Ok(ExitCode::SUCCESS)
}

async fn read(archive: &dyn Archive, id: SweepId) -> anyhow::Result<Report> {
    let sweep = archive.sweep(id).await?;
    let sweep = sweep.with_context(|| format!("there is no sweep {}; `tollgate sweep --list` shows them", id.0))?;
    // Before, they change with each query.
    let outcomes = if sweep.state == Progress::Done { archive.sweep_outcomes(id).await? } else { Vec::new() };
    Ok(Report::new(sweep, outcomes))
}

fn show(args: &Args, reports: &[Report]) -> anyhow::Result<()> {
    let mut lines = Lines::default();
    if reports.is_empty() {
        lines.say(words().no_sweep_yet);
    }
    reports.iter().for_each(|report| report.tell(&mut lines));
    let sweeps = reports.iter().map(Report::value).collect::<Result<Vec<_>, _>>()?;
    // The sums, for whoever asks about several days at once.
    let sum = |name: &str| sweeps.iter().filter_map(|sweep| sweep.get(name)?.as_u64()).sum::<u64>();
    let sums = report::SUMMED.into_iter().map(|name| (name.to_owned(), json!(sum(name))));
    let value: Map<_, _> = sums.chain([("sweeps".to_owned(), json!(sweeps))]).collect();
    print::print(args.json, &Value::Object(value), &lines)?;
    Ok(())
}
