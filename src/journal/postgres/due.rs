//! What is due, in SQL: which groups wait, whose turn it is, and who gets it.
//!
//! Looking takes no lock. Who gets an entry is said by one conditional update: of several processes that want the same one, the
//! first has it. A process that finds nothing due has sent one statement.

use super::columns::{self, at_most, get, parsed};
use super::database::Tx;
use super::error::Error;
use super::holds::Holds;
use super::read::{self, by_place, of_entries};
use super::statement::{List, Statement};
use super::{Postgres, incarnation};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use crate::journal::stored::outlets::Outlets;
use crate::journal::{BoxFuture, DueGroup, EntryId, Job, JournalError, Queue, State, Throttled};
use incarnation::Current;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_postgres::Row;

/// How often entries are looked for anew that another process was faster to take.
const LOOKS: usize = 3;

/// An entry that may be taken, and what is asked about it then.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) entry: EntryId,
    group: DueGroup,
    order: OrderId,
    channel: ChannelId,
    out_trade_no: OutTradeNo,
    /// Whether this process holds it, since it has rested.
    is_held: bool,
}

/// As [`Queue::lease_due`].
pub(super) fn lease_due(store: &Postgres, limit: usize, throttled: Throttled) -> BoxFuture<'_, Vec<Job>> {
    Box::pin(async move {
        let me = store.incarnation.current().ok_or(JournalError::Unavailable)?;
        settled(store).await?;
        let turn = store.turn.fetch_add(1, Ordering::Relaxed);
        let mut jobs: Vec<Job> = Vec::new();
        for _ in 0..LOOKS {
            let look = Look { store, me: &me, turn, limit: limit.saturating_sub(jobs.len()), throttled: &throttled };
            let candidates = look.candidates().await?;
            let wanted = candidates.len();
            let before = jobs.len();
            jobs.extend(claim(store, &me, candidates, When::Due).await?);
            if jobs.len() - before >= wanted {
                break;
            }
        }
        Ok(jobs)
    })
}

/// Waits until it is written what was given back or decided, which is not seen before.
pub(super) async fn settled(store: &Postgres) -> Result<(), JournalError> {
    if store.holds.are_ending() { store.flush().await } else { Ok(()) }
}

/// One look at what is due.
struct Look<'l> {
    store: &'l Postgres,
    me: &'l Current,
    /// Which query it is, counted from 0.
    turn: usize,
    limit: usize,
    throttled: &'l Throttled,
}

/// Entries that nobody else holds: what a process holds that does not live is free, and so is what this one does not know that
/// it holds, because the answer to its claim was lost. `$me` stands for the incarnation, `$mine` for what it holds.
pub(super) const FREE: &str =
    "(entry.holder IS NULL OR (entry.holder = $me AND entry.id <> ALL ($mine)) OR NOT EXISTS (
        SELECT 1 FROM ~replica replica WHERE replica.incarnation = entry.holder AND replica.alive_until > @now))";

/// [`FREE`], with the places of its values.
pub(super) fn free(me: usize, mine: usize) -> String {
    FREE.replace("$mine", &format!("${mine}")).replace("$me", &format!("${me}"))
}

/// The groups that wait, found by jumping from one to the next in the index.
pub(super) const WAITING: &str = "WITH RECURSIVE waiting (state, channel, origin, rank) AS (
        (SELECT state, channel, origin, rank FROM ~entry WHERE due_at IS NOT NULL ORDER BY state, channel, origin, rank LIMIT 1)
        UNION ALL
        SELECT next.state, next.channel, next.origin, next.rank FROM waiting CROSS JOIN LATERAL (
            SELECT entry.state, entry.channel, entry.origin, entry.rank FROM ~entry entry
            WHERE entry.due_at IS NOT NULL AND (entry.state, entry.channel, entry.origin, entry.rank)
                > (waiting.state, waiting.channel, waiting.origin, waiting.rank)
            ORDER BY entry.state, entry.channel, entry.origin, entry.rank LIMIT 1) next)";

/// Those of a group.
pub(super) const OF_GROUP: &str = "entry.state = waiting.state AND entry.channel = waiting.channel
        AND entry.origin = waiting.origin AND entry.rank = waiting.rank";

