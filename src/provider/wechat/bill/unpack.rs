//! Decompresses a bill in small steps, because a few bytes can stand for very many.

use super::BillError;
use flate2::write::MultiGzDecoder;
use std::io::Write;

/// Bytes that one step takes of a bill that is not compressed. A compressed one gives about as much.
const STEP: usize = 32 * 1024;

/// The first byte of gzip, and of no text.
const GZIP: u8 = 0x1f;

/// Takes what was received and gives text, compressed or not, whatever was asked for.
#[derive(Debug, Default)]
pub(in crate::provider::wechat) enum Unpacker {
    /// Nothing has come.
    #[default]
    Unknown,
    /// Text that is not compressed.
    Plain,
    /// gzip, in one part or several.
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
}

impl Unpacker {
    /// Takes a part of `bytes`, at least one, and appends what it stands for to `text`, also if it fails then; how many
    /// bytes it took. One step gives some ten thousand bytes of text at most, or none yet.
    pub(in crate::provider::wechat) fn step(&mut self, bytes: &[u8], text: &mut Vec<u8>) -> Result<usize, BillError> {
        if matches!(self, Self::Unknown) && !bytes.is_empty() {
            let compressed = bytes.first() == Some(&GZIP);
            *self = if compressed { Self::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))) } else { Self::Plain };
        }
        match self {
            Self::Unknown => Ok(0),
            Self::Plain => {
                let part = bytes.get(..STEP).unwrap_or(bytes);
                text.extend_from_slice(part);
                Ok(part.len())
            }
            Self::Gzip(decoder) => {
                let taken = decoder.write(bytes);
                text.append(decoder.get_mut());
                taken.ok().filter(|taken| *taken > 0).ok_or(BillError::Damaged)
            }
        }
    }

    /// Nothing more comes: appends the last of the text.
    pub(in crate::provider::wechat) fn finish(self, text: &mut Vec<u8>) -> Result<(), BillError> {
        if let Self::Gzip(mut decoder) = self {
            let ended = decoder.try_finish();
            text.append(decoder.get_mut());
            ended.map_err(|_| BillError::CutOff)?;
        }
        Ok(())
    }

    /// Whether the end of the text can be told from a cut.
    pub(in crate::provider::wechat) const fn knows_its_end(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// All of the text, and the most that one step gave.
    fn unpack(bytes: &[u8], chunk: usize) -> Result<(Vec<u8>, usize), BillError> {
        let (mut unpacker, mut text, mut most) = (Unpacker::default(), Vec::new(), 0);
        for mut chunk in bytes.chunks(chunk) {
            while !chunk.is_empty() {
                let before = text.len();
                let taken = unpacker.step(chunk, &mut text)?;
                most = most.max(text.len() - before);
                chunk = &chunk[taken..];
            }
        }
        let before = text.len();
        unpacker.finish(&mut text)?;
        most = most.max(text.len() - before);
        Ok((text, most))
    }

    #[test]
    fn text_is_text_and_gzip_is_unpacked_in_any_pieces() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|number| number.to_string().into_bytes()).collect();
        let two_parts = [gzip(&text), gzip(b"end")].concat();
        for chunk in [1, 7, 8, 4096, usize::MAX / 2] {
            assert!(unpack(&text, chunk).is_ok_and(|(unpacked, _)| unpacked == text), "{chunk}");
            assert!(unpack(&gzip(&text), chunk).is_ok_and(|(unpacked, _)| unpacked == text), "{chunk}");
            assert!(unpack(&two_parts, chunk).is_ok_and(|(unpacked, _)| unpacked == [&text, &b"end"[..]].concat()));
        }
        assert_eq!(unpack(b"", 1), Ok((Vec::new(), 0)));
    }

    #[test]
    fn a_step_is_small_however_much_the_bytes_stand_for() {
        let bomb = gzip(&vec![b'`'; 50 << 20]);
        let (text, most) = unpack(&bomb, usize::MAX / 2).unwrap();
        assert_eq!(text.len(), 50 << 20);
        assert!(most <= 2 * STEP, "{most}");
    }

    #[test]
    fn what_is_missing_or_changed_is_noticed() {
        let whole = gzip(&b"a line of a bill\n".repeat(1000));
        for end in 1..whole.len() {
            assert!(unpack(&whole[..end], 1000).is_err(), "{end} of {} bytes", whole.len());
        }
        let mut changed = whole.clone();
        *changed.iter_mut().rev().nth(5).unwrap() ^= 1;
        assert!(unpack(&changed, 1000).is_err());
        assert!(unpack(&[whole, b"more".to_vec()].concat(), 1000).is_err());
    }
}
