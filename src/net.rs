//! What everybody needs who waits for another machine.

// Deadlines.
pub mod alarm;

// Asking others over HTTP.
pub mod outbound;
