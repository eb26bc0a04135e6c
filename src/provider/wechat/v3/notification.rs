//! Notifications of API v3, opened before anything is asked, so that a forgery costs no query. A right one is still
//! only a claim.

use super::Keys;
use super::headers::{BadHeaders, SignatureHeaders};
use super::json::{self, Malformed, Object};
use super::rsa::PublicKey;
use super::serial::{KeyKind, Serial};
use crate::domain::money::{Currency, Fen};
use crate::domain::order::{OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::provider::wechat::Credentials;
use crate::provider::{Event, NotifiedClaim, Opened, Refund, Told, Unopened};
use hyper::HeaderMap;
use jiff::Timestamp;

/// `resource_type` of what is sealed.
const RESOURCE_TYPE: &str = "encrypt-resource";

/// The `algorithm` that it is sealed by.
const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// The `event_type` of a payment.
const PAYMENT: &str = "TRANSACTION.SUCCESS";

/// Those of refunds.
const REFUNDS: [&str; 3] = ["REFUND.SUCCESS", "REFUND.ABNORMAL", "REFUND.CLOSED"];

/// What of the headers needs no key: each is there once, it is no probe, and its time is near
/// (`docs/reference/wechatpay-v3.md` section 4).
///
/// # Errors
/// What is wrong with them.
pub fn examine(headers: &HeaderMap, at: Timestamp) -> Result<(), Unopened> {
    read_headers(headers, at).map(drop)
}

/// Opens a notification that arrived `at` that time: it is signed by the one key that its serial names, which `key` has,
/// for this account, and tells of a payment or a refund.
///
/// # Errors
/// One of the notification reasons, or of what is missing or malformed in it.
pub fn open(
    account: &Credentials,
    key: impl FnOnce(&str) -> Option<PublicKey>,
    headers: &HeaderMap,
    body: &[u8],
    at: Timestamp,
) -> Result<Opened, Unopened> {
    let headers = read_headers(headers, at)?;
    if !account.v3().is_some_and(Keys::reads_notifications) {
        return Err(Reason::NotificationKeysMissing.into());
    }
    let key = key(headers.serial).ok_or_else(|| serial_unknown(headers.serial))?;
    if !headers.verifies(&key, body) {
        return Err(Reason::NotificationBadlySigned.into());
    }
    unseal(account, body)
}

/// Opens the body of a notification that is authentic already: it was verified when it arrived, or was made here.
///
/// # Errors
/// As [`open`], but for headers and signature.
pub fn unseal(account: &Credentials, body: &[u8]) -> Result<Opened, Unopened> {
    let keys = account.v3().ok_or(Reason::NotificationKeysMissing)?;
    let envelope = json::object(body).map_err(|error| undecipherable(format!("the body {error}")))?;
    let sealed = Sealed::read(&envelope)?;
    let is_refund = is_refund(&envelope)?;
    let opened = keys
        .api_v3
        .iter()
        .find_map(|key| key.open(sealed.nonce.as_bytes(), sealed.associated_data.as_bytes(), sealed.ciphertext));
    let text = opened.ok_or_else(|| undecipherable("no api_v3_key of the channel opens resource.ciphertext"))?;
    let plain =
        json::object(&text).map_err(|error| refused(Reason::FieldMalformed, format!("what is sealed {error}")))?;
    if plain.has("combine_out_trade_no") {
        return Err(Reason::NotificationCombined.into());
    }
    if is_refund { refund(account, &plain) } else { payment(account, &plain) }
}

/// What is sealed, and how (section 6.2).
struct Sealed<'e> {
    nonce: &'e str,
    associated_data: &'e str,
    ciphertext: &'e str,
}

impl<'e> Sealed<'e> {
    fn read(envelope: &'e Object) -> Result<Self, Unopened> {
        let text = |path| envelope.text(path).ok().flatten();
        let is = |path, wanted: &str| {
            if text(path) == Some(wanted) { Ok(()) } else { Err(undecipherable(format!("{path} is not {wanted}"))) }
        };
        is("resource_type", RESOURCE_TYPE)?;
        is("resource.algorithm", ALGORITHM)?;
        let nonce = text("resource.nonce").filter(|nonce| nonce.len() == super::aead::NONCE_BYTES);
        let associated_data = envelope
            .text_or_empty("resource.associated_data")
            .map_err(|Malformed(field)| undecipherable(format!("{field} is no text")))?;
        Ok(Self {
            nonce: nonce.ok_or_else(|| undecipherable("resource.nonce has not 12 bytes"))?,
            associated_data: associated_data.unwrap_or_default(),
            ciphertext: text("resource.ciphertext").ok_or_else(|| undecipherable("resource.ciphertext is missing"))?,
        })
    }
}

fn is_refund(envelope: &Object) -> Result<bool, Unopened> {
    match envelope.text("event_type").ok().flatten() {
        Some(PAYMENT) => Ok(false),
        Some(event) if REFUNDS.contains(&event) => Ok(true),
        _ => Err(refused(Reason::NotificationNotPayment, "event_type is that of neither a payment nor a refund")),
    }
}

