//! One connection, and what is sent on it: statements in one flight, each within the time that a round trip may take.

use super::error::Error;
use super::statement::{Schema, Statement, Value};
use super::tls;
use crate::journal::DatabaseSettings;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

/// A connection that is used by one at a time. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Connection {
    client: Client,
    driver: AbortHandle,
    schema: Arc<Schema>,
    timeout: Duration,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A server that does not answer does not keep the task.
        self.driver.abort();
    }
}

/// How long what has to be made once may take, in round trips: tables, and rows that are copied.
pub(super) const LONG: u32 = 30;

impl Connection {
    /// Connects to the first host that writes, within the time of a round trip for each.
    pub(super) async fn open(settings: &DatabaseSettings, schema: &Arc<Schema>) -> Result<Self, Error> {
        let (config, connector) = tls::connector(settings)?;
        let (client, connection) =
            timeout(settings.timeout * 2, config.connect(connector)).await.map_err(|_| Error::TimedOut)??;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the journal's database ended");
            }
        });
        let opened =
            Self { client, driver: driver.abort_handle(), schema: Arc::clone(schema), timeout: settings.timeout };
        opened.prepare().await?;
        Ok(opened)
    }

    /// A session as the journal needs it: what a role or the server lowers is raised again.
    async fn prepare(&self) -> Result<(), Error> {
        let millis = self.timeout.as_millis();
        let set = format!(
            "SET statement_timeout = {millis}; SET lock_timeout = {millis}; \
             SET idle_in_transaction_session_timeout = {}; SET TIME ZONE 'UTC'",
            millis * u128::from(LONG)
        );
        let raise = async {
            self.client.batch_execute(&set).await?;
            let row = self.client.query_typed_one("SELECT current_setting('synchronous_commit')", &[]).await?;
            if row.try_get::<_, String>(0)? == "off" {
                self.client.batch_execute("SET synchronous_commit = on").await?;
            }
            Ok::<_, tokio_postgres::Error>(())
        };
        timeout(self.timeout, raise).await.map_err(|_| Error::TimedOut)??;
        Ok(())
    }

    /// Whether it is known to be closed.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Sends these statements at once, and gives back the rows of each. After the first error the rest fails too.
    pub(super) async fn pipeline(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        self.within(self.timeout, statements).await
    }

    /// As [`pipeline`](Self::pipeline), for what may take long: layouts, copies.
    pub(super) async fn slowly(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        self.within(self.timeout * LONG, statements).await
    }

    /// Lets the server take as long for the statements of this transaction.
    pub(super) async fn take_time(&self) -> Result<(), Error> {
        let set = format!("SET LOCAL statement_timeout = {}", self.timeout.as_millis() * u128::from(LONG));
        self.pipeline(&[Statement::of(set)]).await.map(drop)
    }

    #[cfg(not(test))]
    async fn within(&self, limit: Duration, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        self.send(limit, statements).await
    }

    /// What the tests let go wrong goes wrong.
    #[cfg(test)]
    async fn within(&self, limit: Duration, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        use super::tests::faults::{self, Fault};
        let Some((place, fault)) = faults::next(&self.schema, statements) else {
            return self.send(limit, statements).await;
        };
        match fault {
            Fault::Says(code) => {
                self.send(limit, statements.get(..place).unwrap_or_default()).await?;
                let said = self.send(limit, &[faults::saying(code)]).await;
                // What began with them is over then.
                if statements.first().is_some_and(|first| first.sql.starts_with("BEGIN")) {
                    self.send(limit, &[Statement::of("ROLLBACK")]).await?;
                }
                return said;
            }
            Fault::Before => drop(self.send(limit, statements.get(..place).unwrap_or_default()).await),
            Fault::After => drop(self.send(limit, statements).await),
        }
        self.driver.abort();
        Err(Error::Away)
    }

    async fn send(&self, limit: Duration, statements: &[Statement]) -> Result<Vec<Vec<Row>>, Error> {
        let texts: Vec<String> = statements.iter().map(|statement| self.schema.text(&statement.sql)).collect();
        let values: Vec<Vec<(&(dyn ToSql + Sync), Type)>> =
            statements.iter().map(|statement| statement.values.iter().map(borrowed).collect()).collect();
        let sent: Vec<_> =
            texts.iter().zip(&values).map(|(text, values)| Box::pin(self.client.query_typed(text, values))).collect();
        timeout(limit, in_order(sent)).await.map_err(|_| Error::TimedOut)?
    }

    /// Several statements without values, one after the other, such as those of a layout.
    pub(super) async fn script(&self, sql: &str) -> Result<(), Error> {
        let text = self.schema.text(sql);
        let limit = self.timeout * LONG;
        timeout(limit, self.client.batch_execute(&text)).await.map_err(|_| Error::TimedOut)??;
        Ok(())
    }

    /// The schema that the tables are in.
    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }
}

fn borrowed((value, of): &Value) -> (&(dyn ToSql + Sync), Type) {
    (&**value, of.clone())
}

/// Sends all before the first answer is awaited, in this order; the first error counts, which is the one that says something.
async fn in_order<F: Future<Output = Result<Vec<Row>, tokio_postgres::Error>>>(
    mut sent: Vec<Pin<Box<F>>>,
) -> Result<Vec<Vec<Row>>, Error> {
    let mut answers: Vec<Option<Result<Vec<Row>, tokio_postgres::Error>>> = sent.iter().map(|_| None).collect();
    poll_fn(|context| {
        // A statement is queued when it is polled first.
        for (one, answer) in sent.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(rows) = one.as_mut().poll(context) {
                *answer = Some(rows);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().map(|rows| rows.map_err(Error::from)).collect()
}
