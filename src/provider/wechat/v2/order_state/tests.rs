//! The whole table. Each dimension lists its values beside the reason it forces, written down from docs/reasons.md and
//! docs/reference/wechatpay-v2.md; of several, the one earlier in the list of dimensions wins. Nothing here is computed
//! by the code under test.

use super::*;
use crate::domain::order::{AppId, ChannelId, MerchantId, OrderId};
use crate::domain::secret::Secret;
use crate::gate::decide::{Pair, decide};
use crate::gate::policy::OnRefunded;
use crate::journal::Claimed;
use crate::provider::wechat::{Api, ApiKey, sign::SignType, v2::Keys};

const APPID: &str = "wxd930ea5d5a258f4f";
const MCH_ID: &str = "1900000109";
const ORDER: &str = "ORDER20240101000001";
const TRANSACTION: &str = "4200000000202401010000000001";
const OTHER_TRANSACTION: &str = "4200000000202401010000000002";

fn account() -> Credentials {
    let signing = ApiKey::parse(Secret::new("Kf93mXq0Lz7Vb2Nc8Rt5Yw1Ua6Se4Dg0".into())).unwrap();
    Credentials {
        api: Api::V2(Keys { signing, also_verify: Vec::new(), sign_type: SignType::Md5 }),
        also: None,
        other_appids: Vec::new(),
        appid: AppId::parse(APPID).unwrap(),
        mch_id: MerchantId::parse(MCH_ID).unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

fn paid_answer() -> Answer {
    let text = |value: &str| Some(value.to_owned());
    Answer {
        signature: Signature::Valid,
        return_code: text("SUCCESS"),
        return_msg: text("OK"),
        result_code: text("SUCCESS"),
        err_code: None,
        appid: text(APPID),
        mch_id: text(MCH_ID),
        sub_appid: None,
        sub_mch_id: None,
        out_trade_no: text(ORDER),
        transaction_id: text(TRANSACTION),
        trade_state: text("SUCCESS"),
        total_fee: text("100"),
        fee_type: text("CNY"),
        time_end: text("20240101123456"),
        attach: None,
        document: bytes::Bytes::new(),
    }
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

fn outcome(ask: &AskBy, answer: Answer, claim: &Claimed, on_refunded: OnRefunded) -> &'static str {
    let order_state = judge(&account(), ask, &answer);
    decide(claim, None, Pair::Proven, &order_state, on_refunded).map_or_else(Reason::code, |_| "forward")
}

/// One value of a dimension and the reason it forces; `-` forces nothing.
type Row<T> = (T, &'static str);

#[test]
fn every_cell_of_the_table_has_the_expected_outcome() {
    let return_codes: [Row<Option<&str>>; 3] =
        [(Some("SUCCESS"), "-"), (Some("FAIL"), "query-refused"), (None, "answer-incomplete")];
    let signatures: [Row<Signature>; 3] =
        [(Signature::Valid, "-"), (Signature::Missing, "answer-unsigned"), (Signature::Wrong, "answer-badly-signed")];
    let merchants: [Row<Option<&str>>; 3] =
        [(Some(MCH_ID), "-"), (Some("1900000999"), "answer-for-other-merchant"), (None, "answer-incomplete")];
    let apps: [Row<Option<&str>>; 3] =
        [(Some(APPID), "-"), (Some("wx0000000000000000"), "answer-for-other-app"), (None, "answer-incomplete")];
    // Asked by its own number, another order's answer is no answer; asked by transaction id, it shows the claim false.
    let orders: [Row<(bool, Option<&str>)>; 5] = [
        ((true, Some(ORDER)), "-"),
        ((true, Some("SOMEBODY-ELSES")), "answer-for-other-order"),
        ((true, None), "answer-incomplete"),
        ((false, Some(ORDER)), "-"),
        ((false, None), "answer-incomplete"),
    ];
    let states: [Row<Option<&str>>; 10] = [
        (Some("SUCCESS"), "-"),
        (Some("REFUND"), "-"),
        (Some("NOTPAY"), "not-paid-yet"),
        (Some("USERPAYING"), "user-paying"),
        (Some("ACCEPT"), "awaiting-deduction"),
        (Some("CLOSED"), "closed"),
        (Some("REVOKED"), "revoked"),
        (Some("PAYERROR"), "pay-error"),
        (Some("SUCCESSFUL"), "trade-state-unknown"),
        (None, "answer-incomplete"),
    ];
    let transactions: [Row<Option<&str>>; 3] =
        [(None, "-"), (Some(TRANSACTION), "-"), (Some(OTHER_TRANSACTION), "transaction-differs")];
    let amounts: [Row<Option<u64>>; 4] =
        [(None, "-"), (Some(100), "-"), (Some(1), "amount-differs"), (Some(0), "amount-differs")];
    let policies = [OnRefunded::Refuse, OnRefunded::Forward];

    let mut cells = 0;
    for (return_code, r0) in return_codes {
        for (signature, r1) in signatures {
            for (mch_id, r2) in merchants {
                for (appid, r3) in apps {
                    for ((by_number, out_trade_no), r4) in orders {
                        for (trade_state, r5) in states {
                            for (transaction, r6) in transactions {
                                for (amount, r7) in amounts {
                                    for policy in policies {
                                        let refunded = trade_state == Some("REFUND") && policy == OnRefunded::Refuse;
                                        let r8 = if refunded { "refunded" } else { "-" };
                                        // An answer that lacks either name is incomplete, whatever the other says.
                                        let unnamed =
                                            if mch_id.is_none() || appid.is_none() { "answer-incomplete" } else { "-" };
                                        let forced = [r0, r1, unnamed, r2, r3, r4, r5, r6, r7, r8];
                                        let expected = forced.into_iter().find(|r| *r != "-").unwrap_or("forward");
                                        let owned = |text: Option<&str>| text.map(str::to_owned);
                                        let answer = Answer {
                                            return_code: owned(return_code),
                                            signature,
                                            mch_id: owned(mch_id),
                                            appid: owned(appid),
                                            out_trade_no: owned(out_trade_no),
                                            trade_state: owned(trade_state),
                                            ..paid_answer()
                                        };
                                        let ask = if by_number { by_order() } else { by_transaction() };
                                        let seen = outcome(&ask, answer.clone(), &claim(transaction, amount), policy);
                                        assert_eq!(seen, expected, "{answer:?} {transaction:?} {amount:?} {policy:?}");
                                        cells += 1;
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cells, 3 * 3 * 3 * 3 * 5 * 10 * 3 * 4 * 2);
}

/// What a paid order is held against: the claim, whose number it is, and what the order costs.
#[test]
fn every_cell_of_a_paid_order_has_the_expected_outcome() {
    let transactions: [Row<Option<&str>>; 3] =
        [(None, "-"), (Some(TRANSACTION), "-"), (Some(OTHER_TRANSACTION), "transaction-differs")];
    let amounts: [Row<Option<u64>>; 4] =
        [(None, "-"), (Some(100), "-"), (Some(1), "amount-differs"), (Some(101), "amount-differs")];
    let prices: [Row<Option<u64>>; 4] =
        [(None, "-"), (Some(100), "-"), (Some(990), "expected-amount-differs"), (Some(1), "expected-amount-differs")];
    // Whether it contradicts, and whether it is only not known (docs/config.md, "Whose number is it").
    let pairs = [
        (Pair::Proven, "-", "-"),
        (Pair::OfAnotherOrder, "number-of-another-order", "-"),
        (Pair::NotListed, "-", "number-not-listed"),
    ];
    let states = [("SUCCESS", OnRefunded::Refuse, "-"), ("REFUND", OnRefunded::Refuse, "refunded")];
    for (transaction, r0) in transactions {
        for (pair, r1, r3) in pairs {
            for (amount, r2) in amounts {
                for (price, r4) in prices {
                    for (trade_state, policy, r5) in states {
                        let answer = Answer { trade_state: Some(trade_state.to_owned()), ..paid_answer() };
                        let order_state = judge(&account(), &by_order(), &answer);
                        let price = price.map(|fen| Money { fen: Fen(fen), currency: Currency::default() });
                        let claim = claim(transaction, amount);
                        let seen = decide(&claim, price, pair, &order_state, policy);
                        let forced = [r0, r1, r2, r3, r4, r5];
                        let expected = forced.into_iter().find(|r| *r != "-").unwrap_or("forward");
                        let seen = seen.map_or_else(Reason::code, |_| "forward");
                        assert_eq!(seen, expected, "{transaction:?} {pair:?} {amount:?} {price:?} {trade_state}");
                    }
                }
            }
        }
    }
}

#[test]
fn an_order_without_any_fault_is_forwarded_with_what_wechat_pay_said() {
    let order_state = judge(&account(), &by_order(), &paid_answer());
    let asked_for = OutTradeNo::parse(ORDER).unwrap();
    let confirmed = decide(&claim(None, None), None, Pair::Proven, &order_state, OnRefunded::Refuse).unwrap();
    let payment = confirmed.payment();
    assert_eq!(payment.transaction_id.as_str(), TRANSACTION);
    assert_eq!((payment.out_trade_no, payment.amount.fen, payment.refunded), (asked_for, Fen(100), false));
    assert_eq!(payment.paid_at.map(|at| at.to_string()).as_deref(), Some("2024-01-01T04:34:56Z"));
}

/// V-01.
#[test]
fn a_paid_transaction_does_not_vouch_for_another_order() {
    let order_state = judge(&account(), &by_transaction(), &paid_answer());
    let out_trade_no = OutTradeNo::parse("ORDER-NOBODY-PAID").unwrap();
    let unpaid = Claimed { out_trade_no, ..claim(Some(TRANSACTION), None) };
    let refused = decide(&unpaid, None, Pair::Proven, &order_state, OnRefunded::Refuse);
    assert_eq!(refused.map(|_| ()), Err(Reason::TransactionOfOtherOrder));
}

#[test]
fn an_answer_for_another_transaction_than_asked_is_no_answer() {
    let answer = Answer { transaction_id: Some(OTHER_TRANSACTION.into()), ..paid_answer() };
    assert_eq!(judge(&account(), &by_transaction(), &answer), OrderState::NotPaid(Reason::AnswerForOtherOrder));
}

#[test]
fn error_codes_say_what_is_known() {
    for (err_code, by_number, by_id) in [
        (Some("ORDERNOTEXIST"), "order-not-found", "order-not-found"),
        (Some("SYSTEMERROR"), "wechat-system-error", "wechat-system-error"),
        (Some("BIZERR_NEED_RETRY"), "wechat-system-error", "wechat-system-error"),
        (Some("FREQUENCY_LIMITED"), "wechat-rate-limited", "wechat-rate-limited"),
        (Some("INVALID_REQ_TOO_MUCH"), "wechat-rate-limited", "wechat-rate-limited"),
        (Some("INVALID_TRANSACTIONID"), "query-refused", "order-not-found"),
        (Some("SIGNERROR"), "query-refused", "query-refused"),
        (Some("APPID_MCHID_NOT_MATCH"), "query-refused", "query-refused"),
        (Some("SOMETHING_NEW"), "query-refused", "query-refused"),
        (None, "query-refused", "query-refused"),
    ] {
        let answer = Answer {
            result_code: Some("FAIL".into()),
            err_code: err_code.map(str::to_owned),
            out_trade_no: None,
            trade_state: None,
            ..paid_answer()
        };
        let claim = claim(None, None);
        assert_eq!(outcome(&by_order(), answer.clone(), &claim, OnRefunded::Refuse), by_number, "{err_code:?}");
        assert_eq!(outcome(&by_transaction(), answer, &claim, OnRefunded::Refuse), by_id, "{err_code:?}");
    }
}

#[test]
fn an_unsigned_answer_establishes_nothing_whatever_it_says() {
    for (err_code, expected) in [
        ("SYSTEMERROR", "wechat-system-error"),
        ("ORDERNOTEXIST", "answer-unsigned"),
        ("ORDERCLOSED", "answer-unsigned"),
    ] {
        let answer = Answer {
            signature: Signature::Missing,
            result_code: Some("FAIL".into()),
            err_code: Some(err_code.into()),
            ..paid_answer()
        };
        assert_eq!(outcome(&by_order(), answer, &claim(None, None), OnRefunded::Refuse), expected);
    }
}

#[test]
fn a_paid_answer_that_lacks_a_field_or_has_it_malformed_is_incomplete() {
    type Spoil = fn(&mut Answer);
    let spoilers: [Spoil; 7] = [
        |answer| answer.transaction_id = None,
        |answer| answer.transaction_id = Some("42 00".into()),
        |answer| answer.total_fee = None,
        |answer| answer.total_fee = Some("1.00".into()),
        |answer| answer.total_fee = Some("-1".into()),
        |answer| answer.fee_type = Some("cny".into()),
        |answer| answer.result_code = None,
    ];
    for (index, spoil) in spoilers.into_iter().enumerate() {
        let mut answer = paid_answer();
        spoil(&mut answer);
        assert_eq!(judge(&account(), &by_order(), &answer), OrderState::NotPaid(Reason::AnswerIncomplete), "{index}");
    }
}

#[test]
fn a_currency_that_is_not_named_is_cny() {
    let answer = Answer { fee_type: None, ..paid_answer() };
    let OrderState::Paid(payment) = judge(&account(), &by_order(), &answer) else { panic!("not paid") };
    assert_eq!(payment.amount.currency, Currency::default());
}

/// V-07.
#[test]
fn an_amount_in_another_currency_differs() {
    let order_state = judge(&account(), &by_order(), &Answer { fee_type: Some("HKD".into()), ..paid_answer() });
    let outcome = |currency| {
        let claim = Claimed { amount: Some(Money { fen: Fen(100), currency }), ..claim(None, None) };
        decide(&claim, None, Pair::Proven, &order_state, OnRefunded::Refuse).map(|_| ())
    };
    assert_eq!(outcome(Currency::default()), Err(Reason::AmountDiffers));
    assert_eq!(outcome(Currency::parse("HKD").unwrap()), Ok(()));
}

#[test]
fn in_service_provider_mode_the_sub_merchant_is_compared_too() {
    let ours = Credentials {
        sub_mch_id: Some(MerchantId::parse("1900000201").unwrap()),
        sub_appid: Some(AppId::parse("wx2421b1c4370ec43b").unwrap()),
        ..account()
    };
    for (sub_mch_id, sub_appid, expected) in [
        (Some("1900000201"), Some("wx2421b1c4370ec43b"), None),
        (Some("1900000202"), Some("wx2421b1c4370ec43b"), Some(Reason::AnswerForOtherMerchant)),
        (None, Some("wx2421b1c4370ec43b"), Some(Reason::AnswerForOtherMerchant)),
        (Some("1900000201"), Some("wx0000000000000000"), Some(Reason::AnswerForOtherApp)),
        (Some("1900000201"), None, Some(Reason::AnswerForOtherApp)),
    ] {
        let answer = Answer {
            sub_mch_id: sub_mch_id.map(str::to_owned),
            sub_appid: sub_appid.map(str::to_owned),
            ..paid_answer()
        };
        let reason = match judge(&ours, &by_order(), &answer) {
            OrderState::Paid(_) => None,
            OrderState::NotPaid(reason) => Some(reason),
        };
        assert_eq!(reason, expected, "{sub_mch_id:?} {sub_appid:?}");
    }
    let answer = Answer { sub_mch_id: Some("1900000201".into()), ..paid_answer() };
    assert_eq!(judge(&account(), &by_order(), &answer), OrderState::NotPaid(Reason::AnswerForOtherMerchant));
}
