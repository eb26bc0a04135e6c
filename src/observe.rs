//! What can be seen of a running gate from outside: its log, its metrics, its traces.

// The log.
pub mod logging;

// A line now and then for a trouble that repeats.
pub mod log_throttle;

// What is counted.
pub mod metrics;

// What became of one callback, step by step.
pub mod traces;
