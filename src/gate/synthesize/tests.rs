use super::*;
use crate::domain::clock;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{AppId, ChannelId, MerchantId, OutTradeNo, TransactionId};
use crate::domain::secret::Secret;
use crate::gate::accepted::Accepted;
use crate::gate::channel::{Affix, QueryBy};
use crate::gate::claim::{AmountUnit, ChannelRule, Choose, ClaimFields, ClaimReader, Field, Place, Strictness};
use crate::gate::event::Events;
use crate::gate::path::PathPattern;
use crate::gate::policy::{Duplicates, Mode, NumberProof, OnRefunded, OnSecondPayment};
use crate::gate::reply::ReplyStyle;
use crate::gate::route::QueryMatch;
use crate::gate::route::Reading;
use crate::gate::template::{Escape, Template, Text, VARIABLES};
use crate::net::xml::{self, Fields};
use crate::provider::payment::Written;
use crate::provider::wechat::v2::preset::PRESET;
use crate::provider::wechat::{Account, Api, ApiKey, Credentials, Service, Settings, sign::SignType, v2::Keys};
use crate::upstream::Upstream;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use std::sync::Arc;
use std::time::Duration;

const ORDER: &str = "PUBLIC-0201";
const TRANSACTION: &str = "4200000000202401010000000001";

fn field(text: &str) -> Field {
    let (place, name) = match text.split_once('.') {
        Some(("path", name)) => (Place::Path, name),
        Some(("query", name)) => (Place::Query, name),
        Some(("header", name)) => (Place::Header, name),
        _ => (Place::Carrier, text),
    };
    Field { place, name: name.to_owned() }
}

/// Reads `OrderID`, `WeixinTransactionID` and `TotalFee`; the channel is `app` unless `Shop` says another.
fn fields(carrier: Carrier) -> ClaimFields {
    ClaimFields {
        carrier,
        order: field("OrderID"),
        out_trade_no: None,
        transaction: Some(field("WeixinTransactionID")),
        amount: Some((field("TotalFee"), AmountUnit::Fen)),
        fill: None,
        channel: by_shop("Shop"),
        strictness: Strictness::default(),
    }
}

fn by_shop(shop: &str) -> Vec<ChannelRule> {
    let is = Choose::Is(ChannelId::parse("app").unwrap());
    vec![
        ChannelRule { when_empty: Some(field(shop)), choose: is },
        ChannelRule { when_empty: None, choose: Choose::From(vec![field(shop)]) },
    ]
}

fn route(path: &str, fields: ClaimFields, synthesize: Synthesize) -> Route {
    let preset = matches!(synthesize, Synthesize::Notification).then_some(&PRESET);
    let by_query = fields.carrier == Carrier::Query;
    Route {
        name: "r".to_owned(),
        path: PathPattern::parse(path).unwrap(),
        query: QueryMatch::default(),
        methods: if by_query { vec![Method::GET, Method::POST] } else { vec![Method::GET, Method::PUT, Method::POST] },
        main: Reading {
            preset,
            claim: ClaimReader::new(fields),
            accepted: Accepted::any_2xx(),
            reply: ReplyStyle { dialect: None, success: None, failure: None },
        },
        also: Vec::new(),
        events: Events::default(),
        resign: None,
        upstream_window: None,
        number_proof: NumberProof::First,
        deadline: None,
        duplicates: Duplicates::Forward,
        synthesize: Some(synthesize),
    }
}

fn notify(path: &str) -> Route {
    let fields = ClaimFields {
        order: field("out_trade_no"),
        out_trade_no: Some(field("out_trade_no")),
        transaction: Some(field("transaction_id")),
        amount: Some((field("total_fee"), AmountUnit::Fen)),
        channel: vec![ChannelRule { when_empty: None, choose: Choose::From(vec![field("path.channel")]) }],
        ..fields(Carrier::Xml)
    };
    route(path, fields, Synthesize::Notification)
}

