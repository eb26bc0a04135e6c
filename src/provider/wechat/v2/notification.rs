//! Notifications of API v2, opened before anything is asked, so that a forgery costs no query. A right one is still
//! only a claim.

use super::refund::{self, REQ_INFO};
use super::{check_notification, is_addressed_to};
use crate::domain::money::Currency;
use crate::domain::reason::Reason;
use crate::net::xml::Fields;
use crate::provider::wechat::Credentials;
use crate::provider::wechat::v2::Signature;
use crate::provider::{Event, NotifiedClaim, Opened, Refund, Told, Unopened};

/// Opens the notification of a payment: it is signed with the account's key, for this account, and says that the
/// payment succeeded (`docs/reference/wechatpay-v2.md` section 7). Its claim stands in the clear.
///
/// # Errors
/// One of the notification reasons.
pub fn open_payment(account: &Credentials, fields: Option<&Fields<'_>>) -> Result<Opened, Unopened> {
    let keys = account.v2().ok_or(Reason::NotificationKeysMissing)?;
    let fields = fields.ok_or(Reason::NotificationUnsigned)?;
    match check_notification(keys, fields) {
        Signature::Valid => {}
        Signature::Missing => return Err(Reason::NotificationUnsigned.into()),
        Signature::Wrong => return Err(Reason::NotificationBadlySigned.into()),
    }
    if !is_addressed_to(account, fields) {
        return Err(Reason::NotificationForOtherMerchant.into());
    }
    if ["return_code", "result_code"].iter().any(|name| fields.get(name) != Some("SUCCESS")) {
        return Err(Reason::NotificationNotSuccess.into());
    }
    let currency = fields.filled("fee_type").map_or_else(|| Ok(Currency::default()), Currency::parse);
    let currency = currency.map_err(|_| Reason::FieldMalformed)?;
    Ok(Opened { event: Event::Payment, claim: Told::InTheClear { currency } })
}

/// Opens the notification of a refund, which has no signature ([`refund`]), and checks that it is one for this account.
///
/// # Errors
/// Why it is none.
pub fn open_refund(account: &Credentials, fields: Option<&Fields<'_>>) -> Result<Opened, Unopened> {
    let keys = account.v2().ok_or(Reason::NotificationKeysMissing)?;
    let fields = fields.ok_or(Reason::NotificationUndecipherable)?;
    let refused = |reason, detail: &'static str| Err(Unopened { reason, detail: Some(detail.into()) });
    if !refund::is_addressed_to(account, fields) {
        return refused(Reason::NotificationForOtherMerchant, "appid, mch_id or sub_mch_id is not the channel's");
    }
    let opened = refund::open(keys, fields.get(REQ_INFO).unwrap_or_default());
    let opened = opened.map_err(|error| Unopened { reason: reason(error), detail: Some(error.to_string().into()) })?;
    if fields.get("return_code") != Some("SUCCESS") {
        return refused(Reason::NotificationNotSuccess, "return_code is not SUCCESS");
    }
    let refund::Refund { transaction_id, out_trade_no, total_fee, refund_id, out_refund_no, refund_status } = opened;
    let claim = NotifiedClaim { out_trade_no, transaction_id, amount: total_fee, currency: None };
    let refund = Refund { id: refund_id, merchant_number: out_refund_no, status: refund_status };
    Ok(Opened { event: Event::Refund(refund), claim: Told::Sealed(claim) })
}

const fn reason(unopened: refund::Unopened) -> Reason {
    match unopened {
        refund::Unopened::Sealed => Reason::NotificationUndecipherable,
        refund::Unopened::Missing(_) => Reason::FieldMissing,
        refund::Unopened::Malformed(_) => Reason::FieldMalformed,
    }
}
