//! The gate from outside: the real program over real sockets, between a WeChat Pay and a legacy order system that do
//! what each scenario tells them. One file, one behaviour.
//!
//! A scenario knows only `config.yaml`, bytes on a wire, and the log. Besides what it asserts itself, the ledger
//! (`ledger.rs`) holds every scenario to the invariants of docs/threat-model.md when it ends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "helpers of tests fail by panicking, and a test binary has no outside"
)]

mod harness;

mod api_v3;

mod program;

mod ledger;

#[path = "../support/wechatpay_v3.rs"]
mod wechatpay_v3;

mod fakes;

mod wire;

mod faults;

mod confirmed;

mod unpaid_and_unknown;

mod contradicted;

mod notifications;

mod refunds;

mod v3_notifications;

mod v3_refunds;

mod v3_certificates;

mod v3_keys;

mod v3_table;

mod duplicate_fields;

mod spellings;

mod forged_headers;

mod framing;

mod limits;

mod memory;

mod examples;

mod routing;

mod query_routes;

mod asking;

mod v3_asking;

mod caching;

mod upstream_faults;

mod kept_connections;

mod follow_up;

mod v3_sending_again;

mod flood;

mod sweep;

mod v3_bills;

mod first_day;

mod pending;

mod second_payment;

mod number_proof;

mod overrides;

mod recovery;

mod recovery_pace;

mod v3_recovery;

mod outages;

#[path = "../support/databases.rs"]
mod servers;

mod databases;

mod accepted;

mod behind_proxies;

mod patience;

mod absorb;

mod scrape;

mod metrics;

mod metric_names;

#[cfg(feature = "otlp")]
mod traces;

mod journal_commands;

mod retention;

mod replies;

mod fill;

mod observe;

mod logs;

mod tls;

mod reload;

mod shutdown;

mod take_over;

mod supervised;

mod admin;

mod admin_access;

mod admin_api;

mod signing;

mod pages;

mod config_check;

mod v3_check_and_resign_key;

mod commands;

mod command_line;

mod init;

mod resolve;

mod journal_file;

mod damaged_journals;

mod disk;

mod clock;

mod kill_points;

mod noted_in_time;

mod crash;
