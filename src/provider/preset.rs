//! A provider's own notification, described: how it is written, read and answered. A route with `preset: NAME` is one
//! of these, and the gate asks the description instead of knowing the provider.

use super::unopened::Unopened;
use crate::domain::carrier::Carrier;
use crate::domain::money::AmountUnit;
use crate::domain::reason::Reason;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;
use std::fmt;

/// A kind of notification.
pub struct Preset {
    /// The word of `preset` in the configuration.
    pub name: &'static str,
    /// How its fields are carried. It is always sent by POST.
    pub carrier: Carrier,
    /// The first byte of its body, which tells it from the other notifications of its provider.
    pub begins: u8,
    /// The field with the merchant's number of the order; a notification knows no other name of it.
    pub order: &'static str,
    /// The field with the provider's number of the payment.
    pub transaction: &'static str,
    /// The field with the amount.
    pub amount: &'static str,
    /// The unit that the amount is written in.
    pub amount_unit: AmountUnit,
    /// Fields beside these that the account goes by when it opens a notification. No program is to read them otherwise
    /// than it does, so in an XML carrier their tags may stand in the text of no field.
    pub vouched_for: &'static [&'static str],
    /// What of a notification is sealed, if anything is.
    pub sealed: Option<Sealing>,
    /// Looks at the headers of one that arrived at that time, for which no account is needed: whether it can be
    /// authentic at all. An account that opens it looks at them too.
    pub examine: fn(&HeaderMap, Timestamp) -> Result<(), Unopened>,
    /// Why one is refused that is addressed to no account.
    pub unaddressed: Reason,
    /// When it says that it was signed, if its signature ages: then the same bytes cannot be sent again for long.
    pub signed_at: Option<fn(&HeaderMap) -> Option<Timestamp>>,
    /// How its sender is answered.
    pub dialect: &'static Dialect,
    /// When the order system's answer to one says that it was taken, unless the route says otherwise.
    pub accepted: TakenWhen,
}

/// What of a notification is sealed.
#[derive(Debug, Clone, Copy)]
pub enum Sealing {
    /// One field of some notifications; the claim of others stands in the clear.
    Field(SealedForm),
    /// All of every one: the account alone reads the body.
    Body,
}

impl Sealing {
    /// The form of a field that is sealed, where it is one.
    #[must_use]
    pub const fn field(self) -> Option<SealedForm> {
        match self {
            Self::Field(form) => Some(form),
            Self::Body => None,
        }
    }

    /// Whether payments are sealed too, so that a callback that was kept may be one.
    #[must_use]
    pub const fn is_of_payments(self) -> bool {
        match self {
            Self::Field(form) => form.of_payments,
            Self::Body => true,
        }
    }
}

/// How a notification looks whose claim is sealed. None of the claim's fields stands beside it.
#[derive(Debug, Clone, Copy)]
pub struct SealedForm {
    /// The field that is sealed.
    pub field: &'static str,
    /// Fields that are never beside it: where one is, it is no such notification.
    pub never_beside: &'static [&'static str],
    /// Whether payments are sealed too, so that a callback that was kept may be one.
    pub of_payments: bool,
}

/// What an order system answers to a notification that it took: a 2xx, and this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenWhen {
    /// Any body.
    AnyBody,
    /// An XML body whose `return_code` is this.
    ReturnCode(&'static str),
    /// Any body but one in JSON whose `code`, or in XML whose `return_code`, is something else.
    Code(&'static str),
    /// This body and nothing else.
    Body(&'static str),
}

/// How a sender is answered by the gate itself, where that is not HTTP's own way (a status, and a problem document).
pub struct Dialect {
    /// The word of `reply` in the configuration.
    pub name: &'static str,
    /// What tells it, with status 200, that its callback was taken.
    pub taken: Phrase,
    /// What tells it that it was not. Always the same words: why is for the operator.
    pub not_taken: Phrase,
    /// The status that goes with `not_taken`, for this reason and the status that HTTP has for it.
    pub status: fn(Reason, StatusCode) -> StatusCode,
    /// Whether the sender looks at the status alone: then what an order system refuses with a 2xx goes back as 503.
    pub status_decides: bool,
    /// Whether the sender reads an answer of the route's own as `not_taken`, by a status that is no error.
    pub reads_as_not_taken: fn(StatusCode, &str) -> bool,
    /// What to write where it does not, for the operator who configures a route.
    pub own_failure: &'static str,
}

/// A body that never changes.
#[derive(Debug)]
pub struct Phrase {
    /// The value of Content-Type.
    pub content_type: HeaderValue,
    /// The whole text, of that media type.
    pub body: &'static str,
}

impl PartialEq for Preset {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Preset {}

impl fmt::Debug for Preset {
    /// Without its functions, whose addresses differ from process to process: what is written of a configuration is compared.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Preset({})", self.name)
    }
}

impl PartialEq for Dialect {
    /// Names are unique.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({})", self.name)
    }
}
