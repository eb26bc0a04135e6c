//! The layout: which one a database has, and how an older one becomes a newer one. The one row of `meta` is the lock of whoever
//! leads it on: of several that begin at once, one makes the tables, and the others find them made.

use super::connection::{Connection, LONG};
use super::error::Error;
use super::refused::{Refused, refused};
use super::rights;
use super::statement::{Schema, Statement};
use crate::journal::{DatabaseProblem, DatabaseSettings};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_postgres::error::SqlState;

/// What leads from each layout to the next, from nothing on. A step is never changed once it was released, and only adds:
/// programs of the layout before go on working while gates are replaced one by one.
pub(super) const STEPS: [&str; 1] = [include_str!("schema-1.sql")];

/// This program's layout.
pub(super) const LAYOUT: usize = STEPS.len();

/// The oldest layout whose programs work with this one. Only `tollgate journal migrate --finish` says so in the database, when
/// no older program works on it any more.
pub(super) const WORKS_WITH: usize = 1;

/// The pause before the layout is looked at again that another one is making.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes of the key of codes.
const KEY: usize = 32;

/// Tables that are there without being ours are seen as such when they were in the way so many times.
const IN_THE_WAY: u32 = 5;

/// What a journal says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    /// Its layout, from 1.
    pub(super) layout: usize,
    /// The oldest layout whose programs may work with it.
    pub(super) works_with: usize,
    /// When it was made, in milliseconds since 1970.
    pub(super) made_at: i64,
    /// What codes of configurations are keyed by.
    pub(super) config_key: Vec<u8>,
}

/// What leads a journal to this program's layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// The layout that there is; 0 for none.
    pub(super) from: usize,
    /// What is to be done, each in a transaction; nothing where that is this program's layout.
    pub(super) steps: Vec<Step>,
}

/// What leads from one layout to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The layout that there has to be before it; 0 for none.
    from: usize,
    /// Its statements, in the order in which a person would run them.
    sql: String,
}

/// What is there.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing { schema_is_there: bool },
    Journal(Meta),
}

/// The journal that is there, in a layout that this program works with.
///
/// # Errors
/// If there is none, it has another layout, or the database does not say.
pub(super) async fn find(connection: &Connection, settings: &DatabaseSettings) -> Result<Meta, Refused> {
    match look(connection, settings).await? {
        Found::Nothing { .. } => Err(DatabaseProblem::Absent { schema: settings.schema.clone() }.into()),
        Found::Journal(meta) if meta.layout < LAYOUT => {
            Err(DatabaseProblem::Older { layout: meta.layout, known: LAYOUT }.into())
        }
        Found::Journal(meta) => Ok(meta),
    }
}

/// As [`find`], but makes the tables, or leads them on, where that is wanted (`journal.migrate`).
///
/// # Errors
/// If that is not wanted or not allowed, or as for `find`.
pub(super) async fn ready(connection: &Connection, settings: &DatabaseSettings) -> Result<Meta, Refused> {
    if settings.migrate {
        lead(connection, settings).await?;
    }
    let meta = find(connection, settings).await?;
    rights::to_work(connection, settings).await?;
    Ok(meta)
}

/// Leads the journal to this program's layout, from nothing on. Says from which one it came; `None` if nothing was to be done.
///
/// # Errors
/// If the database does not let it.
pub(super) async fn lead(connection: &Connection, settings: &DatabaseSettings) -> Result<Option<usize>, Refused> {
    let until = Instant::now() + settings.timeout * LONG;
    let (mut began_at, mut in_the_way) = (None, 0);
    loop {
        let plan = plan(connection, settings).await?;
        let Some(step) = plan.steps.first() else { return Ok(began_at) };
        match run(connection, settings, step).await {
            Ok(true) => {
                tracing::info!(from = plan.from, to = plan.from + 1, journal = %settings, "the journal's tables were made or led on");
                began_at.get_or_insert(plan.from);
                continue;
            }
            // Another one was first.
            Ok(false) => {}
            Err(error) if is_there(&error) => in_the_way += 1,
            Err(error) if error.is_of_others() || is_waiting(&error) => {}
            Err(error) => return Err(refused(error)),
        }
        if in_the_way >= IN_THE_WAY && plan.from == 0 {
            return Err(DatabaseProblem::Foreign { schema: settings.schema.clone() }.into());
        }
        if Instant::now() >= until {
            return Err(Error::TimedOut.into());
        }
        sleep(PAUSE.mul_f64(1.0 + fastrand::f64())).await;
    }
}

