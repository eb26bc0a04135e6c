//! Orders that wait for payment, as the merchant's own system lists them: each becomes a question to WeChat Pay, never
//! a fact, so that a payment whose callback never comes is found within a minute.
//!
//! A source is read in a task of its own. One that is down, slow or wrong keeps no other waiting: what it said last
//! still counts, and how it is can be seen.

// What may be said about an order.
pub mod column;

// Values as sources write them.
mod cell;

// What was read.
pub mod listing;

// Why nothing was.
pub mod error;

// Lists in JSON.
mod json;

// Databases.
pub mod query;

pub mod database;

mod stop;

mod sqlite;

mod postgres;

mod mysql;

// Lists that come as one text.
pub mod http;

mod file;

pub mod command;

// Any of them.
pub mod source;

use crate::domain::clock;
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use crate::follow_up::next_question;
use crate::gate::Gate;
use crate::gate::channel::Channel;
use crate::gate::policy::Mode;
use crate::gate::route::Route;
use crate::journal::pending_orders::{Found, News, PendingOrder, SourceHealth};
use crate::journal::{Callback, Claimed, Journal, JournalError, Origin};
use crate::process::shutdown::Shutdown;
use error::SourceError;
use jiff::Timestamp;
use listing::{Listing, PendingOrder as Row};
use source::Source;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// A source, how often it is read, and the route to deliver to.
#[derive(Debug)]
pub struct Watched {
    /// Its name.
    pub name: String,
    /// How often it is read.
    pub every: Duration,
    /// The route, by name.
    pub route: String,
    /// What is read.
    pub source: Source,
}

/// Reads the sources.
#[derive(Debug)]
pub struct PendingOrders {
    /// What it fills with expectations, and whose channels it asks on.
    pub gate: Arc<Gate>,
    /// What remembers them.
    pub journal: Journal,
    /// What is read.
    pub sources: Vec<Watched>,
}

/// Most orders that one source may list: more are not read.
pub const MOST_ORDERS: usize = 100_000;

/// Most bytes of a list that comes as one text. A row has about a hundred.
const LARGEST_TEXT: usize = 16 * 1024 * 1024;

/// Most orders that are remembered over a restart, listed or gone.
const MOST_REMEMBERED: usize = 1_000_000;

/// Orders that are written down at once.
const AT_ONCE: usize = 100;

/// A clock that is ahead by more than this is wrong.
const AHEAD: Duration = Duration::from_secs(60);

/// How long reading may take: as long as until the next time, within these bounds.
const SHORTEST_READ: Duration = Duration::from_secs(5);
const LONGEST_READ: Duration = Duration::from_secs(60);

/// How long it is remembered that an order was listed. Its payment may come late.
const REMEMBER_GONE: Duration = Duration::from_secs(3 * 24 * 3600);

/// What a source said last: its orders.
pub type Known = HashMap<(ChannelId, OutTradeNo), PendingOrder>;

impl PendingOrders {
    /// Takes in what the sources said before this process began, so that callbacks are held against it from the start.
    /// What a source said that is not configured any more is forgotten.
    ///
    /// # Errors
    /// If the journal cannot be read or written.
    pub async fn recall(&self) -> Result<HashMap<String, Known>, JournalError> {
        let mut known: HashMap<String, Known> = HashMap::new();
        let mut removed: HashMap<String, Vec<(ChannelId, OutTradeNo)>> = HashMap::new();
        let mut names: HashMap<String, Arc<str>> = HashMap::new();
        for (source, listed) in self.journal.archive.pending_orders(MOST_REMEMBERED).await? {
            let key = (listed.channel, listed.out_trade_no);
            if !self.sources.iter().any(|watched| watched.name == source) {
                if listed.gone_at.is_none() {
                    removed.entry(source).or_default().push(key);
                }
                continue;
            }
            let name = names.entry(source.clone()).or_insert_with(|| source.as_str().into());
            self.gate.expected.learn(name, &listed);
            let own = self.gate.channels.get(&listed.channel).map(|channel| channel.out_trade_no.apply(&listed.order));
            if own.is_some_and(|own| own.as_ref() != Ok(&listed.out_trade_no)) {
                self.gate.expected.has_named_a_number(name);
            }
            if listed.gone_at.is_none() {
                known.entry(source).or_default().insert(key, listed);
            }
        }
        for (source, gone) in removed {
            tracing::info!(source, orders = gone.len(), "a source of pending orders is not configured any more");
            for gone in gone.chunks(AT_ONCE) {
                self.journal
                    .queue
                    .take_pending_orders(News { source: source.clone(), gone: gone.to_vec(), ..News::default() })
                    .await?;
            }
        }
        Ok(known)
    }

