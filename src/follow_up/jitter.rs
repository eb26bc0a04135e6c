//! Chance in a delay.

use std::time::Duration;

/// `delay`, up to a tenth more or less, so that what failed together is not tried again together.
#[must_use]
pub(super) fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.9 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn jitter_spreads_over_a_tenth_to_both_sides_and_no_further() {
        let delays: Vec<_> = (0..1000).map(|_| jittered(s(100))).collect();
        assert!(delays.iter().all(|delay| (s(90)..=s(110)).contains(delay)), "{delays:?}");
        assert!(delays.iter().any(|delay| *delay < s(92)) && delays.iter().any(|delay| *delay > s(108)), "{delays:?}");
    }
}
