//! Content codings of answers. The upstream is asked for none; what comes in one all the same is undone, because the
//! gate judges and keeps answers, and a sender gets no coding that it did not offer.

use super::LARGEST_ANSWER;
use crate::domain::reason::Reason;
use bytes::Bytes;
use encoding_rs::Encoding;
use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use hyper::HeaderMap;
use hyper::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderName};
use std::io::Read;

/// Codings on top of each other that are undone.
const MOST_CODINGS: usize = 2;

/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Fields that speak about the bytes as they were coded.
static OF_THE_CODED: [HeaderName; 8] = [
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    ETAG,
    ACCEPT_RANGES,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
];

/// Why a coding cannot be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Illegible {
    /// The gate did not ask for this coding, and it is none of gzip and deflate.
    #[error("is in a content coding that the gate does not know, and did not ask for")]
    Unknown,
    /// The bytes are not what the coding says, or end too early.
    #[error("is not what its Content-Encoding says, or is cut off")]
    Damaged,
    /// It stands for more than [`LARGEST_ANSWER`].
    #[error("is larger than the gate takes")]
    TooLarge,
}

impl Illegible {
    /// The reason code that says so.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Unknown | Self::Damaged => Reason::UpstreamBroke,
            Self::TooLarge => Reason::UpstreamAnswerTooLarge,
        }
    }
}

/// A coding that can be undone.
#[derive(Debug, Clone, Copy)]
enum Coding {
    Gzip,
    /// zlib, or what some servers take for it: bare deflate.
    Deflate,
}

/// Undoes what `Content-Encoding` names, and removes the fields that speak about the coded bytes, also if that fails.
///
/// # Errors
/// Why the body cannot be read.
pub fn undo(headers: &mut HeaderMap, body: Bytes) -> Result<Bytes, Illegible> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return Ok(body);
    }
    let codings = codings(headers);
    if codings.as_ref().is_ok_and(Vec::is_empty) {
        return Ok(body);
    }
    for name in &OF_THE_CODED {
        headers.remove(name);
    }
    if body.is_empty() {
        return Ok(body);
    }
    codings?.into_iter().rev().try_fold(body, |body, coding| match coding {
        // A program that saved or passed on the answer undid the coding and left the field.
        Coding::Gzip if !body.starts_with(&GZIP) => Ok(body),
        Coding::Gzip => gunzip(&body),
        Coding::Deflate => match inflate(&body) {
            Err(Illegible::Damaged) if is_text(&body) => Ok(body),
            inflated => inflated,
        },
    })
}

/// Whether these bytes are no coding's, but a text.
fn is_text(bytes: &[u8]) -> bool {
    let is_sign = |sign: char| !sign.is_control() || sign.is_whitespace();
    std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(is_sign))
}

/// The codings in the order in which they were applied. What is no coding, though it is written there, changes no byte.
fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Illegible> {
    let mut codings = Vec::new();
    let values =
        headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for name in values.map(|name| name.trim_ascii().to_ascii_lowercase()) {
        match &*name {
            b"" | b"identity" | b"none" => {}
            b"gzip" | b"x-gzip" => codings.push(Coding::Gzip),
            b"deflate" => codings.push(Coding::Deflate),
            // Who takes the field for Content-Type's writes a charset here.
            name if Encoding::for_label(name).is_some() => {}
            _ => return Err(Illegible::Unknown),
        }
    }
    if codings.len() > MOST_CODINGS { Err(Illegible::Unknown) } else { Ok(codings) }
}

/// One member after another, and perhaps padding behind them.
fn gunzip(coded: &[u8]) -> Result<Bytes, Illegible> {
    let mut body = Vec::new();
    let mut rest = coded;
    while rest.starts_with(&GZIP) && body.len() <= LARGEST_ANSWER {
        let room = LARGEST_ANSWER - body.len() + 1;
        let mut member = GzDecoder::new(rest);
        member.by_ref().take(room as u64).read_to_end(&mut body).map_err(|_| Illegible::Damaged)?;
        rest = member.into_inner();
    }
    let is_padding = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
    if body.len() <= LARGEST_ANSWER && !rest.iter().all(is_padding) {
        return Err(Illegible::Damaged);
    }
    fits(body)
}

fn inflate(coded: &[u8]) -> Result<Bytes, Illegible> {
    let is_zlib = matches!(coded, [cmf, flg, ..] if cmf & 0x0f == 8 && u16::from_be_bytes([*cmf, *flg]) % 31 == 0);
    let mut decoder = Decompress::new(is_zlib);
    let mut body = Vec::with_capacity(coded.len().saturating_mul(4).min(LARGEST_ANSWER) + 1);
    loop {
        let before = (decoder.total_in(), decoder.total_out());
        let taken = usize::try_from(before.0).unwrap_or(usize::MAX);
        let rest = coded.get(taken..).unwrap_or_default();
        match decoder.decompress_vec(rest, &mut body, FlushDecompress::None) {
            Ok(Status::StreamEnd) => return fits(body),
            Ok(_) if body.len() > LARGEST_ANSWER => return Err(Illegible::TooLarge),
            Ok(_) if body.len() == body.capacity() => body.reserve(body.len()),
            Ok(_) if before != (decoder.total_in(), decoder.total_out()) => {}
            Ok(_) | Err(_) => return Err(Illegible::Damaged),
        }
    }
}

