//! Whether a province may send more: quotas by `governor`, turned into credit.
//!
//! A province may always have one window of changes under way in each lane. A window that was used up is granted again
//! as fast as the quotas allow; nothing is ever dropped, and a sender that has no credit simply waits.

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};

use governor::{DefaultDirectRateLimiter, Quota as Rate, RateLimiter};
use registry_proto::frame::{FRAME_CHANGES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use registry_schema::ids::{Lane, Seq};

use crate::config::Quota;

/// Live and repair changes that may be under way: a burst of an office's whole day.
pub const LIVE_WINDOW_CHANGES: u64 = 10_000;
/// Backlog changes that may be under way: enough to fill the line for tens of milliseconds.
pub const BACKLOG_WINDOW_CHANGES: u64 = 20_000;

/// The quotas of one province. Clones share them, so a change of the configuration reaches a session that is open.
#[derive(Clone)]
pub struct Admission {
    limits: Arc<RwLock<Limits>>,
}

#[derive(Clone)]
struct Limits {
    live: Arc<DefaultDirectRateLimiter>,
    backlog: Arc<DefaultDirectRateLimiter>,
    bytes: Arc<DefaultDirectRateLimiter>,
}

impl Admission {
    /// Fresh quotas.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self { limits: Arc::new(RwLock::new(Limits::new(quota))) }
    }

    /// Puts other quotas in force; whoever waits under the earlier ones still waits that long.
    pub fn change(&self, quota: Quota) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = Limits::new(quota);
    }

    /// How far a lane may be sent from the start.
    #[must_use]
    pub const fn window(lane: Lane, journaled: Seq) -> Seq {
        let changes = match lane {
            Lane::Live | Lane::Repair => LIVE_WINDOW_CHANGES,
            Lane::Backlog => BACKLOG_WINDOW_CHANGES,
        };
        Seq(journaled.0.saturating_add(changes))
    }

    /// Waits until the quotas have room again for a frame that was taken.
    pub async fn settle(&self, lane: Lane, changes: usize, bytes: usize) {
        let limits = self.limits.read().unwrap_or_else(PoisonError::into_inner).clone();
        let records = if lane == Lane::Backlog { &limits.backlog } else { &limits.live };
        take(records, changes, FRAME_CHANGES_MAX).await;
        take(&limits.bytes, bytes, FRAME_PAYLOAD_BYTES_MAX * 2).await;
    }
}

impl Limits {
    fn new(quota: Quota) -> Self {
        Self {
            live: limiter(quota.live_records_per_second, FRAME_CHANGES_MAX),
            backlog: limiter(quota.backlog_records_per_second, FRAME_CHANGES_MAX),
            bytes: limiter(quota.bytes_per_second, FRAME_PAYLOAD_BYTES_MAX * 2),
        }
    }
}

/// A limiter whose burst is a second's worth, and at least the largest single take.
fn limiter(per_second: u32, take_max: usize) -> Arc<DefaultDirectRateLimiter> {
    let rate = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
    let burst = NonZeroU32::new(u32::try_from(take_max).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN);
    Arc::new(RateLimiter::direct(Rate::per_second(rate).allow_burst(rate.max(burst))))
}

async fn take(limiter: &DefaultDirectRateLimiter, amount: usize, take_max: usize) {
    let amount = u32::try_from(amount.min(take_max)).unwrap_or(u32::MAX);
    if let Some(amount) = NonZeroU32::new(amount) {
        // The burst is at least `take_max`, so the amount always fits.
        let _ = limiter.until_n_ready(amount).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_used_up_quota_makes_the_backlog_wait_and_live_does_not() {
        let quota = Quota { backlog_records_per_second: 10, ..Quota::default() };
        let admission = Admission::new(quota);
        admission.settle(Lane::Backlog, FRAME_CHANGES_MAX, 1).await;
        let patience = Duration::from_millis(50);
        let backlog = tokio::time::timeout(patience, admission.settle(Lane::Backlog, 100, 1)).await;
        assert!(backlog.is_err(), "a hundred changes at ten a second take ten seconds");
        let live = tokio::time::timeout(patience, admission.settle(Lane::Live, 100, 1)).await;
        assert!(live.is_ok());
        let session = admission.clone();
        admission.change(Quota::default());
        let backlog = tokio::time::timeout(patience, session.settle(Lane::Backlog, 100, 1)).await;
        assert!(backlog.is_ok(), "the open session has the new quota");
    }
}
