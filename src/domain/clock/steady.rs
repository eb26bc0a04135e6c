//! The time of day, counted so that a clock which is wrong for a moment ends nothing.
//!
//! The system's clock is believed as far as it goes with the monotonic one. Small corrections are followed at once. A
//! step beyond [`STEP`] is a jump: until the system's clock has held it for [`HOLD`], or has come back, time is counted
//! on by the monotonic clock.

use jiff::{SignedDuration, Timestamp};
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// How far a correction goes that is followed at once, in milliseconds.
pub const STEP: i64 = 60_000;

/// How long the system's clock must hold what it jumped to before that is believed.
pub const HOLD: Duration = Duration::from_secs(10 * 60);

/// The beginning of 2026, in milliseconds: no right clock shows a time before this program was written.
const EARLIEST: i64 = 1_767_225_600_000;

/// A difference that is followed: less than that is two clocks read one after the other.
const SLACK: i64 = 5;

/// No time was read yet.
const UNREAD: i64 = i64::MIN;

/// Time as it is counted. All numbers are milliseconds; `wall` is what the system's clock shows, `mono` the monotonic
/// one.
#[derive(Debug)]
pub struct Steady {
    /// What the time is ahead of the monotonic clock.
    ahead: AtomicI64,
    jumped: AtomicBool,
    jump: Mutex<Jumps>,
}

#[derive(Debug, Default)]
struct Jumps {
    now: Option<Jump>,
    told: bool,
    /// What was said to be believed, until that is done.
    held: Option<SignedDuration>,
}

/// The system's clock shows another time than what is counted.
#[derive(Debug, Clone, Copy)]
struct Jump {
    /// What it is ahead of the monotonic clock.
    ahead: i64,
    /// When that began, by the monotonic clock.
    since: i64,
}

/// What has become of the clock since it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing that was not told.
    AsBefore,
    /// It has jumped by so much, and is not believed.
    Jumped(SignedDuration),
    /// It shows again what is counted.
    Returned,
    /// It holds what it has jumped to: it is to be believed, and everything that waits for a time is to be moved by so
    /// much.
    Held(SignedDuration),
}

impl Steady {
    pub(super) const fn new() -> Self {
        let jump = Mutex::new(Jumps { now: None, told: false, held: None });
        Self { ahead: AtomicI64::new(UNREAD), jumped: AtomicBool::new(false), jump }
    }

    /// The time.
    pub(super) fn read(&self, wall: i64, mono: i64) -> i64 {
        let here = wall.saturating_sub(mono);
        let ahead = self.ahead.load(Ordering::Relaxed);
        if ahead == UNREAD {
            self.ahead.store(here, Ordering::Relaxed);
            return wall;
        }
        let off = here.saturating_sub(ahead);
        if off.saturating_abs() > STEP {
            self.note(here, mono);
            return mono.saturating_add(ahead);
        }
        if self.jumped.load(Ordering::Relaxed) {
            self.jumped.store(false, Ordering::Relaxed);
            self.lock().now = None;
        }
        if off.saturating_abs() > SLACK {
            self.ahead.store(here, Ordering::Relaxed);
        }
        wall
    }

    fn note(&self, here: i64, mono: i64) {
        let mut jumps = self.lock();
        let goes_on = |jump: &Jump| jump.ahead.saturating_sub(here).saturating_abs() <= STEP;
        if !jumps.now.as_ref().is_some_and(goes_on) {
            *jumps = Jumps { now: Some(Jump { ahead: here, since: mono }), told: false, held: jumps.held };
        }
        self.jumped.store(true, Ordering::Relaxed);
    }

    /// What has become of the clock; each thing is told once, but for [`Look::Held`].
    pub(super) fn look(&self, wall: i64, mono: i64) -> Look {
        let now = self.read(wall, mono);
        let ahead = self.ahead.load(Ordering::Relaxed);
        let mut jumps = self.lock();
        let Some(jump) = jumps.now else {
            return if std::mem::take(&mut jumps.told) { Look::Returned } else { Look::AsBefore };
        };
        let by = SignedDuration::from_millis(jump.ahead.saturating_sub(ahead));
        if !jumps.told {
            jumps.told = true;
            return Look::Jumped(by);
        }
        let held = mono.saturating_sub(jump.since);
        let hold = i64::try_from(HOLD.as_millis()).unwrap_or(i64::MAX);
        // A time that cannot be is believed never, and one that can be at once where what is counted cannot.
        let is_believed = wall >= EARLIEST && (now < EARLIEST || held >= hold);
        if is_believed {
            jumps.held = Some(by);
            Look::Held(by)
        } else {
            Look::AsBefore
        }
    }

    /// Goes on by so much away, if that was said to be [held](Look::Held); otherwise nothing is done. Where the
    /// system's clock is elsewhere again by now, that is another jump: what waits was moved already.
    pub(super) fn settle(&self, by: SignedDuration) {
        let mut jumps = self.lock();
        if jumps.held == Some(by) {
            let by = i64::try_from(by.as_millis()).unwrap_or(0);
            self.ahead.fetch_add(by, Ordering::Relaxed);
            self.jumped.store(false, Ordering::Relaxed);
            *jumps = Jumps::default();
        }
    }

    /// Goes on from `at`, which is known to be over; what the system's clock shows is not believed then.
    pub(super) fn go_on_from(&self, at: i64, mono: i64) {
        self.ahead.store(at.saturating_sub(mono), Ordering::Relaxed);
    }

    /// By how much the system's clock is away while it is not believed.
    pub(super) fn away(&self) -> Option<SignedDuration> {
        let ahead = self.ahead.load(Ordering::Relaxed);
        self.lock().now.map(|jump| SignedDuration::from_millis(jump.ahead.saturating_sub(ahead)))
    }

