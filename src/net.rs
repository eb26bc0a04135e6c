//! What everybody needs who waits for another machine.

// Deadlines.
pub mod lazy_deadline;

// Asking others over HTTP.
pub mod http_client;
