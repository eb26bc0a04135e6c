//! A trouble that repeats is logged now and then, so that it does not fill the log.

use std::time::{Duration, Instant};

/// Lets one line of a kind through in each `every`.
#[derive(Debug)]
pub struct LogThrottle {
    every: Duration,
    last: Option<Instant>,
}

impl LogThrottle {
    /// A throttle that lets the next line through, and then one in each `every`.
    #[must_use]
    pub const fn new(every: Duration) -> Self {
        Self { every, last: None }
    }

    /// Whether a line may be logged now; if so, it counts as logged.
    pub fn admits(&mut self) -> bool {
        let admits = self.last.is_none_or(|last| last.elapsed() >= self.every);
        if admits {
            self.last = Some(Instant::now());
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_let_through_in_each_interval() {
        let mut throttle = LogThrottle::new(Duration::from_secs(3600));
        assert_eq!([throttle.admits(), throttle.admits(), throttle.admits()], [true, false, false]);
        let mut throttle = LogThrottle::new(Duration::ZERO);
        assert_eq!([throttle.admits(), throttle.admits()], [true, true]);
    }
}
