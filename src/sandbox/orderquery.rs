//! `POST /pay/orderquery` as WeChat Pay answers it (`docs/reference/wechatpay-v2.md` sections 3 to 6), and as it
//! answers on a bad day.

use super::book::Book;
use super::coupon;
use super::fault::{ANOTHER_APP, Fault, FaultKind};
use super::merchant::{self, Merchant, Stranger};
use super::message::Message;
use super::order::{KnownTo, Order, OrderKey, TradeState};
use super::query::{Api, Host, Query};
use crate::domain::order::{MerchantId, OutTradeNo, TransactionId};
use crate::net::xml::Fields;
use crate::provider::wechat::sign::SignType;
use std::time::Duration;

/// What goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wire {
    /// HTTP 200, `text/plain`.
    Text(String),
    /// HTTP 200, of which only the first half arrives.
    Half(String),
    /// HTTP 502 with a page.
    BadGateway,
    /// This status and nothing else.
    Status(u16),
    /// A reset connection.
    Reset,
}

/// An answer and how long it is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) delay: Duration,
    pub(super) wire: Wire,
}

/// The texts of unsigned refusals (section 5).
mod refusal {
    pub(super) const XML: &str = "XML格式错误";
    pub(super) const SIGN: &str = "签名错误";
    pub(super) const APPID: &str = "商户号mch_id与appid不匹配";
    pub(super) const SUB_MCH_ID: &str = "受理机构必须传入sub_mch_id";
}

/// `err_code` and `err_code_des` (section 5.1).
type BusinessError = (&'static str, &'static str);

const ORDER_NOT_EXIST: BusinessError = ("ORDERNOTEXIST", "order not exist");
const SYSTEM_ERROR: BusinessError = ("SYSTEMERROR", "system error");
const FREQUENCY_LIMITED: BusinessError = ("FREQUENCY_LIMITED", "频率限制，1个月之前的订单申请退款请降低频率再重试。");
const LACK_PARAMS: BusinessError = ("LACK_PARAMS", "缺少参数");
const INVALID_TRANSACTION_ID: BusinessError = ("INVALID_TRANSACTIONID", "微信订单号非法");

/// The numbers that an answer writes bare.
const BARE: [&str; 5] = ["total_fee", "cash_fee", "coupon_fee", "coupon_count", "coupon_fee_0"];

/// A question whose signature holds.
struct Question {
    merchant: Merchant,
    sub_mch_id: Option<MerchantId>,
    sub_appid: Option<String>,
    sign_type: SignType,
    /// Wins if both ids are there.
    transaction_id: Option<String>,
    out_trade_no: Option<String>,
    has_nonce: bool,
}

/// Answers one query and remembers it.
pub(super) fn answer(book: &mut Book, host: Host, body: &[u8]) -> Reply {
    let number = book.next_query();
    let host_fault = book.host(host).take();
    let mut query = Query {
        number,
        host,
        api: Api::V2,
        mch_id: None,
        out_trade_no: None,
        transaction_id: None,
        answer: String::new(),
        answered_order: None,
        answered_fee: None,
        fault: host_fault.map(|fault| fault.kind),
    };
    let (text, fault) = match read(&book.merchants, body, &mut query) {
        Ok(question) => {
            let found = find(book, &question).and_then(|key| match book.order(key) {
                Some(order) if order.known_to != KnownTo::Bill => Ok(order),
                _ => Err(ORDER_NOT_EXIST),
            });
            let order_fault = found.as_ref().ok().and_then(|order| book.orders.get_mut(&order.key)?.faults.take());
            let fault = merge(host_fault, order_fault);
            let found = found.as_ref().map_err(|error| *error);
            let text = compose(book, &question, found, fault.map(|fault| fault.kind), &mut query);
            (text, fault)
        }
        Err(message) => {
            message.clone_into(&mut query.answer);
            (refuse(message), host_fault)
        }
    };
    query.fault = fault.map(|fault| fault.kind);
    book.record(query);
    Reply { delay: fault.map_or(Duration::ZERO, Fault::delay), wire: put_on_wire(text, fault.map(|fault| fault.kind)) }
}

/// One fault of two: a host that is merely slow is slow for faulty orders too, any other fault of a host hides theirs.
pub(super) fn merge(host: Option<Fault>, order: Option<Fault>) -> Option<Fault> {
    match (host, order) {
        (Some(host), Some(order)) if host.kind == FaultKind::Delay => {
            Some(Fault { delay_ms: host.delay_ms.saturating_add(order.delay_ms), ..order })
        }
        (host, order) => host.or(order),
    }
}

