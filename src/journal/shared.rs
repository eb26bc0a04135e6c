//! What a journal is for its gates where several work on it at once: the numbers of attempts, who sends, who does what one
//! alone has to do, and how much each may ask.
//!
//! A *replica* is one process; an *incarnation* is one stay of it on the list of the living. An incarnation has a lease, which
//! it renews each third of its time; what it holds (entries, turns, duties) is its own while it lives, and free when it does
//! not. A journal that one process has to itself has none of this ([`Journal::shared`](super::Journal::shared) is `None`): its
//! memory says the same at no cost.

use super::{Acceptance, Attempt, BoxFuture, DeliveryId, EntryId, Origin, Transition, Verified};
use crate::domain::order::{ChannelId, MerchantId, OrderId, TransactionId};
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// A delivery that is about to be sent.
#[derive(Debug, Clone)]
pub struct Sending {
    /// The entry whose callback is sent.
    pub entry: EntryId,
    /// The order on its route.
    pub delivery: DeliveryId,
    /// The legacy system's order id.
    pub order: OrderId,
    /// Why it is sent.
    pub origin: Origin,
    /// The payment that it is sent for, as confirmed.
    pub verified: Verified,
    /// Where it goes on if nothing more is heard of it.
    pub next: Option<Transition>,
    /// Whether only one may send this delivery at a time, over all replicas: the follow-up always, and a callback where
    /// duplicates are absorbed.
    pub alone: bool,
    /// Whether who sends has the entry's lease, and may not send without it: the follow-up.
    pub leased: bool,
    /// Whether it is not sent if the upstream accepted this very payment before.
    pub unless_accepted: bool,
    /// Channels on which the order is the same one, its own among them: it is not sent if another payment of it was confirmed
    /// there before and not refunded. Empty where that is no reason not to send it.
    pub same_order_on: Vec<ChannelId>,
}

/// Whether it may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It may, as the attempt of this number: the upstream sees none twice. That it began is durable.
    Number(u64),
    /// The upstream has accepted this payment; its answer, as far as that is kept.
    Accepted(Acceptance),
    /// The order is paid by this payment, on this channel.
    PaidBy(ChannelId, TransactionId),
    /// Another sends it now.
    Busy,
    /// Who asked does not have the entry's lease any more, or is not among the living.
    Lost,
}

/// What exactly one replica does at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Comparing bills.
    Sweep,
    /// Reading a source of pending orders, by its name.
    Source(String),
    /// Forgetting what was kept long enough.
    Forget,
}

impl fmt::Display for Duty {
    /// The word in the table, on pages and in metrics: `sweep`, `source:NAME`, `forget`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sweep => f.write_str("sweep"),
            Self::Source(name) => write!(f, "source:{name}"),
            Self::Forget => f.write_str("forget"),
        }
    }
}

/// What this process does under its configuration, as other replicas are told it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Myself {
    /// The number of the configuration that is in force, from 1.
    pub generation: u32,
    /// Stands for that configuration, without what may differ between replicas; it is kept as a code keyed by the journal.
    pub config: Vec<u8>,
}

/// A replica, as the journal knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Its name to people (`journal.replica`).
    pub replica: String,
    /// Whether its lease lives.
    pub live: bool,
    /// Whether it is this process.
    pub this: bool,
    /// The name of its machine.
    pub host: String,
    /// Its process id there.
    pub process: u32,
    /// The version of its program.
    pub version: String,
    /// The number of its configuration.
    pub generation: u32,
    /// 16 hex digits that stand for its configuration.
    pub config: String,
    /// Since when it is on the list, by the database's clock.
    pub since: Timestamp,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// What it alone does, in words ([`Duty`]).
    pub duties: Vec<String>,
    /// How many entries it holds.
    pub held: u64,
    /// Its own clock less the database's, in milliseconds.
    pub clock_skew_ms: i64,
}

/// How this process stands with the journal, as far as it knows without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// Whether its lease holds, by its own monotonic clock.
    pub lease_holds: bool,
    /// How many replicas lived when they were counted last, this one among them; at least 1.
    pub live: usize,
    /// Its own clock less the database's, in milliseconds.
    pub clock_skew_ms: i64,
}

/// What this process knows of itself and of the others, as of the latest renewal.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Census {
    /// Whether another living replica has another configuration.
    pub config_differs: bool,
    /// What one alone does and this process asked for, in words ([`Duty`]), and whether it is this one.
    pub duties: Vec<(String, bool)>,
    /// Which part of each merchant's rate of queries is its own.
    pub shares: Vec<(MerchantId, f64)>,
}

/// A journal that several processes work on.
pub trait Shared: Send + Sync + fmt::Debug {
    /// Gives a delivery that is to be sent its number, unless it may not be sent. To be awaited before the first byte leaves. What
    /// began is ended by [`AttemptEnded`](super::JournalEvent::AttemptEnded), or given up by [`abandon`](Self::abandon).
    ///
    /// # Errors
    /// If the journal cannot be written; nothing may be sent then. A number that was given all the same stays a gap.
    fn begin(&self, sending: Sending) -> BoxFuture<'_, Begun>;

    /// Nothing more is heard of an attempt that began: its turn is given back, again and again until that is durable. Returns at once.
    fn abandon(&self, attempt: Attempt);

    /// Whether this process has a duty, which it takes if nobody living has it. To be asked before each piece of the work; one
    /// that is not asked for any more is given back after a lease. It asks the database only where that may have changed.
    fn duty(&self, duty: Duty) -> BoxFuture<'_, bool>;

    /// Tells how many queries a second this process wanted lately for each merchant, and says which part of each merchant's rate
    /// is its own (more than 0, at most 1). A merchant that is not named gets an equal part. Asks nobody.
    fn shares(&self, wanted: &[(MerchantId, f64)]) -> Vec<(MerchantId, f64)>;

    /// How this process stands with the journal. Asks nobody.
    fn membership(&self) -> Membership;

    /// What it knows of itself and of the others. Asks nobody.
    fn census(&self) -> Census;

    /// How long a round trip may take (`journal.timeout`).
    fn timeout(&self) -> Duration;

    /// Says what this process does now; other replicas see it after the next renewal.
    fn introduce(&self, myself: Myself);

    /// The replicas that live, and those that are gone for a day at most, by name.
    ///
    /// # Errors
    /// If they cannot be read.
    fn replicas(&self) -> BoxFuture<'_, Vec<Replica>>;

    /// An orderly end: this process is off the list, and everything that it held is free at once. If the database does not
    /// answer, that is so when its lease is over.
    ///
    /// # Errors
    /// None.
    fn leave(&self) -> BoxFuture<'_, ()>;
}
