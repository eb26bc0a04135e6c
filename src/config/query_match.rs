//! `routes[].path` and `routes[].match`: which targets are a route's.

use super::read::{Map, Value};
use crate::gate::claim::ClaimFields;
use crate::gate::path::{BadPattern, PathPattern};
use crate::gate::route::QueryMatch;

/// More would not tell routes apart any better.
const MOST: usize = 8;

const EXAMPLE: &str = "write match: { query.s: /Home/WxPay/notify }";

/// The path alone; what people write beside it has keys of its own.
pub(super) fn path(value: &Value<'_>) -> Option<PathPattern> {
    let text = value.text()?;
    match PathPattern::parse(&text) {
        Ok(path) => return Some(path),
        Err(_) if text.contains('?') => {
            let (path, names) = (shown(&text), parameters(&text));
            value.problem("has a query", format!("write path: {path} and match: {{ {names} }}"));
        }
        Err(_) if text.contains("://") => {
            value.problem("is a whole URL", "write its path alone, such as /pay/success");
        }
        Err(error @ BadPattern::Wildcard) => {
            value.problem(error.to_string(), "write {name} for one whole segment, such as /pay/{any}");
        }
        Err(error) => value.problem(error.to_string(), "write /pay/success"),
    }
    None
}

/// What stands before the query, if it can be shown.
fn shown(text: &str) -> &str {
    let path = text.split('?').next().unwrap_or_default();
    if PathPattern::parse(path).is_ok() { path } else { "/index.php" }
}

/// `query.s: ..., query.a: ...`: values may be anything, so they are not repeated.
fn parameters(text: &str) -> String {
    let query = text.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let names =
        query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| is_name(name) && name.len() <= 24);
    let names: Vec<_> = names.take(MOST).map(|name| format!("query.{name}: ...")).collect();
    if names.is_empty() { "query.s: ...".to_owned() } else { names.join(", ") }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// `{ query.NAME: VALUE }`, one or several.
pub(super) fn query_match(value: &Value<'_>) -> Option<QueryMatch> {
    let entries = value.entries_or(EXAMPLE)?;
    if entries.is_empty() || entries.len() > MOST {
        value.problem(format!("names none, or more than {MOST}, of the query's parameters"), EXAMPLE);
        return None;
    }
    let read: Vec<_> = entries.into_iter().map(|(key, _, value)| parameter(key, &value)).collect();
    let read: Vec<_> = read.into_iter().collect::<Option<_>>()?;
    Some(QueryMatch::new(read))
}

fn parameter(key: &str, value: &Value<'_>) -> Option<(String, String)> {
    let Some(name) = key.strip_prefix("query.").filter(|name| is_name(name)) else {
        value.problem("is not of the form query.NAME", EXAMPLE);
        return None;
    };
    let text = value.text()?;
    if text.contains('%') {
        value.problem("has a percent escape", "write it as it is meant: / for %2F");
        return None;
    }
    if text.chars().any(char::is_control) || text.len() > 256 {
        value.problem(
            "has a control character, or more than 256 bytes",
            "write the value that the order system routes by",
        );
        return None;
    }
    if text.contains('*') {
        value.warn("has a *, which stands for itself: the parameter's whole value must be the same");
    }
    Some((name.to_owned(), text))
}

/// A parameter that a claim field could be taken for would be refused with every callback.
pub(super) fn check(map: &Map<'_>, query: &QueryMatch, fields: &ClaimFields) {
    let Some(value) = map.get("match") else { return };
    for name in query.names() {
        let Some(at) = value.peek(&format!("query.{name}")) else { continue };
        if let Some(field) = fields.alike(name) {
            at.problem(
                format!("is the same name as the field {field} to some backends, so every callback would be refused"),
                "route by another parameter, or by the path",
            );
        }
        let folds_alike = |other: &str| other != name && other.eq_ignore_ascii_case(name);
        if query.names().any(folds_alike) {
            at.problem("is the same name as another parameter to some backends", "keep one of the two");
        }
    }
}
