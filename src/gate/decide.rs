//! The decision, as pure functions: no I/O, no clock, no logging. The only maker of [`Confirmed`], and so of permission
//! to pass.
//!
//! [`judge`] reads an answer and says what it establishes about the order, whoever asks; that is what the cache keeps.
//! [`decide`] then holds one callback's claim against it.

use super::claim::Claim;

use super::payment::{Payment, Written};
use super::policy::{Mode, OnRefunded};
use crate::domain::clock;
use crate::domain::money::{Currency, Fen, Money};
use crate::domain::order::{OutTradeNo, TransactionId};
use crate::domain::reason::{Reason, Stage, Verdict};
use crate::provider::wechat::{Account, Answer, AskBy, QueryError, Signature};
use std::sync::Arc;

/// What is known of a claim's pair of order id and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// The two belong together as far as the route wants it proven.
    Proven,
    /// The number is another order's.
    OfAnotherOrder,
    /// No source lists it, or did.
    NotListed,
}

/// What an answer establishes about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It was paid.
    Paid(Arc<Payment>),
    /// Anything else, and why. A reason of verdict `unknown` is no fact about the order and is never cached.
    Not(Reason),
}

impl Finding {
    /// The reason code of the order's state, whatever a callback claims of it.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Paid(payment) if payment.refunded => Reason::Refunded,
            Self::Paid(_) => Reason::Paid,
            Self::Not(reason) => *reason,
        }
    }

    /// Whether it says something about the order, rather than that nothing is known.
    #[must_use]
    pub fn is_fact(&self) -> bool {
        self.reason().verdict() != Some(Verdict::Unknown)
    }
}

/// What stands behind a callback that may pass as paid. Only [`decide`] makes one; `stamp` writes headers from nothing
/// else.
#[derive(Debug, Clone)]
pub struct Confirmed {
    payment: Arc<Payment>,
}

impl Confirmed {
    /// The payment that was confirmed for this very claim.
    #[must_use]
    pub fn payment(&self) -> &Payment {
        &self.payment
    }
}

/// Permission to go on to the upstream. Only [`permit`] makes one.
#[derive(Debug, Clone)]
pub struct Pass(PassKind);

#[derive(Debug, Clone)]
enum PassKind {
    Confirmed(Confirmed),
    Observed(Reason),
}

impl Pass {
    /// What was confirmed; `None` for a callback that passes only because its mode is observe.
    #[must_use]
    pub fn confirmed(&self) -> Option<&Confirmed> {
        match &self.0 {
            PassKind::Confirmed(confirmed) => Some(confirmed),
            PassKind::Observed(_) => None,
        }
    }

    /// Why enforce would have held it back.
    #[must_use]
    pub fn would_refuse(&self) -> Option<Reason> {
        match &self.0 {
            PassKind::Confirmed(_) => None,
            PassKind::Observed(reason) => Some(*reason),
        }
    }
}

/// What `answer` to the question `ask` establishes about the order, for whoever asked.
///
/// The order of judgement is the fact sheet's (`wechatpay-v2.md` section 1): was the message taken, is it theirs, is it
/// about this merchant and application, did the query work, is it about this order, and only then the state.
#[must_use]
pub fn judge(account: &Account, ask: &AskBy, answer: &Result<Answer, QueryError>) -> Finding {
    match answer {
        Ok(answer) => {
            paid_order(account, ask, answer).map_or_else(Finding::Not, |payment| Finding::Paid(Arc::new(payment)))
        }
        Err(error) => Finding::Not(no_answer(*error)),
    }
}

