//! An order as the simulated WeChat Pay holds it.

use super::fault::Faults;
use super::seed::Seed;
use crate::domain::clock;
use crate::domain::order::{AppId, MerchantId, OutTradeNo, TransactionId};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

/// What becomes of an order (`docs/reference/wechatpay-v2.md` section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "UPPERCASE")]
#[value(rename_all = "UPPER")]
pub enum TradeState {
    /// Paid.
    Success,
    /// Paid, and a refund (full or partial) was started.
    Refund,
    /// Nobody has paid so far.
    #[default]
    NotPay,
    /// Closed by the merchant, or expired.
    Closed,
    /// Reversed (micropay).
    Revoked,
    /// The payer is typing the password (micropay).
    UserPaying,
    /// The payment failed (micropay).
    PayError,
    /// Waiting for a delegated deduction.
    Accept,
}

impl TradeState {
    /// Every state there is.
    pub const ALL: [Self; 8] = [
        Self::Success,
        Self::Refund,
        Self::NotPay,
        Self::Closed,
        Self::Revoked,
        Self::UserPaying,
        Self::PayError,
        Self::Accept,
    ];

    /// The value of `trade_state`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
            Self::NotPay => "NOTPAY",
            Self::Closed => "CLOSED",
            Self::Revoked => "REVOKED",
            Self::UserPaying => "USERPAYING",
            Self::PayError => "PAYERROR",
            Self::Accept => "ACCEPT",
        }
    }

    /// The value of `trade_state_desc`. The texts of REVOKED and ACCEPT are made up; nobody has published one.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Success => "支付成功",
            Self::Refund => "订单发生过退款，退款详情请查询退款单",
            Self::NotPay => "订单未支付",
            Self::Closed => "订单已关闭",
            Self::Revoked => "订单已撤销",
            Self::UserPaying => "需要用户输入支付密码",
            Self::PayError => "支付失败，请撤销订单",
            Self::Accept => "已接收，等待扣款",
        }
    }

    /// Whether money has moved, so that there is a transaction id.
    #[must_use]
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Success | Self::Refund)
    }
}

impl fmt::Display for TradeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where an order is to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum KnownTo {
    /// In bills, and by order queries.
    #[default]
    Both,
    /// In bills only: queries say ORDERNOTEXIST.
    Bill,
    /// By order queries only: bills lack it.
    Query,
}

/// What tells one order from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct OrderKey {
    /// Whose order.
    #[serde(serialize_with = "text")]
    pub mch_id: MerchantId,
    /// Which sub-merchant's, in service-provider mode.
    #[serde(serialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub sub_mch_id: Option<MerchantId>,
    /// The merchant's number of it.
    #[serde(serialize_with = "text")]
    pub out_trade_no: OutTradeNo,
}

/// One order. The fields are WeChat's.
#[derive(Debug, Clone, Serialize)]
pub struct Order {
    /// Which.
    #[serde(flatten)]
    pub key: OrderKey,
    /// What became of it.
    pub trade_state: TradeState,
    /// Fen.
    pub total_fee: u64,
    /// The part of it that a recharge coupon paid, fen.
    pub coupon_fee: u64,
    /// WeChat Pay's number of the payment, once paid.
    #[serde(serialize_with = "optional_text")]
    pub transaction_id: Option<TransactionId>,
    /// When it was paid: `yyyyMMddHHmmss`, Beijing time.
    pub time_end: Option<String>,
    /// When it was refunded, in the same form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_time: Option<String>,
    /// Where it is to be found.
    pub known_to: KnownTo,
    /// The application that its bill names; by default the merchant's first.
    #[serde(serialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub appid: Option<AppId>,
    /// The sub-merchant's application, in service-provider mode, if it was used to place the order. API v3 says it; API v2
    /// says the one of the question.
    #[serde(serialize_with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub sub_appid: Option<AppId>,
    /// The payer.
    pub openid: String,
    /// `APP`, `JSAPI`, `NATIVE` ...
    pub trade_type: String,
    /// Which bank paid.
    pub bank_type: String,
    /// What the merchant wanted back.
    pub attach: String,
    /// How the next queries for it go wrong.
    pub faults: Faults,
}

