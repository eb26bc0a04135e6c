//! What WeChat Pay has confirmed passes, unchanged, with what was confirmed beside it.

use crate::fakes::upstream::Reply;
use crate::fakes::wechat::{APP, C1, Fault, transaction_id};
use crate::harness::{World, at_once};
use crate::wire::Request;
use serde_json::json;

#[test]
fn a_paid_app_callback_reaches_the_upstream_with_the_verified_headers() {
    let world = World::new();
    let transaction_id = world.wechat.order(&APP, "PAID-0001").paid(6600);
    let answer = world.callback("OrderID=PAID-0001&TotalFee=6600");
    assert_eq!((answer.status(), answer.text().as_str()), (200, "order-marked-paid"));
    let request = world.upstream_received();
    for (name, value) in [
        ("X-Verified-Transaction-Id", transaction_id.as_str()),
        ("X-Verified-Out-Trade-No", "PAID-0001"),
        ("X-Verified-Total-Fee", "6600"),
        ("X-Verified-Fee-Type", "CNY"),
        ("X-Verified-Time-End", "2026-11-22T10:11:12+08:00"),
        ("X-Verified-Trade-State", "SUCCESS"),
        ("X-Verified-Channel", "app"),
        ("X-Tollgate-Attempt", "1"),
        ("X-Tollgate-Origin", "callback"),
    ] {
        assert_eq!(request.folded(name), [value], "{name}");
    }
}

