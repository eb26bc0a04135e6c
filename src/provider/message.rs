//! What arrived as a provider's notification, and what is in it once it is opened.

use super::preset::Preset;
use crate::domain::money::{Currency, Fen};
use crate::domain::order::{OutTradeNo, TransactionId};
use crate::net::xml::Fields;
use hyper::HeaderMap;
use jiff::Timestamp;

/// A notification as it arrived. Nothing in it is believed yet.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'m> {
    /// What kind of notification it is.
    pub preset: &'static Preset,
    /// When it arrived: its signature may age.
    pub at: Timestamp,
    /// The header fields as received.
    pub headers: &'m HeaderMap,
    /// Its body, byte for byte.
    pub body: &'m [u8],
    /// The elements of an XML body as the gate's strict reader has read them, so that nothing is parsed twice; `None`
    /// for any other body.
    pub fields: Option<&'m Fields<'m>>,
    /// Whether the claim is sealed: the gate's reader has found the element that the preset seals it in, and nothing
    /// beside it that a sealed notification has not.
    pub sealed: bool,
}

/// A notification that is authentic and for the account that opened it. It is still only a claim: the order query
/// decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Whether it tells of a payment or of a refund.
    pub event: Event,
    /// The claim, or where it stands.
    pub claim: Told,
}

/// Which of the provider's keys a notification names as the one that signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The kind of the key, in the provider's word, such as `public-key`.
    pub kind: &'static str,
    /// The key's name.
    pub key: Box<str>,
}

/// What a notification tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An order was paid.
    Payment,
    /// Money of a paid order went back, or did not.
    Refund(Refund),
}

/// A refund as its notification tells of it. The provider has vouched for none of these: they tell one refund from
/// another, and the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The provider's number of the refund (WeChat Pay's `refund_id`).
    pub id: String,
    /// The merchant's number of the refund (`out_refund_no`).
    pub merchant_number: String,
    /// Its state in the provider's word, such as `SUCCESS`.
    pub status: String,
}

/// How a notification tells its claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Its fields stand in the clear, where the route's reader reads them, as strictly as any callback's.
    InTheClear {
        /// What the amount is counted in.
        currency: Currency,
    },
    /// It was sealed, and is this.
    Sealed(NotifiedClaim),
}

/// A claim that was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifiedClaim {
    /// The merchant's number of the order.
    pub out_trade_no: OutTradeNo,
    /// The provider's number of the payment.
    pub transaction_id: TransactionId,
    /// What the order costs, in the smallest unit of its currency.
    pub amount: Fen,
    /// Its currency; `None` if the notification does not tell.
    pub currency: Option<Currency>,
}
