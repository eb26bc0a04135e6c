//! One source while it is read, and by which of several gates.

use super::listing::Listing;
use super::{AT_ONCE, Known, MOST_ORDERS, PendingOrders, REMEMBER_GONE, Watched};
use crate::domain::clock;
use crate::domain::order::{ChannelId, OutTradeNo};
use crate::follow_up::next_question;
use crate::gate::policy::Mode;
use crate::journal::pending_orders::{Found, News, PendingOrder, SourceHealth};
use crate::journal::{Callback, Claimed, Duty, JournalError, Origin};
use crate::process::shutdown::Shutdown;
use crate::reconcile::pending_orders::error::SourceError;
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// A clock that is ahead by more than this is wrong.
const AHEAD: Duration = Duration::from_secs(60);

/// How often it is looked whose turn it is.
const TURN_EVERY: Duration = Duration::from_secs(1);

/// Every so many times one that does not read the source looks whether it names numbers.
const NAMES_EVERY: u32 = 60;

/// How many of its orders are looked at for that.
const NAMES_OF: usize = 1000;

/// Who reads a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// This process alone has the journal.
    Always,
    /// This process, of several.
    Ours,
    /// Another one.
    OfAnother,
}

/// One source while it is read.
pub(super) struct Watch {
    pub(super) pending: Arc<PendingOrders>,
    pub(super) index: usize,
    pub(super) name: Arc<str>,
    pub(super) known: Known,
    /// The orders that this process has handed on to be asked about.
    pub(super) asked: HashSet<(ChannelId, OutTradeNo)>,
    pub(super) health: SourceHealth,
    pub(super) turn: Turn,
    /// How often it was looked whose turn it is.
    pub(super) looks: u32,
}

impl Watch {
    pub(super) async fn run(mut self, shutdown: Shutdown) {
        let pending = Arc::clone(&self.pending);
        let Some(watched) = pending.sources.get(self.index) else { return };
        let mut ticks = tokio::time::interval(watched.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut turns = tokio::time::interval(TURN_EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let desk = pending.gate.expected.requests.desk(&watched.name);
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => return,
                _ = turns.tick(), if self.turn != Turn::Always => {
                    if self.look_whose_turn().await {
                        ticks.reset_immediately();
                    }
                    continue;
                }
                _ = ticks.tick(), if self.turn != Turn::OfAnother => {}
                () = desk.wanted() => {}
            }
            desk.begins();
            let deadline = watched.read_timeout();
            let listing = tokio::select! {
                biased;
                () = shutdown.begun() => return,
                listing = watched.source.read(MOST_ORDERS, deadline) => listing,
            };
            match listing {
                Ok(listing) if self.turn == Turn::OfAnother => self.only_learn(watched, &listing),
                Ok(listing) => self.take_in(watched, listing).await,
                Err(error) => self.cannot_be_read(&error),
            }
            desk.ended();
            if self.turn != Turn::OfAnother
                && let Err(error) = pending.journal.queue.source_is(self.health.clone()).await
            {
                tracing::debug!(%error, source = watched.name, "how the source is was not written down");
            }
        }
    }

    async fn take_in(&mut self, watched: &Watched, listing: Listing) {
        let orders = listing.orders.len();
        let mut unusable = listing.malformed_count;
        let mut complaint = listing.malformed.first().map(ToString::to_string);
        if listing.cut {
            complaint.get_or_insert_with(|| format!("lists more than {MOST_ORDERS} orders"));
        }
        let mut seen = HashSet::with_capacity(orders);
        let mut fresh = Vec::new();
        for order in listing.orders {
            match self.pending.look_up(watched, &order) {
                Ok((channel, claimed)) => {
                    if is_to_come(order.created_at) {
                        complaint.get_or_insert_with(|| format!("order {}: created_at is to come", order.order));
                    }
                    let key = (claimed.channel, claimed.out_trade_no);
                    seen.insert(key);
                    if order.out_trade_no.is_some() {
                        self.pending.gate.expected.has_named_a_number(&self.name);
                    }
                    let (order_id, amount) = (claimed.order, order.amount);
                    let now =
                        PendingOrder { channel: key.0, out_trade_no: key.1, order: order_id, amount, gone_at: None };
                    let is_news = self.known.get(&key) != Some(&now);
                    let ask = channel.mode == Mode::Enforce && !self.asked.contains(&key);
                    if is_news || ask {
                        let found = ask.then(|| found(watched, claimed, order.created_at));
                        fresh.push((now, is_news, found));
                    }
                }
                Err(why) => {
                    unusable += 1;
                    complaint.get_or_insert_with(|| format!("order {}: {why}", order.order));
                }
            }
        }
        // What cannot be seen is not gone.
        let is_gone = |key: &&(ChannelId, OutTradeNo)| !listing.cut && !seen.contains(*key);
        let gone: Vec<_> = self.known.keys().filter(is_gone).copied().collect();
        let (new, left) = (fresh.len(), gone.len());
        if let Err(error) = self.hand_on(watched, fresh, gone).await {
            // What was not written is news again the next time.
            tracing::warn!(%error, source = watched.name, "pending orders were not taken in; trying again");
            return;
        }
        self.is_well(watched, orders, unusable, complaint);
        tracing::debug!(source = watched.name, orders, new, gone = left, unusable, "pending orders");
    }

