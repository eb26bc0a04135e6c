//! What the rows of a bill add up to.

/// What the summary says; fen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) rows: u64,
    pub(super) paid: u64,
    pub(super) refunded: u64,
    pub(super) coupons_refunded: u64,
}
