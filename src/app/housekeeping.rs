//! What is done from time to time, so that nothing grows: quiet senders are forgotten, counts are written down, and
//! what was kept long enough is removed from the journal in small steps.

use crate::app::sharing::Sharing;
use crate::domain::clock;
use crate::domain::clock::steady::{HOLD, Look};
use crate::gate::Gate;
use crate::gate::familiar::Appearance;
use crate::journal::{Duty, Figures, Journal, Keep, State};
use futures_util::future::join_all;
use jiff::SignedDuration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// Cleans up.
#[derive(Debug)]
pub struct Housekeeping {
    /// Whose senders and counts.
    pub gate: Arc<Gate>,
    /// What is cleaned.
    pub journal: Option<Journal>,
    /// How long finished callbacks are kept, and what is in them.
    pub keep: Keep,
    /// Whether this goes on with what another one did before.
    pub goes_on: bool,
    /// Whether it is known what was before this process.
    pub is_recalled: AtomicBool,
    /// What is spent together with other gates.
    pub(super) sharing: Option<Sharing>,
}

/// How many confirmed callbacks of each channel tell at the start what others look like.
const FAMILIAR: usize = 200;

/// How often counts are written down.
const LEVEL_EVERY: Duration = Duration::from_secs(1);

/// How often accounts do what is due.
const TEND_EVERY: Duration = Duration::from_secs(60);

/// Every so many times, quiet senders are forgotten and the journal is cleaned; more often where something is kept for
/// less.
const CLEAN_EVERY: u32 = 60;

/// Every so many times, the journal is told that there is a gate.
const BEAT_EVERY: u32 = 60;

/// Every so many times, the journal's figures are told.
const TELL_EVERY: u32 = 3600;

/// How many rows a step removes at most: a callback that is to be taken in waits for no more than one step.
const STEP: usize = 16;

/// And where nobody waits for it, since the journal is not on this machine.
const STEP_AWAY: usize = 500;

/// For how many times as long as a step took there is none after it, so that a busy journal is cleaned more slowly.
const RESTS: u32 = 2;

impl Housekeeping {
    /// Cleans up until it is dropped.
    pub async fn run(self: Arc<Self>) {
        tokio::join!(
            self.clean_up(),
            self.count(),
            self.keep_minutes(),
            self.watch_the_clock(),
            self.tend_accounts(),
            self.share(),
            self.recall_at_last()
        );
    }

    /// What happened in each minute before this process began, and what callbacks look like that were confirmed.
    pub(super) async fn recall(&self) {
        let Some(journal) = &self.journal else { return };
        let (minutes, confirmed) = (journal.archive.minutes().await, journal.archive.confirmed(FAMILIAR).await);
        if journal.shared.is_some() && (minutes.is_err() || confirmed.is_err()) {
            return;
        }
        if let Ok(minutes) = minutes {
            self.gate.metrics.remember(minutes);
        }
        let confirmed = confirmed.unwrap_or_default();
        for appearance in confirmed.iter().rev().filter_map(|callback| Appearance::of(callback, &self.gate.senders)) {
            self.gate.familiar.remember(&appearance);
        }
        self.is_recalled.store(true, Ordering::Relaxed);
    }

    /// If a database did not answer at the start, once it does.
    async fn recall_at_last(&self) {
        if self.journal.is_none() {
            return;
        }
        while !self.is_recalled.load(Ordering::Relaxed) {
            tokio::time::sleep(LEVEL_EVERY).await;
            self.recall().await;
        }
    }

    async fn share(&self) {
        if let Some(sharing) = &self.sharing {
            sharing.run().await;
        }
    }

    /// Writes down what happened in each minute.
    async fn keep_minutes(&self) {
        let mut ticks = tokio::time::interval(LEVEL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let (Some(minute), Some(journal)) = (self.gate.metrics.end_minute(false), &self.journal) {
                // While the disk fails the picture has a gap after a restart.
                let _ = journal.queue.keep_minute(minute).await;
            }
        }
    }

    /// Lets each account do what is due. One that hangs holds up no other, and nothing waits for any of them.
    async fn tend_accounts(&self) {
        let mut ticks = tokio::time::interval(TEND_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            join_all(self.gate.channels.iter().map(|channel| channel.account.tend())).await;
        }
    }

