//! Sending notifications as WeChat Pay does: five seconds for an answer, and again on its schedule until acknowledged.

use super::Sandbox;
use super::http::CallError;
use super::notification::{Attempt, Judgement, Progress, RETRY_SCHEDULE};
use super::query::Api;
use super::v3::{Delivered, Envelope};
use crate::provider::wechat::v3::headers::SERIAL;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How long a receiver may take (`docs/reference/wechatpay-v2.md` section 7.1). The time scale leaves it alone:
/// receivers are not faster because waits are shorter.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How much of an answer is remembered.
const MOST_CHARACTERS: usize = 500;

/// What is sent.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) id: u64,
    pub(super) notify_url: String,
    pub(super) document: Document,
    pub(super) copies: u32,
    pub(super) retry: bool,
}

/// What is delivered, in either language.
#[derive(Debug, Clone)]
pub(super) enum Document {
    /// The same each time.
    V2(String),
    /// Signed anew each time.
    V3(Box<Envelope>),
}

/// Delivers until one copy is acknowledged or the schedule is over.
pub(super) async fn deliver(sandbox: Sandbox, delivery: Delivery) {
    let waits = RETRY_SCHEDULE.into_iter().take(if delivery.retry { RETRY_SCHEDULE.len() } else { 0 });
    for (round, wait) in std::iter::once(Duration::ZERO).chain(waits).enumerate() {
        tokio::time::sleep(wait / sandbox.time_scale()).await;
        if deliver_round(&sandbox, &delivery, round + 1).await {
            return sandbox.end(delivery.id, Progress::Acknowledged);
        }
    }
    sandbox.end(delivery.id, Progress::GivenUp);
}

/// Sends all copies at once; whether any was acknowledged. Retries are single.
async fn deliver_round(sandbox: &Sandbox, delivery: &Delivery, round: usize) -> bool {
    let copies = if round == 1 { delivery.copies } else { 1 };
    let mut under_way = JoinSet::new();
    for copy in 1..=copies {
        let (sandbox, delivery) = (sandbox.clone(), delivery.clone());
        under_way.spawn(async move {
            let attempt = attempt(&sandbox, &delivery, round, copy).await;
            let acknowledged = attempt.judgement == Judgement::Acknowledged;
            tracing::info!(id = delivery.id, round, copy, judgement = ?attempt.judgement, "notification");
            sandbox.record(delivery.id, attempt);
            acknowledged
        });
    }
    under_way.join_all().await.contains(&true)
}

async fn attempt(sandbox: &Sandbox, delivery: &Delivery, round: usize, copy: u32) -> Attempt {
    let started = Instant::now();
    let (format, request) = match &delivery.document {
        Document::V2(document) => (Api::V2, plain(&delivery.notify_url, document)),
        Document::V3(envelope) => (Api::V3, signed(sandbox, &delivery.notify_url, envelope, (round, copy))),
    };
    let serial = request.as_ref().ok().and_then(|request| request.headers().get(SERIAL)?.to_str().ok());
    let serial = serial.map(str::to_owned);
    let answer = async { sandbox.client().send(request?, ANSWER_LIMIT).await };
    let (status, answer, judgement) = match answer.await {
        Ok(answer) => {
            let judgement = Judgement::of(format, answer.status().as_u16(), answer.body());
            let text = String::from_utf8_lossy(answer.body()).chars().take(MOST_CHARACTERS).collect();
            (Some(answer.status().as_u16()), Some(text), judgement)
        }
        Err(CallError::Timeout(_)) => (None, None, Judgement::Timeout),
        Err(CallError::Connection(_) | CallError::Request(_)) => (None, None, Judgement::Connection),
    };
    let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    Attempt { round, copy, elapsed_ms, serial, status, answer, judgement }
}

fn plain(url: &str, document: &str) -> Result<Request<Bytes>, hyper::http::Error> {
    let request = Request::builder().method(Method::POST).uri(url);
    request.header(CONTENT_TYPE, HeaderValue::from_static("text/xml")).body(document.to_owned().into())
}

/// The request of this round and copy, with what WeChat Pay signs with now.
fn signed(
    sandbox: &Sandbox,
    url: &str,
    envelope: &Envelope,
    (round, copy): (usize, u32),
) -> Result<Request<Bytes>, hyper::http::Error> {
    let mut request = Request::builder().method(Method::POST).uri(url);
    let Some((key, stranger)) = sandbox.signs_notification(envelope, (round, copy)) else {
        return request.body(Bytes::new());
    };
    let Delivered { headers, body } = envelope.delivered(key, &stranger, (round, copy));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(body.into())
}
