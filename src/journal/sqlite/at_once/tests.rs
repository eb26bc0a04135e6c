//! What stands in an entry says what rows would have said: the same events are written both ways, and read.

use super::*;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{OrderId, TransactionId};
use crate::journal::overrides::Redelivery;
use crate::journal::sqlite::{check, op, read, redeliver, schema, write};
use crate::journal::suite::callback;
use crate::journal::{By, Callback, DeliveryId, Override, Overrides, Search, Trust};
use bytes::Bytes;
use std::time::Duration;

/// A journal, with its budget.
struct World {
    connection: Connection,
    budget: Budget,
}

/// One thing that happens.
enum Happening {
    TakesIn(Box<Callback>),
    Finds(Box<Callback>),
    Says(JournalEvent),
    /// Its beginning and its end, of which the first was held.
    Attempts(Box<(JournalEvent, JournalEvent)>),
    Redelivers(OrderId),
}

impl World {
    fn new() -> Self {
        let connection = schema::model().unwrap();
        let budget = Budget::count(&connection, u64::MAX.into()).unwrap();
        Self { connection, budget }
    }

    /// It happens; `held` if the beginning of an attempt is written with its end.
    fn sees(&mut self, happening: &Happening, at: i64, held: bool) {
        let (batch, budget) = (Batch::of(&self.connection), &mut self.budget);
        match happening {
            Happening::TakesIn(callback) => {
                let how = (Trust::Confirmed, Duration::from_secs(5));
                write::take_in(&batch, callback, false, how, at, budget).unwrap().unwrap().unwrap();
            }
            Happening::Finds(callback) => drop(write::take_in_found(&batch, callback, at, at + 9, true).unwrap()),
            Happening::Says(event) => write::append(&batch, event, at, budget).unwrap(),
            Happening::Attempts(both) if held => {
                let (began, ended) = &**both;
                let began = op::Began { event: began.clone(), at: at - 3 };
                write::attempted(&batch, &began, ended, (at - 3, at), budget).unwrap();
            }
            Happening::Attempts(both) => {
                let (began, ended) = &**both;
                write::append(&batch, began, at - 3, budget).unwrap();
                write::append(&batch, ended, at, budget).unwrap();
            }
            Happening::Redelivers(order) => {
                let search = Search { order: Some(*order), ..Search::default() };
                let given: Overrides = [Override::Accepted, Override::SecondPayment].into_iter().collect();
                let (because, by) =
                    (Some("a test".to_owned()), By { who: "session:li".to_owned(), from: "cli".to_owned() });
                let wanted = Redelivery { search, limit: 10, given, because, leave_out: true, by };
                redeliver::redeliver(&batch, &wanted, at).unwrap();
            }
        }
        batch.settle().unwrap();
    }

    /// All that can be read of it.
    fn tells(&self) -> Vec<String> {
        let find = |search: Search| format!("{:?}", read::find(&self.connection, &search, 100).unwrap());
        let mut told: Vec<String> = ORDERS
            .iter()
            .flat_map(|order| {
                let order = OrderId::parse(order).unwrap();
                let delivery = DeliveryId::of("app", &order);
                let by_delivery = Search { request_id: Some(delivery.0), ..Search::default() };
                let paid_by = read::paid_by(&self.connection, &order).unwrap();
                [
                    find(Search { order: Some(order), ..Search::default() }),
                    find(by_delivery),
                    format!("{paid_by:?} {:?}", acceptance_in(&self.connection, &delivery.to_string())),
                ]
            })
            .collect();
        for sql in [
            "SELECT * FROM ledger ORDER BY received_at, request_id",
            "SELECT * FROM delivery ORDER BY id",
            "SELECT entry, attempt, origin, began_at, ended_at, status, accepted, reason FROM attempt ORDER BY 1, 4, 2",
            "SELECT * FROM tally WHERE entries > 0",
        ] {
            told.push(self.rows(sql));
        }
        told.push(format!("{:?}", self.budget.spent()));
        told
    }

