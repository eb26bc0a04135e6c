//! What waits for an upstream, in SQL. What was brought forward stands in a group of its own (`rank`), so that none of it has to
//! be walked through to find what was not.

use super::changed::tell;
use super::columns::{at_most, millis, rank_column};
use super::database::Tx;
use super::due::{CANDIDATE, Candidate, OF_GROUP, When, candidate, claim, free, group, mine, of_groups, settled};
use super::error::Error;
use super::kinds::{KINDS, OF_KIND, kinds_in, of_kinds};
use super::statement::{List, Statement};
use super::trail::Line;
use super::{Postgres, columns};
use crate::domain::clock;
use crate::domain::order::ChannelId;
use crate::domain::reason::Reason;
use crate::journal::recovery::Recovery;
use crate::journal::view::Filter;
use crate::journal::{BoxFuture, DueGroup, EntryId, Job, JournalError, Queue, Rank, State};
use jiff::Timestamp;
use std::collections::HashSet;
use std::time::Duration;

/// Entries of one kind that one query for what is over its time reads. Those that were never tried stay.
const MOST_READ: i64 = 1000;

/// How many that cannot be taken are passed over to find one that waits.
const MOST_PASSED: usize = 32;

impl Recovery for Postgres {
    fn bring_forward(&self, channels: Vec<ChannelId>, tried_before: Timestamp, limit: usize) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            self.flush().await?;
            let me = self.incarnation.current().ok_or(JournalError::Unavailable)?.id;
            let before = self.by_the_database(tried_before);
            let brought = self.database.write(move |tx| {
                let (channels, mine) = (channels.clone(), mine(&self.holds));
                Box::pin(async move {
                    let groups = groups(tx, &channels, |rank| rank < Rank::Brought).await?;
                    let bring = of_groups(Statement::of(bring_text()), &groups)
                        .with(me)
                        .with(List(mine))
                        .with(before)
                        .with(at_most(limit))
                        .with(rank_column(Rank::Brought));
                    Ok(tx.rows(bring).await?.len())
                })
            });
            brought.await
        })
    }

    fn bring_anew(&self, channels: Vec<ChannelId>, limit: usize) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            self.flush().await?;
            let brought = self.database.write(move |tx| {
                let channels = channels.clone();
                Box::pin(async move {
                    let groups = groups(tx, &channels, |rank| rank == Rank::Brought).await?;
                    let anew = of_groups(Statement::of(anew_text()), &groups)
                        .with(at_most(limit))
                        .with(rank_column(Rank::Likely))
                        .with(rank_column(Rank::Brought));
                    Ok(tx.rows(anew).await?.len())
                })
            });
            brought.await
        })
    }

    fn end_waiting(&self, channels: Vec<ChannelId>, routes: Vec<String>, limit: usize) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            self.flush().await?;
            let line = Line::of(self);
            let ended = self.database.write(move |tx| {
                let (channels, routes, line) = (channels.clone(), routes.clone(), line.clone());
                Box::pin(async move { end_waiting(tx, &channels, routes, limit, &line).await })
            });
            ended.await
        })
    }

    fn next_waiting(&self, channels: Vec<ChannelId>, tried: Vec<EntryId>) -> BoxFuture<'_, Option<Job>> {
        Box::pin(async move {
            let me = self.incarnation.current().ok_or(JournalError::Unavailable)?;
            settled(self).await?;
            let mut passed: Vec<EntryId> = tried;
            // Where another was faster, or an entry is damaged, it is passed over.
            for _ in 0..MOST_PASSED {
                let Some(first) = first_sendable(self, me.id, &channels, &passed).await? else { return Ok(None) };
                passed.push(first.entry);
                let taken = claim(self, &me, vec![first], When::Waiting).await?.pop();
                if taken.is_some() {
                    return Ok(taken);
                }
            }
            Ok(None)
        })
    }

    fn overdue(&self, channels: Vec<ChannelId>, lasts: Duration, limit: usize) -> BoxFuture<'_, Vec<Job>> {
        Box::pin(async move {
            if limit == 0 {
                return Ok(Vec::new());
            }
            let me = self.incarnation.current().ok_or(JournalError::Unavailable)?;
            settled(self).await?;
            let over = over(self, me.id, channels, lasts, limit).await?;
            claim(self, &me, over, When::Waiting).await
        })
    }
}

