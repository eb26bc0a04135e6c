//! When the upstream counts as having taken a callback: `accepted` of a route (threat D-09).
//!
//! What is written is what must hold, all of it; only where no status is written it must be 2xx. The answer is the
//! order system's own: a doubt about it costs seven days of repetitions of an order that is booked, and one that is
//! taken for a yes loses an order. So what it says is looked for as a lenient reader would, and it must say it plainly
//! and once.

mod json;

mod text;

mod xml;

use crate::provider::preset::{Preset, TakenWhen};
use crate::upstream::UpstreamAnswer;
use hyper::StatusCode;
pub use json::{JsonRule, Scalar};
use std::borrow::Cow;
use std::fmt;

/// When the upstream counts as having taken a callback. Every part that is given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The statuses that count.
    pub status: AcceptedStatus,
    /// The `return_code` that an XML answer must say, for WeChat v2 notifications `SUCCESS`.
    pub return_code: Option<String>,
    /// What an answer must say that says something: JSON in `code`, XML in `return_code`, for WeChat v3 notifications
    /// `SUCCESS`.
    pub code: Option<String>,
    /// The whole body, but for blanks and byte order marks around it; `""` is none.
    pub body: Option<String>,
    /// A text that the body must contain.
    pub body_contains: Option<String>,
    /// What a JSON answer must say, each at its place.
    pub json: Vec<JsonRule>,
}

/// Which statuses count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedStatus {
    /// A class by its first digit: `2xx` is 2.
    Class(u16),
    /// This status only.
    Exactly(StatusCode),
}

/// The part of a rule that an answer did not meet: the first, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedRule {
    /// `status`.
    Status,
    /// `return_code`.
    ReturnCode,
    /// `code`.
    Code,
    /// `body`.
    Body,
    /// `body_contains`.
    BodyContains,
    /// `json`.
    Json,
}

/// One part of a rule, held against an answer, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part of the rule.
    pub rule: FailedRule,
    /// What the rule wants, as the configuration has it.
    pub wanted: String,
    /// What the answer has there, or why nothing can be read.
    pub found: String,
    /// Whether the answer meets it.
    pub holds: bool,
}

impl FailedRule {
    /// Its key in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::ReturnCode => "return_code",
            Self::Code => "code",
            Self::Body => "body",
            Self::BodyContains => "body_contains",
            Self::Json => "json",
        }
    }
}

impl fmt::Display for FailedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl AcceptedStatus {
    /// Whether `status` counts.
    #[must_use]
    pub fn holds(self, status: StatusCode) -> bool {
        match self {
            Self::Class(class) => status.as_u16() / 100 == class,
            Self::Exactly(exactly) => status == exactly,
        }
    }
}

impl fmt::Display for AcceptedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(class) => write!(f, "{class}xx"),
            Self::Exactly(status) => write!(f, "{}", status.as_u16()),
        }
    }
}

impl Accepted {
    /// Any 2xx, whatever the body says.
    #[must_use]
    pub const fn any_2xx() -> Self {
        Self {
            status: AcceptedStatus::Class(2),
            return_code: None,
            code: None,
            body: None,
            body_contains: None,
            json: Vec::new(),
        }
    }

    /// What the provider itself wants of the answer to one of its notifications.
    #[must_use]
    pub fn of(preset: &Preset) -> Self {
        match preset.accepted {
            TakenWhen::AnyBody => Self::any_2xx(),
            TakenWhen::ReturnCode(code) => Self { return_code: Some(code.to_owned()), ..Self::any_2xx() },
            TakenWhen::Code(code) => Self { code: Some(code.to_owned()), ..Self::any_2xx() },
            TakenWhen::Body(text) => Self { body: Some(text.to_owned()), ..Self::any_2xx() },
        }
    }

    /// Whether it asks nothing of the body.
    #[must_use]
    pub const fn is_status_only(&self) -> bool {
        let Self { return_code, code, body, body_contains, json, .. } = self;
        return_code.is_none() && code.is_none() && body.is_none() && body_contains.is_none() && json.is_empty()
    }

    /// Whether `answer` says that the callback was taken.
    ///
    /// # Errors
    /// The first part that does not hold.
    pub fn judge(&self, answer: &UpstreamAnswer) -> Result<(), FailedRule> {
        if !self.status.holds(answer.status) {
            return Err(FailedRule::Status);
        }
        self.judge_body(&answer.body)
    }

