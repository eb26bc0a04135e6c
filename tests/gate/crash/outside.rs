//! The ledger of the crash: who was answered what, and what the legacy system did.

use super::load::{Callback, PRICE, Way, named};
use crate::fakes::upstream::{Acted, MARK, Upstream};
use crate::fakes::wechat::WeChat;
use crate::wire::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

/// What senders know.
#[derive(Default)]
pub struct Outside(Mutex<Known>);

#[derive(Default)]
struct Known {
    callbacks: usize,
    answers: Vec<(Callback, Message)>,
}

/// What came of it all.
#[derive(Debug)]
pub struct Figures {
    callbacks: usize,
    answered: usize,
    kills: usize,
    owed: usize,
    lost: usize,
    unpaid: usize,
    false_success: usize,
    duplicates: usize,
    by_the_follow_up: usize,
    same_number: usize,
}

impl Outside {
    pub fn notes(&self, callback: &Callback, answer: Option<Message>) {
        let mut known = self.0.lock().unwrap();
        known.callbacks += 1;
        known.answers.extend(answer.map(|answer| (callback.clone(), answer)));
    }

    pub fn answers(&self) -> Vec<Message> {
        self.0.lock().unwrap().answers.iter().map(|(_, answer)| answer.clone()).collect()
    }

    /// The orders whose right callback was answered, whatever was answered, and which the legacy system has not taken.
    pub fn owed(&self, upstream: &Upstream) -> BTreeSet<String> {
        let mut owed = self.taken_in();
        without_the_told(&mut owed, &upstream.acted_after(0));
        owed
    }

    /// The orders whose right callback was answered.
    pub fn taken_in(&self) -> BTreeSet<String> {
        let known = self.0.lock().unwrap();
        let right = known.answers.iter().filter(|(callback, _)| callback.is_right());
        right.map(|(callback, _)| callback.order.clone()).collect()
    }

    /// What WeChat Pay sends again: the right notifications of these orders, as far as only they can be delivered.
    pub fn to_be_sent_again(&self, owed: &BTreeSet<String>) -> Vec<Callback> {
        let known = self.0.lock().unwrap();
        let callbacks = known.answers.iter().map(|(callback, _)| callback);
        let mut again: Vec<_> = callbacks
            .filter(|callback| callback.way == Way::Windowed && callback.is_right() && owed.contains(&callback.order))
            .cloned()
            .collect();
        again.sort_by(|one, other| one.order.cmp(&other.order));
        again.dedup_by(|one, other| one.order == other.order);
        again
    }

    pub fn figures(&self, wechat: &WeChat, upstream: &Upstream, kills: usize) -> Figures {
        let (acted, requests) = (upstream.acted_after(0), upstream.requests());
        let (lost, owed) = (self.owed(upstream).len(), self.taken_in().len());
        let known = self.0.lock().unwrap();
        let more = more_than_once(&acted);
        Figures {
            callbacks: known.callbacks,
            answered: known.answers.len(),
            kills,
            owed,
            lost,
            unpaid: unpaid(wechat, &requests),
            false_success: known.false_success(&acted),
            duplicates: more.len(),
            by_the_follow_up: more.iter().filter(|request| header(request, "X-Tollgate-Origin") == "follow-up").count(),
            same_number: same_number(&requests),
        }
    }
}

impl Known {
    /// Answers that read as success and stem from no acceptance of that very order.
    fn false_success(&self, acted: &[Acted]) -> usize {
        let acted = acted.iter().filter_map(|acted| Some((acted.mark.clone()?, order(&acted.request))));
        let by_mark: BTreeMap<String, String> = acted.collect();
        let success = self.answers.iter().filter(|(_, answer)| (200..300).contains(&answer.status()));
        let is_false =
            |callback: &Callback, answer: &Message| by_mark.get(&header(answer, MARK)) != Some(&callback.order);
        success.filter(|(callback, answer)| is_false(callback, answer)).count()
    }
}

impl Figures {
    pub fn is_clean(&self) -> bool {
        (self.lost, self.unpaid, self.false_success) == (0, 0, 0)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { callbacks, answered, kills, owed, lost, unpaid, false_success, duplicates, .. } = self;
        write!(
            f,
            "crash: {callbacks} callbacks, {answered} answered, {kills} kills ({} with a power cut), {owed} paid orders taken in, {lost} lost, \
             {unpaid} forwarded unpaid, {false_success} answered success without delivery, {duplicates} duplicates \
             ({} by the follow-up), {} attempt numbers given twice",
            kills / super::POWER_CUT_EVERY,
            self.by_the_follow_up,
            self.same_number
        )
    }
}

/// Removes the orders that the legacy system has taken, and has told the gate so.
pub fn without_the_told(owed: &mut BTreeSet<String>, acted: &[Acted]) {
    for acted in acted.iter().filter(|acted| acted.mark.is_some()) {
        owed.remove(&order(&acted.request));
    }
}

fn header(message: &Message, name: &str) -> String {
    message.header(name).unwrap_or_default()
}

/// The order that a request names.
fn order(request: &Message) -> String {
    named(request).0
}

/// The requests after the first that was acted on, of each order.
fn more_than_once(acted: &[Acted]) -> Vec<&Message> {
    let mut seen = BTreeSet::new();
    acted.iter().map(|acted| &acted.request).filter(|request| !seen.insert(order(request))).collect()
}

/// Requests for what WeChat Pay never confirmed, or for another amount.
fn unpaid(wechat: &WeChat, requests: &[Message]) -> usize {
    let confirmed: BTreeSet<_> = wechat.confirmations().into_iter().map(|paid| paid.out_trade_no).collect();
    let right = |request: &&Message| {
        let (order, amount) = named(request);
        confirmed.contains(&order) && amount == PRICE.to_string()
    };
    requests.iter().filter(|request| !right(request)).count()
}

/// Requests with a delivery and an attempt that another one had before.
fn same_number(requests: &[Message]) -> usize {
    let mut seen = BTreeSet::new();
    let number = |request: &Message| (header(request, "X-Tollgate-Delivery"), header(request, "X-Tollgate-Attempt"));
    requests.iter().filter(|request| !seen.insert(number(request))).count()
}
