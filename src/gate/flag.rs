//! What is odd about a payment that is confirmed: another one of the same order, or one that came after its order was
//! closed. It is told whatever becomes of it; a second payment is held back unless its channel forwards it.

use super::Gate;
use super::channel::Channel;
use super::decide::Confirmed;
use super::record::Record;
use crate::order::OrderId;
use crate::reason::Reason;

/// What becomes of a second verified payment of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnSecondPayment {
    /// It is held back, and an operator looks.
    #[default]
    Park,
    /// It goes through, and is told.
    Forward,
}

impl Gate {
    /// Lets a confirmed payment pass on, flagged if it is odd. `wanted` is whether an operator asked for its delivery.
    ///
    /// # Errors
    /// [`Reason::SecondPayment`], if that is held back.
    pub fn flag(
        &self,
        channel: &Channel,
        order: &OrderId,
        record: Option<&Record>,
        confirmed: Confirmed,
        wanted: bool,
    ) -> Result<Confirmed, Reason> {
        let payment = confirmed.payment();
        if self.expected.was_gone(channel.id, payment.out_trade_no, payment.paid_at) {
            self.records.flag(record, Reason::PaidAfterClose);
        }
        if !self.records.is_second_payment(channel.id, order, record, payment) {
            return Ok(confirmed);
        }
        self.records.flag(record, Reason::SecondPayment);
        match channel.on_second_payment {
            OnSecondPayment::Forward => Ok(confirmed),
            OnSecondPayment::Park if wanted => Ok(confirmed),
            OnSecondPayment::Park => Err(Reason::SecondPayment),
        }
    }
}
