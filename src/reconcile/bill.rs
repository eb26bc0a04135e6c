//! Finding paid orders whose callback never came, in WeChat Pay's bill of the day.
//!
//! A bill is not signed, so it is only a hint: a payment in it without an accepted delivery becomes an entry in the
//! journal, and the follow-up asks WeChat Pay about it before anything is delivered. The journal is also the queue of
//! sweeps: schedules and operators put them there, and the process that has the journal carries them out, one at a
//! time.

mod compare;

mod schedule;

pub use schedule::dates;
use schedule::{Way, way};

use crate::domain::clock;
use crate::domain::order::{ChannelId, MerchantId};
use crate::gate::Gate;
use crate::journal::sweeps::{Counts, Sweep, SweepEvent, Wanted};
use crate::journal::{Duty, Journal, JournalError, gate_since};
use crate::process::shutdown::Shutdown;
use crate::provider::bill::{BillError, BillType};
use jiff::civil::{Date, DateTime, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;

/// What a channel wants swept.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The channel.
    pub channel: ChannelId,
    /// The route to deliver to, by name.
    pub route: String,
    /// When, Beijing time.
    pub at: Time,
    /// How many days back, each time.
    pub days: u8,
    /// The first day that is swept by itself, if it is not the gate's first whole day.
    pub from: Option<Date>,
    /// What becomes of days before the gate's first whole one.
    pub before_gate: BeforeGate,
    /// Which bill is compared.
    pub bill_type: BillType,
}

/// What a schedule does with a day on which the order system may have got its callbacks without the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BeforeGate {
    /// Its bill is compared, and what is found is told: to send it again is for a person to decide.
    #[default]
    Compare,
    /// What is found is delivered, as of any other day.
    Deliver,
}

/// Sweeps.
#[derive(Debug)]
pub struct Sweeper {
    /// Whose channels and routes.
    pub gate: Arc<Gate>,
    /// Its queue, and what was accepted.
    pub journal: Journal,
    /// What is swept.
    pub plans: Vec<Plan>,
    /// How many days back a schedule goes at most: what was accepted is not remembered for longer.
    pub reach: u16,
}

/// Why a bill was not compared.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Bill(#[from] BillError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("none of its channels is configured any more, or has a sweep")]
    NothingToSweep,
    #[error("another gate compares it from now on")]
    OfAnother,
}

/// How often the queue is looked at, and where it is not on this machine.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_AWAY_EVERY: Duration = Duration::from_secs(1);

/// When a bill that is not to be had is asked for again.
const AGAIN: Duration = Duration::from_secs(30 * 60);

/// When the bills of the day before are all there, if there are any.
const NO_MORE_BILLS: Time = Time::constant(12, 0, 0, 0);

/// For how long it is.
const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 3600);

