//! When something is tried again: delays, the last of which repeats until the time is over.

use std::time::Duration;

/// One of `follow_up`'s lists, and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Between tries; at least one.
    pub delays: Vec<Duration>,
    /// How long there are tries.
    pub lasts: Duration,
}

impl Schedule {
    /// In how long to try again after `retries`, of which the first was made `age` ago; `None` if the time is over. The
    /// last try is made when it ends.
    #[must_use]
    pub fn after(&self, retries: u32, age: Duration) -> Option<Duration> {
        let left = self.lasts.checked_sub(age).filter(|left| !left.is_zero())?;
        let retries = usize::try_from(retries).unwrap_or(usize::MAX);
        let delay = self.delays.get(retries).or(self.delays.last()).copied()?;
        Some(delay.min(left))
    }

    /// The first delay.
    #[must_use]
    pub fn first(&self) -> Duration {
        self.after(0, Duration::ZERO).unwrap_or(self.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_last_delay_repeats_until_the_time_is_over() {
        let schedule = Schedule { delays: vec![s(5), s(15), s(60)], lasts: s(200) };
        for (retries, age, delay) in [
            (0, 0, Some(5)),
            (1, 5, Some(15)),
            (2, 20, Some(60)),
            (3, 80, Some(60)),
            (4, 150, Some(50)),
            (5, 200, None),
        ] {
            assert_eq!(schedule.after(retries, s(age)), delay.map(s), "{retries} {age}");
        }
        assert_eq!(schedule.after(u32::MAX, s(0)), Some(s(60)));
        assert_eq!(schedule.first(), s(5));
    }
}
