//! Price beside claim beside answer beside what was sent, line by line.

use super::super::show;
use super::super::words::Words;
use crate::domain::clock;
use crate::domain::money::Money;
use crate::domain::reason::Reason;
use crate::journal::{Origin, Record, Verified};
use jiff::Timestamp;

/// How many lines a column has.
const LINES: usize = 7;
/// How many of them a claim can say.
const CLAIMED: usize = 4;
/// What stands where nothing can be said.
const NOTHING: &str = "–";

/// What one party says.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) facts: Vec<Fact>,
    /// What stands there if nothing was said.
    pub(super) empty: Option<&'static str>,
}

/// A line of that.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: Option<String>,
    /// What stands there without a value.
    pub(super) otherwise: &'static str,
    /// Whether another party says something else.
    pub(super) differs: bool,
}

/// Which values another party gives otherwise.
#[derive(Debug, Clone, Copy, Default)]
struct Differs {
    transaction: bool,
    amount: bool,
}

/// What the four parties say of an order.
pub(super) fn columns(record: &Record, words: &'static Words) -> [Column; 4] {
    let (claimed, verified, price) = (&record.claimed, record.verified.as_ref(), record.price.as_ref());
    let paid = verified.map(|verified| verified.amount);
    let [price_differs, claim_differs, paid_differs] = differing(price.map(|price| price.amount), claimed.amount, paid);
    let transaction = verified.zip(claimed.transaction_id).is_some_and(|(paid, id)| paid.transaction_id != id);
    let column = |id, name, facts, empty: Option<&'static str>| Column { id, name, facts, empty };
    let expected = expected(record, words, Differs { transaction: false, amount: price_differs });
    let claim = claim(record, words, Differs { transaction, amount: claim_differs });
    let answer = answer(record, words, Differs { transaction, amount: paid_differs });
    [
        column("expected", words.expected, expected, price.is_none().then_some(words.not_expected)),
        column("claimed", claim_name(record, words), claim, None),
        column("paid", words.answer, answer, verified.is_none().then(|| unsaid(record, words))),
        column("sent", words.sent, sent(record, words), (record.attempts == 0).then_some(words.nothing_sent)),
    ]
}

/// Which of three amounts is not what another of them is: each is held against what was paid, or against the other
/// where nothing was paid. There is nothing to differ from an amount that no source has said.
fn differing(expected: Option<Money>, claimed: Option<Money>, paid: Option<Money>) -> [bool; 3] {
    let differ = |one: Option<Money>, other: Option<Money>| one.zip(other).is_some_and(|(one, other)| one != other);
    if paid.is_none() {
        let differ = differ(expected, claimed);
        return [differ, differ, false];
    }
    let [expected, claimed] = [expected, claimed].map(|said| differ(said, paid));
    [expected, claimed, expected || claimed]
}

/// By a source of pending orders.
fn expected(record: &Record, words: &Words, differs: Differs) -> Vec<Fact> {
    let price = record.price.as_ref();
    let mut names = names(words);
    (names[0], names[1]) = (words.expected_source, words.expected_since);
    let said = [
        price.map(|price| price.source.clone()),
        price.and_then(|price| price.listed_at).map(moment),
        None,
        price.map(|price| show::plain_amount(price.amount)),
        None,
        None,
        None,
    ];
    facts(names, said, differs, |_| NOTHING)
}

/// By the callback, or by what brought the order.
fn claim(record: &Record, words: &Words, differs: Differs) -> Vec<Fact> {
    let claimed = &record.claimed;
    let said = [
        Some(claimed.order.to_string()),
        Some(claimed.out_trade_no.to_string()),
        claimed.transaction_id.map(|id| id.to_string()),
        claimed.amount.map(show::plain_amount),
        None,
        None,
        None,
    ];
    let otherwise = |line| if line < CLAIMED { words.not_claimed } else { NOTHING };
    let mut facts = facts(names(words), said, differs, otherwise);
    if record.is_without_request() {
        facts.push(Fact { name: words.request, value: None, otherwise: words.request_not_kept, differs: false });
    }
    facts
}

/// By WeChat Pay.
fn answer(record: &Record, words: &Words, differs: Differs) -> Vec<Fact> {
    facts(names(words), confirmed(record, record.verified.as_ref()), differs, |_| NOTHING)
}

/// To the order system.
fn sent(record: &Record, words: &Words) -> Vec<Fact> {
    let was_sent = record.attempts > 0;
    let [_, confirmed @ .., _] = confirmed(record, record.verified.as_ref().filter(|_| was_sent));
    let [number, transaction, amount, trade_state, paid_at] = confirmed;
    let (order, delivery) = (was_sent.then_some(record.claimed.order), was_sent.then_some(&record.delivery));
    let (order, delivery) = (order.map(|id| id.to_string()), delivery.map(ToString::to_string));
    let said = [order, number, transaction, amount, trade_state, paid_at, delivery];
    facts(names(words), said, Differs::default(), |_| NOTHING)
}

/// What was confirmed, without an order and a delivery, which WeChat Pay does not know.
fn confirmed(record: &Record, verified: Option<&Verified>) -> [Option<String>; LINES] {
    let trade_state = |refunded| if refunded { "REFUND" } else { "SUCCESS" }.to_owned();
    [
        None,
        verified.map(|_| record.claimed.out_trade_no.to_string()),
        verified.map(|verified| verified.transaction_id.to_string()),
        verified.map(|verified| show::plain_amount(verified.amount)),
        verified.map(|verified| trade_state(verified.refunded)),
        verified.and_then(|verified| verified.paid_at).map(moment),
        None,
    ]
}

const fn names(words: &Words) -> [&'static str; LINES] {
    [
        words.order,
        words.out_trade_no,
        words.transaction_id,
        words.amount,
        words.trade_state,
        words.paid_at,
        words.delivery,
    ]
}

fn facts(
    names: [&'static str; LINES],
    said: [Option<String>; LINES],
    differs: Differs,
    otherwise: impl Fn(usize) -> &'static str,
) -> Vec<Fact> {
    let marks = [false, false, differs.transaction, differs.amount, false, false, false];
    let lines = names.into_iter().zip(said).zip(marks).enumerate();
    let fact = |(line, ((name, value), differs)): (usize, ((&'static str, Option<String>), bool))| Fact {
        name,
        differs: differs && value.is_some(),
        value,
        otherwise: otherwise(line),
    };
    lines.map(fact).collect()
}

/// Who the claim is of.
const fn claim_name(record: &Record, words: &Words) -> &'static str {
    match record.origin {
        Origin::Sweep => words.claim_bill,
        Origin::Pending => words.claim_list,
        Origin::Callback | Origin::FollowUp => words.claim,
    }
}

/// Why nothing is known of a payment. What is wrong with a notification itself costs no question.
const fn unsaid(record: &Record, words: &Words) -> &'static str {
    match record.reason {
        Some(Reason::AmountDiffers | Reason::TransactionDiffers | Reason::TransactionOfOtherOrder) => words.not_kept,
        _ => words.not_confirmed,
    }
}

fn moment(at: Timestamp) -> String {
    clock::beijing(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