impl Look<'_> {
    /// Whose turn it is, in that order.
    async fn candidates(&self) -> Result<Vec<Candidate>, JournalError> {
        if self.limit == 0 {
            return Ok(Vec::new());
        }
        let (rested, groups) = self.waiting().await?;
        let throttled: HashSet<&DueGroup> = self.throttled.groups.iter().collect();
        let mut groups: Vec<DueGroup> = groups.into_iter().filter(|group| !throttled.contains(group)).collect();
        let of_rested = rested.iter().map(|candidate| candidate.group);
        let all: Vec<DueGroup> = groups.iter().copied().chain(of_rested).collect();
        let mut outlets = Outlets::of(self.throttled, &all);
        let mut taken = Vec::new();
        for candidate in rested {
            let may_go = !throttled.contains(&candidate.group) && outlets.room(&candidate.group) > 0;
            if may_go && taken.len() < self.limit {
                outlets.take(&candidate.group, 1);
                taken.push(candidate);
            } else {
                self.store.holds.rest(candidate.entry, Duration::ZERO);
            }
        }
        groups.retain(|group| outlets.room(group) > 0);
        let (round, first) = (self.turn / groups.len().max(1), self.turn.checked_rem(groups.len()).unwrap_or(0));
        groups.rotate_left(first);
        groups.truncate(self.limit);
        if !groups.is_empty() && taken.len() < self.limit {
            let latest_first = !round.is_multiple_of(2);
            let due = self.due(&groups, latest_first).await?;
            share(&groups, due, self.limit, &mut outlets, &mut taken);
        }
        Ok(taken)
    }

    /// What has rested and is still to be worked on, and the groups that have something that is due.
    async fn waiting(&self) -> Result<(Vec<Candidate>, Vec<DueGroup>), JournalError> {
        let rested: Vec<EntryId> = self.rested();
        let mine = mine(&self.store.holds);
        let (me, asked) = (self.me.id, rested.clone());
        let looked = self.store.database.singly(move |tx| {
            let (mine, asked) = (mine.clone(), asked.clone());
            Box::pin(async move {
                let mut statements = vec![waiting(me, mine)];
                if !asked.is_empty() {
                    statements.push(of_entries(Statement::of(RESTED), &asked).with(me));
                }
                let mut answers = tx.all(&statements).await?.into_iter();
                let groups = answers.next().unwrap_or_default();
                let groups = groups.iter().map(group).collect::<Result<Vec<_>, _>>()?;
                let there = answers.next().unwrap_or_default();
                let there = there
                    .iter()
                    .map(|row| Ok((candidate(row)?, get::<bool>(row, "is_due")?)))
                    .collect::<Result<Vec<_>, Error>>()?;
                Ok((there, groups))
            })
        });
        let (there, groups) = match looked.await {
            Ok(looked) => looked,
            Err(error) => {
                rested.iter().for_each(|entry| self.store.holds.rest(*entry, Duration::ZERO));
                return Err(error);
            }
        };
        let known: HashSet<EntryId> = there.iter().map(|(candidate, _)| candidate.entry).collect();
        rested.iter().filter(|entry| !known.contains(entry)).for_each(|entry| self.store.holds.forget(*entry));
        let mut due = Vec::new();
        for (candidate, is_due) in there {
            // It was parked meanwhile, or accepted.
            if is_due {
                due.push(Candidate { is_held: true, ..candidate })
            } else {
                self.store.release(candidate.entry)
            }
        }
        Ok((due, groups))
    }

    /// What has rested, and was held by this very incarnation; what a former one held is held no more.
    fn rested(&self) -> Vec<EntryId> {
        let rested = self.store.holds.rested(self.limit);
        let (mine, former): (Vec<_>, Vec<_>) =
            rested.into_iter().partition(|(_, incarnation)| *incarnation == self.me.id);
        former.into_iter().for_each(|(entry, _)| self.store.holds.forget(entry));
        mine.into_iter().map(|(entry, _)| entry).collect()
    }

    /// What is due in these groups, some of each.
    async fn due(&self, groups: &[DueGroup], latest_first: bool) -> Result<Vec<Candidate>, JournalError> {
        let (me, mine) = (self.me.id, mine(&self.store.holds));
        // So that what one group leaves goes to others without another look.
        let most = self.limit.min((2 * self.limit / groups.len().max(1)).max(1) + SPARE);
        let groups = groups.to_vec();
        self.store
            .database
            .singly(move |tx| {
                let statement = due_in(&groups, latest_first, me, mine.clone(), most);
                Box::pin(async move { tx.rows(statement).await?.iter().map(candidate).collect() })
            })
            .await
    }
}

/// Asks for the groups that have something that is due and may be taken by this incarnation, which holds these.
pub(super) fn waiting(me: i64, mine: Vec<i64>) -> Statement {
    let text = format!(
        "{WAITING} SELECT waiting.state, waiting.channel, waiting.origin, waiting.rank FROM waiting WHERE EXISTS (
            SELECT 1 FROM ~entry entry WHERE {OF_GROUP} AND entry.due_at <= @now AND {})",
        free(1, 2)
    );
    Statement::of(text).with(me).with(List(mine))
}

