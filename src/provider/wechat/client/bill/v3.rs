//! The bill by API v3: a signed answer says where it is and what its hash is, and the file is looked at before a row of
//! it is used. What is small is kept meanwhile, what is large comes a second time; so memory is flat and no disk is
//! needed, which a gate may have none of.

use super::{BillStream, Query, Reading, Source, Timeouts};
use crate::provider::wechat::QueryError;
use crate::provider::wechat::bill::{BillError, Refusal, RefusalKind, Unpacker};
use crate::provider::wechat::client::exchange::Failure;
use crate::provider::wechat::client::host::Host;
use crate::provider::wechat::client::{WeChatPay, signed, v3};
use crate::provider::wechat::v3::answer::{self, Unusable};
use crate::provider::wechat::v3::bill::{Blocks, Check, Link, Recheck};
use crate::provider::wechat::v3::{Answer, Keys, request};
use bytes::{Bytes, BytesMut};
use reqwest::header::HeaderValue;
use reqwest::{Response, StatusCode, Url};
use std::sync::Arc;
use tokio::time::{Instant, timeout};

/// Bytes of a file that are kept while it is looked at. Nearly all bills are smaller.
pub(super) const KEPT: usize = 4 * 1024 * 1024;

/// What a file may be.
const ANYTHING: HeaderValue = HeaderValue::from_static("*/*");

/// A file that is what was signed.
enum Checked {
    /// All of it.
    Kept(Bytes),
    /// It was too large to be kept.
    Seen(Blocks),
}

impl WeChatPay {
    /// Asks where the bill is, and looks at it.
    pub(super) async fn open_v3(
        &self,
        host: &Host,
        query: Query<'_>,
        keys: &Keys,
        compressed: bool,
    ) -> Result<BillStream, BillError> {
        let link = self.link(host, query, keys, compressed).await?;
        let url = self.own_url(&link.url).ok_or(BillError::Elsewhere)?;
        let file = self.file(host, query, keys, url.clone()).await?;
        let reading = match check(file, &link, query.timeouts).await? {
            Checked::Kept(file) => Reading { received: file, ..Reading::new(Source::Kept, query.timeouts) },
            Checked::Seen(blocks) => {
                let again = Source::Again(self.file(host, query, keys, url).await?, Recheck::new(blocks));
                Reading::new(again, query.timeouts)
            }
        };
        BillStream::begin(Arc::clone(&host.origin), reading).await
    }

    /// Where the bill is; asked once more if the answer is none of WeChat Pay's, which may be a probe.
    async fn link(&self, host: &Host, query: Query<'_>, keys: &Keys, compressed: bool) -> Result<Link, BillError> {
        match self.link_once(host, query, keys, compressed).await? {
            Answer::NotBelieved(fault) if fault.is_transient() => {
                link_of(self.link_once(host, query, keys, compressed).await?)
            }
            answer => link_of(answer),
        }
    }

    async fn link_once(
        &self,
        host: &Host,
        query: Query<'_>,
        keys: &Keys,
        compressed: bool,
    ) -> Result<Answer, BillError> {
        let url = host.url(&request::bill(query.date, query.bill_type, compressed));
        let began = Instant::now();
        let asked = signed::ask(&self.http, query.account, keys, url);
        let received = timeout(query.timeouts.answer, asked).await.map_err(|_| BillError::Timeout)?;
        let received = received.map_err(|failure| not_answered(host, failure))?;
        let until = began + query.timeouts.answer;
        let signed = v3::verify(self, query.account, keys, &received, (began, until)).await;
        received.read(signed).map_err(|unusable| match unusable {
            Unusable::Status(status) => BillError::HttpStatus(status),
            Unusable::Unreadable => BillError::Unreadable,
        })
    }

    /// The address of a file, if it is on a host of WeChat Pay's.
    fn own_url(&self, url: &str) -> Option<Url> {
        let url = Url::parse(url).ok()?;
        self.hosts.iter().any(|host| host.has(&url)).then_some(url)
    }

    async fn file(&self, host: &Host, query: Query<'_>, keys: &Keys, url: Url) -> Result<Response, BillError> {
        let sent = signed::send(&self.http, query.account, keys, url, ANYTHING);
        let response = timeout(query.timeouts.answer, sent).await.map_err(|_| BillError::Timeout)?;
        let response = response.map_err(|failure| not_answered(host, failure))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status => Err(BillError::HttpStatus(status.as_u16())),
        }
    }
}

fn link_of(answer: Answer) -> Result<Link, BillError> {
    match answer {
        Answer::Order { order, .. } => Link::read(&order).ok_or(BillError::Unreadable),
        Answer::Refused(refusal) => Err(refused(refusal)),
        Answer::NotBelieved(fault) => Err(BillError::NotBelieved(fault.as_str())),
    }
}

fn refused(refusal: answer::Refusal) -> BillError {
    let answer::Refusal { status, code, message, .. } = refusal;
    let refusal = Refusal { error_code: code, return_msg: message.unwrap_or_default() };
    // A code that is not known says nothing of the question, if it is their trouble.
    match refusal.kind() {
        RefusalKind::Configuration if status >= 500 || status == 429 => BillError::HttpStatus(status),
        _ => BillError::Refused(refusal),
    }
}

fn not_answered(host: &Host, failure: Failure) -> BillError {
    match failure.error {
        QueryError::NotSigned => BillError::NotBelieved("the question could not be signed"),
        _ => super::without_answer(host, failure),
    }
}

/// Takes the whole of a file, and says whether it is what was signed.
async fn check(mut file: Response, link: &Link, timeouts: Timeouts) -> Result<Checked, BillError> {
    let (mut check, mut unpacker, mut text) = (Check::default(), Unpacker::default(), Vec::new());
    let mut kept = Some(BytesMut::new());
    loop {
        let chunk = timeout(timeouts.silence, file.chunk()).await.map_err(|_| BillError::Timeout)?;
        let Some(chunk) = chunk.map_err(|_| BillError::CutOff)? else { break };
        check.received(&chunk);
        kept = kept.filter(|kept| kept.len() + chunk.len() <= KEPT);
        if let Some(kept) = &mut kept {
            kept.extend_from_slice(&chunk);
        }
        let mut rest = &*chunk;
        while !rest.is_empty() {
            let taken = unpacker.step(rest, &mut text)?;
            check.unpacked(&text);
            text.clear();
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
    unpacker.finish(&mut text)?;
    check.unpacked(&text);
    let blocks = check.finish(&link.sha1).ok_or(BillError::OtherHash)?;
    Ok(kept.map_or(Checked::Seen(blocks), |kept| Checked::Kept(kept.freeze())))
}

#[cfg(test)]
mod tests;
