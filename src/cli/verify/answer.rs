//! `tollgate verify --answer`: would this answer of the order system count as having taken a callback?

use super::super::ConfigFile;
use super::super::print::{self, Lines};
use crate::config::{AcceptedOf, Outline};
use crate::gate::accepted::{Accepted, Part};
use crate::upstream::{LARGEST_ANSWER, UpstreamAnswer, coding};
use anyhow::Context;
use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ExitCode;

/// Bytes of a file that are read: an answer and its head, and one more, by which too large a one is known.
const MOST_BYTES: u64 = LARGEST_ANSWER as u64 + 64 * 1024 + 1;

/// Heads that may stand before the answer's own: `100 Continue`, a proxy's `200 Connection established`.
const MOST_HEADS: usize = 8;

/// Wrong usage.
const USAGE: u8 = 2;

pub(super) fn run(file: &ConfigFile, answer: &Path, route: &str, as_json: bool) -> anyhow::Result<ExitCode> {
    let outline = match Outline::load(&file.config) {
        Ok(outline) => outline,
        Err(problems) => return super::super::problems::print(&problems, as_json),
    };
    let Some(AcceptedOf { rules, .. }) = outline.accepted.iter().find(|of| of.route == route) else {
        let names: Vec<&str> = outline.accepted.iter().map(|of| of.route.as_str()).collect();
        writeln!(std::io::stderr(), "tollgate: there is no route {route}; there is {}", names.join(", "))?;
        return Ok(ExitCode::from(USAGE));
    };
    let saved = Saved::read(&bytes_of(answer).with_context(|| format!("cannot read {}", answer.display()))?);
    let judged: Vec<(&str, Told)> =
        rules.iter().map(|(preset, rule)| (preset.map_or("", |preset| preset.name), Told::of(&saved, rule))).collect();
    match judged.as_slice() {
        [(_, told)] => print::print(as_json, &told.value(route, &saved), &told.lines(route, &saved))?,
        several => print::print(as_json, &of_each(several, route, &saved), &lines_of_each(several, route, &saved))?,
    }
    Ok(if judged.iter().any(|(_, told)| told.counts()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is told where a route takes several notifications, and the answer is held against the rule of each.
fn of_each(judged: &[(&str, Told)], route: &str, saved: &Saved) -> Value {
    let each = judged.iter().map(|(preset, told)| {
        let mut value = told.value(route, saved);
        if let Some(value) = value.as_object_mut() {
            value.insert("preset".to_owned(), json!(preset));
        }
        value
    });
    let each: Vec<_> = each.collect();
    json!({ "route": route, "counts": judged.iter().any(|(_, told)| told.counts()), "of_each": each })
}

fn lines_of_each(judged: &[(&str, Told)], route: &str, saved: &Saved) -> Lines {
    let mut lines = Lines::default();
    for (preset, told) in judged {
        lines.item("preset", format!("{preset}, as the answer to such a notification"));
        lines.append(told.lines(route, saved));
    }
    lines
}

fn bytes_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An answer that was saved to a file.
#[derive(Debug, PartialEq, Eq)]
struct Saved {
    status: StatusCode,
    /// Whether the file has no head, and so no status.
    is_bare: bool,
    headers: HeaderMap,
    body: Bytes,
}

impl Saved {
    fn read(file: &[u8]) -> Self {
        let mut read = Self {
            status: StatusCode::OK,
            is_bare: true,
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(file),
        };
        let mut rest = file;
        // The last of several heads is the answer's.
        for _ in 0..MOST_HEADS {
            let Some((status, headers, behind)) = head(rest) else { break };
            rest = behind;
            read = Self { status, is_bare: false, headers, body: Bytes::copy_from_slice(behind) };
        }
        read
    }

    /// As the gate would judge it.
    fn legible(&self) -> Result<UpstreamAnswer, coding::Illegible> {
        if self.body.len() > LARGEST_ANSWER {
            return Err(coding::Illegible::TooLarge);
        }
        let mut headers = self.headers.clone();
        let body = coding::undo(&mut headers, self.body.clone())?;
        Ok(UpstreamAnswer { status: self.status, headers, body })
    }
}

/// A head at the beginning, its status and fields, and what stands behind it.
fn head(bytes: &[u8]) -> Option<(StatusCode, HeaderMap, &[u8])> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n").map(|end| end + 4);
    let lf = memchr::memmem::find(bytes, b"\n\n").map(|end| end + 2);
    // A head alone needs no empty line.
    let end = end.into_iter().chain(lf).min().unwrap_or(bytes.len());
    let (head, behind) = bytes.split_at_checked(end)?;
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut words = lines.next()?.strip_prefix(b"HTTP/")?.split(|byte| *byte == b' ').skip(1);
    let status = StatusCode::from_bytes(words.find(|word| !word.is_empty())?).ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            let _ = headers.try_append(name, value);
        }
    }
    Some((status, headers, behind))
}

