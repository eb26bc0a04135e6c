//! What a person can do to an order by page, API or command, and the audit line that says so.

use super::{Admin, Who};
use crate::domain::order::{ChannelId, OrderId, OutTradeNo};
use crate::domain::reason::Reason;
use crate::gate::channel::Channel;
use crate::gate::record::verified;
pub use crate::journal::Act as Action;
use crate::journal::audit::Action as Audited;
use crate::journal::overrides::{Needed, Override, Overrides, Redelivery};
use crate::journal::{Audit, By, EntryId, JournalError, Search, Verified};
use crate::provider::AskBy;
use crate::provider::order_state::OrderState;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// Entries of one order that something is done to; each is a claim of its own.
const MOST: usize = 1000;

/// How long a login or a logout waits for the line about it.
const WRITTEN: Duration = Duration::from_secs(2);

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// To which entries.
    pub entries: Vec<EntryId>,
}

/// What WeChat Pay said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What it calls the order.
    pub out_trade_no: OutTradeNo,
    /// What that establishes.
    pub reason: Reason,
    /// The payment, if it is paid.
    pub payment: Option<Verified>,
}

/// What a person decides against the rules, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// What.
    pub overrides: Overrides,
    /// Why; there must be a reason for an override.
    pub because: Option<String>,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is no such order.
    #[error("the journal has no such order on this channel; name its exact id")]
    NoSuchOrder,
    /// There is no such channel.
    #[error("no channel of this name is configured")]
    NoSuchChannel,
    /// Not to one in this state.
    #[error("{0}")]
    Conflict(&'static str),
    /// A person has to decide first.
    #[error("{told}: it is sent only with override: [{needs}] and because")]
    OverrideNeeded {
        /// What about.
        needs: Overrides,
        /// Both amounts, or what else is the matter.
        told: String,
    },
    /// Nothing of it needs this decision.
    #[error("override {0} is not needed")]
    OverrideNotNeeded(Overrides),
    /// The journal cannot be written.
    #[error("{}", .0.text())]
    Journal(Reason),
}

impl Admin {
    /// Does something to every entry of an order that it can be done to, and writes down who did it, from where.
    ///
    /// # Errors
    /// If nothing was done.
    pub async fn act(
        &self,
        action: Action,
        channel: ChannelId,
        order: OrderId,
        who: &Who,
        from: SocketAddr,
    ) -> Result<Done, NotDone> {
        if action == Action::Redeliver {
            return self.redeliver(channel, order, Decided::default(), who, from).await;
        }
        let archive = self.archive.as_ref().ok_or(NotDone::Journal(Reason::JournalUnavailable))?;
        let search = of_order(channel, order);
        let entries = archive.act(action, search, MOST, by(who, from.ip())).await.map_err(unavailable)?;
        if entries.is_empty() {
            return Err(self.nothing_to(action, search).await);
        }
        let (name, count) = (Audited::Act(action).as_str(), entries.len());
        tracing::info!(%who, from = %from.ip(), action = name, %channel, %order, entries = count, "audit");
        Ok(Done { entries })
    }

    /// Has every entry of an order sent again that there is anything left of, and writes down who decided what, from where and
    /// why.
    ///
    /// # Errors
    /// If nothing was done: also where more has to be decided, or less.
    pub async fn redeliver(
        &self,
        channel: ChannelId,
        order: OrderId,
        decided: Decided,
        who: &Who,
        from: SocketAddr,
    ) -> Result<Done, NotDone> {
        let archive = self.archive.as_ref().ok_or(NotDone::Journal(Reason::JournalUnavailable))?;
        let (search, given, because) = (of_order(channel, order), decided.overrides, decided.because.clone());
        let by = by(who, from.ip());
        let wanted = Redelivery { search, limit: MOST, given, because, leave_out: false, by };
        let done = archive.redeliver(wanted).await.map_err(unavailable)?;
        if !done.held.is_empty() {
            return Err(NotDone::OverrideNeeded { needs: needs(&done.held), told: told(&done.held) });
        }
        if !done.unneeded.is_empty() {
            return Err(NotDone::OverrideNotNeeded(done.unneeded));
        }
        if done.entries.is_empty() {
            return Err(self.nothing_to(Action::Redeliver, search).await);
        }
        let (name, count) = (Audited::Act(Action::Redeliver).as_str(), done.entries.len());
        let (overrides, because) = (given.to_string(), decided.because.unwrap_or_default());
        tracing::info!(
            %who, from = %from.ip(), action = name, %channel, %order, entries = count, overrides, because, "audit"
        );
        Ok(Done { entries: done.entries })
    }