#[test]
fn method_target_and_body_pass_byte_for_byte() {
    let world = World::new();
    world.wechat.order(&APP, "PAID-0002").paid(100);
    let target = "/pay/success?from=%e5%ba%97&b=2&&a=1";
    let body = "note=%20a+b%2B&OrderID=PAID-0002&empty=&bare&%E5%90%8D=%ff";
    let request = Request::post(target).form(body).header("X-Shop", "7").header("Cookie", "a=b");
    assert_eq!(world.send(&request).status(), 200);
    let seen = world.upstream_received();
    assert_eq!(seen.line(), format!("POST {target} HTTP/1.1"));
    assert_eq!(seen.text(), body);
    for (name, value) in [
        ("X-Shop", "7"),
        ("Cookie", "a=b"),
        ("Host", "shop.example"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ] {
        assert_eq!(seen.folded(name), [value], "{name}");
    }
}

#[test]
fn the_upstreams_answer_passes_byte_for_byte() {
    let world = World::new();
    world.wechat.order(&APP, "PAID-0003").paid(100);
    let body: Vec<u8> = (0..=255).cycle().take(3000).collect();
    for status in [200, 201, 302, 404, 418, 500, 503] {
        world.upstream.answers_once(Reply::Says { status, content_type: "application/x-odd", body: body.clone() });
        let answer = world.app_callback("PAID-0003");
        assert_eq!(answer.status(), status);
        assert_eq!(answer.header("Content-Type").unwrap(), "application/x-odd");
        assert!(answer.body == body, "the body of {status} is not the upstream's");
    }
}

#[test]
fn an_official_account_order_is_asked_for_by_transaction_id_on_its_own_channel() {
    let world = World::new();
    let transaction_id = world.wechat.order(&C1, "PC-0004").paid(100);
    let form = format!(
        "OrderID=LEGACY-4&paymentcenter_id=PC-0004&ChannelID=2&CustomerID=c1&WeixinTransactionID={transaction_id}"
    );
    assert_eq!(world.callback(&form).status(), 200);
    let query = &world.wechat.queries()[0];
    assert_eq!(query.field("mch_id"), C1.mch_id);
    assert_eq!((query.field("transaction_id"), query.field("out_trade_no")), (transaction_id.as_str(), ""));
    assert_eq!(world.upstream_received().folded("X-Verified-Out-Trade-No"), ["PC-0004"]);
}

#[test]
fn every_carrier_confirms() {
    let world = World::new();
    for order in ["Q-1", "F-1", "J-1", "J-2", "X-1"] {
        world.wechat.order(&APP, order).paid(100);
    }
    let xml = "<xml><out_trade_no><![CDATA[X-1]]></out_trade_no>\n<other>1</other></xml>";
    for request in [
        Request::get("/pay/success?a=1&OrderID=Q-1"),
        Request::post("/pay/success").form("OrderID=F-1"),
        Request::post("/pay/json").json(r#"{"data": {"order_id": "J-1", "n": [1.50, null]}, "z": "ü"}"#),
        Request::post("/pay/json")
            .header("Content-Type", "application/json; charset=utf-8")
            .body(r#"{"data":{"channel":"app","order_id":"J-2"}}"#),
        Request::post("/wxpay/plain").xml(xml),
        Request::post("/wxpay/plain").header("Content-Type", "application/xml").body(xml),
    ] {
        assert_eq!(world.send(&request).status(), 200, "{request:?}");
    }
    assert_eq!(world.upstream.requests().len(), 6);
    assert_eq!(world.upstream.requests()[0].line(), "GET /pay/success?a=1&OrderID=Q-1 HTTP/1.1");
}

#[test]
fn a_chunked_body_arrives_whole_with_one_length() {
    let world = World::new();
    world.wechat.order(&APP, "CHUNKED-1").paid(100);
    let head = "POST /pay/success HTTP/1.1\r\nHost: s\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let chunks = "4\r\nOrde\r\n9;ext=1\r\nrID=CHUNK\r\n4\r\nED-1\r\n0\r\n\r\n";
    assert_eq!(world.send_bytes(format!("{head}{chunks}").as_bytes()).status(), 200);
    let seen = world.upstream_received();
    assert_eq!((seen.text().as_str(), seen.header("Content-Length").unwrap().as_str()), ("OrderID=CHUNKED-1", "17"));
}

#[test]
fn fifty_orders_at_once_each_get_their_own_transaction_id() {
    let world = World::new();
    let orders: Vec<_> = (0..50).map(|index| format!("MANY-{index:04}")).collect();
    for order in &orders {
        world.wechat.order(&APP, order).paid(100);
    }
    at_once(50, |index| assert_eq!(world.app_callback(&orders[index]).status(), 200));
    for order in &orders {
        let seen = world.upstream.requests_for(order);
        assert_eq!(seen.len(), 1, "{order}");
        assert_eq!(seen[0].folded("X-Verified-Transaction-Id"), [transaction_id(&APP, order)]);
    }
}

#[test]
fn pipelined_callbacks_are_answered_in_order() {
    // P-14
    let world = World::new();
    let mut all = Vec::new();
    for index in 0..50 {
        let order = format!("PIPE-{index:02}");
        world.wechat.order(&APP, &order).paid(100);
        world.upstream.answers_once(Reply::ok(order.as_bytes()));
        all.extend(Request::post("/pay/success").form(format!("OrderID={order}")).kept_alive());
    }
    let mut wire = crate::wire::Wire::to(world.gate.addr);
    wire.send(&all);
    for index in 0..50 {
        let answer = wire.answer().unwrap();
        world.heard(&answer);
        assert_eq!(answer.text(), format!("PIPE-{index:02}"));
    }
}

#[test]
fn a_delivery_keeps_its_id_over_every_attempt() {
    let world = World::new();
    world.wechat.order(&APP, "TWICE-1").paid(100);
    world.wechat.order(&APP, "OTHER-1").paid(100);
    for order in ["TWICE-1", "TWICE-1", "OTHER-1"] {
        assert_eq!(world.app_callback(order).status(), 200);
    }
    world.send(&Request::get("/pay/success?OrderID=TWICE-1"));
    let ids: Vec<_> = world.upstream.requests().iter().map(|seen| seen.folded("X-Tollgate-Delivery")).collect();
    assert!(!ids[0][0].is_empty());
    assert_eq!(ids[0], ids[1], "the same order on the same route");
    assert_ne!(ids[0], ids[2], "another order");
    assert_ne!(ids[0], ids[3], "another route");
}

#[test]
fn a_payment_without_its_time_is_a_payment_and_the_senders_time_is_not_taken_for_it() {
    let world = World::new();
    world.wechat.order(&APP, "TIMELESS-1").fault(Fault::Without("time_end")).paid(100);
    let request = Request::post("/pay/success").form("OrderID=TIMELESS-1").header("x_verified_time_end", "FAKE");
    assert_eq!(world.send(&request).status(), 200);
    assert!(world.upstream_received().folded("X-Verified-Time-End").is_empty());
}

#[test]
fn the_amount_is_what_the_order_costs_not_what_coupons_left_of_it() {
    let world = World::new();
    world.wechat.order(&APP, "COUPON-1").field("settlement_total_fee", "70").field("coupon_fee", "30").paid(100);
    assert_eq!(world.callback("OrderID=COUPON-1&TotalFee=100").status(), 200);
}

#[test]
fn amounts_in_yuan_are_compared_exactly() {
    let world = World::with(|setup| setup.route("app")["amount_unit"] = json!("yuan"));
    world.wechat.order(&APP, "YUAN-1").paid(435);
    for amount in ["4.35", "4.350", "4.3500000000", ""] {
        assert_eq!(world.callback(&format!("OrderID=YUAN-1&TotalFee={amount}")).status(), 200, "{amount}");
    }
    for (amount, status) in
        [("4.36", 403), ("435", 403), ("4.351", 400), ("4,35", 400), ("435e-2", 400), ("+4.35", 400)]
    {
        let encoded = amount.replace('+', "%2B");
        assert_eq!(world.callback(&format!("OrderID=YUAN-1&TotalFee={encoded}")).status(), status, "{amount}");
    }
}

#[test]
fn a_refunded_order_is_held_back_by_default_and_passes_where_the_channel_says_so() {
    // V-08
    let world = World::with(|setup| setup.config["channels"]["hmac"]["on_refunded"] = json!("forward"));
    world.wechat.order(&APP, "REFUND-1").state("REFUND");
    world.wechat.order(&C1, "REFUND-2").state("REFUND");
    let answer = world.app_callback("REFUND-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (402, "refunded"));
    world.upstream_saw_nothing();
    let request = Request::post("/pay/json").json(r#"{"data":{"order_id":"REFUND-2","channel":"hmac"}}"#);
    assert_eq!(world.send(&request).status(), 200);
    assert_eq!(world.upstream_received().folded("X-Verified-Trade-State"), ["REFUND"]);
}

#[test]
fn headers_are_called_what_the_config_calls_them() {
    let world = World::with(|setup| {
        setup.config["headers"] = json!({
            "transaction_id": "X-Paid-By",
            "signature": { "name": "X-Verified-Signature", "key": "scenario-header-key-0123456789abcdef" },
        });
    });
    let transaction_id = world.wechat.order(&APP, "NAMES-1").paid(100);
    let forged = Request::post("/pay/success")
        .form("OrderID=NAMES-1")
        .header("x_paid.BY", "FAKE")
        .header("X_Verified_Signature", "FAKE");
    assert_eq!(world.send(&forged).status(), 200);
    let seen = world.upstream_received();
    assert_eq!(seen.folded("X-Paid-By"), [transaction_id]);
    let signature = seen.folded("X-Verified-Signature");
    assert_eq!(signature.len(), 1);
    assert!(signature[0].contains(|c: char| c.is_ascii_hexdigit()) && signature[0] != "FAKE", "{signature:?}");
}
