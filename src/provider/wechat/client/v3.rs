//! Asking by API v3: signed as it is sent, and believed only if the answer is signed.

use super::certificates;
use super::exchange::{Failure, Logged, read_body};
use super::host::Host;
use super::{Query, WeChatPay};
use crate::domain::clock;
use crate::observe::metrics::On;
use crate::provider::wechat::v3::answer::{Answer, Fault, Received, Unusable};
use crate::provider::wechat::v3::{Keys, PublicKey, Serial, request};
use crate::provider::wechat::{Credentials, QueryError};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response, Url};
use tracing::{debug, warn};
use uuid::Uuid;

/// The header that says which key the answer is to be signed with.
const WANTED: HeaderName = crate::provider::wechat::v3::headers::SERIAL;

/// What an answer may be.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Sends one order query.
pub(super) async fn exchange(
    client: &WeChatPay,
    query: &Query<'_>,
    keys: &Keys,
    host: &Host,
) -> Result<Answer, Failure> {
    let target = request::order(query.account, &query.asked.ask);
    let received = ask(&client.http, query.account, keys, host.url(&target)).await?;
    let meters = client.meters.signing();
    if let Some(offset) = received.clock_offset() {
        meters.clock_offset(seconds(offset));
    }
    let signed = verify(client, query, keys, &received).await;
    if signed == Err(Fault::Probe) {
        meters.probe(On::Answer);
    }
    received.read(signed).map_err(|unusable| match unusable {
        Unusable::Status(status) => QueryError::HttpStatus(status).into(),
        Unusable::Unreadable => {
            Failure { error: QueryError::Unreadable, cause: Some("signed, and no strict JSON".to_owned()) }
        }
    })
}

async fn verify(
    client: &WeChatPay,
    query: &Query<'_>,
    keys: &Keys,
    received: &Received,
) -> Result<Option<Serial>, Fault> {
    let Some(signature) = received.signature()? else { return Ok(None) };
    let key = key(client, query, keys, signature.serial).await?;
    received.verify(&signature, &key).map(Some)
}

/// The key that a serial names, if need be by a download.
async fn key(client: &WeChatPay, query: &Query<'_>, keys: &Keys, serial: &str) -> Result<PublicKey, Fault> {
    let (account, certificates) = (query.account, &client.certificates);
    let known = || certificates.key(account, keys, serial);
    if let Some(key) = known() {
        return Ok(key);
    }
    if !certificates::may_have(keys, serial) {
        return Err(Fault::SerialUnknown);
    }
    let until = query.asked.wait_until.min(query.asked.deadline);
    certificates.fetch(account, query.began, until).await.map_err(|_| Fault::CertificatesUnavailable)?;
    known().ok_or(Fault::SerialUnknown)
}

/// Asks, and takes the whole answer.
pub(super) async fn ask(client: &Client, account: &Credentials, keys: &Keys, url: Url) -> Result<Received, Failure> {
    receive(send(client, account, keys, url, JSON).await?).await
}

/// Sends a signed GET of a URL. The signature is over its path and query as they are in it, and good for this one time.
pub(super) async fn send(
    client: &Client,
    account: &Credentials,
    keys: &Keys,
    url: Url,
    accept: HeaderValue,
) -> Result<Response, Failure> {
    let mut request = Request::new(Method::GET, url);
    let authorization = authorize(account, keys, request.url())?;
    let headers = request.headers_mut();
    headers.insert(AUTHORIZATION, authorization);
    headers.insert(ACCEPT, accept);
    if let Some((id, _)) = &keys.public_key {
        headers.insert(WANTED, header(id.as_str())?);
    }
    Ok(client.execute(request).await?)
}

fn authorize(account: &Credentials, keys: &Keys, url: &Url) -> Result<HeaderValue, Failure> {
    let signer = keys.signer.as_ref().ok_or(QueryError::NotSigned)?;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut nonce = Uuid::encode_buffer();
    let nonce = Uuid::now_v7().simple().encode_lower(&mut nonce);
    let authorization = signer.authorization(&account.mch_id, &target, clock::now().as_second(), nonce);
    let mut authorization = header(&authorization.map_err(|_| QueryError::NotSigned)?)?;
    authorization.set_sensitive(true);
    Ok(authorization)
}

fn header(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|_| QueryError::NotSigned.into())
}

/// Takes the whole answer.
pub(super) async fn receive(mut response: Response) -> Result<Received, Failure> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let body = read_body(response).await?.into();
    Ok(Received { status, headers, body, at: clock::now() })
}

/// Seconds as a number of the kind that metrics have.
pub(super) fn seconds(whole: i64) -> f64 {
    whole as f64
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
