//! A source, whatever it is, and the one way to read it.

use super::command::{self, Command};
use super::database::Database;
use super::error::SourceError;
use super::http::{self, Page};
use super::listing::{Listing, Rows};
use super::query::Query;
use super::{file, json, mysql, postgres, sqlite};
use crate::domain::money::AmountUnit;
use std::path::PathBuf;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Where orders wait for payment, and how its amounts are counted.
#[derive(Debug, Clone)]
pub struct Source {
    /// What is read.
    pub place: Place,
    /// What a number in its `amount` means.
    pub amount_unit: AmountUnit,
}

/// What is read.
#[derive(Debug, Clone)]
pub enum Place {
    /// A SELECT on a database; its columns are named by alias.
    Sql(Database, Query),
    /// A page: a JSON array, or JSON lines.
    Http(Page),
    /// A file of the same.
    File(PathBuf),
    /// A program that prints the same.
    Command(Command),
}

impl Source {
    /// Reads the list once, at most `limit` rows of it, and gives up after `deadline`. Nothing goes on afterwards: the
    /// connection is closed, the program killed.
    ///
    /// # Errors
    /// If there is no list. A row that makes no sense is no error: it is counted in the listing.
    pub async fn read(&self, limit: usize, deadline: Duration) -> Result<Listing, SourceError> {
        let rows = Rows::new(self.amount_unit, limit);
        let reading = async {
            match &self.place {
                Place::Sql(Database::Sqlite(path), query) => sqlite::read(path, query, rows, deadline).await,
                Place::Sql(Database::Postgres(url), query) => postgres::read(url, query, rows, deadline).await,
                Place::Sql(Database::MySql(url), query) => mysql::read(url, query, rows, deadline).await,
                Place::Http(page) => parse(http::get(page, deadline).await?, rows).await,
                Place::File(path) => parse(file::read(path).await?, rows).await,
                Place::Command(command) => parse(command::output(command).await?, rows).await,
            }
        };
        timeout(deadline, reading).await.unwrap_or(Err(SourceError::TimedOut))
    }
}

/// Reads the text of a list off the async threads: it may be large.
async fn parse(text: Vec<u8>, rows: Rows) -> Result<Listing, SourceError> {
    spawn_blocking(move || json::read(&text, rows)).await.unwrap_or(Err(SourceError::TimedOut))
}
