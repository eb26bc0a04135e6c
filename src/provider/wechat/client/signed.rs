//! A question of API v3, signed as it is sent.

use super::exchange::{Failure, read_body};
use crate::domain::clock;
use crate::provider::wechat::v3::answer::Received;
use crate::provider::wechat::v3::{Keys, headers};
use crate::provider::wechat::{Credentials, QueryError};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Client, Method, Request, Response, Url};
use uuid::Uuid;

/// Which key the answer is to be signed with.
const WANTED: HeaderName = headers::SERIAL;

/// What an answer may be.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

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
