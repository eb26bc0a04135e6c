//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::domain::order::*;
use crate::journal::recovery::*;
use crate::journal::*;
use jiff::Timestamp;
use std::time::Duration;
impl Recovery for Postgres {
    fn bring_forward(&self, _: Vec<ChannelId>, _: Timestamp, _: usize) -> BoxFuture<'_, usize> {
        Box::pin(async { Err(AWAY) })
    }

    fn bring_anew(&self, _: Vec<ChannelId>, _: usize) -> BoxFuture<'_, usize> {
        Box::pin(async { Err(AWAY) })
    }

    fn end_waiting(&self, _: Vec<ChannelId>, _: Vec<String>, _: usize) -> BoxFuture<'_, usize> {
        Box::pin(async { Err(AWAY) })
    }

    fn next_waiting(&self, _: Vec<ChannelId>, _: Vec<EntryId>) -> BoxFuture<'_, Option<Job>> {
        Box::pin(async { Err(AWAY) })
    }

    fn overdue(&self, _: Vec<ChannelId>, _: Duration, _: usize) -> BoxFuture<'_, Vec<Job>> {
        Box::pin(async { Err(AWAY) })
    }
}
