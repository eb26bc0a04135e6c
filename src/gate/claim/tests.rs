//! What the tests of the claim reader share. `reading` has what is accepted, `threats` the cases of E-01 to E-16 by
//! name, and `properties` holds the readers against simple models of what backends read.

use super::*;
use crate::gate::claim::Choose;
use crate::gate::path::PathPattern;
use crate::provider::wechat::v2::preset::PRESET;
use hyper::Request;

mod reading;

mod threats;

mod filling;

mod properties;

mod hidden;

mod spellings;

mod charsets;

mod nested;

mod any_type;

mod multipart;

const FORM: &str = "application/x-www-form-urlencoded";

fn field(name: &str) -> Field {
    let (place, name) = match name.split_once('.') {
        Some(("path", name)) => (Place::Path, name),
        Some(("query", name)) => (Place::Query, name),
        Some(("header", name)) => (Place::Header, name),
        _ => (Place::Carrier, name),
    };
    Field { place, name: name.to_owned() }
}

fn fields(carrier: Carrier, order: &str) -> ClaimFields {
    ClaimFields {
        carrier,
        order: field(order),
        out_trade_no: None,
        transaction: None,
        amount: None,
        fill: None,
        channel: Vec::new(),
        strictness: Strictness::default(),
    }
}

fn from(names: &[&str]) -> ChannelRule {
    ChannelRule { when_empty: None, choose: Choose::From(names.iter().copied().map(field).collect()) }
}

fn is(when_empty: Option<&str>, channel: &str) -> ChannelRule {
    ChannelRule { when_empty: when_empty.map(field), choose: Choose::Is(ChannelId::parse(channel).unwrap()) }
}

/// The APP's callback of the shipped config.yaml.
fn app() -> ClaimFields {
    ClaimFields {
        out_trade_no: Some(field("paymentcenter_id")),
        transaction: Some(field("WeixinTransactionID")),
        amount: Some((field("TotalFee"), AmountUnit::Fen)),
        fill: Some(field("WeixinTransactionID")),
        channel: vec![is(Some("paymentcenter_id"), "app"), from(&["ChannelID", "CustomerID"])],
        ..fields(Carrier::Form, "OrderID")
    }
}

fn json() -> ClaimFields {
    ClaimFields {
        transaction: Some(field("data.txn")),
        amount: Some((field("data.fee"), AmountUnit::Yuan)),
        fill: Some(field("data.txn")),
        channel: vec![from(&["data.channel"]), is(None, "app")],
        ..fields(Carrier::Json, "data.order_id")
    }
}

fn xml() -> ClaimFields {
    ClaimFields {
        transaction: Some(field("transaction_id")),
        amount: Some((field("total_fee"), AmountUnit::Fen)),
        fill: Some(field("transaction_id")),
        channel: vec![is(None, "app")],
        ..fields(Carrier::Xml, "out_trade_no")
    }
}

/// A request as the tests write it.
#[derive(Clone, Default)]
struct Sent {
    query: String,
    headers: Vec<(&'static str, String)>,
    body: Bytes,
}

impl Sent {
    fn body(content_type: &str, body: impl AsRef<[u8]>) -> Self {
        let body = Bytes::copy_from_slice(body.as_ref());
        Self::default().header("content-type", content_type).with_body(body)
    }

    fn form(body: impl AsRef<[u8]>) -> Self {
        Self::body(FORM, body)
    }

    fn json(body: impl AsRef<[u8]>) -> Self {
        Self::body("application/json", body)
    }

    fn xml(body: impl AsRef<[u8]>) -> Self {
        Self::body("text/xml", body)
    }

    fn query(query: impl Into<String>) -> Self {
        Self { query: query.into(), ..Self::default() }
    }

    fn and_query(self, query: &str) -> Self {
        Self { query: query.to_owned(), ..self }
    }

    fn with_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn head(&self) -> Parts {
        let target = if self.query.is_empty() { "/cb/app".to_owned() } else { format!("/cb/app?{}", self.query) };
        let request = self
            .headers
            .iter()
            .fold(Request::builder().uri(target), |request, (name, value)| request.header(*name, value.as_bytes()));
        request.body(()).unwrap().into_parts().0
    }

    /// Reads it on a route whose path is `/cb/{channel}`.
    fn read_by(&self, reader: &ClaimReader) -> Result<Callback<'_>, Unreadable> {
        let pattern = PathPattern::parse("/cb/{channel}").unwrap();
        reader.read(&self.head(), &pattern.matches("/cb/app").unwrap(), &self.body)
    }

    /// The order id that is read, or the reason.
    fn order(&self, fields: &ClaimFields) -> Result<String, Reason> {
        let callback = self.read_by(&reader_of(fields));
        callback.map(|callback| callback.claim.order.to_string()).map_err(|unreadable| unreadable.reason)
    }

    fn channel(&self, fields: &ClaimFields) -> Result<Option<String>, Reason> {
        let callback = self.read_by(&reader_of(fields));
        callback.map(|callback| callback.channel.map(|id| id.to_string())).map_err(|unreadable| unreadable.reason)
    }
}

/// Every request gets the reason.
fn all_get(reason: Reason, fields: &ClaimFields, requests: impl IntoIterator<Item = Sent>) {
    for sent in requests {
        let body = String::from_utf8_lossy(&sent.body);
        let shown = format!("?{} {:?} {body:?}", sent.query, sent.headers);
        assert_eq!(sent.order(fields), Err(reason), "{shown:.300}");
    }
}

fn txn() -> TransactionId {
    TransactionId::parse("4200000001202611221234567890").unwrap()
}

/// None of them says exactly `OrderID`.
const VARIANTS: [&str; 22] = [
    "orderid",
    "ORDERID",
    "order%49D",
    "+OrderID",
    "OrderID+",
    "%20OrderID",
    "OrderID%00",
    "OrderID%00.x",
    "OrderID[]",
    "OrderID[0]",
    "OrderID%5B0%5D",
    "OrderID[a][b]",
    "OrderID[",
    "OrderID.x",
    "Order.ID",
    "Order+ID",
    "Order_ID",
    "order-id",
    "OrderID.",
    "_OrderID",
    "%EF%BC%AFrderID",
    "OrderID%E2%80%8B",
];

/// The request with the blank filled.
fn filled(sent: &Sent, fields: &ClaimFields) -> Option<Sent> {
    let reader = ClaimReader::new(fields.clone());
    let callback = sent.read_by(&reader).unwrap();
    let blank = callback.fill?;
    let mut filled = sent.clone();
    if blank.in_query {
        filled.query = String::from_utf8(blank.fill(sent.query.as_bytes(), &txn()).unwrap()).unwrap();
    } else {
        filled.body = blank.fill(&sent.body, &txn()).unwrap().into();
    }
    let again = filled.read_by(&reader).unwrap();
    assert_eq!(again.claim, Claim { transaction_id: Some(txn()), ..callback.claim });
    assert_eq!((again.channel, again.fill), (callback.channel, None));
    Some(filled)
}

/// A reader for these fields, as a configuration makes one.
fn reader_of(fields: &ClaimFields) -> ClaimReader {
    ClaimReader::new(fields.clone()).vouching_for(PRESET.vouched_for)
}
