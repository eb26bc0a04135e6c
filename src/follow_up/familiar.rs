//! What is learnt from confirmed callbacks of what others are worth, and what follows for those that wait.

use super::FollowUp;
use crate::domain::reason::Reason;
use crate::gate::decide::Confirmed;
use crate::gate::familiar::Appearance;
use crate::journal::{Job, Rank, State};
use std::sync::Arc;

impl FollowUp {
    /// What waits and looks like what was confirmed since is likely now. Without it nothing is lost.
    pub(super) async fn lift(self: Arc<Self>) {
        for (channel, shape) in self.gate.familiar.take_news() {
            // A journal that fails says so itself.
            let _ = self.queue.lift(channel, Box::new(move |number| shape.fits(number))).await;
        }
    }

    /// What callbacks look like is learnt from the first answer about each.
    pub(super) fn learn(&self, job: &Job, decided: &Result<Confirmed, Reason>) {
        let is_news = job.state == State::Asking && (decided.is_ok() || job.rank <= Rank::Strange);
        if let Some(appearance) = Appearance::of(&job.callback, &self.gate.senders).filter(|_| is_news) {
            self.gate.familiar.learn(&appearance, decided);
        }
    }
}
