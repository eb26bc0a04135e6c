//! Persists a callback, so that the gate answers nothing that it could forget.

use super::decide::Confirmed;
use super::policy::Mode;
use super::record::{Record, TakenIn};
use super::records::Records;
use super::route::Route;
use crate::domain::reason::{Reason, Verdict};
use crate::journal::{Callback, Claimed, Origin, Request, Trust};
use crate::observe::traces::Parent;
use crate::server::Peer;
use bytes::Bytes;
use hyper::http::request::Parts;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

/// A callback that was read, as it may have to be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received<'r> {
    pub(super) id: Uuid,
    pub(super) peer: Peer,
    pub(super) route: &'r Route,
    pub(super) claimed: Claimed,
    pub(super) head: &'r Parts,
    pub(super) body: &'r Bytes,
}

/// How long is waited for the disk, and what follows if it does not write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) until: Instant,
    /// Observing goes on without a record.
    pub(super) mode: Mode,
}

impl Limits {
    /// Where everything is forwarded the upstream must have its time all the same, so that only `confirm_by` is left.
    pub(super) fn of(mode: Mode, confirm_by: Instant, deadline: Instant) -> Self {
        Self { until: if mode == Mode::Observe { confirm_by } else { deadline }, mode }
    }
}

/// What a record of a claim is worth once the claim is decided, and `before` that; `None` if the claim is not worth
/// one.
pub(super) fn trust(decided: &Result<Confirmed, Reason>, before: Trust) -> Option<Trust> {
    match decided {
        Ok(_) => Some(Trust::Confirmed),
        Err(reason) if reason.holds_payment() => Some(Trust::Confirmed),
        Err(reason) => match reason.verdict() {
            Some(Verdict::Contradicted | Verdict::Unpaid) => None,
            _ => Some(before),
        },
    }
}

impl Received<'_> {
    /// Takes the callback in; when this is ready, it is on disk. `None` if it is not kept: there is no journal, a claim
    /// that may be made up has no place there now, or observing goes on without. No callback waits for a disk that
    /// hangs beyond the limit; what that disk writes after all is followed up.
    pub(super) async fn persist(
        self,
        records: &Records,
        trust: Trust,
        limits: Limits,
        within: &Parent,
    ) -> Result<Option<TakenIn>, Reason> {
        let callback = Box::new(self.callback());
        let mut span = within.child("journal");
        let taking = timeout_at(limits.until, records.take_in(callback, trust));
        match taking.await.unwrap_or(Err(Reason::JournalUnavailable)) {
            Ok(taken) => Ok(taken),
            Err(reason) => {
                span.failed(reason.code());
                if limits.mode == Mode::Observe { Ok(None) } else { Err(reason) }
            }
        }
    }

    /// Has what is sent again be this callback, where an earlier one made the record: its signature is younger, and the
    /// earlier one's may be too old by then. Where signatures do not age nothing is written.
    pub(super) fn renew(self, records: &Records, record: &Record, is_first: bool) {
        let preset = self.route.reading(self.body).ok().and_then(|reading| reading.preset);
        let signed_at = preset.and_then(|preset| preset.signed_at).and_then(|signed_at| signed_at(&self.head.headers));
        let Some(signed_at) = signed_at else { return };
        if record.is_signed(signed_at) && !is_first {
            let has_window = self.route.resign.is_none() && self.route.upstream_window.is_some();
            records.renewed(record, self.request(), has_window);
        }
    }

    fn request(&self) -> Request {
        let Parts { method, uri, headers, .. } = self.head;
        Request {
            peer: self.peer.addr,
            tls: self.peer.tls,
            method: method.clone(),
            target: uri.clone(),
            headers: headers.clone(),
            body: self.body.clone(),
        }
    }

    fn callback(self) -> Callback {
        let request = self.request();
        Callback {
            request_id: self.id,
            route: self.route.name.clone(),
            origin: Origin::Callback,
            claimed: self.claimed,
            created_at: None,
            request: Some(request),
        }
    }
}
