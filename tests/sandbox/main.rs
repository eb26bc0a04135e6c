//! The simulated WeChat Pay, over HTTP. The expected messages are written down from the fact sheet, and
//! signatures are computed here once more, so that a mistake of `src` cannot agree with itself.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may end in a panic")]

mod harness;

#[allow(dead_code, unreachable_pub, reason = "the suites of the gate need it too, and more of it")]
#[path = "../support/wechatpay_v3.rs"]
mod wechatpay_v3;

mod order_query;

mod faults;

mod notifications;

mod bills;

mod control;

mod shop;

mod v3;

mod command;
