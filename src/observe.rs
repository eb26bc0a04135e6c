//! What can be seen of a running gate from outside: its log, its metrics, its traces.

// The log.
pub mod logging;

// What is counted.
pub mod metrics;

// What became of one callback, step by step.
pub mod traces;
