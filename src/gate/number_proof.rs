//! Whose number it is. Where a callback names both the order id and the number that WeChat Pay knows, its sender
//! chooses the pair, and a payment of 1 fen could vouch for any order. A route says how the pair is proven
//! (docs/config.md, "Whose number is it").

mod attach;

use super::channel::{Channel, Channels};
use super::decide::Pair;
use super::expected::{Expected, Listing};
use super::policy::{Mode, NumberProof};
use super::record::Record;
use super::records::Records;
use super::route::{Route, Routes};
use crate::domain::money::Money;
use crate::domain::order::{OrderId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::journal::Claimed;
use crate::journal::owners::{Owner, OwnerClaim};
use crate::provider::payment::Payment;
use tokio::time::{Instant, timeout_at};

/// A claim, and what it is held against beside WeChat Pay's answer.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c> {
    /// The route it came on.
    pub route: &'c Route,
    /// The merchant account that the claim is checked against.
    pub channel: &'c Channel,
    /// What the callback claims, and of which order.
    pub claimed: &'c Claimed,
    /// What the order costs by a source, if that counts.
    pub expected: Option<Money>,
}

impl Route {
    /// Whether a pair needs no proof: the number is made from the order id, by the channel's prefix and suffix, or is
    /// the order id itself because the route reads both from one field.
    #[must_use]
    pub fn is_evident(&self, channel: &Channel, order: &OrderId, number: &OutTradeNo) -> bool {
        let fields = self.main.claim.fields();
        channel.out_trade_no.makes(number, order) || fields.out_trade_no.as_ref() == Some(&fields.order)
    }
}

/// Proves numbers, over what it uses of the gate.
#[derive(Debug, Clone, Copy)]
pub struct Proofs<'g> {
    pub(super) routes: &'g Routes,
    pub(super) channels: &'g Channels,
    pub(super) expected: &'g Expected,
    pub(super) records: &'g Records,
}

impl Proofs<'_> {
    /// What is known of a claim's pair. Only asked where the payment is confirmed: sources are read at once then, until
    /// `until` at most, if they do not know the number yet.
    pub async fn pair(&self, case: &Case<'_>, payment: &Payment, until: Instant) -> Pair {
        let Case { route, channel, claimed: Claimed { order, out_trade_no: number, .. }, .. } = *case;
        if route.is_evident(channel, order, number) {
            return Pair::Proven;
        }
        match &route.number_proof {
            NumberProof::Shared => Pair::Proven,
            NumberProof::Attach(field) => match &payment.attach {
                Some(attach) if attach::names(attach, field.as_deref(), order) => Pair::Proven,
                _ => Pair::OfAnotherOrder,
            },
            NumberProof::Source(sources) => Box::pin(self.listed_pair(sources, case, payment, until)).await,
            NumberProof::SourceOnceNamed(sources) if self.expected.names_numbers(sources) => {
                Box::pin(self.listed_pair(sources, case, payment, until)).await
            }
            NumberProof::First | NumberProof::SourceOnceNamed(_) => {
                let known = self.records.known_owner(payment);
                match known.is_none_or(|owner| self.records.is_same_order(&owner, channel, order)) {
                    true => Pair::Proven,
                    false => Pair::OfAnotherOrder,
                }
            }
        }
    }

    /// What its sources say, or have said, of a pair.
    async fn listed_pair(&self, sources: &[String], case: &Case<'_>, payment: &Payment, until: Instant) -> Pair {
        let Case { channel, claimed, .. } = *case;
        let Claimed { order, out_trade_no: number, .. } = claimed;
        let listing = || self.expected.listing(sources, channel.id, number, order);
        if listing() == Listing::ThisOrder {
            return Pair::Proven;
        }
        // What was proven once is not in the list any more when it is paid for long.
        let claim = self.owner_claim(channel, claimed, payment);
        let owner = timeout_at(until, self.records.owner(claim)).await.ok().flatten();
        match owner.map(|owner| self.records.is_same_order(&owner, channel, order)) {
            Some(true) => return Pair::Proven,
            Some(false) => return Pair::OfAnotherOrder,
            None => {}
        }
        if listing() == Listing::Unknown {
            self.expected.requests.read(sources, until).await;
        }
        match listing() {
            Listing::ThisOrder => Pair::Proven,
            Listing::AnotherOrder => Pair::OfAnotherOrder,
            Listing::Unknown => Pair::NotListed,
        }
    }

    /// Gives a confirmed payment to its order, durably, so that it vouches for no other.
    ///
    /// # Errors
    /// [`Reason::NumberOfAnotherOrder`] if it was another's and the route has no better proof;
    /// [`Reason::JournalUnavailable`] if that cannot be found out by `until`.
    pub async fn own(
        &self,
        case: &Case<'_>,
        record: Option<&Record>,
        payment: &Payment,
        until: Instant,
    ) -> Result<(), Reason> {
        let Case { route, channel, claimed, .. } = *case;
        if route.number_proof == NumberProof::Shared {
            return Ok(());
        }
        let is_same = |owner| self.records.is_same_order(&owner, channel, &claimed.order);
        let is_evident = route.is_evident(channel, &claimed.order, &claimed.out_trade_no);
        let owner = match self.records.known_owner(payment) {
            Some(owner) => Some(owner),
            // Its entry tells it to the next callback with the same payment.
            None if is_evident && self.records.are_kept() => None,
            None => {
                let claim = self.owner_claim(channel, claimed, payment);
                let owning = Box::pin(timeout_at(until, self.records.own(claim)));
                match owning.await.unwrap_or(Err(Reason::JournalUnavailable)) {
                    Ok(owner) => Some(owner),
                    // Observing goes on without a record.
                    Err(_) if channel.mode == Mode::Observe => None,
                    Err(reason) => return Err(reason),
                }
            }
        };
        if owner.is_none_or(is_same) {
            return Ok(());
        }
        if !is_evident && matches!(route.number_proof, NumberProof::First | NumberProof::SourceOnceNamed(_)) {
            return Err(Reason::NumberOfAnotherOrder);
        }
        // It is proven, so the order that was confirmed with it before had no right to it.
        self.records.flag(record, Reason::NumberOfAnotherOrder);
        Ok(())
    }

    /// The claim on a payment that a callback makes.
    fn owner_claim(&self, channel: &Channel, claimed: &Claimed, payment: &Payment) -> OwnerClaim {
        let shared = |route: &&Route| route.number_proof == NumberProof::Shared;
        OwnerClaim {
            transaction_id: payment.transaction_id,
            out_trade_no: claimed.out_trade_no,
            claimant: Owner { channel: channel.id, order: claimed.order },
            same_merchant: self.channels.of_merchant_of(channel).to_vec(),
            shared_routes: self.routes.iter().filter(shared).map(|route| route.name.clone()).collect(),
        }
    }
}
