//! What a number in `amount` counts.

/// What a number in `amount` counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AmountUnit {
    /// Hundredths of a yuan, whole.
    #[default]
    Fen,
    /// Yuan, with at most two places.
    Yuan,
}
