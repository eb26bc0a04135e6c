//! Which order a payment is for, kept so that one payment vouches for one order: across callbacks that come at once,
//! routes, restarts, and for longer than the entry itself is kept.

use super::BoxFuture;
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};

/// The order that a payment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The merchant account that it was paid to.
    pub channel: ChannelId,
    /// The legacy system's order id.
    pub order: OrderId,
}

/// An order that a payment is claimed for, and where a former owner is looked for.
#[derive(Debug, Clone)]
pub struct OwnerClaim {
    /// The payment.
    pub transaction_id: TransactionId,
    /// The number that it was made under.
    pub out_trade_no: OutTradeNo,
    /// Who claims it.
    pub claimant: Owner,
    /// The channels of the same merchant, its own among them: a number is one order's for all of them.
    pub same_merchant: Vec<ChannelId>,
    /// The routes on which one payment may be for several orders (`number_proof: shared`): what passed there owns
    /// nothing.
    pub shared_routes: Vec<String>,
}

/// Whose payment it is. A payment has one owner, for as long as it is remembered.
pub trait Owners: Send + Sync {
    /// Gives a payment to the claimant, unless it has an owner: an order that it was given to before, or one that was
    /// delivered with it. Of several that claim it at once, in whatever process, one gets it. Returns whose it is,
    /// which is durable then.
    ///
    /// # Errors
    /// If it cannot be written; then the payment has no owner that it had not before.
    fn own(&self, claim: OwnerClaim) -> BoxFuture<'_, Owner>;

    /// Whose a payment is, if it has an owner; nothing is written.
    ///
    /// # Errors
    /// If it cannot be read.
    fn owner(&self, claim: OwnerClaim) -> BoxFuture<'_, Option<Owner>>;
}
