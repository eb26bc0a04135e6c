//! Made-up payments, to try a route's `synthesize` before an order needs it.

use super::Facts;
use crate::domain::clock;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{OrderId, OutTradeNo, TransactionId};
use crate::gate::channel::Channel;
use crate::gate::claim::OrderType;
use crate::gate::route::Route;
use crate::provider::Evidence;
use crate::provider::payment::{Payment, Written};

/// One payment.
pub(super) struct Sample {
    order: OrderId,
    payment: Payment,
    evidence: Evidence,
}

/// An id of digits only, which a template might write without quotes; one with every sign that an order id can have;
/// one as long as WeChat Pay takes.
const ORDERS: [&str; 3] = ["20240101000001", "A_b-C|d*E@9z", "Z_-|*@Z_-|*@Z_-|*@Z_-|*@Z_-|*@Z9"];

/// The samples where the backend reads numbers: the largest is one of 64 bits.
const NUMBERS: [&str; 3] = ["20240101000001", "7", "9223372036854775807"];

const TRANSACTIONS: [&str; 3] =
    ["4200000000202401010000000001", "1000320306201511078440737890", "abcdefghijklmnopqrstuvwxyzABCDEF"];

/// The smallest, one that has no whole yuan, and the largest.
const AMOUNTS: [u64; 3] = [1, 6_605, 999_999_999_999_999];

/// Most bytes of an `out_trade_no`.
const NUMBER_BYTES: usize = 32;

/// Payments of `channel` as they may be told on `route`.
pub(super) fn all(route: &Route, channel: &Channel) -> Vec<Sample> {
    let fields = route.main.claim.fields();
    // A notification calls the order what WeChat Pay calls it.
    let is_the_number = fields.out_trade_no.as_ref() == Some(&fields.order);
    let affix = &channel.out_trade_no;
    let taken = if is_the_number { 0 } else { affix.prefix.len() + affix.suffix.len() };
    let orders = match fields.strictness.order_type {
        OrderType::Text => &ORDERS,
        OrderType::Integer => &NUMBERS,
    };
    let kinds = orders.iter().zip(TRANSACTIONS).zip(AMOUNTS);
    let sample = |((order, transaction), fen): ((&&str, &str), u64)| {
        let order = OrderId::parse(order.get(..NUMBER_BYTES.saturating_sub(taken)).unwrap_or(order)).ok()?;
        let out_trade_no =
            if is_the_number { OutTradeNo::parse(order.as_str()).ok()? } else { affix.apply(&order).ok()? };
        let payment = Payment {
            transaction_id: TransactionId::parse(transaction).ok()?,
            out_trade_no,
            amount: Money { fen: Fen(fen), currency: Currency::default() },
            paid_at: if fen == 1 { None } else { clock::from_time_end("20240101123456") },
            refunded: fen != 1,
            attach: None,
            written: Written::default(),
        };
        let evidence = channel.account.sample_evidence(&payment);
        Some(Sample { order, payment, evidence })
    };
    kinds.filter_map(sample).collect()
}

impl Sample {
    pub(super) fn facts<'a>(&'a self, channel: &'a Channel) -> Facts<'a> {
        Facts {
            order: &self.order,
            channel,
            payment: &self.payment,
            evidence: &self.evidence,
            at: self.payment.paid_at.unwrap_or_default(),
        }
    }
}
