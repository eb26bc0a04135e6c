//! The journal's figures, as of a moment ago.

use super::Admin;
use crate::journal::Figures;
use std::sync::Arc;
use std::time::Duration;

impl Admin {
    /// The journal's figures and how old they are; `None` without a journal, or while none could be read.
    pub async fn figures(&self) -> Option<(Arc<Figures>, Duration)> {
        let archive = self.archive.clone()?;
        self.figures.get(|_| true, async move { archive.figures().await }).await.read
    }
}
