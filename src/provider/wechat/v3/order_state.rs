//! What an order query's answer establishes about the order, as pure functions: no I/O, no clock, no logging.

use super::answer::{Answer, Fault, Refusal};
use super::json::{Malformed, Object};
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::provider::payment::{Payment, Written};
use crate::provider::wechat::Credentials;
use crate::provider::wechat::trade_state::was_refunded;
use crate::provider::{AskBy, OrderState};
use std::sync::Arc;

/// What `answer` to the question `ask` establishes about the order. Whether it is WeChat Pay's was checked when it
/// came; now it must be about this merchant and application, and about this order, and only then comes its state
/// (`docs/reference/wechatpay-v3.md` sections 3.2, 3.3 and 5).
#[must_use]
pub fn judge(account: &Credentials, ask: &AskBy, answer: &Answer) -> OrderState {
    let paid = match answer {
        Answer::Order { order, .. } => paid_order(account, ask, order),
        Answer::Refused(refusal) => Err(refused(refusal)),
        Answer::NotBelieved(fault) => Err(not_believed(*fault)),
    };
    paid.map_or_else(OrderState::NotPaid, |payment| OrderState::Paid(Arc::new(payment)))
}

const fn not_believed(fault: Fault) -> Reason {
    match fault {
        Fault::Unsigned => Reason::AnswerUnsigned,
        Fault::BadlySigned | Fault::Probe => Reason::AnswerBadlySigned,
        Fault::OutsideWindow(_) => Reason::AnswerOutsideWindow,
        Fault::SerialUnknown => Reason::AnswerSerialUnknown,
        Fault::CertificatesUnavailable => Reason::CertificatesUnavailable,
    }
}

fn refused(refusal: &Refusal) -> Reason {
    if refusal.is_about_rate() {
        Reason::WechatRateLimited
    } else if refusal.is_not_found() {
        Reason::OrderNotFound
    } else if refusal.is_system_error() {
        Reason::WechatSystemError
    } else {
        Reason::QueryRefused
    }
}

/// The fields of an order that are compared. What is no text where one must be is as good as missing.
struct Fields<'o> {
    mch_id: Option<&'o str>,
    sub_mch_id: Option<&'o str>,
    appid: Option<&'o str>,
    sub_appid: Option<&'o str>,
    out_trade_no: Option<&'o str>,
    transaction_id: Option<&'o str>,
    trade_state: Option<&'o str>,
}

impl<'o> Fields<'o> {
    fn read(account: &Credentials, order: &'o Object) -> Result<Self, Malformed> {
        let (mch_id, appid) = if account.sub_mch_id.is_some() { ("sp_mchid", "sp_appid") } else { ("mchid", "appid") };
        Ok(Self {
            mch_id: order.text(mch_id)?,
            sub_mch_id: order.text("sub_mchid")?,
            appid: order.text(appid)?,
            sub_appid: order.text("sub_appid")?,
            out_trade_no: order.text("out_trade_no")?,
            transaction_id: order.text("transaction_id")?,
            trade_state: order.text("trade_state")?,
        })
    }

    /// Whatever names a merchant or an application names the account's. That none is named is only looked at where it
    /// matters.
    fn about_account(&self, account: &Credentials) -> Result<(), Reason> {
        let mch_id = self.mch_id.unwrap_or(account.mch_id.as_str());
        let sub_mch_id = self.sub_mch_id.or(account.sub_mch_id.as_ref().map(|own| own.as_str()));
        if !account.is_merchant(Some(mch_id), sub_mch_id) {
            return Err(Reason::AnswerForOtherMerchant);
        }
        let appid = self.appid.unwrap_or(account.appid.as_str());
        let sub_appid = self.sub_appid.or(account.sub_appid.as_ref().map(|own| own.as_str()));
        if !account.is_app(Some(appid), sub_appid) {
            return Err(Reason::AnswerForOtherApp);
        }
        Ok(())
    }

    /// Whether all of it is named that a payment is held against.
    fn names_account(&self, account: &Credentials) -> bool {
        self.mch_id.is_some()
            && self.appid.is_some()
            && self.sub_mch_id.is_some() == account.sub_mch_id.is_some()
            && (self.sub_appid.is_some() || account.sub_appid.is_none())
    }

    fn about_order(&self, ask: &AskBy) -> Result<OutTradeNo, Reason> {
        let answered = self.out_trade_no.ok_or(Reason::AnswerIncomplete)?;
        let answered = OutTradeNo::parse(answered).map_err(|_| Reason::AnswerIncomplete)?;
        let is_other = match ask {
            AskBy::OutTradeNo(asked) => answered != *asked,
            AskBy::TransactionId(asked) => self.transaction_id.is_some_and(|answered| answered != asked.as_str()),
        };
        if is_other { Err(Reason::AnswerForOtherOrder) } else { Ok(answered) }
    }
}

fn paid_order(account: &Credentials, ask: &AskBy, order: &Object) -> Result<Payment, Reason> {
    let fields = Fields::read(account, order).map_err(|_| Reason::AnswerIncomplete)?;
    fields.about_account(account)?;
    let out_trade_no = fields.about_order(ask)?;
    let refunded = was_refunded(fields.trade_state)?;
    if !fields.names_account(account) {
        return Err(Reason::AnswerIncomplete);
    }
    let transaction_id = fields.transaction_id.and_then(|id| TransactionId::parse(id).ok());
    let amount = amount(order).ok().flatten();
    let (transaction_id, amount) = transaction_id.zip(amount).ok_or(Reason::AnswerIncomplete)?;
    // Nothing is decided by these.
    let (paid_at, attach) = (order.text("success_time"), order.text("attach"));
    Ok(Payment {
        transaction_id,
        out_trade_no,
        amount,
        paid_at: paid_at.ok().flatten().and_then(|at| at.parse().ok()),
        refunded,
        attach: attach.ok().flatten().map(Box::from),
        written: Written::default(),
    })
}

/// What an order costs; `None` if amount or currency is absent.
///
/// # Errors
/// If either is malformed.
pub fn amount(order: &Object) -> Result<Option<Money>, Malformed> {
    let (total, currency) = (order.integer("amount.total")?, order.text("amount.currency")?);
    let Some((total, currency)) = total.zip(currency) else { return Ok(None) };
    let fen = Fen::parse(&total.to_string()).map_err(|_| Malformed("amount.total"))?;
    let currency = Currency::parse(currency).map_err(|_| Malformed("amount.currency"))?;
    Ok(Some(Money { fen, currency }))
}

#[cfg(test)]
mod tests;