    fn lock(&self) -> MutexGuard<'_, Jumps> {
        self.jump.lock()
    }
}

/// Whether this can be the time.
pub(super) fn can_be(at: Timestamp) -> bool {
    at.as_millisecond() >= EARLIEST
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: i64 = 1_800_000_000_000;
    const DAY: i64 = 24 * 3_600_000;
    const HELD: i64 = 600_000;

    fn begun() -> Steady {
        let clock = Steady::new();
        assert_eq!(clock.read(T, 1000), T);
        clock
    }

    fn by(millis: i64) -> SignedDuration {
        SignedDuration::from_millis(millis)
    }

    #[test]
    fn a_small_correction_is_followed_at_once_and_however_many_there_are() {
        let clock = begun();
        for step in 1..100 {
            let (wall, mono) = (T + step * 31_000, 1000 + step * 1000);
            assert_eq!(clock.read(wall, mono), wall);
            assert_eq!(clock.look(wall, mono), Look::AsBefore);
        }
    }

    #[test]
    fn a_jump_that_returns_was_never_there() {
        for jump in [10 * DAY, -DAY, -T] {
            let clock = begun();
            assert_eq!(clock.read(T + 500 + jump, 1500), T + 500);
            assert_eq!(clock.look(T + 600 + jump, 1600), Look::Jumped(by(jump)));
            assert_eq!(clock.away(), Some(by(jump)));
            assert_eq!(clock.look(T + 700 + jump, 1700), Look::AsBefore);
            assert_eq!(clock.read(T + 1500, 2500), T + 1500);
            assert_eq!(clock.look(T + 1600, 2600), Look::Returned);
            assert_eq!((clock.look(T + 1700, 2700), clock.away()), (Look::AsBefore, None));
        }
    }

    #[test]
    fn a_jump_that_holds_is_believed_and_what_is_counted_goes_on_until_then() {
        for jump in [10 * DAY, -DAY] {
            let clock = begun();
            let at = |passed: i64| (T + passed + jump, 1000 + passed);
            assert_eq!(clock.look(at(0).0, at(0).1), Look::Jumped(by(jump)));
            assert_eq!(clock.look(at(HELD - 1).0, at(HELD - 1).1), Look::AsBefore);
            assert_eq!(clock.look(at(HELD).0, at(HELD).1), Look::Held(by(jump)));
            assert_eq!(clock.read(at(HELD).0, at(HELD).1), T + HELD, "not before what waits was moved");
            clock.settle(by(jump));
            assert_eq!(clock.read(at(HELD + 5).0, at(HELD + 5).1), T + HELD + 5 + jump);
            assert_eq!((clock.look(at(HELD + 9).0, at(HELD + 9).1), clock.away()), (Look::AsBefore, None));
        }
    }

    #[test]
    fn what_was_moved_is_gone_on_with_although_the_clock_returns_in_that_moment() {
        let clock = begun();
        assert_eq!(clock.look(T + DAY, 1000), Look::Jumped(by(DAY)));
        assert_eq!(clock.look(T + DAY + HELD, 1000 + HELD), Look::Held(by(DAY)));
        assert_eq!(clock.read(T + HELD + 1, 1001 + HELD), T + HELD + 1, "it has returned");
        clock.settle(by(DAY));
        assert_eq!(clock.read(T + HELD + 2, 1002 + HELD), T + DAY + HELD + 2);
        assert_eq!(clock.look(T + HELD + 3, 1003 + HELD), Look::Jumped(by(-DAY)));
        clock.settle(by(DAY));
        assert_eq!(clock.read(T + HELD + 4, 1004 + HELD), T + DAY + HELD + 4, "once");
    }

    #[test]
    fn a_clock_that_jumps_on_begins_to_be_held_anew() {
        let clock = begun();
        assert_eq!(clock.look(T + DAY, 1000), Look::Jumped(by(DAY)));
        assert_eq!(clock.look(T + 2 * DAY + HELD, 1000 + HELD), Look::Jumped(by(2 * DAY)));
        assert_eq!(clock.look(T + 2 * DAY + HELD + 9, 1009 + HELD), Look::AsBefore);
        clock.settle(by(DAY));
        assert_eq!(
            clock.read(T + 2 * DAY + HELD + 9, 1009 + HELD),
            T + HELD + 9,
            "another jump is not settled with it"
        );
    }

    #[test]
    fn a_time_before_this_program_is_never_believed_and_the_right_one_is_at_once_after_it() {
        let clock = begun();
        let old = |passed: i64| (30_000 + passed, 1000 + passed);
        assert!(matches!(clock.look(old(0).0, old(0).1), Look::Jumped(_)));
        assert_eq!(clock.look(old(9 * HELD).0, old(9 * HELD).1), Look::AsBefore);
        let clock = Steady::new();
        assert_eq!(clock.read(30_000, 1000), 30_000);
        assert_eq!(clock.look(T, 2000), Look::Jumped(by(T - 31_000)));
        assert_eq!(clock.look(T + 500, 2500), Look::Held(by(T - 31_000)));
    }

    #[test]
    fn a_start_with_a_clock_that_is_behind_goes_on_from_what_is_known() {
        let clock = Steady::new();
        assert_eq!(clock.read(T - DAY, 10), T - DAY);
        clock.go_on_from(T, 10);
        assert_eq!(clock.read(T - DAY + 100, 110), T + 100);
        assert_eq!(clock.look(T - DAY + 100, 110), Look::Jumped(by(-DAY)));
        assert_eq!(clock.read(T + 30_000, 210), T + 30_000, "a clock that was put right is followed");
    }
}
