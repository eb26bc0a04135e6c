//! PostgreSQL: one connection for each reading, one read-only transaction, and a cursor, so that no more rows leave the
//! server than are wanted, whatever the query says. Values come as PostgreSQL writes them.

use super::cell::Cell;
use super::error::{SourceError, root_cause, said};
use super::listing::{Listing, Places, Rows};
use super::query::Query;
use super::stop::Stop;
use crate::domain::secret::Secret;
use crate::net::tls;
use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::time::Duration;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Rows for each round trip.
const AT_ONCE: usize = 500;

/// Whether `url` is one.
pub(super) fn is_url(url: &str) -> bool {
    config(url).is_some()
}

/// `sslmode` is understood as libpq does, with one difference: `require` checks the certificate like `verify-full`.
fn config(url: &str) -> Option<Config> {
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let mut config: Config = url.replace("sslmode=allow", "sslmode=prefer").parse().ok()?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return None;
    }
    config.application_name(env!("CARGO_PKG_NAME"));
    Some(config)
}

/// Reads the rows. Dropped, it closes the connection.
pub(super) async fn read(url: &Secret, query: &Query, rows: Rows, deadline: Duration) -> Result<Listing, SourceError> {
    let mut config = config(url.expose()).ok_or_else(|| SourceError::NotSetUp("its URL".to_owned()))?;
    config.connect_timeout(deadline);
    let tls = match config.get_ssl_mode() {
        SslMode::Disable => tls::unused()?,
        SslMode::Prefer => tls::unchecked(None)?,
        _ => tls::checked(None, None)?,
    };
    let password = config.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
    let connected = config.connect(MakeRustlsConnect::new(tls)).await;
    let (client, connection) = connected.map_err(|error| not_connected(&error, password.as_deref()))?;
    let explain = |error| explain(&error, password.as_deref());
    let mut connection = pin!(connection);
    // What is read needs the connection to be driven, and the connection ends only if it breaks.
    tokio::select! {
        read = read_rows(&client, query, rows, deadline) => read.map_err(|stop| stop.explained(explain)),
        ended = &mut connection => Err(match ended {
            Ok(()) => SourceError::BrokeOff("the server closed the connection".to_owned()),
            Err(error) => explain(error),
        }),
    }
}

/// Everything is set for the transaction only, so that it works behind a pooler. Times are Beijing's.
async fn read_rows(client: &Client, query: &Query, mut rows: Rows, deadline: Duration) -> Result<Listing, Stop<Error>> {
    let milliseconds = deadline.as_millis().clamp(1, i32::MAX as u128);
    let begin = format!(
        "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {milliseconds}; \
         SET LOCAL TIME ZONE 8; SET LOCAL DateStyle = 'ISO'"
    );
    client.batch_execute(&begin).await?;
    // Prepared, because only one statement can be.
    client.execute(&format!("DECLARE tollgate NO SCROLL CURSOR FOR {}", query.as_str()), &[]).await?;
    let at_once = AT_ONCE.min(rows.limit().saturating_add(1));
    let fetch = format!("FETCH FORWARD {at_once} FROM tollgate");
    let mut places = None;
    loop {
        let mut fetched = 0;
        for message in client.simple_query(&fetch).await? {
            match message {
                SimpleQueryMessage::RowDescription(columns) if places.is_none() => {
                    let names = columns.iter().map(tokio_postgres::SimpleColumn::name);
                    places = Some(Places::find(names).map_err(Stop::Columns)?);
                }
                SimpleQueryMessage::Row(row) => {
                    if !rows.has_room() {
                        return Ok(rows.finish());
                    }
                    fetched += 1;
                    if let Some(places) = &places {
                        let cell = |position| row.try_get(position).ok().flatten().map_or(Cell::Null, Cell::text);
                        rows.take(&places.row(cell));
                    }
                }
                _ => {}
            }
        }
        if fetched < at_once {
            return Ok(rows.finish());
        }
    }
}

/// Why there is no connection.
fn not_connected(error: &Error, password: Option<&str>) -> SourceError {
    let cause = || said(&root_cause(error), password);
    match error.as_db_error() {
        Some(_) => explain(error, password),
        // tokio-postgres tells this kind apart in its text only.
        None if error.to_string().starts_with("error performing TLS handshake") => SourceError::Certificate(cause()),
        None => SourceError::Unreachable(cause()),
    }
}

/// Why a connection brought no rows.
fn explain(error: &Error, password: Option<&str>) -> SourceError {
    let Some(refused) = error.as_db_error() else {
        let cause = said(&root_cause(error), password);
        let broken = error.is_closed() || error.source().is_some_and(|cause| cause.is::<io::Error>());
        return if broken { SourceError::BrokeOff(cause) } else { SourceError::QueryRefused(cause) };
    };
    let message = said(refused.message(), password);
    let code = refused.code();
    match code.code().get(..2) {
        _ if *code == SqlState::QUERY_CANCELED => SourceError::TimedOut,
        _ if *code == SqlState::READ_ONLY_SQL_TRANSACTION => SourceError::Writes(message),
        // What a cursor says about WITH x AS (INSERT ...).
        _ if *code == SqlState::FEATURE_NOT_SUPPORTED && message.contains("data-modifying") => {
            SourceError::Writes(message)
        }
        Some("28" | "3D") => SourceError::LoginRefused(message),
        Some("08" | "53" | "57" | "58") => SourceError::Unreachable(message),
        _ => SourceError::QueryRefused(message),
    }
}
