//! Whether a province may send more: quotas, turned into credit.
//!
//! A province may always have one window of changes under way in each lane. What it sent is charged to its quotas; while
//! they have no room it is told how long to wait, and its window moves on when they have. Nothing is ever dropped.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{InsufficientCapacity, RateLimiter};
use registry_proto::frame::{FRAME_CHANGES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use registry_schema::ids::Lane;
use tokio::time::{Duration, Instant};

use crate::config::Quota;

/// Live and repair changes that may be under way: a burst of an office's whole day.
pub const LIVE_WINDOW_CHANGES: u64 = 10_000;
/// Backlog changes that may be under way: enough to fill the line for tens of milliseconds.
pub const BACKLOG_WINDOW_CHANGES: u64 = 20_000;

/// Bytes are counted in pieces of this size: the time of a single byte would be too short to be told in nanoseconds.
const PIECE_BYTES: usize = 1_024;

/// The quotas of one province. Clones share them, so a change of the configuration reaches a session that is open.
#[derive(Clone)]
pub struct Admission {
    limits: Arc<Mutex<Limits>>,
}

struct Limits {
    begin: Instant,
    live: Debts,
    backlog: Debts,
    /// Bytes of live changes alone, so that they never wait for what the backlog owes.
    live_bytes: Debts,
    /// Bytes of all lanes.
    bytes: Debts,
}

impl Admission {
    /// Fresh quotas.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self { limits: Arc::new(Mutex::new(Limits::new(quota))) }
    }

    /// Puts other quotas in force; what is owed under the earlier ones is forgotten, but whoever waits still waits.
    pub fn change(&self, quota: Quota) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Limits::new(quota);
    }

    /// How many changes of a lane may be under way.
    #[must_use]
    pub const fn window(lane: Lane) -> u64 {
        match lane {
            Lane::Live | Lane::Repair => LIVE_WINDOW_CHANGES,
            Lane::Backlog => BACKLOG_WINDOW_CHANGES,
        }
    }

    /// Charges a frame that was taken; how long it is until the quotas have room for its like again.
    #[must_use]
    pub fn charge(&self, lane: Lane, changes: usize, bytes: usize) -> Duration {
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, changes, pieces) = (limits.begin.elapsed(), changes as u64, bytes.div_ceil(PIECE_BYTES) as u64);
        let all_bytes = limits.bytes.charge(pieces, now);
        match lane {
            Lane::Live | Lane::Repair => limits.live.charge(changes, now).max(limits.live_bytes.charge(pieces, now)),
            Lane::Backlog => limits.backlog.charge(changes, now).max(all_bytes),
        }
    }
}

impl Limits {
    fn new(quota: Quota) -> Self {
        let records = |per_second| Debts::new(per_second, FRAME_CHANGES_MAX as u32);
        let pieces = |bytes: u32| bytes / PIECE_BYTES as u32;
        let bytes = || Debts::new(pieces(quota.bytes_per_second), pieces(FRAME_PAYLOAD_BYTES_MAX as u32 * 2));
        Self {
            begin: Instant::now(),
            live: records(quota.live_records_per_second),
            backlog: records(quota.backlog_records_per_second),
            live_bytes: bytes(),
            bytes: bytes(),
        }
    }
}

/// A quota that may be overdrawn: what was taken is never refused, and nothing more is let through before it is paid for.
struct Debts {
    limiter: RateLimiter<NotKeyed, InMemoryState, PaidAt, NoOpMiddleware<Duration>>,
    /// The most that is paid for at once: a second's worth, and at least the largest single frame.
    burst: NonZeroU32,
}

/// The clock of a quota: it stands at the moment when everything that was taken is paid for, which may lie ahead.
#[derive(Default)]
struct PaidAt(Cell<Duration>);

impl Clock for PaidAt {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.get()
    }
}

