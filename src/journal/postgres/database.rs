//! The database: connections to it that are kept, and transactions that are tried again where that may help.

use super::connection::Connection;
use super::error::Error;
use super::statement::{Schema, Statement};
use crate::journal::{BoxFuture, DatabaseSettings};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

/// Connections of the pool that write batches, where there are enough; the rest reads, and does what people ask for.
const WRITERS: usize = 2;

/// The connection that keeps this replica on the list of the living.
const RENEWING: usize = 1;

/// From so many connections on there are all those that write.
const ENOUGH: usize = WRITERS + RENEWING + 1;

/// For how many round trips a transaction is tried again.
const TRIED_FOR: u32 = 4;

/// The pause before the second try again; the first is at once, and each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is done in a transaction. It may be done again, so whatever it writes must do no harm if it was written before.
pub(super) type Work<'t, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 't>>;

/// The database of a journal.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) settings: DatabaseSettings,
    pub(super) schema: Arc<Schema>,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
}

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Tx<'c> {
    connection: &'c Connection,
}

/// How a transaction begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It reads, and sees one moment.
    Read,
    /// It writes.
    Write,
    /// It does not: each statement is one of its own.
    Single,
}

impl Kind {
    const fn begin(self) -> Option<&'static str> {
        match self {
            Self::Read => Some("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"),
            Self::Write => Some("BEGIN"),
            Self::Single => None,
        }
    }
}

impl Tx<'_> {
    /// The rows of a statement.
    pub(super) async fn rows(&self, statement: Statement) -> Result<Vec<Row>, Error> {
        Ok(self.all(&[statement]).await?.pop().unwrap_or_default())
    }

    /// The first row of a statement, if it has one.
    pub(super) async fn first(&self, statement: Statement) -> Result<Option<Row>, Error> {
        Ok(self.rows(statement).await?.into_iter().next())
    }

    /// The rows of each of several statements, which are sent at once.
    pub(super) async fn all(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        self.connection.pipeline(statements).await
    }

    /// The schema that the tables are in.
    pub(super) fn schema(&self) -> &str {
        self.connection.schema().name()
    }

    /// From now on a statement of this transaction may take many times as long as a round trip.
    pub(super) async fn take_time(&self) -> Result<(), Error> {
        self.connection.take_time().await
    }

    /// As [`rows`](Self::rows), for what may take many times as long as a round trip.
    pub(super) async fn slowly(&self, statement: Statement) -> Result<Vec<Row>, Error> {
        Ok(self.connection.slowly(&[statement]).await?.pop().unwrap_or_default())
    }
}

impl Database {
    pub(super) fn of(settings: &DatabaseSettings) -> Self {
        let schema = Arc::new(Schema::named(&settings.schema));
        let places = Semaphore::new(settings.pool.saturating_sub(writers(settings) + RENEWING).max(1));
        Self { settings: settings.clone(), schema, idle: Mutex::default(), places }
    }

    /// How many connections write batches.
    pub(super) fn writers(&self) -> usize {
        writers(&self.settings)
    }

    /// A connection of its own, for whoever keeps it.
    pub(super) async fn connect(&self) -> Result<Connection, Error> {
        Connection::open(&self.settings, &self.schema).await
    }

    /// Reads in one moment. A read that broke off is done again.
    pub(super) fn read<'d, T, F>(&'d self, work: F) -> BoxFuture<'d, T>
    where
        T: Send + 'd,
        F: for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync + 'd,
    {
        Box::pin(async move { self.transact(Kind::Read, &work).await.map_err(Error::into_unread) })
    }

    /// Writes in one transaction, which is durable when this is ready.
    pub(super) fn write<'d, T, F>(&'d self, work: F) -> BoxFuture<'d, T>
    where
        T: Send + 'd,
        F: for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync + 'd,
    {
        Box::pin(async move { self.transact(Kind::Write, &work).await.map_err(Error::into_unwritten) })
    }

    /// Does what is a transaction for each statement, as long as that may help: what it writes may be written in part.
    pub(super) fn singly<'d, T, F>(&'d self, work: F) -> BoxFuture<'d, T>
    where
        T: Send + 'd,
        F: for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync + 'd,
    {
        Box::pin(async move { self.transact(Kind::Single, &work).await.map_err(Error::into_unread) })
    }

    /// Does something in a transaction, again and again while that may help and time allows.
    pub(super) async fn transact<T, F>(&self, kind: Kind, work: &F) -> Result<T, Error>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync,
    {
        let until = Instant::now() + self.settings.timeout * TRIED_FOR;
        let mut pause = Duration::ZERO;
        loop {
            let error = match self.once(kind, work).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if !error.may_pass() || Instant::now() + pause >= until {
                return Err(error);
            }
            tracing::debug!(%error, "a transaction of the journal is tried again");
            sleep(pause).await;
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        }
    }

    async fn once<T, F>(&self, kind: Kind, work: &F) -> Result<T, Error>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> Work<'t, T> + Send + Sync,
    {
        // It is never closed.
        let _place = self.places.acquire().await.map_err(|_| Error::Away)?;
        let connection = match self.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let done = async {
            let Some(begin) = kind.begin() else { return work(&Tx { connection: &connection }).await };
            connection.pipeline(&[Statement::of(begin)]).await?;
            let done = work(&Tx { connection: &connection }).await?;
            connection.pipeline(&[Statement::of("COMMIT")]).await?;
            Ok::<T, Error>(done)
        }
        .await;
        match &done {
            Ok(_) => self.give_back(connection),
            Err(error) if error.is_of_the_connection() => {}
            Err(_) if kind == Kind::Single => self.give_back(connection),
            // What the transaction has done is undone, or the connection is not used again.
            Err(_) => {
                if connection.pipeline(&[Statement::of("ROLLBACK")]).await.is_ok() {
                    self.give_back(connection);
                }
            }
        }
        done
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock();
        while let Some(connection) = idle.pop() {
            if !connection.is_closed() {
                return Some(connection);
            }
        }
        None
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().push(connection);
    }
}

fn writers(settings: &DatabaseSettings) -> usize {
    if settings.pool < ENOUGH { 1 } else { WRITERS }
}
