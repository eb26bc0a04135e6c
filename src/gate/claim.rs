//! What a callback says: order id, channel, perhaps transaction id and amount. Never a fact.
//!
//! One place, one occurrence, one grammar: whichever value a backend would read (first, last, joined, case-folded, from
//! query or body), it is the one that is read here, or the callback is refused (invariant I4, threats E-01 to E-16).

mod strictness;

mod home;

mod occurrences;

mod names;

mod ways;

mod value;

mod fold;

mod media;

mod charset;

mod form;

mod multipart;

mod json;

mod halves;

mod xml;

mod hidden;

mod sealed;

mod channel_rule;

pub use self::strictness::{ContentType, Cookies, OrderType, Strictness};
pub use crate::domain::carrier::Carrier;
pub use crate::domain::money::AmountUnit;
pub use channel_rule::{ChannelRule, Choose};
pub use sealed::Sealed;

use self::home::Home;
use self::media::Media;
use self::names::Names;
use self::occurrences::Occurrences;
use self::value::{Malformed, Value};
use super::path::PathValues;
use crate::domain::money::Fen;
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::net::xml::Fields;
use bytes::Bytes;
use hyper::http::request::Parts;
use std::fmt;
use std::ops::Range;

/// Where one field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the route's carrier.
    Carrier,
    /// A placeholder of the route's path.
    Path,
    /// The query string, whatever the carrier.
    Query,
    /// In a header.
    Header,
}

/// A field as config names it: `OrderID`, `data.order_id` (json), `path.channel`, `query.shop`, `header.X-Shop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The part of the request where the field stands.
    pub place: Place,
    /// Its name there, exactly; in a JSON carrier a dotted path.
    pub name: String,
}

/// Which fields of a route's callbacks mean what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimFields {
    /// Where unprefixed names stand.
    pub carrier: Carrier,
    /// The legacy system's order id.
    pub order: Field,
    /// The number WeChat Pay knows, if callbacks bring it; empty or absent means the order id.
    pub out_trade_no: Option<Field>,
    /// The claimed transaction id, if callbacks bring it; empty or absent means no claim.
    pub transaction: Option<Field>,
    /// The claimed amount, if callbacks bring it; empty or absent means no claim.
    pub amount: Option<(Field, AmountUnit)>,
    /// The field to write the verified transaction id into, when it is absent or empty.
    pub fill: Option<Field>,
    /// How the channel is selected.
    pub channel: Vec<ChannelRule>,
    /// How strictly the rest is read.
    pub strictness: Strictness,
}

/// Why claim fields cannot be told apart, or not be there at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFields {
    /// Such a name is written in several ways, or not at all.
    #[error("{0} is not a field's name: letters, digits, _, - and . (and, in JSON, letters of any script)")]
    Name(Field),
    /// The two differ in case, punctuation or place only.
    #[error("{0} and {1} are the same name to some backends")]
    Alike(Field, Field),
}

/// What a callback claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The legacy system's order id.
    pub order: OrderId,
    /// The number WeChat Pay knows, if the callback named it.
    pub out_trade_no: Option<OutTradeNo>,
    /// The claimed transaction id.
    pub transaction_id: Option<TransactionId>,
    /// The claimed amount. In what it is counted is not read here.
    pub amount: Option<Fen>,
}

/// A callback as it was read.
#[derive(Debug)]
pub struct Callback<'b> {
    /// The claim that stands in the clear.
    pub claim: Claim,
    /// The channel it selects, which may not be configured; `None` if no rule applied.
    pub channel: Option<ChannelId>,
    /// Where the verified transaction id can be written, if the route wants it and the field is free.
    pub fill: Option<Blank>,
    /// Every element of an XML callback, for the signature.
    pub xml: Option<Fields<'b>>,
}

/// A blank in the query or body: `range` is replaced by `before`, the value, `after`. In the query, the range counts
/// from behind the `?`; where there is none, it is 0..0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blank {
    /// In the query string rather than the body.
    pub in_query: bool,
    /// The bytes that make room; empty for an insertion.
    pub range: Range<usize>,
    /// Goes in front of the value.
    pub before: String,
    /// Goes behind the value.
    pub after: String,
}

/// Why a callback was not readable, with what the operator needs to see it. `field` is a configured name, never the
/// sender's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Unreadable {
    /// One of the claim reasons.
    pub reason: Reason,
    /// Which field or rule, in plain words without any of the sender's bytes.
    pub detail: String,
}