/// Asks for what is due in groups, so many of each at most.
pub(super) fn due_in(groups: &[DueGroup], latest_first: bool, me: i64, mine: Vec<i64>, most: usize) -> Statement {
    of_groups(Statement::of(due_text(latest_first)), groups).with(me).with(List(mine)).with(at_most(most))
}

/// How many are read of a group beyond twice its share.
const SPARE: usize = 8;

/// What this process holds, as a list.
pub(super) fn mine(holds: &Holds) -> Vec<i64> {
    holds.all().into_iter().map(|entry| entry.0).collect()
}

/// What the claim needs of an entry.
pub(super) const CANDIDATE: &str =
    "entry.id, entry.state, entry.channel, entry.origin, entry.rank, entry.\"order\", entry.out_trade_no";

const RESTED: &str =
    "SELECT entry.id, entry.state, entry.channel, entry.origin, entry.rank, entry.\"order\", entry.out_trade_no,
        entry.due_at IS NOT NULL AND entry.due_at <= @now AS is_due
    FROM unnest($1::smallint[], $2::bigint[]) WITH ORDINALITY AS wanted (bucket, id, place)
    JOIN ~entry entry ON entry.bucket = wanted.bucket AND entry.id = wanted.id AND entry.holder = $3
    ORDER BY wanted.place";

/// What is due in groups, in the order of the groups: of what is delivered that first which is due longest, of what is asked
/// about that or what has become due last.
fn due_text(latest_first: bool) -> String {
    let of = |state: State, order: &str| {
        format!(
            "SELECT waiting.place, {CANDIDATE}, entry.due_at * {} AS by
             FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[])
                 WITH ORDINALITY AS waiting (state, channel, origin, rank, place)
             CROSS JOIN LATERAL (
                 SELECT entry.* FROM ~entry entry WHERE {OF_GROUP} AND entry.due_at <= @now AND {}
                 ORDER BY entry.due_at {order} LIMIT $7) entry
             WHERE waiting.state = '{state}'",
            if order.is_empty() { "1" } else { "-1" },
            free(5, 6),
        )
    };
    let asking = of(State::Asking, if latest_first { "DESC" } else { "" });
    format!("{} UNION ALL {asking} ORDER BY 1, by", of(State::Delivering, ""))
}

/// Adds groups to a statement: four lists.
pub(super) fn of_groups(statement: Statement, groups: &[DueGroup]) -> Statement {
    let states: Vec<&'static str> = groups.iter().map(|group| group.state.as_str()).collect();
    let channels: Vec<String> = groups.iter().map(|group| group.channel.as_str().to_owned()).collect();
    let origins: Vec<&'static str> = groups.iter().map(|group| group.origin.as_str()).collect();
    let ranks: Vec<i16> = groups.iter().map(|group| columns::rank_column(group.rank)).collect();
    statement.with(List(states)).with(List(channels)).with(List(origins)).with(List(ranks))
}

/// The group that a row is of.
pub(super) fn group(row: &Row) -> Result<DueGroup, Error> {
    Ok(DueGroup {
        channel: parsed(row, "channel")?,
        state: columns::state(row)?,
        origin: columns::origin(row)?,
        rank: columns::rank(row)?,
    })
}

/// The entry of a row.
pub(super) fn candidate(row: &Row) -> Result<Candidate, Error> {
    Ok(Candidate {
        entry: columns::entry(row, "id")?,
        group: group(row)?,
        order: parsed(row, "order")?,
        channel: parsed(row, "channel")?,
        out_trade_no: parsed(row, "out_trade_no")?,
        is_held: false,
    })
}

/// Gives each group its share of what is left, and then what others leave.
fn share(
    groups: &[DueGroup],
    due: Vec<Candidate>,
    limit: usize,
    outlets: &mut Outlets<'_>,
    taken: &mut Vec<Candidate>,
) {
    let mut queues: Vec<(DueGroup, std::collections::VecDeque<Candidate>)> =
        groups.iter().map(|group| (*group, std::collections::VecDeque::new())).collect();
    for candidate in due {
        if let Some((_, queue)) = queues.iter_mut().find(|(group, _)| *group == candidate.group) {
            queue.push_back(candidate);
        }
    }
    for share in [(limit / groups.len().max(1)).max(1), limit] {
        for (group, queue) in &mut queues {
            let most = share.min(outlets.room(group)).min(limit.saturating_sub(taken.len())).min(queue.len());
            taken.extend(queue.drain(..most));
            outlets.take(group, most);
        }
    }
}

