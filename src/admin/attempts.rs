//! Wrong tokens: an address may bring a few, and then each further one is answered late, one after the other. None is
//! so quick that the log or the audit trail fills up.
//!
//! The right token never waits, so every one that is brought is compared. What is held back is the answer to a wrong
//! one; where too many wait for theirs already, a further one is told so at once.

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use parking_lot::{Mutex, MutexGuard};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Wrong tokens that an address may bring at once.
const AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// How long it takes until it may bring another.
const EACH: Duration = Duration::from_secs(5);

/// Wrong tokens that all addresses together may bring at once, and a second after that.
const ALL_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
const ALL_A_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// How long the answer to the first one too many is held back; each further one twice as long, up to the longest.
const FIRST_PENANCE: Duration = Duration::from_millis(250);
const LONGEST_PENANCE: Duration = Duration::from_secs(2);

/// How long an address has to be quiet until it begins with the shortest again.
const FORGIVEN: Duration = Duration::from_secs(60);

/// How many answers are held back at one time: of one address, one after the other, and of all. A stop waits for them.
const HELD_BACK: usize = 2;
const ALL_HELD_BACK: usize = 64;

/// Wrong tokens a second that are told of, from all addresses together.
const TOLD: NonZeroU32 = NonZeroU32::MIN;

/// Addresses that are remembered before the quiet ones are forgotten.
const MANY: usize = 1024;

/// Counts wrong tokens.
#[derive(Debug)]
pub(super) struct Attempts {
    wrong: DefaultKeyedRateLimiter<IpAddr>,
    all: DefaultDirectRateLimiter,
    told: DefaultDirectRateLimiter,
    late: Arc<Late>,
}

/// What becomes of a wrong token.
#[derive(Debug)]
pub(super) struct Wrong {
    /// Whether it is worth telling of.
    pub(super) is_told: bool,
    /// One too many: until when its address should not try again, and what the answer waits for.
    pub(super) late: Option<(Duration, Option<Box<Penance>>)>,
}

/// Whose answers are late.
#[derive(Debug, Default)]
struct Late(Mutex<HashMap<Whose, Turns>>);

/// An address, or all of them when too many bring wrong ones.
type Whose = Option<IpAddr>;

#[derive(Debug)]
struct Turns {
    /// Until when every wrong one is one too many.
    until: Instant,
    /// When the last answer that is held back is due.
    last: Instant,
    /// How long the next one is held back.
    next: Duration,
    held_back: usize,
}

/// An answer that is held back. Its place is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Penance {
    late: Arc<Late>,
    whose: Whose,
    at: Instant,
}

impl Default for Attempts {
    fn default() -> Self {
        let quota = Quota::with_period(EACH).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        Self {
            wrong: RateLimiter::keyed(quota.allow_burst(AT_ONCE)),
            all: RateLimiter::direct(Quota::per_second(ALL_A_SECOND).allow_burst(ALL_AT_ONCE)),
            told: RateLimiter::direct(Quota::per_second(TOLD).allow_burst(AT_ONCE)),
            late: Arc::default(),
        }
    }
}

impl Attempts {
    /// This address brought a wrong one.
    pub(super) fn was_wrong(&self, address: IpAddr) -> Wrong {
        self.was_wrong_at(address, Instant::now())
    }

    fn was_wrong_at(&self, address: IpAddr, now: Instant) -> Wrong {
        let whose = whose(address);
        // Whoever is late already is not counted again, so that his time ends when he stops.
        for whose in [Some(whose), None] {
            if let Some(late) = self.late.join(whose, now) {
                return Wrong { is_told: false, late: Some(late) };
            }
        }
        let is_told = self.told.check().is_ok();
        if self.all.check().is_err() {
            return Wrong { is_told, late: Some(self.late.begin(None, now)) };
        }
        if self.wrong.len() > MANY {
            self.wrong.retain_recent();
        }
        let late = self.wrong.check_key(&whose).is_err().then(|| self.late.begin(Some(whose), now));
        Wrong { is_told, late }
    }
}

/// Who has one address of IPv6 has a network of them.
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

impl Late {
    /// One more wrong one, if it is one too many: how long until none is, and what its answer waits for, if it can.
    fn join(self: &Arc<Self>, whose: Whose, now: Instant) -> Option<(Duration, Option<Box<Penance>>)> {
        let mut late = self.lock();
        let all_held_back: usize = late.values().map(|turns| turns.held_back).sum();
        let turns = late.get_mut(&whose).filter(|turns| turns.until > now)?;
        let left = turns.until - now;
        if turns.held_back >= HELD_BACK || all_held_back >= ALL_HELD_BACK {
            return Some((left, None));
        }
        turns.held_back += 1;
        turns.last = turns.last.max(now) + turns.next;
        turns.next = (turns.next * 2).min(LONGEST_PENANCE);
        Some((left, Some(Box::new(Penance { late: Arc::clone(self), whose, at: turns.last }))))
    }

