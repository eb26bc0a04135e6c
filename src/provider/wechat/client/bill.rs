//! The bill over HTTP: asked for compressed, unpacked and read while it comes, in memory for a thousand rows.

mod v3;

use super::exchange::{Failure, Logged};
use super::host::Host;
use super::{Api, Credentials, WeChatPay, XML, v2};
use crate::provider::BoxFuture;
use crate::provider::bill::{self, Bill, BillType, Row, Summary};
use crate::provider::wechat::bill::{BillError, BillReader, RefusalKind, Unpacker, bill_type as word_of};
use crate::provider::wechat::v3::bill::Recheck;
use bytes::{Buf, Bytes};
use jiff::civil::Date;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use reqwest::{Method, Request, Response, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tracing::{debug, warn};
use uuid::Uuid;

/// About how many rows [`BillStream::next`] gives at once.
const BATCH: usize = 1000;

/// Limits of waiting. A large bill takes as long as it takes.
const TIMEOUTS: Timeouts = Timeouts { answer: Duration::from_secs(60), silence: Duration::from_secs(60) };

#[derive(Debug, Clone, Copy)]
struct Timeouts {
    /// For the head of an answer.
    answer: Duration,
    /// Between two pieces of its body.
    silence: Duration,
}

/// A bill that is being downloaded.
pub struct BillStream {
    host: Arc<str>,
    state: State,
    first: Option<Vec<Row>>,
}

enum State {
    Reading(Box<Reading>),
    Ended(Summary),
    Failed(BillError),
}

/// Where a bill's bytes come from.
enum Source {
    /// From an answer whose rows are used as they come.
    Response(Response),
    /// It was taken in whole.
    Kept,
    /// From an answer whose text is used as far as it is what it was before.
    Again(Response, Recheck),
}

/// The answer on its way through unpacker and reader.
struct Reading {
    source: Source,
    silence: Duration,
    /// What was received and not unpacked yet.
    received: Bytes,
    unpacker: Unpacker,
    text: Vec<u8>,
    reader: BillReader,
    /// The batch so far; it stays here if the caller waits for it no longer.
    rows: Vec<Row>,
}

/// A question for a bill.
#[derive(Clone, Copy)]
struct Query<'q> {
    account: &'q Credentials,
    date: Date,
    bill_type: BillType,
    timeouts: Timeouts,
}

impl WeChatPay {
    /// Asks for the bill of a day (in Beijing) and returns when its first rows are there; in service-provider mode it
    /// is the bill of all sub-merchants. WeChat Pay has it from 10:00 of the day after, for three months.
    ///
    /// It is asked for compressed; plain if WeChat Pay fails to compress it, and whatever comes is taken as it is. The
    /// next host is asked when one fails before the first row. This is no order query and counts against no budget.
    ///
    /// # Errors
    /// If there is no bill; of several hosts, the last one's reason.
    pub async fn download_bill(
        &self,
        account: &Credentials,
        date: Date,
        bill_type: BillType,
    ) -> Result<BillStream, BillError> {
        self.download(Query { account, date, bill_type, timeouts: TIMEOUTS }).await
    }

    async fn download(&self, query: Query<'_>) -> Result<BillStream, BillError> {
        let mut outcome = Err(BillError::Transport);
        for host in &self.hosts {
            outcome = self.download_from(host, query, true).await;
            if outcome.as_ref().err().and_then(refused) == Some(RefusalKind::CompressFailed) {
                outcome = self.download_from(host, query, false).await;
            }
            if !outcome.as_ref().is_err_and(may_be_better_elsewhere) {
                break;
            }
        }
        outcome
    }

    async fn download_from(&self, host: &Host, query: Query<'_>, compressed: bool) -> Result<BillStream, BillError> {
        let Query { account, date, bill_type, .. } = query;
        let outcome = self.open(host, query, compressed).await;
        let (host, mch_id, bill_type) = (&host.origin, account.mch_id, word_of(bill_type));
        match &outcome {
            Ok(_) => debug!(%host, %mch_id, %date, bill_type, compressed, "a bill is coming"),
            // Days without trades are told that way.
            Err(BillError::Refused(refusal)) => {
                debug!(%host, %mch_id, %date, bill_type, compressed, %refusal, "no bill")
            }
            Err(error) => warn!(%host, %mch_id, %date, bill_type, compressed, %error, "no bill"),
        }
        outcome
    }

    async fn open(&self, host: &Host, query: Query<'_>, compressed: bool) -> Result<BillStream, BillError> {
        let Query { account, date, bill_type, timeouts } = query;
        let keys = match &account.api {
            Api::V2(keys) => keys,
            Api::V3(keys) => return Box::pin(self.open_v3(host, query, keys, compressed)).await,
        };
        let mut nonce = Uuid::encode_buffer();
        let nonce = Uuid::now_v7().simple().encode_lower(&mut nonce);
        let mut request = Request::new(Method::POST, host.download_bill.clone());
        request.headers_mut().insert(CONTENT_TYPE, XML);
        *request.body_mut() = Some(v2::write_bill_query(account, keys, date, bill_type, compressed, nonce).into());
        let answered = timeout(timeouts.answer, self.http.execute(request)).await.map_err(|_| BillError::Timeout)?;
        let response = answered.map_err(|error| without_answer(host, error.into()))?;
        if response.status() != StatusCode::OK {
            return Err(BillError::HttpStatus(response.status().as_u16()));
        }
        BillStream::begin(Arc::clone(&host.origin), Reading::new(Source::Response(response), timeouts)).await
    }
}

impl BillStream {
    /// Ready when its first rows are there.
    async fn begin(host: Arc<str>, reading: Reading) -> Result<Self, BillError> {
        let mut stream = Self { host, state: State::Reading(Box::new(reading)), first: None };
        stream.first = stream.next().await?;
        Ok(stream)
    }