    /// Tells what becomes of the system's clock, and believes it again.
    async fn watch_the_clock(&self) {
        let mut ticks = tokio::time::interval(LEVEL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Opening the journal was the first beat.
        for tick in (1..=BEAT_EVERY).cycle() {
            ticks.tick().await;
            if tick == BEAT_EVERY {
                self.beat().await;
            }
            match clock::look() {
                Look::AsBefore => {}
                Look::Jumped(by) => {
                    let (now, hold_s) = (clock::rfc3339_beijing(clock::now()), HOLD.as_secs());
                    tracing::warn!(
                        by_s = by.as_secs(),
                        hold_s,
                        %now,
                        "the system's clock has jumped and is not believed: time is counted on without it; it is believed when \
                         it has held for hold_s. Is NTP running?"
                    );
                }
                Look::Returned => {
                    tracing::warn!("the system's clock is back and is believed again; nothing was lost by it")
                }
                Look::Held(by) => self.believe_the_clock(by).await,
            }
        }
    }

    async fn believe_the_clock(&self, by: SignedDuration) {
        match &self.journal {
            Some(journal) => {
                if journal.queue.clock_was_set(by).await.is_err() {
                    // Tried again in a moment; the journal says itself that it cannot be written.
                    return;
                }
            }
            None => clock::settle(by),
        }
        tracing::warn!(
            by_s = by.as_secs(),
            "the system's clock is believed as it is now; what waits was moved with it"
        );
    }

    /// Writes the counts that are ahead of the journal, however long a cleaning takes.
    async fn count(&self) {
        let mut ticks = tokio::time::interval(LEVEL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.gate.records.flush_attempt_counts();
        }
    }

    async fn clean_up(&self) {
        let mut ticks = tokio::time::interval(LEVEL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let clean_every = clean_every(&self.keep);
        for tick in (0..TELL_EVERY).cycle().skip(usize::from(self.goes_on)) {
            ticks.tick().await;
            // Asked for all the time, so that it stays with the same gate.
            let is_ours = self.is_to_forget().await;
            if tick % clean_every == 0 {
                self.gate.senders.forget_quiet();
                if is_ours {
                    self.forget().await;
                }
            }
            if tick == 0 {
                self.tell().await;
            }
        }
    }

    async fn beat(&self) {
        if let Some(journal) = &self.journal {
            // While the disk fails the next start takes it that no gate ran.
            let _ = journal.queue.beat().await;
        }
    }

    async fn is_to_forget(&self) -> bool {
        match &self.journal {
            Some(journal) => journal.has_duty(Duty::Forget).await,
            None => false,
        }
    }

    async fn forget(&self) {
        let Some(journal) = &self.journal else { return };
        let mut removed = 0;
        let mut began = Instant::now();
        // While the disk fails nothing is removed, which the journal says itself.
        let step = if journal.shared.is_some() { STEP_AWAY } else { STEP };
        while let Ok(forgotten) = journal.queue.forget(self.keep, step).await {
            self.gate.records.forget(&forgotten.entries);
            self.gate.records.forget_answers(&forgotten.answers);
            removed += forgotten.entries.len();
            if forgotten.is_nothing() {
                break;
            }
            tokio::time::sleep(began.elapsed() * RESTS).await;
            if !self.is_to_forget().await {
                break;
            }
            began = Instant::now();
        }
        if removed > 0 {
            tracing::info!(removed, "the journal was cleaned of what was kept long enough");
        }
    }

    async fn tell(&self) {
        let Some(journal) = &self.journal else { return };
        match journal.archive.figures().await {
            Ok(figures) => tell(&figures),
            Err(error) => tracing::warn!(%error, "the journal's figures"),
        }
    }
}

/// Each half of the shortest time that something is kept, a second at least.
fn clean_every(keep: &Keep) -> u32 {
    let half = u32::try_from(keep.shortest().as_secs() / 2).unwrap_or(CLEAN_EVERY);
    half.clamp(1, CLEAN_EVERY)
}

fn tell(figures: &Figures) {
    let in_state = |state| figures.in_state(state);
    tracing::info!(
        asking = in_state(State::Asking),
        delivering = in_state(State::Delivering),
        parked = in_state(State::Parked),
        accepted = in_state(State::Accepted),
        closed = in_state(State::Closed),
        unconfirmed = figures.unconfirmed,
        unconfirmed_bytes = figures.unconfirmed_bytes,
        paid_not_accepted = figures.paid_not_accepted,
        oldest_not_accepted_s = figures.oldest_not_accepted.map(|oldest| oldest.as_secs()),
        found_by_sweep = figures.found_by_sweep,
        found_by_pending = figures.found_by_pending,
        second_payments = figures.second_payments,
        paid_after_close = figures.paid_after_close,
        sweeps_missing = figures.sweeps_missing,
        rows_malformed = figures.rows_malformed,
        bytes = figures.bytes,
        free_bytes = figures.free_bytes,
        "journal"
    );
}