    /// Whether the body says that the callback was taken, whatever the status.
    ///
    /// # Errors
    /// The first part that does not hold.
    pub fn judge_body(&self, body: &[u8]) -> Result<(), FailedRule> {
        if self.is_status_only() {
            return Ok(());
        }
        let body = Body::read(body);
        let failed = |rule, holds: bool| if holds { Ok(()) } else { Err(rule) };
        if let Some(wanted) = &self.return_code {
            failed(FailedRule::ReturnCode, body.says(wanted))?;
        }
        if let Some(wanted) = &self.code {
            failed(FailedRule::Code, body.says_nothing_but(wanted))?;
        }
        if let Some(wanted) = &self.body {
            failed(FailedRule::Body, body.is(wanted))?;
        }
        if let Some(wanted) = &self.body_contains {
            failed(FailedRule::BodyContains, body.contains(wanted))?;
        }
        failed(FailedRule::Json, self.json.iter().all(|rule| rule.holds(&body.legible())))
    }

    /// Every part of the rule, held against `answer`.
    #[must_use]
    pub fn parts(&self, answer: &UpstreamAnswer) -> Vec<Part> {
        let body = Body::read(&answer.body);
        let part = |rule, wanted: String, found: String, holds| Part { rule, wanted, found, holds };
        let mut parts = Vec::new();
        let (status, wanted) = (answer.status, self.status.to_string());
        parts.push(part(FailedRule::Status, wanted, status.as_u16().to_string(), self.status.holds(status)));
        if let Some(wanted) = &self.return_code {
            let found = xml::return_code(&body.legible()).unwrap_or_else(|unread| unread.to_string());
            parts.push(part(FailedRule::ReturnCode, wanted.clone(), text::short(&found), body.says(wanted)));
        }
        if let Some(wanted) = &self.code {
            let found = body.code().map_or_else(|| "no code".to_owned(), |code| text::short(&code));
            parts.push(part(FailedRule::Code, wanted.clone(), found, body.says_nothing_but(wanted)));
        }
        if let Some(wanted) = &self.body {
            let found = text::quoted(&String::from_utf8_lossy(text::trimmed(&body.0)));
            parts.push(part(FailedRule::Body, text::quoted(wanted), found, body.is(wanted)));
        }
        if let Some(wanted) = &self.body_contains {
            let (holds, bytes) = (body.contains(wanted), answer.body.len());
            let found = if holds { "there".to_owned() } else { format!("not in the body of {bytes} bytes") };
            parts.push(part(FailedRule::BodyContains, text::quoted(wanted), found, holds));
        }
        for rule in &self.json {
            let text = body.legible();
            parts.push(part(FailedRule::Json, rule.to_string(), text::short(&rule.found(&text)), rule.holds(&text)));
        }
        parts
    }
}

/// `status 2xx, body "ok"`.
impl fmt::Display for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        if let Some(code) = &self.return_code {
            write!(f, ", return_code {code}")?;
        }
        if let Some(code) = &self.code {
            write!(f, ", code {code}")?;
        }
        if let Some(body) = &self.body {
            write!(f, ", the whole body {}", text::quoted(body))?;
        }
        if let Some(part) = &self.body_contains {
            write!(f, ", {} in the body", text::quoted(part))?;
        }
        self.json.iter().try_for_each(|rule| write!(f, ", json {rule}"))
    }
}

/// A body, made UTF-8 if a mark says that it is UTF-16.
struct Body<'b>(Cow<'b, [u8]>);

impl<'b> Body<'b> {
    fn read(body: &'b [u8]) -> Self {
        Self(text::out_of_utf16(body))
    }

    fn says(&self, code: &str) -> bool {
        xml::return_code(&self.legible()).is_ok_and(|said| said == code)
    }

    /// Whether the body has no code, or this one.
    fn says_nothing_but(&self, code: &str) -> bool {
        self.code().is_none_or(|said| said == code)
    }

    /// The code that the body says, if it is JSON with a `code` or XML with a `return_code`.
    fn code(&self) -> Option<String> {
        let text = self.legible();
        json::code(&text).or_else(|| xml::return_code(&text).ok())
    }

    fn is(&self, wanted: &str) -> bool {
        text::trimmed(&self.0) == text::trimmed(wanted.as_bytes())
    }

    fn contains(&self, wanted: &str) -> bool {
        memchr::memmem::find(&self.0, wanted.as_bytes()).is_some()
    }

    fn legible(&self) -> Cow<'_, str> {
        text::legible(&self.0)
    }
}

#[cfg(test)]
mod tests;
