//! Who does what one alone has to do, and wakes from a pause in which another took it over, writes no more of it.

use super::database::Tx;
use super::error::Error;
use super::statement::Statement;
use crate::journal::{Duty, JournalError};

/// Whether another that lives has a duty.
const TAKEN: &str = "SELECT 1 FROM ~duty duty
    JOIN ~replica replica ON replica.incarnation = duty.holder AND replica.alive_until > @now
    WHERE duty.name = $1 AND duty.holder <> $2";

/// Breaks a transaction off that belongs to a duty which another has.
pub(super) async fn fence(tx: &Tx<'_>, duty: &Duty, me: i64) -> Result<(), Error> {
    match tx.first(Statement::of(TAKEN).with(duty.to_string()).with(me)).await? {
        None => Ok(()),
        Some(_) => {
            tracing::warn!(%duty, "another replica has taken this over, so nothing more of it is written");
            Err(Error::Answer(JournalError::Unavailable))
        }
    }
}
