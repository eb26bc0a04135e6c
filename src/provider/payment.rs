//! A payment, the fact that everything turns on.

use crate::domain::clock;
use crate::domain::money::Money;
use crate::domain::order::{OutTradeNo, TransactionId};
use hyper::header::{HeaderValue, InvalidHeaderValue};
use jiff::Timestamp;
use std::sync::OnceLock;

/// A payment as WeChat Pay confirmed it, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// WeChat Pay's number, needed for a refund.
    pub transaction_id: TransactionId,
    /// The merchant's number of the order that was paid.
    pub out_trade_no: OutTradeNo,
    /// `total_fee` and `fee_type`: what the order costs, not `cash_fee`, which coupons lessen.
    pub amount: Money,
    /// `time_end`. Nothing is decided by it, so an answer without it still proves the payment.
    pub paid_at: Option<Timestamp>,
    /// A refund was started since.
    pub refunded: bool,
    /// What the merchant attached to the order when it was made (`attach`); absent or empty is `None`.
    pub attach: Option<Box<str>>,
    /// These values as headers for the upstream, written once and not for every duplicate.
    pub written: Written,
}

/// A payment as header values. A payment that is cached is stamped many times and written once.
#[derive(Debug, Clone, Default)]
pub struct Written(OnceLock<Values>);

#[derive(Debug, Clone)]
pub(crate) struct Values {
    pub(crate) transaction_id: HeaderValue,
    pub(crate) out_trade_no: HeaderValue,
    pub(crate) amount: HeaderValue,
    pub(crate) currency: HeaderValue,
    pub(crate) paid_at: Option<HeaderValue>,
}

impl Written {
    pub(crate) fn get_or_write(&self, payment: &Payment) -> Result<&Values, InvalidHeaderValue> {
        if let Some(values) = self.0.get() {
            return Ok(values);
        }
        let paid_at = payment.paid_at.map(|at| HeaderValue::from_str(&clock::rfc3339_beijing(at))).transpose()?;
        let values = Values {
            transaction_id: HeaderValue::from_str(payment.transaction_id.as_str())?,
            out_trade_no: HeaderValue::from_str(payment.out_trade_no.as_str())?,
            amount: HeaderValue::from(payment.amount.fen.0),
            currency: HeaderValue::from_str(payment.amount.currency.as_str())?,
            paid_at,
        };
        Ok(self.0.get_or_init(|| values))
    }
}

/// Whether it was written yet says nothing about the payment.
impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Written {}
