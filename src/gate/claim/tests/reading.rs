//! What is read, and from where.

use super::*;

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
