//! Which configuration is in force, and what became of the latest attempt to replace it.

use jiff::Timestamp;

/// The status of the configuration in force. Readers hold a `tokio::sync::watch::Receiver` of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigStatus {
    /// 1 at the start, one more with each that was put in force.
    pub number: u32,
    /// Since when it is in force.
    pub since: Timestamp,
    /// The latest attempt to replace it, if that failed.
    pub refused: Option<Refused>,
}

/// A configuration that was not put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When the gate tried to put it in force.
    pub at: Timestamp,
    /// What is wrong with it, for people; no secrets.
    pub problem: String,
}

/// The number of the configuration that a process begins with.
pub const FIRST: u32 = 1;

impl ConfigStatus {
    /// The first, from now on.
    #[must_use]
    pub fn first() -> Self {
        Self { number: FIRST, since: crate::domain::clock::now(), refused: None }
    }
}
