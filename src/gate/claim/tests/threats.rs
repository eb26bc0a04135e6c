//! The cases of threats E-01 to E-16 by name.

use super::*;

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
