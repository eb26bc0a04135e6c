//! Several gates on one journal, from outside: two or three of the real program on a real PostgreSQL, each behind a proxy that
//! breaks off, delays and goes silent, between a WeChat Pay and a legacy order system. One file, one behaviour.
//!
//! Whatever a scenario asserts, every one of them ends with the same questions (`fleet.rs`): was a number seen twice, did anything
//! unpaid pass, did a gate print the database's password.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "helpers of tests fail by panicking, and a test binary has no outside"
)]

#[path = "../gate"]
#[allow(dead_code, unused_imports, reason = "the gate's own scenarios use the rest")]
mod gate {
    pub mod fakes;

    pub mod program;

    pub mod wire;
}

use gate::{fakes, wire};

#[path = "../support/wechatpay_v3.rs"]
#[allow(dead_code, reason = "the gate's own scenarios use the rest")]
mod wechatpay_v3;

mod crash;

mod fleet;

mod harness;

mod postgres;

mod proxy;

mod away;

mod broken_connections;

mod living;

mod numbers;

mod one_for_all;

mod read_only;

mod records;

mod starting;

mod taking_over;
