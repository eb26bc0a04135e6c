//! What a claim is held against once the state of its order is known: no word of any provider is in here. The tables
//! that begin at a provider's answer are beside the providers.

use super::*;
use crate::domain::money::{Currency, Fen};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo, TransactionId};
use crate::provider::payment::Written;

const NUMBER: &str = "ORDER20240101000001";
const TRANSACTION: &str = "4200000000202401010000000001";

fn money(fen: u64) -> Money {
    Money { fen: Fen(fen), currency: Currency::default() }
}

fn paid(fen: u64, refunded: bool) -> OrderState {
    OrderState::Paid(Arc::new(Payment {
        transaction_id: TransactionId::parse(TRANSACTION).unwrap(),
        out_trade_no: OutTradeNo::parse(NUMBER).unwrap(),
        amount: money(fen),
        paid_at: None,
        refunded,
        attach: None,
        written: Written::default(),
    }))
}

fn claimed_of(number: &str) -> Claimed {
    Claimed {
        channel: ChannelId::parse("app").unwrap(),
        order: OrderId::parse("LEGACY-1").unwrap(),
        out_trade_no: OutTradeNo::parse(number).unwrap(),
        transaction_id: None,
        amount: None,
    }
}

/// One value of a dimension and the reason it forces; `-` forces nothing.
type Row<T> = (T, &'static str);

#[test]
fn every_claim_of_a_paid_order_is_held_against_number_payment_pair_amount_and_price() {
    let numbers: [Row<&str>; 2] = [(NUMBER, "-"), ("ANOTHER-ORDER", "transaction-of-other-order")];
    let transactions: [Row<Option<&str>>; 3] =
        [(None, "-"), (Some(TRANSACTION), "-"), (Some("4200000000"), "transaction-differs")];
    // Whether it contradicts, and whether it is only not known.
    let pairs = [
        (Pair::Proven, "-", "-"),
        (Pair::OfAnotherOrder, "number-of-another-order", "-"),
        (Pair::NotListed, "-", "number-not-listed"),
    ];
    let amounts: [Row<Option<u64>>; 4] =
        [(None, "-"), (Some(100), "-"), (Some(99), "amount-differs"), (Some(101), "amount-differs")];
    // What the order costs: paid more than that is as wrong as paid less.
    let expected: [Row<Option<u64>>; 4] =
        [(None, "-"), (Some(100), "-"), (Some(99), "expected-amount-differs"), (Some(101), "expected-amount-differs")];
    let refunds =
        [(false, OnRefunded::Refuse, "-"), (true, OnRefunded::Refuse, "refunded"), (true, OnRefunded::Forward, "-")];
    for (number, r0) in numbers {
        for (transaction, r1) in transactions {
            for (pair, r2, r4) in pairs {
                for (amount, r3) in amounts {
                    for (price, r5) in expected {
                        for (refunded, policy, r6) in refunds {
                            let claimed = Claimed {
                                transaction_id: transaction.map(|id| TransactionId::parse(id).unwrap()),
                                amount: amount.map(money),
                                ..claimed_of(number)
                            };
                            let seen = decide(&claimed, price.map(money), pair, &paid(100, refunded), policy);
                            let seen = seen.map_or_else(Reason::code, |_| "forward");
                            let forced = [r0, r1, r2, r3, r4, r5, r6];
                            let wanted = forced.into_iter().find(|reason| *reason != "-").unwrap_or("forward");
                            assert_eq!(seen, wanted, "{claimed:?} {pair:?} {price:?} {refunded} {policy:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_not_paid_is_refused_for_the_reason_of_its_state_whatever_is_claimed() {
    for reason in Reason::ALL.iter().copied() {
        let state = OrderState::NotPaid(reason);
        let seen = decide(&claimed_of(NUMBER), None, Pair::Proven, &state, OnRefunded::Forward);
        assert_eq!(seen.map(|_| ()), Err(reason));
    }
}

#[test]
fn observe_lets_through_what_was_refused_for_its_claim_or_verdict_and_nothing_else() {
    for reason in Reason::ALL.iter().copied() {
        assert!(permit(Err(reason), Mode::Enforce).is_err(), "{reason}");
        let passes = matches!(reason.stage(), Stage::Claim | Stage::Verdict(_));
        match permit(Err(reason), Mode::Observe) {
            Ok(pass) => assert!(passes && pass.confirmed().is_none() && pass.would_refuse() == Some(reason)),
            Err(_) => assert!(!passes, "{reason}"),
        }
    }
}
