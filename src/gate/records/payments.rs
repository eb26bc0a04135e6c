//! The payment that an order was confirmed by first, so that another one of it is known as such; and what is flagged.

use super::Records;
use crate::domain::order::{ChannelId, OrderId, TransactionId};
use crate::domain::reason::Reason;
use crate::gate::record::{FirstPayment, Record, Standing};
use crate::journal::JournalEvent;
use crate::provider::payment::Payment;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;

impl Records {
    /// The first payment of an order, of those that the journal has or the one that comes next.
    pub(super) fn first_payment(
        &self,
        channel: ChannelId,
        order: &OrderId,
        paid_by: &[(ChannelId, TransactionId)],
    ) -> FirstPayment {
        let first = self.kept.payments.get_or(&(self.scope(channel), *order), FirstPayment::default);
        if let Some(standing) = self.standing(channel, paid_by) {
            first.lock().get_or_insert(standing);
        }
        first
    }

    /// The first of those payments that are of an order of this channel.
    pub(super) fn standing(&self, channel: ChannelId, paid_by: &[(ChannelId, TransactionId)]) -> Option<Standing> {
        let ours = self.scope(channel);
        let (channel, transaction_id) = paid_by.iter().find(|(channel, _)| self.scopes.get(channel) == Some(&ours))?;
        Some(Standing { channel: *channel, transaction_id: *transaction_id, asked_at: None })
    }

    /// The channels on which an order of this channel is the same one, itself among them.
    #[must_use]
    pub fn same_order_on(&self, channel: ChannelId) -> Vec<ChannelId> {
        let ours = self.scope(channel);
        let theirs = self.scopes.iter().filter(|(_, scope)| **scope == ours).map(|(channel, _)| *channel);
        theirs.collect()
    }

    fn scope(&self, channel: ChannelId) -> usize {
        // Of a channel that is not configured any more nothing is sent.
        self.scopes.get(&channel).copied().unwrap_or(usize::MAX)
    }

    /// The order is paid by this payment, by what the journal says just now.
    pub fn is_paid_by(&self, record: &Record, first: (ChannelId, TransactionId)) {
        let (channel, transaction_id) = first;
        *record.payment.lock() = Some(Standing { channel, transaction_id, asked_at: None });
    }

    /// The payment that an order was confirmed by before, if it is another one.
    #[must_use]
    pub fn other_payment(
        &self,
        channel: ChannelId,
        order: &OrderId,
        record: Option<&Record>,
        payment: &Payment,
    ) -> Option<Standing> {
        let first = self.first_of(channel, order, record);
        let mut first = first.lock();
        let this = Standing { channel, transaction_id: payment.transaction_id, asked_at: None };
        // What was given back leaves the order to be paid, once it is known to be.
        let first = if payment.refunded { *first } else { Some(*first.get_or_insert(this)) };
        first.filter(|first| first.transaction_id != payment.transaction_id)
    }

    /// WeChat Pay says how a payment stands that was `first`: it was refunded, so that `payment` is the one that the
    /// order is paid by; or it was not, as of now.
    pub fn stands(
        &self,
        first: &Standing,
        refunded: bool,
        (channel, order, record): (ChannelId, &OrderId, Option<&Record>),
        payment: &Payment,
    ) {
        let known = self.first_of(channel, order, record);
        let mut known = known.lock();
        if known.is_none_or(|known| known.transaction_id != first.transaction_id) {
            return;
        }
        if !refunded {
            *known = Some(Standing { asked_at: Some(Instant::now()), ..*first });
            return;
        }
        let this = Standing { channel, transaction_id: payment.transaction_id, asked_at: None };
        *known = Some(this).filter(|_| !payment.refunded);
        if let Some(queue) = self.kept.keeper.queue() {
            let Standing { channel, transaction_id, .. } = *first;
            queue.append(JournalEvent::Refunded { channel, order: *order, transaction_id });
        }
    }

    fn first_of(&self, channel: ChannelId, order: &OrderId, record: Option<&Record>) -> FirstPayment {
        record.map_or_else(|| self.first_payment(channel, order, &[]), |record| Arc::clone(&record.payment))
    }

    /// Flags in the journal what is odd about a record's payment, once.
    pub fn flag(&self, record: Option<&Record>, reason: Reason) {
        let bit = match reason {
            Reason::SecondPayment => 1,
            Reason::DeliveredOverPrice => 4,
            Reason::DeliveredAgain => 8,
            Reason::NumberOfAnotherOrder => 16,
            _ => 2,
        };
        if let (Some(queue), Some(record)) = (self.kept.keeper.queue(), record)
            && let Some(entry) = record.entry
            && record.flags.fetch_or(bit, Ordering::Relaxed) & bit == 0
        {
            queue.append(JournalEvent::Flagged { entry, reason });
        }
    }
}
