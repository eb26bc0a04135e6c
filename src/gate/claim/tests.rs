//! The cases of threats E-01 to E-16 by name, and what is accepted beside them. `properties` holds the readers against
//! simple models of what backends read.

use super::*;
use crate::gate::claim::Choose;
use crate::gate::path::PathPattern;
use crate::provider::wechat::v2::preset::PRESET;
use hyper::Request;

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

/// The APP's callback of design section 4.
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

// ---- what passes ----

/// A reader for these fields, as a configuration makes one.
fn reader_of(fields: &ClaimFields) -> ClaimReader {
    ClaimReader::new(fields.clone()).vouching_for(PRESET.vouched_for)
}

#[test]
fn the_app_callback_is_read() {
    let sent = Sent::form("OrderID=A-1&paymentcenter_id=P%7C2&ChannelID=2&CustomerID=c1&TotalFee=6600&Attach=%D6%D0+x");
    let callback = ClaimReader::new(app());
    let callback = sent.read_by(&callback).unwrap();
    assert_eq!(callback.claim.order.as_str(), "A-1");
    assert_eq!(callback.claim.out_trade_no, OutTradeNo::parse("P|2").ok());
    assert_eq!(callback.claim.amount, Some(Fen(6600)));
    assert_eq!(callback.claim.transaction_id, None);
    assert_eq!(callback.channel, ChannelId::parse("2/c1").ok());
}

#[test]
fn the_escapes_of_standard_encoders_are_undone_in_ids() {
    for raw in ["a%7Cb%2A%40", "a%7cb%2a%40", "a|b*@"] {
        assert_eq!(Sent::form(format!("OrderID={raw}")).order(&app()).as_deref(), Ok("a|b*@"), "{raw}");
    }
}

#[test]
fn optional_fields_that_are_empty_claim_nothing() {
    for body in [
        "OrderID=A&paymentcenter_id=&WeixinTransactionID=&TotalFee=",
        "OrderID=A&paymentcenter_id&WeixinTransactionID&TotalFee",
        "&OrderID=A&&",
    ] {
        let sent = Sent::form(body);
        let reader = ClaimReader::new(app());
        let callback = sent.read_by(&reader).unwrap();
        let claim = callback.claim;
        assert_eq!((claim.out_trade_no, claim.transaction_id, claim.amount), (None, None, None), "{body}");
        assert_eq!(callback.channel, ChannelId::parse("app").ok());
    }
}

#[test]
fn a_query_callback_needs_no_body_and_no_content_type() {
    let fields = fields(Carrier::Query, "OrderID");
    assert_eq!(Sent::query("OrderID=A&x=%E4").order(&fields).as_deref(), Ok("A"));
    assert_eq!(Sent::form("Note=1").and_query("OrderID=A").order(&fields).as_deref(), Ok("A"));
    all_get(Reason::UnsupportedMediaType, &fields, [Sent::json("{}").and_query("OrderID=A")]);
    all_get(Reason::FieldRepeated, &fields, [Sent::form("orderid=A").and_query("OrderID=A"), Sent::form("OrderID=A")]);
}