impl Postgres {
    /// A time by this process's clock, by the database's, in milliseconds since 1970.
    fn by_the_database(&self, at: Timestamp) -> i64 {
        let ahead = self.incarnation.now().saturating_sub(clock::now().as_millisecond());
        at.as_millisecond().saturating_add(ahead)
    }
}

/// The groups of what is being delivered, found by jumping from one to the next in the index.
const DELIVERED: &str = "WITH RECURSIVE waiting (state, channel, origin, rank) AS (
        (SELECT state, channel, origin, rank FROM ~entry WHERE due_at IS NOT NULL AND state = 'delivering'
            ORDER BY channel, origin, rank LIMIT 1)
        UNION ALL
        SELECT next.state, next.channel, next.origin, next.rank FROM waiting CROSS JOIN LATERAL (
            SELECT entry.state, entry.channel, entry.origin, entry.rank FROM ~entry entry
            WHERE entry.due_at IS NOT NULL AND entry.state = 'delivering' AND (entry.channel, entry.origin, entry.rank)
                > (waiting.channel, waiting.origin, waiting.rank)
            ORDER BY entry.channel, entry.origin, entry.rank LIMIT 1) next)
    SELECT * FROM waiting";

/// The groups of what is being delivered for these channels, of these ranks.
async fn groups(tx: &Tx<'_>, channels: &[ChannelId], is_wanted: impl Fn(Rank) -> bool) -> Result<Vec<DueGroup>, Error> {
    if channels.is_empty() {
        return Ok(Vec::new());
    }
    let channels: HashSet<&ChannelId> = channels.iter().collect();
    let all = tx.rows(Statement::of(DELIVERED)).await?.iter().map(group).collect::<Result<Vec<_>, _>>()?;
    Ok(all.into_iter().filter(|group| channels.contains(&group.channel) && is_wanted(group.rank)).collect())
}

/// The groups of a statement, from its first four values on.
const GROUPS: &str = "unnest($1::text[], $2::text[], $3::text[], $4::smallint[])
        WITH ORDINALITY AS waiting (state, channel, origin, rank, place)";

/// The time at which it was received says that it was brought forward and not tried since. An attempt that ended at a time still
/// to come did so before the clock was set back.
fn bring_text() -> String {
    let free = free(5, 6);
    format!(
        "UPDATE ~entry AS entry SET due_at = least(entry.received_at, @now), rank = $9
         FROM (
             SELECT chosen.bucket, chosen.id FROM {GROUPS} CROSS JOIN LATERAL (
                 SELECT entry.bucket, entry.id, entry.due_at FROM ~entry entry
                 WHERE {OF_GROUP} AND entry.due_at > @now AND {free} AND NOT EXISTS (
                     SELECT 1 FROM ~attempt attempt WHERE attempt.bucket = entry.bucket AND attempt.entry = entry.id
                         AND attempt.ended_at > $7 AND attempt.ended_at <= @now)
                 ORDER BY entry.due_at LIMIT $8) chosen
             ORDER BY waiting.place, chosen.due_at LIMIT $8) AS chosen
         WHERE entry.bucket = chosen.bucket AND entry.id = chosen.id AND entry.state = 'delivering' AND entry.due_at > @now
             AND {free}
         RETURNING entry.id"
    )
}

fn anew_text() -> String {
    format!(
        "UPDATE ~entry AS entry SET rank = $6
         FROM (
             SELECT chosen.bucket, chosen.id FROM {GROUPS} CROSS JOIN LATERAL (
                 SELECT entry.bucket, entry.id FROM ~entry entry WHERE {OF_GROUP} AND entry.due_at IS NOT NULL
                 ORDER BY entry.due_at LIMIT $5) chosen
             LIMIT $5) AS chosen
         WHERE entry.bucket = chosen.bucket AND entry.id = chosen.id AND entry.state = 'delivering' AND entry.rank = $7
         RETURNING entry.id"
    )
}

/// Lets entries that wait for their sender begin their schedule anew, with the reason that their payment gives them.
const END_WAITING: &str = "UPDATE ~entry AS entry SET due_at = least(entry.due_at, @now), tries = 0,
        rank = CASE WHEN entry.rank >= 4 AND entry.due_at > @now THEN 0 ELSE entry.rank END,
        reason = CASE WHEN entry.trade_state = 'REFUND' THEN 'refunded' ELSE 'paid' END
    FROM (SELECT entry.bucket, entry.id FROM ~entry entry
        WHERE entry.state = 'delivering' AND entry.channel = ANY ($1) AND entry.reason = $2 AND entry.route = ANY ($3)
        LIMIT $4) AS chosen
    WHERE entry.bucket = chosen.bucket AND entry.id = chosen.id AND entry.state = 'delivering' AND entry.reason = $2
    RETURNING entry.id, entry.reason";

