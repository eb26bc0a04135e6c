//! The ledger: who was answered what, and what the legacy system did.

use super::load::{Callback, PRICE};
use crate::fakes::upstream::{MARK, Upstream};
use crate::fleet::Fleet;
use crate::wire::Message;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

/// What senders know.
#[derive(Default)]
pub struct Outside(Mutex<Known>);

#[derive(Default)]
struct Known {
    sent: usize,
    answers: Vec<(Callback, Message)>,
}

/// What came of it all.
#[derive(Debug)]
pub struct Figures {
    sent: usize,
    answered: usize,
    unavailable: usize,
    owed: usize,
    lost: usize,
    unpaid: usize,
    false_success: usize,
    same_number: usize,
    duplicates: usize,
}

impl Outside {
    pub fn notes(&self, callback: &Callback, answer: Option<Message>) {
        let mut known = self.0.lock().unwrap();
        known.sent += 1;
        known.answers.extend(answer.map(|answer| (callback.clone(), answer)));
    }

    /// The orders whose right callback was answered, whatever was answered, but for what the gates refused because the journal
    /// could not be written, as their log says.
    pub fn owed(&self, log: &str) -> BTreeSet<String> {
        let refused = refused(log);
        let known = self.0.lock().unwrap();
        let taken_in = |answer: &Message| !refused.contains(&header(answer, "X-Request-Id"));
        let right = known.answers.iter().filter(|(callback, answer)| callback.is_right() && taken_in(answer));
        right.map(|(callback, _)| callback.order.clone()).collect()
    }

    pub fn figures(&self, owed: &BTreeSet<String>, fleet: &Fleet) -> Figures {
        let (acted, requests) = (fleet.upstream.acted_after(0), fleet.upstream.requests());
        let confirmed: BTreeSet<_> = fleet.wechat.confirmations().into_iter().map(|paid| paid.out_trade_no).collect();
        let unpaid = |request: &&Message| {
            let (order, amount) = named(request);
            !confirmed.contains(&order) || amount != PRICE.to_string()
        };
        let mut seen = BTreeSet::new();
        let number =
            |request: &Message| (header(request, "X-Tollgate-Delivery"), header(request, "X-Tollgate-Attempt"));
        let known = self.0.lock().unwrap();
        let by_mark: BTreeMap<_, _> =
            acted.iter().filter_map(|acted| Some((acted.mark.clone()?, named(&acted.request).0))).collect();
        let is_false = |(callback, answer): &&(Callback, Message)| {
            (200..300).contains(&answer.status()) && by_mark.get(&header(answer, MARK)) != Some(&callback.order)
        };
        let orders: BTreeSet<_> = acted.iter().map(|acted| named(&acted.request).0).collect();
        Figures {
            sent: known.sent,
            answered: known.answers.len(),
            unavailable: refused(&fleet.printed()).len(),
            owed: owed.len(),
            lost: missing(owed, &fleet.upstream).len(),
            unpaid: requests.iter().filter(unpaid).count(),
            false_success: known.answers.iter().filter(is_false).count(),
            same_number: requests.iter().filter(|request| !seen.insert(number(request))).count(),
            duplicates: acted.len() - orders.len(),
        }
    }
}

/// The orders that the legacy system has not taken, or has not told a gate so.
pub fn missing(owed: &BTreeSet<String>, upstream: &Upstream) -> BTreeSet<String> {
    let acted = upstream.acted_after(0);
    let told: BTreeSet<_> =
        acted.iter().filter(|acted| acted.mark.is_some()).map(|acted| named(&acted.request).0).collect();
    owed.difference(&told).cloned().collect()
}

impl Figures {
    pub const fn is_clean(&self) -> bool {
        self.lost == 0 && self.unpaid == 0 && self.false_success == 0 && self.same_number == 0 && self.owed > 0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, answered, unavailable, owed, lost, unpaid, false_success, same_number, duplicates } = self;
        write!(
            f,
            "{sent} callbacks sent, {answered} answered, {unavailable} of them that the journal was away, {owed} paid orders taken in, \
             {lost} lost, {unpaid} forwarded unpaid, {false_success} answered success without delivery, {same_number} numbers given \
             twice, {duplicates} duplicates"
        )
    }
}

/// The callbacks that were not taken in, by the gates' log.
fn refused(log: &str) -> BTreeSet<String> {
    let lines = log.lines().filter(|line| line.contains("journal-unavailable"));
    let fields = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    fields.filter_map(|line| find(&line, "request_id")).collect()
}

fn find(line: &Value, name: &str) -> Option<String> {
    let found = line.get(name).or_else(|| line.get("fields")?.get(name))?;
    found.as_str().map(str::to_owned)
}

/// The order and the amount that a request to the legacy system names.
fn named(request: &Message) -> (String, String) {
    let text = request.text();
    let field = |name: &str| text.split('&').find_map(|field| field.strip_prefix(name)).unwrap_or_default().to_owned();
    (field("OrderID="), field("TotalFee="))
}

fn header(message: &Message, name: &str) -> String {
    message.header(name).unwrap_or_default()
}
