//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::domain::order::ChannelId;
use crate::journal::*;

/// As [`Queue::lift`].
pub(super) fn lift(_: &Postgres, _: ChannelId, _: Looks) -> BoxFuture<'_, ()> {
    Box::pin(async { Err(AWAY) })
}
