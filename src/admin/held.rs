//! Some of the orders that are held, as of a moment ago. How many there are is in the figures.

use super::{Admin, Unread};
use crate::journal::view::Filter;
use crate::journal::{Record, State};
use std::sync::Arc;

/// The latest of them.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Their entries: those that are being delivered, those that are parked, those that are asked about.
    pub records: Vec<Record>,
}

impl Held {
    /// Entries of each state that are looked at.
    pub const MOST: usize = 200;
}

impl Admin {
    /// Orders that are held, and why that cannot be read at the moment, if it cannot. What was read before still counts then.
    pub async fn held(&self) -> (Option<Arc<Held>>, Option<Unread>) {
        let Some(archive) = self.archive.clone() else { return (None, Some(Unread::NoJournal)) };
        let reading = async move {
            let mut held = Held::default();
            for state in [State::Delivering, State::Parked, State::Asking] {
                let filter = Filter { state: Some(state), ..Filter::default() };
                let page = archive.list(filter, None, Held::MOST).await?;
                held.records.extend(page.records);
            }
            Ok(held)
        };
        let last = self.held.get(|_| true, reading).await;
        (last.read.map(|(held, _)| held), last.trouble)
    }
}
