//! What everybody needs who waits for another machine.

// Flat XML, as payment providers send it.
pub mod xml;

// Which bytes may stand where.
pub mod byte_set;

// Deadlines.
pub mod lazy_deadline;

// Asking others over HTTP.
pub mod http_client;

// Asking others over HTTP, often: connections that are kept open, and driven by whoever uses them.
pub mod connection;

pub mod connector;

pub mod pool;

// Whom an encrypted connection to a database ends at.
pub mod tls;