#[test]
fn a_json_callback_is_read_on_its_dotted_path() {
    let sent =
        Sent::json(r#" {"v":[1,2.5,null,{"a":true}],"data":{"order_id":"A\u002d1","channel":"c1","fee":66.50}} "#);
    let reader = ClaimReader::new(json());
    let callback = sent.read_by(&reader).unwrap();
    assert_eq!((callback.claim.order.as_str(), callback.claim.amount), ("A-1", Some(Fen(6650))));
    assert_eq!(callback.channel, ChannelId::parse("c1").ok());
    assert_eq!(Sent::json(r#"{"data":{"order_id":"A","channel":2}}"#).channel(&json()).unwrap().as_deref(), Some("2"));
    assert_eq!(
        Sent::json(r#"{"data":{"order_id":"A","channel":null}}"#).channel(&json()).unwrap().as_deref(),
        Some("app")
    );
    assert_eq!(Sent::json(r#"{"":0,"data":{"":1,"$":2,".":3,"order_id":"A"}}"#).order(&json()).as_deref(), Ok("A"));
    assert_eq!(Sent::json(r#"{"data":{"order\u005fid":"A"}}"#).order(&json()).as_deref(), Ok("A"));
    // Another document in a text is nobody's claim until somebody decodes it on purpose.
    let nested =
        r#"{"raw":"{\"order_id\":\"B\",\"data\":{\"order_id\":\"B\"}}","x\"y":"order_id","data":{"order_id":"A"}}"#;
    assert_eq!(Sent::json(nested).order(&json()).as_deref(), Ok("A"));
}

#[test]
fn an_xml_callback_is_read_and_kept_for_the_signature() {
    let body =
        "<xml><out_trade_no><![CDATA[A-1]]></out_trade_no><attach>a&amp;b</attach><total_fee>100</total_fee></xml>";
    for content_type in ["text/xml", "application/xml; charset=UTF-8", "text/plain"] {
        let sent = Sent::body(content_type, body);
        let reader = ClaimReader::new(xml());
        let callback = sent.read_by(&reader).unwrap();
        assert_eq!((callback.claim.order.as_str(), callback.claim.amount), ("A-1", Some(Fen(100))));
        assert_eq!(callback.xml.unwrap().get("attach"), Some("a&b"));
    }
    assert_eq!(Sent::default().with_body(body.into()).order(&xml()).as_deref(), Ok("A-1"));
}

#[test]
fn fields_are_found_in_path_query_and_headers() {
    let fields = ClaimFields {
        channel: vec![from(&["path.channel", "query.shop", "header.X-Shop"])],
        ..fields(Carrier::Form, "OrderID")
    };
    let sent = Sent::form("OrderID=A").and_query("shop=s1&other=1").header("x-shop", "h1");
    assert_eq!(sent.channel(&fields).unwrap().as_deref(), Some("app/s1/h1"));
    assert_eq!(Sent::form("OrderID=A").and_query("shop=s1").channel(&fields), Ok(None));
    for (name, value) in [("x_shop", "h2"), ("x.shop", "h2"), ("X-SHOP", "h2"), ("cookie", "a=b; X-Shop=1")] {
        all_get(Reason::FieldRepeated, &fields, [sent.clone().header(name, value)]);
    }
    let lone = Sent::form("OrderID=A").and_query("shop=s1");
    all_get(Reason::FieldRepeated, &fields, [lone.header("x_shop", "h"), sent.clone().and_query("shop=s1&channel=c")]);
    let odd = Sent::form("OrderID=A").and_query("shop=s1").header("x-shop", "a b");
    assert_eq!(odd.channel(&fields), Err(Reason::FieldMalformed));
}

#[test]
fn amounts_are_exact() {
    let yuan = ClaimFields { amount: Some((field("TotalFee"), AmountUnit::Yuan)), ..app() };
    for (fields, text, fen) in
        [(app(), "1", 1), (app(), "0", 0), (yuan.clone(), "1.1", 110), (yuan.clone(), "66.00", 6600)]
    {
        let sent = Sent::form(format!("OrderID=A&TotalFee={text}"));
        assert_eq!(sent.read_by(&ClaimReader::new(fields)).unwrap().claim.amount, Some(Fen(fen)));
    }
    for text in ["1.00", "-1", "+1", "1e2", "01", "%2B1", "1%20", "1,2", "0x1", "99999999999999999999"] {
        all_get(Reason::FieldMalformed, &app(), [Sent::form(format!("OrderID=A&TotalFee={text}"))]);
    }
    all_get(
        Reason::FieldMalformed,
        &yuan,
        ["1.005", ".5", "1e2", "1."].map(|text| Sent::form(format!("OrderID=A&TotalFee={text}"))),
    );
    all_get(
        Reason::FieldMalformed,
        &json(),
        ["1e2", "-1", "1.005", "true", "[1]", "{}", "\"1e2\""]
            .map(|fee| Sent::json(format!(r#"{{"data":{{"order_id":"A","fee":{fee}}}}}"#))),
    );
}

#[test]
fn a_value_in_the_field_to_fill_is_a_claim() {
    let fields = ClaimFields { transaction: None, ..app() };
    let sent = Sent::form("OrderID=A&WeixinTransactionID=42");
    let reader = ClaimReader::new(fields);
    let callback = sent.read_by(&reader).unwrap();
    assert_eq!((callback.claim.transaction_id, callback.fill), (TransactionId::parse("42").ok(), None));
    let two = ClaimFields { transaction: Some(field("txn")), ..app() };
    all_get(Reason::FieldMalformed, &two, [Sent::form("OrderID=A&WeixinTransactionID=42&txn=43")]);
}

#[test]
fn channel_values_that_could_be_split_otherwise_are_refused() {
    let sent = |channel: &str, customer: &str| {
        Sent::form(format!("OrderID=A&paymentcenter_id=P&ChannelID={channel}&CustomerID={customer}")).channel(&app())
    };
    assert_eq!(sent("2", "c1"), Ok(Some("2/c1".to_owned())));
    assert_eq!(sent("2", ""), Ok(None));
    for (channel, customer) in [("2/c", "1"), ("2", "c/1"), ("2%2Fc", "1"), ("2", "c%201"), ("2", "c+1"), ("2", "c|1")]
    {
        assert_eq!(sent(channel, customer), Err(Reason::FieldMalformed), "{channel} {customer}");
    }
    let single = ClaimFields { channel: vec![from(&["ChannelID"])], ..fields(Carrier::Form, "OrderID") };
    for raw in ["2/c1", "2%2Fc1"] {
        let sent = Sent::form(format!("OrderID=A&ChannelID={raw}"));
        assert_eq!(sent.channel(&single), Ok(Some("2/c1".to_owned())));
    }
}

#[test]
fn a_field_that_only_some_find_empty_is_refused() {
    let form = ClaimFields { channel: vec![is(Some("pc"), "app"), is(None, "pc")], ..fields(Carrier::Form, "OrderID") };
    for value in ["+", "%20", "%00", "%09", "%E3%80%80", "\u{3000}", "x+"] {
        all_get(Reason::FieldMalformed, &form, [Sent::form(format!("OrderID=A&pc={value}"))]);
    }
    let json = ClaimFields { carrier: Carrier::Json, ..form.clone() };
    all_get(Reason::FieldMalformed, &json, [Sent::json(r#"{"OrderID":"A","pc":" "}"#)]);
    assert_eq!(Sent::form("OrderID=A&pc=x").channel(&form).unwrap().as_deref(), Some("pc"));
}

#[test]
fn fields_that_backends_confuse_are_named() {
    assert_eq!((app().check(), json().check(), xml().check()), (Ok(()), Ok(()), Ok(())));
    let alike = ClaimFields { transaction: Some(field("order_id")), ..app() };
    assert_eq!(alike.check(), Err(BadFields::Alike(field("OrderID"), field("order_id"))));
    assert_eq!(fields(Carrier::Form, "Order[ID]").check(), Err(BadFields::Name(field("Order[ID]"))));
    assert!(fields(Carrier::Json, "data..id").check().is_err() && fields(Carrier::Json, "订单.号").check().is_ok());
    all_get(Reason::FieldRepeated, &alike, [Sent::form("OrderID=A&order_id=42")]);
}

// ---- the threats ----

#[test]
fn e_01_a_second_occurrence_is_refused_in_any_order() {
    let bodies = [
        "OrderID=PAID&OrderID=UNPAID",
        "OrderID=UNPAID&OrderID=PAID",
        "OrderID=A&OrderID=A&OrderID=A",
        "OrderID=A&OrderID",
    ];
    all_get(Reason::FieldRepeated, &app(), bodies.map(Sent::form));
    all_get(Reason::FieldRepeated, &fields(Carrier::Query, "OrderID"), bodies.map(Sent::query));
    let others = ["paymentcenter_id", "WeixinTransactionID", "TotalFee", "ChannelID", "CustomerID"];
    all_get(Reason::FieldRepeated, &app(), others.map(|name| Sent::form(format!("OrderID=A&{name}=&{name}=1"))));
}

#[test]
fn e_02_the_id_in_two_places_is_refused() {
    let form = Sent::form("OrderID=A");
    let pairings = [
        form.clone().and_query("OrderID=A"),
        form.clone().and_query("orderid=B"),
        form.clone().and_query("x=1;OrderID=B"),
        form.clone().header("cookie", "sid=1; OrderID=B"),
        form.clone().header("cookie", "sid=1").header("cookie", "order_id=B"),
        form.clone().header("cookie", "Order%49D=B"),
        Sent::form("").and_query("OrderID=A"),
        Sent::form("OrderID=").and_query("OrderID=A"),
    ];
    all_get(Reason::FieldRepeated, &app(), pairings);
    let json_sent = Sent::json(r#"{"data":{"order_id":"A"}}"#);
    for query in ["data.order_id=B", "data[order_id]=B", "order_id=B", "orderId=B", "data%5Border_id%5D[]=B"] {
        all_get(Reason::FieldRepeated, &json(), [json_sent.clone().and_query(query)]);
    }
    let xml_sent = Sent::xml("<xml><out_trade_no>A</out_trade_no></xml>");
    all_get(
        Reason::FieldRepeated,
        &xml(),
        [xml_sent.clone().and_query("out_trade_no=B"), xml_sent.header("cookie", "OutTradeNo=B")],
    );
    assert_eq!(form.header("cookie", "sid=OrderID; x").order(&app()).as_deref(), Ok("A"));
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

#[test]
fn e_03_every_spelling_variant_is_refused_before_behind_and_alone() {
    for variant in VARIANTS {
        let bodies = [format!("OrderID=A&{variant}=B"), format!("{variant}=B&OrderID=A"), format!("{variant}=A")];
        all_get(Reason::FieldRepeated, &app(), bodies.clone().map(Sent::form));
        all_get(Reason::FieldRepeated, &fields(Carrier::Query, "OrderID"), bodies.map(Sent::query));
        all_get(Reason::FieldRepeated, &app(), [Sent::form("OrderID=A").and_query(&format!("{variant}=B"))]);
    }
    let broken = ["Order%4", "Order%zz", "%", "Order%u0049D", "Order%2549D", "x%25"];
    all_get(Reason::BodyMalformed, &app(), broken.map(|name| Sent::form(format!("OrderID=A&{name}=B"))));
    for name in ["MyOrderID", "OrderIDs", "x.OrderID", "Order", "ID", "%D6%D0", "[]", "."] {
        assert_eq!(Sent::form(format!("OrderID=A&{name}=B")).order(&app()).as_deref(), Ok("A"), "{name}");
    }
}

#[test]
fn e_04_separators_that_only_some_backends_know_are_refused() {
    for body in ["OrderID=A;x=1", "OrderID=A%26x", "OrderID=A%3Bx", "OrderID=A=B"] {
        all_get(Reason::FieldMalformed, &fields(Carrier::Form, "OrderID"), [Sent::form(body)]);
    }
    for body in [
        "OrderID=A;OrderID=B",
        "OrderID=A&amp;OrderID=B",
        "x=1;OrderID=B&OrderID=A",
        "OrderID=A&x;orderid",
        "ChannelID=2;OrderID=B&OrderID=A",
        "OrderID;x=1",
    ] {
        all_get(Reason::FieldRepeated, &app(), [Sent::form(body)]);
    }
    assert_eq!(Sent::form("OrderID=A&Note=a;b=c&Attach=x%26OrderID%3DB").order(&app()).as_deref(), Ok("A"));
}

#[test]
fn e_05_values_are_never_normalised() {
    let values = [
        "A%20",
        "%20A",
        "A+",
        "+A",
        "A+B",
        "A%25",
        "a%2Bb",
        "%EF%BC%A1",
        "A%CC%81",
        "A%E2%80%8B",
        "A%00",
        "A%0A",
        "A%0D%0A",
        "%EF%BB%BFA",
        "%D6%D0",
        "%FF",
        "%C0%80",
        "%C1%81",
        "A%",
        "A%4",
        "A%zz",
        "A%u0041",
        "A%2541",
        "A.B",
        "A,B",
        "A/B",
        "A%2FB",
        "A#B",
        "A'B",
        "A\"B",
        "<A>",
        "A:B",
        "A\\B",
        "A~",
    ];
    all_get(Reason::FieldMalformed, &app(), values.map(|value| Sent::form(format!("OrderID={value}"))));
    all_get(Reason::FieldMalformed, &app(), [Sent::form(format!("OrderID={}", "A".repeat(65)))]);
    all_get(Reason::FieldMalformed, &app(), [Sent::form(b"OrderID=\xd6\xd0"), Sent::form("OrderID=Ａ")]);
    all_get(
        Reason::BodyMalformed,
        &app(),
        ["OrderID=A\0", "OrderID=A\r\n", "OrderID=A\t", "x=\x7f&OrderID=A"].map(Sent::form),
    );
    let json_values =
        [" A", "A ", "A\\n", "A\\u0000", "\\ufeffA", "Ａ", "A\u{301}", "\\ud800", "A\u{200b}", "A B", "%41"];
    all_get(
        Reason::FieldMalformed,
        &json(),
        json_values.map(|value| Sent::json(format!(r#"{{"data":{{"order_id":"{value}"}}}}"#))),
    );
    for id in ["a", "A", "aA"] {
        assert_eq!(Sent::form(format!("OrderID={id}")).order(&app()).as_deref(), Ok(id));
    }
    all_get(Reason::FieldMissing, &app(), ["", "OrderID=", "OrderID", "x=1"].map(Sent::form));
}

#[test]
fn e_06_only_utf_8_is_read_where_nothing_else_is_safe() {
    for charset in
        ["utf-16", "utf-7", "shift_jis", "iso-2022-jp", "hz-gb-2312", "x", "", "'utf-8'", "utf-8; charset=gbk"]
    {
        all_get(Reason::UnsupportedMediaType, &app(), [Sent::body(&format!("{FORM}; charset={charset}"), "OrderID=A")]);
    }
    for charset in ["gbk", "iso-8859-1", "us-ascii"] {
        let types =
            [("application/json", json(), "{\"data\":{\"order_id\":\"A\"}}"), ("text/xml", xml(), "<xml></xml>")];
        for (media_type, fields, body) in types {
            let sent = Sent::body(&format!("{media_type}; charset={charset}"), body);
            all_get(Reason::UnsupportedMediaType, &fields, [sent]);
        }
    }
    for charset in ["charset=utf-8", "Charset=\"UTF-8\"", ""] {
        assert_eq!(
            Sent::body(&format!("{FORM}; {charset}"), "OrderID=A").order(&app()).as_deref(),
            Ok("A"),
            "{charset}"
        );
    }
    let prolog = r#"<?xml version="1.0" encoding="GBK"?><xml><out_trade_no>A</out_trade_no></xml>"#;
    all_get(Reason::BodyMalformed, &xml(), [Sent::xml(prolog)]);
}

#[test]
fn e_07_and_e_08_the_content_type_must_be_the_carrier() {
    let form_types = [
        "application/json",
        "text/plain",
        "text/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded2",
        "application/x-www-form-urlencoded, application/json",
        "*/*",
        "",
        "application/x-www-form-urlencoded; boundary=x",
        "application/x-www-form-urlencoded charset=utf-8",
        "multipart/form-data; boundary=\"application/x-www-form-urlencoded\"",
    ];
    all_get(Reason::UnsupportedMediaType, &app(), form_types.map(|form_type| Sent::body(form_type, "OrderID=A")));
    all_get(
        Reason::UnsupportedMediaType,
        &app(),
        [Sent::default().with_body("OrderID=A".into()), Sent::form("OrderID=A").header("content-type", FORM)],
    );
    let document = r#"{"data":{"order_id":"A"}}"#;
    let json_types = [FORM, "text/plain", "text/json", "application/json5", "application/problem+json"];
    all_get(Reason::UnsupportedMediaType, &json(), json_types.map(|json_type| Sent::body(json_type, document)));
    all_get(Reason::UnsupportedMediaType, &json(), [Sent::default().with_body(document.into())]);
    let document = "<xml><out_trade_no>A</out_trade_no></xml>";
    let xml_types = [FORM, "application/json", "application/soap+xml", "multipart/related", "text/html"];
    all_get(Reason::UnsupportedMediaType, &xml(), xml_types.map(|xml_type| Sent::body(xml_type, document)));
}

#[test]
fn e_09_json_that_parsers_read_differently_is_refused() {
    let repeated = [
        r#"{"data":{"order_id":"A","order_id":"B"}}"#,
        r#"{"data":{"order_id":"A","order\u005fid":"B"}}"#,
        r#"{"data":{"order_id":"A","Order_ID":"B"}}"#,
        r#"{"data":{"order_id":"A","orderId":"B"}}"#,
        r#"{"data":{"order_id":"A","order_id\u0000":"B"}}"#,
        r#"{"data":{"order_id":"A","order_id[]":"B"}}"#,
        r#"{"data":{"ORDER_ID":"A"}}"#,
        r#"{"DATA":{"order_id":"A"}}"#,
        r#"{"data":{"order_id":"A"},"Data":{"order_id":"B"}}"#,
        r#"{"data":{"order_id":"A"},"Data":null}"#,
        r#"{"data":{"order_id":"A"},"data":{}}"#,
        r#"{"data":{"order_id":"A"},"data.order_id":"B"}"#,
        r#"{"data":{"order_id":"A"},"data[order_id]":"B"}"#,
        r#"{"data.order_id":"A"}"#,
        r#"{"data":{"order_id":"A","channel":"c","Channel":"d"}}"#,
        r#"{"data":{"order_id":"A","channel":"c"},"data.channel":"d"}"#,
        r#"{"x\"order_id":"B","data":{"order_id":"A"}}"#,
        r#"{"x'order_id":"B","data":{"order_id":"A"}}"#,
        r#"{"x":[{"y\\\"Order_ID ":"B"}],"data":{"order_id":"A"}}"#,
        r#"{"x\u0022txn":"B","data":{"order_id":"A"}}"#,
    ];
    all_get(Reason::FieldRepeated, &json(), repeated.map(Sent::json));
    let malformed_value = ["-1", "12345678901234567890123", "1.0", "true", "[\"A\"]", "{\"id\":\"A\"}", "\"\\ud800\""];
    all_get(
        Reason::FieldMalformed,
        &json(),
        malformed_value.map(|value| Sent::json(format!(r#"{{"data":{{"order_id":{value}}}}}"#))),
    );
    let broken = [
        "",
        "[]",
        "null",
        "\"A\"",
        "{",
        r#"{"data":{"order_id":"A"}}x"#,
        r#"{"data":{"order_id":"A"}}{}"#,
        "\u{feff}{\"data\":{\"order_id\":\"A\"}}",
        r#"{"data":{"order_id":"A"}/* c */}"#,
        r#"{"data":{"order_id":"A"},}"#,
        r#"{"x":NaN,"data":{"order_id":"A"}}"#,
        r#"{'data':{'order_id':'A'}}"#,
        r#"{"x":1,"x":2,"data":{"order_id":"A"}}"#,
        r#"{"data":{"order_id":"A","n":{"x":1,"\u0078":2}}}"#,
        "{\"a\":\"\n\"}",
    ];
    all_get(Reason::BodyMalformed, &json(), broken.map(Sent::json));
    all_get(Reason::BodyMalformed, &json(), [Sent::json(b"{\"data\":{\"order_id\":\"A\",\"x\":\"\xff\"}}")]);
    let missing = [
        "{}",
        r#"{"data":{}}"#,
        r#"{"data":null}"#,
        r#"{"data":{"order_id":null}}"#,
        r#"{"data":{"order_id":""}}"#,
        r#"{"data":"order_id"}"#,
    ];
    all_get(Reason::FieldMissing, &json(), missing.map(Sent::json));
}

#[test]
fn e_10_json_that_costs_more_than_it_says_is_refused() {
    let keys: Vec<_> = (0..5000).map(|key| format!("\"k{key}\":0")).collect();
    let deep =
        |levels: usize| format!(r#"{{"x":{}{},"data":{{"order_id":"A"}}}}"#, "[".repeat(levels), "]".repeat(levels));
    let costly = [
        "[".repeat(100_000),
        format!("{{\"a\":{}", "[".repeat(100_000)),
        "{\"data\":".repeat(10_000),
        format!("{{\"data\":{{\"order_id\":{}", "{\"order_id\":".repeat(10_000)),
        deep(32),
        format!("{{{},\"data\":{{\"order_id\":\"A\"}}}}", keys.join(",")),
    ];
    let started = std::time::Instant::now();
    all_get(Reason::BodyMalformed, &json(), costly.map(Sent::json));
    assert!(started.elapsed().as_secs() < 5);
    assert_eq!(Sent::json(deep(31)).order(&json()).as_deref(), Ok("A"));
}

#[test]
fn e_11_and_e_12_only_flat_plain_xml_is_read() {
    let malformed = [
        "<xml><out_trade_no>A</out_trade_no><out_trade_no>B</out_trade_no></xml>",
        "<xml><a><out_trade_no>B</out_trade_no></a><out_trade_no>A</out_trade_no></xml>",
        "<xml><x:out_trade_no>B</x:out_trade_no><out_trade_no>A</out_trade_no></xml>",
        "<xml><out_trade_no>A<!-- c -->B</out_trade_no></xml>",
        "<xml><out_trade_no>A<?pi?>B</out_trade_no></xml>",
        "<xml><out_trade_no id=\"B\">A</out_trade_no></xml>",
        "<xml out_trade_no=\"B\"><out_trade_no>A</out_trade_no></xml>",
        "<xml><out_trade_no>&x;</out_trade_no></xml>",
        "<!DOCTYPE xml><xml><out_trade_no>A</out_trade_no></xml>",
        "<!DOCTYPE xml SYSTEM \"http://127.0.0.1/x\"><xml><out_trade_no>A</out_trade_no></xml>",
        "<!DOCTYPE xml [<!ENTITY a \"A\">]><xml><out_trade_no>&a;</out_trade_no></xml>",
        "<root><out_trade_no>A</out_trade_no></root>",
        "<xml><out_trade_no>A</out_trade_no>",
        "<xml><out_trade_no>A</out_trade_no></xml><xml/>",
        "\u{feff}<xml><out_trade_no>A</out_trade_no></xml>",
        "",
    ];
    all_get(Reason::BodyMalformed, &xml(), malformed.map(Sent::xml));
    let repeated = [
        "OUT_TRADE_NO",
        "Out_Trade_No",
        "outTradeNo",
        "out.trade.no",
        "out-trade-no",
        "out_trade_no.x",
        "ｏut_trade_no",
    ];
    for name in repeated {
        let bodies = [
            format!("<xml><out_trade_no>A</out_trade_no><{name}>B</{name}></xml>"),
            format!("<xml><{name}>B</{name}><out_trade_no>A</out_trade_no></xml>"),
            format!("<xml><{name}/></xml>"),
        ];
        all_get(Reason::FieldRepeated, &xml(), bodies.map(Sent::xml));
    }
    let values = [
        "A<![CDATA[B]]>",
        "<![CDATA[A]]>B",
        "<![CDATA[]]>A",
        "A<![CDATA[]]>",
        "<![CDATA[A]]><![CDATA[B]]>",
        "&#65;",
        "A&#66;",
        " A ",
        "\n<![CDATA[A]]>\n",
        "<![CDATA[ A]]>",
        "&amp;",
        "Ａ",
    ];
    all_get(
        Reason::FieldMalformed,
        &xml(),
        values.map(|value| Sent::xml(format!("<xml><out_trade_no>{value}</out_trade_no></xml>"))),
    );
    for value in ["", "<![CDATA[]]>"] {
        all_get(Reason::FieldMissing, &xml(), [Sent::xml(format!("<xml><out_trade_no>{value}</out_trade_no></xml>"))]);
    }
}

#[test]
fn e_13_costly_bodies_are_read_in_linear_time() {
    let started = std::time::Instant::now();
    let attributes: String = (0..6000).map(|n| format!(" a{n}=\"\"")).collect();
    all_get(Reason::BodyMalformed, &xml(), [Sent::xml(format!("<xml><a{attributes}/></xml>"))]);
    all_get(
        Reason::BodyMalformed,
        &app(),
        [Sent::form("a&".repeat(32_000)), Sent::form(format!("{}=1", "%25".repeat(20_000)))],
    );
    for name in [".".repeat(60_000), "[".repeat(60_000), "%00".repeat(20_000), "a.".repeat(30_000)] {
        assert_eq!(Sent::form(format!("OrderID=A&{name}=1;{}", ";".repeat(100))).order(&app()).as_deref(), Ok("A"));
    }
    assert_eq!(Sent::form(format!("OrderID=A&x={}", ";".repeat(60_000))).order(&app()).as_deref(), Ok("A"));
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn e_14_content_codings_are_refused() {
    for coding in ["gzip", "br", "deflate", "identity, gzip", "GZIP", "utf-8, gzip", "utf-16", "x", "utf-8;q=1"] {
        all_get(Reason::UnsupportedMediaType, &app(), [Sent::form("OrderID=A").header("content-encoding", coding)]);
    }
    assert_eq!(Sent::form("OrderID=A").header("content-encoding", "identity").order(&app()).as_deref(), Ok("A"));
}

#[test]
fn e_16_a_channel_outside_the_grammar_selects_nothing() {
    let fields = ClaimFields { channel: vec![from(&["ChannelID"])], ..fields(Carrier::Form, "OrderID") };
    for value in ["a%20b", "a|b", "%00", "../x y", "%E4%B8%AD", &"c".repeat(65)] {
        all_get(Reason::FieldMalformed, &fields, [Sent::form(format!("OrderID=A&ChannelID={value}"))]);
    }
    assert_eq!(Sent::form("OrderID=A").channel(&fields), Ok(None));
}

#[test]
fn no_detail_repeats_what_the_sender_wrote() {
    let secret = "oUpF8uMuAJO";
    let requests = [
        (app(), Sent::form(format!("OrderID={secret}%20"))),
        (app(), Sent::form(format!("OrderID=A&{secret}%zz=1"))),
        (app(), Sent::form(format!("OrderID[{secret}]=A"))),
        (app(), Sent::body(secret, "OrderID=A")),
        (json(), Sent::json(format!(r#"{{"{secret}":{secret}}}"#))),
        (json(), Sent::json(format!(r#"{{"{secret}":1,"{secret}":2}}"#))),
        (json(), Sent::json(format!(r#"{{"data":{{"order_id[{secret}]":"{secret}"}}}}"#))),
        (xml(), Sent::xml(format!("<xml><{secret}>&{secret};</{secret}></xml>"))),
    ];
    for (fields, sent) in requests {
        let reader = ClaimReader::new(fields);
        let unreadable = sent.read_by(&reader).unwrap_err();
        assert!(!unreadable.detail.contains(secret), "{unreadable}");
    }
}

// ---- filling in ----

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

#[test]
fn the_verified_id_goes_where_the_backend_looks_for_it() {
    let id = txn();
    let bodies = [
        (app(), Sent::form("OrderID=A"), format!("OrderID=A&WeixinTransactionID={id}")),
        (app(), Sent::form("WeixinTransactionID=&OrderID=A"), format!("WeixinTransactionID={id}&OrderID=A")),
        (app(), Sent::form("WeixinTransactionID&OrderID=A"), format!("WeixinTransactionID={id}&OrderID=A")),
        (app(), Sent::form("OrderID=A&WeixinTransactionID"), format!("OrderID=A&WeixinTransactionID={id}")),
        (
            json(),
            Sent::json(r#" {"data": {"order_id":"A"}}"#),
            format!(r#" {{"data": {{"txn":"{id}","order_id":"A"}}}}"#),
        ),
        (
            json(),
            Sent::json(r#"{"data":{"order_id":"A","txn":""}}"#),
            format!(r#"{{"data":{{"order_id":"A","txn":"{id}"}}}}"#),
        ),
        (
            json(),
            Sent::json(r#"{"data":{"txn": null ,"order_id":"A"}}"#),
            format!(r#"{{"data":{{"txn": "{id}" ,"order_id":"A"}}}}"#),
        ),
        (
            xml(),
            Sent::xml("<xml><out_trade_no>A</out_trade_no>\n</xml>\n"),
            format!("<xml><out_trade_no>A</out_trade_no>\n<transaction_id>{id}</transaction_id></xml>\n"),
        ),
        (
            xml(),
            Sent::xml(
                "<xml><a><![CDATA[<transaction></transaction>]]></a><transaction_id /><out_trade_no>A</out_trade_no></xml>",
            ),
            format!(
                "<xml><a><![CDATA[<transaction></transaction>]]></a><transaction_id>{id}</transaction_id><out_trade_no>A</out_trade_no></xml>"
            ),
        ),
        (
            xml(),
            Sent::xml("<xml><transaction_id><![CDATA[]]></transaction_id ><out_trade_no>A</out_trade_no></xml >"),
            format!("<xml><transaction_id>{id}</transaction_id><out_trade_no>A</out_trade_no></xml >"),
        ),
    ];
    for (fields, sent, wanted) in bodies {
        let filled = filled(&sent, &fields).unwrap();
        assert_eq!(String::from_utf8_lossy(&filled.body), wanted);
    }
    let query = ClaimFields { fill: Some(field("txn")), ..fields(Carrier::Query, "OrderID") };
    assert_eq!(filled(&Sent::query("OrderID=A"), &query).unwrap().query, format!("OrderID=A&txn={id}"));
    let in_query = ClaimFields { fill: Some(field("query.txn")), ..fields(Carrier::Form, "OrderID") };
    assert_eq!(filled(&Sent::form("OrderID=A"), &in_query).unwrap().query, format!("txn={id}"));
    let in_query = ClaimFields { fill: Some(field("query.txn")), ..fields(Carrier::Json, "id") };
    assert_eq!(filled(&Sent::json(r#"{"id":"A"}"#), &in_query).unwrap().query, format!("txn={id}"));
}

#[test]
fn a_json_field_without_a_parent_is_filled_at_the_top_only() {
    let top = ClaimFields { fill: Some(field("t\"xn")), ..fields(Carrier::Json, "id") };
    let body = filled(&Sent::json(r#"{"id":"A"}"#), &top).unwrap().body;
    assert_eq!(body, format!(r#"{{"t\"xn":"{}","id":"A"}}"#, txn()));
    let nested = ClaimFields { fill: Some(field("pay.txn")), ..fields(Carrier::Json, "id") };
    for body in [r#"{"id":"A"}"#, r#"{"id":"A","pay":null}"#, r#"{"id":"A","pay":[]}"#] {
        assert!(filled(&Sent::json(body), &nested).is_none(), "{body}");
    }
    let body = filled(&Sent::json(r#"{"pay":{},"id":"A"}"#), &nested).unwrap().body;
    assert_eq!(body, format!(r#"{{"pay":{{"txn":"{}"}},"id":"A"}}"#, txn()));
}
