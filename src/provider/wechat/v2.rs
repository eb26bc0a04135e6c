//! Order query, notification and bill of API v2 (`docs/reference/wechatpay-v2.md` sections 3 to 7, and 10).

pub mod answer;

pub mod refund;

pub mod notification;

pub mod order_state;

pub mod preset;

pub use answer::{Answer, Signature};

use super::bill::bill_type as word_of;
use super::sign::{self, SignType};
use super::{ApiKey, Credentials};
use crate::domain::clock;
use crate::domain::order::{AppId, MerchantId};
use crate::net::xml::{self, Fields, XmlError};
use crate::provider::bill::BillType;
use crate::provider::{AskBy, Payment};
use bytes::Bytes;
use jiff::civil::Date;

/// What an API v2 account signs and verifies with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The key that signs.
    pub signing: ApiKey,
    /// Further keys that still verify, while a key is being replaced.
    pub also_verify: Vec<ApiKey>,
    /// How queries are signed, and so how their answers must be.
    pub sign_type: SignType,
}

impl Keys {
    /// The first key signs, each of them verifies; `None` without any key.
    pub fn from_list(keys: impl IntoIterator<Item = ApiKey>, sign_type: SignType) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self { signing: keys.next()?, also_verify: keys.collect(), sign_type })
    }

    /// All that a signature by these keys, or with them, depends on.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(self.sign_type.as_str().as_bytes()).chain(self.verifying())
    }

    fn verifying(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.signing).chain(&self.also_verify).map(ApiKey::expose)
    }

    fn check(&self, fields: &Fields<'_>, choose: impl FnOnce(&str) -> Option<SignType>) -> Signature {
        let Some(given) = fields.filled("sign") else { return Signature::Missing };
        match choose(given) {
            Some(by) if sign::verify(fields.iter(), given, self.verifying(), by) => Signature::Valid,
            _ => Signature::Wrong,
        }
    }
}

/// The body of an order query (section 3). `nonce` is what `nonce_str` says: at most 32 characters, different each
/// time.
#[must_use]
pub fn write_query(account: &Credentials, keys: &Keys, ask: &AskBy, nonce: &str) -> String {
    let mut fields = Vec::with_capacity(8);
    fields.extend([("appid", account.appid.as_str()), ("mch_id", account.mch_id.as_str()), ("nonce_str", nonce)]);
    fields.extend(account.sub_appid.as_ref().map(|id| ("sub_appid", id.as_str())));
    fields.extend(account.sub_mch_id.as_ref().map(|id| ("sub_mch_id", id.as_str())));
    fields.push(match ask {
        AskBy::OutTradeNo(id) => ("out_trade_no", id.as_str()),
        AskBy::TransactionId(id) => ("transaction_id", id.as_str()),
    });
    signed(keys, fields)
}

/// The body of a question for the bill of a day (section 10). In service-provider mode it is for the bill of all
/// sub-merchants. `nonce` is what `nonce_str` says: at most 32 characters, different each time.
#[must_use]
pub fn write_bill_query(
    account: &Credentials,
    keys: &Keys,
    date: Date,
    bill_type: BillType,
    compressed: bool,
    nonce: &str,
) -> String {
    let bill_date = date.strftime("%Y%m%d").to_string();
    let mut fields = Vec::with_capacity(8);
    fields.extend([("appid", account.appid.as_str()), ("mch_id", account.mch_id.as_str()), ("nonce_str", nonce)]);
    fields.extend([("bill_date", bill_date.as_str()), ("bill_type", word_of(bill_type))]);
    if compressed {
        fields.push(("tar_type", "GZIP"));
    }
    signed(keys, fields)
}

/// The fields and their signature as a document.
fn signed<'f>(keys: &'f Keys, mut fields: Vec<(&'f str, &'f str)>) -> String {
    if keys.sign_type != SignType::default() {
        fields.push(("sign_type", keys.sign_type.as_str()));
    }
    let sign = sign::sign(fields.iter().copied(), keys.signing.expose(), keys.sign_type);
    xml::write(fields.into_iter().chain([("sign", sign.as_str())]))
}

/// Reads an order query's answer (section 4). Its signature must be made as the account's queries are, whatever the
/// answer says of itself.
///
/// # Errors
/// If it is not flat XML.
pub fn read_answer(keys: &Keys, document: Bytes) -> Result<Answer, XmlError> {
    let fields = Fields::read(&document)?;
    let signature = keys.check(&fields, |_| Some(keys.sign_type));
    Ok(Answer { document: document.clone(), ..Answer::of(signature, &fields) })
}

