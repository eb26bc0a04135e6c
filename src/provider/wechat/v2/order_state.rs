//! What an order query's answer establishes about the order, as pure functions: no I/O, no clock, no logging.

use crate::domain::clock;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{OutTradeNo, TransactionId};
use crate::domain::reason::Reason;
use crate::provider::payment::{Payment, Written};
use crate::provider::wechat::Credentials;
use crate::provider::wechat::trade_state::was_refunded;
use crate::provider::wechat::v2::{Answer, Signature};
use crate::provider::{AskBy, OrderState};
use std::sync::Arc;

/// What `answer` to the question `ask` establishes about the order.
///
/// The order of judgement is WeChat Pay's (`docs/reference/wechatpay-v2.md` section 1): was the message taken, is it
/// theirs, is it about this merchant and application, did the query work, is it about this order, and only then the
/// state.
#[must_use]
pub fn judge(account: &Credentials, ask: &AskBy, answer: &Answer) -> OrderState {
    paid_order(account, ask, answer).map_or_else(OrderState::NotPaid, |payment| OrderState::Paid(Arc::new(payment)))
}

const SUCCESS: &str = "SUCCESS";

fn paid_order(account: &Credentials, ask: &AskBy, answer: &Answer) -> Result<Payment, Reason> {
    taken(answer)?;
    signed(answer)?;
    about_account(account, answer)?;
    worked(ask, answer)?;
    let out_trade_no = about_order(ask, answer)?;
    let refunded = was_refunded(answer.trade_state.as_deref())?;
    let payment = payment(answer, out_trade_no, refunded).ok_or(Reason::AnswerIncomplete)?;
    match ask {
        AskBy::TransactionId(asked) if *asked != payment.transaction_id => Err(Reason::AnswerForOtherOrder),
        AskBy::TransactionId(_) | AskBy::OutTradeNo(_) => Ok(payment),
    }
}

fn taken(answer: &Answer) -> Result<(), Reason> {
    match answer.return_code.as_deref() {
        Some(SUCCESS) => Ok(()),
        Some(_) => Err(Reason::QueryRefused),
        None => Err(Reason::AnswerIncomplete),
    }
}

fn signed(answer: &Answer) -> Result<(), Reason> {
    match answer.signature {
        Signature::Valid => Ok(()),
        // WeChat Pay leaves some of its own system errors unsigned; either way nothing is known.
        Signature::Missing if answer.err_code.as_deref() == Some("SYSTEMERROR") => Err(Reason::WechatSystemError),
        Signature::Missing => Err(Reason::AnswerUnsigned),
        Signature::Wrong => Err(Reason::AnswerBadlySigned),
    }
}

fn about_account(account: &Credentials, answer: &Answer) -> Result<(), Reason> {
    let (Some(mch_id), Some(appid)) = (&answer.mch_id, &answer.appid) else { return Err(Reason::AnswerIncomplete) };
    if !account.is_merchant(Some(mch_id), answer.sub_mch_id.as_deref()) {
        return Err(Reason::AnswerForOtherMerchant);
    }
    if !account.is_app(Some(appid), answer.sub_appid.as_deref()) {
        return Err(Reason::AnswerForOtherApp);
    }
    Ok(())
}

/// The error table of `docs/reference/wechatpay-v2.md` section 5.1.
fn worked(ask: &AskBy, answer: &Answer) -> Result<(), Reason> {
    match answer.result_code.as_deref() {
        Some(SUCCESS) => Ok(()),
        None => Err(Reason::AnswerIncomplete),
        Some(_) => Err(match answer.err_code.as_deref() {
            Some("ORDERNOTEXIST") => Reason::OrderNotFound,
            // The callback made the id up; the channel's configuration is not to blame.
            Some("INVALID_TRANSACTIONID") if matches!(ask, AskBy::TransactionId(_)) => Reason::OrderNotFound,
            Some("SYSTEMERROR" | "BIZERR_NEED_RETRY") => Reason::WechatSystemError,
            Some("FREQUENCY_LIMITED" | "FREQUENCY_LIMIT" | "INVALID_REQ_TOO_MUCH") => Reason::WechatRateLimited,
            Some(_) | None => Reason::QueryRefused,
        }),
    }
}

fn about_order(ask: &AskBy, answer: &Answer) -> Result<OutTradeNo, Reason> {
    let answered = answer.out_trade_no.as_deref().ok_or(Reason::AnswerIncomplete)?;
    let answered = OutTradeNo::parse(answered).map_err(|_| Reason::AnswerIncomplete)?;
    match ask {
        AskBy::OutTradeNo(asked) if answered != *asked => Err(Reason::AnswerForOtherOrder),
        AskBy::OutTradeNo(_) | AskBy::TransactionId(_) => Ok(answered),
    }
}

/// `None` if a field that a paid order always has is absent or malformed.
fn payment(answer: &Answer, out_trade_no: OutTradeNo, refunded: bool) -> Option<Payment> {
    let transaction_id = TransactionId::parse(answer.transaction_id.as_deref()?).ok()?;
    let fen = Fen::parse(answer.total_fee.as_deref()?).ok()?;
    let currency = answer.fee_type.as_deref().map_or_else(|| Ok(Currency::default()), Currency::parse).ok()?;
    let paid_at = answer.time_end.as_deref().and_then(clock::from_time_end);
    Some(Payment {
        transaction_id,
        out_trade_no,
        amount: Money { fen, currency },
        paid_at,
        refunded,
        attach: answer.attach.as_deref().map(Box::from),
        written: Written::default(),
    })
}

#[cfg(test)]
mod tests;
