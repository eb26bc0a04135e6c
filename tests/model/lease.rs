//! When a replica may trust its lease: one replica renews it through a network that delays, and both clocks tick alike. What
//! the other model takes for granted is what this one shows: who trusts its lease is alive by the database.

use stateright::{Checker, Model, Property};

/// How long a lease is, and how much earlier a replica gives it up, in ticks.
const LEASE: u8 = 4;
const MARGIN: u8 = 1;

/// How long is looked.
const TICKS: u8 = 12;

/// From when a replica counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CountsFrom {
    /// When it began to renew: the rule.
    Start,
    /// When it heard that it was renewed.
    Answer,
}

#[derive(Debug, Clone, Copy)]
struct Renewing(CountsFrom);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lease {
    now: u8,
    /// By the database.
    alive_until: u8,
    /// By the replica.
    trusted_until: u8,
    /// When the renewal under way began, and whether it is committed.
    renewing: Option<(u8, bool)>,
}

impl Lease {
    const fn is_trusted(&self) -> bool {
        self.now < self.trusted_until
    }

    const fn is_alive(&self) -> bool {
        self.now < self.alive_until
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Tick,
    Renew,
    Commit,
    Hear,
    /// The answer is lost, or nobody waits for it any more.
    Lose,
}

impl Model for Renewing {
    type State = Lease;
    type Action = Action;

    fn init_states(&self) -> Vec<Lease> {
        vec![Lease { now: 0, alive_until: LEASE, trusted_until: LEASE - MARGIN, renewing: None }]
    }

    fn actions(&self, lease: &Lease, actions: &mut Vec<Action>) {
        actions.extend((lease.now < TICKS).then_some(Action::Tick));
        actions.extend(match lease.renewing {
            None => vec![Action::Renew],
            Some((_, false)) => vec![Action::Commit, Action::Lose],
            Some((_, true)) => vec![Action::Hear, Action::Lose],
        });
    }

    fn next_state(&self, lease: &Lease, action: Action) -> Option<Lease> {
        let mut next = lease.clone();
        match (action, lease.renewing) {
            (Action::Tick, _) => next.now += 1,
            (Action::Renew, _) => next.renewing = Some((lease.now, false)),
            // The row is renewed only while it lives: who was taken for dead stays so.
            (Action::Commit, Some((began, _))) if lease.is_alive() => {
                next.alive_until = lease.now + LEASE;
                next.renewing = Some((began, true));
            }
            (Action::Hear, Some((began, _))) => {
                let from = if self.0 == CountsFrom::Start { began } else { lease.now };
                next.trusted_until = lease.trusted_until.max(from + LEASE - MARGIN);
                next.renewing = None;
            }
            _ => next.renewing = None,
        }
        (next != *lease).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("who trusts its lease is alive", |_, lease: &Lease| {
                !lease.is_trusted() || lease.is_alive()
            }),
            Property::sometimes("a lease outlasts the first", |_, lease: &Lease| {
                lease.is_trusted() && lease.now > LEASE
            }),
        ]
    }
}

#[test]
fn who_counts_its_lease_from_the_start_of_its_last_renewal_never_outlives_it() {
    Renewing(CountsFrom::Start).checker().spawn_bfs().join().assert_properties();
}

#[test]
fn who_counts_from_the_answer_believes_to_live_when_it_does_not() {
    let checker = Renewing(CountsFrom::Answer).checker().spawn_bfs().join();
    checker.assert_any_discovery("who trusts its lease is alive");
}
