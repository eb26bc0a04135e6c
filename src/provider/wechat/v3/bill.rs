//! The bill of API v3: where it is, and whether what came is what was signed
//! (`docs/reference/wechatpay-v3.md` section 8). The file itself is not signed, only its SHA-1 is. No row of it may be
//! used before the whole of it was seen, and it may be larger than memory: so a large one comes twice, and the second
//! time each block is held against what it was the first time.

use super::json::Object;
use aws_lc_rs::digest::{
    Context, Digest, SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN, SHA256, SHA256_OUTPUT_LEN, digest,
};

/// Where a bill is, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `download_url`.
    pub url: String,
    /// `hash_value`, the SHA-1.
    pub sha1: [u8; SHA1_OUTPUT_LEN],
}

impl Link {
    /// Reads the signed answer; `None` if it lacks something, or names another hash.
    #[must_use]
    pub fn read(answer: &Object) -> Option<Self> {
        let text = |name| answer.text(name).ok().flatten();
        let mut sha1 = [0; SHA1_OUTPUT_LEN];
        hex::decode_to_slice(text("hash_value")?, &mut sha1).ok()?;
        (text("hash_type")? == "SHA1").then_some(())?;
        Some(Self { url: text("download_url")?.to_owned(), sha1 })
    }
}

/// Bytes of text that are held against what they were. Some memory, whatever the size of the bill.
const BLOCK: usize = 256 * 1024;

/// What a bill's text is made of, block by block.
pub type Blocks = Vec<[u8; SHA256_OUTPUT_LEN]>;

/// Looks at a file that comes for the first time.
pub struct Check {
    received: Context,
    text: Context,
    block: Context,
    in_block: usize,
    blocks: Blocks,
}

impl Default for Check {
    fn default() -> Self {
        let sha1 = || Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        Self { received: sha1(), text: sha1(), block: Context::new(&SHA256), in_block: 0, blocks: Vec::new() }
    }
}

impl Check {
    /// These bytes came.
    pub fn received(&mut self, bytes: &[u8]) {
        self.received.update(bytes);
    }

    /// This is what they stand for.
    pub fn unpacked(&mut self, mut text: &[u8]) {
        self.text.update(text);
        while !text.is_empty() {
            let (part, rest) = text.split_at(text.len().min(BLOCK - self.in_block));
            self.block.update(part);
            self.in_block += part.len();
            if self.in_block == BLOCK {
                self.end_block();
            }
            text = rest;
        }
    }

    /// What the text is made of; `None` if neither it nor what was received has this SHA-1.
    #[must_use]
    pub fn finish(mut self, sha1: &[u8; SHA1_OUTPUT_LEN]) -> Option<Blocks> {
        if self.in_block > 0 {
            self.end_block();
        }
        let is_it = |digest: Digest| digest.as_ref() == sha1;
        (is_it(self.text.finish()) || is_it(self.received.finish())).then_some(self.blocks)
    }

    fn end_block(&mut self) {
        let block = std::mem::replace(&mut self.block, Context::new(&SHA256)).finish();
        self.blocks.extend(<[u8; SHA256_OUTPUT_LEN]>::try_from(block.as_ref()));
        self.in_block = 0;
    }
}

/// The text is not what it was the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Differs;

/// Lets text through that is what it was the first time.
#[derive(Debug)]
pub struct Recheck {
    blocks: std::vec::IntoIter<[u8; SHA256_OUTPUT_LEN]>,
    held: Vec<u8>,
}

impl Recheck {
    /// Against what was seen the first time.
    #[must_use]
    pub fn new(blocks: Blocks) -> Self {
        Self { blocks: blocks.into_iter(), held: Vec::new() }
    }

    /// Takes the next of the text, and leaves in its place what can be used of it by now.
    ///
    /// # Errors
    /// If it is other text.
    pub fn take(&mut self, text: &mut Vec<u8>) -> Result<(), Differs> {
        self.held.append(text);
        while self.held.len() >= BLOCK {
            let rest = self.held.split_off(BLOCK);
            let block = std::mem::replace(&mut self.held, rest);
            self.check(&block)?;
            text.extend_from_slice(&block);
        }
        Ok(())
    }

