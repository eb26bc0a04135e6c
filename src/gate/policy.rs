//! What the configuration decides for a route or a channel, in one word each.

use std::fmt;

/// Whether the gate holds back what is not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// What is not confirmed is refused.
    #[default]
    Enforce,
    /// Everything is forwarded, and what enforce would have done is logged.
    Observe,
}

/// What becomes of an order that was paid and refunded since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRefunded {
    /// It is held back.
    #[default]
    Refuse,
    /// The payment is real: forward, with `X-Verified-Trade-State: REFUND`.
    Forward,
}

/// What becomes of a second verified payment of the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnSecondPayment {
    /// It is held back, and an operator looks.
    #[default]
    Park,
    /// It goes through, and is told.
    Forward,
}

/// What becomes of callbacks whose order was accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// They are forwarded like the first.
    #[default]
    Forward,
    /// The gate answers them; only one at a time is forwarded until one is accepted.
    Absorb,
}

/// How a route proves that the number in a callback is that of the order in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum NumberProof {
    /// WeChat Pay's signed answer carries the order id in `attach`: the whole text, or this field of the JSON object or
    /// form in it.
    Attach(Option<String>),
    /// One of these sources of pending orders lists the order with this number.
    Source(Vec<String>),
    /// As `Source` once one of these has named a number, as `First` until then.
    SourceOnceNamed(Vec<String>),
    /// No other order was confirmed with this payment before.
    #[default]
    First,
    /// Not at all: one payment is for several orders, on purpose.
    Shared,
}

impl fmt::Display for NumberProof {
    /// As config writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attach(None) => f.write_str("attach"),
            Self::Attach(Some(field)) => write!(f, "attach.{field}"),
            Self::Source(_) => f.write_str("source"),
            Self::SourceOnceNamed(_) => f.write_str("first, or source once it has named a number"),
            Self::First => f.write_str("first"),
            Self::Shared => f.write_str("shared"),
        }
    }
}
