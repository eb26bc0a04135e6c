//! What a journal's records look like where they stand, whatever store that is.

pub(super) mod body;

pub(super) mod headers;

pub(super) mod outlets;

/// WeChat Pay's word for a payment that was made, or that was refunded since.
pub(super) const fn trade_state(refunded: bool) -> &'static str {
    if refunded { "REFUND" } else { "SUCCESS" }
}
