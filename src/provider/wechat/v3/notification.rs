//! Notifications of API v3, opened before anything is asked, so that a forgery costs no query. A right one is still
//! only a claim.

use super::headers::{BadHeaders, SignatureHeaders};
use crate::domain::reason::Reason;
use crate::provider::Unopened;
use hyper::HeaderMap;
use jiff::Timestamp;

/// What of the headers needs no key: each is there once, it is no probe, and its time is near
/// (`docs/reference/wechatpay-v3.md` section 4).
///
/// # Errors
/// What is wrong with them.
pub fn examine(headers: &HeaderMap, at: Timestamp) -> Result<(), Unopened> {
    read_headers(headers, at).map(drop)
}

fn read_headers(headers: &HeaderMap, at: Timestamp) -> Result<SignatureHeaders<'_>, Unopened> {
    let refused = |reason, detail: String| Unopened { reason, detail: Some(detail.into()) };
    let headers = SignatureHeaders::read(headers).map_err(|bad| refused(reason(bad), bad.to_string()))?;
    if headers.is_probe() {
        return Err(Reason::NotificationProbe.into());
    }
    if !headers.is_within_window(at) {
        let offset = headers.offset(at);
        return Err(refused(Reason::NotificationOutsideWindow, format!("its time is {offset} s from ours")));
    }
    Ok(headers)
}

const fn reason(bad: BadHeaders) -> Reason {
    match bad {
        BadHeaders::Missing(_) => Reason::NotificationUnsigned,
        BadHeaders::Repeated(_) => Reason::FieldRepeated,
        BadHeaders::Malformed(_) | BadHeaders::OtherType => Reason::NotificationBadlySigned,
    }
}