/// Reads the claims of one route's callbacks.
#[derive(Debug)]
pub struct ClaimReader {
    fields: ClaimFields,
    names: Names,
}

impl ClaimReader {
    /// A reader for these fields.
    #[must_use]
    pub fn new(fields: ClaimFields) -> Self {
        let names = Names::new(&fields);
        Self { fields, names }
    }

    /// This reader for callbacks that are routed by these parameters of the query: each of them may stand there once,
    /// and nowhere else in any spelling.
    #[must_use]
    pub fn guarding<'n>(mut self, parameters: impl IntoIterator<Item = &'n str>) -> Self {
        for name in parameters {
            self.names.guard(name, self.fields.carrier);
        }
        self
    }

    /// This reader for XML callbacks whose other fields of these names a program goes by: their tags may stand in the
    /// text of no field, as those of the claim may not.
    #[must_use]
    pub fn vouching_for(mut self, names: &'static [&'static str]) -> Self {
        self.names.vouched_for = names;
        self
    }

    /// What it reads.
    #[must_use]
    pub fn fields(&self) -> &ClaimFields {
        &self.fields
    }

    /// Lets JSON documents have at most so many keys.
    pub fn set_json_keys(&mut self, most: usize) {
        self.fields.strictness.json_keys = most;
    }

    /// Reads one callback. What it gives is what every backend behind would read from the same bytes.
    ///
    /// # Errors
    /// If body and carrier do not go together or the body is malformed; if a claim field is missing, stands twice or in
    /// a second spelling anywhere in query, body or cookies, or has a value outside its grammar.
    pub fn read<'b>(&self, head: &Parts, path: &PathValues<'_>, body: &'b Bytes) -> Result<Callback<'b>, Unreadable> {
        let carrier = self.fields.carrier;
        let media = media::check(&self.fields, &head.headers, !body.is_empty())?;
        let xml = if carrier == Carrier::Xml { Some(xml::parse(body)?) } else { None };
        let json = if carrier == Carrier::Json { Some(json::document(body)?) } else { None };
        let mut occurrences = Occurrences::new(&self.names);
        let query = self.read_head(&mut occurrences, head, path)?;
        let mut json_blank = None;
        match (&json, &xml, media.boundary) {
            (Some(document), _, _) => {
                let most_keys = self.fields.strictness.json_keys;
                json_blank = json::read(&mut occurrences, document, most_keys, self.fill_at(Home::Body))?;
            }
            (_, Some(fields), _) => xml::read(&mut occurrences, body, fields)?,
            (_, _, Some(boundary)) => multipart::read(&mut occurrences, body, boundary)?,
            _ => self.read_form(&mut occurrences, body, &media)?,
        }
        if media.is_called_form && carrier != Carrier::Form {
            form::refuse(&mut occurrences, body)?;
        }
        let claim = self.claim(&occurrences)?;
        let channel = channel_rule::select(&self.fields.channel, |field| channel_value(&occurrences, field))?;
        let fill = match carrier {
            Carrier::Json if self.fill_at(Home::Body).is_some() => json_blank,
            _ => self.blank(&occurrences, query, body, media.boundary),
        };
        Ok(Callback { claim, channel, fill, xml })
    }

    /// Takes the claim fields that stand before the body: in path, headers and query, and what is called like one in a
    /// cookie. Returns the query.
    fn read_head<'a>(
        &self,
        occurrences: &mut Occurrences<'_, 'a>,
        head: &'a Parts,
        path: &PathValues<'a>,
    ) -> Result<&'a [u8], Unreadable> {
        occurrences.path(path)?;
        occurrences.headers(&head.headers)?;
        let query = head.uri.query().unwrap_or_default().as_bytes();
        form::read(occurrences, query, Some(Home::Query), "the query", None)?;
        if self.fields.strictness.cookies == Cookies::Refuse {
            form::read_cookies(occurrences, &head.headers)?;
        }
        Ok(query)
    }

    /// Takes the claim fields of a form. Where it need not be called one, it must not be what it may be called: to a
    /// backend that goes by Content-Type `{"OrderID":"B","x":"&OrderID=A"}` is about B.
    fn read_form<'b>(
        &self,
        occurrences: &mut Occurrences<'_, 'b>,
        body: &'b [u8],
        media: &Media<'_>,
    ) -> Result<(), Unreadable> {
        if self.fields.strictness.content_type == ContentType::Any && form::begins_otherwise(body) {
            let detail = "the body begins as JSON or XML does, and not as a form";
            return Err(Unreadable::new(Reason::BodyMalformed, detail));
        }
        form::read(occurrences, body, Some(Home::Body), "the body", media.charset)
    }

    fn claim(&self, occurrences: &Occurrences<'_, '_>) -> Result<Claim, Unreadable> {
        let fields = &self.fields;
        let numbers = fields.strictness.order_type;
        let order = id(occurrences, &fields.order, numbers, OrderId::parse)?
            .ok_or_else(|| Unreadable::new(Reason::FieldMissing, format!("{} is absent or empty", fields.order)))?;
        let out_trade_no = optional_id(occurrences, fields.out_trade_no.as_ref(), numbers, OutTradeNo::parse)?;
        let amount = match &fields.amount {
            Some((field, unit)) => occurrences.get(field).map(|value| amount(field, *unit, value)).transpose()?,
            None => None,
        };
        let transaction_id = self.transaction(occurrences)?;
        Ok(Claim { order, out_trade_no, transaction_id, amount })
    }

    /// The claimed transaction id. A backend that is filled in believes what stands in that field, so it is a claim
    /// too.
    fn transaction(&self, occurrences: &Occurrences<'_, '_>) -> Result<Option<TransactionId>, Unreadable> {
        let numbers = self.fields.strictness.order_type;
        let claimed = optional_id(occurrences, self.fields.transaction.as_ref(), numbers, TransactionId::parse)?;
        match (claimed, optional_id(occurrences, self.fields.fill.as_ref(), numbers, TransactionId::parse)?) {
            (Some(one), Some(other)) if one != other => {
                let detail = "the fields of transaction and fill name two transaction ids";
                Err(Unreadable::new(Reason::FieldMalformed, detail))
            }
            (claimed, filled) => Ok(claimed.or(filled)),
        }
    }

    /// The field to fill, if it stands there.
    fn fill_at(&self, home: Home) -> Option<&Field> {
        self.fields.fill.as_ref().filter(|field| field.home(self.fields.carrier) == home)
    }

    /// Where `fill` can be written in a query string, form, multipart body or XML.
    fn blank(
        &self,
        occurrences: &Occurrences<'_, '_>,
        query: &[u8],
        body: &[u8],
        boundary: Option<&str>,
    ) -> Option<Blank> {
        let (in_query, field) = match self.fill_at(Home::Query) {
            Some(field) => (true, field),
            None => (false, self.fill_at(Home::Body)?),
        };
        let value = occurrences.raw(self.names.index(field)?);
        if !value.is_none_or(Value::is_empty) {
            return None;
        }
        if !in_query && self.fields.carrier == Carrier::Xml {
            return xml::blank(body, &field.name, value.is_none());
        }
        if let (false, Some(boundary)) = (in_query, boundary) {
            return multipart::blank(body, boundary, &field.name, value);
        }
        Some(form::blank(in_query, if in_query { query } else { body }, &field.name, value))
    }
}

