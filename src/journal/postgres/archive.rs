//! The archive, in a database.

use super::columns::optional_time;
use super::statement::Statement;
use super::{Postgres, confirmed, figures, find, minutes, pending_orders, refusals};
use crate::journal::{Archive, BoxFuture, Callback, Figures, PendingOrder, Record, Refused, Search, SourceHealth};
use crate::observe::metrics::Moment;
use jiff::Timestamp;

impl Archive for Postgres {
    fn find(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Record>> {
        self.database.read(move |tx| Box::pin(async move { find::find(tx, &search, limit).await }))
    }

    fn refused(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Refused>> {
        self.database.read(move |tx| Box::pin(async move { refusals::find(tx, &search, limit).await }))
    }

    fn confirmed(&self, limit: usize) -> BoxFuture<'_, Vec<Callback>> {
        self.database.read(move |tx| Box::pin(confirmed::confirmed(tx, limit)))
    }

    fn pending_orders(&self, limit: usize) -> BoxFuture<'_, Vec<(String, PendingOrder)>> {
        self.database.read(move |tx| Box::pin(pending_orders::all(tx, limit)))
    }

    fn sources(&self) -> BoxFuture<'_, Vec<SourceHealth>> {
        self.database.read(|tx| {
            Box::pin(
                async move { tx.rows(pending_orders::sources()).await?.iter().map(pending_orders::source).collect() },
            )
        })
    }

    fn minutes(&self) -> BoxFuture<'_, Vec<Moment>> {
        self.database.read(|tx| Box::pin(minutes::all(tx)))
    }

    fn figures(&self) -> BoxFuture<'_, Figures> {
        Box::pin(async move {
            let mut figures = self.database.read(|tx| Box::pin(figures::figures(tx))).await?;
            figures.bytes = self.bytes().await;
            Ok(figures)
        })
    }

    fn made_at(&self) -> BoxFuture<'_, Option<Timestamp>> {
        self.database.singly(|tx| {
            let made_at = Statement::of("SELECT made_at FROM ~meta");
            Box::pin(async move { tx.first(made_at).await?.map_or(Ok(None), |row| optional_time(&row, "made_at")) })
        })
    }

    fn probe(&self) -> BoxFuture<'_, ()> {
        let me = self.incarnation.current().map_or(0, |me| me.id);
        self.database.write(move |tx| {
            let probe = "INSERT INTO ~probe (incarnation, at) VALUES ($1, @now)
                ON CONFLICT (incarnation) DO UPDATE SET at = excluded.at";
            Box::pin(async move { tx.rows(Statement::of(probe).with(me)).await.map(drop) })
        })
    }
}
