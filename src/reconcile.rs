//! Paid orders that never called back: who finds them, and puts them into the journal.

// Found in the provider's daily bill (bill reconciliation).
pub mod bill;

// Orders that wait for payment, as the merchant's own system lists them.
pub mod pending_orders;
