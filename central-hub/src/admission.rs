//! Whether a province may send more: quotas, turned into credit.
//!
//! A province may always have one window of changes under way in each lane. What it sent is charged to its quotas; while
//! they have no room it is told how long to wait, and its window moves on when they have. Nothing is ever dropped.

use std::sync::{Arc, Mutex, PoisonError};

use registry_proto::frame::{FRAME_CHANGES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use registry_schema::ids::Lane;
use tokio::time::{Duration, Instant};

use crate::config::Quota;

/// Live and repair changes that may be under way: a burst of an office's whole day.
pub const LIVE_WINDOW_CHANGES: u64 = 10_000;
/// Backlog changes that may be under way: enough to fill the line for tens of milliseconds.
pub const BACKLOG_WINDOW_CHANGES: u64 = 20_000;

/// The quotas of one province. Clones share them, so a change of the configuration reaches a session that is open.
#[derive(Clone)]
pub struct Admission {
    limits: Arc<Mutex<Limits>>,
}

struct Limits {
    live: Bucket,
    backlog: Bucket,
    /// Bytes of live changes alone, so that they never wait for what the backlog owes.
    live_bytes: Bucket,
    /// Bytes of all lanes.
    bytes: Bucket,
}

impl Admission {
    /// Fresh quotas.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self { limits: Arc::new(Mutex::new(Limits::new(quota, Instant::now()))) }
    }

    /// Puts other quotas in force; what is owed under the earlier ones is forgotten, but whoever waits still waits.
    pub fn change(&self, quota: Quota) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Limits::new(quota, Instant::now());
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
        let (now, mut limits) = (Instant::now(), self.limits.lock().unwrap_or_else(PoisonError::into_inner));
        let (changes, bytes) = (changes as u64, bytes as u64);
        let all_bytes = limits.bytes.charge(bytes, now);
        match lane {
            Lane::Live | Lane::Repair => limits.live.charge(changes, now).max(limits.live_bytes.charge(bytes, now)),
            Lane::Backlog => limits.backlog.charge(changes, now).max(all_bytes),
        }
    }
}

impl Limits {
    fn new(quota: Quota, now: Instant) -> Self {
        let records = |per_second| Bucket::new(per_second, FRAME_CHANGES_MAX as u64, now);
        let bytes = || Bucket::new(quota.bytes_per_second, FRAME_PAYLOAD_BYTES_MAX as u64 * 2, now);
        Self {
            live: records(quota.live_records_per_second),
            backlog: records(quota.backlog_records_per_second),
            live_bytes: bytes(),
            bytes: bytes(),
        }
    }
}

/// Counts what is taken against a rate, and lets debts be made: the generic cell rate algorithm (ITU-T I.371), asked
/// afterwards.
struct Bucket {
    /// When all that was taken is paid for at the rate.
    paid_at: Instant,
    per_second: u64,
    /// What may be taken at once after a while of silence: a second's worth, and at least the largest single frame.
    burst: Duration,
}

impl Bucket {
    fn new(per_second: u32, burst_min: u64, now: Instant) -> Self {
        let per_second = u64::from(per_second.max(1));
        let burst = span(burst_min.max(per_second), per_second);
        Self { paid_at: now, per_second, burst }
    }

    /// Takes an amount; how long it is until as much as a burst allows, and no more, is owed.
    fn charge(&mut self, amount: u64, now: Instant) -> Duration {
        self.paid_at = self.paid_at.max(now) + span(amount, self.per_second);
        (self.paid_at - now).saturating_sub(self.burst)
    }
}

/// How long an amount takes at a rate.
fn span(amount: u64, per_second: u64) -> Duration {
    let nanoseconds = u128::from(amount) * 1_000_000_000 / u128::from(per_second);
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Less than any pause that is told.
    const NO_TIME: Duration = Duration::from_millis(1);

    #[test]
    fn a_bucket_lets_through_its_rate_whatever_the_pieces() {
        let begin = Instant::now();
        for piece in [1, 7, 100, 250] {
            let (mut bucket, mut now, mut taken) = (Bucket::new(100, 250, begin), begin, 0);
            while now < begin + Duration::from_secs(60) {
                now += bucket.charge(piece, now);
                taken += piece;
            }
            assert!((6_000..=6_000 + 2 * 250).contains(&taken), "{taken} in pieces of {piece}");
        }
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
