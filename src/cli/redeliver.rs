//! `tollgate redeliver`: confirm again, deliver again. A running gate does it; without one this command does.

use super::ConfigFile;
use super::journal::state;
use super::print::{self, Lines};
use super::records;
use super::words::english;
use crate::admin::records::EntryStory;
use crate::admin::{needs, told};
use crate::app::{Services, recall};
use crate::config::{Config, Outline, parse_duration};
use crate::domain::clock::rfc3339;
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use crate::journal::overrides::{self, Needed, Override, Overrides, Redelivered, Redelivery};
use crate::journal::{self, Archive, EntryId, Record, Search, State};
use crate::process::shutdown::{Shutdown, Signals};
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
    after_help = "Each order is confirmed with WeChat Pay again and sent again, with the same X-Tollgate-Delivery; what is not \
                  paid is not sent. What was paid at another price than the order costs, was accepted before, or is a second \
                  payment is sent only with --override and --because, order by order; --since leaves it out, and says so. A \
                  running gate does it; without one this command does, and the follow-up of everything else that is due with \
                  it.\n\nExit codes: 0 the order system took all of them, 1 not all, or an override is needed, 2 wrong usage."
)]
pub(super) struct Args {
    /// The order: the legacy system's id, WeChat Pay's out_trade_no, or a transaction id.
    #[arg(value_name = "ORDER", required_unless_present = "since", conflicts_with = "since")]
    order: Option<OrderId>,

    /// Every order received since: a duration like 2h or 3d, a day (today, yesterday, 2026-11-24), or a time like
    /// 2026-11-24T10:00:00+08:00.
    #[arg(long, value_name = "TIME", value_parser = records::since)]
    since: Option<Duration>,

    /// Only those in this state, such as parked.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,

    /// Only on this channel.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<ChannelId>,

    /// What you decide against the rules, if this order needs it: amount (another one was paid than it costs), accepted
    /// (the order system took it before), second-payment.
    #[arg(
        long = "override", value_name = "WHAT", value_delimiter = ',', value_parser = decision, requires = "because",
        conflicts_with = "since"
    )]
    overrides: Vec<Override>,

    /// Why, in 4 to 200 characters; the audit trail keeps it.
    #[arg(long, value_name = "WHY", value_parser = overrides::because)]
    because: Option<String>,

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
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    let journal = records::settings(outline.journal.as_ref())?;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    if journal::is_worked_on(journal).await? {
        let archive = journal::open_beside(journal).await?;
        return redeliver(args, &*archive, &mut signals).await;
    }
    let config = match Config::load(&args.file.config) {
        Ok(config) => config,
        Err(problems) => return super::problems::print(&problems, args.json),
    };
    // So that a journal that was never there is said so, and not made.
    drop(journal::open_beside(journal).await?);
    let services = Services::build(Config { traces: None, ..config }, Arc::default()).await?;
    let (Some(follow_up), Some(journal)) = (services.follow_up, &services.housekeeping.journal) else {
        bail!("there is no journal")
    };
    let archive = Arc::clone(&journal.archive);
    recall(services.pending.as_deref()).await;
    let shutdown = Shutdown::new();
    shutdown.spawn(follow_up.run(shutdown.clone()));
    let code = redeliver(args, &*archive, &mut signals).await;
    shutdown.drain(Duration::from_secs(10), signals.next()).await;
    // A disk that hangs does not keep this process.
    let _ = tokio::time::timeout(WRITTEN_OUT, services.gate.records.flush()).await;
    code
}

