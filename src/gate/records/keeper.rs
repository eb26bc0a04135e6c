//! Where records are kept, and with it whose memory counts: a process that has its journal to itself knows what is in it;
//! where several gates work on one, only the journal does.

use crate::journal::{Journal, Queue, Shared};
use std::sync::Arc;

/// Where records are kept.
#[derive(Debug, Clone)]
pub(super) enum Keeper {
    /// Nowhere but in memory.
    Nobody,
    /// In a journal that this process has to itself.
    One(Arc<dyn Queue>),
    /// In a journal that other gates work on too.
    Several(Arc<dyn Queue>, Arc<dyn Shared>),
}

impl From<Option<Journal>> for Keeper {
    fn from(journal: Option<Journal>) -> Self {
        match journal {
            None => Self::Nobody,
            Some(Journal { queue, shared: None, .. }) => Self::One(queue),
            Some(Journal { queue, shared: Some(shared), .. }) => Self::Several(queue, shared),
        }
    }
}

impl Keeper {
    /// What writes them down.
    pub(super) const fn queue(&self) -> Option<&Arc<dyn Queue>> {
        match self {
            Self::Nobody => None,
            Self::One(queue) | Self::Several(queue, _) => Some(queue),
        }
    }

    /// What gates share that work on the same journal.
    pub(super) const fn shared(&self) -> Option<&Arc<dyn Shared>> {
        match self {
            Self::Nobody | Self::One(_) => None,
            Self::Several(_, shared) => Some(shared),
        }
    }
}
