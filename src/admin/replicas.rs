//! The gates that share this one's journal, as of a moment ago.

use super::Admin;
use super::queries::Unread;
use crate::journal::Replica;
use std::collections::HashSet;
use std::sync::Arc;

/// The gates of a journal.
#[derive(Debug, Clone, Default)]
pub struct Replicas {
    /// Those that live and those that are gone for a day at most, by name; none where a journal has one gate.
    pub list: Arc<Vec<Replica>>,
}

impl Replicas {
    /// Whether two that live go by different configurations.
    #[must_use]
    pub fn config_differs(&self) -> bool {
        let told = self.list.iter().filter(|replica| replica.live && !replica.config.is_empty());
        told.map(|replica| replica.config.as_str()).collect::<HashSet<_>>().len() > 1
    }
}

impl Admin {
    /// The gates that share its journal.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn replicas(&self) -> Result<Replicas, Unread> {
        let Some(shared) = self.shared.clone() else { return Ok(Replicas::default()) };
        let last = self.replicas.get(|_| true, async move { shared.replicas().await }).await;
        match last.read {
            Some((list, _)) => Ok(Replicas { list }),
            None => Err(last.trouble.unwrap_or(Unread::Slow)),
        }
    }
}
