//! Orders that wait for payment, as the merchant's own system lists them: each becomes a question to WeChat Pay, never a
//! fact, so that a payment whose callback never comes is found within a minute.
//!
//! A source is read in a task of its own. One that is down, slow or wrong keeps nobody waiting: what it said last still
//! counts, and how it is can be seen.

// Values as sources write them.
mod cell;

// What was read.
pub mod listing;

// Why nothing was.
pub mod error;

// Lists in JSON.
mod json;

// Databases.
pub mod sql;

mod sqlite;

mod postgres;

mod mysql;

// Whom an encrypted connection ends at.
mod tls;

// Lists that come as one text.
pub mod http;

mod file;

pub mod command;

// Any of them.
pub mod source;

use crate::clock;
use crate::follow_up::next_question;
use crate::gate::Gate;
use crate::gate::channel::Channel;
use crate::gate::decide::Mode;
use crate::gate::route::Route;
use crate::journal::listed::{Found, Listed, News, SourceHealth};
use crate::journal::{Callback, Claimed, Journal, JournalError, Origin};
use crate::order::{ChannelId, OrderId, OutTradeNo};
use crate::shutdown::Shutdown;
use error::SourceError;
use jiff::Timestamp;
use listing::{Listed as Row, Listing};
use source::Source;
use std::collections::HashMap;
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
    pub journal: Arc<dyn Journal>,
    /// What is read.
    pub sources: Vec<Watched>,
}

/// Most orders that one source may list: more are not read.
const MOST_ORDERS: usize = 100_000;

/// How long reading may take: as long as until the next time, within these bounds.
const SHORTEST_READ: Duration = Duration::from_secs(5);
const LONGEST_READ: Duration = Duration::from_secs(60);

/// How long it is remembered that an order was listed. Its payment may come late.
const REMEMBER_GONE: Duration = Duration::from_secs(3 * 24 * 3600);

/// What a source said last: the price of each order.
type Known = HashMap<(ChannelId, OutTradeNo), Listed>;

impl PendingOrders {
    /// Takes in what the sources said before this process began, so that callbacks are held against it from the start.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn recall(&self) -> Result<HashMap<String, Known>, JournalError> {
        let mut known: HashMap<String, Known> = HashMap::new();
        for (source, listed) in self.journal.listings(MOST_ORDERS).await? {
            self.gate.expected.learn(&listed);
            if listed.gone_at.is_none() {
                known.entry(source).or_default().insert((listed.channel, listed.out_trade_no), listed);
            }
        }
        Ok(known)
    }

    /// Reads every source until `shutdown` begins. `known` is what was recalled.
    pub async fn run(self: Arc<Self>, mut known: HashMap<String, Known>, shutdown: Shutdown) {
        let healths = self.journal.sources().await.unwrap_or_default();
        let watches = self.sources.iter().enumerate().map(|(index, watched)| {
            let health = healths.iter().find(|health| health.name == watched.name).cloned();
            let health =
                health.unwrap_or_else(|| SourceHealth { name: watched.name.clone(), ..SourceHealth::default() });
            let known = known.remove(&watched.name).unwrap_or_default();
            tokio::spawn(Watch { pending: Arc::clone(&self), index, known, health }.run(shutdown.clone()))
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
    known: Known,
    health: SourceHealth,
}

impl Watch {
    async fn run(mut self, shutdown: Shutdown) {
        let pending = Arc::clone(&self.pending);
        let Some(watched) = pending.sources.get(self.index) else { return };
        let mut ticks = tokio::time::interval(watched.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => return,
                _ = ticks.tick() => {}
            }
            let deadline = watched.every.clamp(SHORTEST_READ, LONGEST_READ);
            let listing = tokio::select! {
                biased;
                () = shutdown.begun() => return,
                listing = watched.source.read(MOST_ORDERS, deadline) => listing,
            };
            match listing {
                Ok(listing) => self.take_in(watched, listing).await,
                Err(error) => self.cannot_be_read(&error),
            }
            if let Err(error) = pending.journal.source_is(self.health.clone()).await {
                tracing::debug!(%error, source = watched.name, "how the source is was not written down");
            }
        }
    }

    async fn take_in(&mut self, watched: &Watched, listing: Listing) {
        let mut unusable = listing.malformed_count;
        let first = listing.malformed.first().map(ToString::to_string);
        let whole = !listing.cut && listing.malformed_count == 0;
        let mut news = News { source: watched.name.clone(), ..News::default() };
        let mut listed: Known = HashMap::with_capacity(listing.orders.len());
        let mut complaint = first.or_else(|| listing.cut.then(|| format!("lists more than {MOST_ORDERS} orders")));
        let orders = listing.orders.len();
        for order in listing.orders {
            match self.pending.look_up(watched, &order) {
                Ok((channel, claimed)) => {
                    let key = (claimed.channel, claimed.out_trade_no);
                    let now = Listed { channel: key.0, out_trade_no: key.1, amount: order.amount, gone_at: None };
                    if self.known.get(&key) != Some(&now) {
                        news.listed.push(now);
                    }
                    if !self.known.contains_key(&key) && channel.mode == Mode::Enforce {
                        news.found.push(found(watched, claimed, order.created_at));
                    }
                    listed.insert(key, now);
                }
                Err(why) => {
                    unusable += 1;
                    complaint.get_or_insert_with(|| format!("order {}: {why}", order.order));
                }
            }
        }
        if whole {
            news.gone = self.known.keys().filter(|key| !listed.contains_key(*key)).copied().collect();
        } else {
            // What cannot be seen is not gone.
            for (key, order) in &self.known {
                listed.entry(*key).or_insert(*order);
            }
        }
        let (new, gone) = (news.listed.clone(), news.gone.clone());
        let asked = news.found.len();
        if new.len() + gone.len() > 0
            && let Err(error) = self.pending.journal.listed(news).await
        {
            // The next time everything is news again.
            tracing::warn!(%error, source = watched.name, "pending orders were not taken in; trying again");
            return;
        }
        self.expect(&new, &gone);
        self.known = listed;
        self.is_well(watched, orders, unusable, complaint);
        tracing::debug!(source = watched.name, orders, new = asked, gone = gone.len(), unusable, "pending orders");
    }

    fn expect(&self, new: &[Listed], gone: &[(ChannelId, OutTradeNo)]) {
        let (expected, now) = (&self.pending.gate.expected, clock::now());
        new.iter().for_each(|listed| expected.learn(listed));
        for listed in gone.iter().filter_map(|key| self.known.get(key)) {
            expected.learn(&Listed { gone_at: Some(now), ..*listed });
        }
        if let Ok(time) = now.checked_sub(REMEMBER_GONE) {
            expected.forget_gone(time);
        }
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
    let order = if route.notification { OrderId::parse(number.as_str()) } else { Ok(listed.order) };
    Ok((order.map_err(|why| why.to_string())?, number))
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
