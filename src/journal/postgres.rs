//! The journal in a PostgreSQL, or an engine that speaks it, which several gates share. Whatever must hold over all of them
//! holds by what the database says, and by nothing that one of them remembers.
//!
//! Every stay of a process on the list of the living is an incarnation with a lease (`incarnation`); what it holds names it.
//! What callbacks wait for is written in batches, each of which is one transaction sent in one flight (`writer`); everything
//! else, and all that is read, has connections of its own (`database`). SQL is that of the subset that engines have in common:
//! no triggers, sequences, notifications, advisory locks or temporary tables, and nothing that a session would have to remember.

mod statement;

mod error;

mod tls;

mod connection;

mod database;

mod numbers;

mod holds;

mod incarnation;

mod refused;

mod rights;

mod migrate;

mod schema;

mod replicas;

mod shares;

mod duty;

mod member;

mod op;

mod begun;

mod content;

mod script;

mod lead;

mod attempts;

mod lines;

mod append;

mod take_in;

mod batch;

mod inbox;

mod lane;

mod budget;

mod crowd;

mod room;

mod look;

mod writer;

mod work;

mod queue;

mod begin;

mod columns;

mod read;

mod find;

mod kinds;

mod view;

mod texts;

mod refusals;

mod confirmed;

mod held;

mod figures;

mod fence;

mod found;

mod due;

mod rank;

mod owners;

mod recovery;

mod sweeps;

mod pending_orders;

mod upkeep;

mod clock;

mod forget;

mod minutes;

mod audit;

mod act;

mod changed;

mod trail;

mod redeliver;

mod swept;

mod check;

mod copy;

mod copied_tables;

mod archive;

mod shared;

#[cfg(test)]
mod tests;

pub(super) use migrate::{facts, finish, migrate, migration};

pub(super) use check::check;
pub(super) use copy::copy;
pub use tls::{BadUrl, shown};

use super::{DatabaseSettings, OpenError, Room};
use crate::observe::metrics::JournalMeters;
use database::Database;
use holds::Holds;
use incarnation::Incarnation;
use member::Member;
use numbers::{Bucket, Numbers};
use refused::{Refused, refused};
use schema::Meta;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::runtime::Handle;
use writer::Writer;

/// The database, opened.
#[derive(Debug)]
pub(super) struct Postgres {
    database: Arc<Database>,
    /// This process on the list of the living.
    incarnation: Arc<Incarnation>,
    /// What it holds.
    holds: Arc<Holds>,
    /// Makes numbers.
    numbers: Arc<Numbers>,
    /// What keeps it on the list, and hears of the others; it is on none where the journal was opened beside.
    member: Arc<Member>,
    /// Counts the queries for due entries.
    turn: AtomicUsize,
    /// Writes what callbacks wait for.
    writer: Arc<Writer>,
}

impl Drop for Postgres {
    /// What was noted is still written, and what is held given back, as far as the process lives for that long.
    fn drop(&mut self) {
        let (writer, member) = (Arc::clone(&self.writer), Arc::clone(&self.member));
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                writer.finish().await;
                member.leave().await;
            });
        }
    }
}

impl Postgres {
    /// Opens the journal for a gate, which is a replica from now on. One whose database does not answer is opened all the same.
    ///
    /// # Errors
    /// If the database refuses this user, or has no journal that this program can work with.
    pub(super) async fn open(
        settings: &DatabaseSettings,
        room: Room,
        meters: JournalMeters,
    ) -> Result<Self, OpenError> {
        tls::usable(settings)?;
        let postgres = Self::of(settings, room, meters);
        postgres.member.begin().await?;
        work::begin(&postgres.writer);
        Ok(postgres)
    }

    /// Opens the journal beside the gates that may work on it.
    ///
    /// # Errors
    /// If the database cannot be reached, or has no journal of this program's layout.
    pub(super) async fn beside(settings: &DatabaseSettings) -> Result<Self, OpenError> {
        let postgres = Self::of(settings, 0.into(), JournalMeters::default());
        postgres.meta().await?;
        Ok(postgres)
    }

    /// Nothing works on it yet.
    fn of(settings: &DatabaseSettings, room: Room, meters: JournalMeters) -> Self {
        let (database, incarnation, holds) = (Arc::new(Database::of(settings)), Arc::default(), Arc::default());
        let member = Member::of(Arc::clone(&database), Arc::clone(&incarnation), Arc::clone(&holds));
        let (numbers, turn) = (Arc::default(), AtomicUsize::new(0));
        let writer = Arc::new(Writer::new(&database, &incarnation, &holds, &numbers, (room, meters)));
        Self { database, incarnation, holds, numbers, member: Arc::new(member), turn, writer }
    }

    /// A number for a row that belongs to no bucket. One that is no replica's has a slot at random.
    fn next_id(&self) -> i64 {
        let (bucket, slot) = match self.incarnation.current() {
            Some(me) => (0, me.slot),
            None => (fastrand::u8(..), fastrand::u16(..numbers::SLOTS)),
        };
        self.numbers.next(self.incarnation.now(), Bucket(bucket), slot)
    }

    /// What the journal says of itself.
    async fn meta(&self) -> Result<Meta, OpenError> {
        let settings = &self.database.settings;
        tls::usable(settings)?;
        let found = async {
            let connection = self.database.connect().await.map_err(refused)?;
            let meta = schema::find(&connection, settings).await?;
            let (now, at) = migrate::time(&connection).await?;
            self.incarnation.time_is(now, at);
            Ok(meta)
        };
        found.await.map_err(|error: Refused| error.into_open_error(settings))
    }
}

/// Whether a gate works on the journal at the moment.
pub(super) async fn is_worked_on(settings: &DatabaseSettings) -> Result<bool, OpenError> {
    let replicas = Postgres::beside(settings).await?.list().await.map_err(|error| OpenError::Store(Box::new(error)))?;
    Ok(replicas.iter().any(|replica| replica.live))
}
