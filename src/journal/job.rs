//! An entry that is due, and what is due together with it.

use super::{Acceptance, Callback, EntryId, Origin, Overrides, PendingOrder, State};
use crate::domain::money::Money;
use crate::domain::order::{ChannelId, TransactionId};
use crate::domain::reason::Reason;
use std::time::Duration;

/// How much speaks for it that an entry's order is one; and once that is sure, why it is sent before its time. The
/// numbers are those in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    /// WeChat Pay knows the order, or has not answered yet for a callback that looks like confirmed ones; and whatever
    /// was found without a callback, which no sender can make up.
    Likely = 0,
    /// WeChat Pay has not answered yet for anybody's callback.
    Strange = 1,
    /// WeChat Pay said that there is no such order, of a callback that looks like confirmed ones.
    LikelyAbsent = 2,
    /// WeChat Pay said that there is no such order, of anybody's callback.
    Absent = 3,
    /// It is confirmed, and was brought forward since its own timer tried it
    /// ([`bring_forward`](super::Recovery::bring_forward)).
    Brought = 4,
    /// It is confirmed, and a person asked for it to be sent.
    AskedFor = 5,
}

impl Rank {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Likely, Self::Strange, Self::LikelyAbsent, Self::Absent, Self::Brought, Self::AskedFor];
}

/// What waits together, and takes turns with others: the entries of one channel in one state and rank that came the
/// same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DueGroup {
    /// The merchant account.
    pub channel: ChannelId,
    /// [`State::Asking`] or [`State::Delivering`].
    pub state: State,
    /// What brought them.
    pub origin: Origin,
    /// How much speaks for them.
    pub rank: Rank,
}

impl Job {
    /// The group that it waited in.
    #[must_use]
    pub fn group(&self) -> DueGroup {
        let channel = self.callback.claimed.channel;
        DueGroup { channel, state: self.state, origin: self.callback.origin, rank: self.rank }
    }
}

/// An entry that is due.
#[derive(Debug, Clone)]
pub struct Job {
    /// The number of its entry.
    pub entry: EntryId,
    /// The callback.
    pub callback: Callback,
    /// [`State::Asking`] or [`State::Delivering`].
    pub state: State,
    /// How much speaks for it.
    pub rank: Rank,
    /// How often the follow-up tried in this state.
    pub retries: u32,
    /// How long it has been in this state, or since an operator asked for it.
    pub age: Duration,
    /// How long ago it was taken in.
    pub kept_for: Duration,
    /// How old the order was when it was taken in, as the one that named it says.
    pub age_before: Duration,
    /// Why it is in this state; `None` before anything is known.
    pub reason: Option<Reason>,
    /// The highest number that an attempt of its delivery has; 0 if it was never sent.
    pub attempts: u64,
    /// That the upstream accepted its delivery.
    pub accepted: Option<Acceptance>,
    /// As [`Taken::paid_by`](super::Taken::paid_by).
    pub paid_by: Vec<(ChannelId, TransactionId)>,
    /// Whether it is due because it was brought forward, and not by its own timer.
    pub brought: bool,
    /// Whether an operator asked for it.
    pub asked_for: bool,
    /// What that operator decided.
    pub overrides: Overrides,
    /// As [`Taken::price`](super::Taken::price).
    pub price: Option<Money>,
    /// As [`Taken::listed`](super::Taken::listed).
    pub listed: Option<Vec<(String, PendingOrder)>>,
}
