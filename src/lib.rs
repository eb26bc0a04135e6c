//! tollgate lets a payment callback through to a legacy order system only after WeChat Pay itself has confirmed it.
//!
//! The modules stand in reading order: words everybody uses, WeChat Pay's language, the way of a callback, and what
//! holds it together. `ARCHITECTURE.md` has the picture.

// English and Chinese.
pub mod language;

// The ids of a payment.
pub mod order;

// Fen.
pub mod money;

// What must not print.
pub mod secret;

// The time of day.
pub mod clock;

// Deadlines.
pub mod alarm;

// Asking others over HTTP.
pub mod outbound;

// Which configuration is in force.
pub mod generation;

// Verdicts and reason codes.
pub mod reason;

// What is counted.
pub mod metrics;

// What became of one callback, step by step.
pub mod traces;

// WeChat Pay's language; nothing of our policy.
pub mod wechat;

// What happened, durably.
pub mod journal;

// The way of a callback.
pub mod gate;

// What goes on after the reply.
pub mod follow_up;

// Paid orders that never called back, found in the bill.
pub mod sweep;

// Orders that wait for payment, as the merchant's own system lists them.
pub mod pending;

// What is done from time to time.
pub mod housekeeping;

// Looking in.
pub mod admin;

// Accepting requests.
pub mod server;

// Stopping without breaking off.
pub mod shutdown;

// Listening sockets from elsewhere.
pub mod sockets;

// One process after another.
pub mod take_over;

// Telling a supervisor how this process is.
pub mod supervisor;

// What the system lets this process do.
pub mod process;

// What we were told.
pub mod config;

// The log.
pub mod telemetry;

// Everything put together.
pub mod app;

// A simulated WeChat Pay, and a sample of what the gate stands before.
pub mod sandbox;

// The commands.
pub mod cli;
