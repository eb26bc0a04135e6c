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
    /// Not a part of what was paid.
    #[error("refund: 1 fen to the order's total_fee")]
    Refund,
    /// WeChat Pay notifies of payments only.
    #[error("the order is not paid, and WeChat Pay notifies of payments only; pay it first, or forge the notification")]
    NotPaid,
}
