//! The order query over HTTP: which host, how long, how often. What an answer means is decided elsewhere.

mod bill;

pub use bill::BillStream;

use super::breaker::Breaker;
use super::budget::Budget;
use super::v2::{Answer, Signature};
use super::v3::platform::Downloaded;
use super::{Api, Credentials, QueryError, v2};
use crate::domain::order::MerchantId;
use crate::net::http_client;
use crate::observe::metrics::QueryMeters;
use crate::observe::traces::Parent;
use crate::provider::{AskBy, HostState, Part};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Request, Response, StatusCode, Url};
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
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

/// Time for connecting to a host, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections are dropped by us before the host drops them, which would look like a failure of the next query.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Bytes of an answer. Real ones have about 1,500; the longest documented field has 8,192 characters.
const LARGEST_ANSWER: usize = 64 * 1024;

/// The client for WeChat Pay: one pool of connections, a breaker for each host and a budget for each merchant.
pub struct WeChatPay {
    http: Client,
    /// In order, at least one.
    hosts: Vec<Arc<Host>>,
    budget: Budget,
    /// The platform certificates that were downloaded.
    downloaded: Downloaded,
    meters: QueryMeters,
    settings: Settings,
}

struct Host {
    position: usize,
    origin: Arc<str>,
    order_query: Url,
    download_bill: Url,
    breaker: Breaker,
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
    ask: &'q AskBy,
    part: Part,
    within: &'q Parent,
    sent: AtomicU32,
}

struct Reply {
    answer: Answer,
    from: Arc<Host>,
}

