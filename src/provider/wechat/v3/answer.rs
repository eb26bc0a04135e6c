//! What was answered: whether it is WeChat Pay's, and what it says (`docs/reference/wechatpay-v3.md` sections 3.2, 4
//! and 5).

use super::headers::{self, BadHeaders, SignatureHeaders, WINDOW_SECONDS};
use super::json::{self, NotStrict, Object};
use super::rsa::PublicKey;
use super::serial::Serial;
use crate::provider::RefusedFor;
use bytes::Bytes;
use hyper::header::DATE;
use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;
use std::fmt;

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// Its status.
    pub status: StatusCode,
    /// Its header.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// The time of day when it came.
    pub at: Timestamp,
}

/// What an answer to an order query says.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200, signed: the order.
    Order {
        /// What it says, which may be about another order or account.
        order: Object,
        /// The same as it was received, for the notification that is made of it. It is never shown.
        document: Bytes,
        /// The serial of the key that signed it.
        by: Serial,
    },
    /// An error that says which. It needs no signature, because it confirms nothing.
    Refused(Refusal),
    /// Nothing of it is believed.
    NotBelieved(Fault),
}

/// An error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code; `None` where the status says it all.
    pub code: Option<String>,
    /// Text for people, which changes.
    pub message: Option<String>,
    /// What it says in detail is wrong, for people.
    pub detail: Option<String>,
    /// How many seconds WeChat Pay's clock is ahead of ours, if the answer tells.
    pub clock_offset: Option<i64>,
}

/// Why an answer is not believed to be WeChat Pay's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not signed.
    Unsigned,
    /// Its signature does not fit, or one of its headers is not there once.
    BadlySigned,
    /// A probe: its signature is wrong on purpose (section 4.1).
    Probe,
    /// Its time is so many seconds ahead of ours.
    OutsideWindow(i64),
    /// No known key has its serial.
    SerialUnknown,
    /// No known key has its serial, and platform certificates cannot be downloaded at the moment.
    CertificatesUnavailable,
}

impl Fault {
    /// The word in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::BadlySigned => "badly-signed",
            Self::Probe => "probe",
            Self::OutsideWindow(_) => "outside-window",
            Self::SerialUnknown => "serial-unknown",
            Self::CertificatesUnavailable => "certificates-unavailable",
        }
    }

    /// Whether the same question may be answered better at once: probes are not repeated.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Unsigned | Self::BadlySigned | Self::Probe | Self::SerialUnknown => true,
            Self::OutsideWindow(_) | Self::CertificatesUnavailable => false,
        }
    }
}

impl Received {
    /// What signs it; `None` if it is an error without a signature. Nothing is verified yet, but what needs no key is
    /// checked.
    ///
    /// # Errors
    /// If it cannot be authentic, whatever the key.
    pub fn signature(&self) -> Result<Option<SignatureHeaders<'_>>, Fault> {
        let is_signed = self.headers.keys().any(headers::is_one);
        if !is_signed && self.status != StatusCode::OK {
            return Ok(None);
        }
        let signature = SignatureHeaders::read(&self.headers).map_err(|bad| match bad {
            BadHeaders::Missing(_) if self.status == StatusCode::OK => Fault::Unsigned,
            _ => Fault::BadlySigned,
        })?;
        if signature.is_probe() {
            return Err(Fault::Probe);
        }
        if !signature.is_within_window(self.at) {
            return Err(Fault::OutsideWindow(signature.offset(self.at)));
        }
        Ok(Some(signature))
    }

    /// The serial of the key that signed it, if the signature is one of `key`, which that names.
    ///
    /// # Errors
    /// If it is none.
    pub fn verify(&self, signature: &SignatureHeaders<'_>, key: &PublicKey) -> Result<Serial, Fault> {
        let serial = Serial::known(signature.serial).ok_or(Fault::SerialUnknown)?;
        if signature.verifies(key, &self.body) { Ok(serial) } else { Err(Fault::BadlySigned) }
    }

    /// What it says, once it is known whether its signature holds; `signed` is `None` where it has none.
    ///
    /// # Errors
    /// If it says nothing: another status without a code. Or if it is signed and not strict JSON.
    pub fn read(self, signed: Result<Option<Serial>, Fault>) -> Result<Answer, Unusable> {
        if let (StatusCode::OK, Ok(Some(by))) = (self.status, signed) {
            return Ok(Answer::Order { order: json::object(&self.body)?, document: self.body, by });
        }
        let refusal = self.refusal();
        // It is heeded whoever says so.
        if refusal.is_about_rate() {
            return Ok(Answer::Refused(refusal));
        }
        match signed {
            Err(fault) => Ok(Answer::NotBelieved(fault)),
            Ok(None) if self.status == StatusCode::OK => Ok(Answer::NotBelieved(Fault::Unsigned)),
            Ok(_) if refusal.code.is_some() && self.status.as_u16() >= 400 => Ok(Answer::Refused(refusal)),
            Ok(_) => Err(Unusable::Status(self.status.as_u16())),
        }
    }

    /// What it says as an error.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        let error = json::object(&self.body).unwrap_or_default();
        let text = |name| error.text(name).ok().flatten().map(str::to_owned);
        Refusal {
            status: self.status.as_u16(),
            code: text("code"),
            message: text("message"),
            detail: text("detail.issue").or_else(|| text("detail.detail.issue")),
            clock_offset: self.clock_offset(),
        }
    }

    /// How many seconds WeChat Pay's clock is ahead of ours, by its signature's time or by `Date`.
    #[must_use]
    pub fn clock_offset(&self) -> Option<i64> {
        let date = || {
            let date = self.headers.get(DATE)?.to_str().ok()?;
            jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
        };
        let theirs = headers::signed_at(&self.headers).or_else(date)?;
        Some(theirs.as_second().saturating_sub(self.at.as_second()))
    }
}