    /// Writes news down, a little at a time, since callbacks share the journal.
    async fn hand_on(
        &mut self,
        watched: &Watched,
        fresh: Vec<(PendingOrder, bool, Option<Found>)>,
        gone: Vec<(ChannelId, OutTradeNo)>,
    ) -> Result<(), JournalError> {
        let (journal, expected) = (&self.pending.journal.queue, &self.pending.gate.expected);
        let mut fresh = fresh.into_iter().peekable();
        while fresh.peek().is_some() {
            self.pending.is_ours(&self.name).await?;
            let mut news = News { source: watched.name.clone(), ..News::default() };
            let mut asked = Vec::new();
            for (now, is_news, found) in fresh.by_ref().take(AT_ONCE) {
                asked.extend(found.as_ref().map(|_| (now.channel, now.out_trade_no)));
                news.found.extend(found);
                if is_news {
                    news.listed.push(now);
                }
            }
            let listed = news.listed.clone();
            journal.take_pending_orders(news).await?;
            self.asked.extend(asked);
            for now in listed {
                expected.learn(&self.name, &now);
                self.known.insert((now.channel, now.out_trade_no), now);
            }
        }
        for gone in gone.chunks(AT_ONCE) {
            self.pending.is_ours(&self.name).await?;
            journal
                .take_pending_orders(News { source: watched.name.clone(), gone: gone.to_vec(), ..News::default() })
                .await?;
            for key in gone {
                self.asked.remove(key);
                if let Some(listed) = self.known.remove(key) {
                    expected.learn(&self.name, &PendingOrder { gone_at: Some(clock::now()), ..listed });
                }
            }
        }
        if let Ok(time) = clock::now().checked_sub(REMEMBER_GONE) {
            expected.forget_gone(time);
        }
        Ok(())
    }

    fn is_well(&mut self, watched: &Watched, orders: usize, unusable: usize, complaint: Option<String>) {
        let (count, malformed) = (orders as u64, unusable as u64);
        if let Some(complaint) = complaint.as_ref().filter(|complaint| self.health.problem.as_ref() != Some(*complaint))
        {
            tracing::warn!(source = watched.name, unusable, %complaint, "some pending orders cannot be used");
        } else if self.health.failures > 0 {
            tracing::info!(source = watched.name, orders, "the source of pending orders can be read again");
        }
        let health = &mut self.health;
        health.read_at = Some(clock::now());
        (health.failures, health.problem, health.orders, health.malformed) = (0, complaint, count, malformed);
    }

    fn cannot_be_read(&mut self, error: &SourceError) {
        let problem = error.to_string();
        // One line for each kind of trouble, not one every few seconds.
        if self.health.problem.as_ref() != Some(&problem) {
            tracing::warn!(source = self.health.name, %error, "a source of pending orders cannot be read; trying again");
        }
        let health = &mut self.health;
        health.failed_at = Some(clock::now());
        health.failures += 1;
        health.problem = Some(problem);
    }
}

impl Watch {
    /// Asks whose turn it is; `true` if it is this process's from now on. Who takes over knows what was listed from the journal.
    async fn look_whose_turn(&mut self) -> bool {
        self.looks += 1;
        if !self.pending.journal.has_duty(Duty::Source(self.name.to_string())).await {
            self.turn = Turn::OfAnother;
            if self.looks.is_multiple_of(NAMES_EVERY) {
                self.look_for_names().await;
            }
            return false;
        }
        if self.turn == Turn::Ours {
            return false;
        }
        match self.recall().await {
            Ok(()) => self.turn = Turn::Ours,
            Err(error) => {
                tracing::debug!(%error, source = &*self.name, "what the source said before cannot be read yet")
            }
        }
        self.turn == Turn::Ours
    }

    async fn recall(&mut self) -> Result<(), JournalError> {
        let mut known = self.pending.recall().await?;
        let healths = self.pending.journal.archive.sources().await?;
        self.known = known.remove(&*self.name).unwrap_or_default();
        self.asked.clear();
        if let Some(health) = healths.into_iter().find(|health| health.name == *self.name) {
            self.health = health;
        }
        Ok(())
    }

    /// That a source names numbers is told by what another gate read of it.
    async fn look_for_names(&self) {
        let (journal, gate) = (&self.pending.journal, &self.pending.gate);
        if gate.expected.names_numbers(&[self.name.to_string()]) {
            return;
        }
        // While the journal cannot be read nothing is proven by what it has.
        for (source, listed) in journal.archive.pending_orders(NAMES_OF).await.unwrap_or_default() {
            self.pending.learn_name(&source, &listed);
        }
    }

    /// A callback wants to know what the source says now, and it is another gate's turn to write that down.
    fn only_learn(&self, watched: &Watched, listing: &Listing) {
        let expected = &self.pending.gate.expected;
        for order in &listing.orders {
            let Ok((_, Claimed { channel, order: id, out_trade_no, .. })) = self.pending.look_up(watched, order) else {
                continue;
            };
            if order.out_trade_no.is_some() {
                expected.has_named_a_number(&self.name);
            }
            let listed = PendingOrder { channel, out_trade_no, order: id, amount: order.amount, gone_at: None };
            expected.learn(&self.name, &listed);
        }
    }
}

/// Whether a source says that an order will only be made.
fn is_to_come(created_at: Option<Timestamp>) -> bool {
    let ahead = created_at.and_then(|at| Duration::try_from(at.duration_since(clock::now())).ok());
    ahead.is_some_and(|ahead| ahead > AHEAD)
}

fn found(watched: &Watched, claimed: Claimed, created_at: Option<Timestamp>) -> Found {
    let age = created_at.map(|at| Duration::try_from(clock::now().duration_since(at)).unwrap_or_default());
    // One that is older than the first question was overlooked so far.
    let first = next_question(Duration::ZERO);
    let due_in = age.and_then(|age| first.checked_sub(age)).unwrap_or_default();
    let callback = Callback {
        request_id: Uuid::now_v7(),
        route: watched.route.clone(),
        origin: Origin::Pending,
        claimed,
        created_at,
        request: None,
    };
    Found { callback, due_in }
}