    fn rows(&self, sql: &str) -> String {
        let mut statement = self.connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        let mut text = String::new();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<_> = (0..columns).map(|column| format!("{:?}", row.get_ref(column).unwrap())).collect();
            text.push_str(&values.join(" "));
            text.push('\n');
        }
        text
    }

    fn count(&self, sql: &str) -> i64 {
        self.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn acceptance_in(connection: &Connection, delivery: &str) -> Option<Acceptance> {
    read::delivered(connection, delivery).unwrap().1.or_else(|| acceptance_of(connection, delivery).unwrap())
}

/// Sequences that are tried.
const SEEDS: u64 = 60;

const ORDERS: [&str; 3] = ["A", "B", "C"];

fn payment(random: &mut fastrand::Rng) -> Verified {
    let id = ["4200000000000000000000000001", "4200000000000000000000000002"][usize::from(random.u8(0..6) == 0)];
    Verified {
        transaction_id: TransactionId::parse(id).unwrap(),
        amount: Money { fen: Fen(6600), currency: Currency::default() },
        paid_at: "2026-11-22T02:11:12Z".parse().ok(),
        refunded: random.u8(0..8) == 0,
    }
}

fn outcome(random: &mut fastrand::Rng, payment: &Verified) -> Outcome {
    let body = (random.u8(0..6) == 0).then(|| Bytes::from_static(b"taken"));
    let transaction_id = Some(payment.transaction_id);
    match random.u8(0..8) {
        0 => Outcome::Answered(StatusCode::BAD_GATEWAY),
        1 => Outcome::Failed(Reason::UpstreamTimeout),
        2 => Outcome::Failed(Reason::UpstreamUnreachable),
        _ => Outcome::Accepted(Acceptance { transaction_id, status: StatusCode::OK, headers: HeaderMap::new(), body }),
    }
}

/// Some entry that is there, with its delivery.
fn entry(world: &World, random: &mut fastrand::Rng) -> Option<(EntryId, DeliveryId)> {
    let mut all = world.connection.prepare("SELECT id, delivery FROM entry").unwrap();
    let all = all.query_map([], |row| Ok((EntryId(row.get(0)?), columns::delivery(row)?))).unwrap();
    let all: Vec<_> = all.collect::<Result<_>>().unwrap();
    (!all.is_empty()).then(|| all[random.usize(0..all.len())])
}

fn attempts(random: &mut fastrand::Rng, entry: EntryId, delivery: DeliveryId) -> Happening {
    let number = u64::from(random.u8(1..4).saturating_sub(1).max(1));
    let origin = if random.u8(0..5) == 0 { Origin::FollowUp } else { Origin::Callback };
    let (attempt, payment) = (Attempt { entry, delivery, number, origin }, payment(random));
    let later = Some(Transition::Deliver { again_in: Duration::from_secs(60), retries: 0 });
    let outcome = outcome(random, &payment);
    let next = if matches!(outcome, Outcome::Accepted(_)) { Some(Transition::Accepted) } else { later };
    let began = JournalEvent::AttemptStarted { attempt, verified: Some(payment), next: later };
    Happening::Attempts(Box::new((began, JournalEvent::AttemptEnded { attempt, outcome, next })))
}

fn happening(random: &mut fastrand::Rng, world: &World) -> Happening {
    let order = ORDERS[random.usize(0..ORDERS.len())];
    let claim = |random: &mut fastrand::Rng, origin| {
        let mut callback = callback(order);
        callback.origin = origin;
        callback.claimed.amount =
            Some(Money { fen: Fen(6600 + u64::from(random.u8(0..4) == 0)), currency: Currency::default() });
        callback
    };
    let Some((entry, delivery)) = entry(world, random) else {
        return Happening::TakesIn(claim(random, Origin::Callback));
    };
    match random.u8(0..16) {
        0..4 => Happening::TakesIn(claim(random, Origin::Callback)),
        4 => Happening::Finds(claim(random, Origin::Sweep)),
        5..11 => attempts(random, entry, delivery),
        11 => {
            let verified = random.bool().then(|| payment(random));
            let next =
                [None, Some(Transition::Accepted), Some(Transition::Park), Some(Transition::Close)][random.usize(0..4)];
            Happening::Says(JournalEvent::Decided { entry, reason: Reason::Paid, verified, next })
        }
        12 => Happening::Says(JournalEvent::Counted { entry, delivery, attempts: u64::from(random.u8(1..9)) }),
        13 => Happening::Says(JournalEvent::Flagged { entry, reason: Reason::SecondPayment }),
        14 => Happening::Says(JournalEvent::Refunded {
            order: OrderId::parse("A").unwrap(),
            channel: callback(order).claimed.channel,
            transaction_id: payment(random).transaction_id,
        }),
        _ => Happening::Redelivers(OrderId::parse(order).unwrap()),
    }
}

#[test]
fn what_stands_in_an_entry_says_what_rows_say() {
    let mut folded = 0;
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut in_entries, mut in_rows) = (World::new(), World::new());
        for step in 0..10 {
            let (happening, at) = (happening(&mut random, &in_rows), 1_764_500_000_000 + 1000 * step);
            in_entries.sees(&happening, at, true);
            in_rows.sees(&happening, at, false);
            folded += in_entries.count("SELECT count(*) FROM entry WHERE first_began_at NOT NULL");
            assert_eq!(in_entries.tells(), in_rows.tells(), "seed {seed}, step {step}");
        }
        for (sql, what) in check::RULES {
            assert!(in_entries.count(sql) == 0 || in_rows.count(sql) > 0, "seed {seed}: {what}");
        }
        assert_eq!(in_rows.count("SELECT count(*) FROM entry WHERE first_began_at NOT NULL"), 0);
    }
    assert!(folded > 0, "none ever stood in its entry");
}

#[test]
fn an_order_that_is_accepted_at_once_has_no_row_of_its_own() {
    let mut world = World::new();
    world.sees(&Happening::TakesIn(callback("A")), 1000, true);
    let mut random = fastrand::Rng::with_seed(1);
    let (entry, delivery) = entry(&world, &mut random).unwrap();
    let attempt = Attempt { entry, delivery, number: 1, origin: Origin::Callback };
    let payment = Verified { refunded: false, ..payment(&mut random) };
    let acceptance = Acceptance {
        transaction_id: Some(payment.transaction_id),
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body: None,
    };
    let began = JournalEvent::AttemptStarted { attempt, verified: Some(payment), next: None };
    let next = Some(Transition::Accepted);
    let ended = JournalEvent::AttemptEnded { attempt, outcome: Outcome::Accepted(acceptance), next };
    world.sees(&Happening::Attempts(Box::new((began, ended))), 2000, true);
    assert_eq!(world.count("SELECT (SELECT count(*) FROM delivery_row) + (SELECT count(*) FROM attempt_row)"), 0);
    assert_eq!(world.count("SELECT (SELECT count(*) FROM delivery) + (SELECT count(*) FROM attempt)"), 2);
    let mut other = callback("A");
    other.claimed.amount = None;
    world.sees(&Happening::TakesIn(other), 3000, true);
    assert_eq!(world.count("SELECT (SELECT count(*) FROM delivery_row) + (SELECT count(*) FROM attempt_row)"), 2);
}
