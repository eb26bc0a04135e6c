//! What a person decided against the rules, as far as it counts for the payment that is confirmed now.

use super::FollowUp;
use crate::domain::money::Money;
use crate::domain::reason::Reason;
use crate::gate::channel::Channel;
use crate::gate::decide::Confirmed;
use crate::gate::flag::is_other_price;
use crate::gate::policy::OnSecondPayment;
use crate::gate::record::Record;
use crate::journal::{Claimed, Job, Override, Overrides};
use crate::provider::payment::Payment;

impl FollowUp {
    /// What the payment is held against: the claim, and what the order costs. Of an order that was found the bill's
    /// amount is a price too, and a callback's own claim is never decided upon.
    pub(super) fn prices(&self, job: &Job, read: Claimed) -> (Claimed, Option<Money>) {
        let claimed = &job.callback.claimed;
        if !job.overrides.has(Override::Amount) {
            return (read, self.gate.expected.amount(claimed.channel, claimed.out_trade_no));
        }
        let amount = read.amount.filter(|_| !job.callback.origin.is_found());
        (Claimed { amount, ..read }, None)
    }

    /// The overrides that are needed to send the order: one that was put right meanwhile is sent by the rules.
    pub(super) fn overridden(&self, channel: &Channel, job: &Job, record: &Record, confirmed: &Confirmed) -> Overrides {
        if job.overrides.is_empty() {
            return Overrides::NONE;
        }
        let (payment, order) = (confirmed.payment(), &job.callback.claimed.order);
        let is_over_price =
            is_other_price(&self.gate.expected, Some(record), payment, channel) || is_billed_otherwise(job, payment);
        let is_held = channel.on_second_payment == OnSecondPayment::Park;
        let is_second =
            || is_held && self.gate.records.other_payment(channel.id, order, Some(record), payment).is_some();
        let counts = |one| match one {
            Override::Amount => is_over_price,
            // The order was accepted when the person decided.
            Override::Accepted => true,
            Override::SecondPayment => is_second(),
        };
        let overrides: Overrides = job.overrides.iter().filter(|one| counts(*one)).collect();
        if !overrides.is_empty() {
            let entry = job.entry.0;
            tracing::warn!(%order, channel = %channel.id, entry, %overrides, "it is sent because a person decided so");
        }
        overrides
    }
}

/// Whether an order that is held for this reason was delivered by a decision. What a callback claims is no price.
pub(super) fn is_done(job: &Job, reason: Reason, record: &Record, payment: &Payment) -> bool {
    let is_price = reason != Reason::AmountDiffers || job.callback.origin.is_found();
    reason.is_overridable() && is_price && record.was_accepted(payment)
}

/// Whether the bill that brought an order to light says another amount than was paid.
pub(super) fn is_billed_otherwise(job: &Job, payment: &Payment) -> bool {
    let billed = job.callback.claimed.amount.filter(|_| job.callback.origin.is_found());
    billed.is_some_and(|billed| billed != payment.amount)
}
