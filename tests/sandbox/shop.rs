//! The sample order system is as gullible as the real ones.

use crate::harness::http;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tollgate::sandbox::shop::Shop;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

async fn shop() -> (Shop, SocketAddr) {
    let shop = Shop::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = shop.clone();
    tokio::spawn(async move { serving.serve(listener).await.unwrap() });
    (shop, address)
}

#[tokio::test]
async fn it_believes_every_callback_and_can_refund_only_with_a_transaction_id() {
    let (shop, address) = shop().await;
    let paid = http(address, "POST", "/pay/success", &[FORM], "OrderID=A1").await.unwrap();
    assert_eq!(paid.body, "order-marked-paid");
    let refund = http(address, "POST", "/refund", &[FORM], "OrderID=A1").await.unwrap();
    assert_eq!((refund.status, refund.body.starts_with("refund-failed")), (409, true));

    http(address, "POST", "/pay/success", &[FORM, "X-Verified-Transaction-Id: 42"], "OrderID=A1").await.unwrap();
    http(address, "POST", "/pay/success", &[FORM], "OrderID=A2&WeixinTransactionID=43").await.unwrap();
    for (order, id) in [("A1", "42"), ("A2", "43")] {
        let refund = http(address, "POST", "/refund", &[FORM], &format!("OrderID={order}")).await.unwrap();
        assert_eq!((refund.status, refund.body), (200, format!("refund-sent for transaction {id}\n")));
        assert!(shop.order(order).unwrap().refunded);
    }
}

#[tokio::test]
async fn it_acknowledges_every_notification() {
    let (shop, address) = shop().await;
    let notification = "<xml><out_trade_no><![CDATA[A1]]></out_trade_no><transaction_id>42</transaction_id></xml>";
    let answer = http(address, "POST", "/wxpay/notify/app", &["X-A: 1", "x_a: 2"], notification).await.unwrap();
    assert_eq!(
        answer.body,
        "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
    );
    assert_eq!(shop.order("A1").unwrap().transaction_id.as_deref(), Some("42"));
    let received = shop.received().remove(0);
    assert_eq!(received.header("X-A"), ["1", "2"], "spellings that backends confuse");
    assert_eq!(received.path, "/wxpay/notify/app");
}

#[tokio::test]
async fn while_it_is_down_connections_are_refused_and_its_orders_stay() {
    let (shop, address) = shop().await;
    http(address, "POST", "/pay/success", &[FORM], "OrderID=A1").await.unwrap();
    shop.goes_down().await;
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    shop.comes_back();
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).await.is_err() {
        assert!(Instant::now() < until, "it does not come back");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    http(address, "POST", "/pay/success", &[FORM], "OrderID=A2").await.unwrap();
    assert!(shop.order("A1").unwrap().paid && shop.order("A2").unwrap().paid);
}
