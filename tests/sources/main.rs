//! Sources of pending orders, read from what they really are: MariaDB, PostgreSQL and a web server.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    unreachable_pub,
    reason = "helpers of tests fail by panicking, and a test binary has no outside"
)]

#[path = "../support/databases.rs"]
mod databases;

mod http;

mod mariadb;

mod postgres;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};
use tollgate::domain::money::AmountUnit;
use tollgate::domain::secret::Secret;
use tollgate::reconcile::pending_orders::database::Database;
use tollgate::reconcile::pending_orders::error::SourceError;
use tollgate::reconcile::pending_orders::listing::Listing;
use tollgate::reconcile::pending_orders::query::Query;
use tollgate::reconcile::pending_orders::source::{Place, Source};

/// Far more than anything needs that does not hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads a query's rows.
fn select(url: &str, query: &str, limit: usize, deadline: Duration) -> Result<Listing, SourceError> {
    let database = Database::parse(&Secret::new(url.to_owned()), Path::new("/")).unwrap();
    read(Place::Sql(database, Query::parse(query).unwrap()), AmountUnit::Yuan, limit, deadline)
}

fn read(place: Place, amount_unit: AmountUnit, limit: usize, deadline: Duration) -> Result<Listing, SourceError> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let read = runtime.block_on(Source { place, amount_unit }.read(limit, deadline));
    if let Err(error) = &read {
        let said = format!("{error} {error:?}");
        assert!(!said.contains(databases::PASSWORD) && !said.contains("://") && !said.contains('\n'), "{said}");
    }
    read
}

/// What an order is, in one line.
fn lines(listing: &Listing) -> Vec<String> {
    let line = |listed: &tollgate::reconcile::pending_orders::listing::PendingOrder| {
        let number = listed.out_trade_no.map_or("-".to_owned(), |number| number.to_string());
        let amount = listed.amount.map_or("-".to_owned(), |amount| amount.to_string());
        let since = listed.created_at.map_or("-".to_owned(), |since| since.to_string());
        format!("{} {} {number} {amount} {since}", listed.order, listed.channel)
    };
    listing.orders.iter().map(line).collect()
}

/// Waits until it is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !so() {
        assert!(since.elapsed() < PATIENCE, "waited for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