impl Debts {
    fn new(per_second: u32, burst_min: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(burst_min).map_or(per_second, |least| least.max(per_second));
        let quota = governor::Quota::per_second(per_second).allow_burst(burst);
        Self { limiter: RateLimiter::direct_with_clock(quota, PaidAt::default()), burst }
    }

    /// Takes an amount at a moment; how long it is until everything that was taken is paid for.
    fn charge(&self, mut amount: u64, now: Duration) -> Duration {
        let paid_at = &self.limiter.clock().0;
        paid_at.set(paid_at.get().max(now));
        while let Some(piece) = NonZeroU32::new(u32::try_from(amount).unwrap_or(u32::MAX).min(self.burst.get())) {
            match self.limiter.check_n(piece) {
                Ok(Err(until)) => paid_at.set(until.earliest_possible().max(paid_at.get())),
                Ok(Ok(())) | Err(InsufficientCapacity(_)) => amount -= u64::from(piece.get()),
            }
        }
        paid_at.get().saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Less than any pause that is told.
    const NO_TIME: Duration = Duration::from_millis(1);

    #[test]
    fn a_quota_lets_through_its_rate_whatever_the_pieces() {
        for piece in [1, 7, 100, 250, 1_000] {
            let (debts, mut now, mut taken) = (Debts::new(100, 250), Duration::ZERO, 0);
            while now < Duration::from_secs(60) {
                now += debts.charge(piece, now);
                taken += piece;
            }
            assert!((6_000..=6_000 + 250 + piece).contains(&taken), "{taken} in pieces of {piece}");
        }
    }

    #[test]
    fn debts_are_paid_with_time_whether_or_not_anybody_asks() {
        let debts = Debts::new(100, 250);
        assert_eq!(debts.charge(10_250, Duration::ZERO).as_secs(), 100);
        assert_eq!(debts.charge(0, Duration::from_secs(60)).as_secs(), 40);
        assert_eq!(debts.charge(0, Duration::from_secs(100)), Duration::ZERO);
        assert!(debts.charge(1, Duration::from_secs(100)) > Duration::ZERO, "nothing is left over");
        assert_eq!(debts.charge(250, Duration::from_secs(200)), Duration::ZERO, "a burst after a while of silence");
        assert!(debts.charge(1, Duration::from_secs(200)) > Duration::ZERO, "and no more than a burst");
    }

    #[test]
    fn a_used_up_quota_makes_the_backlog_wait_and_live_does_not() {
        let quota = Quota { backlog_records_per_second: 10, ..Quota::default() };
        let admission = Admission::new(quota);
        assert_eq!(admission.charge(Lane::Backlog, FRAME_CHANGES_MAX, 1), Duration::ZERO, "a burst");
        let wait = admission.charge(Lane::Backlog, 100, 1);
        assert!(wait > Duration::from_secs(9), "a hundred changes at ten a second take ten seconds: {wait:?}");
        assert!(admission.charge(Lane::Live, 100, 1) < NO_TIME);
        let session = admission.clone();
        admission.change(Quota::default());
        assert!(session.charge(Lane::Backlog, 100, 1) < NO_TIME, "the open session has the new quota");
    }

    #[test]
    fn live_changes_do_not_wait_for_the_bytes_of_the_backlog() {
        let admission = Admission::new(Quota { bytes_per_second: 1 << 20, ..Quota::default() });
        let burst = FRAME_PAYLOAD_BYTES_MAX * 2;
        let backlog = admission.charge(Lane::Backlog, 1, burst + (8 << 20));
        assert!(backlog > Duration::from_secs(7), "{backlog:?}");
        assert!(admission.charge(Lane::Live, 1, 4_096) < NO_TIME);
        let live = admission.charge(Lane::Live, 1, burst + (1 << 20));
        assert!(live > Duration::from_millis(900), "live has its bounds too: {live:?}");
        assert!(admission.charge(Lane::Backlog, 1, 1) > backlog, "and the backlog gets what live leaves");
    }
}
