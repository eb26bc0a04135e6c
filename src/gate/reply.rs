//! Every answer the gate itself makes, and the one place that picks a status code for a caller (the table of
//! docs/reasons.md).
//!
//! The caller learns that its callback was not taken, never why in detail: a sender who guesses order ids must not be
//! told which of them are paid (threat V-10). The operator finds the reason by `X-Request-Id`.

use super::delivery::Acceptance;
use crate::domain::reason::Reason;
use crate::provider::preset::{Dialect, Phrase};
use crate::upstream::{UpstreamAnswer, coding};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};

/// How the gate's own answers look on a route.
#[derive(Debug, Clone)]
pub struct ReplyStyle {
    /// A provider's own way of being answered; `None`: HTTP status codes and RFC 9457 problem documents.
    pub dialect: Option<&'static Dialect>,
    /// The route's own answer for a callback that is taken without being forwarded.
    pub success: Option<OwnReply>,
    /// The route's own answer for one that is not forwarded.
    pub failure: Option<OwnReply>,
}

/// A fixed answer from the config.
#[derive(Debug, Clone)]
pub struct OwnReply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The value of Content-Type.
    pub content_type: HeaderValue,
    /// The body, as the configuration has it.
    pub body: Bytes,
}

/// A callback that was not forwarded.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The reason code, for the log.
    pub reason: Reason,
    /// For 405: the methods the path takes.
    pub allow: Option<HeaderValue>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, allow: None }
    }
}

/// The id of a request, on every answer and towards the upstream.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// When a sender should try again: after the verdict's short life in the cache, and before WeChat Pay's own 15 s.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The upstream's own answer, byte for byte, in no coding; unless it refuses in a way that its sender would read as success.
#[must_use]
pub fn forwarded(
    style: Option<&ReplyStyle>,
    answer: UpstreamAnswer,
    accepted: bool,
    request_id: &HeaderValue,
) -> Response<Full<Bytes>> {
    let status_decides = style.and_then(|style| style.dialect).is_some_and(|dialect| dialect.status_decides);
    if status_decides && !accepted && answer.status.is_success() {
        return refuse(style, &Reason::NotAccepted.into(), request_id);
    }
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.headers_mut().insert(X_REQUEST_ID, request_id.clone());
    response
}

/// The answer to a callback whose delivery was accepted before: the route's own success if it has one, what the
/// provider wants to read, or what the upstream said then.
#[must_use]
pub fn absorbed(style: &ReplyStyle, acceptance: &Acceptance, request_id: &HeaderValue) -> Response<Full<Bytes>> {
    let mut response = match style {
        ReplyStyle { success: Some(own), .. } => fixed(own.status, own.content_type.clone(), own.body.clone()),
        ReplyStyle { dialect: Some(dialect), .. } => phrase(StatusCode::OK, &dialect.taken),
        ReplyStyle { dialect: None, .. } => {
            // Earlier versions kept answers as they came: this sender may not have offered their coding.
            let mut headers = acceptance.headers.clone();
            let body = coding::undo(&mut headers, acceptance.body.clone().unwrap_or_default()).unwrap_or_default();
            let mut stored = Response::new(Full::new(body));
            *stored.status_mut() = acceptance.status;
            *stored.headers_mut() = headers;
            stored
        }
    };
    response.headers_mut().insert(X_REQUEST_ID, request_id.clone());
    response
}

/// The answer to a callback that was not forwarded; `style` is the route's, if one was found.
#[must_use]
pub fn refuse(style: Option<&ReplyStyle>, refusal: &Refusal, request_id: &HeaderValue) -> Response<Full<Bytes>> {
    let mut response = match style {
        Some(ReplyStyle { failure: Some(own), .. }) => fixed(own.status, own.content_type.clone(), own.body.clone()),
        Some(ReplyStyle { dialect: Some(dialect), .. }) => {
            phrase((dialect.status)(refusal.reason, http_status(refusal.reason)), &dialect.not_taken)
        }
        Some(ReplyStyle { dialect: None, .. }) | None => problem(http_status(refusal.reason), request_id),
    };
    let status = response.status();
    let headers = response.headers_mut();
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    if let Some(allow) = &refusal.allow {
        headers.insert(ALLOW, allow.clone());
    }
    headers.insert(X_REQUEST_ID, request_id.clone());
    response
}