    /// What a person has to decide before an order is sent again, for each of its entries that can be; as far as that can be
    /// read.
    pub async fn needed(&self, channel: ChannelId, order: OrderId) -> Vec<Needed> {
        match &self.archive {
            Some(archive) => archive.needed(of_order(channel, order), MOST).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// Why an action has found nothing.
    async fn nothing_to(&self, action: Action, search: Search) -> NotDone {
        let Some(archive) = &self.archive else { return NotDone::Journal(Reason::JournalUnavailable) };
        match archive.find(search, 1).await {
            Ok(known) if known.is_empty() => NotDone::NoSuchOrder,
            Ok(_) => NotDone::Conflict(not_in_this_state(action)),
            Err(error) => unavailable(error),
        }
    }

    /// Asks WeChat Pay about an order now. Nothing is written of the order; that WeChat Pay was asked is audited.
    ///
    /// # Errors
    /// If WeChat Pay cannot be asked about it.
    pub async fn ask(&self, channel: ChannelId, order: OrderId, who: &Who, from: SocketAddr) -> Result<Asked, NotDone> {
        let gate = self.gate.gate();
        let of = gate.channels.get(&channel).ok_or(NotDone::NoSuchChannel)?;
        let out_trade_no = self.number(of, order).await?;
        let (order_state, _) = gate.confirm.ask_now(of, AskBy::OutTradeNo(out_trade_no)).await;
        let payment = match &order_state {
            OrderState::Paid(payment) => Some(verified(payment)),
            OrderState::NotPaid(_) => None,
        };
        let (reason, action) = (order_state.reason(), Audited::Query);
        tracing::info!(%who, from = %from.ip(), action = action.as_str(), %channel, %order, %reason, "audit");
        let (outcome, entries) = (Some(reason.code().to_owned()), Vec::new());
        let line = Audit {
            by: by(who, from.ip()),
            action,
            channel: Some(channel),
            order: Some(order),
            entries,
            outcome,
            because: None,
        };
        self.write_down(line).await;
        Ok(Asked { out_trade_no, reason, payment })
    }

    /// What WeChat Pay calls an order: what its callbacks said, those first that were confirmed, or what the channel makes
    /// of its id.
    async fn number(&self, channel: &Channel, order: OrderId) -> Result<OutTradeNo, NotDone> {
        let search = Search { order_id: Some(order), channel: Some(channel.id), ..Search::default() };
        let known = match &self.archive {
            // That cannot be read is no reason not to ask.
            Some(archive) => archive.find(search, MOST).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let likeliest = known.iter().find(|record| record.verified.is_some()).or(known.first());
        match likeliest {
            Some(record) => Ok(record.claimed.out_trade_no),
            None => channel.out_trade_no.apply(&order).map_err(|_| NotDone::NoSuchOrder),
        }
    }

    /// Writes down a login, a refused login or a logout. What is given back is ready when that is durable, or
    /// the disk does not let it be.
    pub(super) fn note_access(&self, action: Audited, who: &str, from: IpAddr) -> impl Future<Output = ()> {
        let by = By { who: who.to_owned(), from: from.to_string() };
        let line = Audit { by, action, channel: None, order: None, entries: Vec::new(), outcome: None, because: None };
        tracing::info!(who, %from, action = action.as_str(), "audit");
        let writing = self.archive.as_ref().map(|archive| archive.audit(line));
        async move {
            if let Some(writing) = writing {
                // While the disk fails the log has it.
                let _ = timeout(WRITTEN, writing).await;
            }
        }
    }

    async fn write_down(&self, line: Audit) {
        if let Some(archive) = &self.archive
            && let Err(error) = archive.audit(line).await
        {
            tracing::warn!(%error, "what was done is in the log only");
        }
    }
}

fn unavailable(_: JournalError) -> NotDone {
    NotDone::Journal(Reason::JournalUnavailable)
}

fn of_order(channel: ChannelId, order: OrderId) -> Search {
    Search { order_id: Some(order), channel: Some(channel), ..Search::default() }
}

/// All that has to be decided.
#[must_use]
pub fn needs(all: &[Needed]) -> Overrides {
    all.iter().fold(Overrides::NONE, |needs, one| needs.and(one.needs))
}

/// What the matter is, in one line, with both amounts.
#[must_use]
pub fn told(all: &[Needed]) -> String {
    let mut told: Vec<String> = all.iter().filter_map(Needed::amounts).collect();
    let needs = needs(all);
    if needs.has(Override::Accepted) {
        told.push("it was accepted before".to_owned());
    }
    if needs.has(Override::SecondPayment) {
        told.push("another payment of it was confirmed before".to_owned());
    }
    told.dedup();
    told.join("; ")
}

fn by(who: &Who, from: IpAddr) -> By {
    By { who: who.to_string(), from: from.to_string() }
}

const fn not_in_this_state(action: Action) -> &'static str {
    match action {
        Action::Redeliver => {
            "it is closed: nothing of it is left to be sent; ask WeChat Pay, and have it called back again"
        }
        Action::Park => "it is neither asked about nor being delivered, so there is nothing to stop",
        Action::Unpark => "it is not parked",
    }
}
