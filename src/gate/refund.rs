//! Refund notifications. One is opened before anything is asked, so that a forgery costs no query; then confirmed,
//! since a right one is still only a claim. It goes on in its own request only: nothing is kept of it, since the
//! provider sends again, and nothing of it can be taken for a payment later.

use super::decide::{self, Confirmed, Pair};
use super::intake::Callback;
use super::policy::OnRefunded;
use super::records::Records;
use super::route::Route;
use crate::domain::money::Money;
use crate::domain::reason::{Reason, Verdict};
use crate::journal::Claimed;
use crate::provider::{OrderState, Refund};
use hyper::header::HeaderValue;
use uuid::Uuid;

/// Whether the order was paid, by this payment and so much. That it was refunded is what the notification says, so
/// `on_refunded` has no part in it.
///
/// # Errors
/// What is known against the order is one reason here; that nothing is known stays what it is.
pub(super) fn decide(callback: &Callback, state: &OrderState) -> Result<Confirmed, (Reason, Option<String>)> {
    let amount = match (callback.claimed.amount, state) {
        (Some(Money { fen, .. }), OrderState::Paid(payment)) if !callback.tells_currency => {
            Some(Money { fen, currency: payment.amount.currency })
        }
        (amount, _) => amount,
    };
    let claimed = Claimed { amount, ..callback.claimed };
    decide::decide(&claimed, None, Pair::Proven, state, OnRefunded::Forward).map_err(|reason| {
        if reason.verdict() == Some(Verdict::Unknown) {
            return (reason, None);
        }
        (Reason::RefundNotConfirmed, Some(format!("the order query says {reason} of the refund's order")))
    })
}

/// Adds the refund to the record of its payment, if the payment came as a notification and its record is in memory.
pub(super) fn tell_the_payment(
    records: &Records,
    route: &Route,
    claimed: &Claimed,
    confirmed: &Confirmed,
    request_id: Uuid,
) {
    let payment = confirmed.payment();
    let claimed = Claimed {
        out_trade_no: payment.out_trade_no,
        transaction_id: Some(payment.transaction_id),
        amount: Some(payment.amount),
        ..*claimed
    };
    if let Some(record) = records.known(&route.name, &claimed) {
        records.again(&record, request_id, Reason::RefundConfirmed);
    }
}

/// Says which refund a notification tells of, whatever becomes of it.
pub(super) fn tell(callback: &Callback, request_id: &HeaderValue) {
    let Callback { claimed: Claimed { out_trade_no, transaction_id: Some(transaction_id), .. }, .. } = callback else {
        return;
    };
    let Some(Refund { id: refund_id, merchant_number: out_refund_no, status: refund_status }) = &callback.refund else {
        return;
    };
    tracing::info!(
        request_id = request_id.to_str().unwrap_or_default(),
        out_trade_no = %out_trade_no,
        %transaction_id,
        refund_id,
        out_refund_no,
        refund_status,
        "a refund notification"
    );
}
