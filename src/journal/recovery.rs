//! What waits for an upstream that did not take it: held back while the upstream is failing, and due at once when it is
//! well.

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
    /// How many deliveries [`lease_due`](super::Queue::lease_due) gives out for it at most.
    pub most: usize,
    /// Whether the upstream is failing: then only what a person asked for is given out.
    pub failing: bool,
}

/// What a queue does for one upstream. Everything is about entries of `channels`, those of that upstream, that are in
/// [`State::Delivering`](super::State::Delivering).
pub trait Recovery: Send + Sync {
    /// Makes due what waits for its own timer and was not tried since `tried_before` (by this process's clock), in
    /// steps of at most `limit`; what was received first is due longest. An entry that was brought forward already is
    /// left out until its own timer has tried it, and so is one that is leased. Returns how many entries became due;
    /// fewer than `limit` is the end.
    ///
    /// # Errors
    /// If it cannot be written.
    fn bring_forward(&self, channels: Vec<ChannelId>, tried_before: Timestamp, limit: usize) -> BoxFuture<'_, usize>;

    /// Lets [`bring_forward`](Self::bring_forward) take once more what it has brought forward, in steps of at most
    /// `limit`; when it is due stays as it is. Returns how many entries that were; fewer than `limit` is the end.
    ///
    /// # Errors
    /// If it cannot be written.
    fn bring_anew(&self, channels: Vec<ChannelId>, limit: usize) -> BoxFuture<'_, usize>;

    /// Makes due what waits for its sender to send it again ([`WindowOver`](crate::domain::reason::Reason::WindowOver))
    /// and came on one of these `routes`, in steps of at most `limit`: what is kept of it can be sent after all, by
    /// what the route says now. Returns how many entries became due; fewer than `limit` is the end.
    ///
    /// # Errors
    /// If it cannot be written.
    fn end_waiting(&self, channels: Vec<ChannelId>, routes: Vec<String>, limit: usize) -> BoxFuture<'_, usize>;

    /// The entry that is due first, now or later, and not leased, leased to the caller; none of those that were
    /// `tried`, none that a person asked for, and none that waits for its provider's next notification.
    ///
    /// # Errors
    /// If it cannot be read.
    fn next_waiting(&self, channels: Vec<ChannelId>, tried: Vec<EntryId>) -> BoxFuture<'_, Option<Job>>;

    /// Entries that were sent at least once and have been in that state for as long as `lasts`, leased to the caller;
    /// at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn overdue(&self, channels: Vec<ChannelId>, lasts: Duration, limit: usize) -> BoxFuture<'_, Vec<Job>>;
}