async fn redeliver(args: &Args, archive: &dyn Archive, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    let Redelivered { entries, held, unneeded, .. } = ask(args, archive).await?;
    // What is needed says more than what is not.
    if let Some(order) = args.order.filter(|_| !held.is_empty()) {
        return refuse(args, &order, &held);
    }
    if !unneeded.is_empty() {
        bail!("--override {unneeded} is not needed: nothing was done");
    }
    if entries.is_empty() {
        let what = args.order.map_or_else(|| "that time and state".to_owned(), |order| order.to_string());
        let left_out = if held.is_empty() { String::new() } else { format!("; {}", left_out(&held)) };
        bail!("the journal has nothing to deliver for {what}{left_out}; `tollgate explain` says what it knows");
    }
    let on_terminal = std::io::stderr().is_terminal();
    let mut watch = Watch { waiting: entries, done: Vec::new(), left_out: held, on_terminal };
    let deadline = Instant::now() + args.wait;
    while !watch.waiting.is_empty() && Instant::now() < deadline {
        tokio::select! {
            () = signals.next() => break,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        watch.look(archive).await?;
        watch.show_progress();
    }
    watch.end_progress();
    print::print(args.json, &watch.value(), &watch.lines())?;
    let all = watch.waiting.is_empty() && watch.done.iter().all(|record| record.state == State::Accepted);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes everything due that was asked for. Of one order everything is done or nothing; of many those are left out that
/// a person has to decide about.
async fn ask(args: &Args, archive: &dyn Archive) -> anyhow::Result<Redelivered> {
    let mut search = Search {
        order: args.order,
        channel: args.channel,
        received_within: args.since,
        state: args.state,
        after: Some(EntryId(0)),
        ..Search::default()
    };
    let given: Overrides = args.overrides.iter().copied().collect();
    let leave_out = args.order.is_none();
    let mut all = Redelivered::default();
    loop {
        let because = args.because.clone();
        let wanted = Redelivery { search, limit: PAGE, given, because, leave_out, by: records::by() };
        let page = archive.redeliver(wanted).await?;
        all.entries.extend(page.entries);
        all.held.extend(page.held);
        all.unneeded = page.unneeded;
        match page.last {
            Some(last) if leave_out => search.after = Some(last),
            _ => return Ok(all),
        }
    }
}

/// Names what a person has to decide, with both amounts, and how.
fn refuse(args: &Args, order: &OrderId, held: &[Needed]) -> anyhow::Result<ExitCode> {
    let needs = needs(held);
    if args.json {
        let held: Vec<_> = held.iter().map(shown).collect();
        print::json(&json!({ "reason": Reason::OverrideNeeded.code(), "needs": words(needs), "held": held }))?;
        return Ok(ExitCode::FAILURE);
    }
    let lines: Vec<String> = held
        .iter()
        .map(|one| format!("{} on {}: {}", one.order, one.channel, told(std::slice::from_ref(one))))
        .collect();
    let option: String = words(needs).iter().map(|word| format!(" --override {word}")).collect();
    bail!(
        "nothing was done, since you have to decide it:\n  {}\nif it is to be sent all the same: tollgate redeliver \
         {order}{option} --because \"...\"",
        lines.join("\n  ")
    )
}

fn shown(one: &Needed) -> Value {
    json!({
        "entry": one.entry.0,
        "channel": one.channel.to_string(),
        "order": one.order.to_string(),
        "needs": words(one.needs),
        "paid": one.paid.map(|paid| paid.fen.0),
        "expected": one.price.as_ref().map(|price| price.amount.fen.0),
    })
}

fn decision(name: &str) -> Result<Override, &'static str> {
    Override::from_name(name).ok_or("it is amount, accepted or second-payment")
}

fn words(overrides: Overrides) -> Vec<&'static str> {
    overrides.iter().map(Override::as_str).collect()
}

/// `2 left out, which you have to decide one by one (amount 1, accepted 1)`.
fn left_out(held: &[Needed]) -> String {
    let count = |one: Override| held.iter().filter(|held| held.needs.has(one)).count();
    let counts = Override::ALL.map(|one| (one, count(one))).into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(one, count)| format!("{} {count}", one.as_str())).collect();
    format!("{} left out, which you have to decide one by one ({})", held.len(), counts.join(", "))
}

fn is_being_sent(record: &Record) -> bool {
    record.attempt_log.last().is_some_and(|sending| sending.ended_at.is_none())
}

/// What came of it, for one that was not accepted: what the order system said, if it was asked.
fn outcome(record: &Record) -> String {
    if let (Some(Reason::WindowOver), Some(at)) = (record.reason, record.due_at) {
        let code = Reason::WindowOver.code();
        return format!(
            "not sent ({code}): WeChat Pay's next notification is delivered; parked at {} if none comes",
            rfc3339(at)
        );
    }
    let last = record.attempt_log.last().filter(|last| record.state == State::Delivering && !last.accepted);
    let again = record.due_at.map(|at| format!("; sent again at {}", rfc3339(at))).unwrap_or_default();
    match last.map(|last| (last.status, last.reason)) {
        Some((Some(status), _)) => format!("answered {status}, which is not accepted{again}"),
        Some((None, Some(reason))) => format!("no answer ({reason}){again}"),
        _ => format!("{} ({})", record.state, record.reason.map_or("not known", |reason| reason.code())),
    }
}

/// What is waited for, and what has come of the rest.
struct Watch {
    waiting: Vec<EntryId>,
    done: Vec<Record>,
    /// What a person has to decide about.
    left_out: Vec<Needed>,
    on_terminal: bool,
}

impl Watch {
    async fn look(&mut self, archive: &dyn Archive) -> anyhow::Result<()> {
        for entry in self.waiting.iter().take(LOOK_AT).copied().collect::<Vec<_>>() {
            let found = archive.find(Search { entry: Some(entry), ..Search::default() }, 1).await?;
            match found.into_iter().next() {
                Some(record) if record.due_at.is_some() && (record.retries == 0 || is_being_sent(&record)) => {}
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
            // Progress that cannot be printed is no failure.
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
            "left_out": { Reason::OverrideNeeded.code(): self.left_out.len() },
            "entries": self.done.iter().map(EntryStory::from).collect::<Vec<_>>(),
        })
    }

    fn lines(&self) -> Lines {
        let mut lines = Lines::default();
        lines.say(self.summary());
        for record in self.done.iter().filter(|record| record.state != State::Accepted) {
            lines.say(format!("  {} on {}: {}", record.claimed.order, record.claimed.channel, outcome(record)));
            if record.is_without_request() {
                lines.say(format!("    its request is {}", english().not_kept));
            }
        }
        if !self.left_out.is_empty() {
            lines.say(format!("{}: tollgate redeliver ORDER --override WHAT --because WHY", left_out(&self.left_out)));
        }
        if !self.waiting.is_empty() {
            lines.say("What was not tried yet goes on when, and as long as, the gate runs.");
        }
        lines
    }
}