    /// The next rows, about a thousand, in the bill's order; `None` at its end, when the [`summary`](Self::summary) is
    /// there.
    ///
    /// # Errors
    /// If the rest of the bill does not come, or cannot be read. There is nothing after that.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, BillError> {
        if let Some(rows) = self.first.take() {
            return Ok(Some(rows));
        }
        let reading = match &mut self.state {
            State::Reading(reading) => reading,
            State::Ended(_) => return Ok(None),
            State::Failed(error) => return Err(error.clone()),
        };
        let read = reading.read().await;
        let rows = std::mem::take(&mut reading.rows);
        // What was read before a failure is as good as any; the failure is told next.
        match read {
            Ok(None) => {}
            Ok(Some(summary)) => self.state = State::Ended(summary),
            Err(error) => self.state = State::Failed(error),
        }
        match &self.state {
            _ if !rows.is_empty() => Ok(Some(rows)),
            State::Failed(error) => Err(error.clone()),
            State::Ended(_) | State::Reading(_) => Ok(None),
        }
    }

    /// What the whole bill says, once [`next`](Self::next) was `None`.
    #[must_use]
    pub fn summary(&self) -> Option<&Summary> {
        match &self.state {
            State::Ended(summary) if self.first.is_none() => Some(summary),
            _ => None,
        }
    }

    /// The origin of the host that it comes from.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl Bill for BillStream {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Row>>, bill::BillError>> {
        Box::pin(async { Ok(Self::next(self).await?) })
    }

    fn summary(&self) -> Option<&Summary> {
        Self::summary(self)
    }
}

impl fmt::Debug for BillStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BillStream").field("host", &self.host).field("summary", &self.summary()).finish_non_exhaustive()
    }
}

impl Source {
    /// The next bytes; `None` at the end.
    async fn chunk(&mut self) -> reqwest::Result<Option<Bytes>> {
        match self {
            Self::Response(response) | Self::Again(response, _) => response.chunk().await,
            Self::Kept => Ok(None),
        }
    }

    /// Leaves of the text what may be used by now.
    fn check(&mut self, text: &mut Vec<u8>) -> Result<(), BillError> {
        match self {
            Self::Again(_, recheck) => recheck.take(text).map_err(|_| BillError::OtherHash),
            Self::Response(_) | Self::Kept => Ok(()),
        }
    }

    /// As [`check`](Self::check), of the last of it.
    fn check_last(&mut self, text: &mut Vec<u8>) -> Result<(), BillError> {
        match self {
            Self::Again(_, recheck) => recheck.finish(text).map_err(|_| BillError::OtherHash),
            Self::Response(_) | Self::Kept => Ok(()),
        }
    }

    /// Whether the end can be told from a cut by what brought it.
    fn knows_its_end(&self) -> bool {
        match self {
            Self::Response(response) => {
                [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| response.headers().contains_key(name))
            }
            Self::Kept | Self::Again(..) => true,
        }
    }
}

impl Reading {
    fn new(source: Source, timeouts: Timeouts) -> Self {
        Self {
            source,
            silence: timeouts.silence,
            received: Bytes::new(),
            unpacker: Unpacker::default(),
            text: Vec::new(),
            reader: BillReader::default(),
            rows: Vec::new(),
        }
    }

    /// Reads until there is a batch of rows, or to the end of the bill, whose summary it returns.
    async fn read(&mut self) -> Result<Option<Summary>, BillError> {
        while self.rows.len() < BATCH {
            if self.received.is_empty() {
                let chunk = timeout(self.silence, self.source.chunk()).await.map_err(|_| BillError::Timeout)?;
                match chunk.map_err(|_| BillError::CutOff)? {
                    Some(chunk) => self.received = chunk,
                    None => return self.finish().map(Some),
                }
                continue;
            }
            let taken = self.unpacker.step(&self.received, &mut self.text);
            self.source.check(&mut self.text)?;
            self.reader.push(&self.text, &mut self.rows)?;
            self.text.clear();
            self.received.advance(taken?);
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Summary, BillError> {
        let unpacker = std::mem::take(&mut self.unpacker);
        let end_is_known = unpacker.knows_its_end() || self.source.knows_its_end();
        let ended = unpacker.finish(&mut self.text);
        if ended.is_ok() {
            self.source.check_last(&mut self.text)?;
        }
        let mut reader = std::mem::take(&mut self.reader);
        reader.push(&self.text, &mut self.rows)?;
        ended?;
        let summary = reader.finish(&mut self.rows)?;
        // Without a summary only the transport tells that nothing is missing.
        if summary.is_stated || end_is_known { Ok(summary) } else { Err(BillError::CutOff) }
    }
}

fn without_answer(host: &Host, failure: Failure) -> BillError {
    let Failure { error, cause, .. } = failure;
    warn!(host = %host.origin, %error, cause = %Logged(cause.as_deref()), "no answer");
    BillError::Transport
}

fn refused(error: &BillError) -> Option<RefusalKind> {
    match error {
        BillError::Refused(refusal) => Some(refusal.kind()),
        _ => None,
    }
}

/// Whether the host failed, rather than the question or the bill.
const fn may_be_better_elsewhere(error: &BillError) -> bool {
    match error {
        BillError::Timeout
        | BillError::Transport
        | BillError::HttpStatus(_)
        | BillError::CutOff
        | BillError::Damaged
        | BillError::Unreadable
        | BillError::NotBelieved(_)
        | BillError::OtherHash
        | BillError::Elsewhere => true,
        BillError::Refused(_) | BillError::LineTooLong(_) | BillError::NoColumn(_) => false,
    }
}

#[cfg(test)]
mod tests;
