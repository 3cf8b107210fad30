//! One lane of a sender: four places that never pass one another, applied <= received <= sent <= sealed.

use std::collections::VecDeque;

use registry_schema::ids::{Lane, Seq};

use super::{ACK_TIMEOUT_MS, IN_FLIGHT_FRAMES_MAX, REWINDS_WITHOUT_PROGRESS_MAX, SenderError};

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct LaneState {
    /// The last change in the store.
    sealed: Seq,
    /// The last change that went out.
    sent: Seq,
    /// The last change that is durable at the hub.
    received: Seq,
    /// The last change that is in the national registry.
    applied: Seq,
    /// The last change that may go out.
    through: Seq,
    /// No frame goes out before this time.
    paused_until_ms: u64,
    /// The last change of each frame that is under way, oldest first.
    in_flight: VecDeque<Seq>,
    /// When the oldest frame under way went out, or when the last one arrived.
    progress_at_ms: u64,
    /// How often the lane was sent again since the last progress.
    rewinds: u32,
}

impl LaneState {
    pub(super) fn new(sealed: Seq) -> Self {
        Self {
            sealed,
            sent: Seq(0),
            received: Seq(0),
            applied: Seq(0),
            through: Seq(0),
            paused_until_ms: 0,
            in_flight: VecDeque::with_capacity(IN_FLIGHT_FRAMES_MAX),
            progress_at_ms: 0,
            rewinds: 0,
        }
    }

    pub(super) const fn sealed(&self) -> Seq {
        self.sealed
    }

    pub(super) fn seal(&mut self, seq: Seq) {
        self.sealed = self.sealed.max(seq);
    }

    /// Begins where the hub stands.
    pub(super) fn start(&mut self, lane: Lane, received: Seq, applied: Seq) -> Result<(), SenderError> {
        self.check_known(lane, received)?;
        (self.received, self.sent, self.applied) = (received, received, applied);
        Ok(())
    }

    /// The hub has the changes up to `seq`; whether that is news.
    pub(super) fn received(&mut self, lane: Lane, seq: Seq, now_ms: u64) -> Result<bool, SenderError> {
        self.check_known(lane, seq)?;
        if seq <= self.received {
            return Ok(false);
        }
        self.received = seq;
        // After a rewind an acknowledgement of the first sending may still come.
        self.sent = self.sent.max(seq);
        while self.in_flight.front().is_some_and(|last| *last <= seq) {
            self.in_flight.pop_front();
        }
        self.progress_at_ms = now_ms;
        self.rewinds = 0;
        Ok(true)
    }

    /// The nation has the changes up to `seq`; whether that is news.
    pub(super) fn applied(&mut self, lane: Lane, seq: Seq, now_ms: u64) -> Result<bool, SenderError> {
        self.received(lane, seq, now_ms)?;
        let news = seq > self.applied;
        self.applied = self.applied.max(seq);
        Ok(news)
    }

    pub(super) fn credit(&mut self, through: Seq, now_ms: u64, pause_ms: u64) {
        self.through = self.through.max(through);
        self.paused_until_ms = now_ms.saturating_add(pause_ms);
    }

    /// The first change that may go out now, and how many with it.
    pub(super) fn sendable(&self, now_ms: u64) -> Option<(Seq, u64)> {
        let end = self.sealed.min(self.through);
        let may = self.sent < end && now_ms >= self.paused_until_ms && self.in_flight.len() < IN_FLIGHT_FRAMES_MAX;
        may.then(|| (self.sent.next(), end.0 - self.sent.0))
    }

    /// Counts the frame from `from` to `last` as under way, if it still is the next one.
    pub(super) fn send(&mut self, from: Seq, last: Seq, now_ms: u64) -> bool {
        let next = self
            .sendable(now_ms)
            .is_some_and(|(next, changes)| next == from && (from.0..from.0 + changes).contains(&last.0));
        if next {
            if self.in_flight.is_empty() {
                self.progress_at_ms = now_ms;
            }
            self.sent = last;
            self.in_flight.push_back(last);
        }
        next
    }

    /// Goes back so that `from` is sent next, unless it is durable already or was not sent yet.
    pub(super) fn rewind(&mut self, lane: Lane, from: Seq, now_ms: u64) -> Result<(), SenderError> {
        let back = Seq(from.0.saturating_sub(1)).max(self.received);
        if back >= self.sent {
            return Ok(());
        }
        self.rewinds += 1;
        if self.rewinds > REWINDS_WITHOUT_PROGRESS_MAX {
            return Err(SenderError::Stuck { lane, from: self.received.next() });
        }
        self.sent = back;
        self.in_flight.retain(|last| *last <= back);
        self.progress_at_ms = now_ms;
        Ok(())
    }

    pub(super) fn tick(&mut self, lane: Lane, now_ms: u64) -> Result<(), SenderError> {
        let late = !self.in_flight.is_empty() && now_ms.saturating_sub(self.progress_at_ms) >= ACK_TIMEOUT_MS;
        if late { self.rewind(lane, self.received.next(), now_ms) } else { Ok(()) }
    }

    pub(super) fn wake_at_ms(&self, now_ms: u64) -> Option<u64> {
        let timeout = (!self.in_flight.is_empty()).then(|| self.progress_at_ms.saturating_add(ACK_TIMEOUT_MS));
        let end = self.sealed.min(self.through);
        let pause = (self.sent < end && self.paused_until_ms > now_ms).then_some(self.paused_until_ms);
        timeout.into_iter().chain(pause).min()
    }

    /// A hub that has more than the store ever sealed knows another history of it.
    fn check_known(&self, lane: Lane, hub: Seq) -> Result<(), SenderError> {
        if hub > self.sealed {
            return Err(SenderError::Restored { lane, hub, store: self.sealed });
        }
        Ok(())
    }
}
