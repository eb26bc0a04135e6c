//! The states of an order, which both languages call alike (`docs/reference/wechatpay-v2.md` section 4.3,
//! `docs/reference/wechatpay-v3.md` section 3.3).

use crate::domain::reason::Reason;

/// Whether an order that was paid was refunded since.
///
/// # Errors
/// Why it is not paid; if the answer has no state, that it is incomplete.
pub(super) fn was_refunded(trade_state: Option<&str>) -> Result<bool, Reason> {
    match trade_state.ok_or(Reason::AnswerIncomplete)? {
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
