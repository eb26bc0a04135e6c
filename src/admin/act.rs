//! What somebody can do to an order.

use super::{Admin, Who};
use crate::journal::EntryId;
use crate::order::{ChannelId, OrderId};
use crate::reason::Reason;
use std::net::SocketAddr;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Confirm again and send again, whatever became of it.
    Redeliver,
    /// Leave it alone until somebody says otherwise.
    Park,
    /// Go on with it, by the rules.
    Unpark,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// To which entries.
    pub entries: Vec<EntryId>,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is no such order.
    #[error("the journal has no such order")]
    NoSuchOrder,
    /// Not to one in this state.
    #[error("{0}")]
    Conflict(&'static str),
    /// The journal cannot be asked.
    #[error("{}", .0.text())]
    Journal(Reason),
}

impl Admin {
    /// Does something to every entry of an order that it can be done to, and writes down who did it, from where.
    ///
    /// # Errors
    /// If nothing was done.
    pub async fn act(
        &self,
        _action: Action,
        _channel: ChannelId,
        _order: OrderId,
        _who: &Who,
        _from: SocketAddr,
    ) -> Result<Done, NotDone> {
        Err(NotDone::NoSuchOrder)
    }
}