    /// Reads every source until `shutdown` begins. `known` is what was recalled.
    pub async fn run(self: Arc<Self>, mut known: HashMap<String, Known>, shutdown: Shutdown) {
        let healths = self.journal.archive.sources().await.unwrap_or_default();
        let watches = self.sources.iter().enumerate().map(|(index, watched)| {
            let health = healths.iter().find(|health| health.name == watched.name).cloned();
            let health =
                health.unwrap_or_else(|| SourceHealth { name: watched.name.clone(), ..SourceHealth::default() });
            let known = known.remove(&watched.name).unwrap_or_default();
            let (pending, name) = (Arc::clone(&self), watched.name.as_str().into());
            let watch = Watch { pending, index, name, known, asked: HashSet::new(), health };
            tokio::spawn(watch.run(shutdown.clone()))
        });
        for watch in watches.collect::<Vec<_>>() {
            // Its panic was logged.
            let _ = watch.await;
        }
    }
}

/// One source while it is read.
struct Watch {
    pending: Arc<PendingOrders>,
    index: usize,
    name: Arc<str>,
    known: Known,
    /// The orders that this process has handed on to be asked about.
    asked: HashSet<(ChannelId, OutTradeNo)>,
    health: SourceHealth,
}

impl Watch {
    async fn run(mut self, shutdown: Shutdown) {
        let pending = Arc::clone(&self.pending);
        let Some(watched) = pending.sources.get(self.index) else { return };
        let mut ticks = tokio::time::interval(watched.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let desk = pending.gate.expected.requests.desk(&watched.name);
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => return,
                _ = ticks.tick() => {}
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
                Ok(listing) => self.take_in(watched, listing).await,
                Err(error) => self.cannot_be_read(&error),
            }
            desk.ended();
            if let Err(error) = pending.journal.queue.source_is(self.health.clone()).await {
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

impl Watched {
    /// Why a listed order could not be asked about, with these routes and channels.
    #[must_use]
    pub fn refuses(&self, listed: &Row, routes: &[Route], channels: &[Channel]) -> Option<String> {
        let route = routes.iter().find(|route| route.name == self.route)?;
        let Some(channel) = channels.iter().find(|channel| channel.id == listed.channel) else {
            return Some(format!("there is no channel {}", listed.channel));
        };
        numbers(route, channel, listed).err()
    }

    /// How long it may take to read it.
    #[must_use]
    pub fn read_timeout(&self) -> Duration {
        self.every.clamp(SHORTEST_READ, LONGEST_READ)
    }
}

impl PendingOrders {
    /// The channel of a listed order, and what is asked about.
    fn look_up(&self, watched: &Watched, listed: &Row) -> Result<(Arc<Channel>, Claimed), String> {
        let route = self.gate.routes.named(&watched.route).ok_or("its route is not configured")?;
        let channel = self.gate.channels.get(&listed.channel);
        let channel = channel.ok_or_else(|| format!("there is no channel {}", listed.channel))?;
        let (order, number) = numbers(route, channel, listed)?;
        let claimed = Claimed { channel: channel.id, order, out_trade_no: number, transaction_id: None, amount: None };
        Ok((Arc::clone(channel), claimed))
    }
}

/// The order's id on the route, and what WeChat Pay calls it.
fn numbers(route: &Route, channel: &Channel, listed: &Row) -> Result<(OrderId, OutTradeNo), String> {
    let number = match listed.out_trade_no {
        Some(number) => number,
        None => channel.out_trade_no.apply(&listed.order).map_err(|why| format!("as out_trade_no it {why}"))?,
    };
    // A notification knows no other.
    let order = if route.takes_notifications() { OrderId::parse(number.as_str()) } else { Ok(listed.order) };
    Ok((order.map_err(|why| why.to_string())?, number))
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
