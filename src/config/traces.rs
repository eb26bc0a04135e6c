//! Where spans go, for programs that look at traces.

use super::read::{Section, Value};
use crate::domain::secret::Secret;
use crate::observe::traces::{BUILT, Settings};
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::uri::Uri;

pub(super) static TRACES: Section = Section { name: "traces", keys: &["endpoint", "sample", "headers"] };

/// What the exporter itself writes.
const TAKEN: &[&str] =
    &["connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"];

pub(super) fn traces(value: &Value<'_>) -> Option<Settings> {
    if !BUILT {
        value.problem("needs a program that was built with traces", "remove traces, or build with --features otlp");
    }
    let map = value.map(&TRACES)?;
    let remedy = "write the collector's base URL, http://127.0.0.1:4318; /v1/traces is appended";
    let endpoint = map.required("endpoint", "endpoint: http://127.0.0.1:4318", |v| v.parse(endpoint, remedy));
    let sample = map.or("sample", 1.0, |v| v.parse(sample, "write a share like 1.0 or 0.05"));
    let headers = map.or("headers", Vec::new(), headers);
    Some(Settings { endpoint: endpoint?, sample, headers })
}

fn endpoint(text: &str) -> Result<Uri, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "is not a URL")?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    match uri.authority() {
        Some(authority) if is_web && !authority.host().is_empty() && !authority.as_str().contains('@') => {}
        Some(authority) if authority.as_str().contains('@') => return Err("has a user in it"),
        _ => return Err("is neither http://HOST nor https://HOST"),
    }
    if uri.query().is_some() { Err("has a query") } else { Ok(uri) }
}

fn sample(text: &str) -> Result<f64, &'static str> {
    let share: f64 = text.parse().map_err(|_| "is not a number")?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("is not from 0 to 1") }
}

fn headers(value: &Value<'_>) -> Option<Vec<(HeaderName, Secret)>> {
    let entries = value.entries()?;
    Some(entries.into_iter().filter_map(|(name, _, value)| header(name, &value)).collect())
}

fn header(name: &str, value: &Value<'_>) -> Option<(HeaderName, Secret)> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        value.problem("is under a name that no header has", "name a header, such as authorization");
        return None;
    };
    if TAKEN.contains(&name.as_str()) {
        value.problem("is a header that is written anyway", "remove it");
    }
    let secret = value.secret()?;
    if HeaderValue::from_str(secret.expose()).is_err() {
        value.problem("is no value that a header can have", "write visible ASCII characters");
    }
    Some((name, secret))
}

#[cfg(all(test, not(feature = "otlp")))]
mod tests {
    use crate::config::Config;

    #[test]
    fn without_the_feature_the_key_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.yaml");
        std::fs::write(&file, "traces: { endpoint: http://127.0.0.1:4318 }\n").unwrap();
        let problems = Config::load(&file).unwrap_err().to_string();
        assert!(problems.contains("build with --features otlp"), "{problems}");
    }
}
