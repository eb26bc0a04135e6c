//! Is a journal sound?

use super::Figures;
use jiff::Timestamp;

/// What was found.
#[derive(Debug)]
pub struct Health {
    /// The layout's version.
    pub version: usize,
    /// When it was made, if it says so.
    pub made_at: Option<Timestamp>,
    /// Everything that is not as it should be; empty if all is well.
    pub problems: Vec<String>,
    /// How much there is of what.
    pub figures: Figures,
}
