//! Where entries go on, and what becomes known of their payments, in SQL. The entries are locked when this is done.
//!
//! A fact is written whoever says it: a payment, and that the upstream accepted. Where an entry goes on is said by who holds it,
//! or by anybody where no living one does.

use super::op::{Noted, millis};
use super::statement::{List, Statement};
use crate::domain::reason::{Reason, Verdict};
use crate::journal::stored::trade_state;
use crate::journal::{EntryId, Rank, Transition, Verified};
use std::sync::LazyLock;

/// What is said of an entry.
#[derive(Debug)]
pub(super) struct Lead<'n> {
    pub(super) noted: &'n Noted,
    pub(super) entry: EntryId,
    /// Whether it is a line of the history.
    pub(super) is_decided: bool,
    pub(super) reason: Option<Reason>,
    pub(super) verified: Option<Verified>,
    pub(super) next: Option<Transition>,
}

/// What WeChat Pay said of an order that anybody can have made up.
#[derive(Debug, Clone, Copy)]
#[repr(i16)]
enum Told {
    Nothing = 0,
    There = 1,
    Absent = 2,
}

impl Told {
    fn of(reason: Reason) -> Self {
        match reason.verdict() {
            _ if reason == Reason::OrderNotFound => Self::Absent,
            Some(Verdict::Unknown) | None => Self::Nothing,
            Some(_) => Self::There,
        }
    }
}

/// A payment and a transition in columns.
#[derive(Debug, Default)]
pub(super) struct Columns {
    reason: Vec<Option<&'static str>>,
    transaction_id: Vec<Option<String>>,
    total_fee: Vec<Option<i64>>,
    fee_type: Vec<Option<String>>,
    paid_at: Vec<Option<i64>>,
    trade_state: Vec<Option<&'static str>>,
    next: Vec<Option<&'static str>>,
    due_in: Vec<Option<i64>>,
    retries: Vec<i32>,
}

/// The names of those columns.
pub(super) const COLUMNS: &str =
    "reason, transaction_id, total_fee, fee_type, paid_at, trade_state, next, due_in, retries";

impl Columns {
    pub(super) fn push(&mut self, reason: Option<Reason>, verified: Option<&Verified>, next: Option<Transition>) {
        let of_payment = verified.map(|verified| if verified.refunded { Reason::Refunded } else { Reason::Paid });
        self.reason.push(reason.or(of_payment).map(Reason::code));
        self.transaction_id.push(verified.map(|verified| verified.transaction_id.to_string()));
        self.total_fee.push(verified.map(|verified| super::op::number(verified.amount.fen.0)));
        self.fee_type.push(verified.map(|verified| verified.amount.currency.as_str().to_owned()));
        self.paid_at.push(verified.and_then(|verified| verified.paid_at).map(|at| at.as_millisecond()));
        self.trade_state.push(verified.map(|verified| trade_state(verified.refunded)));
        self.next.push(next.map(|next| next.state().as_str()));
        let due = next.and_then(Transition::due);
        self.due_in.push(due.map(|(again_in, _)| millis(again_in)));
        self.retries.push(due.map_or(0, |(_, retries)| i32::try_from(retries).unwrap_or(i32::MAX)));
    }

    /// The statement with these columns as its next nine values.
    pub(super) fn put(self, statement: Statement) -> Statement {
        statement
            .with(List(self.reason))
            .with(List(self.transaction_id))
            .with(List(self.total_fee))
            .with(List(self.fee_type))
            .with(List(self.paid_at))
            .with(List(self.trade_state))
            .with(List(self.next))
            .with(List(self.due_in))
            .with(List(self.retries))
    }
}

