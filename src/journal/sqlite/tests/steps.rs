//! What a gate does by a timer must not take longer for what it has to do nothing about. Counted are steps of SQLite's
//! machine, which are the same on any computer.

use super::super::batch::Batch;
use super::super::budget::Budget;
use super::super::{budget, due, forget, schema, times};
use super::*;
use crate::journal::{Keep, Throttled};
use std::sync::atomic::{AtomicU64, Ordering};

/// Entries that wait for a time to come, and as many that are done with.
const CROWD: i64 = 100_000;

/// The crowd, in one statement: each number of [`CROWD`] waits, and is accepted once more.
const CROWDED: &str = "
    WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
    INSERT INTO entry (key, delivery, request_id, route, channel, \"order\", out_trade_no, received_at, state, since, due_at,
        rank, transaction_id)
    SELECT randomblob(16), 'd', 'r' || i, 'app', 'app', 'A' || i, 'A' || i, ?2, state, ?2, due_at, i % 2 * 3 * asking,
        CASE WHEN asking THEN NULL ELSE '42' || i END
    FROM n, (SELECT 'asking' AS state, 1 AS asking, ?3 AS due_at UNION ALL SELECT 'accepted', 0, NULL)";

/// Counts steps of everything that is done with a connection.
struct Steps(Arc<AtomicU64>);

impl Steps {
    fn of(connection: &mut Connection) -> Self {
        let steps = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&steps);
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        };
        connection.progress_handler(1, Some(count)).unwrap();
        Self(steps)
    }

    fn taken(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

fn crowded(path: &Path) -> Connection {
    let mut connection = Connection::open(path).unwrap();
    schema::migrate(&mut connection, path).unwrap();
    connection.set_prepared_statement_cache_capacity(64);
    let now = clock::now().as_millisecond();
    connection.execute_batch("BEGIN").unwrap();
    connection.execute(CROWDED, [CROWD, now, now + 3_600_000]).unwrap();
    connection.execute_batch("COMMIT").unwrap();
    connection
}

#[test]
fn an_idle_gate_walks_through_nothing_that_waits_or_is_done_with() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = crowded(&directory.path().join("j.db"));
    let steps = Steps::of(&mut connection);
    let at = clock::now().as_millisecond();
    let look = due::Look { leases: Arc::default(), healthy: true, turn: 0, limit: 64, throttled: Throttled::default() };
    assert!(due::lease_due(&connection, &look).unwrap().is_empty());
    let looked = steps.taken();
    times::beat(&connection, at).unwrap();
    let beaten = steps.taken();
    let keep = Keep::from(Duration::from_secs(86_400));
    let mut budget = Budget::count(&connection, u64::MAX.into()).unwrap();
    steps.taken();
    assert!(forget::forget(&Batch::of(&connection), keep, 500, at, &mut budget).unwrap().is_nothing());
    let forgotten = steps.taken();
    for (what, steps) in [("what is due", looked), ("the beat", beaten), ("forgetting", forgotten)] {
        assert!((1..1000).contains(&steps), "{what} took {steps} steps among {CROWD} entries");
    }
}

#[test]
fn what_a_wrong_clock_made_due_too_late_is_found_among_others_without_a_walk() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = crowded(&directory.path().join("j.db"));
    let at = clock::now().as_millisecond();
    let far = at + 1000 * 24 * 3_600_000;
    connection.execute("UPDATE entry SET due_at = ?1 WHERE id IN (1, 3, 5)", [far]).unwrap();
    let steps = Steps::of(&mut connection);
    times::beat(&connection, at).unwrap();
    assert!((1..2000).contains(&steps.taken()));
    let due: i64 =
        connection.query_row("SELECT count(*) FROM entry WHERE due_at = ?1", [at], |row| row.get(0)).unwrap();
    assert_eq!(due, 3);
}

#[test]
fn forgetting_holds_up_nobody_for_longer_than_a_few_rows_take() {
    let directory = tempfile::tempdir().unwrap();
    let mut connection = crowded(&directory.path().join("j.db"));
    let at = clock::now().as_millisecond() + 1;
    let mut budget = Budget::count(&connection, u64::MAX.into()).unwrap();
    let steps = Steps::of(&mut connection);
    for _ in 0..10 {
        let transaction = connection.unchecked_transaction().unwrap();
        let batch = Batch::of(&transaction);
        let forgotten = forget::forget(&batch, Keep::from(Duration::ZERO), 16, at, &mut budget).unwrap();
        batch.settle().unwrap();
        transaction.commit().unwrap();
        assert_eq!((forgotten.entries.len(), forgotten.others, forgotten.pages), (16, 0, 0));
        let steps = steps.taken();
        assert!((1..10_000).contains(&steps), "{steps} steps for 16 rows among {CROWD} entries");
    }
}

#[test]
fn what_is_unconfirmed_is_counted_in_its_index_alone() {
    let connection = schema::model().unwrap();
    let plan: Vec<String> = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {}", budget::UNCONFIRMED))
        .unwrap()
        .query_map([], |row| row.get("detail"))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(plan, ["SCAN entry USING COVERING INDEX entry_unconfirmed"]);
}
