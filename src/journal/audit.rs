//! Who did what, when, and from where: every change that a person asks for, written down with the change itself.

use super::BoxFuture;
use super::ids::EntryId;
use super::search::Search;
use crate::domain::order::{ChannelId, OrderId};
use jiff::Timestamp;

/// What a person asks for of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// It is confirmed again and sent again. What a person has to decide about is left out:
    /// [`Redeliveries`](super::Redeliveries) takes decisions.
    Redeliver,
    /// The follow-up leaves it alone until a person says otherwise.
    Park,
    /// The follow-up goes on with what is parked, by the rules.
    Unpark,
}

/// What can be found in the audit trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// An [`Act`].
    Act(Act),
    /// WeChat Pay was asked.
    Query,
    /// A session was begun.
    Login,
    /// A wrong token came; not each of many is told.
    LoginRefused,
    /// A session was ended.
    Logout,
    /// A configuration was put in force, or was to be.
    Reload,
    /// A bill was to be compared, and what is found to be delivered.
    Sweep,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Act(Act::Redeliver),
        Self::Act(Act::Park),
        Self::Act(Act::Unpark),
        Self::Query,
        Self::Login,
        Self::LoginRefused,
        Self::Logout,
        Self::Reload,
        Self::Sweep,
    ];

    /// The word in the file and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Act(Act::Redeliver) => "redeliver",
            Self::Act(Act::Park) => "park",
            Self::Act(Act::Unpark) => "unpark",
            Self::Query => "query",
            Self::Login => "login",
            Self::LoginRefused => "login-refused",
            Self::Logout => "logout",
            Self::Reload => "reload",
            Self::Sweep => "sweep",
        }
    }

    /// The action of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// Who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who: `token`, `session:NAME`, `local`, `cli:USER`; `sighup` or `file` for a reload.
    pub who: String,
    /// From where: an address, `cli`, or the configuration's path.
    pub from: String,
}

/// A line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// Who did it, and from where.
    pub by: By,
    /// What they did.
    pub action: Action,
    /// The channel that it was done on; `None` if it concerns no channel, or all.
    pub channel: Option<ChannelId>,
    /// The order that it was done to, as it was searched for.
    pub order: Option<OrderId>,
    /// The entries that it changed, in ascending order.
    pub entries: Vec<EntryId>,
    /// What came of it, in words for people; `None` where the action says it all.
    pub outcome: Option<String>,
    /// Why it was done, in that person's words.
    pub because: Option<String>,
}

/// A line, as it is kept.
#[derive(Debug, Clone)]
pub struct AuditRecord {
    /// Its number in the journal, ascending with time.
    pub id: i64,
    /// When it was written, by the store's clock.
    pub at: Timestamp,
    /// What it says.
    pub audit: Audit,
    /// The name of the replica that wrote it, where several work on the journal; none for a command.
    pub replica: Option<String>,
}

/// What a journal does and keeps of people's changes. A change and its line are one transaction.
pub trait Audits: Send + Sync {
    /// Does this to the entries that match and that it can be done to, at most `limit`, and keeps a line of it if there
    /// were any; in ascending order of [`EntryId`], and `search.after` goes on from there.
    ///
    /// # Errors
    /// If it cannot be written; then nothing was done.
    fn act(&self, act: Act, search: Search, limit: usize, by: By) -> BoxFuture<'_, Vec<EntryId>>;

    /// Keeps a line; of [`Action::LoginRefused`] the latest thousand or so.
    ///
    /// # Errors
    /// If it cannot be written.
    fn audit(&self, audit: Audit) -> BoxFuture<'_, ()>;

    /// Lines, the latest first, from before the one with this number; at most `limit`.
    ///
    /// # Errors
    /// If it cannot be read.
    fn audits(&self, before: Option<i64>, limit: usize) -> BoxFuture<'_, Vec<AuditRecord>>;
}