/// The notification that WeChat Pay would have sent of the payment that an order query's answer is about
/// (section 7.6), signed with the account's own key. `nonce_str` is 32 of `a-z0-9`. The document is believed: its
/// signature was checked when it came.
///
/// # Errors
/// If the document is not flat XML.
pub fn write_notification(keys: &Keys, answer_document: &[u8], nonce_str: &str) -> Result<String, XmlError> {
    let answer = Fields::read(answer_document)?;
    let stays = |&(name, value): &(&str, &str)| !value.is_empty() && is_notified(name);
    let fields: Vec<_> = answer.iter().filter(stays).collect();
    Ok(sign_notification(keys, &fields, nonce_str))
}

/// A notification of these fields, signed with the account's own key.
#[must_use]
pub fn sign_notification(keys: &Keys, fields: &[(&str, &str)], nonce_str: &str) -> String {
    let mut fields = fields.to_vec();
    fields.push(("nonce_str", nonce_str));
    let sign = sign::sign(fields.iter().copied(), keys.signing.expose(), keys.sign_type);
    fields.push(("sign", &sign));
    fields.sort_unstable();
    xml::write_with_bare(fields, "total_fee")
}

/// The answer that an order query of this payment would get, but for its signature: to try things with, before there is
/// one.
#[must_use]
pub fn write_answer(account: &Credentials, payment: &Payment) -> String {
    let fee = payment.amount.fen.to_string();
    let time_end = payment.paid_at.map(clock::time_end).unwrap_or_default();
    xml::write([
        ("return_code", "SUCCESS"),
        ("return_msg", "OK"),
        ("result_code", "SUCCESS"),
        ("appid", account.appid.as_str()),
        ("mch_id", account.mch_id.as_str()),
        ("sub_appid", account.sub_appid.as_ref().map_or("", AppId::as_str)),
        ("sub_mch_id", account.sub_mch_id.as_ref().map_or("", MerchantId::as_str)),
        ("nonce_str", "sRz3mCkR8uQx0bTL"),
        ("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"),
        ("trade_type", "APP"),
        ("trade_state", if payment.refunded { "REFUND" } else { "SUCCESS" }),
        ("total_fee", &fee),
        ("fee_type", payment.amount.currency.as_str()),
        ("transaction_id", payment.transaction_id.as_str()),
        ("out_trade_no", payment.out_trade_no.as_str()),
        ("attach", "channel=7&shop=<A>"),
        ("time_end", &time_end),
    ])
}

/// Whether a field of an answer stands in the notification too. Not `cash_fee_type`, which is documented there and
/// hardly ever comes, and none that the fact sheet does not know: a backend may have a meaning for it (sections 7.2,
/// 7.3, 7.6).
fn is_notified(name: &str) -> bool {
    NOTIFIED.contains(&name) || name.starts_with("coupon_")
}

const NOTIFIED: &[&str] = &[
    "return_code",
    "result_code",
    "appid",
    "mch_id",
    "sub_appid",
    "sub_mch_id",
    "device_info",
    "openid",
    "is_subscribe",
    "sub_openid",
    "sub_is_subscribe",
    "trade_type",
    "bank_type",
    "total_fee",
    "settlement_total_fee",
    "fee_type",
    "cash_fee",
    "transaction_id",
    "out_trade_no",
    "attach",
    "time_end",
    "version",
    "promotion_detail",
    "rate",
    "rate_value",
];

/// Checks a payment notification's own signature (section 7): by its `sign_type`, or by the length of `sign` if it
/// names none.
#[must_use]
pub fn check_notification(keys: &Keys, notification: &Fields<'_>) -> Signature {
    keys.check(notification, |given| match notification.filled("sign_type") {
        Some(name) => SignType::parse(name),
        None => SignType::by_length(given),
    })
}

/// Whether a notification is about a payment to this account.
#[must_use]
pub fn is_addressed_to(account: &Credentials, notification: &Fields<'_>) -> bool {
    let field = |name| notification.filled(name);
    account.is_merchant(field("mch_id"), field("sub_mch_id")) && account.is_app(field("appid"), field("sub_appid"))
}

#[cfg(test)]
mod tests;
