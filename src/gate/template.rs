//! How a route's callbacks are made. What `routes[].synthesize` writes: MiniJinja templates for the body, the query and
//! headers.
//!
//! Every value is escaped for the place where it is written, and a template has no say in it: there is no `safe` and no
//! `escape` filter, and `{% autoescape %}` changes nothing. Nothing can be included or loaded. Fuel bounds both the
//! work and the bytes that a template can make.

use super::claim::Carrier;
use super::path::ALL_BUT_UNRESERVED;
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use percent_encoding::utf8_percent_encode;
use std::borrow::Cow;
use std::fmt;

/// How a route's callbacks are made.
#[derive(Debug)]
pub enum Synthesize {
    /// As WeChat Pay's own notification (`docs/reference/wechatpay-v2.md` section 7.6).
    Notification,
    /// As `routes[].synthesize` writes it.
    Template(Template),
}

/// A callback's templates.
#[derive(Debug)]
pub struct Template {
    /// The body, escaped for the route's carrier.
    pub body: Option<Text>,
    /// The query string.
    pub query: Option<Text>,
    /// Further headers.
    pub headers: Vec<(HeaderName, Text)>,
    /// Other than the carrier's usual one.
    pub content_type: Option<HeaderValue>,
}

/// One template.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    source: String,
    escape: Escape,
}

/// How values are escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// For a form or query: all but RFC 3986's unreserved characters become `%XX`, a space `%20`.
    Form,
    /// For use between the quotes of a JSON string, which the template writes. Numbers need none.
    Json,
    /// For element content: the five predefined entities.
    Xml,
    /// For a header: as it is, if no control character is in it.
    Header,
}

/// Why a template gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// It is not MiniJinja, or asks for what is not there.
    #[error("is no template that works: {what} (in its line {line})")]
    Faulty {
        /// MiniJinja's words.
        what: String,
        /// Of the template, from 1.
        line: usize,
    },
    /// A variable that is none of [`VARIABLES`].
    #[error("has the unknown variable {0}")]
    UnknownVariable(String),
    /// More work than any callback needs.
    #[error("takes too much work: a loop?")]
    OutOfFuel,
    /// More bytes than a callback has.
    #[error("gives more than 64 KiB")]
    TooLong,
    /// A line break or another control character where none can stand.
    #[error("gives a line break or another control character")]
    Control,
}

/// The parts of a request that differ from route to route.
pub(super) struct Made {
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One of a template's parts gives nothing.
#[derive(Debug)]
pub(super) struct BadPart {
    /// Its key, such as `headers.x-shop`.
    pub(super) part: String,
    /// What is wrong.
    pub(super) why: BadText,
}

/// What templates can name.
pub const VARIABLES: &[&str] = &[
    "order",
    "out_trade_no",
    "transaction_id",
    "amount",
    "amount_yuan",
    "currency",
    "paid_at",
    "time_end",
    "trade_state",
    "channel",
    "channel_parts",
];

/// MiniJinja's units of work for one template: an instruction or 64 bytes each.
const FUEL: u64 = 10_000;

/// Most bytes that one template gives.
const LONGEST: usize = 64 * 1024;

const AGENT: HeaderValue = HeaderValue::from_static(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")));

impl Template {
    /// The parts of a callback that these variables make.
    pub(super) fn render(&self, variables: &Value, carrier: Carrier) -> Result<Made, BadPart> {
        let render =
            |part: &str, text: &Text| text.render(variables).map_err(|why| BadPart { part: part.to_owned(), why });
        let body = self.body.as_ref().map(|text| render("body", text)).transpose()?;
        let query = self.query.as_ref().map(|text| render("query", text)).transpose()?;
        let by_carrier = body.is_some().then(|| media_type(carrier));
        let mut headers = headers(self.content_type.clone().or(by_carrier));
        for (name, text) in &self.headers {
            let part = format!("headers.{name}");
            let value =
                HeaderValue::try_from(render(&part, text)?).map_err(|_| BadPart { part, why: BadText::Control })?;
            headers.insert(name, value);
        }
        Ok(Made { query, headers, body: body.map_or_else(Bytes::new, Bytes::from) })
    }
}

impl Text {
    /// Takes a template.
    ///
    /// # Errors
    /// If it is not MiniJinja, or names a variable that is none of [`VARIABLES`].
    pub fn parse(source: String, escape: Escape) -> Result<Self, BadText> {
        let text = Self { source, escape };
        let environment = text.environment();
        let template = environment.template_from_str(&text.source).map_err(bad)?;
        let known = |name: &str| VARIABLES.contains(&name) || environment.globals().any(|(global, _)| global == name);
        let unknown = template.undeclared_variables(false).into_iter().filter(|name| !known(name)).min();
        match unknown {
            Some(name) => Err(BadText::UnknownVariable(name)),
            None => Ok(text),
        }
    }

    /// What it gives with these variables.
    pub(super) fn render(&self, variables: &Value) -> Result<String, BadText> {
        let environment = self.environment();
        let template = environment.template_from_str(&self.source).map_err(bad)?;
        let text = template.render(variables.clone()).map_err(bad)?;
        let one_line = matches!(self.escape, Escape::Form | Escape::Header);
        if text.len() > LONGEST {
            Err(BadText::TooLong)
        } else if one_line && text.bytes().any(|byte| byte.is_ascii_control()) {
            Err(BadText::Control)
        } else {
            Ok(text)
        }
    }

    /// It is compiled each time it is used, which is rare.
    fn environment<'source>(&self) -> Environment<'source> {
        let escape = self.escape;
        let mut environment = Environment::new();
        for filter in ["safe", "escape", "e"] {
            environment.remove_filter(filter);
        }
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(move |out, _, value| {
            let text = value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed);
            Ok(out.write_str(&escape.apply(&text))?)
        });
        environment
    }
}

impl fmt::Debug for Text {
    /// Not its source, which may be a reference to a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("escape", &self.escape).finish_non_exhaustive()
    }
}

impl Escape {
    /// For a carrier's body, or its query.
    #[must_use]
    pub const fn of(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Query | Carrier::Form | Carrier::Multipart => Self::Form,
            Carrier::Json => Self::Json,
            Carrier::Xml => Self::Xml,
        }
    }

    pub(super) fn apply(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Form => utf8_percent_encode(text, &ALL_BUT_UNRESERVED).into(),
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
                Cow::Owned(inner.unwrap_or_default().to_owned())
            }
            Self::Xml if text.contains(['&', '<', '>', '"', '\'']) => Cow::Owned(xml(text)),
            Self::Xml | Self::Header => Cow::Borrowed(text),
        }
    }
}

/// The headers that every callback has which is made.
pub(super) fn headers(content_type: Option<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::from_iter([(USER_AGENT, AGENT)]);
    headers.extend(content_type.map(|content_type| (CONTENT_TYPE, content_type)));
    headers
}

pub(super) const fn media_type(carrier: Carrier) -> HeaderValue {
    HeaderValue::from_static(match carrier {
        Carrier::Query | Carrier::Form => "application/x-www-form-urlencoded",
        Carrier::Json => "application/json",
        Carrier::Xml => "text/xml",
        // No template is taken for it.
        Carrier::Multipart => "multipart/form-data",
    })
}

fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn bad(error: minijinja::Error) -> BadText {
    match error.kind() {
        ErrorKind::OutOfFuel => BadText::OutOfFuel,
        kind => {
            let what = error.detail().map_or_else(|| kind.to_string(), |detail| format!("{kind}: {detail}"));
            BadText::Faulty { what, line: error.line().unwrap_or(1) }
        }
    }
}