    /// From now on wrong ones are too many, and this is the first.
    fn begin(self: &Arc<Self>, whose: Whose, now: Instant) -> (Duration, Option<Box<Penance>>) {
        {
            let mut late = self.lock();
            if late.len() >= MANY {
                late.retain(|_, turns| turns.until + FORGIVEN > now || turns.held_back > 0);
            }
            let first = Turns { until: now, last: now, next: FIRST_PENANCE, held_back: 0 };
            let turns = late.entry(whose).or_insert(first);
            if turns.until + FORGIVEN < now {
                turns.next = FIRST_PENANCE;
            }
            turns.until = now + EACH;
        }
        self.join(whose, now).unwrap_or((EACH, None))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Whose, Turns>> {
        self.0.lock()
    }
}

impl Penance {
    /// Waits until the answer may be given.
    pub(super) async fn done(self) {
        sleep_until(self.at).await;
    }
}

impl Drop for Penance {
    fn drop(&mut self) {
        if let Some(turns) = self.late.lock().get_mut(&self.whose) {
            turns.held_back = turns.held_back.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUESSER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9));

    #[test]
    fn after_a_few_wrong_tokens_an_address_waits_in_turn_and_no_other_does() {
        let attempts = Attempts::default();
        let now = Instant::now();
        let answers: Vec<_> = (0..500).map(|_| attempts.was_wrong_at(GUESSER, now).late).collect();
        assert!(answers.iter().take(10).all(Option::is_none) && answers.iter().skip(10).all(Option::is_some));
        let held_back: Vec<_> = answers.into_iter().flatten().filter_map(|(_, penance)| penance).collect();
        let waits: Vec<_> = held_back.iter().map(|penance| penance.at - now).collect();
        assert_eq!(waits, [FIRST_PENANCE, FIRST_PENANCE * 3], "one after the other, the others are told at once");
        assert!(attempts.was_wrong_at(IpAddr::from([203, 0, 113, 8]), now).late.is_none());
        assert!(attempts.late.join(Some(GUESSER), now + EACH).is_none(), "the time is over");
    }

    #[test]
    fn an_address_gets_few_answers_a_minute_however_many_it_asks_for() {
        let late = Arc::<Late>::default();
        let begun = Instant::now();
        let (mut now, mut held_back) = (begun, 0);
        while now < begun + Duration::from_secs(60) {
            match late.join(Some(GUESSER), now).unwrap_or_else(|| late.begin(Some(GUESSER), now)) {
                (_, Some(penance)) => {
                    held_back += 1;
                    now = penance.at;
                }
                (_, None) => panic!("nobody else waits"),
            }
        }
        assert!((25..40).contains(&held_back), "{held_back}");
        let quiet = now + EACH + FORGIVEN * 2;
        assert_eq!(late.begin(Some(GUESSER), quiet).1.unwrap().at, quiet + FIRST_PENANCE);
    }

    #[test]
    fn many_addresses_wait_together_and_little_is_held() {
        let attempts = Attempts::default();
        let mut held_back = Vec::new();
        let mut plain = 0;
        for number in 0..100_000_u32 {
            match attempts.was_wrong(IpAddr::from(number.to_be_bytes())).late {
                None => plain += 1,
                Some((_, penance)) => held_back.extend(penance),
            }
        }
        assert!((100..1000).contains(&plain), "{plain}");
        assert!(held_back.len() <= ALL_HELD_BACK && attempts.late.lock().len() <= MANY);
        drop(held_back);
        assert_eq!(attempts.late.lock().values().map(|turns| turns.held_back).sum::<usize>(), 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let [one, same, other] =
            ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"].map(|text| text.parse().unwrap());
        assert_eq!(whose(one), whose(same));
        assert_ne!(whose(one), whose(other));
        assert_eq!(whose("::ffff:203.0.113.9".parse().unwrap()), GUESSER);
    }

    #[test]
    fn not_every_wrong_token_is_told_of() {
        let attempts = Attempts::default();
        let told = (0..200u8).filter(|last| attempts.was_wrong(IpAddr::from([203, 0, 113, *last])).is_told).count();
        assert!((10..100).contains(&told), "{told}");
    }
}
