//! Wrong tokens: an address that brings several has to wait before it is told of another that it is wrong, and none is so
//! quick that the log or the audit trail fills up.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens that an address may bring at once.
const AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// How long each further one takes.
const EACH: Duration = Duration::from_secs(5);

/// Wrong tokens a second that are told of, from all addresses together.
const TOLD: NonZeroU32 = NonZeroU32::MIN;

/// Addresses that are remembered before the quiet ones are forgotten.
const MANY: usize = 1024;

/// Counts wrong tokens.
#[derive(Debug)]
pub(super) struct Attempts {
    wrong: DefaultKeyedRateLimiter<IpAddr>,
    shut: Mutex<HashMap<IpAddr, Instant>>,
    told: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Default for Attempts {
    fn default() -> Self {
        let quota = Quota::with_period(EACH).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        Self {
            wrong: RateLimiter::keyed(quota.allow_burst(AT_ONCE)),
            shut: Mutex::default(),
            told: RateLimiter::direct(Quota::per_second(TOLD).allow_burst(AT_ONCE)),
            clock: DefaultClock::default(),
        }
    }
}

impl Attempts {
    /// How long this address has to wait before a wrong token of it is answered as one.
    pub(super) fn wait(&self, address: IpAddr) -> Option<Duration> {
        let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        let left = shut.get(&address)?.saturating_duration_since(Instant::now());
        if left.is_zero() {
            shut.remove(&address);
            return None;
        }
        Some(left)
    }

    /// This address brought a wrong one. Whether that is worth telling.
    pub(super) fn was_wrong(&self, address: IpAddr) -> bool {
        if self.wrong.len() > MANY {
            self.wrong.retain_recent();
        }
        if let Err(until) = self.wrong.check_key(&address) {
            let wait = until.wait_time_from(self.clock.now()).min(EACH);
            let mut shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if shut.len() > MANY {
                shut.retain(|_, until| *until > now);
            }
            shut.insert(address, now + wait);
        }
        self.told.check().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn after_a_few_wrong_tokens_an_address_waits_and_no_other_does() {
        let attempts = Attempts::default();
        let (guesser, other) = (IpAddr::from([203, 0, 113, 9]), IpAddr::from(Ipv4Addr::LOCALHOST));
        for _ in 0..AT_ONCE.get() {
            assert_eq!(attempts.wait(guesser), None);
            attempts.was_wrong(guesser);
        }
        attempts.was_wrong(guesser);
        assert!(attempts.wait(guesser).is_some_and(|wait| wait <= EACH));
        assert_eq!(attempts.wait(other), None);
    }

    #[test]
    fn not_every_wrong_token_is_told_of() {
        let attempts = Attempts::default();
        let told = (0..200u8).filter(|last| attempts.was_wrong(IpAddr::from([203, 0, 113, *last]))).count();
        assert!((10..100).contains(&told), "{told}");
    }
}
