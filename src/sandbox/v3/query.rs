//! `GET /v3/pay/transactions/...`, as WeChat Pay answers it and as it answers on a bad day
//! (`docs/reference/wechatpay-v3.md` section 3).

use super::answer::Answer;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::transaction;
use crate::domain::order::{MerchantId, OutTradeNo, TransactionId};
use crate::sandbox::book::Book;
use crate::sandbox::fault::{ANOTHER_APP, FaultKind};
use crate::sandbox::order::{KnownTo, Order, OrderKey, TradeState};
use crate::sandbox::query::Query;
use serde_json::{Value, json};

/// What is asked: which order of whom.
#[derive(Debug)]
pub(super) struct Asked {
    /// By a provider.
    pub(super) partner: bool,
    pub(super) by: By,
}

/// By which number, decoded.
#[derive(Debug)]
pub(super) enum By {
    Transaction(String),
    OutTradeNo(String),
}

impl By {
    /// Writes down what was asked.
    pub(super) fn note(&self, query: &mut Query) {
        match self {
            Self::Transaction(id) => query.transaction_id = Some(id.clone()),
            Self::OutTradeNo(number) => query.out_trade_no = Some(number.clone()),
        }
    }
}

/// Which order is asked for by this merchant, whether it is there or not.
pub(super) fn find(
    book: &Book,
    mch_id: MerchantId,
    asked: &Asked,
    parameters: &Parameters,
) -> Result<OrderKey, Refusal> {
    let is_provider = book.merchants.iter().any(|merchant| merchant.mch_id == mch_id && merchant.service_provider);
    let own = if asked.partner { "sp_mchid" } else { "mchid" };
    let named = parameters.get(own).ok_or_else(|| Refusal::parameter(own, "query", None))?;
    if named != mch_id.as_str() || is_provider != asked.partner {
        return Err(Refusal::NOT_YOURS);
    }
    let sub_mch_id = match parameters.get("sub_mchid") {
        Some(sub) if asked.partner => {
            Some(MerchantId::parse(sub).map_err(|_| Refusal::parameter("sub_mchid", "query", Some(sub)))?)
        }
        _ if asked.partner => return Err(Refusal::parameter("sub_mchid", "query", None)),
        _ => None,
    };
    match &asked.by {
        By::Transaction(id) => {
            let paid = TransactionId::parse(id).map_err(|_| Refusal::parameter("transaction_id", "uri", Some(id)))?;
            book.key_of(mch_id, sub_mch_id, paid).ok_or(Refusal::NO_SUCH_ORDER)
        }
        By::OutTradeNo(number) => {
            let bad = |_| Refusal::parameter("out_trade_no", "uri", Some(number));
            Ok(OrderKey { mch_id, sub_mch_id, out_trade_no: OutTradeNo::parse(number).map_err(bad)? })
        }
    }
}

/// The order of this name that queries know.
pub(super) fn order(book: &Book, key: OrderKey) -> Result<Order, Refusal> {
    book.order(key).filter(|order| order.known_to != KnownTo::Bill).ok_or(Refusal::NO_SUCH_ORDER)
}

/// The answer, unsigned, with those faults that its content can have.
pub(super) fn compose(
    book: &Book,
    found: Result<&Order, &Refusal>,
    fault: Option<FaultKind>,
    query: &mut Query,
) -> Answer {
    let found = match fault {
        Some(FaultKind::OrderNotExist) => Err(&Refusal::NO_SUCH_ORDER),
        Some(FaultKind::SystemError | FaultKind::SystemErrorUnsigned) => Err(&Refusal::SYSTEM_ERROR),
        Some(FaultKind::FrequencyLimited) => Err(&Refusal::FREQUENCY_LIMITED),
        _ => found,
    };
    let order = match found {
        Ok(order) => order,
        Err(refusal) => {
            refusal.code.clone_into(&mut query.answer);
            return refusal.into();
        }
    };
    let order = match fault {
        Some(FaultKind::NotPaid) => &Order { trade_state: TradeState::NotPay, ..order.clone() },
        Some(FaultKind::OtherOrder) => &order.somebody_elses(book.seed),
        _ => order,
    };
    let Some(appid) = book.appid(order.key.mch_id) else { return Answer::from(&Refusal::NO_SUCH_ORDER) };
    let mut fields = transaction::fields(order, appid);
    let is_partner = order.key.sub_mch_id.is_some();
    let lie = match fault {
        Some(FaultKind::OtherMerchant) if is_partner => Some(("sub_mchid", book.another_merchant(order.key.mch_id))),
        Some(FaultKind::OtherMerchant) => Some(("mchid", book.another_merchant(order.key.mch_id))),
        Some(FaultKind::OtherApp) if is_partner => Some(("sp_appid", ANOTHER_APP.to_owned())),
        Some(FaultKind::OtherApp) => Some(("appid", ANOTHER_APP.to_owned())),
        _ => None,
    };
    fields.extend(lie.map(|(name, value)| (name.to_owned(), json!(value))));
    order.trade_state.as_str().clone_into(&mut query.answer);
    query.answered_order = Some(order.key.out_trade_no.to_string());
    query.answered_fee = Some(order.total_fee);
    Answer { status: 200, body: Value::Object(fields), number: 0, signed_with: None }
}
