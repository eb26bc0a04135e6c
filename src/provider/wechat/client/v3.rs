//! Asking by API v3: signed as it is sent, and believed only if the answer is signed.

use super::certificates::may_have;
use super::exchange::{Failure, Line, Logged};
use super::host::Host;
use super::{Query, WeChatPay, signed};
use crate::observe::metrics::On;
use crate::provider::wechat::v3::answer::{Answer, Fault, Received, Unusable};
use crate::provider::wechat::v3::{Keys, Serial, request};
use crate::provider::wechat::{Credentials, QueryError};
use tokio::time::Instant;
use tracing::{debug, warn};

/// Sends one order query.
pub(super) async fn exchange(
    client: &WeChatPay,
    query: &Query<'_>,
    keys: &Keys,
    (host, line): (&Host, Line),
) -> Result<Answer, Failure> {
    let target = request::order(query.account, &query.asked.ask);
    let deadline = query.asked.deadline;
    let by = (query.account, keys);
    let received = signed::ask_for_order(&client.lines, host, by, &target, (line, deadline)).await?;
    let until = query.asked.wait_until.min(deadline);
    let verified = verify(client, query.account, keys, &received, (query.began, until)).await;
    received.read(verified).map_err(|unusable| match unusable {
        Unusable::Status(status) => QueryError::HttpStatus(status).into(),
        Unusable::Unreadable => Failure::new(QueryError::Unreadable, "signed, and no strict JSON"),
    })
}

/// The serial of the key that signed an answer, if it is a key of WeChat Pay's; `None` if it is an error without a
/// signature. A key that is not known is downloaded if that can begin in time: `since` the question was asked and
/// `until` when somebody waits.
pub(super) async fn verify(
    client: &WeChatPay,
    account: &Credentials,
    keys: &Keys,
    received: &Received,
    (since, until): (Instant, Instant),
) -> Result<Option<Serial>, Fault> {
    let signing = client.meters.signing();
    if let Some(offset) = received.clock_offset() {
        signing.clock_offset(signed::seconds(offset));
    }
    let signature = received.signature().inspect_err(|fault| {
        if *fault == Fault::Probe {
            signing.probe(On::Answer);
        }
    });
    let Some(signature) = signature? else { return Ok(None) };
    let certificates = &client.certificates;
    let known = || certificates.key(account, keys, signature.serial);
    let key = match known() {
        Some(key) => key,
        None if !may_have(keys, signature.serial) => return Err(Fault::SerialUnknown),
        None => {
            certificates.fetch(account, since, until).await.map_err(|_| Fault::CertificatesUnavailable)?;
            known().ok_or(Fault::SerialUnknown)?
        }
    };
    received.verify(&signature, &key).map(Some)
}

/// Tells what was answered. A probe is no trouble.
pub(super) fn log_answer(host: &Host, elapsed_ms: f64, answer: &Answer) {
    let host = &host.origin;
    match answer {
        Answer::Order { by, .. } => debug!(%host, elapsed_ms, signed_by = %by, "answered"),
        Answer::Refused(refusal) if refusal.is_not_found() => debug!(%host, elapsed_ms, "answered: no such order"),
        Answer::Refused(refusal) => {
            let (status, code, message) =
                (refusal.status, Logged(refusal.code.as_deref()), Logged(refusal.message.as_deref()));
            let (detail, clock_offset_s) = (Logged(refusal.detail.as_deref()), refusal.clock_offset);
            warn!(%host, elapsed_ms, status, %code, %message, %detail, clock_offset_s, "the query was refused");
        }
        Answer::NotBelieved(Fault::Probe) => debug!(%host, elapsed_ms, "a probe, which is asked about again"),
        Answer::NotBelieved(Fault::OutsideWindow(offset_s)) => {
            warn!(%host, elapsed_ms, offset_s, "answered, signed at a time that is too far from this machine's clock");
        }
        Answer::NotBelieved(fault) => {
            warn!(%host, elapsed_ms, signature = fault.as_str(), "answered without a valid signature");
        }
    }
}
