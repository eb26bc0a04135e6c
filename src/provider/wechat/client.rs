//! The order query over HTTP: which host, how long, how often. What an answer means is decided elsewhere.

mod bill;

mod certificates;

mod exchange;

mod host;

mod signed;

mod v3;

pub use bill::BillStream;
pub(super) use certificates::may_have;

use super::answer::Answer;
use super::budget::Budget;
use super::v2::{self, Signature};
use super::{Api, Credentials, QueryError};
use crate::domain::order::MerchantId;
use crate::net::connection::Bound;
use crate::net::http_client;
use crate::observe::metrics::QueryMeters;
use crate::observe::traces::Parent;
use crate::provider::{self, AskBy, HostState, Part};
use certificates::Certificates;
use exchange::{Failure, LARGEST_ANSWER, Line, Lines, Logged};
use host::Host;
use http_body_util::Full;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};
use uuid::Uuid;

/// How WeChat Pay is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Origins in the order they are tried, `https://api.mch.weixin.qq.com` first; plain http on loopback only.
    pub hosts: Vec<String>,
    /// How long the first host may be silent before the second is asked too.
    pub hedge_after: Duration,
    /// Queries a second for one merchant; twice as many at once.
    pub queries_per_second: u32,
}

/// The client for WeChat Pay: connections and a breaker for each host, and a budget for each merchant.
pub struct WeChatPay {
    lines: Lines,
    /// For what is not asked often.
    http: Client,
    /// In order, at least one.
    hosts: Vec<Arc<Host>>,
    budget: Budget,
    certificates: Arc<Certificates>,
    meters: QueryMeters,
    settings: Settings,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The answer, which may be an error, unsigned, or about something else.
    pub answer: Answer,
    /// The origin of the host that gave it.
    pub host: Arc<str>,
    /// How many queries were sent for it, hedges and retries included.
    pub attempts: u32,
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No host is configured.
    #[error("no host of WeChat Pay is configured")]
    NoHost,
    /// The host at this position is not an http or https origin.
    #[error("hosts[{0}] is not the origin of a host of WeChat Pay, such as https://api.mch.weixin.qq.com")]
    Host(usize),
    /// The system's certificate authorities could not be read; `SSL_CERT_FILE` can name them.
    #[error(
        "no certificate authorities to know WeChat Pay by (install ca-certificates, or name a file in SSL_CERT_FILE)"
    )]
    Tls(#[from] rustls::Error),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[from] reqwest::Error),
}

/// One question while it is being asked.
struct Query<'q> {
    account: &'q Credentials,
    asked: &'q provider::Query<'q>,
    began: Instant,
    sent: AtomicU32,
    /// How many of those met a kept connection that had ended.
    on_kept: AtomicU32,
}

struct Reply {
    answer: Answer,
    from: Arc<Host>,
}

type Outcome = Result<Box<Reply>, QueryError>;

impl WeChatPay {
    /// Sets up the client; opens no connection.
    ///
    /// # Errors
    /// If a host's origin is unusable, or an https host is configured on a system without certificate authorities.
    pub fn new(settings: &Settings) -> Result<Self, BuildError> {
        let hosts: Vec<_> = settings
            .hosts
            .iter()
            .enumerate()
            .map(|(position, origin)| Host::new(position, origin).map(Arc::new))
            .collect::<Result<_, _>>()?;
        if hosts.is_empty() {
            return Err(BuildError::NoHost);
        }
        let encrypted = hosts.iter().any(|host| host.is_encrypted());
        // Reading the system's certificate authorities takes long, so it is done once for both.
        let tls = http_client::tls(encrypted)?;
        let (http, meters) = (exchange::http_client(tls.clone())?, QueryMeters::default());
        Ok(Self {
            budget: Budget::new(settings.queries_per_second),
            certificates: Arc::new(Certificates::new(http.clone(), hosts.clone(), meters.clone())),
            lines: Lines::new(tls),
            hosts,
            http,
            meters,
            settings: settings.clone(),
        })
    }

