//! How much speaks for entries, as it becomes known.

use super::Postgres;
use super::columns::{self, parsed, rank_column};
use super::read::of_entries;
use super::statement::Statement;
use crate::domain::order::{ChannelId, OutTradeNo};
use crate::journal::{BoxFuture, EntryId, JournalError, Looks, MOST_LIFTED, Queue, Rank};

/// Callbacks of a channel that wait and about whose order nothing speaks.
const WAITING: &str = "SELECT entry.id, entry.out_trade_no FROM ~entry entry
    WHERE entry.due_at IS NOT NULL AND entry.state = 'asking' AND entry.channel = $1 AND entry.origin = 'callback'
        AND entry.rank IN ($2, $3)";

const LIFT: &str = "UPDATE ~entry AS entry SET rank = entry.rank - 1
    FROM unnest($1::smallint[], $2::bigint[]) AS likely (bucket, id)
    WHERE entry.bucket = likely.bucket AND entry.id = likely.id AND entry.rank IN ($3, $4) AND entry.state = 'asking'";

/// As [`Queue::lift`].
pub(super) fn lift(store: &Postgres, channel: ChannelId, looks: Looks) -> BoxFuture<'_, ()> {
    Box::pin(async move {
        store.flush().await?;
        let waiting = waiting(store, channel).await?;
        let likely: Vec<EntryId> =
            waiting.iter().filter(|(_, number)| looks(number)).map(|(entry, _)| *entry).take(MOST_LIFTED + 1).collect();
        if likely.is_empty() || likely.len() > MOST_LIFTED {
            return Ok(());
        }
        let lifted = store.database.write(move |tx| {
            let lift = of_entries(Statement::of(LIFT), &likely)
                .with(rank_column(Rank::Strange))
                .with(rank_column(Rank::Absent));
            Box::pin(async move { tx.rows(lift).await.map(drop) })
        });
        lifted.await
    })
}

/// Those that wait, of which there are no more than the budget for unconfirmed ones.
async fn waiting(store: &Postgres, channel: ChannelId) -> Result<Vec<(EntryId, OutTradeNo)>, JournalError> {
    let waiting = store.database.read(move |tx| {
        Box::pin(async move {
            tx.take_time().await?;
            let waiting = Statement::of(WAITING)
                .with(channel.as_str().to_owned())
                .with(rank_column(Rank::Strange))
                .with(rank_column(Rank::Absent));
            let rows = tx.slowly(waiting).await?;
            // A damaged one looks like nothing.
            let read = rows
                .iter()
                .filter_map(|row| Some((columns::entry(row, "id").ok()?, parsed(row, "out_trade_no").ok()?)));
            Ok(read.collect::<Vec<_>>())
        })
    });
    waiting.await
}
