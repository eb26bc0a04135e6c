//! Connections to one machine that wait for the next request.

use super::connection::Connection;
use hyper::HeaderMap;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long before its own time the other side's connections are let go of: it counts from another moment than the gate,
/// in whole seconds.
const MARGIN: Duration = Duration::from_secs(1);

/// How many wait at most.
const MOST: usize = 512;

/// The newest is used first, so that after a rush the older ones run out.
#[derive(Debug, Default)]
pub struct Pool(Mutex<VecDeque<Idle>>);

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
    /// How long it may wait.
    limit: Duration,
}

impl Idle {
    fn is_over(&self, most: Duration) -> bool {
        self.since.elapsed() >= self.limit.min(most)
    }
}

impl Pool {
    /// A connection that was good when it was last used and has not waited for `most` since; `None` is not at all.
    pub fn take(&self, most: Option<Duration>) -> Option<Connection> {
        let mut idle = self.0.lock();
        let most = most.unwrap_or_default();
        while let Some(latest) = idle.pop_back() {
            if !latest.is_over(most) {
                return Some(latest.connection);
            }
        }
        None
    }

    /// Keeps `connection` for the next request, for at most `limit`, if it can be used again.
    pub fn keep(&self, connection: Connection, limit: Option<Duration>) {
        let Some(limit) = limit.filter(|_| connection.is_reusable()) else { return };
        let mut idle = self.0.lock();
        idle.push_back(Idle { connection, since: Instant::now(), limit });
        while idle.len() > MOST || idle.front().is_some_and(|oldest| oldest.is_over(limit)) {
            idle.pop_front();
        }
    }
}

/// How long a connection may wait after an answer with these headers, where the gate itself would let it for `most`;
/// `None` is not at all.
#[must_use]
pub fn limit(most: Option<Duration>, headers: &HeaderMap) -> Option<Duration> {
    let most = most?;
    let Some(theirs) = announced(headers) else { return Some(most) };
    theirs.checked_sub(MARGIN).filter(|left| !left.is_zero()).map(|left| left.min(most))
}

/// The shortest `timeout` in the `Keep-Alive` fields, in whole seconds; what is no number is none.
fn announced(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("keep-alive").iter().filter_map(|value| value.to_str().ok());
    let timeout = |parameter: &str| {
        let (name, value) = parameter.split_once('=')?;
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        is_timeout.then(|| value.trim().trim_matches('"').parse().ok()).flatten().map(Duration::from_secs)
    };
    values.flat_map(|value| value.split(',')).filter_map(timeout).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    #[test]
    fn the_shorter_of_both_limits_counts_and_theirs_with_a_margin() {
        let secs = Duration::from_secs;
        for (most, announced, expected) in [
            (Some(4), &[][..], Some(4)),
            (Some(4), &["timeout=5"], Some(4)),
            (Some(4), &["timeout=4, max=100"], Some(3)),
            (Some(4), &["max=100,TIMEOUT = \"3\""], Some(2)),
            (Some(60), &["timeout=20", "timeout=10"], Some(9)),
            (Some(4), &["timeout=1"], None),
            (Some(4), &["timeout=0"], None),
            (Some(4), &["timeout=-1, timeout, max=0, \u{e9}"], Some(4)),
            (Some(4), &["timeout=99999999999999999999"], Some(4)),
            (None, &[], None),
            (None, &["timeout=60"], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in announced {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                headers.append(HeaderName::from_static("keep-alive"), value);
            }
            assert_eq!(limit(most.map(secs), &headers), expected.map(secs), "{most:?} {announced:?}");
        }
    }
}
