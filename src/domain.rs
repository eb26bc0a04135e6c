//! The words of the trade, which every other module may use: ids, money, reasons, secrets, time.

// English and Chinese.
pub mod language;

// The ids of a payment.
pub mod order;

// Fen.
pub mod money;

// How a message carries its fields.
pub mod carrier;

// A map for keys that no sender chooses.
pub mod quick_map;

// What must not print.
pub mod secret;

// The time of day.
pub mod clock;

// Which configuration is in force.
pub mod config_status;

// Verdicts and reason codes.
pub mod reason;