    /// As [`new`](Self::new), counting queries in these meters.
    #[must_use]
    pub fn measured(self, meters: QueryMeters) -> Self {
        let certificates = Certificates::new(self.http.clone(), self.hosts.clone(), meters.clone());
        Self { meters, certificates: Arc::new(certificates), ..self }
    }

    /// The settings it was made with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks for an order and returns the first usable answer, whatever it says.
    ///
    /// The hosts are asked in order, the next one when the one before has failed or has been silent for `hedge_after`;
    /// those that were out of reach many times in a row come last. A host whose kept connection ended before a byte of
    /// an answer is asked once more on a fresh one. A transient answer is asked about once more, from the next host if
    /// there is one; so is a failure if only one query was sent otherwise, unless all hosts were out of reach as often. Each query
    /// sent counts against the merchant's budget, as the follow-up's. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// If there was no readable answer before `deadline`; the variants say why.
    pub async fn order_query(
        &self,
        account: &Credentials,
        ask: &AskBy,
        deadline: Instant,
    ) -> Result<Asked, QueryError> {
        let within = Parent::default();
        let query =
            provider::Query { ask: *ask, part: Part::FollowUp, deadline, wait_until: deadline, within: &within };
        self.order_query_within(account, &query).await
    }

    /// As [`order_query`](Self::order_query), out of a part of the budget, and as a step of a trace.
    ///
    /// # Errors
    /// As [`order_query`](Self::order_query).
    pub async fn order_query_within(
        &self,
        account: &Credentials,
        asked: &provider::Query<'_>,
    ) -> Result<Asked, QueryError> {
        let query =
            Query { account, asked, began: Instant::now(), sent: AtomicU32::new(0), on_kept: AtomicU32::new(0) };
        let mut outcome = self.ask(&query, &self.hosts_from(0)).await;
        if let Some(start) = self.ask_again_from(&query, &outcome) {
            outcome = better(self.ask(&query, &self.hosts_from(start)).await, outcome);
        }
        outcome.map(|reply| Asked {
            answer: reply.answer,
            host: Arc::clone(&reply.from.origin),
            attempts: query.sent.load(Ordering::Relaxed),
        })
    }

    /// The platform certificates, and their downloads.
    pub(super) const fn certificates(&self) -> &Arc<Certificates> {
        &self.certificates
    }

    /// What is counted of what it asks.
    pub(super) const fn meters(&self) -> &QueryMeters {
        &self.meters
    }

    /// How many queries of a merchant can be sent at once now, and how many if none was for a while.
    #[must_use]
    pub fn queries_left(&self, merchant: &MerchantId) -> (u32, u32) {
        self.budget.left(merchant)
    }

    /// How many queries of each merchant were wanted so far, sent or not.
    #[must_use]
    pub fn queries_wanted(&self) -> Vec<(MerchantId, u64)> {
        self.budget.wanted()
    }

    /// Sends only this part of a merchant's rate from now on (more than 0, at most 1): others ask for it too.
    pub fn set_share(&self, merchant: &MerchantId, share: f64) {
        self.budget.set_share(merchant, share);
    }

    /// Each host's origin and whether it is asked in its turn at the moment, in the configured order.
    pub fn hosts(&self) -> impl Iterator<Item = (&Arc<str>, HostState)> {
        self.hosts.iter().map(|host| (&host.origin, host.breaker.host_state()))
    }

    /// The hosts in the order they are asked when the turn begins at `start`.
    fn hosts_from(&self, start: usize) -> Vec<&Arc<Host>> {
        let count = self.hosts.len();
        let mut hosts: Vec<_> = self.hosts.iter().cycle().skip(start % count).take(count).collect();
        hosts.sort_by_cached_key(|host| !host.breaker.admit());
        hosts
    }

