//! The simulated WeChat Pay, over HTTP. The expected messages are written down from the fact sheet, and
//! signatures are computed here once more, so that a mistake of `src` cannot agree with itself.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end in a panic")]

mod harness;

mod order_query;

mod faults;

mod notifications;

mod bills;

mod control;

mod shop;

mod command;