/// What has to be done.
pub(super) async fn plan(connection: &Connection, settings: &DatabaseSettings) -> Result<Plan, Refused> {
    let found = look(connection, settings).await?;
    let from = match &found {
        Found::Nothing { .. } => 0,
        Found::Journal(meta) => meta.layout,
    };
    let create = match found {
        Found::Nothing { schema_is_there: false } => format!("CREATE SCHEMA IF NOT EXISTS {};\n\n", settings.schema),
        _ => String::new(),
    };
    let steps = STEPS.iter().enumerate().skip(from).map(|(from, sql)| {
        let before = if from == 0 { create.as_str() } else { "" };
        let after = if from == 0 { is_ours() } else { String::new() };
        Step { from, sql: connection.schema().text(&format!("{before}{sql}{after}")) }
    });
    Ok(Plan { from, steps: steps.collect() })
}

/// That the tables are a journal is written last.
fn is_ours() -> String {
    let key: String = std::iter::repeat_with(|| format!("{:02x}", fastrand::u8(..))).take(KEY).collect();
    format!(
        "\nINSERT INTO ~meta (id, layout, works_with, made_at, config_key) VALUES (1, 1, 1, @now, '\\x{key}'::bytea);\n"
    )
}

impl Plan {
    /// The whole of it, to be read or run by a person; empty if there is nothing to do.
    pub(super) fn sql(&self, schema: &Schema) -> String {
        self.steps
            .iter()
            .map(|step| format!("BEGIN;\n\n{}\n{}COMMIT;\n", step.sql, schema.text(&step.mark())))
            .collect()
    }
}

impl Step {
    /// Says that the next layout is there.
    fn mark(&self) -> String {
        match self.from {
            0 => String::new(),
            from => format!("UPDATE ~meta SET layout = {} WHERE id = 1 AND layout = {from};\n\n", from + 1),
        }
    }
}

async fn run(connection: &Connection, settings: &DatabaseSettings, step: &Step) -> Result<bool, Error> {
    let done = run_in_transaction(connection, settings, step).await;
    if !matches!(done, Ok(true)) {
        // What is left of the transaction goes with the connection if this fails too.
        let _ = connection.script("ROLLBACK").await;
    }
    done
}

/// Whether it was done; not if another one has done it.
async fn run_in_transaction(connection: &Connection, settings: &DatabaseSettings, step: &Step) -> Result<bool, Error> {
    let limit = (settings.timeout * LONG).as_millis();
    connection
        .script(&format!("BEGIN; SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit}"))
        .await?;
    if step.from > 0 {
        let from = i32::try_from(step.from).unwrap_or(i32::MAX);
        let mark = "UPDATE ~meta SET layout = layout + 1 WHERE id = 1 AND layout = $1 RETURNING layout";
        if connection.slowly(&[Statement::of(mark).with(from)]).await?.concat().is_empty() {
            return Ok(false);
        }
    }
    connection.script(&step.sql).await?;
    connection.script("COMMIT").await?;
    Ok(true)
}

async fn look(connection: &Connection, settings: &DatabaseSettings) -> Result<Found, Refused> {
    let there = Statement::of("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1").with(settings.schema.clone());
    let schema_is_there = !connection.pipeline(&[there]).await.map_err(refused)?.concat().is_empty();
    let said = Statement::of("SELECT layout, works_with, made_at, config_key FROM ~meta WHERE id = 1");
    let rows = match connection.pipeline(&[said]).await {
        Ok(rows) => rows.concat(),
        Err(error) if is_undefined(&error, &[SqlState::UNDEFINED_TABLE, SqlState::INVALID_SCHEMA_NAME]) => {
            return Ok(Found::Nothing { schema_is_there });
        }
        Err(error) if is_undefined(&error, &[SqlState::UNDEFINED_COLUMN]) => {
            return Err(DatabaseProblem::Foreign { schema: settings.schema.clone() }.into());
        }
        Err(error) => return Err(refused(error)),
    };
    let foreign = || DatabaseProblem::Foreign { schema: settings.schema.clone() };
    let row = rows.first().ok_or_else(foreign)?;
    let number = |column| row.try_get::<_, i32>(column).ok().and_then(|number| usize::try_from(number).ok());
    let meta = || {
        Some(Meta {
            layout: number("layout").filter(|layout| *layout > 0)?,
            works_with: number("works_with")?,
            made_at: row.try_get("made_at").ok()?,
            config_key: row.try_get("config_key").ok()?,
        })
    };
    let meta = meta().ok_or_else(foreign)?;
    if meta.works_with > LAYOUT {
        return Err(DatabaseProblem::Newer { layout: meta.layout, works_with: meta.works_with, known: LAYOUT }.into());
    }
    Ok(Found::Journal(meta))
}

fn is_undefined(error: &Error, codes: &[SqlState]) -> bool {
    error.code().is_some_and(|code| codes.contains(code))
}

/// Something of the same name is there, or has come there at the same time.
fn is_there(error: &Error) -> bool {
    let codes = [
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_SCHEMA,
        SqlState::DUPLICATE_OBJECT,
        SqlState::DUPLICATE_COLUMN,
        SqlState::UNIQUE_VIOLATION,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

fn is_waiting(error: &Error) -> bool {
    error.code().is_some_and(|code| [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED].contains(code))
}
