//! Whose number it is. Where a callback names both the order id and the number that WeChat Pay knows, its sender chooses the
//! pair, and a payment of 1 fen could vouch for any order. A route says how the pair is proven (design section 9).

mod attach;

use super::Gate;
use super::channel::Channel;
use super::claim::Claim;
use super::decide::{self, Confirmed, Mode};
use super::record::Record;
use super::route::Route;
use crate::domain::money::Money;
use crate::domain::order::{OrderId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::journal::Claimed;
use crate::provider::order_state::OrderState;
use crate::provider::payment::Payment;
use std::fmt;
use tokio::time::{Instant, timeout_at};

/// How a route proves that the number in a callback is that of the order in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NumberProof {
    /// WeChat Pay's signed answer carries the order id in `attach`: the whole text, or this field of the JSON object or form
    /// in it.
    Attach(Option<String>),
    /// One of these sources of pending orders lists the order with this number.
    Source(Vec<String>),
    /// As `Source` once one of these has named a number, as `First` until then.
    SourceOnceNamed(Vec<String>),
    /// Nobody else was confirmed with this payment before.
    #[default]
    First,
    /// Not at all: one payment is for several orders, on purpose.
    Shared,
}

impl fmt::Display for NumberProof {
    /// As config writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach(None) => f.write_str("attach"),
            Self::Attach(Some(field)) => write!(f, "attach.{field}"),
            Self::Source(_) => f.write_str("source"),
            Self::SourceOnceNamed(_) => f.write_str("first, or source once it has named a number"),
            Self::First => f.write_str("first"),
            Self::Shared => f.write_str("shared"),
        }
    }
}

/// What is known of a claim's pair of order id and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// The two belong together as far as the route wants it proven.
    Proven,
    /// The number is another order's.
    OfAnotherOrder,
    /// No source lists it, or did.
    NotListed,
}

/// What sources say of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// They list this order with this number, or did.
    ThisOrder,
    /// They list another order with it.
    AnotherOrder,
    /// They do not know the number.
    Unknown,
}

/// A claim, and what it is held against beside WeChat Pay's answer.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c> {
    /// The route it came on.
    pub route: &'c Route,
    /// The merchant account.
    pub channel: &'c Channel,
    /// What the callback says.
    pub claim: &'c Claim,
    /// Of which order and number.
    pub claimed: &'c Claimed,
    /// What the order costs by a source, if that counts.
    pub expected: Option<Money>,
}

impl Route {
    /// Whether a pair needs no proof: the number is made from the order id, by the channel's prefix and suffix, or is the order
    /// id itself because the route reads both from one field.
    #[must_use]
    pub fn is_evident(&self, channel: &Channel, order: &OrderId, number: &OutTradeNo) -> bool {
        let fields = self.claim.fields();
        channel.out_trade_no.apply(order).as_ref() == Ok(number) || fields.out_trade_no.as_ref() == Some(&fields.order)
    }
}

impl Gate {
    /// Decides, with what is known of the pair.
    ///
    /// # Errors
    /// The reason why the callback may not pass.
    pub async fn judge(&self, case: &Case<'_>, finding: &OrderState, until: Instant) -> Result<Confirmed, Reason> {
        let Case { channel, claim, claimed, expected, .. } = *case;
        let pair = match finding {
            OrderState::Paid(payment) => self.pair(case, payment, until).await,
            OrderState::NotPaid(_) => Pair::Proven,
        };
        decide::decide(claim, expected, &claimed.out_trade_no, pair, finding, channel.on_refunded)
    }

    /// What is known of a claim's pair. Only asked where the payment is confirmed: sources are read at once then, until `until`
    /// at most, if they do not know the number yet.
    async fn pair(&self, case: &Case<'_>, payment: &Payment, until: Instant) -> Pair {
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
            NumberProof::Source(sources) => self.listed_pair(sources, case, payment, until).await,
            NumberProof::SourceOnceNamed(sources) if self.expected.names_numbers(sources) => {
                self.listed_pair(sources, case, payment, until).await
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
        let claim = self.records.owner_claim(self, channel, claimed, payment);
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
            // Its entry says it to whoever comes with the same payment.
            None if is_evident && self.records.are_kept() => None,
            None => {
                let claim = self.records.owner_claim(self, channel, claimed, payment);
                match timeout_at(until, self.records.own(claim)).await.unwrap_or(Err(Reason::JournalUnavailable)) {
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
        // It is proven, so whoever was confirmed with it before had no right to it.
        self.records.flag(record, Reason::NumberOfAnotherOrder);
        Ok(())
    }

    /// The routes whose payments have no one owner.
    pub(super) fn shared_routes(&self) -> Vec<String> {
        let shared = |route: &&Route| route.number_proof == NumberProof::Shared;
        self.routes.iter().filter(shared).map(|route| route.name.clone()).collect()
    }
}
