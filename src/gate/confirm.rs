//! What a provider knows of an order: fresh enough in the cache, or one order query shared by all who ask for the same
//! order at the same time.
//!
//! A query runs in a task that the gate owns. A sender that hangs up cancels it for no other, and an answer that comes
//! too late for the callback that asked still fills the cache, where the sender's retry finds it (threats C-02 to
//! C-04).

mod flights;

use super::channel::Channel;
use crate::domain::order::ChannelId;
use crate::domain::reason::Reason;
use crate::observe::metrics::{self, ConfirmMeters, Metrics};
use crate::observe::traces::Parent;
use crate::provider::{AskBy, Asked, Evidence, OrderState, Part, Query};
use flights::{Flights, Leader, Role};
use moka::Expiry;
use moka::future::Cache;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a query goes on in the background when no callback waits for it any longer. It bounds the tasks in flight;
/// WeChat Pay's own retry comes after 15 s.
const LATE_ANSWER: Duration = Duration::from_secs(10);

/// Confirms orders: asks the provider, and remembers the answers.
#[derive(Debug)]
pub struct Confirm {
    memory: Arc<Memory>,
    flights: Arc<Flights<Question>>,
    capacity: u64,
    life: Ttl,
    timeout: Duration,
    meters: ConfirmMeters,
}

#[derive(Debug)]
struct Memory {
    cache: Cache<Question, OrderState>,
}

/// How long an order state is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    /// Of `paid` and `refunded`.
    pub paid: Duration,
    /// Of `pending` and `unpaid`: short, since the user may pay a moment later.
    pub pending: Duration,
}

/// The cache's key. Channel and generation stand for appid, mch_id and sub_mch_id too: a channel that changes them has
/// a new generation. Two channels never share an order state, whatever their order numbers (threats V-06, C-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Question {
    generation: u32,
    channel: ChannelId,
    ask: AskBy,
}

/// Where an order state came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The cache had the order state.
    Hit,
    /// This callback asked WeChat Pay.
    Miss,
    /// Another callback was asking at the same time, and both got its answer.
    Coalesced,
}

impl Source {
    /// The word in logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Coalesced => "coalesced",
        }
    }

    /// The meters of order states from this source.
    pub(super) const fn of(self, meters: &ConfirmMeters) -> &metrics::Finding {
        match self {
            Self::Hit => &meters.hit,
            Self::Miss => &meters.miss,
            Self::Coalesced => &meters.coalesced,
        }
    }
}

impl Confirm {
    /// A cache of `capacity` order states; a caller waits for `timeout` at most. The answers and the
    /// running queries of the one `before` are used on where the settings are the same.
    #[must_use]
    pub fn new(capacity: u64, life: Ttl, timeout: Duration, before: Option<&Self>, metrics: &Metrics) -> Self {
        let cache = before.filter(|before| before.capacity == capacity && before.life == life).map_or_else(
            || Cache::builder().max_capacity(capacity).expire_after(life).build(),
            |before| before.memory.cache.clone(),
        );
        // A caller that waits out another's query still has time to send one of its own.
        let flights = before
            .filter(|before| before.timeout == timeout)
            .map_or_else(|| Arc::new(Flights::new(timeout * 3 / 2)), |before| Arc::clone(&before.flights));
        let meters = metrics.confirm.clone();
        Self { memory: Arc::new(Memory { cache }), flights, capacity, life, timeout, meters }
    }

    /// How many order states the cache has.
    #[must_use]
    pub fn remembered(&self) -> u64 {
        self.memory.cache.entry_count()
    }

    /// How long a caller waits at most.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What is known of the order that `ask` names, from the cache alone.
    pub async fn cached(&self, channel: &Channel, ask: AskBy) -> Option<OrderState> {
        let cached = self.memory.cache.get(&question(channel, ask)).await;
        if cached.is_some() {
            self.meters.hit.count();
        }
        cached
    }

    /// Finds out about the order that `ask` names, of which the cache knew nothing a moment ago, within the confirm
    /// deadline, out of this `part` of the merchant's budget. A question is a step of `within`.
    pub async fn ask(&self, channel: &Arc<Channel>, ask: AskBy, part: Part, within: &Parent) -> (OrderState, Source) {
        let (order_state, source) = self.find_out(channel, ask, part, within).await;
        source.of(&self.meters).count();
        (order_state, source)
    }

