//! What goes wrong on the way to the database and back, at every statement: others are in the way, or the connection is lost before
//! it or after what was sent with it was done.

use super::super::statement::{Schema, Statement};
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

/// How many flights come through after one that went wrong: whoever tries a whole transaction again is to come to its end.
const QUIET: u32 = 40;

/// Something that goes wrong with a flight of statements, at one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::journal::postgres) enum Fault {
    /// The database says so.
    Says(&'static str),
    /// The connection is lost before it.
    Before,
    /// The connection is lost once everything was done.
    After,
}

const ALL: [Fault; 4] = [Fault::Says("40001"), Fault::Says("40P01"), Fault::Before, Fault::After];

/// What has gone wrong so far.
#[derive(Debug, Default)]
pub(in crate::journal::postgres) struct Faults(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    seen: HashSet<(String, Fault)>,
    /// How many flights are to come through before the next one goes wrong.
    quiet: u32,
}

static BY_SCHEMA: LazyLock<Mutex<HashMap<String, Arc<Faults>>>> = LazyLock::new(Mutex::default);

impl Faults {
    /// They happen in this schema from now on.
    pub(super) fn happen_in(self: &Arc<Self>, schema: &str) {
        BY_SCHEMA.lock().insert(schema.to_owned(), Arc::clone(self));
    }

    /// How many there were.
    pub(super) fn count(&self) -> usize {
        self.0.lock().seen.len()
    }

    fn next(&self, flight: &[Statement]) -> Option<(usize, Fault)> {
        let mut inner = self.0.lock();
        if inner.quiet > 0 {
            inner.quiet -= 1;
            return None;
        }
        for (place, statement) in flight.iter().enumerate() {
            for fault in ALL {
                // Nothing is in the way of what only begins.
                let can_be = !statement.sql.starts_with("BEGIN") || fault == Fault::Before;
                if can_be && inner.seen.insert((statement.sql.clone().into_owned(), fault)) {
                    inner.quiet = QUIET;
                    return Some((place, fault));
                }
            }
        }
        None
    }
}

/// What goes wrong with this flight, and at which statement.
pub(in crate::journal::postgres) fn next(schema: &Schema, flight: &[Statement]) -> Option<(usize, Fault)> {
    let faults = BY_SCHEMA.lock().get(schema.name()).cloned();
    faults?.next(flight)
}

/// A statement that the database answers with this.
pub(in crate::journal::postgres) fn saying(code: &str) -> Statement {
    Statement::of(format!("DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END $$"))
}