    /// Where to start asking once more, if that is worth it.
    fn ask_again_from(&self, query: &Query<'_>, outcome: &Outcome) -> Option<usize> {
        match outcome {
            Ok(reply) => reply.answer.is_transient().then_some(reply.from.position + 1),
            Err(QueryError::Transport | QueryError::HttpStatus(_) | QueryError::Unreadable) => {
                let within_reach = self.hosts().any(|(_, state)| state == HostState::Closed);
                let sent = query.sent.load(Ordering::Relaxed).saturating_sub(query.on_kept.load(Ordering::Relaxed));
                (sent == 1 && within_reach).then_some(0)
            }
            Err(_) => None,
        }
    }

    /// Races the first of `hosts` with the others, who start when it has failed or has been silent for too long.
    async fn ask(&self, query: &Query<'_>, hosts: &[&Arc<Host>]) -> Outcome {
        let [host, others @ ..] = hosts else { return Err(QueryError::Transport) };
        if Instant::now() >= query.asked.deadline {
            return Err(QueryError::Timeout);
        }
        if !self.is_within_budget(query) {
            return Err(QueryError::RateLimited);
        }
        let mut first = Box::pin(self.ask_host(query, host));
        if others.is_empty() {
            return first.await;
        }
        match timeout(self.settings.hedge_after, &mut first).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(failure) => return better(failure, Box::pin(self.ask(query, others)).await),
            Err(_) => debug!(host = %host.origin, "silent; asking the next host too"),
        }
        let mut next = Box::pin(self.ask(query, others));
        tokio::select! {
            outcome = &mut first => if is_settled(&outcome) { outcome } else { better(outcome, next.await) },
            outcome = &mut next => if is_settled(&outcome) { outcome } else { better(first.await, outcome) },
        }
    }

    /// Takes one query out of the merchant's budget.
    fn is_within_budget(&self, query: &Query<'_>) -> bool {
        let is_within = self.budget.take(&query.account.mch_id, query.asked.part);
        // What may be made up waits for its turn, which says nothing of the budget.
        if !is_within && !matches!(query.asked.part, Part::StrangeFollowUp | Part::Absent) {
            self.meters.over_budget(query.account.mch_id);
        }
        is_within
    }

    /// Asks a host; once more on a fresh connection if a kept one ended before a byte of an answer came. A query only
    /// reads, so it does not matter whether the host has seen the first.
    async fn ask_host(&self, query: &Query<'_>, host: &Arc<Host>) -> Outcome {
        let mut outcome = self.ask_once(query, host, Line::Kept).await;
        if outcome.as_ref().is_err_and(|failure| failure.on_kept) && self.is_within_budget(query) {
            query.on_kept.fetch_add(1, Ordering::Relaxed);
            outcome = self.ask_once(query, host, Line::Fresh).await;
        }
        outcome.map_err(|failure| failure.error)
    }

    /// Sends one query, and tells the breaker and the log what came of it. Dropped before that, or out of time, it says
    /// nothing of the host: another was faster, or no caller waits any longer.
    async fn ask_once(&self, query: &Query<'_>, host: &Arc<Host>, line: Line) -> Result<Box<Reply>, Failure> {
        query.sent.fetch_add(1, Ordering::Relaxed);
        let asked_at = Instant::now();
        let queried = self.meters.begin(&host.origin);
        let mut span = query.asked.within.client("query");
        span.set("server.address", &host.origin);
        span.set("tollgate.mch_id", query.account.mch_id);
        let outcome = self.exchange(query, host, line).await;
        if outcome.as_ref().is_err_and(|failure| failure.error == QueryError::Timeout) {
            return Err(QueryError::Timeout.into());
        }
        let took = asked_at.elapsed();
        let elapsed_ms = took.as_micros() as f64 / 1000.0;
        let came_of_it = outcome.as_ref().map_or_else(|failure| failure.error.as_str(), Answer::as_str);
        queried.end(came_of_it, took);
        span.set("tollgate.outcome", came_of_it);
        if outcome.as_ref().map_or(true, Answer::is_trouble) {
            span.failed(came_of_it);
        }
        drop(span);
        match outcome {
            Ok(answer) => {
                host.breaker.answered();
                log_answer(host, elapsed_ms, &answer);
                Ok(Box::new(Reply { answer, from: Arc::clone(host) }))
            }
            Err(failure) => {
                tell(host, asked_at, elapsed_ms, &failure);
                Err(failure)
            }
        }
    }

    async fn exchange(&self, query: &Query<'_>, host: &Host, line: Line) -> Result<Answer, Failure> {
        match &query.account.api {
            Api::V2(keys) => self.exchange_v2(query, keys, host, line).await,
            Api::V3(keys) => Box::pin(v3::exchange(self, query, keys, (host, line))).await.map(Answer::V3),
        }
    }

    async fn exchange_v2(
        &self,
        query: &Query<'_>,
        keys: &v2::Keys,
        host: &Host,
        line: Line,
    ) -> Result<Answer, Failure> {
        let mut nonce = Uuid::encode_buffer();
        let nonce = Uuid::now_v7().simple().encode_lower(&mut nonce);
        let mut request = host.request(Method::POST, host.order_query.clone(), ANYTHING);
        request.headers_mut().insert(CONTENT_TYPE, XML);
        *request.body_mut() = Full::from(v2::write_query(query.account, keys, &query.asked.ask, nonce));
        let at = (line, query.asked.deadline);
        let answer = self.lines.exchange(host, request, ONLY_OK, at).await?;
        if answer.status != StatusCode::OK {
            return Err(QueryError::HttpStatus(answer.status.as_u16()).into());
        }
        v2::read_answer(keys, answer.body)
            .map(|answer| Answer::V2(Box::new(answer)))
            .map_err(|error| Failure::new(QueryError::Unreadable, error.to_string()))
    }
}