    async fn find_out(&self, channel: &Arc<Channel>, ask: AskBy, part: Part, within: &Parent) -> (OrderState, Source) {
        let question = question(channel, ask);
        let cache = &self.memory.cache;
        let deadline = Instant::now() + self.timeout;
        loop {
            // A leader fills the cache before it ends its flight, so what is neither cached nor under way is not asked
            // yet.
            let (answer, source, until) = match self.flights.join(question, || cache.contains_key(&question)) {
                None => match cache.get(&question).await {
                    Some(order_state) => return (order_state, Source::Hit),
                    None => continue,
                },
                Some(Role::Follow(answer, asked_again_at)) => (answer, Source::Coalesced, deadline.min(asked_again_at)),
                Some(Role::Lead(leader, answer)) => {
                    let (memory, channel) = (Arc::clone(&self.memory), Arc::clone(channel));
                    tokio::spawn(memory.find_out(channel, question, part, deadline, leader, within.clone()));
                    (answer, Source::Miss, deadline)
                }
            };
            match timeout_at(until, answer.wait()).await {
                Ok(order_state) => return (order_state, source),
                Err(_) if until == deadline => return (OrderState::NotPaid(Reason::QueryTimeout), source),
                // Somebody who does not share its flight may have found it out meanwhile.
                Err(_) => {
                    if let Some(order_state) = cache.get(&question).await {
                        return (order_state, Source::Hit);
                    }
                }
            }
        }
    }
}

impl Confirm {
    /// Finds out whatever is known, together with all who ask so at the same time, within the confirm deadline. A
    /// payment that is confirmed stands behind it, so it asks as a known sender.
    pub async fn ask_again(&self, channel: &Arc<Channel>, ask: AskBy, within: &Parent) -> OrderState {
        self.memory.cache.invalidate(&question(channel, ask)).await;
        self.ask(channel, ask, Part::KnownSender, within).await.0
    }

    /// Asks now, whatever is known, and in the caller's own time; for a caller that needs the evidence too.
    pub async fn ask_now(&self, channel: &Channel, ask: AskBy) -> (OrderState, Evidence) {
        self.ask_now_within(channel, ask, &Parent::default()).await
    }

    /// As [`ask_now`](Self::ask_now); the query is a step of `within`.
    pub async fn ask_now_within(&self, channel: &Channel, ask: AskBy, within: &Parent) -> (OrderState, Evidence) {
        let wait_until = Instant::now() + LATE_ANSWER;
        self.memory.find(channel, question(channel, ask), Part::FollowUp, wait_until, within).await
    }
}

const fn question(channel: &Channel, ask: AskBy) -> Question {
    Question { generation: channel.generation, channel: channel.id, ask }
}

impl Memory {
    async fn find_out(
        self: Arc<Self>,
        channel: Arc<Channel>,
        question: Question,
        part: Part,
        wait_until: Instant,
        leader: Leader<Question>,
        within: Parent,
    ) {
        let (order_state, _) = self.find(&channel, question, part, wait_until, &within).await;
        leader.finish(order_state.clone(), order_state.is_fact());
    }

    async fn find(
        &self,
        channel: &Channel,
        question: Question,
        part: Part,
        wait_until: Instant,
        within: &Parent,
    ) -> (OrderState, Evidence) {
        let deadline = Instant::now() + LATE_ANSWER;
        let query = Query { ask: question.ask, part, deadline, wait_until, within };
        let Asked { state: order_state, evidence, .. } = channel.account.query(query).await;
        // What is not known is not remembered: the next callback asks again.
        if order_state.is_fact() {
            self.cache.insert(question, order_state.clone()).await;
        }
        (order_state, evidence)
    }
}

impl Expiry<Question, OrderState> for Ttl {
    fn expire_after_create(&self, _: &Question, order_state: &OrderState, _: std::time::Instant) -> Option<Duration> {
        Some(match order_state {
            OrderState::Paid(_) => self.paid,
            OrderState::NotPaid(_) => self.pending,
        })
    }

    /// A second answer to the same question is as fresh as a first.
    fn expire_after_update(
        &self,
        question: &Question,
        order_state: &OrderState,
        now: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(question, order_state, now)
    }
}
