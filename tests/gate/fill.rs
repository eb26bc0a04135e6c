//! For a backend that nobody may change: the verified transaction id stands in the field it always read.

use crate::fakes::wechat::{APP, transaction_id};
use crate::harness::World;
use crate::wire::Request;
use serde_json::json;

fn world() -> World {
    World::with(|setup| {
        setup.route("app")["fill"] = json!("WeixinTransactionID");
        setup.route("app-get")["fill"] = json!("WeixinTransactionID");
        setup.route("json")["fill"] = json!("data.transaction_id");
    })
}

#[test]
fn an_absent_or_empty_form_field_is_filled_and_nothing_else_changes() {
    let world = world();
    let id = transaction_id(&APP, "FILL-1");
    world.wechat.order(&APP, "FILL-1").paid(100);
    for (sent, seen) in [
        ("OrderID=FILL-1", format!("OrderID=FILL-1&WeixinTransactionID={id}")),
        ("OrderID=FILL-1&", format!("OrderID=FILL-1&WeixinTransactionID={id}")),
        ("WeixinTransactionID=&OrderID=FILL-1&n=%20+b", format!("WeixinTransactionID={id}&OrderID=FILL-1&n=%20+b")),
        ("a=1&OrderID=FILL-1&WeixinTransactionID=", format!("a=1&OrderID=FILL-1&WeixinTransactionID={id}")),
    ] {
        assert_eq!(world.callback(sent).status(), 200, "{sent}");
        let request = world.upstream.requests().pop().unwrap();
        let tidy = request.text().replace("&&", "&");
        assert_eq!(tidy, seen, "{sent}");
        assert_eq!(request.header("Content-Length").unwrap(), request.body.len().to_string());
    }
}

#[test]
fn a_field_that_is_there_stays_as_it_is() {
    let world = world();
    let id = world.wechat.order(&APP, "FILL-2").paid(100);
    let form = format!("OrderID=FILL-2&WeixinTransactionID={id}");
    assert_eq!(world.callback(&form).status(), 200);
    assert_eq!(world.upstream_received().text(), form);
    assert_eq!(world.callback("OrderID=FILL-2&WeixinTransactionID=4200000000000000000000000009").status(), 403);
}

#[test]
fn a_query_field_is_filled() {
    let world = world();
    let id = world.wechat.order(&APP, "FILL-3").paid(100);
    assert_eq!(world.send(&Request::get("/pay/success?OrderID=FILL-3")).status(), 200);
    let line = format!("GET /pay/success?OrderID=FILL-3&WeixinTransactionID={id} HTTP/1.1");
    assert_eq!(world.upstream_received().line(), line);
}

#[test]
fn a_json_field_is_filled() {
    let world = world();
    let id = world.wechat.order(&APP, "FILL-4").paid(100);
    for sent in [
        r#"{"data":{"order_id":"FILL-4"},"z":1.50}"#,
        r#"{"data": {"transaction_id": "", "order_id": "FILL-4"}, "z":1.50}"#,
    ] {
        assert_eq!(world.send(&Request::post("/pay/json").json(sent)).status(), 200, "{sent}");
        let seen = world.upstream.requests().pop().unwrap();
        assert_eq!(seen.json()["data"]["transaction_id"], id.as_str(), "{}", seen.text());
        assert!(seen.text().contains("1.50"), "{}", seen.text());
    }
}

#[test]
fn an_unpaid_order_is_filled_with_nothing() {
    let world = world();
    world.wechat.order(&APP, "FILL-5");
    assert_eq!(world.callback("OrderID=FILL-5&WeixinTransactionID=").status(), 503);
    world.upstream_saw_nothing();
}

#[test]
fn a_folded_second_field_to_fill_is_refused() {
    let world = world();
    world.wechat.order(&APP, "FILL-6").paid(100);
    for form in ["OrderID=FILL-6&weixintransactionid=FAKE", "OrderID=FILL-6&WeixinTransactionID[]=FAKE"] {
        assert_eq!(world.callback(form).status(), 400, "{form}");
    }
    assert_eq!(world.send(&Request::get("/pay/success?OrderID=FILL-6&weixintransactionid=FAKE")).status(), 400);
    world.upstream_saw_nothing();
}
