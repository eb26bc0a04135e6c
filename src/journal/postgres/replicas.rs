//! The list of the living in the database: an incarnation comes on it, is renewed, and leaves it. Its row is its lease: whatever
//! names it is free when that is over, so that nothing has to be given back row by row.

use super::connection::Connection;
use super::error::Error;
use super::numbers::{SINCE, SLOTS};
use super::statement::Statement;
use crate::domain::order::MerchantId;
use crate::journal::Replica;
use jiff::Timestamp;
use std::collections::{HashMap, HashSet};
use tokio_postgres::Row;

/// How long one that is gone is shown, in milliseconds.
const REMEMBERED: i64 = 24 * 60 * 60 * 1000;

/// Random bits in the number of an incarnation, below its milliseconds.
const RANDOM_BITS: u32 = 22;

/// What a replica tells of itself with each renewal.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    /// Its name to people.
    pub(super) name: String,
    /// The number of its configuration.
    pub(super) generation: u32,
    /// 16 hex digits that stand for its configuration.
    pub(super) config: String,
    /// Queries a second that it wanted lately.
    pub(super) wanted: HashMap<MerchantId, f64>,
    /// How many entries it holds.
    pub(super) held: usize,
    /// Its own clock less the database's, in milliseconds.
    pub(super) clock_skew_ms: i64,
}

/// What does not change while a process runs.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) host: String,
    pub(super) id: u32,
    pub(super) version: &'static str,
}

/// One that lives.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Living {
    pub(super) incarnation: i64,
    pub(super) name: String,
    /// When it came and was heard of last, in milliseconds since 1970.
    pub(super) since: i64,
    pub(super) seen_at: i64,
    /// Until when it lives if nothing more is heard of it.
    pub(super) alive_until: i64,
    pub(super) config: String,
    pub(super) wanted: HashMap<MerchantId, f64>,
    /// What it alone does.
    pub(super) duties: Vec<String>,
}

/// The list as a renewal found it, before it changed it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List {
    /// The database's time, in milliseconds since 1970.
    pub(super) now: i64,
    /// Whether who asked was on it, and is for another lease.
    pub(super) renewed: bool,
    pub(super) living: Vec<Living>,
}

/// One that came on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) incarnation: i64,
    pub(super) slot: u16,
    pub(super) now: i64,
    pub(super) name: String,
}

const RENEW: &str = "\
WITH mine AS (
    UPDATE ~replica SET alive_until = @now + $2, seen_at = @now, name = $3, generation = $4, config = $5, wanted = $6, held = $7,
           clock_skew_ms = $8
     WHERE incarnation = $1 AND alive_until > @now RETURNING incarnation)
SELECT @now AS now, (SELECT count(*) FROM mine) AS renewed, r.incarnation, r.name, r.since, r.seen_at, r.alive_until, r.config,
       r.wanted, (SELECT array_agg(d.name ORDER BY d.name) FROM ~duty d WHERE d.holder = r.incarnation) AS duties
  FROM (SELECT 1) AS one LEFT JOIN ~replica r ON r.alive_until > @now";

/// Keeps an incarnation on the list for another lease, and reads who lives.
pub(super) async fn renew(
    connection: &Connection,
    incarnation: i64,
    lease_ms: i64,
    told: &Told,
) -> Result<List, Error> {
    let statement = Statement::of(RENEW)
        .with(incarnation)
        .with(lease_ms)
        .with(told.name.clone())
        .with(i64::from(told.generation))
        .with(told.config.clone())
        .with(wanted_text(&told.wanted))
        .with(i64::try_from(told.held).unwrap_or(i64::MAX))
        .with(told.clock_skew_ms);
    let rows = connection.pipeline(&[statement]).await?.concat();
    let first = rows.first().ok_or(Error::Damaged("now"))?;
    Ok(List {
        now: first.try_get("now")?,
        renewed: first.try_get::<_, i64>("renewed")? > 0,
        living: rows.iter().filter_map(|row| living(row).transpose()).collect::<Result<_, _>>()?,
    })
}

fn living(row: &Row) -> Result<Option<Living>, Error> {
    let Some(incarnation) = row.try_get::<_, Option<i64>>("incarnation")? else { return Ok(None) };
    Ok(Some(Living {
        incarnation,
        name: row.try_get("name")?,
        since: row.try_get("since")?,
        seen_at: row.try_get("seen_at")?,
        alive_until: row.try_get("alive_until")?,
        config: row.try_get("config")?,
        wanted: wanted(row.try_get("wanted")?),
        duties: row.try_get::<_, Option<Vec<String>>>("duties")?.unwrap_or_default(),
    }))
}

