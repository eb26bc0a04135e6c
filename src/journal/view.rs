//! What a journal shows to those who query it: lists in pages, and the day in numbers. Each page costs about the same,
//! however much is kept.

use super::history::{Record, Refused};
use super::ids::EntryId;
use super::{BoxFuture, Origin, State};
use crate::domain::order::{ChannelId, OrderId};
use crate::domain::reason::Reason;
use jiff::Timestamp;
use std::fmt;
use std::str::FromStr;

/// Which entries. Everything that is given must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// On this channel.
    pub channel: Option<ChannelId>,
    /// For this reason.
    pub reason: Option<Reason>,
    /// Brought by this; of callbacks it is [`Origin::Callback`].
    pub origin: Option<Origin>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// Whose order id, number or transaction id begins with this; or whose request or delivery has it as its id.
    pub text: Option<OrderId>,
    /// Only those whose payment was confirmed.
    pub confirmed: bool,
}

/// A place in a list of entries: behind this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When it was received, in milliseconds since 1970.
    pub received_at: i64,
    /// Which it is.
    pub entry: EntryId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.received_at, self.entry.0)
    }
}

/// Not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not what `next` of a page before said")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (received_at, entry) = text.split_once('-').ok_or(BadCursor)?;
        let number = |text: &str| {
            let plain = text.bytes().all(|byte| byte.is_ascii_digit());
            if plain { text.parse().map_err(|_| BadCursor) } else { Err(BadCursor) }
        };
        Ok(Self { received_at: number(received_at)?, entry: EntryId(number(entry)?) })
    }
}

/// A page of entries, those that were received last first.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Of their events only what is flagged; without their attempts, but for the latest of what is being delivered.
    pub records: Vec<Record>,
    /// Where it goes on, if it may: a search that takes long shows what it has found so far, which may be nothing.
    pub next: Option<Cursor>,
}

/// How many entries there are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How they stand.
    pub state: State,
    /// On which channel.
    pub channel: ChannelId,
    /// Why.
    pub reason: Option<Reason>,
    /// What brought them.
    pub origin: Origin,
    /// Whether WeChat Pay has confirmed a payment of them.
    pub confirmed: bool,
    /// How many.
    pub entries: u64,
}

/// What came since a time.
#[derive(Debug, Clone, Default)]
pub struct Today {
    /// What was taken in, as it stands now.
    pub tallies: Vec<Tally>,
    /// What was refused before it was taken in, as far as that is kept: the latest ten thousand.
    pub refused: Vec<(Reason, u64)>,
}

/// Which refused callbacks. Everything that is given must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefusedFilter {
    /// For this reason.
    pub reason: Option<Reason>,
    /// On this channel.
    pub channel: Option<ChannelId>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of this order, or with this request id.
    pub text: Option<OrderId>,
}

/// What a journal shows.
pub trait Views: Send + Sync {
    /// A page of entries from behind `after`, the latest first; those with a text by their number. At most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn list(&self, filter: Filter, after: Option<Cursor>, limit: usize) -> BoxFuture<'_, Page>;

    /// What came since a time.
    ///
    /// # Errors
    /// If it cannot be read.
    fn today(&self, since: Timestamp) -> BoxFuture<'_, Today>;

    /// Refused callbacks with their numbers, the latest first, from before the one with this number; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn refusals(&self, filter: RefusedFilter, before: Option<i64>, limit: usize) -> BoxFuture<'_, Vec<(i64, Refused)>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_is_written_and_nothing_else_is() {
        let cursor = Cursor { received_at: 1_763_990_000_123, entry: EntryId(42) };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for text in ["", "-", "1-", "-1", "1", "+1-2", "1-+2", "1-2-3", " 1-2", "1-99999999999999999999"] {
            assert_eq!(text.parse::<Cursor>(), Err(BadCursor), "{text}");
        }
    }
}
