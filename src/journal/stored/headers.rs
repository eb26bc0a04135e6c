//! Headers as they stand in a store.

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// One `name: value` line for each header.
pub(in crate::journal) fn write_headers(headers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::with_capacity(headers.len() * 32);
    for (name, value) in headers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.push(b'\n');
    }
    lines
}

/// The headers of those lines; `None` if they are none.
pub(in crate::journal) fn read_headers(lines: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let colon = memchr::memmem::find(line, b": ")?;
        let (name, value) = line.split_at_checked(colon)?;
        let value = HeaderValue::from_bytes(value.get(2..)?).ok()?;
        headers.append(HeaderName::from_bytes(name).ok()?, value);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_went() {
        let mut headers = HeaderMap::new();
        headers.append("x-a", HeaderValue::from_static("1"));
        headers.append("x-a", HeaderValue::from_static(""));
        headers.append("x-b", HeaderValue::from_bytes(b"caf\xe9: \"x\"").unwrap());
        assert_eq!(read_headers(&write_headers(&headers)), Some(headers));
        assert_eq!(read_headers(b""), Some(HeaderMap::new()));
        assert_eq!(read_headers(b"no colon\n"), None);
    }
}