/// One of `before` is off the list at once.
pub(super) fn leave(before: i64) -> Statement {
    Statement::of("UPDATE ~replica SET alive_until = @now, held = 0 WHERE incarnation = $1 AND alive_until > @now")
        .with(before)
}

/// Comes on the list as a new incarnation, in place of the one `before`. `None` if another one took the slot meanwhile, or all
/// are taken.
pub(super) async fn join(
    connection: &Connection,
    before: &[i64],
    lease_ms: i64,
    process: &Process,
    told: &Told,
    incarnation: i64,
) -> Result<Option<Joined>, Error> {
    let mut statements = vec![Statement::of("BEGIN")];
    statements.extend(before.iter().map(|before| leave(*before)));
    statements.push(Statement::of("SELECT @now AS now, incarnation, slot, name, alive_until FROM ~replica"));
    statements.push(Statement::of("SELECT @now AS now"));
    let mut rows = connection.pipeline(&statements).await?;
    let now: i64 =
        rows.pop().and_then(|rows| rows.first().map(|row| row.try_get("now"))).ok_or(Error::Damaged("now"))??;
    let there = rows.pop().unwrap_or_default();
    let there = there.iter().map(Seat::of).collect::<Result<Vec<_>, _>>()?;
    let Some(slot) = free_slot(&there, now) else {
        connection.pipeline(&[Statement::of("ROLLBACK")]).await?;
        return Ok(None);
    };
    let names: HashSet<_> = there.iter().filter(|one| one.alive_until > now).map(|one| one.name.as_str()).collect();
    let name = free_name(&told.name, &names);
    let forget = "DELETE FROM ~replica WHERE alive_until <= @now AND (slot = $1 OR seen_at < @now - $2)";
    let come = "INSERT INTO ~replica (incarnation, slot, name, host, process, version, generation, config, since, seen_at, \
                alive_until, wanted, held, clock_skew_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, @now, @now, @now + $9, '{}', \
                0, 0) ON CONFLICT DO NOTHING RETURNING incarnation";
    let column = i16::try_from(slot).unwrap_or(i16::MAX);
    let statements = [
        Statement::of(forget).with(column).with(REMEMBERED),
        Statement::of(come)
            .with(incarnation)
            .with(column)
            .with(name.clone())
            .with(process.host.clone())
            .with(i64::from(process.id))
            .with(process.version)
            .with(i64::from(told.generation))
            .with(told.config.clone())
            .with(lease_ms),
        Statement::of("COMMIT"),
    ];
    let came = connection.pipeline(&statements).await?.into_iter().nth(1).is_some_and(|rows| !rows.is_empty());
    Ok(came.then_some(Joined { incarnation, slot, now, name }))
}

/// A number that no other incarnation has; they ascend with the time at which they were made, in milliseconds since 1970.
pub(super) fn new_incarnation(at: i64) -> i64 {
    (at.saturating_sub(SINCE).max(0) << RANDOM_BITS) | fastrand::i64(0..1 << RANDOM_BITS)
}

/// A row that has a slot.
#[derive(Debug, Clone)]
struct Seat {
    slot: u16,
    name: String,
    alive_until: i64,
}

impl Seat {
    fn of(row: &Row) -> Result<Self, Error> {
        let slot: i16 = row.try_get("slot")?;
        let slot = u16::try_from(slot).map_err(|_| Error::Damaged("replica.slot"))?;
        Ok(Self { slot, name: row.try_get("name")?, alive_until: row.try_get("alive_until")? })
    }
}

/// A slot that nobody has, any of them, so that those who come at once are not in each other's way; else that of whoever is
/// gone for longest.
fn free_slot(there: &[Seat], now: i64) -> Option<u16> {
    let taken: HashSet<u16> = there.iter().map(|one| one.slot).collect();
    let free: Vec<u16> = (0..SLOTS).filter(|slot| !taken.contains(slot)).collect();
    if let Some(slot) = fastrand::choice(free) {
        return Some(slot);
    }
    let gone = there.iter().filter(|one| one.alive_until <= now);
    gone.min_by_key(|one| one.alive_until).map(|one| one.slot)
}

