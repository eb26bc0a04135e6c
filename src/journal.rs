//! What happened, kept durably: every callback that was taken in, what WeChat Pay said of it, and every time it was sent,
//! because a callback that only memory knows is lost with the process.
//!
//! This is the interface, in the domain's words; [`sqlite`] keeps it in one file of this machine. It knows the words and
//! nothing of the gate. The store has the clock: callers say in how long something is due, never when.
//!
//! Two things are told apart. An *entry* is one claim on one route, with the callback that made it; several claims can
//! name the same order, and a forged one must not take the true one's place. A *delivery* is an order on a route, what
//! `X-Tollgate-Delivery` names: its attempts are counted, and the upstream accepts it or not, whichever entry was sent.

pub mod audit;

pub mod bounds;

pub mod callback;

pub mod history;

pub mod ids;

pub mod pending_orders;

pub mod owners;

pub mod overrides;

pub mod recovery;

pub mod sweeps;

pub mod times;

pub mod minutes;

pub mod view;

pub mod sqlite;

#[cfg(test)]
mod suite;

pub use audit::{Act, Audit, Audits, By};
pub use bounds::{Keep, Room};
pub use callback::{Callback, Claimed, Request, Verified};
pub use history::{AttemptRecord, Event, Figures, Record, Refused, Search};
pub use ids::{DeliveryId, EntryId, EntryKey};
pub use minutes::Minutes;
pub use overrides::{Override, Overrides, Redeliveries};
pub use owners::Owners;
pub use pending_orders::PendingOrders;
pub use recovery::{Outlet, Recovery, Shut};
pub use sweeps::Sweeps;
pub use times::{Times, gate_since};
pub use view::Views;

