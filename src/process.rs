//! This process among others: how it stops, where its sockets come from, who follows it, and what the system lets it
//! do.

// Stopping without breaking off.
pub mod shutdown;

// Listening sockets from elsewhere.
pub mod sockets;

// One process after another.
pub mod handoff;

// What the system lets this process do.
pub mod limits;