/// What is told of an answer.
enum Told {
    /// It was held against the rule.
    Judged { status: StatusCode, parts: Vec<Part> },
    /// The gate could not read it.
    Illegible { status: StatusCode, illegible: coding::Illegible },
}

impl Told {
    fn of(saved: &Saved, rule: &Accepted) -> Self {
        match saved.legible() {
            Ok(answer) => Self::Judged { status: answer.status, parts: rule.parts(&answer) },
            Err(illegible) => Self::Illegible { status: saved.status, illegible },
        }
    }

    fn failed(&self) -> Option<&Part> {
        match self {
            Self::Judged { parts, .. } => parts.iter().find(|part| !part.holds),
            Self::Illegible { .. } => None,
        }
    }

    fn counts(&self) -> bool {
        matches!(self, Self::Judged { .. }) && self.failed().is_none()
    }

    fn value(&self, route: &str, saved: &Saved) -> Value {
        let (status, parts, reason) = match self {
            Self::Judged { status, parts } => (status, &**parts, None),
            Self::Illegible { status, illegible } => (status, &[][..], Some(illegible.reason().code())),
        };
        let part = |part: &Part| {
            let Part { rule, wanted, found, holds } = part;
            json!({ "rule": rule.as_str(), "wanted": wanted, "found": found, "holds": holds })
        };
        json!({
            "route": route,
            "counts": self.counts(),
            "failed_rule": self.failed().map(|part| part.rule.as_str()),
            "status": status.as_u16(),
            "status_assumed": saved.is_bare,
            "body_bytes": saved.body.len(),
            "reason": reason,
            "rules": parts.iter().map(part).collect::<Vec<_>>(),
        })
    }

    fn lines(&self, route: &str, saved: &Saved) -> Lines {
        let mut lines = Lines::default();
        lines.item("route", route);
        if saved.is_bare {
            lines.item("head", "none in the file; the status is taken to be 200");
        }
        let parts = match self {
            Self::Judged { parts, .. } => parts,
            Self::Illegible { illegible, .. } => {
                lines.say(format!("It would not count ({}): the body {illegible}.", illegible.reason()));
                return lines;
            }
        };
        for Part { rule, wanted, found, holds } in parts {
            let mark = if *holds { "holds" } else { "FAILS" };
            lines.item(rule.as_str(), format!("{mark}: {wanted} is wanted; found {found}"));
        }
        lines.say(match self.failed() {
            None => "It would count: the order system has taken the callback.".to_owned(),
            Some(part) => format!(
                "It would not count, because of {}: the callback would be sent again by follow_up.redeliver.",
                part.rule
            ),
        });
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::SERVER;

    fn read(file: &str) -> (u16, bool, String) {
        let Saved { status, is_bare, body, .. } = Saved::read(file.as_bytes());
        (status.as_u16(), is_bare, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn a_head_is_known_however_it_was_saved() {
        for (file, status, is_bare, body) in [
            ("HTTP/1.1 500 Internal Server Error\r\nServer: a\r\n\r\noh", 500, false, "oh"),
            ("HTTP/1.1 201 Created\nServer: a\n\nok\n\nmore", 201, false, "ok\n\nmore"),
            ("HTTP/2 200 \r\nserver: a\r\n\r\nok", 200, false, "ok"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\n\r\nno", 404, false, "no"),
            ("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 503 X\r\n\r\n", 503, false, ""),
            ("HTTP/1.1 204 No Content\r\nServer: a\r\n\r\n", 204, false, ""),
            ("HTTP/1.1 204 No Content\r\nServer: a\r\n", 204, false, ""),
            ("HTTP/1.0 200\r\n\r\n\r\nok", 200, false, "\r\nok"),
            ("success", 200, true, "success"),
            ("HTTP is a protocol\n\nyes", 200, true, "HTTP is a protocol\n\nyes"),
            ("", 200, true, ""),
        ] {
            assert_eq!(read(file), (status, is_bare, body.to_owned()), "{file:?}");
        }
        let saved = Saved::read(b"HTTP/1.1 200 OK\r\nServer:  a b \r\nno field\r\nServer: c\r\n\r\n");
        assert_eq!(saved.headers.get_all(SERVER).iter().collect::<Vec<_>>(), ["a b", "c"]);
    }

    #[test]
    fn what_curl_undid_is_read_all_the_same() {
        let saved = Saved::read(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nok");
        assert_eq!(saved.legible().unwrap().body, "ok");
        let saved = Saved::read(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nok");
        assert_eq!(saved.legible().unwrap_err(), coding::Illegible::Unknown);
    }
}
