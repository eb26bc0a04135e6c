//! What is learnt from confirmed callbacks of what others are worth, and what follows for those that wait.

use super::FollowUp;
use crate::domain::reason::Reason;
use crate::gate::decide::Confirmed;
use crate::gate::familiar::Appearance;
use crate::journal::{Job, Rank, State};

impl FollowUp {
    /// What waits and looks like what was confirmed since is likely now.
    pub(super) fn lift(&self) {
        for (channel, shape) in self.gate.familiar.take_news() {
            // No callback waits for the change, and without it nothing is lost.
            drop(self.queue.lift(channel, Box::new(move |number| shape.fits(number))));
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
