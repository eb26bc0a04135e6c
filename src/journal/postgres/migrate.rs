//! What people do to the layout, and ask of the database before a gate starts.

use super::connection::Connection;
use super::error::Error;
use super::refused::{Refused, refused};
use super::schema::{self, Meta, WORKS_WITH};
use super::statement::{Schema, Statement};
use super::{rights, tls};
use crate::domain::clock;
use crate::journal::database::{DatabaseFacts, Migrated};
use crate::journal::{DatabaseProblem, DatabaseSettings, OpenError};
use std::sync::Arc;
use tokio::time::Instant;

/// Makes the tables, or leads them to this program's layout.
///
/// # Errors
/// If the database is not to be had, or does not let it.
pub(in crate::journal) async fn migrate(settings: &DatabaseSettings) -> Result<Migrated, OpenError> {
    let lead = async {
        let connection = connect(settings).await?;
        let from = schema::lead(&connection, settings).await?;
        let meta = schema::find(&connection, settings).await?;
        Ok(Migrated { from, layout: meta.layout, works_with: meta.works_with })
    };
    tls::usable(settings)?;
    lead.await.map_err(|error: Refused| error.into_open_error(settings))
}

/// The statements that [`migrate`] would run; empty if there are none.
///
/// # Errors
/// If the database is not to be had, or has something else there.
pub(in crate::journal) async fn migration(settings: &DatabaseSettings) -> Result<String, OpenError> {
    let plan = async {
        let connection = connect(settings).await?;
        Ok(schema::plan(&connection, settings).await?.sql(connection.schema()))
    };
    tls::usable(settings)?;
    plan.await.map_err(|error: Refused| error.into_open_error(settings))
}

/// Says in the database that programs of older layouts than this one's need not work with it any more. Whether that was news.
///
/// # Errors
/// If a replica of another version lives, or the database is not to be had.
pub(in crate::journal) async fn finish(settings: &DatabaseSettings) -> Result<bool, OpenError> {
    let finish = async {
        let connection = connect(settings).await?;
        schema::find(&connection, settings).await?;
        let others = Statement::of(
            "SELECT name, version FROM ~replica WHERE alive_until > @now AND version <> $1 ORDER BY name LIMIT 1",
        );
        let others = others.with(env!("CARGO_PKG_VERSION"));
        if let Some(other) = connection.pipeline(&[others]).await.map_err(refused)?.concat().first() {
            let text = |column| other.try_get::<_, String>(column).map_err(Error::from);
            return Err(DatabaseProblem::OtherVersion { replica: text("name")?, version: text("version")? }.into());
        }
        let works_with = i32::try_from(WORKS_WITH).unwrap_or(i32::MAX);
        let raise = "UPDATE ~meta SET works_with = $1 WHERE id = 1 AND works_with < $1 RETURNING works_with";
        let raised = connection.pipeline(&[Statement::of(raise).with(works_with)]).await.map_err(refused)?;
        Ok(!raised.concat().is_empty())
    };
    tls::usable(settings)?;
    finish.await.map_err(|error: Refused| error.into_open_error(settings))
}

/// What the database is like, if a gate could work on it as it is configured.
///
/// # Errors
/// Why it could not.
pub(in crate::journal) async fn facts(settings: &DatabaseSettings) -> Result<DatabaseFacts, OpenError> {
    let look = async {
        let connection = connect(settings).await?;
        let layout = match schema::find(&connection, settings).await {
            Ok(Meta { layout, .. }) => {
                rights::to_work(&connection, settings).await?;
                Some(layout)
            }
            Err(Refused::Problem(DatabaseProblem::Absent { .. } | DatabaseProblem::Older { .. }))
                if settings.migrate =>
            {
                rights::to_create(&connection, settings).await?;
                None
            }
            Err(error) => return Err(error),
        };
        let (now, at) = time(&connection).await?;
        let asked =
            "SELECT current_setting('server_version') AS version, current_setting('synchronous_commit') AS synchronous";
        let rows = connection.pipeline(&[Statement::of(asked)]).await.map_err(refused)?.concat();
        let row = rows.first().ok_or(Error::Damaged("version"))?;
        let read = |column: &'static str| row.try_get::<_, String>(column).map_err(Error::from);
        let since = i64::try_from(at.elapsed().as_millis()).unwrap_or(0);
        Ok(DatabaseFacts {
            version: read("version")?,
            layout,
            synchronous_commit: read("synchronous")?,
            clock_skew_ms: clock::now().as_millisecond().saturating_sub(since).saturating_sub(now),
        })
    };
    tls::usable(settings)?;
    look.await.map_err(|error: Refused| error.into_open_error(settings))
}

/// The database's time, and the moment halfway between question and answer, which it is taken to be of.
pub(super) async fn time(connection: &Connection) -> Result<(i64, Instant), Error> {
    let began = Instant::now();
    let rows = connection.pipeline(&[Statement::of("SELECT @now AS now")]).await?.concat();
    let now = rows.first().ok_or(Error::Damaged("now"))?.try_get("now")?;
    Ok((now, began + began.elapsed() / 2))
}

async fn connect(settings: &DatabaseSettings) -> Result<Connection, Refused> {
    Connection::open(settings, &Arc::new(Schema::named(&settings.schema))).await.map_err(refused)
}
