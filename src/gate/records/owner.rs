//! Which order a payment is for, in memory and in the journal. Without a journal it is known as long as this process
//! lives, and of the latest payments only.

use super::Records;
use crate::domain::order::OrderId;
use crate::domain::reason::Reason;
use crate::gate::channel::Channel;
use crate::journal::owners::{Owner, OwnerClaim};
use crate::provider::payment::Payment;

impl Records {
    /// Which order owns a payment, if memory has it.
    #[must_use]
    pub fn known_owner(&self, payment: &Payment) -> Option<Owner> {
        self.kept.owners.get(&payment.transaction_id)
    }

    /// Whether an owner is this order: the same id, on a channel with the same upstream. One of a channel that is not
    /// configured any more is told by its id.
    #[must_use]
    pub fn is_same_order(&self, owner: &Owner, channel: &Channel, order: &OrderId) -> bool {
        let scopes = self.scopes.get(&owner.channel).zip(self.scopes.get(&channel.id));
        owner.order == *order && scopes.is_none_or(|(one, other)| one == other)
    }

    /// Which order owns a payment, by memory or the journal.
    pub async fn owner(&self, claim: OwnerClaim) -> Option<Owner> {
        let queue = self.kept.keeper.queue()?;
        let transaction_id = claim.transaction_id;
        let owner = queue.owner(claim).await.ok().flatten()?;
        Some(self.kept.owners.get_or(&transaction_id, || owner))
    }

    /// Gives a payment to the claimant, unless it has an owner. Returns whose it is; that is durable.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn own(&self, claim: OwnerClaim) -> Result<Owner, Reason> {
        let transaction_id = claim.transaction_id;
        let owner = match self.kept.keeper.queue() {
            Some(queue) => queue.own(claim).await.map_err(|_| Reason::JournalUnavailable)?,
            None => claim.claimant,
        };
        Ok(self.kept.owners.get_or(&transaction_id, || owner))
    }
}
