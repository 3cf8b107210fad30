//! When to try again: exponential back-off with full jitter, so that provinces do not return all at once.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::config::PaceConfig;

/// The waiting times between attempts to connect; each lies between the least and the greatest of the configuration,
/// unless the centre asked for a longer pause.
#[derive(Debug)]
pub struct Pace {
    min_ms: u64,
    max_ms: u64,
    attempt: u32,
    random: StdRng,
}

impl Pace {
    /// A pace whose randomness comes from `seed`.
    #[must_use]
    pub fn new(config: &PaceConfig, seed: u64) -> Self {
        let (min_ms, max_ms) = (config.reconnect_ms_min, config.reconnect_ms_max);
        Self { min_ms, max_ms, attempt: 0, random: StdRng::seed_from_u64(seed) }
    }

    /// An attempt succeeded: the next failure starts from the shortest wait.
    pub const fn succeeded(&mut self) {
        self.attempt = 0;
    }

    /// How long to wait after a failure that may pass by itself.
    pub fn after_failure(&mut self) -> Duration {
        let bound = self.min_ms.saturating_mul(1 << self.attempt.min(31)).clamp(self.min_ms, self.max_ms);
        self.attempt = self.attempt.saturating_add(1);
        Duration::from_millis(self.random.random_range(self.min_ms..=bound))
    }

    /// How long to wait when the centre asked for a pause: never shorter, and up to a fourth longer.
    pub fn after_pause(&mut self, pause: Duration) -> Duration {
        let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let late = Duration::from_millis(self.random.random_range(0..=pause_ms / 4));
        pause.saturating_add(late).max(self.after_failure())
    }

    /// How long to wait after a refusal that an operator must settle.
    pub fn after_refusal(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(self.max_ms / 2..=self.max_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_stay_in_their_bounds_and_grow(seed: u64, min in 1_u64..1_000, factor in 1_u64..1_000) {
            let config = PaceConfig { reconnect_ms_min: min, reconnect_ms_max: min * factor, ..PaceConfig::default() };
            let mut pace = Pace::new(&config, seed);
            for attempt in 0..50_u32 {
                let bound = min.saturating_mul(1 << attempt.min(31)).min(min * factor);
                let wait = pace.after_failure().as_millis() as u64;
                prop_assert!((min..=bound).contains(&wait), "{} {}", attempt, wait);
            }
            let pause = Duration::from_secs(7);
            prop_assert!(pace.after_pause(pause) >= pause);
            prop_assert!(pace.after_refusal().as_millis() as u64 >= min * factor / 2);
            pace.succeeded();
            prop_assert_eq!(pace.after_failure().as_millis() as u64, min);
        }
    }

    #[test]
    fn two_agents_do_not_wait_alike() {
        let waits = |seed| {
            let mut pace = Pace::new(&PaceConfig::default(), seed);
            (0..10).map(|_| pace.after_failure()).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(2));
        assert_eq!(waits(1), waits(1));
    }
}
