//! Paths as the configuration writes them, with placeholders, and as senders may: in one spelling only.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A path with placeholders: `/wxpay/notify/{channel}`. A placeholder stands for one whole, non-empty segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Placeholder(String),
}

/// Why a text is not a path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// No slash in front.
    #[error("does not begin with /")]
    NotAbsolute,
    /// It could never match: such a path is refused before any route is looked for.
    #[error("changes under normalisation: write it without //, dot segments, ;, backslashes, ? and needless escapes")]
    NotCanonical,
    /// Braces that are not a whole segment, or hold no name.
    #[error("has a placeholder that is not a whole segment of the form {{name}}, name being letters, digits and _")]
    Placeholder,
    /// As other programs write a placeholder.
    #[error("has a segment of * or :name, which would stand for itself")]
    Wildcard,
    /// Two placeholders of one name.
    #[error("names the placeholder {{{0}}} twice")]
    Repeated(String),
}

/// What the placeholders of a pattern stand for in one path, as sent: percent escapes are left as they are.
#[derive(Debug, Clone, Copy)]
pub struct PathValues<'a> {
    pattern: &'a PathPattern,
    path: &'a str,
}

/// Why a pattern gives no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFilled {
    /// No value is known for this placeholder.
    #[error("the path's {{{0}}} stands for nothing that is known of a paid order")]
    Unknown(String),
    /// With the values the path would be refused.
    #[error("the path would change under normalisation: a value has a / or is a dot segment")]
    NotCanonical,
}

impl PathPattern {
    /// Reads `/pay/success` or `/wxpay/notify/{channel}`.
    ///
    /// # Errors
    /// If it is not absolute, not canonical itself, or its placeholders are not whole segments with names of their own.
    ///
    /// ```
    /// use tollgate::gate::path::PathPattern;
    /// let pattern = PathPattern::parse("/wxpay/notify/{channel}")?;
    /// let values = pattern.matches("/wxpay/notify/app").expect("it matches");
    /// assert_eq!(values.get("channel"), Some("app"));
    /// assert!(pattern.matches("/wxpay/notify/").is_none() && pattern.matches("/wxpay/notify/a/b").is_none());
    /// # Ok::<_, tollgate::gate::path::BadPattern>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let Some(path) = text.strip_prefix('/') else { return Err(BadPattern::NotAbsolute) };
        if path.split('/').any(|segment| segment.ends_with('*') || segment.starts_with(':')) {
            return Err(BadPattern::Wildcard);
        }
        let segments = path.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        // A placeholder is as good as any word here.
        let sample: String = segments.iter().flat_map(|segment| ["/", segment.literal().unwrap_or("x")]).collect();
        if !is_canonical(&sample) {
            return Err(BadPattern::NotCanonical);
        }
        let pattern = Self { text: text.to_owned(), segments };
        let mut names: Vec<_> = pattern.placeholders().collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair.first() == pair.last()).and_then(<[_]>::first) {
            Some(name) => Err(BadPattern::Repeated((*name).to_owned())),
            None => Ok(pattern),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The names of its placeholders, in order.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Placeholder(name) => Some(name.as_str()),
            Segment::Literal(_) => None,
        })
    }

    /// Whether some path matches both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|pair| match pair {
                (Segment::Literal(one), Segment::Literal(other)) => one == other,
                (Segment::Literal(literal), Segment::Placeholder(_))
                | (Segment::Placeholder(_), Segment::Literal(literal)) => !literal.is_empty(),
                (Segment::Placeholder(_), Segment::Placeholder(_)) => true,
            })
    }

    /// The path with a value for each placeholder, percent-encoded.
    ///
    /// # Errors
    /// If a placeholder has no value, or the path would not be taken from a sender.
    pub fn fill<'v>(&self, value: impl Fn(&str) -> Option<&'v str>) -> Result<String, NotFilled> {
        let mut path = String::with_capacity(self.text.len());
        for segment in &self.segments {
            path.push('/');
            match segment {
                Segment::Literal(text) => path.push_str(text),
                Segment::Placeholder(name) => {
                    let value = value(name).ok_or_else(|| NotFilled::Unknown(name.clone()))?;
                    path.extend(utf8_percent_encode(value, &ALL_BUT_UNRESERVED));
                }
            }
        }
        if is_canonical(&path) { Ok(path) } else { Err(NotFilled::NotCanonical) }
    }

    /// What the placeholders stand for in `path`, or `None` if it does not match.
    #[must_use]
    pub fn matches<'a>(&'a self, path: &'a str) -> Option<PathValues<'a>> {
        let mut sent = path.strip_prefix('/')?.split('/');
        let all = self.segments.iter().all(|segment| sent.next().is_some_and(|sent| segment.takes(sent)));
        (all && sent.next().is_none()).then_some(PathValues { pattern: self, path })
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, BadPattern> {
        if !text.contains(['{', '}']) {
            return Ok(Self::Literal(text.to_owned()));
        }
        text.strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
            .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
            .map(|name| Self::Placeholder(name.to_owned()))
            .ok_or(BadPattern::Placeholder)
    }

    fn literal(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Placeholder(_) => None,
        }
    }

    fn takes(&self, sent: &str) -> bool {
        match self {
            Self::Literal(text) => text == sent,
            Self::Placeholder(_) => !sent.is_empty(),
        }
    }
}

impl<'a> PathValues<'a> {
    /// What `placeholder` stands for, as sent; `None` if the pattern has none of this name.
    #[must_use]
    pub fn get(&self, placeholder: &str) -> Option<&'a str> {
        let named = |segment: &Segment| matches!(segment, Segment::Placeholder(name) if name == placeholder);
        let at = self.pattern.segments.iter().position(named)?;
        self.path.split('/').nth(at + 1)
    }
}

/// Whether every program reads this path the same way: no empty or dot segment, only bytes that RFC 3986 section 3.3
/// allows there without `;`, and no escape of anything that a second decoding or a file system would act on.
pub(super) fn is_canonical(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || segment.is_empty() && !last || !is_canonical_segment(segment) {
            return false;
        }
    }
    true
}

fn is_canonical_segment(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' => bytes.next().zip(bytes.next()).is_some_and(|(high, low)| is_needed_escape(high, low)),
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => true,
            byte => is_unreserved(byte),
        };
        if !fine {
            return false;
        }
    }
    true
}

fn is_needed_escape(high: u8, low: u8) -> bool {
    hex_byte(high, low).is_some_and(|byte| {
        !byte.is_ascii_control() && !is_unreserved(byte) && !matches!(byte, b'/' | b'\\' | b'%' | b';' | b'?' | b'#')
    })
}

/// RFC 3986 section 2.3: these mean the same everywhere, and every other byte is safe only as an escape.
pub(super) const ALL_BUT_UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The byte that `%` and these two digits stand for.
pub(super) fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests;
