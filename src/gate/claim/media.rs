//! Whether a body is what its head says and its route wants. Backends choose their parser by Content-Type; a gate that
//! guessed would read another request than they do (threats E-06, E-07, E-14).

use super::{Carrier, Unreadable};
use crate::gate::hop::named_by_connection;
use crate::reason::Reason;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};

/// What a carrier's body may be. WeChat Pay's own Content-Type is nowhere promised, so XML need not be named.
const FORM: &[&str] = &["application/x-www-form-urlencoded"];
const JSON: &[&str] = &["application/json"];
const XML: &[&str] = &["text/xml", "application/xml", "text/plain"];

/// Checks Content-Type and Content-Encoding of a request with or without a body.
pub(super) fn check(carrier: Carrier, headers: &HeaderMap, has_body: bool) -> Result<(), Unreadable> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(refused("Content-Encoding is not identity"));
    }
    survives(headers, &CONTENT_TYPE)?;
    let (wanted, may_be_absent) = match carrier {
        Carrier::Query if !has_body => return Ok(()),
        Carrier::Query | Carrier::Form => (FORM, false),
        Carrier::Json => (JSON, false),
        Carrier::Xml => (XML, true),
    };
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(_), Some(_)) => Err(refused("Content-Type stands twice")),
        (Some(value), None) => check_type(value, wanted),
        (None, _) if may_be_absent => Ok(()),
        (None, _) => Err(refused("Content-Type is missing")),
    }
}

/// Refuses a field that the callback is read by and that Connection names: it would be gone on its way to the backend,
/// which would read another request (threat P-08).
///
/// # Errors
/// If Connection names `field`.
pub(super) fn survives(headers: &HeaderMap, field: &HeaderName) -> Result<(), Unreadable> {
    if named_by_connection(headers).any(|name| name.eq_ignore_ascii_case(field.as_str().as_bytes())) {
        return Err(Unreadable::new(Reason::FieldMalformed, format!("Connection names {field}")));
    }
    Ok(())
}

fn check_type(value: &HeaderValue, wanted: &[&str]) -> Result<(), Unreadable> {
    let mut parts = value.to_str().map_err(|_| refused("Content-Type is not text"))?.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    if !wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(media_type)) {
        return Err(refused("Content-Type is not the route's carrier"));
    }
    let mut parameters = parts.filter(|parameter| !parameter.is_empty());
    match (parameters.next(), parameters.next()) {
        (None, _) => Ok(()),
        (Some(parameter), None) if is_utf8(parameter) => Ok(()),
        _ => Err(refused("Content-Type has a charset other than utf-8, or another parameter")),
    }
}

fn is_utf8(parameter: &str) -> bool {
    parameter.split_once('=').is_some_and(|(name, value)| {
        name.eq_ignore_ascii_case("charset")
            && (value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("\"utf-8\""))
    })
}

fn refused(detail: &str) -> Unreadable {
    Unreadable::new(Reason::UnsupportedMediaType, detail)
}