async fn end_waiting(
    tx: &Tx<'_>,
    channels: &[ChannelId],
    routes: Vec<String>,
    limit: usize,
    line: &Line,
) -> Result<usize, Error> {
    let end = Statement::of(END_WAITING)
        .with(List(channels.iter().map(|channel| channel.as_str().to_owned()).collect::<Vec<_>>()))
        .with(Reason::WindowOver.code())
        .with(List(routes))
        .with(at_most(limit));
    let ended = tx.rows(end).await?;
    for reason in [Reason::Paid, Reason::Refunded] {
        let mut entries = Vec::new();
        for row in &ended {
            if columns::reason(row, "reason")? == Some(reason) {
                entries.push(columns::entry(row, "id")?);
            }
        }
        tell(tx, &entries, "found", Some(reason), line).await?;
    }
    Ok(ended.len())
}

/// The entry that can be sent and is due first, but for those that have their turn or had it. What waits for its provider cannot
/// be sent before its time is over.
async fn first_sendable(
    store: &Postgres,
    me: i64,
    channels: &[ChannelId],
    passed: &[EntryId],
) -> Result<Option<Candidate>, JournalError> {
    let text = format!(
        "SELECT first.* FROM {GROUPS} CROSS JOIN LATERAL (
             SELECT {CANDIDATE}, entry.due_at FROM ~entry entry
             WHERE {OF_GROUP} AND (entry.due_at <= @now OR entry.reason <> $7) AND entry.due_at IS NOT NULL
                 AND entry.id <> ALL ($8) AND {}
             ORDER BY entry.due_at LIMIT 1) first
         ORDER BY first.due_at, first.id LIMIT 1",
        free(5, 6)
    );
    let (channels, passed) = (channels.to_vec(), passed.iter().map(|entry| entry.0).collect::<Vec<_>>());
    let first = store.database.singly(move |tx| {
        let (text, channels, passed, mine) = (text.clone(), channels.clone(), passed.clone(), mine(&store.holds));
        Box::pin(async move {
            let groups = groups(tx, &channels, |rank| rank != Rank::AskedFor).await?;
            if groups.is_empty() {
                return Ok(None);
            }
            let first = of_groups(Statement::of(text), &groups)
                .with(me)
                .with(List(mine))
                .with(Reason::WindowOver.code())
                .with(List(passed));
            tx.first(first).await?.as_ref().map(candidate).transpose()
        })
    });
    first.await
}

/// Of the entries of one kind that were received before a time those that are delivered since before it, were tried, and wait
/// for nobody's wish.
async fn over(
    store: &Postgres,
    me: i64,
    channels: Vec<ChannelId>,
    lasts: Duration,
    limit: usize,
) -> Result<Vec<Candidate>, JournalError> {
    let text = format!(
        "SELECT {CANDIDATE} FROM {KINDS} CROSS JOIN LATERAL (
             SELECT entry.* FROM ~entry entry WHERE {OF_KIND} AND entry.received_at <= @now - $6
             ORDER BY entry.received_at LIMIT $7) entry
         WHERE entry.since <= @now - $6 AND entry.due_at IS NOT NULL AND entry.rank <> $8
             AND (entry.tries > 0 OR EXISTS (
                 SELECT 1 FROM ~attempt attempt WHERE attempt.bucket = entry.bucket AND attempt.entry = entry.id))
             AND {}
         ORDER BY kind.place, entry.received_at LIMIT $11",
        free(9, 10)
    );
    let over = store.database.singly(move |tx| {
        let (text, channels, mine) = (text.clone(), channels.clone(), mine(&store.holds));
        Box::pin(async move {
            let mut all = Vec::new();
            for channel in channels {
                let filter = Filter { channel: Some(channel), ..Filter::default() };
                all.extend(kinds_in(tx, &[State::Delivering], &filter).await?);
            }
            if all.is_empty() {
                return Ok(Vec::new());
            }
            let over = of_kinds(Statement::of(text), all.iter())
                .with(millis(lasts))
                .with(MOST_READ)
                .with(rank_column(Rank::AskedFor))
                .with(me)
                .with(List(mine))
                .with(at_most(limit));
            tx.rows(over).await?.iter().map(candidate).collect()
        })
    });
    over.await
}