use crate::domain::money::Money;
use crate::domain::order::{ChannelId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use std::fmt;
use std::pin::Pin;
use std::time::Duration;
use uuid::Uuid;

/// What a call on the journal will have found out or done.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// The durable record. All methods may be called from any task; none of them does disk work in it.
pub trait Journal:
    Sweeps + PendingOrders + Owners + Views + Audits + Redeliveries + Recovery + Minutes + Times + Send + Sync + fmt::Debug
{
    /// Writes a callback down; when it is ready the callback survives whatever happens to this machine's processes and,
    /// as far as its disk keeps its word, to the machine. A claim that is known already costs no write.
    ///
    /// What is [`fresh`](Taken::fresh) is in the caller's hand: nobody is given it as [`lease_due`](Self::lease_due) until something
    /// was [appended](Self::append) of it that says when, or until it is [released](Self::release).
    ///
    /// # Errors
    /// Nothing was taken in then. [`JournalError::Full`] not for [`Trust::Confirmed`].
    fn take_in(&self, callback: Box<Callback>, worth: Trust, due_in: Duration) -> BoxFuture<'_, Taken>;

    /// Notes what happened, in the order of the calls. It is durable a moment later; [`flush`](Self::flush) waits for
    /// that. While the disk fails notes are held in memory, and written when it recovers.
    fn append(&self, event: JournalEvent);

    /// Waits until everything that was noted before is durable.
    ///
    /// # Errors
    /// If it cannot be at the moment. It is not lost then while the process lives.
    fn flush(&self) -> BoxFuture<'_, ()>;

    /// Writes something small, to find out whether anything can be.
    ///
    /// # Errors
    /// If it cannot be at the moment.
    fn probe(&self) -> BoxFuture<'_, ()>;

    /// Gives back what the caller holds in hand and will not go on with. It is due when it was before.
    fn release(&self, entry: EntryId);

    /// The same, for what is not its turn: nobody is given it before `again_in` is over. A restart forgets that.
    fn postpone(&self, entry: EntryId, again_in: Duration);

    /// Up to `limit` entries that are due, into the caller's hand: nobody else is given them. Groups take turns, but for what
    /// is `shut`, so that no backlog holds up another. Of what is delivered those come first that are due longest; of what is
    /// asked about by turns those, and those that have become due last.
    ///
    /// # Errors
    /// If it cannot be read.
    fn lease_due(&self, limit: usize, shut: Shut) -> BoxFuture<'_, Vec<Job>>;

    /// Callbacks of this channel that wait to be asked about have a number that `looks` like confirmed ones, as was not known
    /// when they were taken in: they are likely from now on. Not if there are more than [`MOST_LIFTED`] of them, since it says
    /// nothing then. Nobody waits for it.
    fn lift(&self, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()>;

    /// The latest callbacks that were confirmed, at most `limit` of each channel in each state.
    ///
    /// # Errors
    /// If they cannot be read.
    fn confirmed(&self, limit: usize) -> BoxFuture<'_, Vec<Callback>>;

    /// That a delivery was accepted, if it was, with the upstream's answer as far as that is kept.
    ///
    /// # Errors
    /// If it cannot be read.
    fn acceptance(&self, delivery: DeliveryId) -> BoxFuture<'_, Option<Acceptance>>;

    /// What is known of some callbacks, the latest first; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn find(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Record>>;

    /// Callbacks that were refused before they were taken in, the latest first; at most `limit`. Of `search` only `order`
    /// and `request_id` count.
    ///
    /// # Errors
    /// If it cannot be read.
    fn refused(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Refused>>;

    /// Removes accepted and closed entries, parked ones that were never confirmed, and what people did, after `keep.entries`;
    /// the requests of accepted and closed ones and the upstream's answers after `keep.bodies`, of closed ones after a minute
    /// at most: a small step of at most `limit` of each. What is removed is overwritten; of that nothing is left in the store
    /// once a step has found nothing to do, unless somebody reads it at that moment.
    ///
    /// # Errors
    /// If it cannot be written.
    fn forget(&self, keep: Keep, limit: usize) -> BoxFuture<'_, Forgotten>;

    /// How much there is of what.
    ///
    /// # Errors
    /// If it cannot be read.
    fn figures(&self) -> BoxFuture<'_, Figures>;
}

/// Whether a number looks like those that were confirmed.
pub type Looks = Box<dyn Fn(&OutTradeNo) -> bool + Send>;

/// How many callbacks are found to be likely at once.
pub const MOST_LIFTED: usize = 256;

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk is full, fails or hangs. Nothing was written; it is tried again until it works.
    #[error("the journal cannot be written at the moment")]
    Unavailable,
    /// More callbacks wait to be written than may.
    #[error("too many callbacks wait for the journal")]
    Busy,
    /// There are as many records of unconfirmed orders as there may be (`journal.unconfirmed`), or as many bytes of them
    /// (`journal.unconfirmed_bytes`).
    #[error("there are as many records of unconfirmed orders as there may be, or as many bytes of them")]
    Full,
    /// It cannot be read.
    #[error("the journal cannot be read: {0}")]
    Unreadable(String),
}

/// Whether WeChat Pay has confirmed what is to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Not yet, or never: anybody can make such callbacks up, so there is a budget for them.
    Unconfirmed,
    /// The same, but it looks like what was confirmed before: the last part of that budget is left for these.
    Likely,
    /// It has: this is always taken in.
    Confirmed,
}

/// What was removed.
#[derive(Debug, Clone, Default)]
pub struct Forgotten {
    /// Entries that are not there any more.
    pub entries: Vec<EntryKey>,
    /// Deliveries whose answer is not there any more.
    pub answers: Vec<DeliveryId>,
    /// Requests, refused callbacks and the like.
    pub others: usize,
}

impl Forgotten {
    /// Whether there was nothing to remove.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.entries.is_empty() && self.answers.is_empty() && self.others == 0
    }
}

