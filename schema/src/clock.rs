//! The hybrid logical clock that orders the versions of a record (Kulkarni et al., "Logical Physical Clocks", 2014).

use serde::{Deserialize, Serialize};

/// Bits of the counter below the milliseconds.
const COUNTER_BITS: u32 = 16;

/// A point of hybrid time: 48 bits of Unix milliseconds, 16 bits of counter. It grows with every change of a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hlc(u64);

impl Hlc {
    /// The point with this stored number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The number that is stored and hashed.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The first point of a millisecond.
    #[must_use]
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms << COUNTER_BITS)
    }

    /// The milliseconds of the Unix epoch.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The point of an event at wall time `now_ms` after everything up to `self`: later than both.
    ///
    /// A wall clock that was set back does not take the result back; the counter goes on instead.
    #[must_use]
    pub fn tick(self, now_ms: u64) -> Self {
        Self::from_unix_ms(now_ms).max(Self(self.0.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Hlc;

    proptest! {
        #[test]
        fn every_tick_is_later_whatever_the_wall_clock_does(last: u64, now in 0_u64..1 << 48) {
            let last = Hlc::from_number(last >> 1);
            let next = last.tick(now);
            prop_assert!(next > last);
            prop_assert!(next.unix_ms() >= now);
        }
    }
}
