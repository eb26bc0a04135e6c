//! The whole table. Each dimension lists its values beside the reason it forces, written down from docs/reasons.md and
//! docs/reference/wechatpay-v3.md; of several, the one earlier in the list of dimensions wins. Nothing here is computed
//! by the code under test.

use super::*;
use crate::domain::order::{AppId, ChannelId, MerchantId, OrderId};
use crate::gate::decide::{Pair, decide};
use crate::gate::policy::OnRefunded;
use crate::journal::Claimed;
use crate::provider::wechat::v3::Serial;
use crate::provider::wechat::v3::json;
use crate::provider::wechat::v3::tests::account;
use serde_json::{Value, json};

const APPID: &str = "wxd930ea5d5a258f4f";
const MCH_ID: &str = "1900009191";
const ORDER: &str = "ORDER20240101000001";
const TRANSACTION: &str = "4200000000202401010000000001";
const OTHER_TRANSACTION: &str = "4200000000202401010000000002";

fn paid() -> Value {
    json!({
        "amount": { "currency": "CNY", "payer_currency": "CNY", "payer_total": 90, "total": 100 },
        "appid": APPID, "attach": "", "bank_type": "OTHERS", "mchid": MCH_ID, "out_trade_no": ORDER,
        "payer": { "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" }, "promotion_detail": [],
        "success_time": "2024-01-01T12:34:56+08:00", "trade_state": "SUCCESS", "trade_state_desc": "支付成功",
        "trade_type": "JSAPI", "transaction_id": TRANSACTION,
    })
}

/// The order with these fields, or without those that are null.
fn with(mut order: Value, changes: &[(&str, Value)]) -> Value {
    for (path, value) in changes {
        let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
        let object = if parent.is_empty() { &mut order } else { &mut order[parent] };
        let object = object.as_object_mut().unwrap();
        if value.is_null() { drop(object.remove(key)) } else { drop(object.insert(key.to_owned(), value.clone())) }
    }
    order
}

fn signed(order: &Value) -> Answer {
    let document = order.to_string();
    let by = Serial::of_public_key("PUB_KEY_ID_0114000000000000000000000000000000").unwrap();
    Answer::Order { order: json::object(document.as_bytes()).unwrap(), document: document.into(), by }
}

fn claim(transaction_id: Option<&str>, amount: Option<u64>) -> Claimed {
    Claimed {
        channel: ChannelId::parse("app").unwrap(),
        order: OrderId::parse("LEGACY-1").unwrap(),
        out_trade_no: OutTradeNo::parse(ORDER).unwrap(),
        transaction_id: transaction_id.map(|id| TransactionId::parse(id).unwrap()),
        amount: amount.map(|fen| Money { fen: Fen(fen), currency: Currency::default() }),
    }
}

fn by_order() -> AskBy {
    AskBy::OutTradeNo(OutTradeNo::parse(ORDER).unwrap())
}

fn by_transaction() -> AskBy {
    AskBy::TransactionId(TransactionId::parse(TRANSACTION).unwrap())
}

fn reason(account: &Credentials, ask: &AskBy, answer: &Answer) -> &'static str {
    judge(account, ask, answer).reason().code()
}

fn outcome(ask: &AskBy, answer: &Answer, claim: &Claimed, on_refunded: OnRefunded) -> &'static str {
    let order_state = judge(&account(), ask, answer);
    decide(claim, None, Pair::Proven, &order_state, on_refunded).map_or_else(Reason::code, |_| "forward")
}