/// What became of a callback that was taken in.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its number.
    pub entry: EntryId,
    /// Whether it was written just now.
    pub fresh: bool,
    /// How it stands.
    pub state: State,
    /// How often its delivery was sent so far.
    pub attempts: u64,
    /// That the upstream accepted its delivery.
    pub accepted: Option<Acceptance>,
    /// The payments that were confirmed for its order so far and not refunded since, each with its channel, on whatever
    /// route; the earliest first.
    pub paid_by: Vec<(ChannelId, TransactionId)>,
    /// What it costs, noted when another amount was paid: whoever said so may have forgotten it since.
    pub price: Option<Money>,
}

/// How much speaks for it that an entry's order is one; and once that is sure, why it is sent before its time. The numbers are
/// those in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Rank {
    /// WeChat Pay knows the order, or has not answered yet for a callback that looks like confirmed ones; and whatever was
    /// found without a callback, which nobody can make up.
    Likely = 0,
    /// WeChat Pay has not answered yet for anybody's callback.
    Strange = 1,
    /// WeChat Pay said that there is no such order, of a callback that looks like confirmed ones.
    LikelyAbsent = 2,
    /// The same of anybody's.
    Absent = 3,
    /// It is confirmed, and was brought forward since its own timer tried it ([`Recovery::bring_forward`]).
    Brought = 4,
    /// It is confirmed, and a person asked for it to be sent.
    AskedFor = 5,
}

impl Rank {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Likely, Self::Strange, Self::LikelyAbsent, Self::Absent, Self::Brought, Self::AskedFor];
}

/// What waits together, and takes turns with others: the entries of one channel in one state and rank that came the same
/// way.
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

/// How an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Not decided: WeChat Pay is asked again.
    Asking,
    /// Confirmed as paid, and not accepted by the upstream yet: it is sent again.
    Delivering,
    /// The upstream took it.
    Accepted,
    /// Somebody has to look.
    Parked,
    /// Nothing will come of it: unpaid, or the claim is wrong.
    Closed,
}

impl State {
    /// Every state, in the order of an entry's life.
    pub const ALL: [Self; 5] = [Self::Asking, Self::Delivering, Self::Accepted, Self::Parked, Self::Closed];

    /// The word in the file, in commands and in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asking => "asking",
            Self::Delivering => "delivering",
            Self::Accepted => "accepted",
            Self::Parked => "parked",
            Self::Closed => "closed",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What brought a callback to the upstream (`X-Tollgate-Origin`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A callback that waits for the answer.
    Callback,
    /// The follow-up, after the callback was answered.
    FollowUp,
    /// WeChat Pay's bill; there was no callback.
    Sweep,
    /// A source of pending orders; there was no callback.
    Pending,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Callback, Self::FollowUp, Self::Sweep, Self::Pending];

    /// The word in the header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::FollowUp => "follow-up",
            Self::Sweep => "sweep",
            Self::Pending => "pending",
        }
    }

    /// The origin of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.as_str() == name)
    }

    /// Whether the order was found without a callback.
    #[must_use]
    pub const fn is_found(self) -> bool {
        matches!(self, Self::Sweep | Self::Pending)
    }
}

/// Where an entry goes on from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It is asked about again.
    Ask {
        /// In how long.
        again_in: Duration,
        /// How often it was asked about by the follow-up.
        retries: u32,
    },
    /// It is sent again.
    Deliver {
        /// In how long.
        again_in: Duration,
        /// How often it was sent by the follow-up.
        retries: u32,
    },
    /// It is done.
    Accepted,
    /// An operator looks.
    Park,
    /// Nothing comes of it.
    Close,
}

