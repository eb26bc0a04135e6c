//! What Connection says of a message's other fields: those it names are for one connection only (RFC 9110 section
//! 7.6.1).

use hyper::HeaderMap;
use hyper::header::CONNECTION;

/// The names in all Connection fields, as they are written; a name may stand twice, or be no name at all.
pub fn named_by_connection(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(CONNECTION).iter().map(|value| value.as_bytes());
    values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;

    /// P-08: the first field may be empty, and one may hold bytes that are no text.
    #[test]
    fn every_field_is_looked_at() {
        let mut headers = HeaderMap::new();
        for value in [&b""[..], b"close, ,X-A", b"\xe9,\tx-b"] {
            headers.append(CONNECTION, HeaderValue::from_bytes(value).unwrap());
        }
        let names: Vec<_> = named_by_connection(&headers).collect();
        assert_eq!(names, [&b"close"[..], b"X-A", b"\xe9", b"x-b"]);
    }
}