    /// Nothing more comes: gives the last of the text.
    ///
    /// # Errors
    /// If it is other text, or some is missing.
    pub fn finish(&mut self, text: &mut Vec<u8>) -> Result<(), Differs> {
        self.take(text)?;
        let last = std::mem::take(&mut self.held);
        if !last.is_empty() {
            self.check(&last)?;
        }
        if self.blocks.next().is_some() {
            return Err(Differs);
        }
        text.extend_from_slice(&last);
        Ok(())
    }

    fn check(&mut self, block: &[u8]) -> Result<(), Differs> {
        let expected = self.blocks.next().ok_or(Differs)?;
        if digest(&SHA256, block).as_ref() == expected { Ok(()) } else { Err(Differs) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::wechat::v3::json;

    fn sha1(bytes: &[u8]) -> [u8; SHA1_OUTPUT_LEN] {
        digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().try_into().unwrap()
    }

    fn text(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
    }

    fn check(text: &[u8], pieces: usize) -> Check {
        let mut check = Check::default();
        check.received(b"packed");
        text.chunks(pieces).for_each(|piece| check.unpacked(piece));
        check
    }

    fn again(blocks: &Blocks, text: &[u8], pieces: usize) -> (Vec<u8>, Result<(), Differs>) {
        let (mut recheck, mut let_through) = (Recheck::new(blocks.clone()), Vec::new());
        for piece in text.chunks(pieces) {
            let mut piece = piece.to_vec();
            if recheck.take(&mut piece).is_err() {
                return (let_through, Err(Differs));
            }
            let_through.extend(piece);
        }
        let mut last = Vec::new();
        let ended = recheck.finish(&mut last);
        let_through.extend(last);
        (let_through, ended)
    }

    #[test]
    fn the_hash_is_that_of_the_text_or_of_what_was_received() {
        assert_eq!(hex::encode(sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        let text = text(BLOCK * 2 + 17);
        for pieces in [1000, BLOCK, BLOCK + 1, text.len()] {
            assert_eq!(check(&text, pieces).finish(&sha1(&text)).map(|blocks| blocks.len()), Some(3));
            assert!(check(&text, pieces).finish(&sha1(b"packed")).is_some());
            assert_eq!(check(&text, pieces).finish(&sha1(b"another")), None);
        }
        assert_eq!(Check::default().finish(&sha1(b"")), Some(Vec::new()));
    }

    #[test]
    fn the_second_time_only_the_same_text_is_let_through() {
        for length in [1, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK * 3] {
            let text = text(length);
            let blocks = check(&text, 1000).finish(&sha1(&text)).unwrap();
            for pieces in [999, BLOCK, length] {
                assert_eq!(again(&blocks, &text, pieces), (text.clone(), Ok(())), "{length} in {pieces}");
            }
            assert_eq!(again(&blocks, &text[..length - 1], 4096).1, Err(Differs));
            assert_eq!(again(&blocks, &[&text[..], b"x"].concat(), 4096).1, Err(Differs));
            let mut changed = text.clone();
            changed[length - 1] ^= 1;
            let (let_through, ended) = again(&blocks, &changed, 4096);
            assert_eq!((ended, text.starts_with(&let_through)), (Err(Differs), true));
        }
    }

    #[test]
    fn a_link_needs_its_hash() {
        let read = |document: &str| Link::read(&json::object(document.as_bytes()).unwrap());
        let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let link = |kind: &str, hash: &str| {
            read(&format!(r#"{{"hash_type":"{kind}","hash_value":"{hash}","download_url":"https://x/y?token=1"}}"#))
        };
        assert_eq!(link("SHA1", sha1).map(|link| link.url).as_deref(), Some("https://x/y?token=1"));
        assert_eq!(link("SHA1", &sha1.to_uppercase()), link("SHA1", sha1));
        assert_eq!(link("MD5", sha1), None);
        assert_eq!(link("SHA1", &sha1[..38]), None);
        assert_eq!(link("SHA1", ""), None);
        assert_eq!(read(&format!(r#"{{"hash_type":"SHA1","hash_value":"{sha1}"}}"#)), None);
    }
}
