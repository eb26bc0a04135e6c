//! One place, one occurrence, one grammar: whatever a backend might read as the order is what the gate read, or the
//! callback is refused before anything is asked (E-01 to E-12).

use crate::fakes::wechat::{APP, C1, SignType, notification, sign, signed_xml, xml};
use crate::harness::{World, return_code};
use crate::wire::Request;

/// Each of these is a 400 that nobody hears of; PAID is a paid order, so that whatever passes is seen.
fn refused(requests: &[Request]) {
    let world = World::new();
    world.wechat.order(&APP, "PAID").paid(100);
    world.wechat.order(&C1, "PAID").paid(100);
    world.wechat.order(&APP, "OTHER").paid(100);
    for request in requests {
        let answer = world.send(request);
        assert_eq!(answer.status(), 400, "{request:?}: {}", answer.text());
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

fn forms(bodies: &[&str]) -> Vec<Request> {
    bodies.iter().map(|body| Request::post("/pay/success").form(body)).collect()
}

fn jsons(bodies: &[&str]) -> Vec<Request> {
    bodies.iter().map(|body| Request::post("/pay/json").json(body)).collect()
}

#[test]
fn e01_the_order_twice_in_the_body_is_refused() {
    refused(&forms(&[
        "OrderID=PAID&OrderID=OTHER",
        "OrderID=OTHER&OrderID=PAID",
        "OrderID=PAID&OrderID=PAID",
        "OrderID=PAID&a=1&OrderID=",
        "OrderID=&OrderID=PAID",
        "OrderID&OrderID=PAID",
        "OrderID=PAID&TotalFee=100&TotalFee=100",
        "OrderID=PAID&WeixinTransactionID=&WeixinTransactionID=",
        "OrderID=PAID&paymentcenter_id=&paymentcenter_id=OTHER",
        "OrderID=X&paymentcenter_id=PAID&ChannelID=2&CustomerID=c1&ChannelID=2",
    ]));
}

#[test]
fn e01_the_order_twice_in_the_query_is_refused() {
    refused(&[
        Request::get("/pay/success?OrderID=PAID&OrderID=OTHER"),
        Request::get("/pay/success?OrderID=PAID&orderid=OTHER"),
        Request::get("/pay/success?OrderID=PAID&Order%49D=OTHER"),
        Request::get("/pay/success?OrderID=PAID;OrderID=OTHER"),
    ]);
}

#[test]
fn e02_the_order_in_two_places_is_refused() {
    refused(&[
        Request::post("/pay/success?OrderID=OTHER").form("OrderID=PAID"),
        Request::post("/pay/success?OrderID=PAID").form("OrderID=PAID"),
        Request::post("/pay/success?orderid=OTHER").form("OrderID=PAID"),
        Request::post("/pay/success?Order%49D=OTHER").form("OrderID=PAID"),
        Request::post("/pay/success?paymentcenter_id=OTHER").form("OrderID=PAID"),
        Request::post("/pay/success?TotalFee=1").form("OrderID=PAID"),
        Request::post("/pay/success?OrderID=PAID").form("a=1"),
        Request::get("/pay/success?OrderID=PAID").form("OrderID=OTHER"),
        Request::post("/pay/json?data.order_id=OTHER").json(r#"{"data":{"order_id":"PAID"}}"#),
        Request::post("/pay/json?data[order_id]=OTHER").json(r#"{"data":{"order_id":"PAID"}}"#),
        Request::post("/wxpay/plain?out_trade_no=OTHER").xml("<xml><out_trade_no>PAID</out_trade_no></xml>"),
        Request::post("/pay/success").form("OrderID=PAID").header("Cookie", "a=1; OrderID=OTHER"),
    ]);
}

#[test]
fn e03_a_second_spelling_is_a_second_occurrence() {
    let spellings = [
        "orderid",
        "ORDERID",
        "Order%49D",
        "%4frderID",
        "+OrderID",
        "%20OrderID",
        "OrderID%20",
        "OrderID[]",
        "OrderID%5B%5D",
        "OrderID[0]",
        "OrderID[x]",
        "OrderID%00",
        "%09OrderID",
        "%EF%BB%BFOrderID",
    ];
    for spelling in spellings {
        refused(&forms(&[&format!("OrderID=PAID&{spelling}=OTHER"), &format!("{spelling}=OTHER&OrderID=PAID")]));
    }
    for spelling in ["paymentcenter.id", "paymentcenter id", "paymentcenter+id", "PaymentCenter_Id", "paymentcenter[id"]
    {
        refused(&forms(&[&format!("OrderID=PAID&{spelling}=OTHER")]));
    }
}

#[test]
fn e03_a_variant_alone_is_not_the_field() {
    refused(&forms(&["orderid=PAID", "ORDERID=PAID", "OrderID[]=PAID", "+OrderID=PAID", "OrderID%00=PAID", "a=1", ""]));
}

#[test]
fn e04_separators_inside_a_value_are_refused() {
    refused(&forms(&[
        "OrderID=PAID;OrderID=OTHER",
        "OrderID=PAID%26OrderID=OTHER",
        "OrderID=PAID&amp;OrderID=OTHER",
        "OrderID=PAID%3BOrderID%3DOTHER",
        "OrderID=PAID=OTHER",
        "a=1;OrderID=OTHER&OrderID=PAID",
    ]));
}

#[test]
fn e05_an_order_id_is_never_trimmed_folded_or_decoded_twice() {
    refused(&forms(&[
        "OrderID=+PAID",
        "OrderID=PAID+",
        "OrderID=PAID%20",
        "OrderID=%20PAID",
        "OrderID=PAID%00",
        "OrderID=%00PAID",
        "OrderID=PAID%0D%0A",
        "OrderID=PAID%0A",
        "OrderID=%09PAID",
        "OrderID=%EF%BB%BFPAID",
        "OrderID=PA%E2%80%8BID",
        "OrderID=%EF%BC%B0AID",
        "OrderID=P%CC%81AID",
        "OrderID=%D6%D0",
        "OrderID=PAID%FF",
        "OrderID=%C1%90AID",
        "OrderID=PA%C0%80ID",
        "OrderID=%2550AID",
        "OrderID=PAID%",
        "OrderID=PAID%4",
        "OrderID=PAID%ZZ",
        "OrderID=%u0050AID",
        "OrderID=PA/ID",
        "OrderID=PA.ID",
        "OrderID=PA'ID",
        "OrderID=PA<ID",
        "OrderID=PA]]>ID",
        "OrderID=",
        "OrderID",
    ]));
    let long = format!("OrderID={}", "P".repeat(65));
    refused(&forms(&[&long]));
}

#[test]
fn e05_ids_that_differ_in_case_are_two_orders() {
    let world = World::new();
    world.wechat.order(&APP, "CaSe-1").paid(100);
    assert_eq!(world.app_callback("CaSe-1").status(), 200);
    assert_eq!(world.app_callback("CASE-1").status(), 503);
    assert_eq!(world.upstream.requests().len(), 1);
}

#[test]
fn every_character_of_the_grammar_is_an_id() {
    let world = World::new();
    for order in ["0123456789", "a_b-C|d*e@f", "X", "00000000000000000000000000000000"] {
        world.wechat.order(&APP, order).paid(100);
        assert_eq!(world.app_callback(&order.replace('|', "%7C")).status(), 200, "{order}");
        assert_eq!(world.wechat.asked(order), 1, "{order}");
    }
}

#[test]
fn e09_a_json_document_that_two_parsers_read_differently_is_refused() {
    refused(&jsons(&[
        r#"{"data":{"order_id":"PAID","order_id":"OTHER"}}"#,
        r#"{"data":{"order_id":"PAID","order_id":"PAID"}}"#,
        r#"{"data":{"order_id":"OTHER"},"data":{"order_id":"PAID"}}"#,
        r#"{"data":{"order_id":"PAID","order\u005fid":"OTHER"}}"#,
        r#"{"data":{"order_id":"PAID","Order_ID":"OTHER"}}"#,
        r#"{"data":{"order_id":"PAID"},"Data":{"order_id":"OTHER"}}"#,
        r#"{"x":{"a":1,"a":2},"data":{"order_id":"PAID"}}"#,
        r#"{"x":[{"a":1,"a":2}],"data":{"order_id":"PAID"}}"#,
        r#"{"data":{"order_id":-123}}"#,
        r#"{"data":{"order_id":123.0}}"#,
        r#"{"data":{"order_id":1e2}}"#,
        r#"{"data":{"order_id":1234567890123456}}"#,
        r#"{"data":{"order_id":12345678901234567890123}}"#,
        r#"{"data":{"order_id":null}}"#,
        r#"{"data":{"order_id":["PAID"]}}"#,
        r#"{"data":{"order_id":{"a":"PAID"}}}"#,
        r#"{"data":{"order_id":""}}"#,
        r#"{"data":{"order_id":" PAID"}}"#,
        r#"{"data":{"order_id":"PAID\u0000"}}"#,
        r#"{"data":["order_id","PAID"]}"#,
        r#"{"data.order_id":"PAID"}"#,
        r#"{"order_id":"PAID"}"#,
        r#"[{"data":{"order_id":"PAID"}}]"#,
        r#"{"data":{"order_id":"PAID"}} x"#,
        r#"{"data":{"order_id":"PAID"}}{"data":{"order_id":"OTHER"}}"#,
        r#"{"data":{"order_id":"PAID",}}"#,
        r#"{"data":{"order_id":"PAID"/* */}}"#,
        r#"{'data':{'order_id':'PAID'}}"#,
        r#"{"data":{"order_id":"PAID","n":NaN}}"#,
        r#"{"data":{"order_id":"PAID","#,
        "\u{feff}{\"data\":{\"order_id\":\"PAID\"}}",
        "{\"data\":{\"order_id\":\"PA\nID\"}}",
        "",
        "null",
    ]));
    let mut bad_utf8 = br#"{"data":{"order_id":"PAID"},"x":""#.to_vec();
    bad_utf8.extend(b"\xff\"}");
    refused(&[Request::post("/pay/json").json(bad_utf8)]);
}

#[test]
fn e10_a_deep_json_document_is_refused_at_once() {
    let deep = format!(r#"{{"data":{{"order_id":"PAID"}},"x":{}{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    refused(&jsons(&[&deep]));
}

#[test]
fn e11_an_xml_document_that_two_parsers_read_differently_is_refused() {
    let world = World::new();
    world.wechat.order(&APP, "PAID").paid(100);
    world.wechat.order(&APP, "OTHER").paid(100);
    for body in [
        "<xml><out_trade_no>PAID</out_trade_no><out_trade_no>OTHER</out_trade_no></xml>",
        "<xml><out_trade_no>PAID</out_trade_no><out_trade_no>PAID</out_trade_no></xml>",
        "<xml><out_trade_no>PAID</out_trade_no><a>1</a><a>1</a></xml>",
        "<xml><x><out_trade_no>PAID</out_trade_no></x></xml>",
        "<xml><out_trade_no>PAID<b/></out_trade_no></xml>",
        "<xml><out_trade_no>PA<!-- c -->ID</out_trade_no></xml>",
        "<xml><!-- c --><out_trade_no>PAID</out_trade_no></xml>",
        "<xml><?pi x?><out_trade_no>PAID</out_trade_no></xml>",
        "<xml><out_trade_no a=\"OTHER\">PAID</out_trade_no></xml>",
        "<xml out_trade_no=\"OTHER\"><out_trade_no>PAID</out_trade_no></xml>",
        "<xml xmlns=\"urn:x\"><out_trade_no>PAID</out_trade_no></xml>",
        "<xml><n:out_trade_no>OTHER</n:out_trade_no><out_trade_no>PAID</out_trade_no></xml>",
        "<xml><Out_Trade_No>OTHER</Out_Trade_No><out_trade_no>PAID</out_trade_no></xml>",
        "<xml><out_trade_no>&bad;</out_trade_no></xml>",
        "<xml><out_trade_no> PAID</out_trade_no></xml>",
        "<xml><out_trade_no><![CDATA[PAID ]]></out_trade_no></xml>",
        "<xml>text<out_trade_no>PAID</out_trade_no></xml>",
        "<xml><out_trade_no>PAID</out_trade_no></xml><xml></xml>",
        "<xml><out_trade_no>PAID</out_trade_no></xml>x",
        "<xml><out_trade_no>PAID</out_trade_no>",
        "<xml><out_trade_no>PAID</xml>",
        "<xml><out_trade_no>PAID</out_trade_nO></xml>",
        "<root><out_trade_no>PAID</out_trade_no></root>",
        "<xml></xml>",
        "<xml/>",
        "",
        "PAID",
        "<?xml version=\"1.0\" encoding=\"GBK\"?><xml><out_trade_no>PAID</out_trade_no></xml>",
    ] {
        let answer = world.send(&Request::post("/wxpay/plain").xml(body));
        assert!([400, 415].contains(&answer.status()), "{body}: {}", answer.line());
        assert_eq!(return_code(&answer), "FAIL", "{body}");
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn e12_a_doctype_reaches_nobody() {
    let world = World::new();
    let canary = crate::fakes::wechat::WeChat::start();
    world.wechat.order(&APP, "PAID").paid(100);
    let signed = signed_xml(notification(&APP, "PAID", 100), APP.key, SignType::Md5);
    let laughs = r#"<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"#.to_owned();
    for doctype in [
        "<!DOCTYPE xml>".to_owned(),
        "<!doctype xml>".to_owned(),
        format!("<!DOCTYPE xml SYSTEM \"http://{}/x.dtd\">", canary.addr),
        format!("<!DOCTYPE xml [<!ENTITY % p SYSTEM \"http://{}/p\"> %p;]>", canary.addr),
        "<!DOCTYPE xml [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>".to_owned(),
        laughs,
    ] {
        for (target, body) in [
            ("/wxpay/plain", format!("{doctype}<xml><out_trade_no>PAID</out_trade_no></xml>")),
            ("/wxpay/notify/app", format!("{doctype}{signed}")),
        ] {
            let answer = world.send(&Request::post(target).xml(&body));
            assert_eq!((answer.status(), return_code(&answer).as_str()), (400, "FAIL"), "{body}");
        }
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
    assert_eq!(canary.connections(), 0);
}

#[test]
fn a_notification_with_a_field_twice_is_refused_however_well_it_is_signed() {
    let world = World::new();
    world.wechat.order(&APP, "PAID").paid(100);
    let mut fields = notification(&APP, "PAID", 100);
    let sign = sign(&fields, APP.key, SignType::Md5);
    fields.push(("out_trade_no".to_owned(), "OTHER".to_owned()));
    fields.push(("sign".to_owned(), sign));
    let answer = world.notify("app", &xml(&fields));
    assert_eq!((answer.status(), return_code(&answer).as_str()), (400, "FAIL"));
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn e11_a_claim_field_hidden_in_another_fields_text_is_refused() {
    let world = World::new();
    world.wechat.order(&APP, "PAID").paid(100);
    world.wechat.order(&APP, "OTHER").paid(100);
    for attach in [
        "<![CDATA[<out_trade_no>OTHER</out_trade_no>]]>",
        "<![CDATA[<OUT_TRADE_NO >OTHER</ OUT_TRADE_NO>]]>",
        "<![CDATA[<x:out_trade_no>OTHER]]>",
        "<![CDATA[&lt;out_trade_no&gt;OTHER&lt;/out_trade_no&gt;]]>",
        "&lt;out_trade_no&gt;OTHER&lt;/out_trade_no&gt;",
        "&#60;out_trade_no&#x3E;OTHER",
        "&amp;lt;out_trade_no&amp;gt;OTHER",
        "<![CDATA[<out_]]><![CDATA[trade_no/>]]>",
    ] {
        let body = format!("<xml><attach>{attach}</attach><out_trade_no>PAID</out_trade_no></xml>");
        let answer = world.send(&Request::post("/wxpay/plain").xml(&body));
        assert_eq!((answer.status(), return_code(&answer).as_str()), (400, "FAIL"), "{body}");
        assert_eq!(world.reason(&answer), "field-repeated", "{body}");
        assert!(!world.summary(&answer).to_string().contains("OTHER"), "{body}");
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
}

#[test]
fn e11_a_notification_that_hides_a_claim_is_refused_however_well_it_is_signed_and_other_texts_pass() {
    let world = World::new();
    world.wechat.order(&APP, "PAID").paid(100);
    let with = |attach: &str| {
        let mut fields = notification(&APP, "PAID", 100);
        fields.retain(|(name, _)| name != "attach");
        fields.insert(0, ("attach".to_owned(), attach.to_owned()));
        world.notify("app", &signed_xml(fields, APP.key, SignType::Md5))
    };
    for attach in ["<out_trade_no>OTHER</out_trade_no>", "&lt;total_fee&gt;1", "<result_code>SUCCESS</result_code>"] {
        let answer = with(attach);
        assert_eq!((answer.status(), return_code(&answer).as_str()), (400, "FAIL"), "{attach}");
        assert_eq!(world.reason(&answer), "field-repeated", "{attach}");
    }
    world.upstream_saw_nothing();
    world.wechat_was_not_asked();
    for attach in ["a=1&b=<2>", "<uid>5</uid>", "a & b", "out_trade_no=OTHER", "{\"out_trade_no\":\"OTHER\"}"] {
        assert_eq!(with(attach).status(), 200, "{attach}");
    }
}
