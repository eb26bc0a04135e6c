//! The archive, in one file: read on connections of its own.

use super::{Sqlite, figures, minutes, pending_orders, read, refused, times, write};
use crate::journal::{Archive, BoxFuture, Callback, Figures, PendingOrder, Record, Refused, Search, SourceHealth};
use crate::observe::metrics::Moment;
use jiff::Timestamp;

impl Archive for Sqlite {
    fn find(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Record>> {
        self.read(move |connection| read::find(connection, &search, limit))
    }

    fn refused(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Refused>> {
        self.read(move |connection| refused::find(connection, &search, limit))
    }

    fn confirmed(&self, limit: usize) -> BoxFuture<'_, Vec<Callback>> {
        self.read(move |connection| read::confirmed(connection, limit))
    }

    fn pending_orders(&self, limit: usize) -> BoxFuture<'_, Vec<(String, PendingOrder)>> {
        self.read(move |connection| pending_orders::all(connection, limit))
    }

    fn sources(&self) -> BoxFuture<'_, Vec<SourceHealth>> {
        self.read(pending_orders::sources)
    }

    fn minutes(&self) -> BoxFuture<'_, Vec<Moment>> {
        self.read(minutes::all)
    }

    fn figures(&self) -> BoxFuture<'_, Figures> {
        let path = self.path.clone();
        self.read(move |connection| figures::figures(connection, &path))
    }

    fn made_at(&self) -> BoxFuture<'_, Option<Timestamp>> {
        self.read(times::made)
    }

    fn probe(&self) -> BoxFuture<'_, ()> {
        self.write_only(|batch, at| write::probe(batch, at))
    }
}
