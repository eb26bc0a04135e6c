//! The journal in a real PostgreSQL.

pub(in crate::journal) mod server;

mod copying;

pub(super) mod faults;

mod turns;

mod writing;

mod living;

mod layout;

use super::Postgres;
use crate::domain::secret::Secret;
use crate::journal::suite::{self, Store};
use crate::journal::{DatabaseSettings, Journal, Room};
use crate::observe::metrics::JournalMeters;
use faults::Faults;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

/// Opens the journal as a gate does.
fn open(settings: &DatabaseSettings, room: Room) -> Arc<Postgres> {
    let opening = Postgres::open(settings, room, JournalMeters::default());
    Arc::new(block_in_place(|| Handle::current().block_on(opening)).unwrap())
}

/// As [`open`], and waits until it is among the living: it is opened all the same where the database does not answer.
fn open_living(settings: &DatabaseSettings, room: Room) -> Arc<Postgres> {
    let opened = open(settings, room);
    let lives = async {
        while opened.incarnation.current().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    block_in_place(|| Handle::current().block_on(lives));
    opened
}

fn journal(opened: &Arc<Postgres>) -> Journal {
    Journal { queue: Arc::clone(opened) as _, archive: Arc::clone(opened) as _, shared: Some(Arc::clone(opened) as _) }
}

/// A journal in a schema of its own.
struct Schema {
    settings: DatabaseSettings,
    /// What goes wrong once it is open.
    faults: Option<Arc<Faults>>,
}

impl Schema {
    fn with(settings: DatabaseSettings) -> Box<dyn Store> {
        Box::new(Self { settings, faults: None })
    }
}

impl Store for Schema {
    fn own_clock(&self) -> Option<Duration> {
        // It is the same one, asked over connections that others may hold up.
        Some(Duration::from_millis(500))
    }

    fn open_for(&self, room: Room) -> Journal {
        let opened = open_living(&self.settings, room);
        if let Some(faults) = &self.faults {
            faults.happen_in(&self.settings.schema);
        }
        journal(&opened)
    }
}

/// The settings of another schema for each journal; databases are not to be skipped.
fn settings() -> DatabaseSettings {
    server::settings().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_what_every_journal_must() {
    if server::settings().is_some() {
        suite::all(&|| Schema::with(settings())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_so_where_every_transaction_is_serializable() {
    let serializable = || {
        let mut settings = settings();
        let options = "?options=-c%20default_transaction_isolation%3Dserializable";
        settings.url = Secret::new(format!("{}{options}", settings.url.expose()));
        settings
    };
    if server::settings().is_some() {
        suite::all(&|| Schema::with(serializable())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_does_so_whatever_goes_wrong_at_whichever_statement() {
    if server::settings().is_none() {
        return;
    }
    let faults = Arc::new(Faults::default());
    suite::all(&|| Box::new(Schema { settings: settings(), faults: Some(Arc::clone(&faults)) })).await;
    assert!(faults.count() > 100, "only {} went wrong", faults.count());
}

/// A journal in a schema of its own, which two replicas work on by turns.
struct Shared(DatabaseSettings);

impl Store for Shared {
    fn own_clock(&self) -> Option<Duration> {
        Some(Duration::from_millis(500))
    }

    fn open_for(&self, room: Room) -> Journal {
        turns::open_twice(&self.0, room)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_that_take_turns_do_so_together() {
    if server::settings().is_some() {
        suite::all(&|| Box::new(Shared(settings()))).await;
    }
}