/// The tables `c`, `line` and `led` behind a `WITH` that has `w`: what is known of each entry, the lines of the history, and the
/// change. `c.may` says whether who says it may lead the entry on: whoever holds it, or where nobody does, who has not been
/// overtaken by what came of it since.
pub(super) fn lead(w: &str) -> String {
    let brought = Rank::Brought as u8;
    format!(
        "c AS (SELECT w.*, o.state AS was, o.reason AS had,
             o.state = 'parked' AND o.reason = 'parked-by-operator' AS kept,
             coalesce(o.holder = w.hold, w.hold IS NULL AND o.since <= @now - w.age AND (o.holder IS NULL OR NOT EXISTS (
                 SELECT 1 FROM ~replica r WHERE r.incarnation = o.holder AND r.alive_until > @now))) AS may,
             p.total_fee AS price, p.source AS price_source, p.listed_at AS price_at
         FROM {w} w JOIN ~entry o ON o.bucket = w.bucket AND o.id = w.entry
         LEFT JOIN LATERAL (
             SELECT l.total_fee, l.source, l.listed_at FROM ~listed l
             WHERE (w.keeps_price OR w.transaction_id IS NOT NULL AND o.expected_fee IS NOT NULL)
                 AND l.bucket = get_byte(sha256(convert_to(o.out_trade_no, 'UTF8')), 0)
                 AND l.channel = o.channel AND l.out_trade_no = o.out_trade_no AND l.total_fee IS NOT NULL
             ORDER BY l.gone_at IS NOT NULL, l.listed_at LIMIT 1) p ON true),
         line AS (
             INSERT INTO ~event (bucket, entry, id, at, what, reason, replica)
             SELECT bucket, entry, op, @now - age, 'found', reason, replica FROM c
             WHERE is_decided AND reason <> had AND was <> 'accepted' AND NOT kept AND may
             ON CONFLICT DO NOTHING),
         led AS (
             UPDATE ~entry e SET
                 transaction_id = coalesce(c.transaction_id, e.transaction_id),
                 total_fee = CASE WHEN c.transaction_id IS NULL THEN e.total_fee ELSE c.total_fee END,
                 fee_type = CASE WHEN c.transaction_id IS NULL THEN e.fee_type ELSE c.fee_type END,
                 paid_at = CASE WHEN c.transaction_id IS NULL THEN e.paid_at ELSE c.paid_at END,
                 trade_state = coalesce(c.trade_state, e.trade_state),
                 verified_at = CASE WHEN c.transaction_id IS NULL THEN e.verified_at ELSE @now - c.age END,
                 confirmed_at = CASE WHEN c.transaction_id IS NULL THEN e.confirmed_at
                     ELSE coalesce(e.confirmed_at, @now - c.age) END,
                 expected_fee = CASE WHEN c.price IS NULL THEN e.expected_fee ELSE c.price END,
                 expected_source = CASE WHEN c.price IS NULL THEN e.expected_source ELSE c.price_source END,
                 expected_at = CASE WHEN c.price IS NULL THEN e.expected_at ELSE c.price_at END,
                 reason = CASE WHEN c.leads AND c.next = 'accepted' AND c.kept THEN 'paid'
                     WHEN c.reason IS NOT NULL AND c.was <> 'accepted' AND NOT c.kept AND c.may THEN c.reason
                     ELSE e.reason END,
                 state = CASE WHEN c.leads THEN c.next ELSE e.state END,
                 since = CASE WHEN c.leads AND c.next <> e.state THEN @now - c.age ELSE e.since END,
                 due_at = CASE WHEN c.leads THEN @now - c.age + c.due_in ELSE e.due_at END,
                 tries = CASE WHEN c.leads THEN c.retries ELSE e.tries END,
                 asked_for = e.asked_for AND NOT (c.leads AND c.due_in IS NULL),
                 overrides = CASE WHEN c.leads AND c.due_in IS NULL THEN 0 ELSE e.overrides END,
                 rank = CASE
                     WHEN e.state = 'asking' AND c.told = 2 AND e.rank < 2 AND e.origin = 'callback' THEN e.rank + 2
                     WHEN e.state = 'asking' AND c.told = 1 THEN 0
                     WHEN c.leads AND e.rank >= {brought} AND (c.next <> 'delivering' OR e.tries <> c.retries) THEN 0
                     ELSE e.rank END,
                 holder = CASE WHEN c.ends AND (c.may OR c.next = 'accepted') THEN NULL ELSE e.holder END
             FROM (SELECT c.*, c.next IS NOT NULL AND CASE c.next
                     WHEN 'closed' THEN c.was = 'asking' AND c.may
                     WHEN 'accepted' THEN c.was <> 'accepted'
                     ELSE c.was <> 'accepted' AND NOT c.kept AND c.may END AS leads FROM c) c
             WHERE e.bucket = c.bucket AND e.id = c.entry)"
    )
}

static LEAD: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH w AS (SELECT *, $19::text AS replica FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[],
             $5::bigint[], $6::bool[], $7::bool[], $8::smallint[], $9::bool[], $10::text[], $11::text[], $12::bigint[],
             $13::text[], $14::bigint[], $15::text[], $16::text[], $17::bigint[], $18::integer[])
             AS w(bucket, entry, op, age, hold, is_decided, ends, told, keeps_price, {COLUMNS})),
         {}
         SELECT entry FROM c WHERE next IS NOT NULL AND next <> 'accepted' AND NOT may",
        lead("w")
    )
});

/// Writes what is said of these entries, each of which is there once. The statement gives those back that somebody else holds,
/// and that were to go on.
pub(super) fn statement(leads: &[Lead<'_>], replica: &str) -> Statement {
    let mut columns = Columns::default();
    leads.iter().for_each(|lead| columns.push(lead.reason, lead.verified.as_ref(), lead.next));
    let all = |value: &dyn Fn(&Lead<'_>) -> i64| leads.iter().map(value).collect::<Vec<_>>();
    let each = |value: &dyn Fn(&Lead<'_>) -> bool| leads.iter().map(value).collect::<Vec<_>>();
    let told = |lead: &Lead<'_>| lead.reason.filter(|_| lead.is_decided).map_or(Told::Nothing, Told::of) as i16;
    let base = Statement::of(LEAD.as_str())
        .with(List(leads.iter().map(|lead| lead.noted.bucket.column()).collect()))
        .with(List(all(&|lead| lead.entry.0)))
        .with(List(all(&|lead| lead.noted.id)))
        .with(List(all(&|lead| lead.noted.age())))
        .with(List(leads.iter().map(|lead| lead.noted.hold).collect::<Vec<_>>()))
        .with(List(each(&|lead| lead.is_decided)))
        .with(List(each(&|lead| lead.noted.ending.is_some())))
        .with(List(leads.iter().map(told).collect::<Vec<_>>()))
        .with(List(each(&|lead| lead.is_decided && lead.reason == Some(Reason::ExpectedAmountDiffers))));
    columns.put(base).with(replica.to_owned())
}
