//! Honest senders are not held for a spelling that nobody can misread, and what they sent arrives byte for byte. What two
//! programs could read differently is refused before anything is asked (E-01 to E-10, E-14).

use crate::fakes::wechat::{APP, SignType, notification, signed_xml};
use crate::harness::World;
use crate::wire::Request;
use serde_json::{Value, json};

const FORM: &str = "application/x-www-form-urlencoded";

/// The usual world, with more routes.
fn world(routes: &[Value]) -> World {
    World::with(|setup| setup.config["routes"].as_array_mut().unwrap().extend(routes.iter().cloned()))
}

fn route(name: &str, carrier: &str, more: Value) -> Value {
    let mut route = json!({
        "name": name, "path": format!("/pay/{name}"), "methods": ["POST"], "carrier": carrier, "order": "id", "channel": "app",
    });
    route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    route
}

fn post(target: &str, content_type: &str, body: impl AsRef<[u8]>) -> Request {
    Request::post(target).header("Content-Type", content_type).body(body)
}

/// Order `A_1-1` is paid; each callback of it is forwarded with the bytes that came.
fn taken(world: &World, target: &str, headers: &[(&str, &str)], body: &[u8]) {
    let request = headers.iter().fold(Request::post(target), |request, (name, value)| request.header(name, value));
    let before = world.upstream.requests().len();
    let answer = world.send(&request.body(body));
    let shown = format!("{target} {headers:?} {}", String::from_utf8_lossy(body));
    assert_eq!(answer.status(), 200, "{shown}: {}", world.summary(&answer));
    let seen = world.upstream.requests().split_off(before);
    assert_eq!(seen.len(), 1, "{shown}");
    assert_eq!((seen[0].body.as_slice(), seen[0].target().as_str()), (body, target), "{shown}");
    for (name, value) in headers {
        assert_eq!(seen[0].header(name).as_deref(), Some(*value), "{shown}");
    }
}

fn refused(world: &World, status: u16, request: &Request, detail: &str) {
    let before = world.upstream.requests().len();
    let answer = world.send(request);
    assert_eq!(answer.status(), status, "{request:?}");
    let summary = world.summary(&answer);
    assert!(summary["detail"].as_str().unwrap_or_default().contains(detail), "{request:?}: {summary}");
    assert_eq!(world.upstream.requests().len(), before, "{request:?}");
}

#[test]
fn another_name_of_utf_8_and_a_charset_that_is_no_coding_change_nothing() {
    let world = World::new();
    world.wechat.order(&APP, "A_1-1").paid(100);
    let json = br#"{"data":{"order_id":"A_1-1"}}"#;
    let signed = signed_xml(notification(&APP, "A_1-1", 100), APP.key, SignType::Md5);
    for (target, media_type, body) in [
        ("/pay/success", FORM, b"OrderID=A_1-1".as_slice()),
        ("/pay/json", "application/json", json),
        ("/wxpay/notify/app", "text/xml", signed.as_bytes()),
    ] {
        for charset in [";charset=utf8", "; charset=UTF8", "; Charset=\"utf8\""] {
            taken(&world, target, &[("Content-Type", &format!("{media_type}{charset}"))], body);
        }
        for coding in ["UTF-8", "utf8", ""] {
            taken(&world, target, &[("Content-Type", media_type), ("Content-Encoding", coding)], body);
        }
        for coding in ["gzip", "utf-8, gzip", "br", "x"] {
            let request = post(target, media_type, body).header("Content-Encoding", coding);
            refused(&world, 415, &request, "Content-Encoding is not identity");
        }
    }
}

#[test]
fn escaped_ids_and_names_are_read_and_forwarded_as_they_are() {
    let world =
        world(&[route("escaped", "form", json!({ "order": "Order_No", "amount": "fee", "amount_unit": "yuan" }))]);
    world.wechat.order(&APP, "A_1-1").paid(8800);
    let form = [("Content-Type", FORM)];
    for body in [
        "Order_No=A%5F1%2D1&fee=88%2E00",
        "Order%5FNo=A_1-1&fee=88.0000",
        "%4frder%5fNo=%41%5f%31%2d%31&%66ee=88",
        "fee=88.0&Order_No=A_1-1",
    ] {
        taken(&world, "/pay/escaped", &form, body.as_bytes());
    }
    for body in [
        "Order_No=A%255F1-1",
        "Order_No=A_1-1%20",
        "Order_No=A_1-1&Order%5FNo=A_1-1",
        "order%5FNo=A_1-1",
        "Order%255FNo=A",
    ] {
        refused(&world, 400, &Request::post("/pay/escaped").form(body), "");
    }
    taken(&world, "/pay/success", &form, b"OrderID=A%5F1%2D1&x=%D6%D0");
    let in_query = world.send(&Request::get("/pay/success?Order%49D=A%5F1%2D1"));
    assert_eq!(in_query.status(), 200);
}

