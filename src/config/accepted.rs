//! When a route's upstream counts as having taken a callback.

use super::read::{Section, Value};
use super::reply::exactly;
use crate::gate::accepted::{Accepted, AcceptedStatus, JsonRule, Scalar};
use crate::provider::preset::{Preset, TakenWhen};

pub(super) static ACCEPTED: Section =
    Section { name: "routes[].accepted", keys: &["status", "return_code", "code", "body", "body_contains", "json"] };

/// Places in a JSON answer that may be looked at.
const MOST_PLACES: usize = 16;

/// The longest path of one.
const LONGEST_PATH: usize = 200;

const AS_A_MAP: &str = "write { body: success } if the whole answer is that word, { json: { code: 0 } } for a place in JSON, or { status: 2xx }";

/// `accepted`: what is written is the whole rule, but for the status, which is 2xx if none is written.
pub(super) fn accepted(value: &Value<'_>) -> Option<Accepted> {
    let map = value.map_or(&ACCEPTED, AS_A_MAP)?;
    if value.peek_keys().is_empty() {
        value.problem("is empty", "write what must hold, such as { status: 2xx }, or remove the key");
        return None;
    }
    let accepted = Accepted {
        status: map.or("status", AcceptedStatus::Class(2), |v| a_status(v)),
        return_code: map.optional("return_code", Value::text),
        code: map.optional("code", Value::text),
        body: map.optional("body", body),
        body_contains: map.optional("body_contains", body_contains),
        json: map.or("json", Vec::new(), json),
    };
    if let (Some(at), Some(body)) = (map.get("body"), &accepted.body)
        && let Err(failed) = accepted.judge_body(body.as_bytes())
    {
        at.problem(
            format!("is a body that does not meet {failed}, so nothing ever counts"),
            format!("remove body or {failed}"),
        );
    }
    if let (Some(at), Some(code), Some(return_code)) = (map.get("code"), &accepted.code, &accepted.return_code)
        && code != return_code
    {
        at.problem(
            "is another word than return_code, so no XML ever counts",
            "write the same word, or remove one of them",
        );
    }
    if accepted.return_code.is_some() && !accepted.json.is_empty() {
        value.warn(
            "asks for return_code, which is read in XML, and for json: no answer is both, so nothing ever counts; \
             remove one of them",
        );
    }
    Some(accepted)
}

/// `accepted` beside a preset, for each kind of its notifications.
pub(super) fn of_notification(value: &Value<'_>, kinds: &[&Preset]) -> Option<Accepted> {
    let accepted = accepted(value)?;
    if accepted.is_status_only() {
        let says = |told: fn(&TakenWhen) -> bool| kinds.iter().any(|preset| told(&preset.accepted));
        if says(|told| matches!(told, TakenWhen::Code(_))) {
            value.warn(
                "asks nothing of the body: an answer whose code is FAIL counts as taken, and is not sent again; \
                 if the order system answers WeChat Pay's JSON, add code: SUCCESS",
            );
        } else if says(|told| *told != TakenWhen::AnyBody) {
            value.warn(
                "asks nothing of the body: an answer whose return_code is FAIL counts as taken, and is not sent again; \
                 if the order system answers WeChat Pay's XML, add return_code: SUCCESS",
            );
        }
    }
    Some(accepted)
}

fn a_status(value: &Value<'_>) -> Option<AcceptedStatus> {
    const REMEDY: &str = "write 2xx, or one status like 200";
    if value.is_single_or(REMEDY) { value.parse(status, REMEDY) } else { None }
}

fn status(text: &str) -> Result<AcceptedStatus, &'static str> {
    match text {
        "2xx" => Ok(AcceptedStatus::Class(2)),
        "3xx" => Ok(AcceptedStatus::Class(3)),
        "4xx" => Ok(AcceptedStatus::Class(4)),
        "5xx" => Ok(AcceptedStatus::Class(5)),
        exact => exactly(exact).map(AcceptedStatus::Exactly),
    }
}

fn body(value: &Value<'_>) -> Option<String> {
    let is_text = value.is_single_or("write the whole body as one text, or json: { code: 0 } for a place in JSON");
    if is_text { value.text_or_empty() } else { None }
}

fn body_contains(value: &Value<'_>) -> Option<String> {
    if !value.is_single_or("write one text that every answer has which counts") {
        return None;
    }
    let text = value.text()?;
    if is_word(text.trim()) {
        value.warn(
            "is a single word, and other answers contain it: success is in unsuccessful and in {\"success\":false}; \
             if the word is the whole answer, write body",
        );
    }
    Some(text)
}

/// Whether a text has neither blanks nor signs that would tell it from a part of another word.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// `json: { code: 0, data.state: ok }`.
fn json(value: &Value<'_>) -> Option<Vec<JsonRule>> {
    let entries = value.entries_or("write where in the answer what must stand: { code: 0 }")?;
    if entries.is_empty() || entries.len() > MOST_PLACES {
        value.problem(
            format!("does not have 1 to {MOST_PLACES} places"),
            "write where in the answer what must stand: { code: 0 }",
        );
        return None;
    }
    let rules = entries.into_iter().filter_map(|(path, _, value)| {
        if path.len() > LONGEST_PATH || path.split('.').any(str::is_empty) {
            value.problem("is at no place in JSON", "write the keys that lead there, with dots: data.code");
            return None;
        }
        Some(JsonRule { path: path.to_owned(), is: scalar(&value)? })
    });
    Some(rules.collect())
}

/// What must stand at a place. Without quotes a whole number is a number and `true` is true, as in JSON.
fn scalar(value: &Value<'_>) -> Option<Scalar> {
    let remedy = if value.is_map() {
        "write the keys that lead there, with dots: data.code"
    } else {
        "write a whole number, or a text in quotes"
    };
    let text = if value.is_single_or(remedy) { value.text_or_empty()? } else { return None };
    if !value.is_plain() {
        return Some(Scalar::Text(text));
    }
    match &*text {
        "true" | "True" | "TRUE" => return Some(Scalar::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Scalar::Bool(false)),
        _ => {}
    }
    if is_integer(&text) {
        let number = text.parse().map_err(|_| value.problem("is too large a number", "write a text in quotes"));
        return number.ok().map(Scalar::Integer);
    }
    // With zeros in front it can only be a text: JSON has no such number.
    let like_a_number =
        text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) && text.parse::<f64>().is_ok();
    if like_a_number && !text.bytes().all(|byte| byte.is_ascii_digit()) {
        value.problem("is not a whole number", "write a whole number, or a text in quotes");
        return None;
    }
    Some(Scalar::Text(text))
}

/// Whether a text is a whole number as JSON writes it.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}