/// Reads the question and checks it in WeChat Pay's order: document, signature, application.
fn read(merchants: &[Merchant], body: &[u8], query: &mut Query) -> Result<Question, &'static str> {
    let fields = Fields::read(body).map_err(|_| refusal::XML)?;
    let get = |name| fields.filled(name);
    let owned = |name| get(name).map(str::to_owned);
    query.mch_id = owned("mch_id");
    query.transaction_id = owned("transaction_id");
    query.out_trade_no = owned("out_trade_no").filter(|_| query.transaction_id.is_none());

    let (merchant, sign_type) = merchant::asking(merchants, &fields).map_err(|stranger| match stranger {
        Stranger::Sign => refusal::SIGN,
        Stranger::AppId => refusal::APPID,
    })?;
    let sub_mch_id = get("sub_mch_id").and_then(|id| MerchantId::parse(id).ok());
    if merchant.service_provider && sub_mch_id.is_none() {
        return Err(refusal::SUB_MCH_ID);
    }
    Ok(Question {
        merchant: merchant.clone(),
        sub_mch_id,
        sub_appid: owned("sub_appid"),
        sign_type,
        transaction_id: owned("transaction_id"),
        out_trade_no: owned("out_trade_no"),
        has_nonce: get("nonce_str").is_some(),
    })
}

/// Which order is asked for, whether it is there or not.
fn find(book: &Book, question: &Question) -> Result<OrderKey, BusinessError> {
    if !question.has_nonce {
        return Err(LACK_PARAMS);
    }
    let (mch_id, sub_mch_id) = (question.merchant.mch_id, question.sub_mch_id);
    if let Some(transaction_id) = &question.transaction_id {
        let transaction_id = TransactionId::parse(transaction_id).map_err(|_| INVALID_TRANSACTION_ID)?;
        return book.key_of(mch_id, sub_mch_id, transaction_id).ok_or(ORDER_NOT_EXIST);
    }
    let out_trade_no = question.out_trade_no.as_ref().ok_or(LACK_PARAMS)?;
    let out_trade_no = OutTradeNo::parse(out_trade_no).map_err(|_| ORDER_NOT_EXIST)?;
    let key = OrderKey { mch_id, sub_mch_id, out_trade_no };
    Ok(key)
}

/// The answer's document, with those faults in it that a document can have.
fn compose(
    book: &Book,
    question: &Question,
    found: Result<&Order, BusinessError>,
    fault: Option<FaultKind>,
    query: &mut Query,
) -> String {
    let found = match fault {
        Some(FaultKind::OrderNotExist) => Err(ORDER_NOT_EXIST),
        Some(FaultKind::SystemError | FaultKind::SystemErrorUnsigned) => Err(SYSTEM_ERROR),
        Some(FaultKind::FrequencyLimited) => Err(FREQUENCY_LIMITED),
        _ => found,
    };
    let mut message = base(question, book.seed.answer_nonce(query.number));
    match found {
        Err((code, text)) => {
            code.clone_into(&mut query.answer);
            message.push("result_code", "FAIL");
            message.push("err_code", code);
            message.push("err_code_des", text);
        }
        Ok(order) => {
            let order = match fault {
                Some(FaultKind::NotPaid) => &Order { trade_state: TradeState::NotPay, ..order.clone() },
                Some(FaultKind::OtherOrder) => &order.somebody_elses(book.seed),
                _ => order,
            };
            order.trade_state.as_str().clone_into(&mut query.answer);
            message.push("result_code", "SUCCESS");
            describe(&mut message, order, question.sub_appid.is_some());
        }
    }
    lie(&mut message, book, question, fault);
    let key = question.merchant.v2_key();
    match fault {
        Some(FaultKind::BadlySigned) => message.sign(book.seed.wrong_key().as_bytes(), question.sign_type),
        _ => message.sign(key, question.sign_type),
    }
    spoil(&mut message, fault);
    query.answered_order = message.get("out_trade_no").map(str::to_owned);
    query.answered_fee = message.get("total_fee").and_then(|fee| fee.parse().ok());
    message.to_xml(&BARE)
}

/// The fields of every signed answer, up to `sign`.
fn base(question: &Question, nonce_str: String) -> Message {
    let mut message = Message::default();
    message.push("return_code", "SUCCESS");
    message.push("return_msg", "OK");
    message.push("appid", question.merchant.appid.as_str());
    message.push("mch_id", question.merchant.mch_id.as_str());
    message.push_some("sub_appid", question.sub_appid.as_deref());
    message.push_some("sub_mch_id", question.sub_mch_id.as_ref().map(MerchantId::as_str));
    message.push("nonce_str", nonce_str);
    message.push("sign", "");
    message
}

