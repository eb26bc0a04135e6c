//! tollgate lets a payment callback through to a legacy order system only after WeChat Pay itself has confirmed it.
//!
//! The modules stand in reading order: the words everybody uses, the payment provider's language, what is kept, the
//! request flow, and what holds it together. `ARCHITECTURE.md` has the picture.

// The words of the trade: ids, money, reasons, time.
pub mod domain;

// Asking others over HTTP, and waiting.
pub mod net;

// Log, metrics, traces.
pub mod observe;

// The payment providers' languages; nothing of our policy.
pub mod provider;

// What happened, durably.
pub mod journal;

// The legacy order system, as the gate sees it.
pub mod upstream;

// The request flow.
pub mod gate;

// What goes on after the reply.
pub mod follow_up;

// Paid orders that never called back, found in the bill or in the merchant's own list.
pub mod reconcile;

// Dashboard, API, monitoring.
pub mod admin;

// Accepting requests.
pub mod server;

// This process among others: stopping, sockets, take-over, limits.
pub mod process;

// What the configuration file says.
pub mod config;

// Everything put together.
pub mod app;

// A simulated WeChat Pay, and a sample of what the gate stands before.
#[cfg(feature = "sandbox")]
pub mod sandbox;

// The commands.
pub mod cli;
