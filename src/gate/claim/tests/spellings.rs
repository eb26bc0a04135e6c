//! Spellings that nobody can misread: they are taken, and what is beside them is refused as before.

use super::*;

#[test]
fn utf_8_has_several_names() {
    let xml_body = "<xml><out_trade_no>A</out_trade_no></xml>";
    let json_body = r#"{"data":{"order_id":"A"}}"#;
    for charset in ["utf8", "UTF8", "Utf8", "\"utf8\"", "\"UTF8\"", "utf-8", "UTF-8"] {
        for (media_type, fields, body) in
            [(FORM, app(), "OrderID=A"), ("application/json", json(), json_body), ("text/xml", xml(), xml_body)]
        {
            for content_type in [format!("{media_type};charset={charset}"), format!("{media_type}; Charset={charset};")]
            {
                assert_eq!(Sent::body(&content_type, body).order(&fields).as_deref(), Ok("A"), "{content_type}");
            }
        }
        let declared = charset.trim_matches('"');
        let body = format!(r#"<?xml version="1.0" encoding="{declared}"?>{xml_body}"#);
        assert_eq!(Sent::xml(body).order(&xml()).as_deref(), Ok("A"), "{declared}");
    }
    for blanks in ["charset = utf8", "charset= \"utf8\"", "Charset =UTF-8", "charset =\t\"utf-8\" ;"] {
        for (media_type, fields, body) in
            [(FORM, app(), "OrderID=A"), ("application/json", json(), json_body), ("text/xml", xml(), xml_body)]
        {
            let content_type = format!("{media_type}; {blanks}");
            assert_eq!(Sent::body(&content_type, body).order(&fields).as_deref(), Ok("A"), "{content_type}");
        }
    }
    for charset in ["utf9", "utf-8x", "utf 8", "utf-8\"", "\"utf-8", "utf8; charset=utf8"] {
        let sent = Sent::body(&format!("application/json; charset={charset}"), json_body);
        all_get(Reason::UnsupportedMediaType, &json(), [sent]);
    }
}

#[test]
fn a_charset_is_no_content_coding() {
    for coding in ["utf-8", "UTF-8", "utf8", "UTF8", "", " ", "identity", "utf-8, identity", ",", "utf-8,utf8"] {
        let sent = Sent::form("OrderID=A").header("content-encoding", coding);
        assert_eq!(sent.order(&app()).as_deref(), Ok("A"), "{coding:?}");
        assert_eq!(sent.header("content-encoding", "utf-8").order(&app()).as_deref(), Ok("A"), "{coding:?}");
    }
    let twice = Sent::form("OrderID=A").header("content-encoding", "utf-8").header("content-encoding", "gzip");
    all_get(Reason::UnsupportedMediaType, &app(), [twice]);
}

#[test]
fn an_escape_of_a_byte_of_the_grammar_is_that_byte() {
    let fields = ClaimFields { amount: Some((field("TotalFee"), AmountUnit::Yuan)), ..app() };
    let sent = Sent::form(
        "OrderID=B%5F22%2D1&paymentcenter_id=%50%31&ChannelID=%32&CustomerID=c%5f1&TotalFee=88%2E00&WeixinTransactionID=4%32",
    );
    let reader = ClaimReader::new(fields);
    let callback = sent.read_by(&reader).unwrap();
    assert_eq!(callback.claim.order.as_str(), "B_22-1");
    assert_eq!(callback.claim.out_trade_no, OutTradeNo::parse("P1").ok());
    assert_eq!(callback.claim.amount, Some(Fen(8800)));
    assert_eq!(callback.claim.transaction_id, TransactionId::parse("42").ok());
    assert_eq!(callback.channel, ChannelId::parse("2/c_1").ok());
    let all: String = "A_-|*@z9".bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(Sent::form(format!("OrderID={all}")).order(&app()).as_deref(), Ok("A_-|*@z9"));
    assert_eq!(Sent::query(format!("OrderID={all}")).order(&fields_of_query()).as_deref(), Ok("A_-|*@z9"));
    for value in
        ["A%252D", "%2541", "A%2B", "A%20", "A%00", "%D6%D0", "A%7E", "A%2E1", "A%26B", "A%3DB", "%25", "A%5", "%"]
    {
        all_get(Reason::FieldMalformed, &app(), [Sent::form(format!("OrderID={value}"))]);
    }
    // A channel of two fields is split where it was joined, however the sign is written.
    let split = Sent::form("OrderID=A&paymentcenter_id=P&ChannelID=2%2Fc&CustomerID=1");
    all_get(Reason::FieldMalformed, &app(), [split]);
}

fn fields_of_query() -> ClaimFields {
    fields(Carrier::Query, "OrderID")
}

#[test]
fn a_name_that_says_exactly_the_fields_name_is_the_field() {
    let fields = ClaimFields { fill: Some(field("txn_id")), ..fields(Carrier::Form, "Order_No") };
    for name in ["Order%5FNo", "Order%5fNo", "%4Frder_No", "%4f%72%64%65%72%5f%4e%6f"] {
        assert_eq!(Sent::form(format!("{name}=A&x=1")).order(&fields).as_deref(), Ok("A"), "{name}");
        let query = ClaimFields { carrier: Carrier::Query, ..fields.clone() };
        assert_eq!(Sent::query(format!("x=1&{name}=A")).order(&query).as_deref(), Ok("A"), "{name}");
        for twice in [format!("{name}=A&Order_No=A"), format!("Order_No=A&{name}=A"), format!("{name}=A&{name}=A")] {
            all_get(Reason::FieldRepeated, &fields, [Sent::form(twice)]);
        }
        all_get(Reason::FieldRepeated, &fields, [Sent::form("Order_No=A").and_query(&format!("{name}=A"))]);
        all_get(Reason::FieldRepeated, &fields, [Sent::form("Order_No=A").header("cookie", format!("{name}=A"))]);
    }
    for name in ["order%5FNo", "Order%2ENo", "Order%5BNo", "Order%5FNo%00", "%20Order_No", "Order%5FNo%5B%5D"] {
        all_get(Reason::FieldRepeated, &fields, [Sent::form(format!("{name}=A"))]);
    }
    all_get(Reason::BodyMalformed, &fields, [Sent::form("Order%255FNo=A"), Sent::form("Order%5Fno%=A&Order_No=A")]);
    let id = txn();
    for (sent, wanted) in [
        ("Order%5FNo=A&txn%5Fid=", format!("Order%5FNo=A&txn%5Fid={id}")),
        ("txn%5Fid&Order%5FNo=A", format!("txn%5Fid={id}&Order%5FNo=A")),
    ] {
        assert_eq!(filled(&Sent::form(sent), &fields).unwrap().body, wanted);
    }
}

#[test]
fn zeros_behind_the_last_place_of_yuan_mean_nothing() {
    let form = ClaimFields { amount: Some((field("money"), AmountUnit::Yuan)), ..fields(Carrier::Form, "id") };
    let json = ClaimFields { carrier: Carrier::Json, ..form.clone() };
    let amount = |sent: Sent, fields: &ClaimFields| {
        let callback = sent.read_by(&ClaimReader::new(fields.clone())).map(|callback| callback.claim.amount);
        callback.map_err(|unreadable| unreadable.detail)
    };
    for (text, fen) in
        [("88.0000", 8800), ("88.000", 8800), ("88.0", 8800), ("88", 8800), ("0.1000", 10), ("66.0500", 6605)]
    {
        assert_eq!(amount(Sent::form(format!("id=A&money={text}")), &form), Ok(Some(Fen(fen))), "{text}");
        for written in [text.to_owned(), format!("\"{text}\"")] {
            let sent = Sent::json(format!(r#"{{"id":"A","money":{written}}}"#));
            assert_eq!(amount(sent, &json), Ok(Some(Fen(fen))), "{written}");
        }
    }
    for text in ["88.0001", "88.", "88.00.0", "88.0e0", "088.00", "-0.00", "88.00 "] {
        assert!(amount(Sent::form(format!("id=A&money={text}")), &form).is_err(), "{text}");
    }
    // What may be yuan is not taken for fen.
    let fen = ClaimFields { amount: Some((field("money"), AmountUnit::Fen)), ..json };
    for written in ["6600.0", "\"6600.00\"", "66.50"] {
        let detail = amount(Sent::json(format!(r#"{{"id":"A","money":{written}}}"#)), &fen).unwrap_err();
        assert!(detail.starts_with("money has decimal places, and fen have none"), "{detail}");
    }
}

#[test]
fn half_a_character_matters_in_a_claim_and_in_a_key_only() {
    let fields = fields(Carrier::Json, "id");
    for body in [
        r#"{"id":"B23","memo":"ok \ud83e"}"#,
        r#"{"id":"B23","memo":"\udd14\ud83e","lines":[{"x":"\uD83E"}],"y":{"z":"\ud83e\ud83e\udd14"}}"#,
        r#"{"memo":"\ud83e","id":"B\u00323"}"#,
        r#"{"memo":"\\ud83e","id":"B23"}"#,
    ] {
        assert_eq!(Sent::json(body).order(&fields).as_deref(), Ok("B23"), "{body}");
    }
    for body in [r#"{"id":"B23\ud83e"}"#, r#"{"id":"\ud83e"}"#, r#"{"id":"B23\\ud83e"}"#] {
        all_get(Reason::FieldMalformed, &fields, [Sent::json(body)]);
    }
    for body in [
        r#"{"id":"A","x\ud83e":1}"#,
        r#"{"id":"A","x":[{"\udd14":1}]}"#,
        r#"{"id":"A","x\ud83e":1,"x\ud83f":2}"#,
        r#"{"id":"A","id\ud83e":"B"}"#,
        r#"{"id\ud83e":"B","id":"A"}"#,
        r#"{"id":"A","memo":"\ud83"}"#,
        r#"{"id":"A","memo":"\uzzzz \ud83e"}"#,
    ] {
        let reason = Sent::json(body).order(&fields).unwrap_err();
        assert!([Reason::BodyMalformed, Reason::FieldRepeated].contains(&reason), "{body} {reason}");
    }
    // What is filled in stands where it is looked for.
    let fill = ClaimFields { fill: Some(field("txn")), ..fields };
    let body = filled(&Sent::json(r#"{"memo":"\ud83e","txn":"","id":"A"}"#), &fill).unwrap().body;
    assert_eq!(body, format!(r#"{{"memo":"\ud83e","txn":"{}","id":"A"}}"#, txn()));
}

#[test]
fn a_whole_number_of_few_digits_is_an_id() {
    let by_text = fields(Carrier::Json, "id");
    let integer = Strictness { order_type: OrderType::Integer, ..Strictness::default() };
    let by_integer = ClaimFields { strictness: integer, ..by_text.clone() };
    let sent = |number: &str| Sent::json(format!(r#"{{"id":{number}}}"#));
    for number in ["20071", "7", "10", "999999999999999"] {
        assert_eq!(sent(number).order(&by_text).as_deref(), Ok(number));
        assert_eq!(sent(number).order(&by_integer).as_deref(), Ok(number));
    }
    for number in ["1000000000000000", "1234567890123456789", "9223372036854775807"] {
        all_get(Reason::FieldMalformed, &by_text, [sent(number)]);
        assert_eq!(sent(number).order(&by_integer).as_deref(), Ok(number));
    }
    // Beyond 64 bits with a sign it is a double again to PHP and to others.
    for number in ["9223372036854775808", "12345678901234567890", "-7", "7.0", "7e0", "7E2", "-0", "0"] {
        all_get(Reason::FieldMalformed, &by_text, [sent(number)]);
        all_get(Reason::FieldMalformed, &by_integer, [sent(number)]);
    }
    all_get(Reason::BodyMalformed, &by_integer, ["007", "+7", "0x7", "7."].map(sent));
    assert_eq!(sent("\"A-1\"").order(&by_integer).as_deref(), Ok("A-1"));
    assert_eq!(Sent::json(r#"{"data":{"order_id":"A","channel":0}}"#).channel(&json()).unwrap().as_deref(), Some("0"));
    let others = ClaimFields { out_trade_no: Some(field("no")), transaction: Some(field("txn")), ..by_text.clone() };
    let reader = ClaimReader::new(others);
    let sent = Sent::json(r#"{"id":1,"no":22,"txn":333}"#);
    let claim = sent.read_by(&reader).unwrap().claim;
    assert_eq!(claim.out_trade_no, OutTradeNo::parse("22").ok());
    assert_eq!(claim.transaction_id, TransactionId::parse("333").ok());
}

#[test]
fn the_detail_says_what_is_odd() {
    let channel = ClaimFields { channel: vec![from(&["channel"])], ..fields(Carrier::Json, "id") };
    for (fields, sent, detail) in [
        (
            channel.clone(),
            Sent::json(r#"{"id":1234567890123456,"channel":"a"}"#),
            "id is a number, a text is wanted (or 1 to 15 digits",
        ),
        (channel.clone(), Sent::json(r#"{"id":1.5,"channel":"a"}"#), "id is a number, a text is wanted"),
        (channel.clone(), Sent::json(r#"{"id":"A","channel":1.5}"#), "channel is a number, a text is wanted"),
        (channel.clone(), Sent::json(r#"{"id":"A","channel":"a b"}"#), "channel is no part of a channel's name"),
        (channel.clone(), Sent::json("\u{feff}{\"id\":\"A\"}"), "the JSON begins with a byte order mark"),
        (channel.clone(), Sent::json(r#"{"ID":"A"}"#), "id stands in the JSON in another spelling than the route's"),
        (channel.clone(), Sent::json(r#"{"id":"A","id":"A"}"#), "id stands in the JSON a second time"),
        (
            channel.clone(),
            Sent::json(r#"{"id":"A","Id":"A"}"#),
            "id stands in the JSON a second time, in another spelling than the route's",
        ),
        (channel, Sent::json(r#"{"id":"A"}"#).and_query("id=A"), "id stands in the query out of its place"),
        (app(), Sent::form("orderid=A"), "OrderID stands in the body in another spelling than the route's"),
        (app(), Sent::form("order%49d=A"), "OrderID stands in the body in another spelling than the route's"),
        (app(), Sent::form("OrderID=A&OrderID=A"), "OrderID stands in the body a second time"),
        (app(), Sent::form("OrderID=A").header("cookie", "OrderID=A"), "OrderID stands in the Cookie header"),
    ] {
        let unreadable = sent.read_by(&ClaimReader::new(fields)).unwrap_err();
        assert!(unreadable.detail.starts_with(detail), "{}", unreadable.detail);
        let once = !detail.contains("a second time");
        assert!(!once || !unreadable.detail.contains("a second time"), "{}", unreadable.detail);
    }
}

#[test]
fn cookies_can_be_ignored() {
    let strictness = Strictness { cookies: Cookies::Ignore, ..Strictness::default() };
    let loose = ClaimFields { strictness, ..fields(Carrier::Query, "order_id") };
    let sent = Sent::query("order_id=A").header("cookie", "order_id=B; sid=1");
    assert_eq!(sent.order(&loose).as_deref(), Ok("A"));
    all_get(Reason::FieldRepeated, &fields(Carrier::Query, "order_id"), [sent]);
    all_get(Reason::FieldMissing, &loose, [Sent::query("x=1").header("cookie", "order_id=B")]);
}