/// When what is claimed is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Now.
    Due,
    /// Now or later, and delivered then.
    Waiting,
}

impl When {
    const fn condition(self) -> &'static str {
        match self {
            Self::Due => "entry.due_at <= @now",
            Self::Waiting => "entry.due_at IS NOT NULL AND entry.state = 'delivering'",
        }
    }
}

/// Candidates that are held in memory before the database is asked. Those of which it is not known what became are looked for
/// again.
struct Claiming<'h> {
    holds: &'h Holds,
    entries: Vec<EntryId>,
}

impl Claiming<'_> {
    /// It is known: these were claimed, and the rest was not.
    fn keep(mut self, claimed: &HashSet<EntryId>) {
        for entry in std::mem::take(&mut self.entries) {
            if !claimed.contains(&entry) {
                self.holds.forget(entry);
            }
        }
    }
}

impl Drop for Claiming<'_> {
    fn drop(&mut self) {
        self.entries.iter().for_each(|entry| self.holds.rest(*entry, Duration::ZERO));
    }
}

/// Leases those of these entries that are free, and reads what work on them needs. One that cannot be read stays leased, so that
/// it is told of once.
pub(super) async fn claim(
    store: &Postgres,
    me: &Current,
    mut candidates: Vec<Candidate>,
    when: When,
) -> Result<Vec<Job>, JournalError> {
    candidates.retain(|Candidate { entry, is_held, .. }| {
        *is_held || (!store.holds.has(*entry) && store.holds.take_if_free(*entry, me.id))
    });
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let entries: Vec<EntryId> = candidates.iter().map(|candidate| candidate.entry).collect();
    let claiming = Claiming { holds: &store.holds, entries };
    let (wanted, me) = (candidates.clone(), me.id);
    let (claimed, jobs) = store
        .database
        .singly(move |tx| {
            let wanted = wanted.clone();
            Box::pin(async move { claim_in(tx, &wanted, me, when).await })
        })
        .await?;
    claiming.keep(&claimed);
    Ok(jobs)
}

const CLAIM: &str = "UPDATE ~entry AS entry SET holder = $3
    FROM unnest($1::smallint[], $2::bigint[]) AS wanted (bucket, id)
    WHERE entry.bucket = wanted.bucket AND entry.id = wanted.id
        AND (entry.holder IS NULL OR entry.holder = $3 OR NOT EXISTS (
            SELECT 1 FROM ~replica other WHERE other.incarnation = entry.holder AND other.alive_until > @now))
        AND EXISTS (SELECT 1 FROM ~replica me WHERE me.incarnation = $3 AND me.alive_until > @now)";

async fn claim_in(
    tx: &Tx<'_>,
    wanted: &[Candidate],
    me: i64,
    when: When,
) -> Result<(HashSet<EntryId>, Vec<Job>), Error> {
    let entries: Vec<EntryId> = wanted.iter().map(|candidate| candidate.entry).collect();
    let text = format!("{CLAIM} AND {} RETURNING entry.id", when.condition());
    let answers = tx
        .all(&[
            of_entries(Statement::of(text), &entries).with(me),
            read::jobs(&entries),
            read::paid_by(wanted.iter().map(|candidate| &candidate.order)),
            read::listed(wanted.iter().map(|candidate| (&candidate.channel, &candidate.out_trade_no))),
        ])
        .await?;
    let [claimed, jobs, paid_by, listed] = &answers[..] else { return Err(Error::Away) };
    let claimed: HashSet<EntryId> = claimed.iter().map(|row| columns::entry(row, "id")).collect::<Result<_, _>>()?;
    let mut all: Vec<Option<Job>> = entries.iter().map(|_| None).collect();
    for row in jobs {
        let entry = columns::entry(row, "id")?;
        let place = entries.iter().position(|other| *other == entry).filter(|_| claimed.contains(&entry));
        let Some(place) = place.and_then(|place| all.get_mut(place)) else { continue };
        match read::job(row) {
            Ok(job) => *place = Some(Job { listed: Some(Vec::new()), ..job }),
            Err(error) => tracing::error!(%error, entry = entry.0, "a record is damaged and cannot be followed up"),
        }
    }
    by_place(paid_by, read::payment, |place, payment| {
        all.get_mut(place).into_iter().flatten().for_each(|job| job.paid_by.push(payment));
    })?;
    by_place(listed, read::pending_order, |place, order| {
        let lists = all.get_mut(place).into_iter().flatten().filter_map(|job| job.listed.as_mut());
        lists.for_each(|list| list.push(order.clone()));
    })?;
    Ok((claimed, all.into_iter().flatten().collect()))
}