/// The status that HTTP has for a reason.
#[must_use]
pub const fn http_status(reason: Reason) -> StatusCode {
    use Reason as R;
    match reason {
        R::RequestMalformed | R::TargetNotCanonical => StatusCode::BAD_REQUEST,
        R::RouteUnknown => StatusCode::NOT_FOUND,
        R::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        R::Misdirected => StatusCode::MISDIRECTED_REQUEST,
        R::TargetTooLong => StatusCode::URI_TOO_LONG,
        R::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        R::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        R::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        R::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,

        R::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        R::BodyMalformed | R::FieldMissing | R::FieldRepeated | R::FieldMalformed => StatusCode::BAD_REQUEST,
        R::ChannelUnknown => StatusCode::NOT_FOUND,
        R::NotificationKeysMissing => StatusCode::UNAUTHORIZED,

        R::NotPaidYet | R::UserPaying | R::AwaitingDeduction | R::OrderNotFound | R::TradeStateUnknown => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        R::NumberNotListed | R::RefundNotConfirmed => StatusCode::SERVICE_UNAVAILABLE,
        R::NumberOfAnotherOrder => StatusCode::FORBIDDEN,
        R::QueryTimeout | R::QueryFailed | R::RateLimited => StatusCode::SERVICE_UNAVAILABLE,
        R::WechatRateLimited | R::WechatSystemError | R::QueryRefused => StatusCode::SERVICE_UNAVAILABLE,
        R::AnswerHttpStatus | R::AnswerTooLarge | R::AnswerUnreadable => StatusCode::SERVICE_UNAVAILABLE,
        R::AnswerUnsigned | R::AnswerBadlySigned | R::AnswerIncomplete => StatusCode::SERVICE_UNAVAILABLE,
        R::AnswerSerialUnknown | R::AnswerOutsideWindow | R::CertificatesUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        R::AnswerForOtherOrder | R::AnswerForOtherMerchant | R::AnswerForOtherApp => StatusCode::SERVICE_UNAVAILABLE,
        R::Closed | R::Revoked | R::PayError | R::Refunded | R::NotificationNotSuccess => StatusCode::PAYMENT_REQUIRED,
        R::AmountDiffers | R::ExpectedAmountDiffers | R::TransactionDiffers | R::TransactionOfOtherOrder => {
            StatusCode::FORBIDDEN
        }
        R::NotificationUnsigned | R::NotificationBadlySigned | R::NotificationUndecipherable => StatusCode::FORBIDDEN,
        R::NotificationProbe | R::NotificationSerialUnknown | R::NotificationOutsideWindow => StatusCode::UNAUTHORIZED,
        R::NotificationForOtherMerchant | R::NotificationNotPayment | R::NotificationCombined => StatusCode::FORBIDDEN,

        R::UpstreamUnreachable | R::UpstreamBroke | R::UpstreamAnswerTooLarge => StatusCode::BAD_GATEWAY,
        // An answer is passed on, accepted or not.
        R::NotAccepted => StatusCode::BAD_GATEWAY,
        R::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        R::Overloaded | R::JournalUnavailable | R::DeliveryUnderWay => StatusCode::SERVICE_UNAVAILABLE,
        // No sender waits for what the follow-up does.
        R::ParkedByOperator | R::GaveUpAsking | R::GaveUpDelivering | R::AlreadyAccepted => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        R::CannotSynthesize | R::RouteGone | R::WindowOver => StatusCode::SERVICE_UNAVAILABLE,
        R::OverrideNeeded | R::DeliveredOverPrice | R::DeliveredAgain => StatusCode::SERVICE_UNAVAILABLE,
        // A paid callback is forwarded; one that is refused as paid would be a fault of ours.
        R::SecondPayment => StatusCode::CONFLICT,
        R::InternalError | R::Paid | R::PaidAfterClose | R::RefundConfirmed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn problem(status: StatusCode, request_id: &HeaderValue) -> Response<Full<Bytes>> {
    let title = status.canonical_reason().unwrap_or("Refused");
    let id = request_id.to_str().unwrap_or_default();
    let code = status.as_u16();
    let body = format!(r#"{{"type":"about:blank","title":"{title}","status":{code},"instance":"urn:uuid:{id}"}}"#);
    fixed(status, PROBLEM, Bytes::from(body))
}

fn phrase(status: StatusCode, phrase: &Phrase) -> Response<Full<Bytes>> {
    fixed(status, phrase.content_type.clone(), Bytes::from_static(phrase.body.as_bytes()))
}

fn fixed(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests;
