//! What a callback tells of.

use crate::journal::DeliveryId;

/// What a callback tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Event {
    /// That an order was paid.
    #[default]
    Payment,
    /// That money of a paid order went back, or did not. Such a one is a delivery of its own.
    Refund(DeliveryId),
}

/// What a route takes notifications of, beside payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// Refunds, for order systems that have one address for both.
    pub refund: bool,
}
