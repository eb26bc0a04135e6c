use super::*;
use crate::domain::clock;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{OrderId, OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::gate::decide::{self, Pair};
use crate::gate::delivery::Origin;
use crate::gate::policy::{Mode, OnRefunded};
use crate::journal::{Claimed, DeliveryId, Override};
use crate::provider::order_state::OrderState;
use crate::provider::payment::{Payment, Written};
use crate::server::Peer;
use std::sync::Arc;

fn confirmed() -> Pass {
    let order = OutTradeNo::parse("ORDER20240101000001").unwrap();
    let payment = Payment {
        transaction_id: TransactionId::parse("4200000000202401010000000001").unwrap(),
        out_trade_no: order,
        amount: Money { fen: Fen(100), currency: Currency::default() },
        paid_at: clock::from_time_end("20240101123456"),
        refunded: false,
        attach: None,
        written: Written::default(),
    };
    let claimed = Claimed {
        channel: ChannelId::parse("app").unwrap(),
        order: OrderId::parse("LEGACY-1").unwrap(),
        out_trade_no: order,
        transaction_id: None,
        amount: None,
    };
    let confirmed =
        decide::decide(&claimed, None, Pair::Proven, &OrderState::Paid(Arc::new(payment)), OnRefunded::Refuse);
    decide::permit(confirmed, Mode::Enforce).unwrap()
}

fn observed() -> Pass {
    decide::permit(Err(Reason::NotPaidYet), Mode::Observe).unwrap()
}

fn received(fields: &[(&str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&str, &str)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    fields.iter().map(field).for_each(|(name, value)| {
        headers.append(name, value);
    });
    headers
}

fn stamped_by(stamp: &Stamp, fields: &[(&str, &str)], pass: &Pass, trusted_proxy: bool) -> HeaderMap {
    stamped_for(Event::Payment, stamp, fields, pass, trusted_proxy)
}

fn stamped_for(event: Event, stamp: &Stamp, fields: &[(&str, &str)], pass: &Pass, trusted_proxy: bool) -> HeaderMap {
    let peer = Peer { addr: ([203, 0, 113, 9], 4711).into(), tls: false };
    let channel = ChannelId::parse("app").unwrap();
    let attempt = Attempt { delivery: HeaderValue::from_static("d-1"), number: Some(1), origin: Origin::Callback };
    let source = Source {
        sender: Sender { peer, trusted_proxy },
        upstream: &Upstream::parse("http://127.0.0.1:5000").unwrap(),
        request_id: &HeaderValue::from_static("r-1"),
    };
    let delivered = Delivered { channel: &channel, attempt: &attempt, overrides: Overrides::NONE, event };
    stamp.headers(&received(fields), &source, pass, Some(&delivered)).unwrap()
}

fn stamped(fields: &[(&str, &str)], pass: &Pass) -> HeaderMap {
    stamped_by(&Stamp::new(HeaderNames::default(), Host::Preserve), fields, pass, false)
}

#[test]
fn a_confirmed_callback_carries_what_wechat_pay_said() {
    let headers = stamped(&[("host", "shop.example"), ("content-type", "text/xml")], &confirmed());
    for (name, value) in [
        ("host", "shop.example"),
        ("content-type", "text/xml"),
        ("x-verified-transaction-id", "4200000000202401010000000001"),
        ("x-verified-out-trade-no", "ORDER20240101000001"),
        ("x-verified-total-fee", "100"),
        ("x-verified-fee-type", "CNY"),
        ("x-verified-time-end", "2024-01-01T12:34:56+08:00"),
        ("x-verified-trade-state", "SUCCESS"),
        ("x-verified-channel", "app"),
        ("x-tollgate-delivery", "d-1"),
        ("x-tollgate-attempt", "1"),
        ("x-tollgate-origin", "callback"),
        ("x-request-id", "r-1"),
    ] {
        assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
    }
}

/// P-09, P-10, I3.
#[test]
fn no_spelling_of_a_header_of_ours_survives() {
    let spellings = [
        "X-Verified-Transaction-Id",
        "x_verified_transaction_id",
        "X.Verified.Transaction.Id",
        "X_VERIFIED-Transaction.id",
        "x~verified+transaction!id",
    ];
    for spelling in spellings {
        let sent = [("host", "a"), (spelling, "FAKE"), (spelling, "FAKE2")];
        assert_eq!(
            stamped(&sent, &observed()).len(),
            5,
            "{spelling}: host, forwarded-for, -proto, request id, accept-encoding"
        );
        let values: Vec<_> = stamped(&sent, &confirmed()).into_iter().map(|(_, value)| value).collect();
        assert!(values.iter().all(|value| !value.as_bytes().starts_with(b"FAKE")), "{spelling}");
    }
}

#[test]
fn what_is_not_confirmed_never_carries_a_header_of_ours() {
    let headers = stamped(&[("x-verified-transaction-id", "FAKE")], &observed());
    assert!(headers.keys().all(|name| !name.as_str().starts_with("x-verified") && !name.as_str().contains("tollgate")));
}

#[test]
fn what_a_person_decided_is_told_and_not_signed() {
    let signature = |headers: &HeaderMap| headers[&SIGNATURE_BY_DEFAULT].clone();
    let stamped = |overrides| {
        let key = Secret::new("0123456789abcdef".to_owned());
        let signature = Some(SignatureHeader { name: SIGNATURE_BY_DEFAULT.clone(), key });
        let stamp = Stamp::new(HeaderNames { signature, ..HeaderNames::default() }, Host::Preserve);
        let peer = Peer { addr: ([203, 0, 113, 9], 4711).into(), tls: false };
        let source = Source {
            sender: Sender { peer, trusted_proxy: false },
            upstream: &Upstream::parse("http://127.0.0.1:5000").unwrap(),
            request_id: &HeaderValue::from_static("r-1"),
        };
        let attempt = Attempt { delivery: HeaderValue::from_static("d-1"), number: Some(2), origin: Origin::FollowUp };
        let delivered = Delivered {
            channel: &ChannelId::parse("app").unwrap(),
            attempt: &attempt,
            overrides,
            event: Event::Payment,
        };
        let received = received(&[("X_Tollgate_Override", "amount")]);
        stamp.headers(&received, &source, &confirmed(), Some(&delivered)).unwrap()
    };
    let by_the_rules = stamped(Overrides::NONE);
    assert!(!by_the_rules.contains_key("x-tollgate-override") && !by_the_rules.contains_key("x_tollgate_override"));
    let decided = stamped([Override::SecondPayment, Override::Amount].into_iter().collect());
    assert_eq!(decided.get_all("x-tollgate-override").iter().collect::<Vec<_>>(), ["amount, second-payment"]);
    assert_eq!(signature(&decided), signature(&by_the_rules), "receivers' checks stay as they are");
}

/// P-08.
#[test]
fn connection_cannot_name_our_header_away() {
    let sent = [
        ("connection", ""),
        ("connection", "close, X-Verified-Transaction-Id"),
        ("connection", "x-shop"),
        ("x-shop", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMA"),
        ("expect", "y 100-continue"),
        ("transfer-encoding", "chunked"),
        ("trailer", "X-Verified-Transaction-Id"),
    ];
    let headers = stamped(&sent, &confirmed());
    assert_eq!(headers["x-verified-transaction-id"], "4200000000202401010000000001");
    for (name, _) in sent {
        assert!(!headers.contains_key(name), "{name}");
    }
}

/// P-11.
#[test]
fn what_would_change_the_request_or_its_sender_is_dropped() {
    let sent = [
        ("x-http-method-override", "DELETE"),
        ("x_http_method_override", "DELETE"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("script_name", "/x"),
        ("proxy", "http://evil"),
        ("forwarded", "for=1.1.1.1"),
        ("x-real-ip", "1.1.1.1"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-for", "1.1.1.1"),
        ("x_forwarded_for", "1.1.1.1"),
    ];
    let headers = stamped(&sent, &confirmed());
    assert_eq!(headers.get_all("x-forwarded-for").iter().collect::<Vec<_>>(), ["203.0.113.9"]);
    assert_eq!(headers["x-forwarded-proto"], "http");
    for (name, _) in sent.iter().filter(|(name, _)| *name != "x-forwarded-for") {
        assert!(!headers.contains_key(*name), "{name}");
    }
}

#[test]
fn a_trusted_proxys_word_is_passed_on_and_its_address_added() {
    let sent = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https"), ("x-real-ip", "1.1.1.1")];
    let headers = stamped_by(&Stamp::new(HeaderNames::default(), Host::Preserve), &sent, &confirmed(), true);
    assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 203.0.113.9");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert_eq!(headers["x-real-ip"], "1.1.1.1");
}

#[test]
fn host_is_preserved_replaced_or_the_upstreams_own() {
    for (host, expected) in [
        (Host::Preserve, "shop.example"),
        (Host::Upstream, "127.0.0.1:5000"),
        (Host::Literal(HeaderValue::from_static("legacy.internal")), "legacy.internal"),
    ] {
        let headers =
            stamped_by(&Stamp::new(HeaderNames::default(), host), &[("host", "shop.example")], &confirmed(), false);
        assert_eq!(headers.get_all("host").iter().collect::<Vec<_>>(), [expected]);
    }
}

/// The expected value was computed with Python: hmac.new(b"k" * 32, "\n".join([...] + [""]).encode(),
/// sha256).hexdigest().
#[test]
fn the_signed_header_covers_every_value() {
    let signature = Some(SignatureHeader {
        name: HeaderName::from_static("x-verified-signature"),
        key: Secret::new("k".repeat(32)),
    });
    let stamp = Stamp::new(HeaderNames { signature, ..HeaderNames::default() }, Host::Preserve);
    let headers = stamped_by(&stamp, &[("x_verified_signature", "FAKE")], &confirmed(), false);
    assert_eq!(headers["x-verified-signature"], EXPECTED_SIGNATURE);
}

/// The same, with "refund" as the eleventh.
#[test]
fn a_refund_is_told_and_signed_and_a_payments_event_is_neither() {
    let signature = Some(SignatureHeader {
        name: HeaderName::from_static("x-verified-signature"),
        key: Secret::new("k".repeat(32)),
    });
    let stamp = Stamp::new(HeaderNames { signature, ..HeaderNames::default() }, Host::Preserve);
    let sent = [("X_Verified.Event", "payment"), ("x-verified-event", "refund")];
    let refund = Event::Refund(DeliveryId::of_refund("app", "50001", "SUCCESS"));
    let headers = stamped_for(refund, &stamp, &sent, &confirmed(), false);
    let events: Vec<_> = headers.iter().filter(|(name, _)| name.as_str().ends_with("event")).collect();
    assert_eq!(events, [(&HeaderName::from_static("x-verified-event"), &HeaderValue::from_static("refund"))]);
    assert_eq!(headers["x-verified-signature"], "306458b7fd938bc98e1926d218520dd8d27e12d24eeade0c34c51466cd2ee3ed");
    let headers = stamped_by(&stamp, &sent, &confirmed(), true);
    assert!(!headers.keys().any(|name| name.as_str().ends_with("event")), "{headers:?}");
    assert_eq!(headers["x-verified-signature"], EXPECTED_SIGNATURE);
    // What is not confirmed says nothing of itself.
    assert!(!stamped_for(refund, &stamp, &sent, &observed(), false).contains_key("x-verified-event"));
}

const EXPECTED_SIGNATURE: &str = "e2e4f5609184f030d3e0f91ca203bc57b21c0a2ca94b279d5896e67a29f5fcda";
