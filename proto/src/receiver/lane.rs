//! One lane of a receiver: the last durable change, and the frames that wait for the journal.

use std::collections::VecDeque;

use registry_schema::ids::Seq;

use super::PENDING_FRAMES_MAX;
use crate::convert::lane_number;
use crate::frame::{Header, Opened};
use crate::position::Cursor;
use crate::v1;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct LaneState {
    committed: Cursor,
    /// Where each frame that waits for the journal ends, oldest first.
    pending: VecDeque<Cursor>,
    /// Whether the next change was asked for again and has not come since.
    asked: bool,
}

impl LaneState {
    pub(super) fn new(committed: Cursor) -> Self {
        Self { committed, pending: VecDeque::new(), asked: false }
    }

    pub(super) const fn committed(&self) -> &Cursor {
        &self.committed
    }

    /// The cursor that the next frame must continue.
    pub(super) fn expected_after(&self) -> Cursor {
        self.pending.back().copied().unwrap_or(self.committed)
    }

    /// Whether the frame has another chain at a place where the lane's chain is known.
    pub(super) fn contradicts(&self, header: &Header) -> bool {
        self.pending.iter().chain([&self.committed]).any(|known| {
            let before = header.first_seq == known.seq.next() && header.previous_chain != known.chain;
            let after = header.last_seq == known.seq && header.chain != known.chain;
            before || after
        })
    }

    /// Why a frame with news cannot be appended now.
    pub(super) fn not_next(&self, header: &Header) -> Option<String> {
        let (first, next) = (header.first_seq, self.expected_after().seq.next());
        if first > next {
            Some(format!("{next} is missing before {first}"))
        } else if first < next {
            Some(format!("the frame at {first} begins before {next}; frames are cut anew there"))
        } else if self.pending.len() >= PENDING_FRAMES_MAX {
            Some(format!("{PENDING_FRAMES_MAX} frames wait for the journal already"))
        } else {
            None
        }
    }

    /// The frame waits for the journal.
    pub(super) fn expect(&mut self, opened: &Opened) {
        let Opened { epoch, lane, last_seq, chain, .. } = *opened;
        self.pending.push_back(Cursor { epoch, lane, seq: last_seq, chain });
        self.asked = false;
    }

    pub(super) fn commit(&mut self, seq: Seq) {
        while let Some(cursor) = self.pending.front().filter(|cursor| cursor.seq <= seq) {
            self.committed = *cursor;
            self.pending.pop_front();
            self.asked = false;
        }
    }

    pub(super) fn forget_pending(&mut self) {
        self.pending.clear();
    }

    pub(super) fn durable(&self) -> v1::Received {
        v1::Received {
            lane: lane_number(self.committed.lane),
            seq: self.committed.seq.0,
            chain: self.committed.chain.0.to_vec(),
            ..v1::Received::default()
        }
    }

    /// Asks for the next change, once: every frame behind a lost one shows the same gap.
    pub(super) fn ask(&mut self, reason: String) -> Option<v1::Received> {
        (!self.asked).then(|| self.ask_anew(reason))
    }

    /// Asks for the next change, whether or not it was asked for.
    pub(super) fn ask_anew(&mut self, reason: String) -> v1::Received {
        self.asked = true;
        let resend_from = self.expected_after().seq.next().0;
        v1::Received { resend: true, resend_from, reason, ..self.durable() }
    }
}