impl fmt::Debug for WeChatPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.hosts()).finish()
    }
}

/// Whether there is no need to wait for another host.
fn is_settled(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(|reply| !reply.answer.is_transient())
}

/// The outcome that says more: an answer more than a failure, a failure more than a query that was not sent, and that
/// time ran out more than another failure. If they are alike, the first.
fn better(one: Outcome, other: Outcome) -> Outcome {
    let worth = |outcome: &Outcome| match outcome {
        Err(QueryError::RateLimited) => 0,
        Err(QueryError::Timeout) => 2,
        Err(_) => 1,
        Ok(_) if !is_settled(outcome) => 3,
        Ok(_) => 4,
    };
    if worth(&other) > worth(&one) { other } else { one }
}

/// What API v2 is asked in.
const XML: HeaderValue = HeaderValue::from_static("text/xml");

/// What an answer of API v2 may be.
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// Of another status of API v2 nothing is read.
const ONLY_OK: Bound = |status| (status == StatusCode::OK).then_some(LARGEST_ANSWER);

/// Tells of a query without an answer.
fn tell(host: &Host, asked_at: Instant, elapsed_ms: f64, failure: &Failure) {
    let Failure { error, cause, on_kept } = failure;
    let (host_name, cause) = (&host.origin, Logged(cause.as_deref()));
    if *on_kept {
        debug!(host = %host_name, elapsed_ms, %cause, "a kept connection had ended");
        return;
    }
    match error {
        QueryError::Transport => host.breaker.failed(asked_at),
        _ => host.breaker.answered(),
    }
    warn!(host = %host_name, elapsed_ms, %error, %cause, "query failed");
}

fn log_answer(host: &Host, elapsed_ms: f64, answer: &Answer) {
    match answer {
        Answer::V2(answer) => log_v2(host, elapsed_ms, answer),
        Answer::V3(answer) => v3::log_answer(host, elapsed_ms, answer),
    }
}

fn log_v2(host: &Host, elapsed_ms: f64, answer: &v2::Answer) {
    let err_code = Logged(answer.err_code.as_deref());
    if answer.signature == Signature::Valid {
        debug!(host = %host.origin, elapsed_ms, %err_code, "answered");
    } else {
        let (signature, return_msg) = (answer.signature, Logged(answer.return_msg.as_deref()));
        warn!(host = %host.origin, elapsed_ms, ?signature, %err_code, %return_msg, "answered without a valid signature");
    }
}

#[cfg(test)]
mod tests;