/// Why a query brought no answer, and what the log gets to know beyond that.
struct Failure {
    error: QueryError,
    cause: Option<String>,
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
        let encrypted = hosts.iter().any(|host| host.order_query.scheme() == "https");
        Ok(Self {
            http: http_client(encrypted)?,
            hosts,
            budget: Budget::new(settings.queries_per_second),
            downloaded: Downloaded::default(),
            meters: QueryMeters::default(),
            settings: settings.clone(),
        })
    }

    /// As [`new`](Self::new), counting queries in these meters.
    #[must_use]
    pub fn measured(self, meters: QueryMeters) -> Self {
        Self { meters, ..self }
    }

    /// The settings it was made with.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks for an order and returns the first usable answer, whatever it says.
    ///
    /// The hosts are asked in order, the next one when the one before has failed or has been silent for `hedge_after`;
    /// those that were out of reach many times in a row come last. A transient answer is asked about once more, from
    /// the next host if there is one; so is a failure if only one query was sent, unless all hosts were out of reach as
    /// often. Each query sent counts against the merchant's budget, as the follow-up's. Must run inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// If there was no readable answer before `deadline`; the variants say why.
    pub async fn order_query(
        &self,
        account: &Credentials,
        ask: &AskBy,
        deadline: Instant,
    ) -> Result<Asked, QueryError> {
        self.order_query_within(account, ask, Part::FollowUp, deadline, &Parent::default()).await
    }

    /// As [`order_query`](Self::order_query), out of this `part` of the budget; each query sent is a step of `within`.
    ///
    /// # Errors
    /// As [`order_query`](Self::order_query).
    pub async fn order_query_within(
        &self,
        account: &Credentials,
        ask: &AskBy,
        part: Part,
        deadline: Instant,
        within: &Parent,
    ) -> Result<Asked, QueryError> {
        let query = Query { account, ask, part, within, sent: AtomicU32::new(0) };
        let mut outcome = self.ask_in_time(&query, 0, deadline).await;
        if let Some(start) = self.ask_again_from(&query, &outcome) {
            outcome = better(self.ask_in_time(&query, start, deadline).await, outcome);
        }
        outcome.map(|reply| Asked {
            answer: reply.answer,
            host: Arc::clone(&reply.from.origin),
            attempts: query.sent.load(Ordering::Relaxed),
        })
    }

    /// The platform certificates that were downloaded.
    #[must_use]
    pub const fn downloaded(&self) -> &Downloaded {
        &self.downloaded
    }

    /// How many queries of a merchant can be sent at once now, and how many if none was for a while.
    #[must_use]
    pub fn queries_left(&self, merchant: &MerchantId) -> (u32, u32) {
        self.budget.left(merchant)
    }

    /// Each host's origin and whether it is asked in its turn at the moment, in the configured order.
    pub fn hosts(&self) -> impl Iterator<Item = (&Arc<str>, HostState)> {
        self.hosts.iter().map(|host| (&host.origin, host.breaker.host_state()))
    }

    async fn ask_in_time(&self, query: &Query<'_>, start: usize, deadline: Instant) -> Outcome {
        let hosts = self.hosts_from(start);
        timeout_at(deadline, self.ask(query, &hosts)).await.unwrap_or(Err(QueryError::Timeout))
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
            Ok(reply) => is_transient(&reply.answer).then_some(reply.from.position + 1),
            Err(QueryError::Transport | QueryError::HttpStatus(_) | QueryError::Unreadable) => {
                let within_reach = self.hosts().any(|(_, state)| state == HostState::Closed);
                (query.sent.load(Ordering::Relaxed) == 1 && within_reach).then_some(0)
            }
            Err(_) => None,
        }
    }

    /// Races the first of `hosts` with the others, who start when it has failed or has been silent for too long.
    async fn ask(&self, query: &Query<'_>, hosts: &[&Arc<Host>]) -> Outcome {
        let [host, others @ ..] = hosts else { return Err(QueryError::Transport) };
        if !self.budget.take(&query.account.mch_id, query.part) {
            // What may be made up waits for its turn, which says nothing of the budget.
            if !matches!(query.part, Part::StrangeFollowUp | Part::Absent) {
                self.meters.over_budget(query.account.mch_id);
            }
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

    /// Sends one query, and tells the breaker and the log what came of it. Dropped before that, it says nothing of the
    /// host: another was faster, or no caller waits any longer.
    async fn ask_host(&self, query: &Query<'_>, host: &Arc<Host>) -> Outcome {
        query.sent.fetch_add(1, Ordering::Relaxed);
        let asked_at = Instant::now();
        let queried = self.meters.begin(&host.origin);
        let mut span = query.within.client("query");
        span.set("server.address", &host.origin);
        span.set("tollgate.mch_id", query.account.mch_id);
        let outcome = self.exchange(query, host).await;
        let took = asked_at.elapsed();
        let elapsed_ms = took.as_micros() as f64 / 1000.0;
        let came_of_it = outcome.as_ref().map_or_else(|failure| failure.error.as_str(), word);
        queried.end(came_of_it, took);
        span.set("tollgate.outcome", came_of_it);
        if came_of_it != ANSWERED {
            span.failed(came_of_it);
        }
        drop(span);
        match outcome {
            Ok(answer) => {
                host.breaker.answered();
                log_answer(host, elapsed_ms, &answer);
                Ok(Box::new(Reply { answer, from: Arc::clone(host) }))
            }
            Err(Failure { error, cause }) => {
                match error {
                    QueryError::Transport => host.breaker.failed(asked_at),
                    _ => host.breaker.answered(),
                }
                warn!(host = %host.origin, elapsed_ms, %error, cause = %Logged(cause.as_deref()), "query failed");
                Err(error)
            }
        }
    }

    async fn exchange(&self, query: &Query<'_>, host: &Host) -> Result<Answer, Failure> {
        let mut nonce = Uuid::encode_buffer();
        let nonce = Uuid::now_v7().simple().encode_lower(&mut nonce);
        let Api::V2(keys) = &query.account.api else { return Err(QueryError::Unreadable.into()) };
        let mut request = Request::new(Method::POST, host.order_query.clone());
        *request.body_mut() = Some(v2::write_query(query.account, keys, query.ask, nonce).into());
        let response = self.http.execute(request).await?;
        if response.status() != StatusCode::OK {
            return Err(QueryError::HttpStatus(response.status().as_u16()).into());
        }
        let body = read_body(response).await?;
        v2::read_answer(keys, body.into())
            .map_err(|error| Failure { error: QueryError::Unreadable, cause: Some(error.to_string()) })
    }
}

impl fmt::Debug for WeChatPay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.hosts()).finish()
    }
}