/// Holds a claim against what is known of its order. `out_trade_no` is what WeChat Pay calls the order that the
/// upstream will mark as paid: comparing it is what stops a paid transaction from vouching for another order. `pair` is
/// what is known of the claim's order id and number.
///
/// # Errors
/// The reason why the callback may not pass.
pub fn decide(
    claim: &Claim,
    expected: Option<Money>,
    out_trade_no: &OutTradeNo,
    pair: Pair,
    finding: &Finding,
    on_refunded: OnRefunded,
) -> Result<Confirmed, Reason> {
    let payment = match finding {
        Finding::Paid(payment) => payment,
        Finding::Not(reason) => return Err(*reason),
    };
    if payment.out_trade_no != *out_trade_no {
        return Err(Reason::TransactionOfOtherOrder);
    }
    if claim.transaction_id.is_some_and(|claimed| claimed != payment.transaction_id) {
        return Err(Reason::TransactionDiffers);
    }
    if pair == Pair::OfAnotherOrder {
        return Err(Reason::NumberOfAnotherOrder);
    }
    if claim.amount.is_some_and(|fen| Money { fen, currency: claim.currency } != payment.amount) {
        return Err(Reason::AmountDiffers);
    }
    if pair == Pair::NotListed {
        return Err(Reason::NumberNotListed);
    }
    if expected.is_some_and(|expected| expected != payment.amount) {
        return Err(Reason::ExpectedAmountDiffers);
    }
    if payment.refunded && on_refunded == OnRefunded::Refuse {
        return Err(Reason::Refunded);
    }
    Ok(Confirmed { payment: Arc::clone(payment) })
}

/// Turns a decision, or a refusal before one, into permission: what is confirmed passes; in observe mode so does what
/// was refused for its claim or its verdict. What is not a clean request to a known route never does.
///
/// # Errors
/// The reason why the callback may not pass.
pub fn permit(outcome: Result<Confirmed, Reason>, mode: Mode) -> Result<Pass, Reason> {
    match outcome {
        Ok(confirmed) => Ok(Pass(PassKind::Confirmed(confirmed))),
        Err(reason) => match (mode, reason.stage()) {
            (Mode::Observe, Stage::Claim | Stage::Verdict(_)) => Ok(Pass(PassKind::Observed(reason))),
            (Mode::Observe, Stage::Request | Stage::Upstream | Stage::FollowUp | Stage::Gate) | (Mode::Enforce, _) => {
                Err(reason)
            }
        },
    }
}

const SUCCESS: &str = "SUCCESS";

const fn no_answer(error: QueryError) -> Reason {
    match error {
        QueryError::Timeout => Reason::QueryTimeout,
        QueryError::Transport => Reason::QueryFailed,
        QueryError::RateLimited => Reason::RateLimited,
        QueryError::HttpStatus(_) => Reason::AnswerHttpStatus,
        QueryError::TooLarge => Reason::AnswerTooLarge,
        QueryError::Unreadable => Reason::AnswerUnreadable,
    }
}

fn paid_order(account: &Account, ask: &AskBy, answer: &Answer) -> Result<Payment, Reason> {
    taken(answer)?;
    signed(answer)?;
    about_account(account, answer)?;
    worked(ask, answer)?;
    let out_trade_no = about_order(ask, answer)?;
    let refunded = was_paid(answer)?;
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

fn about_account(account: &Account, answer: &Answer) -> Result<(), Reason> {
    let (Some(mch_id), Some(appid)) = (&answer.mch_id, &answer.appid) else { return Err(Reason::AnswerIncomplete) };
    if !account.is_merchant(Some(mch_id), answer.sub_mch_id.as_deref()) {
        return Err(Reason::AnswerForOtherMerchant);
    }
    if !account.is_app(Some(appid), answer.sub_appid.as_deref()) {
        return Err(Reason::AnswerForOtherApp);
    }
    Ok(())
}

/// The error table of `wechatpay-v2.md` section 5.1.
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

/// Whether it was refunded since. The table of `wechatpay-v2.md` section 4.3.
fn was_paid(answer: &Answer) -> Result<bool, Reason> {
    match answer.trade_state.as_deref().ok_or(Reason::AnswerIncomplete)? {
        "SUCCESS" => Ok(false),
        "REFUND" => Ok(true),
        "NOTPAY" => Err(Reason::NotPaidYet),
        "USERPAYING" => Err(Reason::UserPaying),
        "ACCEPT" => Err(Reason::AwaitingDeduction),
        "CLOSED" => Err(Reason::Closed),
        "REVOKED" => Err(Reason::Revoked),
        "PAYERROR" => Err(Reason::PayError),
        _ => Err(Reason::TradeStateUnknown),
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
