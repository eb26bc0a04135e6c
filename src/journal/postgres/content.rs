//! A request as it stands in the database.

use crate::journal::Request;
use crate::journal::stored::body::deflate;
use crate::journal::stored::headers::write_headers;

/// A request, ready to be written.
#[derive(Debug, Clone)]
pub(super) struct Content {
    pub(super) peer: String,
    pub(super) tls: bool,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<u8>,
    pub(super) body: Vec<u8>,
    /// The body's length, where it stands deflated.
    pub(super) inflated: Option<i64>,
}

impl Content {
    /// Deflates the body where that makes it notably smaller.
    pub(super) fn of(request: &Request) -> Self {
        let deflated = deflate(&request.body);
        let length = i64::try_from(request.body.len()).unwrap_or(i64::MAX);
        Self {
            peer: request.peer.to_string(),
            tls: request.tls,
            method: request.method.as_str().to_owned(),
            target: request.target.to_string(),
            headers: write_headers(&request.headers),
            inflated: deflated.is_some().then_some(length),
            body: deflated.unwrap_or_else(|| request.body.to_vec()),
        }
    }

    /// What it takes.
    pub(super) fn bytes(&self) -> u64 {
        (self.target.len() + self.headers.len() + self.body.len()) as u64
    }
}