impl Transition {
    /// The state this leads to.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Ask { .. } => State::Asking,
            Self::Deliver { .. } => State::Delivering,
            Self::Accepted => State::Accepted,
            Self::Park => State::Parked,
            Self::Close => State::Closed,
        }
    }

    /// In how long it is due, and after how many tries.
    #[must_use]
    pub const fn due(self) -> Option<(Duration, u32)> {
        match self {
            Self::Ask { again_in, retries } | Self::Deliver { again_in, retries } => Some((again_in, retries)),
            Self::Accepted | Self::Park | Self::Close => None,
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum JournalEvent {
    /// What is known of an entry's order now.
    Decided {
        /// The entry.
        entry: EntryId,
        /// Why it goes on as it does.
        reason: Reason,
        /// The payment, if it is paid.
        verified: Option<Verified>,
        /// Where it goes on; `None` leaves that as it is.
        next: Option<Transition>,
    },
    /// The callback of an order that never called back was made.
    Made {
        /// The entry.
        entry: EntryId,
        /// The request.
        request: Box<Request>,
    },
    /// WeChat Pay says that a payment was refunded since, asked because its order was paid again.
    Refunded {
        /// The merchant account.
        channel: ChannelId,
        /// The payment.
        transaction_id: TransactionId,
    },
    /// Something about a payment that somebody may want to know, whatever becomes of it.
    Flagged {
        /// The entry.
        entry: EntryId,
        /// What.
        reason: Reason,
    },
    /// An entry is being sent.
    AttemptStarted {
        /// Which, and the how-manieth time.
        attempt: Attempt,
        /// What is sent as verified; `None` if it passes unconfirmed, in observe mode.
        verified: Option<Verified>,
        /// Where it goes on if nothing more is heard of it.
        next: Option<Transition>,
    },
    /// What came of sending it.
    AttemptEnded {
        /// Which.
        attempt: Attempt,
        /// What the upstream said, or why nothing was heard.
        outcome: Outcome,
        /// Where it goes on; `None` leaves that as it is.
        next: Option<Transition>,
    },
    /// A delivery was sent so many times in all, the latest of which are not worth a line each.
    Counted {
        /// An entry of the delivery.
        entry: EntryId,
        /// The delivery.
        delivery: DeliveryId,
        /// All its attempts.
        attempts: u64,
    },
    /// Another callback of an entry.
    Again {
        /// The entry.
        entry: EntryId,
        /// The callback's id.
        request_id: Uuid,
        /// What came of it.
        reason: Reason,
    },
    /// A callback that was refused before it was taken in.
    Refused(Box<Refused>),
}

/// One attempt of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The entry whose callback is sent.
    pub entry: EntryId,
    /// The order on its route.
    pub delivery: DeliveryId,
    /// 1 the first time.
    pub number: u64,
    /// Why it is sent.
    pub origin: Origin,
}

impl Job {
    /// Where it waited.
    #[must_use]
    pub fn group(&self) -> DueGroup {
        let channel = self.callback.claimed.channel;
        DueGroup { channel, state: self.state, origin: self.callback.origin, rank: self.rank }
    }
}

/// What came of a sending.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The upstream answered, and that counts as having taken it.
    Accepted(Acceptance),
    /// It answered something else.
    Answered(StatusCode),
    /// It did not answer, for this reason.
    Failed(Reason),
}

/// That the upstream took a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The payment that was delivered; empty for a callback that passed unconfirmed.
    pub transaction_id: Option<TransactionId>,
    /// The upstream's answer, or its status alone where it was not worth keeping.
    pub status: StatusCode,
    /// Its headers, where its body is kept.
    pub headers: HeaderMap,
    /// Its body, for duplicates that are absorbed.
    pub body: Option<Bytes>,
}

/// An entry that is due.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number.
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
    /// How old the order was when it was taken in, as the one that named it says.
    pub age_before: Duration,
    /// The reason it is where it is.
    pub reason: Option<Reason>,
    /// How often its delivery was sent so far.
    pub attempts: u64,
    /// That the upstream accepted its delivery.
    pub accepted: Option<Acceptance>,
    /// As [`Taken::paid_by`].
    pub paid_by: Vec<(ChannelId, TransactionId)>,
    /// Whether it is due because it was brought forward, and not by its own timer.
    pub brought: bool,
    /// Whether an operator asked for it.
    pub asked_for: bool,
    /// What that operator decided.
    pub overrides: Overrides,
    /// As [`Taken::price`].
    pub price: Option<Money>,
}
