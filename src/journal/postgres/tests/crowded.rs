use super::super::Postgres;
use super::super::database::Tx;
use super::super::error::Error;
use super::super::statement::Statement;
use super::super::{clock, due, find, kinds, view};
use super::{open, server};
use crate::domain::order::{ChannelId, OrderId};
use crate::journal::view::{Filter, Views};
use crate::journal::{Archive, Queue, Recovery, Search, State, Throttled};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// Entries of a crowded journal: half of them wait, half are done with.
const ENTRIES: i64 = 20_000;

/// They are not due before a day, but for the first few; every hundredth is of another channel.
const FILL: &str = "INSERT INTO ~entry (bucket, id, key, delivery, request_id, route, channel, \"order\", out_trade_no, origin,
        received_at, state, since, reason, due_at, rank, tries, transaction_id, total_fee, fee_type, trade_state, confirmed_at)
    SELECT (n % 256)::smallint, ((n + 1000000) << 22) | ((n % 256) << 14), decode(md5(n::text), 'hex'), md5('d' || n)::uuid,
        md5('r' || n)::uuid, 'app', CASE WHEN n % 100 = 0 THEN 'other' ELSE 'app' END, 'A' || n, 'NA' || n, 'callback', n,
        CASE n % 4 WHEN 0 THEN 'asking' WHEN 1 THEN 'delivering' WHEN 2 THEN 'accepted' ELSE 'closed' END, n,
        CASE n % 4 WHEN 0 THEN 'not-paid-yet' WHEN 1 THEN 'paid' WHEN 2 THEN 'paid' ELSE 'closed' END,
        CASE WHEN n % 4 < 2 THEN CASE WHEN n < 8 THEN n ELSE 4000000000000 + n END END, 0, 0,
        CASE WHEN n % 4 IN (1, 2) THEN 'T' || n END, CASE WHEN n % 4 IN (1, 2) THEN 1 END,
        CASE WHEN n % 4 IN (1, 2) THEN 'CNY' END, CASE WHEN n % 4 IN (1, 2) THEN 'SUCCESS' END,
        CASE WHEN n % 4 IN (1, 2) THEN n END
    FROM generate_series(0, $1 - 1) AS n";

async fn crowded() -> Option<Arc<Postgres>> {
    let store = open(&server::settings()?, 100.into());
    let filled = store.database.write(|tx| {
        Box::pin(async move {
            tx.take_time().await?;
            tx.slowly(Statement::of(FILL).with(ENTRIES)).await.map(drop)
        })
    });
    filled.await.unwrap();
    let analyzed =
        store.database.singly(|tx| Box::pin(async move { tx.slowly(Statement::of("ANALYZE ~entry")).await.map(drop) }));
    analyzed.await.unwrap();
    Some(store)
}

/// How many rows of entries a transaction has read so far, in whatever way.
async fn rows_read(tx: &Tx<'_>) -> Result<i64, Error> {
    let read = "SELECT (coalesce(sum(seq_tup_read), 0) + coalesce(sum(idx_tup_fetch), 0))::bigint AS n
        FROM pg_stat_xact_all_tables WHERE schemaname = $1 AND relname = 'entry'";
    let row = tx.first(Statement::of(read).with(tx.schema().to_owned())).await?;
    row.map_or(Ok(0), |row| super::super::columns::get(&row, "n"))
}

/// A few among many.
const FEW: i64 = 300;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_walked_through_to_find_a_few_among_many() {
    let Some(store) = crowded().await else { return };
    for search in [
        Search { order: OrderId::parse("A4711").ok(), ..Search::default() },
        Search { order: OrderId::parse("T9999").ok(), ..Search::default() },
        Search { order: OrderId::parse("NA12345").ok(), state: Some(State::Delivering), ..Search::default() },
        Search { order_id: OrderId::parse("A4711").ok(), ..Search::default() },
        Search { request_id: Some("01942b7e-0000-7000-8000-000000000000".parse().unwrap()), ..Search::default() },
        Search { after: Some(crate::journal::EntryId(0)), ..Search::default() },
    ] {
        let read = store.database.read(move |tx| {
            Box::pin(async move {
                find::find(tx, &search, 10).await?;
                rows_read(tx).await
            })
        });
        let read = read.await.unwrap();
        assert!(read < FEW, "{read} rows for {search:?}");
    }
    let other = Filter { channel: ChannelId::parse("other").ok(), ..Filter::default() };
    for filter in [Filter::default(), other, Filter { confirmed: true, ..other }] {
        let read = store.database.read(move |tx| {
            Box::pin(async move {
                kinds::kinds(tx, &filter).await?;
                let page = view::list(tx, filter, None, 20).await?;
                assert_eq!(page.records.len(), 20);
                rows_read(tx).await
            })
        });
        let read = read.await.unwrap();
        assert!(read < FEW, "{read} rows for {filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_found_without_walking_through_what_is_not() {
    let Some(store) = crowded().await else { return };
    let read = store.database.write(|tx| {
        Box::pin(async move {
            let waiting = tx.rows(due::waiting(1, Vec::new())).await?;
            let groups = waiting.iter().map(due::group).collect::<Result<Vec<_>, _>>()?;
            // Of the first eight two are asked about and two delivered; one of these is of the other channel.
            assert_eq!(groups.len(), 3, "{groups:?}");
            assert_eq!(tx.rows(due::due_in(&groups, true, 1, Vec::new(), 10)).await?.len(), 4);
            clock::beat(tx).await?;
            rows_read(tx).await
        })
    });
    let read = read.await.unwrap();
    assert!(read < FEW, "{read} rows");
    let jobs = store.lease_due(10, Throttled::default()).await.unwrap();
    assert_eq!(jobs.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_brought_forward_in_steps_and_counted_once() {
    let Some(store) = crowded().await else { return };
    let app = vec![ChannelId::parse("app").unwrap()];
    let brought = store.bring_forward(app.clone(), Timestamp::from_second(1).unwrap(), 50).await.unwrap();
    assert_eq!(brought, 50);
    let next = store.next_waiting(app.clone(), Vec::new()).await.unwrap().unwrap();
    assert_eq!(next.callback.claimed.order.as_str(), "A1", "which is due longest");
    let figures = store.figures().await.unwrap();
    let quarter = u64::try_from(ENTRIES / 4).unwrap();
    assert_eq!(figures.entries, [quarter, quarter, quarter, 0, quarter]);
    assert_eq!((figures.paid_not_accepted, figures.taken_in), (quarter, quarter * 4));
    let all = store.today(Timestamp::from_second(0).unwrap()).await.unwrap();
    assert_eq!(all.tallies.iter().map(|tally| tally.entries).sum::<u64>(), quarter * 4);
    let over = store.overdue(app, Duration::from_secs(1), 5).await.unwrap();
    assert!(over.is_empty(), "none of them was tried");
}