impl Host {
    fn new(position: usize, origin: &str) -> Result<Self, BuildError> {
        let url = Url::parse(origin).ok().filter(is_origin).ok_or(BuildError::Host(position))?;
        let call = |path: &str| {
            let mut call = url.clone();
            call.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
            call
        };
        let (order_query, download_bill) = (call("/pay/orderquery"), call("/pay/downloadbill"));
        Ok(Self { position, origin: origin.into(), order_query, download_bill, breaker: Breaker::default() })
    }
}

fn is_origin(url: &Url) -> bool {
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    bare && matches!(url.scheme(), "http" | "https")
}

/// Whether asking again may bring a better answer. WeChat Pay's probes are badly signed on purpose (threat V-04);
/// answers with `return_code` FAIL are never signed and stay what they are; where it wants fewer queries it gets no
/// more.
fn is_transient(answer: &Answer) -> bool {
    match answer.err_code.as_deref() {
        Some("SYSTEMERROR" | "BIZERR_NEED_RETRY") => return true,
        Some("INVALID_REQ_TOO_MUCH") => return false,
        Some(code) if code.starts_with("FREQUENCY_LIMIT") => return false,
        _ => {}
    }
    match answer.signature {
        Signature::Valid => false,
        Signature::Missing => answer.return_code.as_deref() != Some("FAIL"),
        Signature::Wrong => true,
    }
}

/// Whether there is no need to wait for another host.
fn is_settled(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(|reply| !is_transient(&reply.answer))
}

/// The outcome that says more: an answer more than a failure, a failure more than a query that was not sent. If they
/// are alike, the first.
fn better(one: Outcome, other: Outcome) -> Outcome {
    let worth = |outcome: &Outcome| match outcome {
        Err(QueryError::RateLimited) => 0,
        Err(_) => 1,
        Ok(_) if !is_settled(outcome) => 2,
        Ok(_) => 3,
    };
    if worth(&other) > worth(&one) { other } else { one }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        Self { error, cause: None }
    }
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self { error: QueryError::Transport, cause: Some(http_client::innermost(&error)) }
    }
}

/// Reads an answer's body, which is judged by nothing but itself, and gives up as soon as it grows too large.
async fn read_body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let announced = response.content_length().unwrap_or(0);
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    if announced > LARGEST_ANSWER {
        return Err(QueryError::TooLarge.into());
    }
    let mut body = Vec::with_capacity(announced);
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(QueryError::TooLarge.into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn http_client(encrypted: bool) -> Result<Client, BuildError> {
    let xml = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/xml"))]);
    let client = http_client::client(encrypted)?.connect_timeout(CONNECT_TIMEOUT).pool_idle_timeout(IDLE_TIMEOUT);
    Ok(client.default_headers(xml).build()?)
}

/// What is counted of one that is signed.
const ANSWERED: &str = "answered";

/// What is counted of an answer.
const fn word(answer: &Answer) -> &'static str {
    match answer.signature {
        Signature::Valid => ANSWERED,
        Signature::Missing => "unsigned",
        Signature::Wrong => "badly-signed",
    }
}

fn log_answer(host: &Host, elapsed_ms: f64, answer: &Answer) {
    let err_code = Logged(answer.err_code.as_deref());
    if answer.signature == Signature::Valid {
        debug!(host = %host.origin, elapsed_ms, %err_code, "answered");
    } else {
        let (signature, return_msg) = (answer.signature, Logged(answer.return_msg.as_deref()));
        warn!(host = %host.origin, elapsed_ms, ?signature, %err_code, %return_msg, "answered without a valid signature");
    }
}

/// A text of an answer as it may stand in the log: short, and without control characters.
struct Logged<'a>(Option<&'a str>);

impl fmt::Display for Logged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.unwrap_or("-");
        text.chars().take(64).flat_map(char::escape_debug).try_for_each(|character| f.write_char(character))
    }
}

#[cfg(test)]
mod tests;