impl Sweeper {
    /// Sweeps by schedule and by request until `shutdown` begins. What is under way then is broken off, and begun anew
    /// at the next start.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        self.work(true, shutdown).await;
    }

    /// Sweeps by request only, until `shutdown` begins.
    pub async fn run_wanted(self: Arc<Self>, shutdown: Shutdown) {
        self.work(false, shutdown).await;
    }

    async fn work(&self, by_schedule: bool, shutdown: Shutdown) {
        let is_shared = self.journal.shared.is_some();
        let mut ticks = tokio::time::interval(if is_shared { LOOK_AWAY_EVERY } else { LOOK_EVERY });
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut scheduled = BTreeMap::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => return,
                _ = ticks.tick() => {}
            }
            let round = async {
                if !self.journal.has_duty(Duty::Sweep).await {
                    return Ok(());
                }
                if by_schedule {
                    self.schedule(&mut scheduled).await?;
                }
                if let Some(sweep) = self.journal.queue.next_sweep().await? {
                    self.carry_out(&sweep).await?;
                }
                Ok::<_, JournalError>(())
            };
            tokio::select! {
                biased;
                () = shutdown.begun() => return,
                outcome = round => if let Err(error) = outcome {
                    tracing::warn!(%error, "a sweep has to wait");
                }
            }
        }
    }

    /// Puts into the queue what schedules want by now; what is there already stays as it is.
    async fn schedule(&self, scheduled: &mut BTreeMap<MerchantId, Date>) -> Result<(), JournalError> {
        if clock::away().is_some() {
            // What day it is will be known soon.
            return Ok(());
        }
        let now = clock::beijing(clock::now());
        for (mch_id, plans) in self.merchants() {
            // One bill for all of a merchant's channels, when the last of them wants it.
            let at = plans.iter().map(|plan| plan.at).max().unwrap_or(Time::MAX);
            if now.time() < at || scheduled.get(&mch_id) == Some(&now.date()) {
                continue;
            }
            let done = self.journal.archive.days_swept(mch_id).await?;
            // Without it the gate cannot know what the order system got by another way.
            let Some(gate_since) = self.journal.archive.made_at().await?.and_then(gate_since) else { return Ok(()) };
            let days = plans.iter().map(|plan| plan.days).max().unwrap_or(1);
            for bill_date in dates(now.date(), days, self.reach, &done) {
                for (this_way, dry_run) in [(Way::Deliver, false), (Way::Compare, true)] {
                    let goes = |plan: &&&Plan| way(plan.from, plan.before_gate, gate_since, bill_date) == this_way;
                    let channels: Vec<_> = plans.iter().filter(goes).map(|plan| plan.channel).collect();
                    if !channels.is_empty() {
                        let due_on = Some(now.date());
                        self.journal
                            .archive
                            .want_sweep(Wanted { mch_id, bill_date, channels, due_on, dry_run })
                            .await?;
                    }
                }
            }
            scheduled.insert(mch_id, now.date());
        }
        Ok(())
    }

    fn merchants(&self) -> BTreeMap<MerchantId, Vec<&Plan>> {
        let mut merchants: BTreeMap<MerchantId, Vec<&Plan>> = BTreeMap::new();
        for plan in &self.plans {
            if let Some(channel) = self.gate.channels.get(&plan.channel) {
                merchants.entry(channel.account.payee().merchant).or_default().push(plan);
            }
        }
        merchants
    }

    /// Carries out one sweep, and writes down where it goes on.
    async fn carry_out(&self, sweep: &Sweep) -> Result<(), JournalError> {
        let Wanted { mch_id, bill_date, dry_run, due_on, .. } = &sweep.wanted;
        tracing::info!(sweep = sweep.id.0, %mch_id, %bill_date, dry_run, "sweep begins");
        self.journal.queue.sweep_event(sweep.id, SweepEvent::Began).await?;
        let note = match self.compare(sweep).await {
            Ok((counts, odd)) => {
                let Counts { rows, paid, accepted, found, under_way, unknown, malformed, .. } = counts;
                tracing::info!(
                    sweep = sweep.id.0, %mch_id, %bill_date, rows, paid, accepted, under_way, found, odd, "sweep ended"
                );
                if *dry_run && due_on.is_some() && found > 0 {
                    tracing::warn!(
                        sweep = sweep.id.0,
                        %bill_date,
                        found,
                        "paid orders of a day before the gate's first whole one: compared, and nothing delivered; to send them \
                         again: tollgate sweep --date"
                    );
                }
                if unknown + malformed > 0 {
                    tracing::warn!(
                        sweep = sweep.id.0,
                        unknown,
                        malformed,
                        "somebody has to look at rows of the bill: tollgate sweep --report"
                    );
                }
                SweepEvent::Done(counts, odd)
            }
            Err(Trouble::Journal(error)) => return Err(error),
            // It begins it anew, and this one has nothing to say of it.
            Err(Trouble::OfAnother) => return Ok(()),
            Err(Trouble::Bill(error)) if is_empty_day(&error, *bill_date) => {
                SweepEvent::Done(Counts::default(), Some(error.to_string()))
            }
            Err(trouble) => self.after(trouble, sweep),
        };
        self.journal.queue.sweep_event(sweep.id, note).await
    }

    /// What is done when a bill could not be compared.
    fn after(&self, trouble: Trouble, sweep: &Sweep) -> SweepEvent {
        let waited = Duration::try_from(clock::now().duration_since(sweep.asked_at)).unwrap_or_default();
        let passes = match &trouble {
            Trouble::Bill(BillError::Permanent(_)) | Trouble::NothingToSweep | Trouble::OfAnother => false,
            Trouble::Bill(BillError::NoBill(_) | BillError::TryAgain(_)) | Trouble::Journal(_) => true,
        };
        let (sweep, again) = (sweep.id.0, passes && waited < GIVE_UP_AFTER);
        tracing::warn!(sweep, %trouble, again, "the bill was not compared");
        if again { SweepEvent::Again(AGAIN, trouble.to_string()) } else { SweepEvent::Failed(trouble.to_string()) }
    }
}

/// Whether a day had no trades. Its bill comes in the morning after it: before that, it may only not be there yet.
fn is_empty_day(error: &BillError, day: Date) -> bool {
    let is_final = is_over(day, clock::beijing(clock::now()));
    is_final && matches!(error, BillError::NoBill(_))
}

fn is_over(day: Date, now: DateTime) -> bool {
    day.tomorrow().is_ok_and(|tomorrow| tomorrow.to_datetime(NO_MORE_BILLS) <= now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_bill_that_is_not_there_is_no_empty_day_before_noon() {
        let day = date(2026, 11, 22);
        for (now, over) in [
            (date(2026, 11, 22).at(23, 59, 0, 0), false),
            (date(2026, 11, 23).at(11, 59, 0, 0), false),
            (date(2026, 11, 23).at(12, 0, 0, 0), true),
            (date(2026, 11, 24).at(0, 0, 0, 0), true),
        ] {
            assert_eq!(is_over(day, now), over, "{now}");
        }
    }
}
