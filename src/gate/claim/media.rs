//! Whether a body is what its head says and its route wants. Backends choose their parser by Content-Type; a gate that
//! guessed would read another request than they do (threats E-06, E-07, E-14).

use super::charset::{Charset, is_utf8};
use super::strictness::ContentType;
use super::{Carrier, ClaimFields, Unreadable};
use crate::domain::reason::Reason;
use crate::upstream::hop::named_by_connection;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};

/// What a carrier's body may be. WeChat Pay's own Content-Type is nowhere promised, so XML need not be named.
const FORM: &[&str] = &["application/x-www-form-urlencoded"];
const JSON: &[&str] = &["application/json"];
const XML: &[&str] = &["text/xml", "application/xml", "text/plain"];
const MULTIPART: &[&str] = &["multipart/form-data"];

/// What Content-Encoding may say: that there is none. A charset is put there by senders that take the field for
/// Content-Type's; it changes no byte, and no program decodes by it.
const NO_CODING: [&[u8]; 4] = [b"", b"identity", b"utf-8", b"utf8"];

/// The longest boundary (RFC 2046 section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// What a head says of its body, as far as the body is read by it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Media<'h> {
    /// What a form is in, unless that is UTF-8 or not said.
    pub(super) charset: Option<Charset>,
    /// What stands between the parts of a multipart body.
    pub(super) boundary: Option<&'h str>,
    /// It is called a form, or nothing, which makes it one to some, and the route may read it as something else.
    pub(super) is_called_form: bool,
}

/// Checks Content-Type and Content-Encoding of a request with or without a body.
pub(super) fn check<'h>(fields: &ClaimFields, headers: &'h HeaderMap, has_body: bool) -> Result<Media<'h>, Unreadable> {
    check_coding(headers)?;
    survives(headers, &CONTENT_TYPE)?;
    let (carrier, content_type) = (fields.carrier, fields.strictness.content_type);
    if carrier == Carrier::Query && !has_body {
        return Ok(Media::default());
    }
    let may_be_absent = carrier == Carrier::Xml || content_type == ContentType::Any;
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(_), Some(_)) => Err(refused("Content-Type stands twice")),
        (Some(value), None) => of_type(carrier, content_type, value),
        (None, _) if may_be_absent => {
            Ok(Media { is_called_form: content_type == ContentType::Any, ..Media::default() })
        }
        (None, _) => Err(refused("Content-Type is missing")),
    }
}

/// Checks those of a request whose body its provider has signed: nobody can have put another request into it, so
/// Content-Type may be absent.
pub(super) fn check_signed(fields: &ClaimFields, headers: &HeaderMap) -> Result<(), Unreadable> {
    if headers.contains_key(CONTENT_TYPE) {
        return check(fields, headers, true).map(drop);
    }
    check_coding(headers)?;
    survives(headers, &CONTENT_TYPE)
}

fn check_coding(headers: &HeaderMap) -> Result<(), Unreadable> {
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    if codings.map(<[u8]>::trim_ascii).all(is_no_coding) {
        return Ok(());
    }
    Err(refused("Content-Encoding is not identity"))
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

fn is_no_coding(coding: &[u8]) -> bool {
    NO_CODING.iter().any(|none| none.eq_ignore_ascii_case(coding))
}

fn of_type(carrier: Carrier, content_type: ContentType, value: &HeaderValue) -> Result<Media<'_>, Unreadable> {
    let value = value.to_str().map_err(|_| refused("Content-Type is not text"))?;
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    let is_own = wanted(carrier).iter().any(|wanted| wanted.eq_ignore_ascii_case(media_type));
    let mut media = Media::default();
    match content_type {
        _ if is_own => {}
        ContentType::Carrier => return Err(refused("Content-Type is not the route's carrier")),
        ContentType::Any => media.is_called_form = is_called_form(value)?,
    }
    let mut charsets = 0;
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        let is_read = read_parameter(&mut media, carrier, parameter).is_some();
        let is_charset = parameter.get(..7).is_some_and(|name| name.eq_ignore_ascii_case("charset"));
        charsets += usize::from(is_charset);
        if charsets > 1 || !is_read && (is_charset || content_type == ContentType::Carrier) {
            return Err(refused(other_parameter(carrier)));
        }
    }
    if carrier == Carrier::Multipart && media.boundary.is_none() {
        return Err(refused("Content-Type has no boundary, or one that programs read differently"));
    }
    Ok(media)
}

const fn wanted(carrier: Carrier) -> &'static [&'static str] {
    match carrier {
        Carrier::Query | Carrier::Form => FORM,
        Carrier::Json => JSON,
        Carrier::Xml => XML,
        Carrier::Multipart => MULTIPART,
    }
}

const fn other_parameter(carrier: Carrier) -> &'static str {
    match carrier {
        Carrier::Query | Carrier::Form => "Content-Type has a charset that no form may be in, or another parameter",
        _ => "Content-Type has a charset other than utf-8, or another parameter",
    }
}

/// Whether a type that is not the carrier's may make a backend read the body as a form: one of a form, and none at all
/// to Rack, CGI.pm and Python's cgi. One that may make it look for parts is refused: they would stand in the middle of
/// a text.
fn is_called_form(value: &str) -> Result<bool, Unreadable> {
    let value = value.to_ascii_lowercase();
    if value.contains("multipart") {
        return Err(refused("Content-Type is multipart, and the route's carrier is not"));
    }
    let media_type = value.split(';').next().unwrap_or_default();
    Ok(value.contains("form") || media_type.trim().is_empty())
}

/// Records a parameter; `None` if it is there already, or changes how the body is read in a way that is not known
/// here.
fn read_parameter<'h>(media: &mut Media<'h>, carrier: Carrier, parameter: &'h str) -> Option<()> {
    let (name, value) = parameter.split_once('=')?;
    let unquoted = |value: &'h str| value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    // A program that takes no blanks there sees no charset, and a claim of ASCII all the same.
    let (before, behind) = (name.trim_end(), value.trim_start());
    if before.eq_ignore_ascii_case("charset") {
        let charset = unquoted(behind).unwrap_or(behind);
        let is_form = matches!(carrier, Carrier::Query | Carrier::Form);
        match Charset::named(charset) {
            _ if is_utf8(charset) => return Some(()),
            Some(charset) if is_form => media.charset = Some(charset),
            _ => return None,
        }
        return Some(());
    }
    let quoted = unquoted(value);
    let is_boundary = carrier == Carrier::Multipart && name.eq_ignore_ascii_case("boundary");
    let boundary = Some(quoted.unwrap_or(value)).filter(|boundary| is_plain_boundary(boundary, quoted.is_some()))?;
    (is_boundary && media.boundary.replace(boundary).is_none()).then_some(())
}

/// Whether every program takes the same text for the boundary: none that ends it early (`,` and blanks for PHP) or
/// decodes it (`=?utf-8?Q?x?=` for Tomcat), and nothing but a token without quotes.
fn is_plain_boundary(boundary: &str, is_quoted: bool) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.'+*".contains(&byte);
    let fits = (1..=LONGEST_BOUNDARY).contains(&boundary.len());
    fits && boundary.bytes().all(|byte| is_plain(byte) || is_quoted && b"=:/".contains(&byte))
}

fn refused(detail: &str) -> Unreadable {
    Unreadable::new(Reason::UnsupportedMediaType, detail)
}