/// What somebody says of an order. What is left out keeps its value, or gets a default in a new order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct OrderFields {
    /// Its amount in fen (100 for a new order).
    #[arg(long, value_name = "FEN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_fee: Option<u64>,
    /// The part that a recharge coupon pays, in fen
    #[arg(long, value_name = "FEN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coupon_fee: Option<u64>,
    /// WeChat Pay's number of the payment (derived from the seed).
    #[arg(long, value_name = "ID")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// When it was paid, yyyyMMddHHmmss in Beijing time (now).
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_end: Option<String>,
    /// When it was refunded, in the same form (now).
    #[arg(long, value_name = "TIME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_time: Option<String>,
    /// Where it is to be found: in bills, by order queries, or both (both).
    #[arg(long, value_name = "WHERE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_to: Option<KnownTo>,
    /// The application that its bill names (the merchant's first).
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid: Option<String>,
    /// The sub-merchant's application, as API v3 says it (none).
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_appid: Option<String>,
    /// The payer (derived from the seed).
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// APP, JSAPI, NATIVE, MWEB, MICROPAY ... (APP)
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_type: Option<String>,
    /// Which bank pays (OTHERS).
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bank_type: Option<String>,
    /// What the merchant wants back in every answer.
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attach: Option<String>,
    /// How the next queries for the order go wrong.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faults: Option<Faults>,
}

/// What cannot be said of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadOrder {
    /// Not a transaction id.
    #[error("transaction_id: at most 32 letters and digits")]
    TransactionId,
    /// Not a time.
    #[error("time_end: yyyyMMddHHmmss")]
    TimeEnd,
    /// Not a time.
    #[error("refund_time: yyyyMMddHHmmss")]
    RefundTime,
    /// Not an application.
    #[error("appid, sub_appid: at most 32 letters and digits")]
    AppId,
    /// More coupon than order.
    #[error("coupon_fee: no more than total_fee")]
    CouponFee,
}

impl Order {
    /// An order that was just made: 100 fen, not paid.
    pub(super) fn new(key: OrderKey, seed: Seed) -> Self {
        Self {
            key,
            trade_state: TradeState::NotPay,
            total_fee: 100,
            coupon_fee: 0,
            transaction_id: None,
            time_end: None,
            refund_time: None,
            known_to: KnownTo::Both,
            appid: None,
            sub_appid: None,
            openid: seed.openid(&[key.mch_id.as_str(), key.out_trade_no.as_str()]),
            trade_type: "APP".to_owned(),
            bank_type: "OTHERS".to_owned(),
            attach: String::new(),
            faults: Faults::default(),
        }
    }

