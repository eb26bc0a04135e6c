//! Bodies as they stand in a store: smaller, where that is worth the time.

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{DeflateDecoder, DeflateEncoder};
use std::io::Read;

/// A body up to this size stands as it was received: most callbacks are smaller, and are to cost no time.
const SMALL: usize = 1024;

/// The beginning of a body that shows whether the rest is worth the time.
const SAMPLE: usize = 4096;

/// The largest body that is inflated; none that is larger was ever accepted.
const LARGEST: usize = 64 * 1024 * 1024;

/// The body, smaller by a quarter at least.
pub(in crate::journal) fn deflate(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() <= SMALL {
        return None;
    }
    if let Some(sample) = body.get(..SAMPLE) {
        deflated(sample)?;
    }
    deflated(body)
}

fn deflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut deflated = Vec::new();
    DeflateEncoder::new(bytes, Compression::fast()).read_to_end(&mut deflated).ok()?;
    (deflated.len() <= bytes.len() - bytes.len() / 4).then_some(deflated)
}

/// The body that was deflated; `None` if it is not of that length.
pub(in crate::journal) fn inflate(deflated: &[u8], length: usize) -> Option<Bytes> {
    if length > LARGEST {
        return None;
    }
    let mut body = Vec::with_capacity(length);
    DeflateDecoder::new(deflated).take(length as u64 + 1).read_to_end(&mut body).ok()?;
    (body.len() == length).then(|| Bytes::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_deflated_where_that_helps_and_comes_back_as_it_went() {
        let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(60_000).collect();
        assert!(deflate(&noise).is_none());
        assert!(deflate(&[b'x'; SMALL]).is_none());
        let text = "OrderID=A1&attach=%e5%95%86%e5%93%81&x=".repeat(1500);
        let deflated = deflate(text.as_bytes()).unwrap();
        assert!(deflated.len() * 10 < text.len());
        assert_eq!(inflate(&deflated, text.len()).unwrap(), text.as_bytes());
        assert!(inflate(&deflated, text.len() - 1).is_none() && inflate(&deflated, text.len() + 1).is_none());
        assert!(inflate(b"no stream", 5).is_none() && inflate(&deflated, usize::MAX).is_none());
    }
}