/// One value of a dimension and the reason it forces; `-` forces nothing.
type Row<T> = (T, &'static str);

const STATES: [Row<Option<&str>>; 11] = [
    (Some("SUCCESS"), "-"),
    (Some("REFUND"), "-"),
    (Some("NOTPAY"), "not-paid-yet"),
    (Some("USERPAYING"), "user-paying"),
    (Some("ACCEPT"), "awaiting-deduction"),
    (Some("CLOSED"), "closed"),
    (Some("REVOKED"), "revoked"),
    (Some("PAYERROR"), "pay-error"),
    (Some("SOMETHING_NEW"), "trade-state-unknown"),
    (Some("success"), "trade-state-unknown"),
    (None, "answer-incomplete"),
];

#[test]
fn every_cell_of_the_table_has_the_expected_outcome() {
    let faults: [Row<Option<Fault>>; 7] = [
        (None, "-"),
        (Some(Fault::Unsigned), "answer-unsigned"),
        (Some(Fault::BadlySigned), "answer-badly-signed"),
        (Some(Fault::Probe), "answer-badly-signed"),
        (Some(Fault::OutsideWindow(300)), "answer-outside-window"),
        (Some(Fault::SerialUnknown), "answer-serial-unknown"),
        (Some(Fault::CertificatesUnavailable), "certificates-unavailable"),
    ];
    let merchants: [Row<Option<&str>>; 3] =
        [(Some(MCH_ID), "-"), (Some("1900009192"), "answer-for-other-merchant"), (None, "-")];
    let apps: [Row<Option<&str>>; 4] = [
        (Some(APPID), "-"),
        (Some("wx1111111111111111"), "-"),
        (Some("wx0000000000000000"), "answer-for-other-app"),
        (None, "-"),
    ];
    let orders: [Row<(bool, Option<&str>)>; 5] = [
        ((true, Some(ORDER)), "-"),
        ((true, Some("ORDER20240101000002")), "answer-for-other-order"),
        ((true, None), "answer-incomplete"),
        ((false, Some(ORDER)), "-"),
        ((false, None), "answer-incomplete"),
    ];
    let transactions: [Row<Option<&str>>; 3] =
        [(None, "-"), (Some(TRANSACTION), "-"), (Some(OTHER_TRANSACTION), "transaction-differs")];
    let amounts: [Row<Option<u64>>; 4] =
        [(None, "-"), (Some(100), "-"), (Some(1), "amount-differs"), (Some(101), "amount-differs")];
    let mut cells = 0;
    for (fault, r0) in faults {
        for (mch_id, r1) in merchants {
            for (appid, r2) in apps {
                for ((by_number, out_trade_no), r3) in orders {
                    for (trade_state, r4) in STATES {
                        // None that is compared may be missing from a paid answer.
                        let is_paid = matches!(trade_state, Some("SUCCESS" | "REFUND"));
                        let unnamed = is_paid && (mch_id.is_none() || appid.is_none());
                        let r5 = if unnamed { "answer-incomplete" } else { "-" };
                        let changes = [
                            ("mchid", json!(mch_id)),
                            ("appid", json!(appid)),
                            ("out_trade_no", json!(out_trade_no)),
                            ("trade_state", json!(trade_state)),
                        ];
                        let answer = match fault {
                            None => signed(&with(paid(), &changes)),
                            Some(fault) => Answer::NotBelieved(fault),
                        };
                        let ask = if by_number { by_order() } else { by_transaction() };
                        let state = judge(&account(), &ask, &answer);
                        for (transaction, r6) in transactions {
                            for (amount, r7) in amounts {
                                for policy in [OnRefunded::Refuse, OnRefunded::Forward] {
                                    let refunded = trade_state == Some("REFUND") && policy == OnRefunded::Refuse;
                                    let r8 = if refunded { "refunded" } else { "-" };
                                    let forced = [r0, r1, r2, r3, r4, r5, r6, r7, r8];
                                    let expected = forced.into_iter().find(|r| *r != "-").unwrap_or("forward");
                                    let claim = claim(transaction, amount);
                                    let seen = decide(&claim, None, Pair::Proven, &state, policy);
                                    let seen = seen.map_or_else(Reason::code, |_| "forward");
                                    assert_eq!(seen, expected, "{changes:?} {fault:?} {claim:?} {policy:?}");
                                    cells += 1;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cells, 7 * 3 * 4 * 5 * 11 * 3 * 4 * 2);
}

#[test]
fn a_paid_order_says_what_wechat_pay_said() {
    let attached = with(paid(), &[("attach", json!("channel=7"))]);
    let OrderState::Paid(payment) = judge(&account(), &by_order(), &signed(&attached)) else { panic!("not paid") };
    assert_eq!(payment.transaction_id.as_str(), TRANSACTION);
    assert_eq!((payment.out_trade_no.as_str(), payment.amount.fen, payment.refunded), (ORDER, Fen(100), false));
    assert_eq!((payment.amount.currency, payment.attach.as_deref()), (Currency::default(), Some("channel=7")));
    assert_eq!(payment.paid_at.map(|at| at.to_string()).as_deref(), Some("2024-01-01T04:34:56Z"));
}

#[test]
fn nothing_is_decided_by_what_is_not_compared() {
    let bare = with(
        paid(),
        &[
            ("attach", Value::Null),
            ("success_time", json!("yesterday")),
            ("payer", Value::Null),
            ("trade_type", Value::Null),
            ("amount.payer_total", json!("free")),
            ("promotion_detail", json!({})),
        ],
    );
    let OrderState::Paid(payment) = judge(&account(), &by_order(), &signed(&bare)) else { panic!("not paid") };
    assert_eq!((payment.paid_at, payment.attach.as_deref()), (None, None));
}

#[test]
fn a_paid_answer_that_lacks_what_is_compared_or_has_it_malformed_is_incomplete() {
    for (path, value) in [
        ("transaction_id", Value::Null),
        ("transaction_id", json!("42 00")),
        ("transaction_id", json!(42)),
        ("mchid", json!(1900009191)),
        ("mchid", json!("")),
        ("appid", Value::Null),
        ("amount", Value::Null),
        ("amount", json!(100)),
        ("amount", json!([100])),
        ("amount.total", Value::Null),
        ("amount.total", json!("100")),
        ("amount.total", json!(100.0)),
        ("amount.total", json!(-100)),
        ("amount.total", json!(true)),
        ("amount.total", json!(u64::MAX)),
        ("amount.currency", Value::Null),
        ("amount.currency", json!("cny")),
        ("out_trade_no", json!(7)),
        ("trade_state", json!(["SUCCESS"])),
    ] {
        let answer = signed(&with(paid(), &[(path, value.clone())]));
        assert_eq!(reason(&account(), &by_order(), &answer), "answer-incomplete", "{path} {value}");
    }
}

#[test]
fn an_unpaid_answer_may_say_little_and_nothing_else() {
    for (state, expected) in STATES.into_iter().filter(|(state, expected)| state.is_some() && *expected != "-") {
        let bare = json!({ "out_trade_no": ORDER, "trade_state": state });
        assert_eq!(reason(&account(), &by_order(), &signed(&bare)), expected);
        for (name, value, other) in [
            ("mchid", "1900009192", "answer-for-other-merchant"),
            ("sub_mchid", "1900009192", "answer-for-other-merchant"),
            ("appid", "wx0000000000000000", "answer-for-other-app"),
            ("out_trade_no", "ORDER20240101000002", "answer-for-other-order"),
        ] {
            let answer = signed(&with(bare.clone(), &[(name, json!(value))]));
            assert_eq!(reason(&account(), &by_order(), &answer), other, "{name} {state:?}");
        }
        let other = signed(&with(bare, &[("transaction_id", json!(OTHER_TRANSACTION))]));
        assert_eq!(reason(&account(), &by_transaction(), &other), "answer-for-other-order", "{state:?}");
    }
}

#[test]
fn an_answer_for_another_transaction_than_asked_is_no_answer() {
    let answer = signed(&with(paid(), &[("transaction_id", json!(OTHER_TRANSACTION))]));
    assert_eq!(reason(&account(), &by_transaction(), &answer), "answer-for-other-order");
}

/// V-01.
#[test]
fn a_paid_transaction_does_not_vouch_for_another_order() {
    let out_trade_no = OutTradeNo::parse("ORDER-NOBODY-PAID").unwrap();
    let unpaid = Claimed { out_trade_no, ..claim(Some(TRANSACTION), None) };
    let seen = outcome(&by_transaction(), &signed(&paid()), &unpaid, OnRefunded::Refuse);
    assert_eq!(seen, "transaction-of-other-order");
}

/// V-07.
#[test]
fn an_amount_in_another_currency_differs() {
    let answer = signed(&with(paid(), &[("amount.currency", json!("HKD"))]));
    assert_eq!(outcome(&by_order(), &answer, &claim(None, Some(100)), OnRefunded::Refuse), "amount-differs");
}

#[test]
fn of_a_service_provider_both_merchants_are_compared() {
    let sub = |appid: Option<&str>| Credentials {
        sub_mch_id: Some(MerchantId::parse("1900000201").unwrap()),
        sub_appid: appid.map(|appid| AppId::parse(appid).unwrap()),
        ..account()
    };
    let named = |names: &[(&str, &str)]| {
        let own = with(paid(), &[("mchid", Value::Null), ("appid", Value::Null)]);
        signed(&with(own, &names.iter().map(|(name, value)| (*name, json!(value))).collect::<Vec<_>>()))
    };
    let (merchants, app) = ([("sp_mchid", MCH_ID), ("sub_mchid", "1900000201")], ("sp_appid", APPID));
    let ours = named(&[merchants[0], merchants[1], app]);
    let with_sub_appid = named(&[merchants[0], merchants[1], app, ("sub_appid", "wx2421b1c4370ec43b")]);
    for (account, answer, expected) in [
        (sub(None), &ours, "paid"),
        (sub(None), &with_sub_appid, "paid"),
        (sub(Some("wx2421b1c4370ec43b")), &with_sub_appid, "paid"),
        (sub(Some("wx2421b1c4370ec43b")), &ours, "answer-incomplete"),
        (sub(Some("wx0000000000000000")), &with_sub_appid, "answer-for-other-app"),
        (sub(None), &named(&[merchants[0], app]), "answer-incomplete"),
        (sub(None), &named(&[merchants[1], app]), "answer-incomplete"),
        (sub(None), &named(&[merchants[0], merchants[1]]), "answer-incomplete"),
        (sub(None), &named(&[merchants[0], ("sub_mchid", "1900000202"), app]), "answer-for-other-merchant"),
        (sub(None), &named(&[("sp_mchid", "1900000202"), merchants[1], app]), "answer-for-other-merchant"),
        (sub(None), &named(&[merchants[0], merchants[1], ("sp_appid", "wx0000000000000000")]), "answer-for-other-app"),
        // What a direct merchant is called counts for nothing here, and the other way round.
        (sub(None), &signed(&paid()), "answer-incomplete"),
        (account(), &ours, "answer-for-other-merchant"),
        (account(), &named(&[merchants[0], app]), "answer-incomplete"),
    ] {
        assert_eq!(reason(&account, &by_order(), answer), expected, "{answer:?} for {:?}", account.sub_appid);
    }
}

#[test]
fn error_codes_say_what_is_known() {
    for (status, code, expected) in [
        (404, "ORDER_NOT_EXIST", "order-not-found"),
        (404, "ORDERNOTEXIST", "order-not-found"),
        (404, "RESOURCE_NOT_EXISTS", "query-refused"),
        (400, "ORDER_NOT_EXIST", "query-refused"),
        (429, "RATELIMIT_EXCEEDED", "wechat-rate-limited"),
        (429, "FREQUENCY_LIMITED", "wechat-rate-limited"),
        (403, "FREQUENCY_LIMITED", "wechat-rate-limited"),
        (500, "RATELIMIT_EXCEEDED", "wechat-rate-limited"),
        (500, "SYSTEM_ERROR", "wechat-system-error"),
        (503, "SERVICE_UNAVAILABLE", "wechat-system-error"),
        (500, "BANK_ERROR", "wechat-system-error"),
        (401, "SIGN_ERROR", "query-refused"),
        (403, "NO_AUTH", "query-refused"),
        (400, "MCH_NOT_EXISTS", "query-refused"),
        (400, "PARAM_ERROR", "query-refused"),
        (400, "SOMETHING_NEW", "query-refused"),
    ] {
        let code = Some(code.to_owned());
        let refusal = Refusal { status, code, message: None, detail: None, clock_offset: None };
        let answer = Answer::Refused(refusal);
        assert_eq!(reason(&account(), &by_order(), &answer), expected, "{status}");
        assert_eq!(reason(&account(), &by_transaction(), &answer), expected, "{status}");
    }
}
