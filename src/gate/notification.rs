//! WeChat Pay's own notification: its signature is checked before anything is asked, so that a forgery costs no query.
//! A right one is still only a claim.

pub mod refund;

use crate::domain::money::Currency;
use crate::domain::reason::Reason;
use crate::journal::DeliveryId;
use crate::provider::wechat::xml::Fields;
use crate::provider::wechat::{Account, Signature, v2};

/// What a route takes notifications of, beside payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// Refunds, for order systems that have one address for both.
    pub refund: bool,
}

/// What a callback tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Event {
    /// That an order was paid.
    #[default]
    Payment,
    /// That money of a paid order went back, or did not. Such a one is a delivery of its own.
    Refund(DeliveryId),
}

/// Whether `fields` is a notification that the account's owner or WeChat Pay signed, for this account, of a payment
/// that succeeded (`wechatpay-v2.md` section 7). Returns what its amount is counted in.
///
/// # Errors
/// One of the notification reasons.
pub fn check(account: &Account, fields: Option<&Fields<'_>>) -> Result<Currency, Reason> {
    let fields = fields.ok_or(Reason::NotificationUnsigned)?;
    match v2::check_notification(account, fields) {
        Signature::Valid => {}
        Signature::Missing => return Err(Reason::NotificationUnsigned),
        Signature::Wrong => return Err(Reason::NotificationBadlySigned),
    }
    if !v2::is_addressed_to(account, fields) {
        return Err(Reason::NotificationForOtherMerchant);
    }
    if ["return_code", "result_code"].iter().any(|name| fields.get(name) != Some("SUCCESS")) {
        return Err(Reason::NotificationNotSuccess);
    }
    fields
        .filled("fee_type")
        .map_or_else(|| Ok(Currency::default()), Currency::parse)
        .map_err(|_| Reason::FieldMalformed)
}
