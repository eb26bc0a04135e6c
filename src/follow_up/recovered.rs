//! Orders that never called back: asked about on a schedule of their own, and given a callback once they are confirmed.

use super::FollowUp;
use super::jitter::jittered;
use super::lanes::age;
use super::outcome::Step;
use crate::domain::clock;
use crate::domain::order::ChannelId;
use crate::domain::reason::{Reason, Verdict};
use crate::gate::channel::Channel;
use crate::gate::decide::Confirmed;
use crate::gate::record::Record;
use crate::gate::route::Route;
use crate::gate::synthesize::Facts;
use crate::journal::sweeps::Standing;
use crate::journal::{Job, JournalEvent, Origin, Override, Request, State, Transition};
use crate::provider::payment::Payment;
use crate::provider::{Evidence, OrderState};
use std::time::Duration;

/// How long after an order was made it is asked about (`docs/reference/wechatpay-v2.md` section 8), and then less and
/// less.
const QUESTIONS: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    minutes(1),
    minutes(3),
    minutes(5),
    minutes(10),
    minutes(30),
    minutes(60),
    minutes(2 * 60),
    minutes(4 * 60),
];

/// How often it is asked about after that.
const AT_LAST: Duration = minutes(4 * 60);

/// How long after a payment its own callback is waited for.
const ITS_OWN_CALLBACK: Duration = Duration::from_secs(5);

/// After how long the journal is asked again whether another entry has brought a payment to the upstream.
const LOOK_AGAIN: Duration = minutes(1);

/// After how many order queries that deny what the bill says a person has to look.
const DENIALS: u32 = 3;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// In how long an order of this age is asked about next.
#[must_use]
pub fn next_question(age: Duration) -> Duration {
    let next = QUESTIONS.into_iter().find(|at| *at > age);
    next.map_or(AT_LAST, |at| at.saturating_sub(age))
}

impl FollowUp {
    /// Where an order goes on that was found without a callback, and is not confirmed.
    pub(super) fn not_confirmed_without_callback(
        &self,
        job: &Job,
        record: &Record,
        reason: Reason,
        order_state: &OrderState,
    ) -> Step {
        if reason.holds_payment() {
            return self.park_payment(record, reason, order_state);
        }
        let next = match (job.callback.origin, reason.verdict()) {
            (Origin::Pending, Some(Verdict::Pending)) => self.after_not_yet(job),
            // No callback and no bill claims that it is paid.
            (Origin::Pending, Some(Verdict::Unpaid)) => return self.close(record, reason),
            (_, Some(Verdict::Pending | Verdict::Unpaid)) if job.retries + 1 >= DENIALS && was_denied(job) => {
                return self.park(record, reason);
            }
            // The bill has another amount than was paid: there is money.
            _ if reason == Reason::AmountDiffers => return self.park_payment(record, reason, order_state),
            (_, Some(Verdict::Contradicted)) => return self.park(record, reason),
            _ => self.ask_again.after(job.retries + 1, job.age),
        };
        match (next, job.callback.origin, reason.verdict()) {
            (Some(again_in), ..) => {
                let next = Transition::Ask { again_in: jittered(again_in), retries: job.retries + 1 };
                self.gate.records.decided(record, reason, None, Some(next));
                Step::Undecided(reason)
            }
            (None, Origin::Pending, Some(Verdict::Pending)) => self.close(record, Reason::GaveUpAsking),
            (None, ..) => self.give_up(record, reason, order_state),
        }
    }

    /// Orders that wait for payment are mostly given up by the payer.
    fn after_not_yet(&self, job: &Job) -> Option<Duration> {
        // Counted, since by a clock that was set an order may look old that was made just now.
        let counted = job.age_before.saturating_add(job.age);
        (counted < self.ask_again.lasts).then(|| next_question(age(job)))
    }

    /// The step of an order that was found without a callback, if its payment comes to the upstream by a callback all
    /// the same; `None` if it does not. Looked up before WeChat Pay is asked, and again with the payment that is
    /// `confirmed`.
    pub(super) async fn is_delivered_otherwise(
        &self,
        job: &Job,
        record: &Record,
        confirmed: Option<&Payment>,
    ) -> Option<Step> {
        let decided = job.overrides.has(Override::Accepted);
        if !job.callback.origin.is_found() || job.state == State::Delivering || decided {
            return None;
        }
        let ask_in = |again_in| {
            let next = Transition::Ask { again_in, retries: job.retries + 1 };
            self.gate.records.decided(record, Reason::Paid, None, Some(next));
            Some(Step::Undecided(Reason::Paid))
        };
        if let Some(payment) = confirmed.filter(|_| !job.asked_for) {
            let since = payment.paid_at.and_then(|at| Duration::try_from(clock::now().duration_since(at)).ok());
            let left = since.and_then(|since| ITS_OWN_CALLBACK.checked_sub(since)).filter(|left| !left.is_zero());
            if let Some(left) = left {
                return ask_in(left);
            }
        }
        let its_own = confirmed.map(|payment| payment.transaction_id).or(job.callback.claimed.transaction_id);
        // Before it is asked about, an order that is listed may have been paid by any payment of its id.
        let on_channel = |(channel, _): &&(ChannelId, _)| *channel == job.callback.claimed.channel;
        let known = || job.paid_by.iter().filter(on_channel).map(|(_, payment)| *payment).collect();
        let payments: Vec<_> = its_own.map_or_else(known, |payment| vec![payment]);
        if payments.is_empty() {
            return None;
        }
        for standing in self.queue.standing(payments).await.ok()?.into_iter().flatten() {
            match standing {
                Standing { accepted: true, .. } if its_own.is_some() => {
                    return Some(self.close(record, Reason::AlreadyAccepted));
                }
                Standing { entry, state: State::Delivering, .. } if entry != job.entry && !job.asked_for => {
                    return ask_in(next_question(age(job)).max(LOOK_AGAIN));
                }
                Standing { .. } => {}
            }
        }
        None
    }

    /// Makes the callback of a confirmed order, and appends it to the journal.
    pub(super) fn make(
        &self,
        job: &Job,
        route: &Route,
        channel: &Channel,
        confirmed: &Confirmed,
        evidence: &Evidence,
    ) -> Option<Request> {
        let facts = Facts {
            order: &job.callback.claimed.order,
            channel,
            payment: confirmed.payment(),
            evidence,
            at: clock::now(),
        };
        match route.synthesize.as_ref()?.request(route, &facts) {
            Ok(request) => {
                self.queue.append(JournalEvent::Made { entry: job.entry, request: Box::new(request.clone()) });
                Some(request)
            }
            Err(error) => {
                let (order, route) = (facts.order.as_str(), route.name.as_str());
                tracing::error!(%error, order, route, channel = %channel.id, "the callback for a paid order cannot be made");
                None
            }
        }
    }
}

/// Whether the order query before said that the order is not paid.
fn was_denied(job: &Job) -> bool {
    matches!(job.reason.and_then(Reason::verdict), Some(Verdict::Pending | Verdict::Unpaid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_asked_about_as_wechat_pay_advises() {
        let s = Duration::from_secs;
        let mut age = Duration::ZERO;
        let mut asked = Vec::new();
        while age < s(14 * 3600) {
            age += next_question(age);
            asked.push(age.as_secs());
        }
        assert_eq!(asked[..7], [5, 30, 60, 180, 300, 600, 1800]);
        assert_eq!(asked[7..], [3600, 7200, 14_400, 28_800, 43_200, 57_600]);
    }
}
