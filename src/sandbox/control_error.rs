//! What makes no sense to tell the sandbox.

use super::MOST_COPIES;
use super::order::BadOrder;
use crate::domain::order::BadId;

/// Why the sandbox cannot do what it was told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// A malformed id.
    #[error("{field} {why}")]
    Id {
        /// Of which field.
        field: &'static str,
        /// Why.
        why: BadId,
    },
    /// A merchant that the sandbox was not started with.
    #[error("no such merchant; GET /sandbox/merchants lists them")]
    NoSuchMerchant,
    /// An order that nobody made.
    #[error("no such order; PUT it or pay it first")]
    NoSuchOrder,
    /// Nonsense about an order.
    #[error("{0}")]
    BadOrder(#[from] BadOrder),
    /// A refund of an order that nobody has paid.
    #[error("the order is not paid; there is nothing to refund")]
    NothingToRefund,
    /// Neither `MD5` nor `HMAC-SHA256`.
    #[error("sign_type: MD5 or HMAC-SHA256")]
    SignType,
    /// Not where a notification can go.
    #[error("notify_url: an absolute http:// URL")]
    NotifyUrl,
    /// Not a number of copies.
    #[error("copies: 1 to {MOST_COPIES}")]
    Copies,
    /// Not a share.
    #[error("probability: 0 to 1")]
    Probability,
    /// Not a day.
    #[error("generated_day: yyyyMMdd")]
    GeneratedDay,
    /// A merchant without a key of the APIv2.
    #[error("the merchant has no APIv2 key: notify in format v3")]
    NoV2,
    /// A merchant that cannot be spoken for in API v3.
    #[error("the merchant has no API v3 here: its channel believes only keys whose private half WeChat Pay has")]
    NoV3,
    /// A forgery of the other language.
    #[error("forge: there is no such forgery in this format")]
    Forge,
    /// Nothing that can be told.
    #[error(
        "event_type: capital letters, dots and underscores, as TRANSACTION.SUCCESS or REFUND.SUCCESS, and only in format v3"
    )]
    EventType,
    /// The cryptographic library failed.
    #[error("no certificate can be issued")]
    Issue,
    /// Not a part of what was paid.
    #[error("refund: 1 fen to the order's total_fee")]
    Refund,
    /// WeChat Pay notifies of payments only.
    #[error("the order is not paid, and WeChat Pay notifies of payments only; pay it first, or forge the notification")]
    NotPaid,
}
