//! `tollgate redeliver`: confirm again, deliver again. A running gate does it; without one this command does.

use super::ConfigFile;
use super::explain::NOT_KEPT;
use super::journal::state;
use super::print::{self, Lines};
use super::records;
use crate::admin::records::EntryStory;
use crate::app::{Works, recall};
use crate::config::{Config, Outline, parse_duration};
use crate::journal::sqlite::Sqlite;
use crate::journal::{Act, EntryId, Journal, Record, Search, State};
use crate::order::{ChannelId, OrderId};
use crate::shutdown::{Shutdown, Signals};
use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The command's arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Each order is confirmed with WeChat Pay again and sent again, with the same X-Tollgate-Delivery, whatever \
                  became of it before; what is not paid is not sent. A running gate does it; without one this command does, \
                  and the follow-up of everything else that is due with it.\n\nExit codes: 0 the order system took all of \
                  them, 1 not all, 2 wrong usage."
)]
pub(super) struct Args {
    /// The order: the legacy system's id, WeChat Pay's out_trade_no, or a transaction id.
    #[arg(value_name = "ORDER", required_unless_present = "since", conflicts_with = "since")]
    order: Option<OrderId>,

    /// Every order received since: a duration like 2h or 3d, or a time like 2026-11-24T10:00:00+08:00.
    #[arg(long, value_name = "TIME", value_parser = records::since)]
    since: Option<Duration>,

    /// Only those in this state, such as parked.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,

    /// Only on this channel.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<ChannelId>,

    /// How long to wait for the outcome; what is not done then goes on.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "5m")]
    wait: Duration,

    #[command(flatten)]
    file: ConfigFile,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Entries asked for at once.
const PAGE: usize = 500;

/// How long the end waits for the journal.
const WRITTEN_OUT: Duration = Duration::from_secs(5);

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Entries looked at each time.
const LOOK_AT: usize = 200;

pub(super) async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&args.file.config) {
        Ok(outline) => outline,
        Err(problems) => return super::check::show(&problems, args.json),
    };
    let path = records::file(outline.journal.as_ref())?.path.clone();
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    if Sqlite::is_in_use(&path) {
        let journal = Sqlite::beside(&path)?;
        return redeliver(args, &journal, &mut signals).await;
    }
    let config = match Config::load(&args.file.config) {
        Ok(config) => config,
        Err(problems) => return super::check::show(&problems, args.json),
    };
    // So that a journal that was never there is said so, and not made.
    drop(Sqlite::beside(&path)?);
    let works = Works::build(Config { traces: None, ..config }, Arc::default())?;
    let Some(follow_up) = works.follow_up else { bail!("there is no journal") };
    recall(works.pending.as_deref()).await;
    let shutdown = Shutdown::new();
    let journal = Arc::clone(&follow_up.journal);
    shutdown.spawn(follow_up.run(shutdown.clone()));
    let code = redeliver(args, &*journal, &mut signals).await;
    shutdown.drain(Duration::from_secs(10), signals.next()).await;
    // A disk that hangs keeps nobody here.
    let _ = tokio::time::timeout(WRITTEN_OUT, works.gate.records.written()).await;
    code
}

async fn redeliver(args: &Args, journal: &dyn Journal, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    let asked_for = ask(args, journal).await?;
    if asked_for.is_empty() {
        let what = args.order.map_or_else(|| "that time and state".to_owned(), |order| order.to_string());
        bail!("the journal has nothing to deliver for {what}; `tollgate explain` says what it knows");
    }
    let mut watch = Watch { waiting: asked_for, done: Vec::new(), on_terminal: std::io::stderr().is_terminal() };
    let deadline = Instant::now() + args.wait;
    while !watch.waiting.is_empty() && Instant::now() < deadline {
        tokio::select! {
            () = signals.next() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        watch.look(journal).await?;
        watch.show_progress();
    }
    watch.end_progress();
    print::print(args.json, &watch.value(), &watch.lines())?;
    let all = watch.waiting.is_empty() && watch.done.iter().all(|record| record.state == State::Accepted);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes everything due that was asked for.
async fn ask(args: &Args, journal: &dyn Journal) -> anyhow::Result<Vec<EntryId>> {
    let mut search = Search {
        order: args.order,
        channel: args.channel,
        received_within: args.since,
        state: args.state,
        after: Some(EntryId(0)),
        ..Search::default()
    };
    let mut all = Vec::new();
    loop {
        let page = journal.act(Act::Redeliver, search, PAGE, records::by()).await?;
        let Some(last) = page.last() else { return Ok(all) };
        search.after = Some(*last);
        all.extend(page);
    }
}

fn is_being_sent(record: &Record) -> bool {
    record.sendings.last().is_some_and(|sending| sending.ended_at.is_none())
}

/// What is waited for, and what has come of the rest.
struct Watch {
    waiting: Vec<EntryId>,
    done: Vec<Record>,
    on_terminal: bool,
}

impl Watch {
    async fn look(&mut self, journal: &dyn Journal) -> anyhow::Result<()> {
        for entry in self.waiting.iter().take(LOOK_AT).copied().collect::<Vec<_>>() {
            let found = journal.find(Search { entry: Some(entry), ..Search::default() }, 1).await?;
            match found.into_iter().next() {
                Some(record) if record.due_at.is_some() && (record.tries == 0 || is_being_sent(&record)) => {}
                record => {
                    self.done.extend(record);
                    self.waiting.retain(|waiting| *waiting != entry);
                }
            }
        }
        // Those at the front must not hide the others.
        let most = LOOK_AT.min(self.waiting.len());
        self.waiting.rotate_left(most);
        Ok(())
    }

    fn count(&self, state: State) -> usize {
        self.done.iter().filter(|record| record.state == state).count()
    }

    fn summary(&self) -> String {
        let all = self.waiting.len() + self.done.len();
        let (accepted, parked, closed) =
            (self.count(State::Accepted), self.count(State::Parked), self.count(State::Closed));
        let again = self.done.len() - accepted - parked - closed;
        format!(
            "{all} asked for: {accepted} accepted, {again} tried and due again, {parked} parked, {closed} closed, {} not yet tried",
            self.waiting.len()
        )
    }

    fn show_progress(&self) {
        if self.on_terminal {
            // Progress that nobody sees is no failure.
            let _ = write!(std::io::stderr(), "\r{}\x1b[K", self.summary());
        }
    }

    fn end_progress(&self) {
        if self.on_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn value(&self) -> Value {
        json!({
            "asked_for": self.waiting.len() + self.done.len(),
            "accepted": self.count(State::Accepted),
            "parked": self.count(State::Parked),
            "closed": self.count(State::Closed),
            "due_again": self.count(State::Asking) + self.count(State::Delivering),
            "not_yet_tried": self.waiting.len(),
            "entries": self.done.iter().map(EntryStory::from).collect::<Vec<_>>(),
        })
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        lines.say(self.summary());
        for record in self.done.iter().filter(|record| record.state != State::Accepted) {
            let why = record.reason.map_or("not known", |reason| reason.code());
            lines.say(format!("  {} on {}: {} ({why})", record.claimed.order, record.claimed.channel, record.state));
            if record.is_without_request() {
                lines.say(format!("    its request is {NOT_KEPT}"));
            }
        }
        if !self.waiting.is_empty() {
            lines.say("What was not tried yet goes on when, and as long as, the gate runs.");
        }
        lines
    }
}
