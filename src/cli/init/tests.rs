//! What is made of saved requests: a table of what order systems get, and a property over all of their kinds.

use super::*;
use crate::cli::words::english;
use hyper::Request as Http;
use proptest::prelude::*;

fn known() -> Known {
    Known {
        upstream: Upstream::parse("http://127.0.0.1:5000").unwrap(),
        appid: AppId::parse("wxd930ea5d5a258f4f").unwrap(),
        mch_id: MerchantId::parse("1900000109").unwrap(),
    }
}

fn made(method: &str, target: &str, kind: Option<&str>, body: &str) -> anyhow::Result<Made> {
    let mut builder = Http::builder().method(method).uri(target).header("host", "shop.example");
    if let Some(kind) = kind {
        builder = builder.header("content-type", kind);
    }
    let head = builder.body(()).unwrap().into_parts().0;
    let body = Bytes::copy_from_slice(body.as_bytes());
    let request = Request::read(&head, &body)?;
    refuse_others(&request)?;
    make(&head, &body, &request, &known(), "request.http", english())
}

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const JSON: Option<&str> = Some("application/json");
const XML: Option<&str> = Some("text/xml");
const WECHAT: &str = "4200001234202611220123456789";

/// All that was taken: order, number, transaction, amount, and what routes by the query.
fn taken(made: &Made) -> [Option<String>; 5] {
    let Guess { order, out_trade_no, transaction, amount, matched, in_yuan, .. } = &made.guess;
    let name = |choice: &Choice| choice.field.name.clone();
    let amount = amount.as_ref().map(|amount| format!("{} {}", name(amount), if *in_yuan { "yuan" } else { "fen" }));
    let matched: Vec<_> = matched.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let matched = (!matched.is_empty()).then(|| matched.join("&"));
    [Some(name(order)), out_trade_no.as_ref().map(name), transaction.as_ref().map(name), amount, matched]
}

