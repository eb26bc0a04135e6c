//! How a route answers.

use super::read::{Map, Section, Value};
use crate::gate::reply::{OwnReply, ReplyStyle};
use crate::provider::wechat::{v2, v3};
use crate::provider::{Dialect, Preset};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::HeaderValue;

pub(super) static REPLY: Section = Section { name: "routes[].reply", keys: &["style", "success", "failure"] };
pub(super) static SUCCESS: Section = Section { name: "routes[].reply.success", keys: &["status", "type", "body"] };
pub(super) static FAILURE: Section = Section { name: "routes[].reply.failure", keys: &["status", "type", "body"] };

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// Answers in one dialect and with no body of the route's own.
pub(super) const fn plain(dialect: Option<&'static Dialect>) -> ReplyStyle {
    ReplyStyle { dialect, success: None, failure: None }
}

/// `reply`; `default` is the style where it names none.
pub(super) fn reply(value: &Value<'_>, default: Option<&'static Dialect>) -> Option<ReplyStyle> {
    if !value.is_map() {
        return dialect(value).map(plain);
    }
    let map = value.map(&REPLY)?;
    let dialect = map.or("style", default, dialect);
    let success = map.optional("success", |v| {
        let own = own(&v.map(&SUCCESS)?, StatusCode::OK)?;
        if !own.status.is_success() {
            v.problem("has a status that is no success", "write a 2xx status");
        }
        Some(own)
    });
    let failure = map.optional("failure", |v| {
        let own = own(&v.map(&FAILURE)?, StatusCode::SERVICE_UNAVAILABLE)?;
        if !reads_as_failure(dialect, &own, success.as_ref()) {
            v.problem("would be read as success", remedy(dialect));
        }
        Some(own)
    });
    Some(ReplyStyle { dialect, success, failure })
}

/// `reply` beside a preset: one style for each kind of its notifications, with the same bodies.
pub(super) fn of_notification(value: &Value<'_>, kinds: &[&'static Preset]) -> Vec<ReplyStyle> {
    let dialect = |kind: &Preset| Some(kind.dialect);
    let Some(style) = kinds.first().and_then(|first| reply(value, dialect(first))) else {
        return kinds.iter().map(|kind| plain(dialect(kind))).collect();
    };
    let misread = |own: &OwnReply| {
        let mut misread = kinds
            .iter()
            .map(|kind| kind.dialect)
            .filter(|kind| !reads_as_failure(Some(kind), own, style.success.as_ref()));
        // What the first one misreads was told.
        misread.next().filter(|misread| kinds.first().is_some_and(|first| first.dialect != *misread))
    };
    if let (Some(at), Some(own)) = (value.peek("failure"), &style.failure)
        && let Some(dialect) = misread(own)
    {
        at.problem("would be read as success", dialect.own_failure);
    }
    kinds.iter().map(|kind| ReplyStyle { dialect: dialect(kind), ..style.clone() }).collect()
}

fn dialect(value: &Value<'_>) -> Option<Option<&'static Dialect>> {
    let of_v2 = &v2::preset::DIALECT;
    let of_v3 = &v3::preset::DIALECT;
    value.choice(&[("http", None), (of_v2.name, Some(of_v2)), (of_v3.name, Some(of_v3))])
}

fn own(map: &Map<'_>, default: StatusCode) -> Option<OwnReply> {
    let status = map.or("status", default, |v| v.parse(exactly, "write a status like 200 or 503"));
    let content_type = map.or("type", TEXT, |v| {
        let read = |text: &str| HeaderValue::from_str(text).map_err(|_| "is not a Content-Type");
        v.parse(read, "write a media type like text/xml")
    });
    let body = map.or("body", String::new(), Value::text_or_empty);
    Some(OwnReply { status, content_type, body: Bytes::from(body) })
}

/// No sender may take a refusal for success (invariant I7). An error status is none to anybody; WeChat Pay's v2 reads
/// the XML body, and a sender that got bodies of the route's own reads those.
fn reads_as_failure(dialect: Option<&Dialect>, failure: &OwnReply, success: Option<&OwnReply>) -> bool {
    let status = failure.status;
    let body = String::from_utf8_lossy(&failure.body);
    let by_body = match dialect {
        Some(dialect) => (dialect.reads_as_not_taken)(status, &body),
        None => status.is_success() && differs_from_success(&body, success),
    };
    status.is_client_error() || status.is_server_error() || by_body
}

/// Whether a sender that looks for the body of `success`, or for a usual word if there is none, does not find it.
fn differs_from_success(failure: &str, success: Option<&OwnReply>) -> bool {
    let failure = failure.trim().to_lowercase();
    let success = success.map(|reply| String::from_utf8_lossy(&reply.body).trim().to_lowercase());
    let sought = success.filter(|body| !body.is_empty()).unwrap_or_else(|| "success".to_owned());
    !matches!(&*failure, "" | "ok" | "success") && !failure.contains(&sought)
}

fn remedy(dialect: Option<&'static Dialect>) -> &'static str {
    const HTTP: &str = "write a 4xx or 5xx status, or a 2xx with a body that does not contain success.body (give both)";
    dialect.map_or(HTTP, |dialect| dialect.own_failure)
}

pub(super) fn exactly(text: &str) -> Result<StatusCode, &'static str> {
    let status = StatusCode::from_bytes(text.as_bytes()).ok();
    status.filter(|status| (200..600).contains(&status.as_u16())).ok_or("is not a status")
}
