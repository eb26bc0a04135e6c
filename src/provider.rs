//! The payment providers, and what the gate wants of one: facts, and never a decision.
//!
//! A callback is only a claim. Whatever the gate knows of a payment it knows from an [`Account`], which
//!
//! - *opens* what arrived: is it authentic, is it for this account, of which event does it tell, what does it claim;
//! - is *asked* about one order and says its [state](OrderState), checked against the merchant, the application and the number
//!   that was asked for;
//! - *makes* the notification of a payment that no callback told of, where the provider's language allows it;
//! - *reads a bill*.
//!
//! All of it is in the gate's words. A provider's own names of fields, its cryptography and its error codes stay in its module,
//! and nothing of the gate's policy is in there. To add a provider, implement the two traits in a module beside [`wechat`], and
//! let `config` make accounts of it; the gate does not change. `tests/provider` does so with a tiny one.

pub mod payment;

pub mod order_state;

pub mod question;

pub mod unopened;

pub mod message;

pub mod notification;

pub mod payee;

pub mod key;

pub mod preset;

pub mod bill;

// WeChat Pay.
pub mod wechat;

pub use key::{KeyInfo, KeyOf};
pub use message::{Envelope, Event, NotifiedClaim, Opened, Refund, SignedBy, Told};
pub use notification::{CannotNotify, Evidence, Notification, Resign, ToNotify};
pub use order_state::OrderState;
pub use payee::{Fingerprint, Payee};
pub use payment::Payment;
pub use preset::{Dialect, Preset};
pub use question::{AskBy, Asked, Part, Query, RefusedFor};
pub use unopened::Unopened;

use crate::domain::order::MerchantId;
use crate::domain::reason::Reason;
use bill::{Bill, BillError, BillType};
use jiff::civil::Date;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use tokio::time::Instant;

/// What a provider gives at once may be a future of any kind: one box for each question that is asked.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One merchant account at a payment provider, with the keys that it is asked with.
pub trait Account: Debug + Send + Sync {
    /// Who is paid on this account.
    fn payee(&self) -> Payee;

    /// Stands for all that an answer depends on: the ids, the keys, how it is asked. Of two accounts with the same, what was found
    /// out on one is true on the other.
    fn fingerprint(&self) -> Fingerprint;

    /// Whose account it is: the client that all accounts at this provider share.
    fn provider(&self) -> &dyn Provider;

    /// Opens a notification: checks that it is authentic and for this account, and says what it tells of. Pure: no question is sent.
    ///
    /// # Errors
    /// If it is not to be believed as a claim. The reason is what the sender's answer and the operator's log go by.
    fn open(&self, envelope: &Envelope<'_>) -> Result<Opened, Unopened>;

    /// Opens a notification again that was opened when it arrived, or that was made here: its signature is not looked at where it
    /// ages, and what was made may have none.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for the signature.
    fn reopen(&self, envelope: &Envelope<'_>) -> Result<Opened, Unopened> {
        self.open(envelope)
    }

    /// Whether a sealed notification names this account, by the part of it that stands in the clear. It proves nothing, and only
    /// selects whose keys are tried.
    fn is_addressed_by(&self, envelope: &Envelope<'_>) -> bool;

    /// Which of the provider's keys signed a notification that this account has opened; `None` where keys have no names.
    fn signed_by(&self, envelope: &Envelope<'_>) -> Option<SignedBy> {
        let _ = envelope;
        None
    }

    /// Whether this account can read such notifications: it has the keys that they are opened with.
    fn reads(&self, preset: &Preset) -> bool;

    /// Whether a notification names a key of the provider's that is not known and can be [fetched](Self::fetch_keys).
    fn lacks_key(&self, envelope: &Envelope<'_>) -> bool {
        let _ = envelope;
        false
    }

    /// The keys that it signs with and those that it believes, by their names; none where messages are signed with a secret that both
    /// sides share.
    fn keys(&self) -> Vec<KeyInfo> {
        Vec::new()
    }

    /// Fetches the keys that the provider signs with. All who want them at the same time wait for the same download, and there are
    /// few of them in a time, however often this is called.
    ///
    /// # Errors
    /// If they cannot be had before the deadline: a reason of verdict `unknown`. That there are none is no error.
    fn fetch_keys(&self, deadline: Instant) -> BoxFuture<'_, Result<(), Reason>> {
        let _ = deadline;
        Box::pin(async { Ok(()) })
    }

    /// Does what is due from time to time, such as fetching keys before they are needed. Called at the start and once a minute.
    fn tend(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Asks for one order. Whatever is not an answer that can be believed, of this account and about this order, is an
    /// [`OrderState::NotPaid`] whose reason is of verdict `unknown`. Never panics, and is done before the deadline.
    fn query<'a>(&'a self, query: Query<'a>) -> BoxFuture<'a, Asked>;

    /// The notification that the provider would have sent of a payment. Where its signature [ages](Preset::signed_at) it is not signed
    /// yet: no account can sign as the provider does, and a [`Resign`] does when it is sent.
    ///
    /// # Errors
    /// If none can be made of it.
    fn notify(&self, wanted: &ToNotify<'_>) -> Result<Notification, CannotNotify>;

    /// Asks for the bill of a day, in Beijing, of [`Payee::merchant`]; ready when its first rows are there. For a service provider it is
    /// the bill of all its merchants. Counts against no budget of queries.
    ///
    /// # Errors
    /// If there is none to be had.
    fn bill(&self, day: Date, rows: BillType) -> BoxFuture<'_, Result<Box<dyn Bill>, BillError>>;

    /// Made-up evidence of a made-up payment, to try a configuration with: [`notify`](Self::notify) takes it as any other.
    fn sample_evidence(&self, payment: &Payment) -> Evidence;
}

/// A payment provider as this process asks it: the client behind its accounts, with one budget of queries for each merchant.
pub trait Provider: Debug + Send + Sync {
    /// Its name, such as `wechat`.
    fn name(&self) -> &'static str;

    /// Order queries a second that each merchant may send.
    fn queries_per_second(&self) -> u32;

    /// How many queries of a merchant can be sent at once now, and how many if none was for a while.
    fn queries_left(&self, merchant: &MerchantId) -> (u32, u32);

    /// How many queries of each merchant were wanted so far, whether or not there was one left for them.
    fn queries_wanted(&self) -> Vec<(MerchantId, u64)> {
        Vec::new()
    }

    /// Only this part of a merchant's rate (more than 0, at most 1) is this process's from now on: others ask for it too.
    fn set_share(&self, merchant: &MerchantId, share: f64) {
        let _ = (merchant, share);
    }

    /// The hosts that are asked, in order, and how each is at the moment.
    fn hosts(&self) -> Vec<(Arc<str>, HostState)>;
}

/// How a host of a provider is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    /// In its turn: its circuit breaker is closed.
    Closed,
    /// After the others: it was out of reach many times in a row, so its circuit breaker is open.
    Open,
}