    /// The order after `said` was said of it and it went into `state`.
    ///
    /// A paid order gets a transaction id and a time, a refunded one another time, an unpaid one loses them.
    pub(super) fn with(mut self, state: TradeState, said: OrderFields, seed: Seed) -> Result<Self, BadOrder> {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut self.total_fee, said.total_fee);
        set(&mut self.coupon_fee, said.coupon_fee);
        set(&mut self.openid, said.openid);
        set(&mut self.trade_type, said.trade_type);
        set(&mut self.bank_type, said.bank_type);
        set(&mut self.attach, said.attach);
        set(&mut self.faults, said.faults);
        set(&mut self.known_to, said.known_to);
        if let Some(appid) = said.appid {
            self.appid = Some(AppId::parse(&appid).map_err(|_| BadOrder::AppId)?);
        }
        if let Some(appid) = said.sub_appid {
            self.sub_appid = Some(AppId::parse(&appid).map_err(|_| BadOrder::AppId)?);
        }
        if self.coupon_fee > self.total_fee {
            return Err(BadOrder::CouponFee);
        }
        self.trade_state = state;
        if !state.is_paid() {
            (self.transaction_id, self.time_end, self.refund_time) = (None, None, None);
            return Ok(self);
        }
        let OrderKey { mch_id, sub_mch_id, out_trade_no } = self.key;
        let sub_mch_id = sub_mch_id.map_or_else(String::new, |id| id.to_string());
        let transaction_id = said.transaction_id.or_else(|| self.transaction_id.map(|id| id.to_string()));
        let transaction_id = transaction_id
            .unwrap_or_else(|| seed.transaction_id(&[mch_id.as_str(), &sub_mch_id, out_trade_no.as_str()]));
        self.transaction_id = Some(TransactionId::parse(&transaction_id).map_err(|_| BadOrder::TransactionId)?);
        let paid_at = said.time_end.or(self.time_end).unwrap_or_else(|| clock::time_end(clock::now()));
        clock::from_time_end(&paid_at).ok_or(BadOrder::TimeEnd)?;
        self.time_end = Some(paid_at);
        let refunded_at = said.refund_time.or(self.refund_time);
        self.refund_time =
            (state == TradeState::Refund).then(|| refunded_at.unwrap_or_else(|| clock::time_end(clock::now())));
        if self.refund_time.as_ref().is_some_and(|time| clock::from_time_end(time).is_none()) {
            return Err(BadOrder::RefundTime);
        }
        Ok(self)
    }
}

/// What answers for another order than the one that was asked for are for.
const SOMEBODY_ELSES: &str = "SOMEBODY_ELSES_ORDER";

impl Order {
    /// Another order like this one, which is paid.
    pub(super) fn somebody_elses(&self, seed: Seed) -> Self {
        let transaction_id = Some(seed.transaction_id(&[SOMEBODY_ELSES]));
        let said = OrderFields { transaction_id, ..OrderFields::default() };
        let mut order = self.clone().with(TradeState::Success, said, seed).unwrap_or_else(|_| self.clone());
        if let Ok(out_trade_no) = OutTradeNo::parse(SOMEBODY_ELSES) {
            order.key.out_trade_no = out_trade_no;
        }
        order
    }
}

fn text<S: Serializer>(id: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

fn optional_text<S: Serializer>(id: &Option<impl fmt::Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> Order {
        let key = OrderKey {
            mch_id: MerchantId::parse("1900000109").unwrap(),
            sub_mch_id: None,
            out_trade_no: OutTradeNo::parse("A1").unwrap(),
        };
        Order::new(key, Seed(1))
    }

    #[test]
    fn a_paid_order_keeps_its_transaction_id_until_it_is_unpaid() {
        let paid = order().with(TradeState::Success, OrderFields::default(), Seed(1)).unwrap();
        let refunded = paid.clone().with(TradeState::Refund, OrderFields::default(), Seed(2)).unwrap();
        assert!(paid.transaction_id.is_some() && paid.time_end.is_some());
        assert_eq!(paid.transaction_id, refunded.transaction_id);
        let closed = refunded.with(TradeState::Closed, OrderFields::default(), Seed(1)).unwrap();
        assert_eq!((closed.transaction_id, closed.time_end), (None, None));
    }

    #[test]
    fn nonsense_about_an_order_is_refused() {
        let say = |said| order().with(TradeState::Success, said, Seed(1)).unwrap_err();
        assert_eq!(say(OrderFields { coupon_fee: Some(101), ..OrderFields::default() }), BadOrder::CouponFee);
        assert_eq!(
            say(OrderFields { transaction_id: Some("4 2".into()), ..OrderFields::default() }),
            BadOrder::TransactionId
        );
        assert_eq!(say(OrderFields { time_end: Some("tomorrow".into()), ..OrderFields::default() }), BadOrder::TimeEnd);
    }

    #[test]
    fn times_are_written_in_beijing() {
        assert_eq!(clock::time_end("2024-01-01T04:34:56Z".parse().unwrap()), "20240101123456");
    }
}
