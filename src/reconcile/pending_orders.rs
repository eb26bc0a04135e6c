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

mod watch;

use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use crate::gate::Gate;
use crate::gate::channel::Channel;
use crate::gate::route::Route;
use crate::journal::pending_orders::{News, PendingOrder, SourceHealth};
use crate::journal::{Claimed, Duty, Journal, JournalError};
use crate::process::shutdown::Shutdown;
use listing::PendingOrder as Row;
use source::Source;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use watch::{Turn, Watch};

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
            if self.journal.shared.is_none() {
                let name = names.entry(source.clone()).or_insert_with(|| source.as_str().into());
                self.gate.expected.learn(name, &listed);
            }
            self.learn_name(&source, &listed);
            if listed.gone_at.is_none() {
                known.entry(source).or_default().insert(key, listed);
            }
        }
        for (source, gone) in removed {
            // It may be configured where it is read.
            if !self.journal.has_duty(Duty::Source(source.clone())).await {
                continue;
            }
            tracing::info!(source, orders = gone.len(), "a source of pending orders is not configured any more");
            for gone in gone.chunks(AT_ONCE) {
                self.journal
                    .queue
                    .take_pending_orders(News { source: source.clone(), gone: gone.to_vec(), ..News::default() })
                    .await?;
            }
        }
        self.gate.expected.is_recalled();
        Ok(known)
    }

    /// A source names WeChat Pay's number of an order, if that is not the one that the channel makes of it.
    fn learn_name(&self, source: &str, listed: &PendingOrder) {
        let own = self.gate.channels.get(&listed.channel).map(|channel| channel.out_trade_no.apply(&listed.order));
        if own.is_some_and(|own| own.as_ref() != Ok(&listed.out_trade_no)) {
            self.gate.expected.has_named_a_number(source);
        }
    }

    /// Where several gates could read a source, each piece is written by the one whose turn it is.
    async fn is_ours(&self, source: &str) -> Result<(), JournalError> {
        let is_ours = self.journal.has_duty(Duty::Source(source.to_owned())).await;
        if is_ours { Ok(()) } else { Err(JournalError::Unavailable) }
    }

    /// Reads every source until `shutdown` begins. `known` is what was recalled.
    pub async fn run(self: Arc<Self>, mut known: HashMap<String, Known>, shutdown: Shutdown) {
        let turn = if self.journal.shared.is_some() { Turn::OfAnother } else { Turn::Always };
        let healths = self.journal.archive.sources().await.unwrap_or_default();
        let watches = self.sources.iter().enumerate().map(|(index, watched)| {
            let health = healths.iter().find(|health| health.name == watched.name).cloned();
            let health =
                health.unwrap_or_else(|| SourceHealth { name: watched.name.clone(), ..SourceHealth::default() });
            let known = known.remove(&watched.name).unwrap_or_default();
            let (pending, name) = (Arc::clone(&self), watched.name.as_str().into());
            let (asked, looks) = (HashSet::new(), 0);
            let watch = Watch { pending, index, name, known, asked, health, turn, looks };
            tokio::spawn(watch.run(shutdown.clone()))
        });
        for watch in watches.collect::<Vec<_>>() {
            // Its panic was logged.
            let _ = watch.await;
        }
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