/// Why an answer says nothing at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// This status, and no code.
    Status(u16),
    /// Signed, and not strict JSON.
    Unreadable,
}

impl From<NotStrict> for Unusable {
    fn from(_: NotStrict) -> Self {
        Self::Unreadable
    }
}

impl Refusal {
    /// Whether WeChat Pay wants fewer questions.
    #[must_use]
    pub fn is_about_rate(&self) -> bool {
        self.status == 429 || matches!(self.code.as_deref(), Some("FREQUENCY_LIMITED" | "RATELIMIT_EXCEEDED"))
    }

    /// Whether there is no such order.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status == 404 && matches!(self.code.as_deref(), Some("ORDER_NOT_EXIST" | "ORDERNOTEXIST"))
    }

    /// Whether WeChat Pay has trouble of its own, so that another host may do better.
    #[must_use]
    pub fn is_system_error(&self) -> bool {
        self.status >= 500 && !self.is_about_rate()
    }
}

impl Refusal {
    /// What is wrong with the question's signature, if that is what is wrong. WeChat Pay looks at the time first, then
    /// for the key, and says most of it in text only, in Chinese or English (section 5).
    #[must_use]
    pub fn refused_for(&self) -> Option<RefusedFor> {
        if self.status != 401 {
            return None;
        }
        let is_far = self.clock_offset.is_some_and(|offset| offset.unsigned_abs() >= WINDOW_SECONDS.unsigned_abs());
        let texts = [&self.message, &self.detail].into_iter().flatten().map(|text| text.to_lowercase());
        let text = texts.collect::<Vec<_>>().join(" ");
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        Some(if is_far || says(&["timestamp", "时间"]) {
            RefusedFor::Clock(self.clock_offset)
        } else if says(&["serial", "序列号", "证书"]) {
            RefusedFor::Serial
        } else {
            RefusedFor::Key
        })
    }
}

impl Answer {
    /// What is wrong with the question's signature, or with the clock, if that is what is wrong.
    #[must_use]
    pub fn refused_for(&self) -> Option<RefusedFor> {
        match self {
            Self::Refused(refusal) => refusal.refused_for(),
            Self::NotBelieved(Fault::OutsideWindow(offset)) => Some(RefusedFor::Clock(Some(*offset))),
            Self::Order { .. } | Self::NotBelieved(_) => None,
        }
    }

    /// Whether asking again may bring a better answer.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Order { .. } => false,
            Self::Refused(refusal) => refusal.is_system_error(),
            Self::NotBelieved(fault) => fault.is_transient(),
        }
    }
}

impl fmt::Debug for Answer {
    /// Without values of the order.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order { order, by, .. } => f.debug_tuple("Order").field(order).field(by).finish(),
            Self::Refused(refusal) => f.debug_tuple("Refused").field(refusal).finish(),
            Self::NotBelieved(fault) => f.debug_tuple("NotBelieved").field(fault).finish(),
        }
    }
}

#[cfg(test)]
mod tests;