/// Exactly the fields that an order in `state` is answered with (section 4.2).
fn describe(message: &mut Message, order: &Order, for_sub_appid: bool) {
    let state = order.trade_state;
    match state {
        TradeState::Success | TradeState::Refund => pay(message, order, for_sub_appid),
        TradeState::NotPay => {
            message.push("device_info", "");
            message.push("total_fee", order.total_fee.to_string());
            message.push("out_trade_no", order.key.out_trade_no.as_str());
        }
        TradeState::Closed
        | TradeState::Revoked
        | TradeState::UserPaying
        | TradeState::PayError
        | TradeState::Accept => {
            message.push("out_trade_no", order.key.out_trade_no.as_str());
            message.push("attach", &order.attach);
        }
    }
    message.push("trade_state", state.as_str());
    if state.is_paid() {
        message.push("cash_fee", (order.total_fee - order.coupon_fee).to_string());
    }
    message.push("trade_state_desc", state.text());
    if state.is_paid() {
        message.push("cash_fee_type", "CNY");
        coupon::push(message, order);
    }
}

/// What only a payment has, up to `trade_state`.
fn pay(message: &mut Message, order: &Order, for_sub_appid: bool) {
    message.push("openid", &order.openid);
    message.push("is_subscribe", "N");
    if for_sub_appid {
        message.push("sub_openid", &order.openid);
        message.push("sub_is_subscribe", "N");
    }
    message.push("trade_type", &order.trade_type);
    message.push("bank_type", &order.bank_type);
    message.push("total_fee", order.total_fee.to_string());
    message.push("fee_type", "CNY");
    message.push_some("transaction_id", order.transaction_id.as_ref().map(TransactionId::as_str));
    message.push("out_trade_no", order.key.out_trade_no.as_str());
    message.push("attach", &order.attach);
    message.push_some("time_end", order.time_end.as_deref());
}

/// Faults that are signed.
fn lie(message: &mut Message, book: &Book, question: &Question, fault: Option<FaultKind>) {
    match fault {
        Some(FaultKind::OtherMerchant) => message.replace("mch_id", book.another_merchant(question.merchant.mch_id)),
        Some(FaultKind::OtherApp) => message.replace("appid", ANOTHER_APP),
        Some(FaultKind::ExtraField) => message.push("future_field", "x"),
        _ => {}
    }
}

/// Faults that come after the signature.
fn spoil(message: &mut Message, fault: Option<FaultKind>) {
    match fault {
        Some(FaultKind::Unsigned) => message.remove("sign"),
        Some(FaultKind::SystemErrorUnsigned) => {
            for name in ["appid", "mch_id", "sub_appid", "sub_mch_id", "nonce_str", "sign"] {
                message.remove(name);
            }
        }
        Some(FaultKind::Tampered) if message.get("trade_state") == Some("SUCCESS") => {
            let total_fee = message.get("total_fee").and_then(|fee| fee.parse::<u64>().ok()).unwrap_or_default();
            message.replace("total_fee", total_fee.saturating_add(1).to_string());
        }
        Some(FaultKind::Tampered) => {
            message.replace("trade_state", "SUCCESS");
            message.replace("result_code", "SUCCESS");
        }
        _ => {}
    }
}

/// An unsigned refusal.
pub(super) fn refuse(message: &str) -> String {
    let mut refusal = Message::default();
    refusal.push("return_code", "FAIL");
    refusal.push("return_msg", message);
    refusal.to_xml(&[])
}

/// The faults of whatever was to be sent.
fn put_on_wire(text: String, fault: Option<FaultKind>) -> Wire {
    if let Some(status) = fault.and_then(FaultKind::status) {
        return Wire::Status(status);
    }
    match fault {
        Some(FaultKind::Reset) => Wire::Reset,
        Some(FaultKind::Html502) => Wire::BadGateway,
        Some(FaultKind::Truncated) => Wire::Half(text),
        Some(FaultKind::Doctype) => Wire::Text(format!("<!DOCTYPE xml [<!ENTITY paid \"SUCCESS\">]>\n{text}")),
        Some(FaultKind::HalfXml) => Wire::Text(text.chars().take(text.chars().count() / 2).collect()),
        _ => Wire::Text(text),
    }
}
