//! What one session may send: credit that moves on as the quotas of its province have room.

use std::collections::BTreeMap;
use std::future::pending;

use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use registry_proto::convert;
use registry_proto::v1;
use registry_schema::ids::{Lane, Seq};
use tokio::time::{Duration, Instant, sleep};

use super::ending::{End, RETRY_MS, goodbye};
use crate::admission::Admission;

/// Never lets a lane go further than it was granted; see the module.
pub(super) struct Allowance {
    admission: Admission,
    granted: BTreeMap<Lane, Seq>,
    paused_until: BTreeMap<Lane, Instant>,
    /// Changes that are granted once the quotas have room.
    owed: BTreeMap<Lane, u64>,
    waiting: FuturesUnordered<BoxFuture<'static, (Lane, u64)>>,
}

impl Allowance {
    pub(super) fn new(admission: Admission) -> Self {
        let (granted, paused_until, owed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { admission, granted, paused_until, owed, waiting: FuturesUnordered::new() }
    }

    /// The credit with which a lane begins: a window, but whoever comes back with debts waits for them first.
    pub(super) fn begin(&mut self, lane: Lane, journaled: Seq) -> v1::Credit {
        self.granted.insert(lane, journaled);
        let wait = self.admission.charge(lane, 0, 0);
        self.owe(lane, Admission::window(lane), wait)
    }

    /// Charges changes that were taken: the window moves on, or the province hears how long to wait for that.
    pub(super) fn charge(&mut self, lane: Lane, changes: usize, bytes: usize) -> v1::Credit {
        let wait = self.admission.charge(lane, changes, bytes);
        self.owe(lane, changes as u64, wait)
    }

    /// Waits until the quotas have room for something that is owed; for ever when nothing is.
    pub(super) async fn settled(&mut self) -> v1::Credit {
        let Some((lane, changes)) = self.waiting.next().await else { return pending().await };
        if let Some(owed) = self.owed.get_mut(&lane) {
            *owed = owed.saturating_sub(changes);
        }
        self.grant(lane, changes)
    }

    /// Other quotas are in force: nobody waits for what was owed under the earlier ones.
    pub(super) fn forgive(&mut self) -> Vec<v1::Credit> {
        self.waiting = FuturesUnordered::new();
        self.paused_until.clear();
        let owed = std::mem::take(&mut self.owed);
        owed.into_iter().filter(|(_, changes)| *changes > 0).map(|(lane, changes)| self.grant(lane, changes)).collect()
    }

    /// Whether a frame was granted. Whoever sends more is sent away, since nothing else would bound what the hub holds.
    pub(super) fn check(&self, frame: &v1::Frame) -> Result<(), End> {
        // What is no lane is told by whoever opens the frame.
        let Ok(lane) = convert::lane(frame.lane, "Frame.lane") else { return Ok(()) };
        let last = frame.first_seq.saturating_add(frame.count.saturating_sub(1).into());
        if self.granted.get(&lane).is_none_or(|granted| last <= granted.0) {
            return Ok(());
        }
        let detail = format!("lane {lane}: change {last} was not granted yet; wait for credit");
        Err(goodbye(v1::GoodbyeReason::Overloaded, &detail, self.pause_ms(lane).max(RETRY_MS)))
    }

    fn owe(&mut self, lane: Lane, changes: u64, wait: Duration) -> v1::Credit {
        if wait.is_zero() {
            return self.grant(lane, changes);
        }
        self.paused_until.insert(lane, Instant::now() + wait);
        *self.owed.entry(lane).or_default() += changes;
        self.waiting.push(sleep(wait).map(move |()| (lane, changes)).boxed());
        self.credit(lane)
    }

    fn grant(&mut self, lane: Lane, changes: u64) -> v1::Credit {
        let granted = self.granted.entry(lane).or_default();
        granted.0 = granted.0.saturating_add(changes);
        self.credit(lane)
    }

    /// How far a lane may be sent, and not before when.
    fn credit(&self, lane: Lane) -> v1::Credit {
        let through = self.granted.get(&lane).copied().unwrap_or_default();
        v1::Credit { lane: convert::lane_number(lane), through_seq: through.0, retry_after_ms: self.pause_ms(lane) }
    }

    /// How long a lane is to be silent, in milliseconds; less than one is not worth a word.
    fn pause_ms(&self, lane: Lane) -> u64 {
        let until = self.paused_until.get(&lane).copied();
        let left = until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
        u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use registry_proto::frame::FRAME_CHANGES_MAX;

    use super::*;
    use crate::config::Quota;

    fn slow() -> Admission {
        Admission::new(Quota { backlog_records_per_second: 1_000, ..Quota::default() })
    }

    #[tokio::test]
    async fn who_uses_up_the_quota_waits_and_then_goes_on() {
        let mut allowance = Allowance::new(slow());
        let window = allowance.begin(Lane::Backlog, Seq(7));
        assert_eq!((window.through_seq, window.retry_after_ms), (7 + Admission::window(Lane::Backlog), 0));
        let burst = allowance.charge(Lane::Backlog, FRAME_CHANGES_MAX, 1);
        assert_eq!((burst.through_seq, burst.retry_after_ms), (window.through_seq + FRAME_CHANGES_MAX as u64, 0));
        let more = allowance.charge(Lane::Backlog, 100, 1);
        assert_eq!(more.through_seq, burst.through_seq);
        assert!((50..=100).contains(&more.retry_after_ms), "{more:?}");
        let later = allowance.settled().await;
        assert_eq!((later.through_seq, later.retry_after_ms), (burst.through_seq + 100, 0));
    }

    #[tokio::test]
    async fn who_hangs_up_and_comes_back_brings_the_debts_along() {
        let admission = slow();
        let mut allowance = Allowance::new(admission.clone());
        allowance.begin(Lane::Backlog, Seq(0));
        allowance.charge(Lane::Backlog, FRAME_CHANGES_MAX, 1);
        allowance.charge(Lane::Backlog, 100, 1);
        let mut again = Allowance::new(admission);
        let credit = again.begin(Lane::Backlog, Seq(2_100));
        assert!(credit.through_seq == 2_100 && credit.retry_after_ms > 50, "{credit:?}");
        let live = again.begin(Lane::Live, Seq(0));
        assert_eq!((live.through_seq, live.retry_after_ms), (Admission::window(Lane::Live), 0));
        let frame = |last: u64| v1::Frame { lane: 3, first_seq: last, count: 1, ..v1::Frame::default() };
        assert!(again.check(&frame(2_100)).is_ok() && again.check(&frame(2_101)).is_err());
        assert_eq!(again.settled().await.through_seq, 2_100 + Admission::window(Lane::Backlog));
        assert!(again.check(&frame(2_101)).is_ok());
    }

    #[tokio::test]
    async fn other_quotas_are_in_force_at_once() {
        let mut allowance = Allowance::new(slow());
        allowance.begin(Lane::Backlog, Seq(0));
        for _ in 0..9 {
            allowance.charge(Lane::Backlog, FRAME_CHANGES_MAX, 1);
        }
        let credits = allowance.forgive();
        let through = Admission::window(Lane::Backlog) + 9 * FRAME_CHANGES_MAX as u64;
        assert_eq!((credits.len(), credits[0].through_seq, credits[0].retry_after_ms), (1, through, 0));
        assert!(allowance.settled().now_or_never().is_none(), "nothing is granted twice");
    }
}
