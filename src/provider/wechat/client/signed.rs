//! A question of API v3, signed as it is sent.

use super::exchange::{Failure, LARGEST_ANSWER, Line, Lines, read_body};
use super::host::Host;
use crate::domain::clock;
use crate::net::connection::Answer;
use crate::provider::wechat::v3::answer::Received;
use crate::provider::wechat::v3::{Keys, headers};
use crate::provider::wechat::{Credentials, QueryError};
use reqwest::header::HeaderMap;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response, Url};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// Which key the answer is to be signed with.
const WANTED: HeaderName = headers::SERIAL;

/// What an answer may be.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Asks, and takes the whole answer.
pub(super) async fn ask(client: &Client, account: &Credentials, keys: &Keys, url: Url) -> Result<Received, Failure> {
    receive(send(client, account, keys, url, JSON).await?).await
}

/// Asks a host for an order over one of the connections that are kept to it.
pub(super) async fn ask_for_order(
    lines: &Lines,
    host: &Host,
    (account, keys): (&Credentials, &Keys),
    target: &str,
    (line, deadline): (Line, Instant),
) -> Result<Received, Failure> {
    let target = host.target(target).ok_or(QueryError::NotSigned)?;
    let signing = authorize(account, keys, target.as_str().to_owned());
    let authorization = timeout_at(deadline, signing).await.map_err(|_| QueryError::Timeout)??;
    let mut request = host.request(Method::GET, target, JSON);
    sign(request.headers_mut(), keys, authorization)?;
    let answer = lines.exchange(host, request, |_| Some(LARGEST_ANSWER), (line, deadline)).await?;
    let Answer { status, headers, body } = answer;
    Ok(Received { status, headers, body, at: clock::now() })
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
    let target = match request.url().query() {
        Some(query) => format!("{}?{query}", request.url().path()),
        None => request.url().path().to_owned(),
    };
    let authorization = authorize(account, keys, target).await?;
    request.headers_mut().insert(ACCEPT, accept);
    sign(request.headers_mut(), keys, authorization)?;
    Ok(client.execute(request).await?)
}

fn sign(headers: &mut HeaderMap, keys: &Keys, authorization: HeaderValue) -> Result<(), Failure> {
    headers.insert(AUTHORIZATION, authorization);
    if let Some((id, _)) = &keys.public_key {
        headers.insert(WANTED, header(id.as_str())?);
    }
    Ok(())
}

/// A signature takes about a millisecond of one core: a thread of the runtime's would keep others waiting for it
/// (`docs/performance.md`, "API v3").
async fn authorize(account: &Credentials, keys: &Keys, target: String) -> Result<HeaderValue, Failure> {
    let signer = keys.signer.clone().ok_or(QueryError::NotSigned)?;
    let (mch_id, timestamp, nonce) = (account.mch_id, clock::now().as_second(), Uuid::now_v7());
    let signed = move || {
        let mut text = Uuid::encode_buffer();
        signer.authorization(&mch_id, &target, timestamp, nonce.simple().encode_lower(&mut text))
    };
    let authorization = spawn_blocking(signed).await.ok().and_then(Result::ok).ok_or(QueryError::NotSigned)?;
    let mut authorization = header(&authorization)?;
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
