//! Addresses of pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What may stand in a segment of a path, or in a query, as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A value as a segment of a path, or in a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// The page of one order.
pub(super) fn order_href(channel: &str, order: &str) -> String {
    format!("/orders/{}/{}", encoded(channel), encoded(order))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_one_segment() {
        assert_eq!(order_href("2/c1", "A|1*@"), "/orders/2%2Fc1/A%7C1%2A%40");
    }
}
