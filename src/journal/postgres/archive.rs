//! TEMPORARY
use super::database::AWAY;
use super::{Postgres, figures, find, pending_orders};
use crate::domain::order::*;
use crate::journal::audit::*;
use crate::journal::overrides::*;
use crate::journal::sweeps::{Outcome, RowKind, RowRecord, Sweep, SweepId, Wanted};
use crate::journal::view::*;
use crate::journal::*;
use crate::observe::metrics::Moment;
use jiff::Timestamp;
use jiff::civil::Date;
impl Archive for Postgres {
    fn find(&self, search: Search, limit: usize) -> BoxFuture<'_, Vec<Record>> {
        self.database.read(move |tx| Box::pin(async move { find::find(tx, &search, limit).await }))
    }

    fn refused(&self, _: Search, _: usize) -> BoxFuture<'_, Vec<Refused>> {
        Box::pin(async { Err(AWAY) })
    }

    fn confirmed(&self, _: usize) -> BoxFuture<'_, Vec<Callback>> {
        Box::pin(async { Err(AWAY) })
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
        Box::pin(async { Err(AWAY) })
    }

    fn figures(&self) -> BoxFuture<'_, Figures> {
        Box::pin(async move {
            let mut figures = self.database.read(|tx| Box::pin(figures::figures(tx))).await?;
            figures.bytes = self.bytes().await;
            Ok(figures)
        })
    }

    fn made_at(&self) -> BoxFuture<'_, Option<Timestamp>> {
        Box::pin(async { Err(AWAY) })
    }

    fn probe(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }
}
impl Views for Postgres {
    fn list(&self, _: Filter, _: Option<Cursor>, _: usize) -> BoxFuture<'_, Page> {
        Box::pin(async { Err(AWAY) })
    }

    fn today(&self, _: Timestamp) -> BoxFuture<'_, Today> {
        Box::pin(async { Err(AWAY) })
    }

    fn refusals(&self, _: RefusedFilter, _: Option<i64>, _: usize) -> BoxFuture<'_, Vec<(i64, Refused)>> {
        Box::pin(async { Err(AWAY) })
    }
}
impl Audits for Postgres {
    fn act(&self, _: Act, _: Search, _: usize, _: By) -> BoxFuture<'_, Vec<EntryId>> {
        Box::pin(async { Err(AWAY) })
    }

    fn audit(&self, _: Audit) -> BoxFuture<'_, ()> {
        Box::pin(async { Err(AWAY) })
    }

    fn audits(&self, _: Option<i64>, _: usize) -> BoxFuture<'_, Vec<AuditRecord>> {
        Box::pin(async { Err(AWAY) })
    }
}
impl Redeliveries for Postgres {
    fn redeliver(&self, _: Redelivery) -> BoxFuture<'_, Redelivered> {
        Box::pin(async { Err(AWAY) })
    }

    fn needed(&self, _: Search, _: usize) -> BoxFuture<'_, Vec<Needed>> {
        Box::pin(async { Err(AWAY) })
    }
}
impl Sweeps for Postgres {
    fn want_sweep(&self, _: Wanted) -> BoxFuture<'_, SweepId> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep(&self, _: SweepId) -> BoxFuture<'_, Option<Sweep>> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweeps(&self, _: Option<SweepId>, _: usize) -> BoxFuture<'_, Vec<Sweep>> {
        Box::pin(async { Err(AWAY) })
    }

    fn days_swept(&self, _: MerchantId) -> BoxFuture<'_, Vec<Date>> {
        Box::pin(async { Err(AWAY) })
    }

    fn orders_of(&self, _: Vec<(ChannelId, OutTradeNo)>) -> BoxFuture<'_, Vec<Option<OrderId>>> {
        Box::pin(async { Err(AWAY) })
    }

    fn sweep_outcomes(&self, _: SweepId) -> BoxFuture<'_, Vec<Outcome>> {
        Box::pin(async { Err(AWAY) })
    }

    fn swept_rows(&self, _: SweepId, _: Option<RowKind>, _: u64, _: usize) -> BoxFuture<'_, Vec<RowRecord>> {
        Box::pin(async { Err(AWAY) })
    }
}
