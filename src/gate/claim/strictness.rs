//! How strictly a route's callbacks are read. Each rule is one of those of docs/threat-model.md that honest senders run
//! into and cannot change; an operator who loosens one says that the backend cannot be misled by it.

/// The rules that a route can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strictness {
    /// What Content-Type may say of the body (threats E-06, E-07).
    pub content_type: ContentType,
    /// Whether the name of an id is refused wherever else it stands in a JSON document (threat E-09). Otherwise a key
    /// under another parent is another field.
    pub claim_everywhere: bool,
    /// How many digits a JSON number may have that is an id (threat E-09).
    pub order_type: OrderType,
    /// What becomes of a cookie that is called like a claim field (threat E-02).
    pub cookies: Cookies,
    /// The most keys of all objects of a JSON document together (threat E-10).
    pub json_keys: usize,
}

/// What Content-Type may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentType {
    /// What the route's carrier is called.
    #[default]
    Carrier,
    /// Anything or nothing: the body is read as the carrier.
    Any,
}

/// What the backend reads a number as that stands for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OrderType {
    /// Perhaps a double, which tells 15 digits apart and no more.
    #[default]
    Text,
    /// A signed integer of 64 bits, which has up to 19 digits.
    Integer,
}

/// What becomes of a cookie that is called like a claim field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cookies {
    /// The callback is refused: some backends merge cookies into the parameters.
    #[default]
    Refuse,
    /// Nothing: the backend looks for parameters in no cookie.
    Ignore,
}

impl Default for Strictness {
    fn default() -> Self {
        Self {
            content_type: ContentType::default(),
            claim_everywhere: false,
            order_type: OrderType::default(),
            cookies: Cookies::default(),
            json_keys: 4096,
        }
    }
}

impl OrderType {
    /// Whether a JSON number is an id that the backend reads as it is written: without sign, point or exponent; JSON
    /// itself keeps it free of leading zeros. 0 is none, because it stands for nothing in some languages and not in
    /// others.
    pub(super) fn takes(self, number: &str) -> bool {
        let fits = match self {
            Self::Text => is_exact(number),
            Self::Integer => is_whole(number) && number.parse::<i64>().is_ok(),
        };
        fits && number != "0"
    }
}

/// Two numbers of so many digits are never one double.
const MOST_DIGITS: usize = 15;

/// Whether a JSON number is whole and the same to every program.
pub(super) fn is_exact(number: &str) -> bool {
    is_whole(number) && number.len() <= MOST_DIGITS
}

fn is_whole(number: &str) -> bool {
    number.bytes().all(|byte| byte.is_ascii_digit())
}
