//! What happened, kept durably: every callback that was taken in, what WeChat Pay said of it, and every time it was
//! sent, because a callback that only memory knows is lost with the process.
//!
//! This is the interface, in the domain's words; `sqlite` keeps it in one file of this machine, `postgres` in a database that
//! several gates share. It knows the words and nothing of the gate. A journal has two sides: its [`queue`], for those who work
//! on entries, and its [`archive`], for those who query and decide; and where several gates work on it a third, which they
//! [share](shared). The store has the clock: callers say in how long something is due, never when.
//!
//! Two things are told apart. An *entry* is one claim on one route, with the callback that made it; several claims can
//! name the same order, and a forged one must not take the true one's place. A *delivery* is an order on a route, what
//! `X-Tollgate-Delivery` names: its attempts are counted, and the upstream accepts it or not, whichever entry was sent.

pub mod archive;

pub mod audit;

pub mod bounds;

pub mod callback;

pub mod claimed;

pub mod copy;

pub mod database;

pub mod event;

pub mod health;

pub mod history;

pub mod ids;

pub mod job;

pub mod open;

pub mod open_error;

pub mod overrides;

pub mod owners;

pub mod pending_orders;

pub mod queue;

pub mod recovery;

pub mod search;

pub mod shared;

pub mod state;

pub mod sweeps;

pub mod times;

pub mod upkeep;

pub mod view;

mod stored;

mod sqlite;

mod postgres;

#[cfg(test)]
pub(crate) mod suite;

pub use archive::Archive;
pub use audit::{Act, Audit, Audits, By};
pub use bounds::{Forgotten, Keep, Room};
pub use callback::{Callback, Request, Verified};
pub use claimed::Claimed;
pub use database::DatabaseSettings;
pub use database::problem::DatabaseProblem;
pub use event::{Acceptance, Attempt, JournalEvent, Outcome};
pub use health::Health;
pub use history::{AttemptRecord, Event, Figures, Record, Refused};
pub use ids::{DeliveryId, EntryId, EntryKey};
pub use job::{DueGroup, Job, Rank};
pub use open::{
    Place, Settings, check, copy as copy_file, finish, is_worked_on, look, made_at, made_at_in_file, migrate,
    migration, open, open_beside, open_when_free,
};
pub use open_error::OpenError;
pub use overrides::{Override, Overrides, Redeliveries};
pub use owners::Owners;
pub use pending_orders::{PendingOrder, PendingOrderQueue, SourceHealth};
pub use postgres::{BadUrl, shown};
pub use queue::{Looks, MOST_LIFTED, Queue, Taken, Trust};
pub use recovery::{Outlet, Recovery, Throttled};
pub use search::Search;
pub use shared::{Begun, Census, Duty, Membership, Myself, Replica, Sending, Shared};
pub use state::{Origin, State, Transition};
pub use sweeps::{SweepQueue, Sweeps};
pub use times::gate_since;
pub use upkeep::Upkeep;
pub use view::Views;

use std::pin::Pin;
use std::sync::Arc;

/// What a call on the journal will have found out or done.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, JournalError>> + Send + 'a>>;

/// A journal that was opened: its sides. Callers hold the one that they need.
#[derive(Debug, Clone)]
pub struct Journal {
    /// What is to be done: for the gate and whatever goes on after it.
    pub queue: Arc<dyn Queue>,
    /// What is known: for those who query and decide.
    pub archive: Arc<dyn Archive>,
    /// What its gates share; `None` if one process has the journal to itself.
    pub shared: Option<Arc<dyn Shared>>,
}

impl Journal {
    /// That of one process alone.
    fn of_one(store: impl Queue + Archive + 'static) -> Self {
        let store = Arc::new(store);
        Self { queue: Arc::clone(&store) as _, archive: store, shared: None }
    }

    /// Whether this process is to do what exactly one does at a time: always, if it has the journal to itself. While the journal
    /// does not say, nobody is.
    pub async fn has_duty(&self, duty: Duty) -> bool {
        match &self.shared {
            None => true,
            Some(shared) => shared.duty(duty).await.unwrap_or(false),
        }
    }

    /// That of several.
    fn of_several(store: impl Queue + Archive + Shared + 'static) -> Self {
        let store = Arc::new(store);
        Self { queue: Arc::clone(&store) as _, archive: Arc::clone(&store) as _, shared: Some(store) }
    }
}

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk is full, fails or hangs. Nothing was written; it is tried again until it works.
    #[error("the journal cannot be written at the moment")]
    Unavailable,
    /// More callbacks wait to be written than may.
    #[error("too many callbacks wait for the journal")]
    Busy,
    /// There are as many records of unconfirmed orders as there may be (`journal.unconfirmed`), or as many bytes of
    /// them (`journal.unconfirmed_bytes`).
    #[error("there are as many records of unconfirmed orders as there may be, or as many bytes of them")]
    Full,
    /// It cannot be read.
    #[error("the journal cannot be read: {0}")]
    Unreadable(String),
}
