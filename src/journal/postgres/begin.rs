//! TEMPORARY
use super::Postgres;
use super::database::AWAY;
use crate::journal::*;

/// As [`Shared::begin`].
pub(super) fn begin(_: &Postgres, _: Sending) -> BoxFuture<'_, Begun> {
    Box::pin(async { Err(AWAY) })
}

/// As [`Shared::abandon`].
pub(super) fn abandon(_: &Postgres, _: Attempt) {}
