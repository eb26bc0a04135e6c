//! What this user may do with the tables.

use super::connection::Connection;
use super::error::Error;
use super::refused::{Refused, refused};
use super::statement::Statement;
use crate::journal::{DatabaseProblem, DatabaseSettings};

/// What is missing of the rights that a gate needs, in one question.
const MISSING: &str = "\
SELECT c.relname::text, p.name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (name)
 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT has_table_privilege(c.oid, p.name) ORDER BY 1, 2 LIMIT 1";

/// Whether tables can be made, in a schema that is there or is made too.
const MAY_CREATE: &str = "\
SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1) THEN has_schema_privilege($1, 'CREATE')
       ELSE has_database_privilege(current_database(), 'CREATE') END";

/// The rights to work on the tables that are there.
///
/// # Errors
/// If one is missing.
pub(super) async fn to_work(connection: &Connection, settings: &DatabaseSettings) -> Result<(), Refused> {
    let missing = Statement::of(MISSING).with(settings.schema.clone());
    let rows = connection.pipeline(&[missing]).await.map_err(refused)?.concat();
    let Some(row) = rows.first() else { return Ok(()) };
    let (table, right): (String, String) = (row.try_get(0).map_err(Error::from)?, row.try_get(1).map_err(Error::from)?);
    let said = format!("it lacks {right} on {}.{table}", settings.schema);
    Err(DatabaseProblem::NoRight { said }.into())
}

/// The right to make the tables.
///
/// # Errors
/// If it is missing.
pub(super) async fn to_create(connection: &Connection, settings: &DatabaseSettings) -> Result<(), Refused> {
    let may = Statement::of(MAY_CREATE).with(settings.schema.clone());
    let rows = connection.pipeline(&[may]).await.map_err(refused)?.concat();
    match rows.first().map(|row| row.try_get::<_, bool>(0)) {
        Some(Ok(true)) => Ok(()),
        Some(Err(error)) => Err(Error::from(error).into()),
        _ => {
            let said = format!("it may not create tables in the schema {}", settings.schema);
            Err(DatabaseProblem::NoRight { said }.into())
        }
    }
}
