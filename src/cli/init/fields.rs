//! What stands in a saved request: its carrier, and its fields under the names that a configuration gives them.

use crate::gate::claim::Carrier;
use crate::net::xml::Fields;
use anyhow::Context;
use hyper::header::CONTENT_TYPE;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::borrow::Cow;

/// Most fields that are looked at.
const MOST: usize = 500;

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// As the configuration names it: `OrderID`, `data.order_id`, `query.id`.
    pub(super) name: String,
    pub(super) value: String,
}

/// What a request consists of.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) carrier: Carrier,
    /// Of the body, or of the query where that is the carrier.
    pub(super) fields: Vec<Field>,
    /// Of the query, decoded.
    pub(super) query: Vec<Field>,
}

impl Request {
    /// Reads the fields.
    pub(super) fn read(head: &Parts, body: &[u8]) -> anyhow::Result<Self> {
        let carrier = carrier(head, body);
        let query = form(head.uri.query().unwrap_or_default());
        let mut fields = match carrier {
            Carrier::Query => query.clone(),
            Carrier::Json => json(body)?,
            Carrier::Xml => xml(body)?,
            Carrier::Multipart => multipart(boundary(head).unwrap_or_default(), body),
            Carrier::Form => form(&String::from_utf8_lossy(body)),
        };
        fields.truncate(MOST);
        Ok(Self { carrier, fields, query })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }
}

/// By what the body looks like: senders often say nothing of it, or something else.
fn carrier(head: &Parts, body: &[u8]) -> Carrier {
    if boundary(head).is_some() {
        return Carrier::Multipart;
    }
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Carrier::Query,
        Some(b'<' | 0xEF) => Carrier::Xml,
        Some(b'{' | b'[') => Carrier::Json,
        Some(_) => Carrier::Form,
    }
}

/// What stands between the parts of multipart/form-data.
fn boundary(head: &Parts) -> Option<&str> {
    let kind = head.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if !kind.to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let at = kind.to_ascii_lowercase().find("boundary=")? + "boundary=".len();
    Some(kind.get(at..)?.split(';').next().unwrap_or_default().trim().trim_matches('"'))
}

/// The texts among the parts; the gate's own reader decides later whether they are well-formed.
fn multipart(boundary: &str, body: &[u8]) -> Vec<Field> {
    let body = String::from_utf8_lossy(body);
    let part = |part: &str| {
        let (head, value) = part.split_once("\r\n\r\n")?;
        let name = head.split_once("name=\"")?.1.split('"').next()?.to_owned();
        Some(Field { name, value: value.strip_suffix("\r\n").unwrap_or(value).to_owned() })
    };
    body.split(&format!("--{boundary}"))
        .filter(|part| !part.contains("filename="))
        .filter_map(part)
        .take(MOST)
        .collect()
}

fn form(text: &str) -> Vec<Field> {
    let decoded = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Field { name: decoded(name), value: decoded(value) }
    };
    text.split('&').filter(|text| !text.is_empty()).take(MOST).map(pair).collect()
}

fn xml(body: &[u8]) -> anyhow::Result<Vec<Field>> {
    let fields = Fields::read(body).context("the body looks like XML, and cannot be read")?;
    let field = |(name, value): &(&str, Cow<'_, str>)| Field { name: (*name).to_owned(), value: value.to_string() };
    Ok(fields.0.iter().map(field).collect())
}

fn json(body: &[u8]) -> anyhow::Result<Vec<Field>> {
    let value: Value = serde_json::from_slice(body).context("the body looks like JSON, and is none")?;
    let mut fields = Vec::new();
    flatten("", &value, &mut fields);
    Ok(fields)
}

/// The texts and numbers of objects, by their dotted paths; nothing of lists.
fn flatten(path: &str, value: &Value, fields: &mut Vec<Field>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries.iter().filter(|(key, _)| !key.contains('.') && !key.is_empty()).take(MOST) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, fields);
            }
        }
        Value::String(text) => fields.push(Field { name: path.to_owned(), value: text.clone() }),
        Value::Number(number) => fields.push(Field { name: path.to_owned(), value: number.to_string() }),
        Value::Null | Value::Bool(_) | Value::Array(_) => {}
    }
}
