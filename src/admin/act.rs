//! What somebody can do to an order, and what is written down of it.

use super::{Admin, Who};
use crate::gate::channel::Channel;
use crate::gate::decide::Finding;
use crate::gate::record::verified;
pub use crate::journal::Act as Action;
use crate::journal::audit::Action as Audited;
use crate::journal::{Audit, By, EntryId, Search, Verified};
use crate::order::{ChannelId, OrderId, OutTradeNo};
use crate::reason::Reason;
use crate::wechat::AskBy;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::time::timeout;

/// Entries of one order that something is done to; each is a claim of its own.
const MOST: usize = 1000;

/// How long somebody who comes in or goes out waits for the line about it.
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
        let unavailable = |_| NotDone::Journal(Reason::JournalUnavailable);
        let journal = self.journal.as_ref().ok_or(NotDone::Journal(Reason::JournalUnavailable))?;
        let search = Search { order_id: Some(order), channel: Some(channel), ..Search::default() };
        let entries = journal.act(action, search, MOST, by(who, from.ip())).await.map_err(unavailable)?;
        if entries.is_empty() {
            let known = journal.find(search, 1).await.map_err(unavailable)?;
            return Err(if known.is_empty() {
                NotDone::NoSuchOrder
            } else {
                NotDone::Conflict(not_in_this_state(action))
            });
        }
        let (name, count) = (Audited::Act(action).as_str(), entries.len());
        tracing::info!(%who, from = %from.ip(), action = name, %channel, %order, entries = count, "audit");
        Ok(Done { entries })
    }

    /// Asks WeChat Pay about an order now. Nothing is noted of the order; that it was asked is.
    ///
    /// # Errors
    /// If there is nobody to ask about it.
    pub async fn ask(&self, channel: ChannelId, order: OrderId, who: &Who, from: SocketAddr) -> Result<Asked, NotDone> {
        let gate = self.gate.gate();
        let of = gate.channels.get(&channel).ok_or(NotDone::NoSuchChannel)?;
        let out_trade_no = self.number(of, order).await?;
        let (finding, _) = gate.confirm.ask_now(of, AskBy::OutTradeNo(out_trade_no)).await;
        let payment = match &finding {
            Finding::Paid(payment) => Some(verified(payment)),
            Finding::Not(_) => None,
        };
        let (reason, action) = (finding.reason(), Audited::Query);
        tracing::info!(%who, from = %from.ip(), action = action.as_str(), %channel, %order, %reason, "audit");
        let (outcome, entries) = (Some(reason.code().to_owned()), Vec::new());
        let line =
            Audit { by: by(who, from.ip()), action, channel: Some(channel), order: Some(order), entries, outcome };
        self.write_down(line).await;
        Ok(Asked { out_trade_no, reason, payment })
    }

    /// What WeChat Pay calls an order: what its callbacks said, those first that were confirmed, or what the channel makes
    /// of its id.
    async fn number(&self, channel: &Channel, order: OrderId) -> Result<OutTradeNo, NotDone> {
        let search = Search { order_id: Some(order), channel: Some(channel.id), ..Search::default() };
        let known = match &self.journal {
            // That cannot be read is no reason not to ask.
            Some(journal) => journal.find(search, MOST).await.unwrap_or_default(),
            None => Vec::new(),
        };
        let likeliest = known.iter().find(|record| record.verified.is_some()).or(known.first());
        match likeliest {
            Some(record) => Ok(record.claimed.out_trade_no),
            None => channel.out_trade_no.apply(&order).map_err(|_| NotDone::NoSuchOrder),
        }
    }

    /// Writes down that somebody came in or went out, or could not. What is given back is ready when that is durable, or
    /// the disk does not let it be.
    pub(super) fn note_access(&self, action: Audited, who: &str, from: IpAddr) -> impl Future<Output = ()> {
        let by = By { who: who.to_owned(), from: from.to_string() };
        let line = Audit { by, action, channel: None, order: None, entries: Vec::new(), outcome: None };
        tracing::info!(who, %from, action = action.as_str(), "audit");
        let writing = self.journal.as_ref().map(|journal| journal.audit(line));
        async move {
            if let Some(writing) = writing {
                // While the disk fails the log has it.
                let _ = timeout(WRITTEN, writing).await;
            }
        }
    }

    async fn write_down(&self, line: Audit) {
        if let Some(journal) = &self.journal
            && let Err(error) = journal.audit(line).await
        {
            tracing::warn!(%error, "what was done is in the log only");
        }
    }
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