fn text(source: &str, escape: Escape) -> Text {
    Text::parse(source.to_owned(), escape).unwrap()
}

/// A template of a body, or of the query where that is the carrier.
fn template(carrier: Carrier, source: &str) -> Template {
    let text = Some(text(source, Escape::of(carrier)));
    let (body, query) = if carrier == Carrier::Query { (None, text) } else { (text, None) };
    Template { body, query, headers: Vec::new(), content_type: None }
}

fn templated(carrier: Carrier, source: &str) -> Route {
    route("/pay/success", fields(carrier), Synthesize::Template(template(carrier, source)))
}

fn credentials() -> Credentials {
    let signing = ApiKey::parse(Secret::new("Kf93mXq0Lz7Vb2Nc8Rt5Yw1Ua6Se4Dg0".into())).unwrap();
    Credentials {
        api: Api::V2(Keys { signing, also_verify: Vec::new(), sign_type: SignType::Md5 }),
        also: None,
        other_appids: Vec::new(),
        appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
        mch_id: MerchantId::parse("10000100").unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

fn channel(name: &str) -> Channel {
    channel_of(name, credentials())
}

fn channel_of(name: &str, credentials: Credentials) -> Channel {
    let settings = Settings { hosts: Vec::new(), hedge_after: Duration::ZERO, queries_per_second: 1 };
    Channel {
        id: ChannelId::parse(name).unwrap(),
        account: Arc::new(Account {
            channel: ChannelId::parse(name).unwrap(),
            credentials,
            service: Service::new(settings),
        }),
        query_by: QueryBy::OutTradeNo,
        out_trade_no: Affix::default(),
        upstream: Upstream::parse("http://127.0.0.1:5000").unwrap(),
        mode: Mode::Enforce,
        on_refunded: OnRefunded::Refuse,
        on_second_payment: OnSecondPayment::Park,
        generation: 1,
    }
}

fn paid(number: &str, transaction: &str, fen: u64) -> Payment {
    Payment {
        transaction_id: TransactionId::parse(transaction).unwrap(),
        out_trade_no: OutTradeNo::parse(number).unwrap(),
        amount: Money { fen: Fen(fen), currency: Currency::default() },
        paid_at: clock::from_time_end("20240101123456"),
        refunded: false,
        attach: None,
        written: Written::default(),
    }
}

/// Makes the callback of [`ORDER`], paid with 2.50 yuan.
fn make(route: &Route, channel: &Channel) -> Result<Request, CannotSynthesize> {
    let (order, payment) = (OrderId::parse(ORDER).unwrap(), paid(ORDER, TRANSACTION, 250));
    let facts = Facts { order: &order, channel, payment: &payment, evidence: &Evidence::default(), at: clock::now() };
    route.synthesize.as_ref().unwrap().request(route, &facts)
}

fn body(request: &Request) -> &str {
    std::str::from_utf8(&request.body).unwrap()
}

const FORM: &str = "OrderID={{ order }}&WeixinTransactionID={{ transaction_id }}&TotalFee={{ amount }}";
const JSON: &str =
    r#"{"OrderID": "{{ order }}", "WeixinTransactionID": "{{ transaction_id }}", "TotalFee": {{ amount }}}"#;
const XML: &str = "<xml><OrderID>{{ order }}</OrderID><WeixinTransactionID><![CDATA[{{ transaction_id }}]]></WeixinTransactionID><TotalFee>{{ amount }}</TotalFee></xml>";

#[test]
fn a_form_is_exactly_what_its_template_says() {
    let request = make(&templated(Carrier::Form, FORM), &channel("app")).unwrap();
    assert_eq!(body(&request), format!("OrderID={ORDER}&WeixinTransactionID={TRANSACTION}&TotalFee=250"));
    assert_eq!((request.method, request.target), (Method::PUT, Uri::from_static("/pay/success")));
    let headers = [
        ("user-agent", concat!("tollgate/", env!("CARGO_PKG_VERSION"))),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    assert_eq!(request.headers.len(), headers.len());
    assert!(headers.iter().all(|(name, value)| request.headers.get(*name).unwrap() == value));
    assert_eq!((request.peer.to_string().as_str(), request.tls), ("127.0.0.1:0", false));
}

#[test]
fn each_carrier_has_its_place_and_its_content_type() {
    for (carrier, source, method, media) in [
        (Carrier::Query, FORM, Method::GET, None),
        (Carrier::Form, FORM, Method::PUT, Some("application/x-www-form-urlencoded")),
        (Carrier::Json, JSON, Method::PUT, Some("application/json")),
        (Carrier::Xml, XML, Method::PUT, Some("text/xml")),
    ] {
        let route = templated(carrier, source);
        let request = make(&route, &channel("app")).unwrap();
        assert_eq!(request.method, method, "{carrier:?}");
        assert_eq!(request.headers.get(CONTENT_TYPE).map(|value| value.to_str().unwrap()), media, "{carrier:?}");
        assert_eq!(request.body.is_empty(), carrier == Carrier::Query);
        let in_query = request.target.query().is_some_and(|query| query.contains("OrderID=PUBLIC-0201&"));
        assert_eq!(in_query, carrier == Carrier::Query);
        assert_eq!(route.synthesize.as_ref().unwrap().check(&route, &channel("app")), Ok(()), "{carrier:?}");
    }
}

#[test]
fn every_variable_has_its_value() {
    let pair = |name: &&str| format!("v_{name}={{{{ {name} }}}}");
    let all = VARIABLES.iter().map(pair).collect::<Vec<_>>().join("&");
    let request = make(&templated(Carrier::Form, &format!("OrderID={{{{ order }}}}&{all}")), &channel("app")).unwrap();
    let expected = "OrderID=PUBLIC-0201&v_order=PUBLIC-0201&v_out_trade_no=PUBLIC-0201\
        &v_transaction_id=4200000000202401010000000001&v_amount=250&v_amount_yuan=2.50&v_currency=CNY\
        &v_paid_at=2024-01-01T12%3A34%3A56%2B08%3A00&v_time_end=20240101123456&v_trade_state=SUCCESS&v_channel=app\
        &v_channel_parts=%5B%27app%27%5D";
    assert_eq!(body(&request), expected);
}

#[test]
fn one_template_serves_several_channels() {
    let mut fields = fields(Carrier::Form);
    fields.out_trade_no = Some(field("paymentcenter_id"));
    fields.channel = vec![
        ChannelRule {
            when_empty: Some(field("paymentcenter_id")),
            choose: Choose::Is(ChannelId::parse("app").unwrap()),
        },
        ChannelRule { when_empty: None, choose: Choose::From(vec![field("ChannelID"), field("CustomerID")]) },
    ];
    let source = format!(
        "{FORM}{{% if channel != 'app' %}}&paymentcenter_id={{{{ out_trade_no }}}}&ChannelID={{{{ channel_parts[0] }}}}&CustomerID={{{{ channel_parts[1] }}}}{{% endif %}}"
    );
    let both = route("/pay", fields.clone(), Synthesize::Template(template(Carrier::Form, &source)));
    let mut with_affix = channel("2/c1");
    with_affix.out_trade_no = Affix { prefix: "APP".to_owned(), suffix: "-A".to_owned() };
    for channel in [channel("app"), channel("2/c1"), with_affix] {
        assert_eq!(both.synthesize.as_ref().unwrap().check(&both, &channel), Ok(()), "{}", channel.id);
    }
    let request = make(&both, &channel("2/c1")).unwrap();
    assert!(body(&request).ends_with("&TotalFee=250&paymentcenter_id=PUBLIC-0201&ChannelID=2&CustomerID=c1"));
    // A number that is not made from the order id is carried too.
    let (order, payment) = (OrderId::parse(ORDER).unwrap(), paid("PC-77", TRANSACTION, 250));
    let other = channel("2/c1");
    let facts =
        Facts { order: &order, channel: &other, payment: &payment, evidence: &Evidence::default(), at: clock::now() };
    let request = both.synthesize.as_ref().unwrap().request(&both, &facts).unwrap();
    assert!(body(&request).contains("OrderID=PUBLIC-0201&") && body(&request).contains("paymentcenter_id=PC-77&"));
    let plain = route("/pay", fields, Synthesize::Template(template(Carrier::Form, FORM)));
    // One that leaves the channel out goes to its upstream all the same.
    assert_eq!(plain.synthesize.as_ref().unwrap().check(&plain, &channel("2/c1")), Ok(()));
}

#[test]
fn claims_beside_the_body_are_made_and_read_too() {
    let mut fields = fields(Carrier::Json);
    fields.order = field("header.X-Order");
    fields.channel = by_shop("query.shop");
    fields.transaction = None;
    let template = Template {
        query: Some(text("shop={{ channel }}", Escape::Form)),
        headers: vec![(HeaderName::from_static("x-order"), text("{{ order }}", Escape::Header))],
        content_type: Some(HeaderValue::from_static("application/json; charset=utf-8")),
        ..template(Carrier::Json, r#"{"TotalFee": "{{ amount }}", "note": "paid\nlate"}"#)
    };
    let route = route("/pay/{channel}/{out_trade_no}", fields, Synthesize::Template(template));
    let request = make(&route, &channel("shop-9")).unwrap();
    assert_eq!(request.target.to_string(), "/pay/shop-9/PUBLIC-0201?shop=shop-9");
    assert_eq!(request.headers["x-order"], ORDER);
    assert_eq!(request.headers[CONTENT_TYPE], "application/json; charset=utf-8");
    assert_eq!(route.synthesize.as_ref().unwrap().check(&route, &channel("shop-9")), Ok(()));
}

#[test]
fn what_reads_otherwise_is_not_made() {
    for (source, said) in [
        ("OrderID=1{{ order }}", "it reads back as order 1PUBLIC-0201, not PUBLIC-0201"),
        ("OrderID={{ order }}&Shop=2/c1", "it reads back as channel 2/c1, not app"),
        (
            "OrderID={{ order }}&TotalFee={{ amount_yuan | replace('.', '') }}0",
            "it reads back as 25.00 CNY (2500), not 2.50 CNY (250)",
        ),
        (
            "OrderID={{ order }}&WeixinTransactionID={{ order | replace('-', '') }}",
            "it reads back as another transaction id",
        ),
        ("OrderID={{ order }}&orderid={{ order }}", "it cannot be read back: field-repeated: "),
        ("id={{ order }}", "it cannot be read back: field-missing: OrderID is absent or empty"),
        ("OrderID={{ order }}&TotalFee={{ amount }} fen", "it cannot be read back: field-malformed: "),
        ("OrderID={{ order }}&a={{ channel_parts[1] }}", "its body is no template that works: undefined value"),
        ("OrderID={{ order }}{{ order | safe }}", "its body is no template that works: unknown filter"),
        ("OrderID={{ order }}\n&a=1", "its body gives a line break or another control character"),
        ("OrderID={{ order }}&a={% for i in range(100000) %}{% endfor %}", "its body takes too much work: a loop?"),
        ("OrderID={{ order }}&a={{ 'x' * 65536 }}", "its body gives more than 64 KiB"),
        ("OrderID={{ order }}&a={{ 'x' * 10000000 }}", "its body takes too much work: a loop?"),
    ] {
        let error = make(&templated(Carrier::Form, source), &channel("app")).unwrap_err();
        assert!(error.to_string().starts_with(said), "{source}: {error}");
        assert_eq!(error.reason(), Reason::CannotSynthesize);
    }
    // As an unquoted JSON number two order ids can be one.
    let json = templated(Carrier::Json, r#"{"OrderID": {{ order }}}"#);
    assert!(json.synthesize.as_ref().unwrap().check(&json, &channel("app")).is_err());
    // Amounts of a callback are CNY.
    let (order, mut payment, app) = (OrderId::parse(ORDER).unwrap(), paid(ORDER, TRANSACTION, 250), channel("app"));
    payment.amount.currency = Currency::parse("HKD").unwrap();
    let facts =
        Facts { order: &order, channel: &app, payment: &payment, evidence: &Evidence::default(), at: clock::now() };
    let form = templated(Carrier::Form, FORM);
    let error = form.synthesize.as_ref().unwrap().request(&form, &facts).unwrap_err();
    assert_eq!(error.to_string(), "it reads back as 2.50 CNY (250), not 2.50 HKD (250)");
}

#[test]
fn a_path_that_nobody_can_fill_makes_no_callback() {
    let made = |path: &str, name: &str| {
        let synthesize = Synthesize::Template(template(Carrier::Form, &format!("{FORM}&Shop={{{{ channel }}}}")));
        make(&route(path, fields(Carrier::Form), synthesize), &channel(name)).map(|request| request.target.to_string())
    };
    assert_eq!(made("/a/{order}", "app").unwrap(), "/a/PUBLIC-0201");
    assert_eq!(made("/a/{shop}", "app"), Err(CannotSynthesize::Path(NotFilled::Unknown("shop".to_owned()))));
    assert_eq!(made("/a/{channel}", "2/c1"), Err(CannotSynthesize::Path(NotFilled::NotCanonical)));
}

#[test]
fn a_template_is_refused_when_it_is_read() {
    let refusal = |source: &str| Text::parse(source.to_owned(), Escape::Form).unwrap_err();
    assert_eq!(refusal("{% if false %}{{ ChanelID }}{% endif %}"), BadText::UnknownVariable("ChanelID".to_owned()));
    assert!(matches!(refusal("a\n{{ order"), BadText::Faulty { line: 2, .. }));
    for tag in ["{% include 'x' %}", "{% import 'x' as x %}", "{% extends 'x' %}", "{% macro a() %}{% endmacro %}"] {
        assert!(matches!(refusal(tag), BadText::Faulty { line: 1, .. }), "{tag}");
    }
    assert!(
        Text::parse("{% for i in range(3) %}{{ i }}{% endfor %}{% set a = order %}{{ a }}".into(), Escape::Form)
            .is_ok()
    );
}

/// An `{% autoescape %}` block, a filter and a captured block all come out escaped.
#[test]
fn nothing_in_a_template_turns_escaping_off() {
    let hostile = context! { order => "a&OrderID=b <\"'>" };
    for source in ["{{ order }}", "{% autoescape false %}{{ order }}{% endautoescape %}", "{{ order | trim }}"] {
        let rendered = |escape| text(source, escape).render(&hostile).unwrap();
        assert_eq!(rendered(Escape::Form), "a%26OrderID%3Db%20%3C%22%27%3E", "{source}");
        assert_eq!(rendered(Escape::Json), "a&OrderID=b <\\\"'>", "{source}");
        assert_eq!(rendered(Escape::Xml), "a&amp;OrderID=b &lt;&quot;&apos;&gt;", "{source}");
    }
    let captured = text("{% set x %}{{ order }}{% endset %}{{ x }}", Escape::Form).render(&hostile).unwrap();
    assert!(!captured.contains(['&', '=']), "{captured}");
    for broken in ["a\r\nb", "a\0"] {
        let broken = context! { order => broken };
        assert_eq!(text("{{ order }}", Escape::Header).render(&broken), Err(BadText::Control));
    }
}

#[test]
fn a_notification_is_made_from_the_answer_and_checked_like_any_other() {
    let answer = xml::write([
        ("return_code", "SUCCESS"),
        ("result_code", "SUCCESS"),
        ("appid", "wxd930ea5d5a258f4f"),
        ("mch_id", "10000100"),
        ("total_fee", "250"),
        ("transaction_id", TRANSACTION),
        ("out_trade_no", ORDER),
        ("trade_state", "SUCCESS"),
    ]);
    let (route, order, app) = (notify("/wxpay/notify/{channel}"), OrderId::parse(ORDER).unwrap(), channel("app"));
    let make = |document: &str, payment: Payment| {
        let evidence = Evidence(document.to_owned().into());
        let facts = Facts { order: &order, channel: &app, payment: &payment, evidence: &evidence, at: clock::now() };
        Synthesize::Notification.request(&route, &facts)
    };
    let request = make(&answer, paid(ORDER, TRANSACTION, 250)).unwrap();
    assert_eq!(request.target, "/wxpay/notify/app");
    assert_eq!(request.headers[CONTENT_TYPE], "text/xml");
    let fields = Fields::read(&request.body).unwrap();
    assert_eq!((fields.get("total_fee"), fields.get("trade_state")), (Some("250"), None));
    let nonce = fields.get("nonce_str").unwrap();
    assert!(nonce.len() == 32 && nonce.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    let said = |document: &str, payment| make(document, payment).unwrap_err().to_string();
    assert_eq!(said(&answer, paid(ORDER, TRANSACTION, 251)), "it reads back as 2.50 CNY (250), not 2.51 CNY (251)");
    assert_eq!(said(&answer, paid(ORDER, "4200", 250)), "it reads back as another transaction id");
    assert_eq!(
        said(&answer, paid("OTHER", TRANSACTION, 250)),
        "it reads back as WeChat Pay's number PUBLIC-0201, not OTHER"
    );
    let other_merchant = answer.replace("10000100", "10000101");
    assert_eq!(
        said(&other_merchant, paid(ORDER, TRANSACTION, 250)),
        "it would be refused: notification-for-other-merchant"
    );
    let failed = answer.replace("<result_code><![CDATA[SUCCESS", "<result_code><![CDATA[FAIL");
    assert_eq!(said(&failed, paid(ORDER, TRANSACTION, 250)), "it would be refused: notification-not-success");
    assert_eq!(said("<html>", paid(ORDER, TRANSACTION, 250)), "WeChat Pay's answer has a root other than <xml>");
}

#[test]
fn a_notification_keeps_its_currency_when_the_key_has_changed() {
    let (route, order, app) = (notify("/wxpay/notify/{channel}"), OrderId::parse(ORDER).unwrap(), channel("app"));
    let answer = xml::write([
        ("return_code", "SUCCESS"),
        ("result_code", "SUCCESS"),
        ("appid", "wxd930ea5d5a258f4f"),
        ("mch_id", "10000100"),
        ("total_fee", "250"),
        ("fee_type", "HKD"),
        ("transaction_id", TRANSACTION),
        ("out_trade_no", ORDER),
    ]);
    let mut payment = paid(ORDER, TRANSACTION, 250);
    payment.amount.currency = Currency::parse("HKD").unwrap();
    let evidence = Evidence(answer.into());
    let facts = Facts { order: &order, channel: &app, payment: &payment, evidence: &evidence, at: clock::now() };
    let request = Synthesize::Notification.request(&route, &facts).unwrap();
    let mut rotated = credentials();
    let other = ApiKey::parse(Secret::new("0123456789abcdefghijklmnopqrstuv".into())).unwrap();
    rotated.api = Api::V2(Keys { signing: other, also_verify: Vec::new(), sign_type: SignType::Md5 });
    let (hkd, cny) = (payment.amount.currency, Currency::default());
    for (credentials, journaled, read) in [
        (credentials(), None, hkd),
        (credentials(), Some((250, cny)), hkd),
        (rotated.clone(), Some((250, hkd)), hkd),
        (rotated.clone(), Some((251, hkd)), cny),
        (rotated, None, cny),
    ] {
        let head = request.head();
        let path = route.takes(&head).unwrap();
        let intake = Intake::read(&route, &path, &head, &request.body, clock::now()).unwrap();
        let journaled = Claimed {
            channel: app.id,
            order,
            out_trade_no: payment.out_trade_no,
            transaction_id: None,
            amount: journaled.map(|(fen, currency)| Money { fen: Fen(fen), currency }),
        };
        let again = intake.reopen(&channel_of("app", credentials), &journaled).unwrap();
        assert_eq!(again.claimed.amount, Some(Money { fen: Fen(250), currency: read }), "{journaled:?}");
    }
}

#[test]
fn notifications_of_every_kind_of_account_pass_the_check() {
    let route = notify("/wxpay/notify/{channel}");
    for sign_type in [SignType::Md5, SignType::HmacSha256] {
        let mut own = credentials();
        let Api::V2(keys) = &mut own.api else { panic!() };
        keys.sign_type = sign_type;
        let mut sub_merchants = own.clone();
        sub_merchants.sub_mch_id = MerchantId::parse("1900000109").ok();
        sub_merchants.sub_appid = AppId::parse("wx2421b1c4370ec43b").ok();
        for credentials in [own, sub_merchants] {
            let mut channel = channel_of("app", credentials);
            // A prefix is for order ids, and a notification names WeChat Pay's number.
            channel.out_trade_no.prefix = "APP".to_owned();
            assert_eq!(Synthesize::Notification.check(&route, &channel), Ok(()));
        }
    }
    let error = Synthesize::Notification.check(&route, &channel("2/c1")).unwrap_err();
    assert_eq!(error, CannotSynthesize::Path(NotFilled::NotCanonical));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever an order is called, its callback says so in every carrier, and in the path.
    #[test]
    fn every_order_reads_back(
        order in r"[0-9A-Za-z_\-|*@]{1,32}",
        transaction in "[0-9A-Za-z]{1,32}",
        fen in 0u64..1_000_000_000_000_000,
        shop in "[0-9A-Za-z_-]{1,9}(/[0-9A-Za-z_.-]{1,9})?",
    ) {
        let (id, channel, payment) = (OrderId::parse(&order).unwrap(), channel(&shop), paid(&order, &transaction, fen));
        let facts = Facts { order: &id, channel: &channel, payment: &payment, evidence: &Evidence::default(), at: clock::now() };
        for (carrier, source) in [
            (Carrier::Query, format!("{FORM}&Shop={{{{ channel }}}}")),
            (Carrier::Form, format!("{FORM}&Shop={{{{ channel }}}}")),
            (Carrier::Json, JSON.replace("{\"Order", "{\"Shop\": \"{{ channel }}\", \"Order")),
            (Carrier::Xml, XML.replace("</xml>", "<Shop>{{ channel }}</Shop></xml>")),
        ] {
            let made = Synthesize::Template(template(carrier, &source));
            let route = route("/pay/{order}", fields(carrier), made);
            let made = route.synthesize.as_ref().unwrap().request(&route, &facts);
            prop_assert_eq!(made.map(|_| ()), Ok(()), "{:?}", carrier);
        }
    }

    /// Every text comes out of the standard readers as it went in.
    #[test]
    fn escapes_undo(value in r"[ -~\t\n\u{e9}\u{4e2d}\u{1f600}]{0,40}") {
        let form = Escape::Form.apply(&value);
        prop_assert_eq!(percent_encoding::percent_decode_str(&form).decode_utf8().unwrap(), value.as_str());
        prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{}\"", Escape::Json.apply(&value))).unwrap(), value.as_str());
        let document = format!("<xml><a>{}</a></xml>", Escape::Xml.apply(&value));
        let read = Fields::read(document.as_bytes()).unwrap();
        prop_assert_eq!(read.get("a"), Some(value.as_str()));
    }
}
