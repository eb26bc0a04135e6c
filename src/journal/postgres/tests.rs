//! The journal in a real PostgreSQL.

pub(in crate::journal) mod server;

mod copying;

mod crowded;

mod writing;

use super::Postgres;
use crate::journal::suite::{self, Store};
use crate::journal::{DatabaseSettings, Journal, Room};
use crate::observe::metrics::JournalMeters;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Opens the journal as a gate does.
fn open(settings: &DatabaseSettings, room: Room) -> Arc<Postgres> {
    let opening = Postgres::open(settings, room, JournalMeters::default());
    Arc::new(block_in_place(|| Handle::current().block_on(opening)).unwrap())
}

fn journal(opened: &Arc<Postgres>) -> Journal {
    Journal { queue: Arc::clone(opened) as _, archive: Arc::clone(opened) as _, shared: Some(Arc::clone(opened) as _) }
}

/// A journal in a schema of its own.
struct Schema(DatabaseSettings);

impl Store for Schema {
    fn own_clock(&self) -> Option<Duration> {
        // It is the same one, asked over connections that others may hold up.
        Some(Duration::from_millis(500))
    }

    fn open_for(&self, room: Room) -> Journal {
        journal(&open(&self.0, room))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_every_journal_must() {
    if server::settings().is_some() {
        suite::all(&|| Box::new(Schema(server::settings().unwrap()))).await;
    }
}