/// What a payment's notification seals is what the order query would answer (section 3.2).
fn payment(account: &Credentials, plain: &Object) -> Result<Opened, Unopened> {
    if !names_account(account, plain, true)? {
        return Err(Reason::NotificationForOtherMerchant.into());
    }
    if text(plain, "trade_state")? != Some("SUCCESS") {
        return Err(refused(Reason::NotificationNotSuccess, "trade_state is not SUCCESS"));
    }
    let currency = required(plain, "amount.currency")?;
    let currency = Currency::parse(currency).map_err(|_| malformed("amount.currency"))?;
    let claim = claim(plain, Some(currency))?;
    Ok(Opened { event: Event::Payment, claim: Told::Sealed(claim) })
}

/// A refund's notification names no application, and not what its amounts are counted in.
fn refund(account: &Credentials, plain: &Object) -> Result<Opened, Unopened> {
    if !names_account(account, plain, false)? {
        return Err(Reason::NotificationForOtherMerchant.into());
    }
    let claim = claim(plain, None)?;
    let refund = Refund {
        id: word(plain, "refund_id", 32)?,
        merchant_number: word(plain, "out_refund_no", 64)?,
        status: word(plain, "refund_status", 16)?,
    };
    Ok(Opened { event: Event::Refund(refund), claim: Told::Sealed(claim) })
}

/// Whether what was sealed is about this account: a service provider's names provider and sub-merchant.
fn names_account(account: &Credentials, plain: &Object, names_app: bool) -> Result<bool, Unopened> {
    let (mchid, appid) = match account.sub_mch_id {
        Some(_) => ("sp_mchid", "sp_appid"),
        None => ("mchid", "appid"),
    };
    let is_app = || -> Result<bool, Unopened> { Ok(account.is_app(text(plain, appid)?, text(plain, "sub_appid")?)) };
    Ok(account.is_merchant(text(plain, mchid)?, text(plain, "sub_mchid")?) && (!names_app || is_app()?))
}

fn claim(plain: &Object, currency: Option<Currency>) -> Result<NotifiedClaim, Unopened> {
    const TOTAL: &str = "amount.total";
    let total = plain.integer(TOTAL).map_err(|Malformed(field)| malformed(field))?;
    let total = total.ok_or_else(|| missing(TOTAL))?;
    let transaction_id = required(plain, "transaction_id")?;
    let out_trade_no = required(plain, "out_trade_no")?;
    Ok(NotifiedClaim {
        out_trade_no: OutTradeNo::parse(out_trade_no).map_err(|_| malformed("out_trade_no"))?,
        transaction_id: TransactionId::parse(transaction_id).map_err(|_| malformed("transaction_id"))?,
        // As strict as an amount that is written as a text.
        amount: Fen::parse(&total.to_string()).map_err(|_| malformed(TOTAL))?,
        currency,
    })
}

fn text<'o>(plain: &'o Object, path: &'static str) -> Result<Option<&'o str>, Unopened> {
    plain.text(path).map_err(|Malformed(field)| malformed(field))
}

fn required<'o>(plain: &'o Object, path: &'static str) -> Result<&'o str, Unopened> {
    text(plain, path)?.ok_or_else(|| missing(path))
}

/// A word of at most so many bytes, none of which a log or page could stumble over.
fn word(plain: &Object, path: &'static str, longest: usize) -> Result<String, Unopened> {
    let value = required(plain, path)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-|*@".contains(&byte);
    let plain = value.len() <= longest && value.bytes().all(is_plain);
    plain.then(|| value.to_owned()).ok_or_else(|| malformed(path))
}

fn read_headers(headers: &HeaderMap, at: Timestamp) -> Result<SignatureHeaders<'_>, Unopened> {
    let headers = SignatureHeaders::read(headers).map_err(|bad| refused(reason(bad), bad.to_string()))?;
    if headers.is_probe() {
        return Err(Reason::NotificationProbe.into());
    }
    if !headers.is_within_window(at) {
        let offset = headers.offset(at);
        return Err(refused(Reason::NotificationOutsideWindow, format!("its time is {offset} s from ours")));
    }
    Ok(headers)
}

const fn reason(bad: BadHeaders) -> Reason {
    match bad {
        BadHeaders::Missing(_) => Reason::NotificationUnsigned,
        BadHeaders::Repeated(_) => Reason::FieldRepeated,
        BadHeaders::Malformed(_) | BadHeaders::OtherType => Reason::NotificationBadlySigned,
    }
}

/// Says what kind of key is named, and not which: those are the sender's bytes.
fn serial_unknown(serial: &str) -> Unopened {
    let named = Serial::of_public_key(serial).or_else(|_| Serial::of_certificate(serial));
    let detail = match named.map(|serial| serial.kind()) {
        Ok(KeyKind::PublicKey) => "Wechatpay-Serial is the id of a public key that is not the channel's public_key_id",
        Ok(KeyKind::Certificate) => "Wechatpay-Serial is that of a certificate which the channel does not have",
        Err(_) => "Wechatpay-Serial names no key of WeChat Pay's",
    };
    Unopened { reason: Reason::NotificationSerialUnknown, detail: Some(detail.into()) }
}

fn refused(reason: Reason, detail: impl Into<String>) -> Unopened {
    Unopened { reason, detail: Some(detail.into().into()) }
}

fn undecipherable(detail: impl Into<String>) -> Unopened {
    refused(Reason::NotificationUndecipherable, detail)
}

fn missing(field: &'static str) -> Unopened {
    refused(Reason::FieldMissing, format!("{field} within resource is absent or empty"))
}

fn malformed(field: &'static str) -> Unopened {
    refused(Reason::FieldMalformed, format!("{field} within resource is malformed"))
}

#[cfg(test)]
mod tests;
