//! What everybody needs who waits for another machine.

// Flat XML, as payment providers send it.
pub mod xml;

// Deadlines.
pub mod lazy_deadline;

// Asking others over HTTP.
pub mod http_client;
