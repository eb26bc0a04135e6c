//! What WeChat Pay has confirmed.

use super::{time, words};
use crate::domain::order::{ChannelId, OutTradeNo};
use crate::domain::reason::{Reason, Verdict};
use crate::journal::Verified;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A payment that WeChat Pay confirmed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Payment {
    /// WeChat Pay's number, needed for a refund.
    pub transaction_id: String,
    /// What was paid, in fen.
    pub total_fee: u64,
    /// Of which currency.
    pub fee_type: String,
    /// When.
    #[schema(value_type = Option<words::Time>)]
    pub paid_at: Option<String>,
    /// `SUCCESS`, or `REFUND` once a refund was started.
    pub trade_state: &'static str,
    /// When it was confirmed the last time.
    #[schema(value_type = Option<words::Time>)]
    pub verified_at: Option<String>,
}

impl Payment {
    /// The payment, confirmed at this time the last time.
    #[must_use]
    pub fn new(verified: &Verified, at: Option<Timestamp>) -> Self {
        Self {
            transaction_id: verified.transaction_id.to_string(),
            total_fee: verified.amount.fen.0,
            fee_type: verified.amount.currency.as_str().to_owned(),
            paid_at: verified.paid_at.map(time),
            trade_state: if verified.refunded { "REFUND" } else { "SUCCESS" },
            verified_at: at.map(time),
        }
    }
}

/// What WeChat Pay says of an order now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Asked {
    /// The merchant account.
    pub channel: String,
    /// The number it was asked by.
    pub out_trade_no: String,
    /// What that comes to.
    #[schema(value_type = words::Verdict)]
    pub verdict: &'static str,
    /// Why.
    #[schema(value_type = words::Reason)]
    pub reason: &'static str,
    /// What the reason means.
    pub explanation: &'static str,
    /// WeChat Pay's number of the payment, if it is paid.
    pub transaction_id: Option<String>,
    /// What was paid, in fen.
    pub total_fee: Option<u64>,
    /// Of which currency.
    pub fee_type: Option<String>,
    /// When.
    #[schema(value_type = Option<words::Time>)]
    pub paid_at: Option<String>,
}

impl Asked {
    /// What was said of the order of this number.
    #[must_use]
    pub fn new(channel: ChannelId, out_trade_no: OutTradeNo, reason: Reason, payment: Option<&Verified>) -> Self {
        Self {
            channel: channel.to_string(),
            out_trade_no: out_trade_no.to_string(),
            verdict: reason.verdict().unwrap_or(Verdict::Unknown).as_str(),
            reason: reason.code(),
            explanation: reason.text(),
            transaction_id: payment.map(|payment| payment.transaction_id.to_string()),
            total_fee: payment.map(|payment| payment.amount.fen.0),
            fee_type: payment.map(|payment| payment.amount.currency.as_str().to_owned()),
            paid_at: payment.and_then(|payment| payment.paid_at).map(time),
        }
    }
}
