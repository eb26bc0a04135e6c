//! What is odd about a payment that is confirmed: another amount than its order costs, another payment of the same
//! order, or one that came after its order was closed. The flag is set whatever becomes of the callback; what only a
//! person may let pass is held back, and what passes is given to its order.

use super::channel::Channel;
use super::confirm::Confirm;
use super::decide::Confirmed;
use super::expected::Expected;
use super::number_proof::{Case, Proofs};
use super::policy::OnSecondPayment;
use super::record::{Record, Standing};
use crate::domain::reason::{Reason, Verdict};
use crate::journal::{Override, Overrides};
use crate::observe::traces::Parent;
use crate::provider::AskBy;
use crate::provider::order_state::OrderState;
use crate::provider::payment::Payment;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What a person decided of the order, and how WeChat Pay may be asked about an earlier payment.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The rules that a person has overridden.
    pub overrides: Overrides,
    /// Whether WeChat Pay is asked anew, whatever it said a moment ago.
    pub afresh: bool,
    /// Until when its answer is waited for.
    pub until: Instant,
    /// The span that the query is a step of.
    pub within: &'a Parent,
}

/// How long WeChat Pay's word counts that an earlier payment was not refunded. Repetitions of the second come quickly.
const STANDS_FOR: Duration = Duration::from_secs(5);

/// Flags payments, over what it uses of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Flags<'g> {
    pub(super) proofs: Proofs<'g>,
    pub(super) confirm: &'g Confirm,
}

/// Whether an order costs something else than was paid, by what its source says, or by the price that its entry keeps.
#[must_use]
pub fn is_other_price(expected: &Expected, record: Option<&Record>, payment: &Payment, channel: &Channel) -> bool {
    let price = expected.amount(channel.id, payment.out_trade_no);
    price.or_else(|| record?.price()).is_some_and(|price| price != payment.amount)
}

impl Flags<'_> {
    /// Lets a confirmed payment pass on, flagged if it is odd.
    ///
    /// # Errors
    /// [`Reason::ExpectedAmountDiffers`] and [`Reason::SecondPayment`], if that is held back; those of [`Proofs::own`];
    /// a reason of verdict `unknown` if an earlier payment may have been refunded, and WeChat Pay does not say.
    pub async fn flag(
        &self,
        case: &Case<'_>,
        record: Option<&Record>,
        confirmed: Confirmed,
        asked: Asked<'_>,
    ) -> Result<Confirmed, Reason> {
        let Case { channel, claimed, .. } = *case;
        let (payment, order) = (confirmed.payment(), &claimed.order);
        let Proofs { expected, records, .. } = self.proofs;
        if !asked.overrides.has(Override::Amount) && is_other_price(expected, record, payment, channel) {
            return Err(Reason::ExpectedAmountDiffers);
        }
        self.proofs.own(case, record, payment, asked.until).await?;
        if expected.was_gone(channel.id, payment.out_trade_no, payment.paid_at) {
            records.flag(record, Reason::PaidAfterClose);
        }
        let Some(first) = records.other_payment(channel.id, order, record, payment) else { return Ok(confirmed) };
        let is_let_through =
            channel.on_second_payment == OnSecondPayment::Forward || asked.overrides.has(Override::SecondPayment);
        // Boxed, since a second payment is rare.
        if !is_let_through && Box::pin(self.was_given_back(&first, asked)).await? {
            records.stands(&first, true, (channel.id, order, record), payment);
            return Ok(confirmed);
        }
        records.flag(record, Reason::SecondPayment);
        if is_let_through {
            return Ok(confirmed);
        }
        records.stands(&first, false, (channel.id, order, record), payment);
        Err(Reason::SecondPayment)
    }

    /// Whether the first payment of an order was refunded since.
    async fn was_given_back(&self, first: &Standing, asked: Asked<'_>) -> Result<bool, Reason> {
        if !asked.afresh && first.asked_at.is_some_and(|at| at.elapsed() < STANDS_FOR) {
            return Ok(false);
        }
        // A channel that is not configured any more has no account to ask.
        let Some(channel) = self.proofs.channels.get(&first.channel) else { return Ok(false) };
        let asking = self.confirm.ask_again(channel, AskBy::TransactionId(first.transaction_id), asked.within);
        let order_state = timeout_at(asked.until, asking).await.unwrap_or(OrderState::NotPaid(Reason::QueryTimeout));
        match order_state {
            OrderState::Paid(payment) if payment.transaction_id == first.transaction_id => Ok(payment.refunded),
            OrderState::Paid(_) => Err(Reason::AnswerForOtherOrder),
            OrderState::NotPaid(reason) if reason.verdict() == Some(Verdict::Unknown) => Err(reason),
            OrderState::NotPaid(reason) => Ok(reason == Reason::Revoked),
        }
    }
}