/// The name, or the first of `NAME-2`, `NAME-3` and so on that nobody has.
pub(super) fn free_name(name: &str, taken: &HashSet<&str>) -> String {
    if !taken.contains(name) {
        return name.to_owned();
    }
    (2..=taken.len() + 2)
        .map(|number| format!("{name}-{number}"))
        .find(|name| !taken.contains(name.as_str()))
        .unwrap_or_default()
}

/// Those that live and those that are gone for a day at most.
pub(super) fn all() -> Statement {
    Statement::of(
        "SELECT r.*, r.alive_until > @now AS live, (SELECT array_agg(d.name ORDER BY d.name) FROM ~duty d WHERE d.holder = \
         r.incarnation) AS duties FROM ~replica r WHERE r.alive_until > @now OR r.seen_at > @now - $1 ORDER BY r.name, r.since",
    )
    .with(REMEMBERED)
}

/// A row of [`all`], where this process is the incarnation `me`.
pub(super) fn replica(row: &Row, me: Option<i64>) -> Result<Replica, Error> {
    let number = |column: &'static str| row.try_get::<_, i64>(column).map_err(Error::from);
    let time = |column| number(column).map(|at| Timestamp::from_millisecond(at).unwrap_or_default());
    let live: bool = row.try_get("live")?;
    let duties = row.try_get::<_, Option<Vec<String>>>("duties")?.unwrap_or_default();
    Ok(Replica {
        replica: row.try_get("name")?,
        live,
        this: Some(number("incarnation")?) == me,
        host: row.try_get("host")?,
        process: u32::try_from(number("process")?).unwrap_or(0),
        version: row.try_get("version")?,
        generation: u32::try_from(number("generation")?).unwrap_or(0),
        config: row.try_get("config")?,
        since: time("since")?,
        seen_at: time("seen_at")?,
        duties: if live { duties } else { Vec::new() },
        held: if live { u64::try_from(number("held")?).unwrap_or(0) } else { 0 },
        clock_skew_ms: number("clock_skew_ms")?,
    })
}

fn wanted_text(wanted: &HashMap<MerchantId, f64>) -> String {
    let each: serde_json::Map<_, _> =
        wanted.iter().map(|(merchant, rate)| (merchant.as_str().to_owned(), (*rate).into())).collect();
    serde_json::Value::Object(each).to_string()
}

/// What another one wrote there; what does not read is not wanted.
fn wanted(text: &str) -> HashMap<MerchantId, f64> {
    let each: HashMap<String, f64> = serde_json::from_str(text).unwrap_or_default();
    let each = each.into_iter().filter(|(_, rate)| rate.is_finite() && *rate >= 0.0);
    each.filter_map(|(merchant, rate)| Some((MerchantId::parse(&merchant).ok()?, rate))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(slot: u16, alive_until: i64) -> Seat {
        Seat { slot, name: String::new(), alive_until }
    }

    #[test]
    fn a_name_that_another_has_gets_a_number() {
        let taken = |names: &[&'static str]| names.iter().copied().collect::<HashSet<_>>();
        assert_eq!(free_name("gate", &taken(&["other"])), "gate");
        assert_eq!(free_name("gate", &taken(&["gate"])), "gate-2");
        assert_eq!(free_name("gate", &taken(&["gate", "gate-2", "gate-4"])), "gate-3");
    }

    #[test]
    fn a_slot_is_taken_that_nobody_has_or_whose_owner_is_gone_for_longest() {
        let few = [seat(0, 50), seat(1, 200)];
        assert!(free_slot(&few, 100).is_some_and(|slot| slot > 1));
        let mut all: Vec<_> = (0..SLOTS).map(|slot| seat(slot, 200)).collect();
        assert_eq!(free_slot(&all, 100), None);
        all[7].alive_until = 60;
        all[9].alive_until = 50;
        assert_eq!(free_slot(&all, 100), Some(9));
    }

    #[test]
    fn what_was_wanted_is_read_as_it_was_written_and_nonsense_is_nothing() {
        let of: HashMap<_, _> = [(MerchantId::parse("1900000109").unwrap(), 12.5)].into();
        assert_eq!(wanted(&wanted_text(&of)), of);
        assert_eq!(wanted(r#"{"1900000109": 12.5, "bad id": 1, "1": -3.0}"#), of);
        assert_eq!(wanted("what"), HashMap::new());
    }

    #[test]
    fn incarnations_ascend_with_time() {
        assert!(new_incarnation(SINCE + 1) < new_incarnation(SINCE + 2));
    }
}