#[test]
fn an_order_like_orders_are_is_read_by_its_path() {
    let strict = route("strict", "json", json!({ "claim_everywhere": true }));
    let world = world(&[route("order", "json", json!({})), strict]);
    world.wechat.order(&APP, "A_1-1").paid(100);
    let typed = [("Content-Type", "application/json")];
    let lines: Vec<_> = (0..90).map(|n| json!({ "id": n, "sku": "x", "name": "y", "data": { "id": n } })).collect();
    let body = json!({ "id": "A_1-1", "lines": lines, "user": { "id": "u5" } }).to_string();
    taken(&world, "/pay/order", &typed, body.as_bytes());
    taken(&world, "/pay/order", &typed, br#"{"id":"A_1-1","memo":"ok \ud83e"}"#);
    refused(&world, 400, &Request::post("/pay/strict").json(&body), "id stands in the JSON");
    for (body, detail) in [
        (r#"{"ID":"A_1-1"}"#, "id stands in the JSON in another spelling than the route's"),
        (r#"{"id":"A_1-1","id":"B"}"#, "id stands in the JSON a second time"),
        ("\u{feff}{\"id\":\"A_1-1\"}", "the JSON begins with a byte order mark"),
        (r#"{"id":1.5}"#, "id is a number, a text is wanted"),
        (r#"{"id":"A_1-1","\ud83e":1}"#, "a key of the JSON has half a character"),
    ] {
        refused(&world, 400, &Request::post("/pay/order").json(body), detail);
    }
}

#[test]
fn a_number_is_an_order_as_far_as_its_reader_sees_every_digit() {
    let world =
        world(&[route("number", "json", json!({})), route("integer", "json", json!({ "order_type": "integer" }))]);
    for number in ["20071", "9007199254740993"] {
        world.wechat.order(&APP, number).paid(100);
    }
    let typed = [("Content-Type", "application/json")];
    taken(&world, "/pay/number", &typed, br#"{"id":20071}"#);
    taken(&world, "/pay/integer", &typed, br#"{"id":9007199254740993}"#);
    let long = Request::post("/pay/number").json(r#"{"id":9007199254740993}"#);
    refused(&world, 400, &long, "id is a number, a text is wanted");
    assert_eq!(world.wechat.asked("9007199254740993"), 1);
}

#[test]
fn forms_of_old_clients_are_read_in_the_charset_they_declare() {
    let world = World::new();
    world.wechat.order(&APP, "A_1-1").paid(100);
    for (charset, body) in [
        ("ISO-8859-1", &b"OrderID=A_1-1&n=%E9\xe9"[..]),
        ("GBK", b"n=\xd6\xd0\x81\x5c&OrderID=A_1-1&m=%D6%D0"),
        ("gb2312", b"OrderID=A_1-1"),
        ("gb18030", b"OrderID=A_1-1&n=\x81\x30\x81\x30"),
        ("big5", b"OrderID=A_1-1&n=%A4%A4"),
        ("us-ascii", b"OrderID=A_1-1"),
    ] {
        taken(&world, "/pay/success", &[("Content-Type", &format!("{FORM}; charset={charset}"))], body);
    }
    for body in [&b"n=\xd6&OrderID=A_1-1"[..], b"n=%D6&OrderID=A_1-1"] {
        let request = post("/pay/success", &format!("{FORM}; charset=gbk"), body);
        refused(&world, 400, &request, "the body is not in the charset that Content-Type declares");
    }
    for charset in ["utf-16", "utf-7", "iso-2022-jp", "hz-gb-2312"] {
        let request = post("/pay/success", &format!("{FORM}; charset={charset}"), "OrderID=A_1-1");
        refused(&world, 415, &request, "Content-Type has a charset that no form may be in");
    }
    let json = post("/pay/json", "application/json; charset=gbk", r#"{"data":{"order_id":"A_1-1"}}"#);
    refused(&world, 415, &json, "Content-Type has a charset other than utf-8");
}

#[test]
fn a_route_may_read_a_body_whatever_it_is_called() {
    let notify =
        json!({ "name": "php", "path": "/pay/php", "preset": "wechat-v2", "channel": "app", "content_type": "any" });
    let world = world(&[route("any", "json", json!({ "content_type": "any", "order": "id" })), notify]);
    world.wechat.order(&APP, "A_1-1").paid(100);
    let json = br#"{"id":"A_1-1","n":"a&b=1"}"#;
    taken(&world, "/pay/any", &[], json);
    for content_type in ["text/plain", FORM, "application/json", "text/html; charset=utf8"] {
        taken(&world, "/pay/any", &[("Content-Type", content_type)], json);
    }
    let signed = signed_xml(notification(&APP, "A_1-1", 100), APP.key, SignType::Md5);
    taken(&world, "/pay/php", &[("Content-Type", FORM)], signed.as_bytes());
    let hidden = post("/pay/any", FORM, r#"{"id":"A_1-1","n":"&id=B&"}"#);
    refused(&world, 400, &hidden, "id stands in the form that Content-Type makes of the body");
    let parts = post("/pay/any", "multipart/form-data; boundary=x", json);
    refused(&world, 415, &parts, "Content-Type is multipart");
}

#[test]
fn a_multipart_callback_is_one_part_for_each_field() {
    let world = world(&[route("parts", "multipart", json!({ "fill": "transaction_id", "amount": "fee" }))]);
    let id = world.wechat.order(&APP, "A_1-1").paid(100);
    let part = |name: &str, value: &str| {
        format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let typed = [("Content-Type", "multipart/form-data; boundary=XyZ")];
    let whole = format!("{}{}{}--XyZ--\r\n", part("fee", "100"), part("id", "A_1-1"), part("transaction_id", &id));
    taken(&world, "/pay/parts", &typed, whole.as_bytes());
    let send = |body: &str| world.send(&post("/pay/parts", typed[0].1, body));
    assert_eq!(send(&format!("{}--XyZ--", part("id", "A_1-1"))).status(), 200);
    let filled = world.upstream.requests().pop().unwrap();
    assert_eq!(filled.text(), format!("{}{}--XyZ--", part("id", "A_1-1"), part("transaction_id", &id)));
    for body in [
        format!("{}{}--XyZ--", part("id", "A_1-1"), part("id", "B")),
        format!("{}{}--XyZ--", part("id", "A_1-1"), part("ID", "B")),
        format!("{}--XyZ--", part("id\"; filename=\"f", "A_1-1")),
        format!("x\r\n{}--XyZ--", part("id", "A_1-1")),
        part("id", "A_1-1"),
    ] {
        refused(&world, 400, &post("/pay/parts", typed[0].1, &body), "");
    }
    refused(&world, 415, &Request::post("/pay/parts").form("id=A_1-1"), "Content-Type is not the route's carrier");
}

#[test]
fn a_shops_own_cookie_is_let_be_where_the_route_says_so() {
    let mut page = route("page", "query", json!({ "cookies": "ignore" }));
    page["methods"] = json!(["GET"]);
    let mut strict = route("strict", "query", json!({}));
    strict["methods"] = json!(["GET"]);
    let world = world(&[page, strict]);
    world.wechat.order(&APP, "A_1-1").paid(100);
    let answer = world.send(&Request::get("/pay/page?id=A_1-1").header("Cookie", "sid=1; id=OLD"));
    assert_eq!(answer.status(), 200);
    assert_eq!(world.upstream_received().header("Cookie").as_deref(), Some("sid=1; id=OLD"));
    let strict = Request::get("/pay/strict?id=A_1-1").header("Cookie", "sid=1; id=OLD");
    refused(&world, 400, &strict, "id stands in the Cookie header");
}

#[test]
fn an_order_found_without_a_callback_is_made_as_a_number() {
    let number = json!({ "order_type": "integer", "synthesize": { "body": "{\"id\":{{ order }}}" } });
    let world = World::with(|setup| {
        setup.hurry();
        setup.config["routes"].as_array_mut().unwrap().push(route("number", "json", number));
        let list = setup.dir.join("unpaid.jsonl");
        std::fs::write(&list, "{\"order\":1234567890123456789,\"channel\":\"app\"}\n").unwrap();
        setup.wechat().order(&APP, "1234567890123456789").paid(100);
        let source = json!({ "name": "shop", "every": "1s", "route": "number", "file": { "path": list } });
        setup.config["pending_orders"] = json!([source]);
    });
    crate::harness::until("the made callback", || !world.upstream.requests().is_empty());
    assert_eq!(world.upstream.requests()[0].text(), r#"{"id":1234567890123456789}"#);
}
