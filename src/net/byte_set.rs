//! A set of bytes, made when the program is built. To look a byte up costs less than comparing it with ranges.

/// Which bytes are in it.
#[derive(Debug)]
pub struct ByteSet([bool; 256]);

impl ByteSet {
    /// The letters and digits of ASCII, and these.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "the compiler does it, and would not let it go beyond")]
    pub const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut has = [false; 256];
        let mut byte = 0;
        while byte < has.len() {
            has[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            has[others[at] as usize] = true;
            at += 1;
        }
        Self(has)
    }

    /// Whether it has this byte.
    #[must_use]
    #[inline]
    pub fn has(&self, byte: u8) -> bool {
        self.0.get(usize::from(byte)).is_some_and(|has| *has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_letters_digits_and_what_was_named() {
        let set = ByteSet::alphanumeric_and(b"_~");
        for byte in 0..=u8::MAX {
            assert_eq!(set.has(byte), byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~'), "{byte}");
        }
    }
}
