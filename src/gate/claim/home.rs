//! Where in a request a claim field stands.

/// Where a field really stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    Query,
    Body,
    Path,
    Header,
}
