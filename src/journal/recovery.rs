//! What waits for an upstream that did not take it: held back while the upstream is failing, and due at once when it is well.

use super::ids::EntryId;
use super::{BoxFuture, DueGroup, Job};
use crate::domain::order::ChannelId;
use jiff::Timestamp;
use std::time::Duration;

/// Which due entries [`lease_due`](super::Queue::lease_due) leaves where they are for the moment.
#[derive(Debug, Clone, Default)]
pub struct Throttled {
    /// Groups that it passes over: the budget that their next step needs is spent.
    pub groups: Vec<DueGroup>,
    /// How much it gives out for each upstream. A channel that is in none of these is not limited.
    pub outlets: Vec<Outlet>,
}

impl From<Vec<DueGroup>> for Throttled {
    fn from(groups: Vec<DueGroup>) -> Self {
        Self { groups, outlets: Vec::new() }
    }
}

/// How much may be sent to one upstream.
#[derive(Debug, Clone)]
pub struct Outlet {
    /// The channels whose upstream it is.
    pub channels: Vec<ChannelId>,
    /// Deliveries at most.
    pub most: usize,
    /// Whether nothing is sent by its own timer, but what a person asked for.
    pub failing: bool,
}

/// What a journal does of it. Everything is about entries of `channels`, those of one upstream, that are being delivered.
pub trait Recovery: Send + Sync {
    /// Makes due what waits for its own timer and was tried before this time, unless that was done since its timer tried it; a
    /// step of at most `limit`. What was received first is due longest. Not what somebody works on. Returns how many there were.
    ///
    /// # Errors
    /// If it cannot be written.
    fn bring_forward(&self, channels: Vec<ChannelId>, tried_before: Timestamp, limit: usize) -> BoxFuture<'_, usize>;

    /// Lets that be done once more to those it was done to; a step of at most `limit`. Returns how many there were.
    ///
    /// # Errors
    /// If it cannot be written.
    fn bring_anew(&self, channels: Vec<ChannelId>, limit: usize) -> BoxFuture<'_, usize>;

    /// The entry that is due first, now or later, leased to the caller; none of those that were `tried`, and none that a
    /// person asked for.
    ///
    /// # Errors
    /// If it cannot be read.
    fn next_waiting(&self, channels: Vec<ChannelId>, tried: Vec<EntryId>) -> BoxFuture<'_, Option<Job>>;

    /// Entries that were tried and have been delivered for as long as `lasts`, leased to the caller; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn overdue(&self, channels: Vec<ChannelId>, lasts: Duration, limit: usize) -> BoxFuture<'_, Vec<Job>>;
}