fn fits(body: Vec<u8>) -> Result<Bytes, Illegible> {
    if body.len() > LARGEST_ANSWER { Err(Illegible::TooLarge) } else { Ok(Bytes::from(body)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use hyper::header::HeaderValue;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn undone(codings: &[&str], body: Vec<u8>) -> Result<Bytes, Illegible> {
        let mut headers = HeaderMap::new();
        for coding in codings {
            headers.append(CONTENT_ENCODING, HeaderValue::from_str(coding).unwrap());
        }
        undo(&mut headers, Bytes::from(body))
    }

    #[test]
    fn every_coding_that_servers_use_is_undone() {
        let text = b"<xml><return_code>SUCCESS</return_code></xml>".to_vec();
        for (codings, body) in [
            (&["gzip"][..], gzip(&text)),
            (&["x-gzip"], gzip(&text)),
            (&["GZip"], gzip(&text)),
            (&["gzip"], [gzip(&text[..7]), gzip(&text[7..])].concat()),
            (&["deflate"], zlib(&text)),
            (&["deflate"], deflate(&text)),
            (&["deflate, gzip"], gzip(&zlib(&text))),
            (&["deflate", "gzip"], gzip(&zlib(&text))),
            (&["identity"], text.clone()),
            (&[""], text.clone()),
            (&["UTF-8"], text.clone()),
            (&["GBK"], text.clone()),
            (&["gb2312"], text.clone()),
            (&["ISO-8859-1, gzip"], gzip(&text)),
            // Padding, which readers of gzip let be.
            (&["gzip"], [gzip(&text), vec![0; 5]].concat()),
            (&["gzip"], [gzip(&text), b"\r\n".to_vec()].concat()),
            // Undone on the way, and still named.
            (&["gzip"], text.clone()),
            (&["deflate"], text.clone()),
        ] {
            assert_eq!(undone(codings, body).as_deref(), Ok(&*text), "{codings:?}");
        }
        assert_eq!(undone(&["gzip"], Vec::new()).as_deref(), Ok(&b""[..]), "an empty answer");
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        let cut = |mut coded: Vec<u8>| {
            coded.truncate(coded.len() - 3);
            coded
        };
        let text = b"order-marked-paid".repeat(9);
        for (coding, body, illegible) in [
            ("br", b"order-marked-paid".to_vec(), Illegible::Unknown),
            ("gzip, gzip, gzip", gzip(b"a"), Illegible::Unknown),
            ("gzip", cut(gzip(&text)), Illegible::Damaged),
            // Something went wrong behind what was said.
            ("gzip", [gzip(&text), b"Fatal error".to_vec()].concat(), Illegible::Damaged),
            ("deflate", cut(zlib(&text)), Illegible::Damaged),
            ("deflate", cut(deflate(&text)), Illegible::Damaged),
            ("gzip", gzip(&vec![b'a'; LARGEST_ANSWER + 1]), Illegible::TooLarge),
            ("deflate", zlib(&vec![b'a'; LARGEST_ANSWER + 1]), Illegible::TooLarge),
            ("deflate", zlib(&vec![b'a'; 64 * LARGEST_ANSWER]), Illegible::TooLarge),
        ] {
            assert_eq!(undone(&[coding], body), Err(illegible), "{coding}");
        }
        for whole in [gzip(&vec![b'a'; LARGEST_ANSWER]), zlib(&vec![b'a'; LARGEST_ANSWER])] {
            let coding = if whole.starts_with(&GZIP) { "gzip" } else { "deflate" };
            assert_eq!(undone(&[coding], whole).map(|body| body.len()), Ok(LARGEST_ANSWER));
        }
    }

    #[test]
    fn nothing_is_left_that_speaks_about_the_coded_bytes() {
        let pairs =
            [("content-encoding", "gzip"), ("content-length", "7"), ("etag", "\"1\""), ("vary", "Accept-Encoding")];
        let all = || {
            HeaderMap::from_iter(
                pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))),
            )
        };
        for body in [gzip(b"ok"), cut_off(), Vec::new()] {
            let mut headers = all();
            let _ = undo(&mut headers, Bytes::from(body));
            assert_eq!(headers.keys().collect::<Vec<_>>(), ["vary"]);
        }
        let mut plain = all();
        plain.remove(CONTENT_ENCODING);
        undo(&mut plain, Bytes::from_static(b"ok")).unwrap();
        assert_eq!(plain.len(), pairs.len() - 1);
    }

    fn cut_off() -> Vec<u8> {
        gzip(b"ok").into_iter().take(12).collect()
    }

    proptest! {
        #[test]
        fn what_was_coded_comes_out_and_anything_else_ends(text in proptest::collection::vec(any::<u8>(), 0..3000)) {
            prop_assert_eq!(undone(&["gzip"], gzip(&text)).unwrap(), text.clone());
            prop_assert_eq!(undone(&["deflate"], zlib(&text)).unwrap(), text.clone());
            let _ = undone(&["deflate"], text.clone());
            let _ = undone(&["gzip"], [&GZIP[..], &text].concat());
        }
    }
}