/// The value of an id field, if it is there.
fn id<T, E>(
    occurrences: &Occurrences<'_, '_>,
    field: &Field,
    numbers: OrderType,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Unreadable> {
    let Some(value) = occurrences.get(field) else { return Ok(None) };
    let id = value.id(numbers).ok().and_then(|text| parse(&text).ok());
    id.map(Some).ok_or_else(|| malformed(field, number_or(value, numbers, "is not an id of its kind")))
}

/// What is wrong with a value that is no id; of a number, that it is one.
const fn number_or(value: &Value<'_>, numbers: OrderType, otherwise: &'static str) -> &'static str {
    match (value, numbers) {
        (Value::Number(_), OrderType::Text) => {
            "is a number, a text is wanted (or 1 to 15 digits without sign, point and exponent, and not 0)"
        }
        (Value::Number(_), OrderType::Integer) => {
            "is a number, a text is wanted (or a whole number of 64 bits without sign, point and exponent, and not 0)"
        }
        _ => otherwise,
    }
}

fn optional_id<T, E>(
    occurrences: &Occurrences<'_, '_>,
    field: Option<&Field>,
    numbers: OrderType,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Unreadable> {
    field.map_or(Ok(None), |field| id(occurrences, field, numbers, parse))
}

fn amount(field: &Field, unit: AmountUnit, value: &Value<'_>) -> Result<Fen, Unreadable> {
    let text = value.amount().map_err(|_| malformed(field, "is not a plain amount"))?;
    let amount = match unit {
        AmountUnit::Fen => Fen::parse(&text),
        AmountUnit::Yuan => Fen::parse_yuan(&text),
    };
    amount.map_err(|_| {
        let is_decimal = unit == AmountUnit::Fen && Fen::parse_yuan(&text).is_ok();
        malformed(field, if is_decimal { DECIMAL_FEN } else { "is not a plain amount" })
    })
}

/// `66.00` where fen are expected may be yuan, so that the zeros are not let go of, as they are in yuan.
const DECIMAL_FEN: &str = "has decimal places, and fen have none (a whole number is wanted, or amount_unit: yuan)";

/// The value of a field that a channel rule asks for, if it is there.
fn channel_value(occurrences: &Occurrences<'_, '_>, field: &Field) -> Result<Option<value::Text>, Unreadable> {
    let Some(value) = occurrences.get(field) else { return Ok(None) };
    let what = number_or(value, OrderType::Text, "is no part of a channel's name");
    value.channel().map(Some).map_err(|Malformed| malformed(field, what))
}

fn malformed(field: &Field, what: &str) -> Unreadable {
    Unreadable::new(Reason::FieldMalformed, format!("{field} {what}"))
}

impl Unreadable {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl ClaimFields {
    /// The field that a backend may take for this parameter of the query, if it is not that parameter itself.
    #[must_use]
    pub fn alike(&self, parameter: &str) -> Option<&Field> {
        let folded = fold::fold(parameter);
        let itself = |field: &Field| field.home(self.carrier) == Home::Query && field.name == parameter;
        self.all().find(|field| fold::fold(&field.name) == folded && !itself(field))
    }

    /// Whether requests can carry these fields and tell them apart.
    ///
    /// # Errors
    /// Names the first field that cannot stand where it should, or two that a backend may take for one.
    pub fn check(&self) -> Result<(), BadFields> {
        let mut seen: Vec<(&Field, String)> = Vec::new();
        for field in self.all() {
            let folded = fold::fold(&field.name);
            let is_name = match (field.place, self.carrier) {
                (Place::Carrier, Carrier::Json) => field.name.split('.').all(|key| !fold::fold(key).is_empty()),
                _ => field.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')),
            };
            if folded.is_empty() || !is_name {
                return Err(BadFields::Name(field.clone()));
            }
            if let Some((other, _)) = seen.iter().find(|(other, same)| *same == folded && *other != field) {
                return Err(BadFields::Alike((*other).clone(), field.clone()));
            }
            seen.push((field, folded));
        }
        Ok(())
    }

    /// Every field that means something, some of them perhaps more than once.
    fn all(&self) -> impl Iterator<Item = &Field> {
        let named = [self.out_trade_no.as_ref(), self.transaction.as_ref(), self.fill.as_ref()];
        let amount = self.amount.as_ref().map(|(field, _)| field);
        let rules = self.channel.iter().flat_map(|rule| rule.when_empty.iter().chain(rule.choose.fields()));
        [&self.order].into_iter().chain(named.into_iter().flatten()).chain(amount).chain(rules)
    }
}

impl Field {
    fn home(&self, carrier: Carrier) -> Home {
        match (self.place, carrier) {
            (Place::Path, _) => Home::Path,
            (Place::Header, _) => Home::Header,
            (Place::Query, _) | (Place::Carrier, Carrier::Query) => Home::Query,
            (Place::Carrier, _) => Home::Body,
        }
    }
}

impl fmt::Display for Field {
    /// As config names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.place {
            Place::Carrier => "",
            Place::Path => "path.",
            Place::Query => "query.",
            Place::Header => "header.",
        };
        write!(f, "{prefix}{}", self.name)
    }
}

impl Blank {
    /// The query string or body with `value` written in; `None` if `original` is not what the blank was found in.
    #[must_use]
    pub fn fill(&self, original: &[u8], value: &TransactionId) -> Option<Vec<u8>> {
        let head = original.get(..self.range.start)?;
        let tail = original.get(self.range.end..)?;
        Some([head, self.before.as_bytes(), value.as_str().as_bytes(), self.after.as_bytes(), tail].concat())
    }
}

/// Where a part begins in the whole it was cut from.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr())
}

#[cfg(test)]
mod tests;
