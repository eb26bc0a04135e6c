//! Questions that are being asked right now, so that all who want to know the same thing at the same time share one
//! answer.
//!
//! A question whose answer is long in coming must not keep later callers waiting behind it: after a while a later
//! asker asks once more, and whichever answer comes first is that of all.

use crate::domain::reason::Reason;
use crate::provider::order_state::OrderState;
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The questions under way.
#[derive(Debug)]
pub(super) struct Flights<Q> {
    under_way: Mutex<HashMap<Q, Flight>>,
    /// How long an answer is waited for before the question is asked once more.
    timeout: Duration,
}

#[derive(Debug)]
struct Flight {
    answer: Arc<watch::Sender<Option<OrderState>>>,
    asked_at: Instant,
    leaders: usize,
}

/// What a caller is to do: ask, or wait for the answer to another's question.
pub(super) enum Role<Q: Eq + Hash + Copy> {
    /// Ask; the answer reaches all that wait.
    Lead(Leader<Q>, Answer),
    /// Wait, and if there is no answer by then, join again.
    Follow(Answer, Instant),
}

/// Where the answer will be.
pub(super) struct Answer(watch::Receiver<Option<OrderState>>);

/// Asks a question for all callers that wait for its answer (single flight). A leader answers when it is told to, or
/// when it is dropped, so that a task that died keeps no caller waiting.
pub(super) struct Leader<Q: Eq + Hash + Copy> {
    flights: Arc<Flights<Q>>,
    question: Q,
    answer: Arc<watch::Sender<Option<OrderState>>>,
    finished: bool,
}

impl<Q: Eq + Hash + Copy> Flights<Q> {
    /// Nothing under way yet.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { under_way: Mutex::default(), timeout }
    }

    /// Joins the question. `None` if `is_answered`, which is looked at under the lock, so that no flight begins or ends
    /// meanwhile.
    pub(super) fn join(self: &Arc<Self>, question: Q, is_answered: impl FnOnce() -> bool) -> Option<Role<Q>> {
        self.join_at(Instant::now(), question, is_answered)
    }

    fn join_at(self: &Arc<Self>, now: Instant, question: Q, is_answered: impl FnOnce() -> bool) -> Option<Role<Q>> {
        let mut under_way = self.lock();
        let flight = match under_way.entry(question) {
            Entry::Occupied(flight) => flight.into_mut(),
            Entry::Vacant(_) if is_answered() => return None,
            Entry::Vacant(place) => {
                let answer = Arc::new(watch::Sender::new(None));
                place.insert(Flight { answer, asked_at: now, leaders: 0 })
            }
        };
        let answer = Answer(flight.answer.subscribe());
        let asked_again_at = flight.asked_at + self.timeout;
        if flight.leaders > 0 && now < asked_again_at {
            return Some(Role::Follow(answer, asked_again_at));
        }
        flight.leaders += 1;
        flight.asked_at = now;
        let flights = Arc::clone(self);
        let leader = Leader { flights, question, answer: Arc::clone(&flight.answer), finished: false };
        Some(Role::Lead(leader, answer))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Q, Flight>> {
        self.under_way.lock()
    }
}

impl<Q: Eq + Hash + Copy> Leader<Q> {
    /// Gives the answer to all callers that wait. A failure is no answer while the question is being asked once more.
    pub(super) fn finish(mut self, order_state: OrderState, is_fact: bool) {
        self.end(order_state, is_fact);
    }

    fn end(&mut self, order_state: OrderState, is_fact: bool) {
        self.finished = true;
        let mut under_way = self.flights.lock();
        let Entry::Occupied(mut flight) = under_way.entry(self.question) else { return };
        if !Arc::ptr_eq(&flight.get().answer, &self.answer) {
            return;
        }
        flight.get_mut().leaders -= 1;
        if is_fact || flight.get().leaders == 0 {
            flight.remove();
            self.answer.send_replace(Some(order_state));
        }
    }
}

impl<Q: Eq + Hash + Copy> Drop for Leader<Q> {
    fn drop(&mut self) {
        if !self.finished {
            self.end(OrderState::NotPaid(Reason::InternalError), false);
        }
    }
}

impl Answer {
    /// Waits for the leader's answer.
    pub(super) async fn wait(mut self) -> OrderState {
        match self.0.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(order_state)) => order_state.clone(),
            Ok(None) | Err(_) => OrderState::NotPaid(Reason::InternalError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flights(timeout: Duration) -> Arc<Flights<u8>> {
        Arc::new(Flights::new(timeout))
    }

    fn ask(flights: &Arc<Flights<u8>>) -> (Leader<u8>, Answer) {
        match flights.join(1, || false) {
            Some(Role::Lead(leader, answer)) => (leader, answer),
            _ => panic!("not asked"),
        }
    }

    fn wait(flights: &Arc<Flights<u8>>) -> Answer {
        match flights.join(1, || false) {
            Some(Role::Follow(answer, _)) => answer,
            _ => panic!("not joined"),
        }
    }

    const FACT: OrderState = OrderState::NotPaid(Reason::Closed);
    const FAILURE: OrderState = OrderState::NotPaid(Reason::QueryFailed);

    #[tokio::test]
    async fn all_who_ask_at_once_share_one_answer() {
        let flights = flights(Duration::from_secs(60));
        let (leader, first) = ask(&flights);
        let second = wait(&flights);
        leader.finish(FACT, true);
        assert_eq!((first.wait().await, second.wait().await), (FACT, FACT));
        assert!(flights.join(1, || true).is_none());
        assert!(matches!(flights.join(1, || false), Some(Role::Lead(..))));
    }

    #[tokio::test]
    async fn a_question_that_hangs_is_asked_once_more_and_the_first_answer_is_everybodys() {
        let flights = flights(Duration::ZERO);
        let (hangs, first) = ask(&flights);
        let (answers, second) = ask(&flights);
        answers.finish(FACT, true);
        assert_eq!((first.wait().await, second.wait().await), (FACT, FACT));
        // It began anew meanwhile; the old asking's end is no answer to the new one.
        let (anew, third) = ask(&flights);
        hangs.finish(FAILURE, false);
        anew.finish(FACT, true);
        assert_eq!(third.wait().await, FACT);
    }

    #[test]
    fn a_question_that_was_asked_once_more_is_not_asked_again_by_each_who_comes_later() {
        let flights = flights(Duration::from_secs(3));
        let (start, s) = (Instant::now(), Duration::from_secs);
        let join = |after| flights.join_at(start + s(after), 1, || false).unwrap();
        let asked: Vec<_> = [0, 2, 4, 5, 6, 7, 8].into_iter().map(|after| (after, join(after))).collect();
        let askings = asked.iter().filter(|(_, turn)| matches!(turn, Role::Lead(..))).map(|(after, _)| *after);
        assert_eq!(askings.collect::<Vec<_>>(), [0, 4, 7]);
    }

    #[tokio::test]
    async fn a_failure_waits_for_the_other_asking() {
        let flights = flights(Duration::ZERO);
        let (hangs, first) = ask(&flights);
        let (fails, second) = ask(&flights);
        fails.finish(FAILURE, false);
        hangs.finish(FACT, true);
        assert_eq!((first.wait().await, second.wait().await), (FACT, FACT));
    }

    #[tokio::test]
    async fn nobody_waits_for_an_asking_that_died() {
        let flights = flights(Duration::from_secs(60));
        let (leader, answer) = ask(&flights);
        drop(leader);
        assert_eq!(answer.wait().await, OrderState::NotPaid(Reason::InternalError));
    }
}
