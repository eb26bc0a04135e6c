//! MySQL and MariaDB: one connection for each reading, and one read-only transaction. The query is prepared, because
//! only one statement can be.

use super::cell::Cell;
use super::error::{SourceError, root_cause, said};
use super::listing::{Listing, Places, Rows};
use super::query::Query;
use super::stop::Stop;
use crate::domain::secret::Secret;
use crate::net::tls;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Row, TxOpts, Value};
use std::time::Duration;
use tokio::runtime;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

/// Most bytes of a row, and of any other message.
const LARGEST_PACKET: usize = 1024 * 1024;
/// Seconds; no connection lives as long.
const WAIT: usize = 600;

/// Whether `url` is one.
pub(super) fn is_url(url: &str) -> bool {
    options(url).is_some()
}

fn options(url: &str) -> Option<Opts> {
    let rest = url.strip_prefix("mysql:").or_else(|| url.strip_prefix("mariadb:"))?;
    Opts::from_url(&format!("mysql:{rest}")).ok()
}

/// Reads the rows. Dropped, it closes the connection.
///
/// mysql_async reads a result to its end before it lets go of a connection, however long that is, in a task that it
/// spawns. So it gets a runtime of its own, which ends, with its tasks, when the reading does.
pub(super) async fn read(url: &Secret, query: &Query, rows: Rows, deadline: Duration) -> Result<Listing, SourceError> {
    let stop = CancellationToken::new();
    let _stopped_when_dropped = stop.clone().drop_guard();
    let (url, query) = (url.clone(), query.clone());
    let reading = spawn_blocking(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|_| SourceError::NotSetUp("a runtime".to_owned()))?;
        let read = runtime.block_on(async {
            let reading = connect_and_read(&url, &query, rows, deadline);
            stop.run_until_cancelled(reading).await.unwrap_or(Err(SourceError::TimedOut))
        });
        runtime.shutdown_background();
        read
    });
    reading.await.unwrap_or(Err(SourceError::TimedOut))
}

async fn connect_and_read(url: &Secret, query: &Query, rows: Rows, deadline: Duration) -> Result<Listing, SourceError> {
    let options = options(url.expose()).ok_or_else(|| SourceError::NotSetUp("its URL".to_owned()))?;
    let password = options.pass().map(str::to_owned);
    let options = with_limits(options)?;
    let read = async {
        let mut connection = Conn::new(options).await?;
        limit(&mut connection, rows.limit(), deadline).await?;
        read_rows(connection, query, rows).await
    };
    read.await.map_err(|stop| stop.explained(|error| explain(&error, password.as_deref())))
}

/// The URL's options, with what we say about certificates, packets and sockets. The socket is the one that the server
/// on a loopback address says it has, which may be that of another server here.
fn with_limits(options: Opts) -> Result<OptsBuilder, SourceError> {
    let encrypted = options.ssl_opts().cloned();
    let mut builder = OptsBuilder::from_opts(options)
        .prefer_socket(false)
        .max_allowed_packet(Some(LARGEST_PACKET))
        .wait_timeout(Some(WAIT))
        .stmt_cache_size(0);
    if let Some(encrypted) = encrypted {
        let authorities = tls::authorities()?.into_iter().map(|der| der.to_vec().into()).collect();
        builder = builder.ssl_opts(encrypted.with_root_certs(authorities).with_disable_built_in_roots(true));
    }
    Ok(builder)
}

/// Tells the server how much is wanted and for how long, in so far as it understands that. Times are Beijing's.
async fn limit(connection: &mut Conn, limit: usize, deadline: Duration) -> Result<(), Error> {
    let rows = limit.saturating_add(1);
    connection.query_drop(format!("SET SESSION time_zone = '+08:00', sql_select_limit = {rows}")).await?;
    let milliseconds = deadline.as_millis().clamp(1, i32::MAX as u128);
    let seconds = deadline.as_secs_f64().max(0.001);
    for set in [format!("max_statement_time = {seconds:.3}"), format!("max_execution_time = {milliseconds}")] {
        match connection.query_drop(format!("SET SESSION {set}")).await {
            Ok(()) => break,
            // MariaDB's name is unknown to MySQL, and both to old servers.
            Err(Error::Server(refused)) if refused.code == UNKNOWN_VARIABLE => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_rows(mut connection: Conn, query: &Query, mut rows: Rows) -> Result<Listing, Stop<Error>> {
    let mut read_only = TxOpts::default();
    read_only.with_readonly(true);
    let mut transaction = connection.start_transaction(read_only).await?;
    let mut found = transaction.exec_iter(query.as_str(), ()).await?;
    let names: Vec<_> = found.columns_ref().iter().map(|column| column.name_str().into_owned()).collect();
    let places = Places::find(names.iter().map(String::as_str)).map_err(Stop::Columns)?;
    while let Some(row) = found.next().await? {
        if !rows.has_room() {
            break;
        }
        rows.take(&places.row(|position| cell(&row, position)));
    }
    Ok(rows.finish())
}

fn cell(row: &Row, position: usize) -> Cell<'_> {
    match row.as_ref(position) {
        None | Some(Value::NULL) => Cell::Null,
        Some(Value::Bytes(bytes)) => Cell::bytes(bytes),
        Some(Value::Int(number)) => Cell::number(number.to_string()),
        Some(Value::UInt(number)) => Cell::number(number.to_string()),
        // In its own few digits: widened first, 66.1 would be 66.0999984741211.
        Some(Value::Float(number)) => Cell::number(format!("{number:?}")),
        Some(Value::Double(number)) => Cell::float(*number),
        Some(&Value::Date(year, month, day, hour, minute, second, _)) => {
            Cell::text(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
        }
        Some(Value::Time(..)) => Cell::Other,
    }
}

/// `ER_UNKNOWN_SYSTEM_VARIABLE`
const UNKNOWN_VARIABLE: u16 = 1193;

fn explain(error: &Error, password: Option<&str>) -> SourceError {
    match error {
        Error::Server(refused) => {
            let message = said(&refused.message, password);
            match refused.code {
                // Access, host, database, socket's user.
                1044 | 1045 | 1049 | 1129 | 1130 | 1698 | 3118 => SourceError::LoginRefused(message),
                // Too many connections, shutting down.
                1040 | 1053 | 1203 => SourceError::Unreachable(message),
                1792 => SourceError::Writes(message),
                // A lock; MariaDB's and MySQL's limit on a statement; a KILL.
                1205 | 1317 | 1969 | 3024 => SourceError::TimedOut,
                _ => SourceError::QueryRefused(message),
            }
        }
        Error::Io(_) if tls::has_failed(error) => SourceError::Certificate(said(&root_cause(error), password)),
        Error::Io(_) => SourceError::Unreachable(said(&root_cause(error), password)),
        Error::Driver(mysql_async::DriverError::NoClientSslFlagFromServer) => {
            SourceError::Certificate("the server does not encrypt".to_owned())
        }
        Error::Driver(mysql_async::DriverError::ConnectionClosed) => {
            SourceError::BrokeOff("the server closed the connection".to_owned())
        }
        _ => SourceError::QueryRefused(said(&root_cause(error), password)),
    }
}