#[test]
fn requests_of_many_order_systems_are_understood() {
    let notify = format!(
        "<xml><appid>wxd930ea5d5a258f4f</appid><mch_id>1900000109</mch_id><out_trade_no>N1</out_trade_no>\
         <result_code>SUCCESS</result_code><return_code>SUCCESS</return_code><total_fee>100</total_fee>\
         <transaction_id>{WECHAT}</transaction_id><sign>0123456789ABCDEF0123456789ABCDEF</sign></xml>"
    );
    let xml = "<xml><order_sn>X1</order_sn><money>8.80</money></xml>";
    let with_number =
        format!("OrderID=B_22&paymentcenter_id=PC9&WeixinTransactionID={WECHAT}&TotalFee=6600&ChannelID=2");
    for (method, target, kind, body, wanted) in [
        ("POST", "/pay/success", FORM, "OrderID=B_22&TotalFee=6600", ["OrderID", "", "", "TotalFee fen", ""]),
        (
            "POST",
            "/pay/success",
            FORM,
            &*with_number,
            ["OrderID", "paymentcenter_id", "WeixinTransactionID", "TotalFee fen", ""],
        ),
        (
            "POST",
            "/pay",
            FORM,
            "order_id=1001&out_trade_no=1001&transaction_id=",
            ["order_id", "", "transaction_id", "", ""],
        ),
        ("POST", "/cb", FORM, "trade_no=T20&sn=5&money=88.00", ["trade_no", "", "", "money yuan", ""]),
        (
            "POST",
            "/cb",
            FORM,
            "out_trade_no=T21&trade_no=4200001234202611220123456789&total=1.50",
            ["out_trade_no", "", "trade_no", "total yuan", ""],
        ),
        ("GET", "/notify?order_no=Q1&amount=100", None, "", ["order_no", "", "", "amount fen", ""]),
        (
            "POST",
            "/json",
            JSON,
            r#"{"code":0,"data":{"order_id":"J1","amount":66.5,"user":{"name":"x"}}}"#,
            ["data.order_id", "", "", "data.amount yuan", ""],
        ),
        ("POST", "/json", JSON, r#"{"id":"J2","items":[{"sku":"1"}]}"#, ["id", "", "", "", ""]),
        ("POST", "/json", JSON, r#"{"order_id":20071,"money":"9.90"}"#, ["order_id", "", "", "money yuan", ""]),
        ("POST", "/json", FORM, r#"{"order_id":"J3"}"#, ["order_id", "", "", "", ""]),
        ("POST", "/xml", XML, xml, ["order_sn", "", "", "money yuan", ""]),
        ("POST", "/wx", XML, &*notify, ["out_trade_no", "", "transaction_id", "total_fee fen", ""]),
        (
            "POST",
            "/index.php?s=/Home/WxPay/notify",
            XML,
            &*notify,
            ["out_trade_no", "", "transaction_id", "total_fee fen", "s=/Home/WxPay/notify"],
        ),
        (
            "POST",
            "/index.php?m=Home&c=Pay&a=done&t=17",
            FORM,
            "orderid=7",
            ["orderid", "", "", "", "m=Home&c=Pay&a=done"],
        ),
        ("GET", "/index.php?route=pay/wx&order_id=9", None, "", ["order_id", "", "", "", "route=pay/wx"]),
        ("POST", "/pay?order_id=77", FORM, "status=paid", ["query.order_id", "", "", "", ""]),
        ("PUT", "/pay", FORM, "billNo=K-1", ["billNo", "", "", "", ""]),
        ("POST", "/pay", FORM, "my_order_ref=K-2", ["my_order_ref", "", "", "", ""]),
    ] {
        let made = made(method, target, kind, body).unwrap_or_else(|error| panic!("{target} {body}: {error:#}"));
        let wanted = wanted.map(|text| (!text.is_empty()).then(|| text.to_owned()));
        assert_eq!(taken(&made), wanted, "{target} {body}\n{}", made.text);
    }
}

#[test]
fn a_notification_of_api_v3_is_taken_by_a_route_for_both_apis() {
    let body = r#"{"id":"1","event_type":"TRANSACTION.SUCCESS","resource_type":"encrypt-resource","resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"fdasflkja484","associated_data":"transaction","ciphertext":"eA=="}}"#;
    for (kind, any_type) in [(JSON, false), (None, false), (Some("text/plain"), true)] {
        let made = made("POST", "/wxpay/notify", kind, body).unwrap_or_else(|error| panic!("{error:#}"));
        for line in
            ["preset: wechat ", "provider: wechat-v3", "api_v3_key: ${WECHAT_V3_KEY}", "platform_certificates: auto"]
        {
            assert!(made.text.contains(line), "{line}\n{}", made.text);
        }
        assert_eq!(made.text.contains("content_type: any"), any_type, "{}", made.text);
    }
    let id = "PUB_KEY_ID_0114000000000000000000000000000000";
    let head = Http::builder().method("POST").uri("/index.php?s=/Home/WxPay/notify").header("host", "shop.example");
    let head = head.header("content-type", "application/json").header("wechatpay-serial", id);
    let (head, body) = (head.body(()).unwrap().into_parts().0, Bytes::from_static(body.as_bytes()));
    let request = Request::read(&head, &body).unwrap();
    let made = make(&head, &body, &request, &known(), "request.http", english()).unwrap_or_else(|e| panic!("{e:#}"));
    for line in [&*format!("public_key_id: {id}"), "public_key: ${file:pub_key.pem}", "query.s: /Home/WxPay/notify"] {
        assert!(made.text.contains(line), "{line}\n{}", made.text);
    }
}

#[test]
fn the_file_says_what_else_it_might_be() {
    let text = made("POST", "/pay", FORM, "order_id=1&order_sn=2&fee=3&price=4&ChannelID=5").unwrap().text;
    for words in
        ["or perhaps order_sn", "or perhaps price", "chosen by ChannelID", "no decimal point", "key: ${WECHAT_KEY}"]
    {
        assert!(text.contains(words), "no {words} in\n{text}");
    }
}

/// JSON as curl sends it by default.
#[test]
fn a_type_that_is_not_that_of_the_body_is_let_be() {
    let text = made("POST", "/json", FORM, r#"{"order_id":"J4"}"#).unwrap().text;
    assert!(text.contains("carrier: json") && text.contains("content_type: any"), "{text}");
    let text = made("POST", "/json", JSON, r#"{"order_id":"J4"}"#).unwrap().text;
    assert!(!text.contains("content_type"), "{text}");
}

#[test]
fn parts_of_multipart_are_fields() {
    let part = |name: &str, value: &str| {
        format!("--x-1\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = format!("{}{}--x-1--\r\n", part("order_id", "M1"), part("money", "8.80"));
    let made = made("POST", "/pay", Some("multipart/form-data; boundary=x-1"), &body).unwrap();
    let [order, .., amount, _] = taken(&made);
    assert_eq!((order.as_deref(), amount.as_deref()), (Some("order_id"), Some("money yuan")));
    assert!(made.text.contains("carrier: multipart") && !made.text.contains("content_type"), "{}", made.text);
}

#[test]
fn what_is_no_payment_callback_of_ours_is_said() {
    for (kind, body, words) in [
        (XML, "<xml><return_code>SUCCESS</return_code><req_info>x</req_info></xml>", "refund"),
        (FORM, "notify_type=trade_status_sync&trade_status=TRADE_SUCCESS&app_id=1&out_trade_no=2", "Alipay"),
        (FORM, "a=1&b=2", "no field"),
        (FORM, "order_id=1&order_id=2", "field-repeated"),
        (JSON, "{", "is none"),
        (XML, "<a", "cannot be read"),
        (Some("multipart/form-data; boundary=x"), "--x", "no field"),
    ] {
        let error = made("POST", "/pay", kind, body).err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(error.contains(words), "{body}: {error}");
    }
}

/// A field of a random place in a random carrier.
fn request() -> impl Strategy<Value = (String, String, Option<&'static str>, String, String)> {
    let order =
        prop::sample::select(vec!["OrderID", "order_no", "order_sn", "orderId", "out_trade_no", "bill_no", "oid"]);
    let amount = prop::sample::select(vec!["total_fee", "money", "Amount", "pay_money"]);
    let paid = prop_oneof!["[1-9][0-9]{0,6}", "[1-9][0-9]{0,4}\\.[0-9]{2}"];
    let page = prop::sample::select(vec!["/pay", "/index.php?s=/Home/Pay/done", "/a/b.do?m=pay&a=done"]);
    (order, "[0-9A-Za-z_-]{1,32}", amount, paid, page, 0..5u8).prop_map(|(order, id, amount, paid, page, carrier)| {
        let pairs = format!("x=1&{order}={id}&{amount}={paid}");
        let glue = if page.contains('?') { '&' } else { '?' };
        match carrier {
            0 => ("GET".to_owned(), format!("{page}{glue}{pairs}"), None, String::new(), id),
            1 => ("POST".to_owned(), page.to_owned(), JSON, format!(r#"{{"{order}":"{id}","{amount}":{paid}}}"#), id),
            2 => {
                let body = format!(r#"{{"data":{{"{order}":"{id}"}},"{amount}":"{paid}"}}"#);
                ("POST".to_owned(), page.to_owned(), JSON, body, id)
            }
            3 => {
                let body = format!("<xml><{order}>{id}</{order}><{amount}>{paid}</{amount}></xml>");
                ("POST".to_owned(), page.to_owned(), XML, body, id)
            }
            _ => ("POST".to_owned(), page.to_owned(), FORM, pairs, id),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `make` reads each of its files back before it gives it out; here as `check` and `verify` do.
    #[test]
    fn what_is_written_is_accepted_and_reads_the_same_order((method, target, kind, body, id) in request()) {
        let made = made(&method, &target, kind, &body).unwrap();
        prop_assert_eq!(&made.guess.order.field.value, &id);
        prop_assert!(made.guess.amount.is_some(), "{}", made.text);
        let outline = crate::config::Outline::parse(&made.text, Path::new("config.yaml"), &crate::config::Process);
        prop_assert!(outline.is_ok(), "{}\n{}", outline.unwrap_err(), made.text);
        prop_assert_eq!(outline.unwrap().unread_secrets, ["${WECHAT_KEY}"]);
    }
}
