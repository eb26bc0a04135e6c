//! What became of a scene: what each party saw, and whether that is what it should have seen.

use crate::sandbox::shop::{ORIGIN_HEADER, Received, TRANSACTION_HEADER};
use crate::sandbox::{Attempt, Judgement, Query};
use serde::Serialize;
use std::time::Duration;

/// A scene after it was played.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What happens, in a few words.
    pub(super) title: &'static str,
    /// What happens, in a sentence.
    pub(super) story: &'static str,
    /// What those who call back sent and got.
    pub(super) sender: Vec<String>,
    /// What became of the gate.
    pub(super) gate: Vec<String>,
    /// What WeChat Pay was asked, and answered.
    pub(super) wechat_pay: Vec<String>,
    /// What reached the order system.
    pub(super) shop: Vec<String>,
    /// What was expected of all that.
    pub(super) checks: Vec<Check>,
}

/// Something that must hold.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// What.
    pub(super) expected: &'static str,
    /// Whether it does.
    pub(super) seen: bool,
}

impl Report {
    pub(super) fn new(title: &'static str, story: &'static str) -> Self {
        let [sender, gate, wechat_pay, shop] = [const { Vec::new() }; 4];
        Self { title, story, sender, gate, wechat_pay, shop, checks: Vec::new() }
    }

    /// Whether everything was as expected.
    pub(super) fn went_well(&self) -> bool {
        self.checks.iter().all(|check| check.seen)
    }

    /// Expects something.
    pub(super) fn check(&mut self, expected: &'static str, seen: bool) {
        self.checks.push(Check { expected, seen });
    }

    /// Writes down how long after something the shop got what it got.
    pub(super) fn told_when(&mut self, what: &str, took: Duration, received: &[Received]) {
        if !received.is_empty() {
            self.shop.push(format!("that was {} ms after {what}", took.as_millis()));
        }
    }

    /// Writes down what WeChat Pay and the shop saw.
    pub(super) fn saw(&mut self, queries: &[Query], received: &[Received]) {
        self.wechat_pay.extend(counted(queries.iter().map(describe_query), "was asked nothing"));
        self.shop.extend(counted(received.iter().map(describe_received), "saw nothing"));
    }
}

/// Equal neighbours counted, or what to say if there are none.
fn counted(lines: impl Iterator<Item = String>, none: &str) -> Vec<String> {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for line in lines {
        match groups.last_mut() {
            Some(last) if last.0 == line => last.1 += 1,
            _ => groups.push((line, 1)),
        }
    }
    if groups.is_empty() {
        return vec![none.to_owned()];
    }
    let times = |(line, count)| if count == 1 { line } else { format!("{count} times: {line}") };
    groups.into_iter().map(times).collect()
}

fn describe_query(query: &Query) -> String {
    let asked = match (&query.transaction_id, &query.out_trade_no) {
        (Some(id), _) => format!("transaction {id}"),
        (None, Some(order)) => format!("order {order}"),
        (None, None) => "nothing readable".to_owned(),
    };
    let order = query.answered_order.as_ref().map_or_else(String::new, |order| format!(", order {order}"));
    let fee = query.answered_fee.map_or_else(String::new, |fee| format!(", {fee} fen"));
    format!("was asked about {asked}; answered {}{order}{fee}", query.answer)
}

fn describe_received(received: &Received) -> String {
    let ids = received.header(TRANSACTION_HEADER).join(" and ");
    let ids = if ids.is_empty() { "absent".to_owned() } else { ids };
    let origin = received.header(ORIGIN_HEADER).join(" and ");
    let by_itself = !origin.is_empty() && origin != "callback";
    let origin = if by_itself { format!("; {ORIGIN_HEADER}: {origin}") } else { String::new() };
    let signed = received.signed_by.as_ref();
    let signed = signed.map_or_else(String::new, |serial| format!("; signed just now with {serial}"));
    format!("marked {} as paid; {TRANSACTION_HEADER}: {ids}{origin}{signed}", received.order)
}

/// A delivery of a notification, as its sender tells it.
pub(super) fn describe_attempt(attempt: &Attempt) -> String {
    let judgement = match attempt.judgement {
        Judgement::Acknowledged => "acknowledged".to_owned(),
        Judgement::Failed => "refused with return_code FAIL".to_owned(),
        Judgement::NotAnAcknowledgement => "an answer that is no acknowledgement".to_owned(),
        Judgement::HttpStatus => format!("HTTP status {}", attempt.status.unwrap_or_default()),
        Judgement::Timeout => "no answer within 5 s".to_owned(),
        Judgement::Connection => "no connection".to_owned(),
    };
    format!("delivery {} after {} ms: {judgement}", attempt.round, attempt.elapsed_ms)
}
