//! How a database is reached: its URL as libpq reads it, and whom an encrypted connection ends at.

use super::error::Error;
use crate::journal::{DatabaseProblem, DatabaseSettings, OpenError};
use crate::net::tls::{self, ClientPair, NoTls};
use std::net::IpAddr;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long nothing may be heard of a connection before it is looked after.
const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(10);

/// How certificates are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Everything: `require`, `verify-ca`, `verify-full`, and where nothing is said and the server is on another machine.
    Full,
    /// Nothing: `prefer`, `allow`.
    None,
    /// There is no TLS: `disable`.
    Off,
}

/// Why a URL is none of a journal's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It does not read as one.
    #[error("is no URL of a PostgreSQL database")]
    Unreadable,
    /// It names no server.
    #[error("names no server")]
    NoHost,
    /// It names no database.
    #[error("names no database")]
    NoDatabase,
}

/// The connection's settings, and how its certificate is looked at.
fn config(url: &str) -> Result<(Config, Check), BadUrl> {
    let (mode, rest) = without_mode(url);
    let mut config: Config = rest.parse().map_err(|_| BadUrl::Unreadable)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(BadUrl::NoHost);
    }
    if config.get_dbname().is_none_or(str::is_empty) {
        return Err(BadUrl::NoDatabase);
    }
    let (check, ssl) = match mode.as_deref() {
        Some("disable") => (Check::Off, SslMode::Disable),
        Some("allow" | "prefer") => (Check::None, SslMode::Prefer),
        Some("require" | "verify-ca" | "verify-full") => (Check::Full, SslMode::Require),
        Some(_) => return Err(BadUrl::Unreadable),
        None if is_here(&config) => (Check::None, SslMode::Prefer),
        None => (Check::Full, SslMode::Require),
    };
    config.ssl_mode(ssl);
    config.application_name(env!("CARGO_PKG_NAME"));
    config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    Ok((config, check))
}

/// The value of `sslmode`, and the URL without it, since not all of libpq's are known to tokio-postgres.
fn without_mode(url: &str) -> (Option<String>, String) {
    let Some((before, query)) = url.split_once('?') else { return (None, url.to_owned()) };
    let mut mode = None;
    let mut rest = Vec::new();
    for parameter in query.split('&') {
        match parameter.strip_prefix("sslmode=") {
            Some(value) => mode = Some(value.to_owned()),
            None => rest.push(parameter),
        }
    }
    let rest = if rest.is_empty() { before.to_owned() } else { format!("{before}?{}", rest.join("&")) };
    (mode, rest)
}

/// Whether all its servers are on this machine.
fn is_here(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name.starts_with('/')
                || name == "localhost"
                || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    })
}

/// What names the database to people: hosts with ports and the database, without user, password and parameters.
///
/// # Errors
/// If it is no URL of a journal.
pub fn shown(url: &str) -> Result<String, BadUrl> {
    let (config, _) = config(url)?;
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(place, host)| {
        let name = match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        match ports.get(place).or(ports.first()) {
            Some(port) => format!("{name}:{port}"),
            None => name,
        }
    });
    let hosts: Vec<_> = hosts.collect();
    Ok(format!("postgres://{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default()))
}

/// Everything that a connection needs.
pub(super) fn connector(settings: &DatabaseSettings) -> Result<(Config, MakeRustlsConnect), Error> {
    let (mut config, check) = config(settings.url.expose()).map_err(|_| Error::Away)?;
    if let Some(password) = &settings.password {
        config.password(password.expose());
    }
    config
        .connect_timeout(settings.timeout)
        .keepalives(true)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE)
        .tcp_user_timeout(settings.timeout);
    let tls = client(settings, check).map_err(|_| Error::Away)?;
    Ok((config, MakeRustlsConnect::new(tls)))
}

fn client(settings: &DatabaseSettings, check: Check) -> Result<rustls::ClientConfig, NoTls> {
    let files = &settings.tls;
    let pair = || -> Result<Option<ClientPair>, NoTls> {
        match (&files.cert, &files.key) {
            (Some(cert), Some(key)) => Ok(Some((tls::certificates(cert)?, tls::private_key(key)?))),
            _ => Ok(None),
        }
    };
    match check {
        Check::Off => tls::unused(),
        Check::None => tls::unchecked(pair()?),
        Check::Full => tls::checked(files.ca.as_deref().map(tls::certificates).transpose()?, pair()?),
    }
}

/// What is wrong with the files for TLS, before anything is connected.
///
/// # Errors
/// What, in words that tell what to do.
pub(super) fn usable(settings: &DatabaseSettings) -> Result<(), OpenError> {
    let wrong = |problem| OpenError::Database { database: settings.shown.clone(), problem };
    if settings.url.expose().is_empty() {
        return Err(wrong(DatabaseProblem::Unread));
    }
    let (_, check) =
        config(settings.url.expose()).map_err(|error| wrong(DatabaseProblem::Other { said: error.to_string() }))?;
    client(settings, check).map(drop).map_err(|error| wrong(DatabaseProblem::NoTls { said: error.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_libpq_reads_it() {
        for (url, check, ssl) in [
            ("postgres://gate@127.0.0.1/shop", Check::None, SslMode::Prefer),
            ("postgres://gate@localhost:5433/shop?connect_timeout=3", Check::None, SslMode::Prefer),
            ("postgres://gate@db.internal/shop", Check::Full, SslMode::Require),
            ("postgres://gate@db1,db2:6000/shop?sslmode=verify-ca", Check::Full, SslMode::Require),
            ("postgres://gate@db/shop?sslmode=disable", Check::Off, SslMode::Disable),
            ("postgresql://gate@db/shop?sslmode=prefer&connect_timeout=3", Check::None, SslMode::Prefer),
        ] {
            let (config, found) = config(url).unwrap();
            assert_eq!((found, config.get_ssl_mode()), (check, ssl), "{url}");
        }
        for (url, why) in [
            ("mysql://gate@db/shop", BadUrl::Unreadable),
            ("postgres://gate@db/shop?sslmode=maybe", BadUrl::Unreadable),
            ("postgres://gate@db", BadUrl::NoDatabase),
        ] {
            assert_eq!(config(url).err(), Some(why), "{url}");
        }
    }

    #[test]
    fn what_is_shown_has_neither_user_nor_password() {
        let url = "postgres://gate:hunter2@db1:5433,db2/shop?sslmode=require";
        assert_eq!(shown(url).unwrap(), "postgres://db1:5433,db2:5433/shop");
    }
}
