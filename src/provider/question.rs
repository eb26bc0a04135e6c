//! Asking a provider for an order.

use super::notification::Evidence;
use super::order_state::OrderState;
use crate::domain::order::{OutTradeNo, TransactionId};
use crate::observe::traces::Parent;
use std::sync::Arc;
use tokio::time::Instant;

/// A question for one order.
#[derive(Debug, Clone, Copy)]
pub struct Query<'q> {
    /// The id of the order that is asked about.
    pub ask: AskBy,
    /// For whom: which part of the merchant's budget pays for it.
    pub part: Part,
    /// When the answer is of no use any more.
    pub deadline: Instant,
    /// Until when the one who asked waits, who may have less time than the answer has: what cannot begin before that
    /// fails at once.
    pub wait_until: Instant,
    /// Of which step of a trace it is one.
    pub within: &'q Parent,
}

/// The one id a query names. Never both: a provider may silently prefer the transaction id, and another order's paid
/// transaction would vouch for another order (threat V-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AskBy {
    /// By the number the merchant gave; the only way for an unpaid order.
    OutTradeNo(OutTradeNo),
    /// By the provider's own number of the payment.
    TransactionId(TransactionId),
}

/// For whom a provider is asked. Its client may keep a part of the budget for each, so that made-up callbacks cannot
/// use up what real ones need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A callback that waits, from an address whose callbacks were confirmed.
    KnownSender,
    /// A callback that waits, whose number looks like those that were confirmed.
    KnownShape,
    /// Any other callback that waits.
    Stranger,
    /// An order that waits for the follow-up and is likely one, or that a bill or a source named, not a sender.
    FollowUp,
    /// Any other that the provider was not asked about yet.
    StrangeFollowUp,
    /// One of which the provider said that there is none.
    Absent,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::KnownSender, Self::KnownShape, Self::Stranger, Self::FollowUp, Self::StrangeFollowUp, Self::Absent];
}

/// What came of asking.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What is known of the order now.
    pub state: OrderState,
    /// What proves it; empty where nothing does.
    pub evidence: Evidence,
    /// The origin of the host that answered, for people.
    pub host: Option<Arc<str>>,
    /// Why the question was refused, where the provider tells.
    pub refused_for: Option<RefusedFor>,
}

/// Why a provider does not take a question for the account's, as far as its answer tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedFor {
    /// The clocks differ by too much: the provider's is so many seconds ahead of this machine's, if it tells.
    Clock(Option<i64>),
    /// It does not know the name of the key that signed.
    Serial,
    /// The signature does not fit that key.
    Key,
}
