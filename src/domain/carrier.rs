//! How a message carries its fields.

/// Where a callback carries its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The query of the request's target.
    Query,
    /// An `application/x-www-form-urlencoded` body.
    Form,
    /// An `application/json` body.
    Json,
    /// An `application/xml` or `text/xml` body, flat below `<xml>`.
    Xml,
    /// A `multipart/form-data` body.
    Multipart,
}
