//! How much of what is due goes to which upstream.

use crate::domain::order::ChannelId;
use crate::journal::{DueGroup, Outlet, Rank, State, Throttled};
use std::collections::HashMap;

/// What one query may still give out for each upstream, found by the channel: there may be many channels, and each of
/// them may have something that waits.
pub(in crate::journal) struct Outlets<'t> {
    all: &'t [Outlet],
    left: Vec<usize>,
    by_channel: HashMap<ChannelId, usize>,
}

impl<'t> Outlets<'t> {
    /// What may be given out of these groups.
    pub(in crate::journal) fn of(Throttled { outlets: all, .. }: &'t Throttled, groups: &[DueGroup]) -> Self {
        let mut by_channel = HashMap::new();
        if groups.iter().any(|group| group.state == State::Delivering) {
            for (place, outlet) in all.iter().enumerate() {
                for channel in &outlet.channels {
                    by_channel.entry(*channel).or_insert(place);
                }
            }
        }
        Self { all, left: all.iter().map(|outlet| outlet.most).collect(), by_channel }
    }

    fn place(&self, group: &DueGroup) -> Option<usize> {
        self.by_channel.get(&group.channel).copied().filter(|_| group.state == State::Delivering)
    }

    /// How many entries of this group may be taken.
    pub(in crate::journal) fn room(&self, group: &DueGroup) -> usize {
        let Some(place) = self.place(group) else { return usize::MAX };
        match self.all.get(place) {
            Some(outlet) if outlet.failing && group.rank != Rank::AskedFor => 0,
            _ => self.left.get(place).copied().unwrap_or(usize::MAX),
        }
    }

    /// So many of this group were taken.
    pub(in crate::journal) fn take(&mut self, group: &DueGroup, taken: usize) {
        if let Some(left) = self.place(group).and_then(|place| self.left.get_mut(place)) {
            *left = left.saturating_sub(taken);
        }
    }
}
