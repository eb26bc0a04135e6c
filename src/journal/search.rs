//! Which callbacks are meant.

use super::State;
use super::ids::EntryId;
use crate::domain::order::{ChannelId, OrderId};
use std::time::Duration;
use uuid::Uuid;

/// Which callbacks. Everything that is given must hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct Search {
    /// Of this order: the legacy system's id, WeChat Pay's number or transaction id.
    pub order: Option<OrderId>,
    /// With exactly this id in the legacy system.
    pub order_id: Option<OrderId>,
    /// On this channel.
    pub channel: Option<ChannelId>,
    /// The callback with this `X-Request-Id`.
    pub request_id: Option<Uuid>,
    /// Received in this time.
    pub received_within: Option<Duration>,
    /// In this state.
    pub state: Option<State>,
    /// With a higher number.
    pub after: Option<EntryId>,
    /// With this number.
    pub entry: Option<EntryId>,
}
