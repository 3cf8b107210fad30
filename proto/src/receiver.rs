//! The hub's half of the protocol: is this frame the next one of its lane, and what is said about it.
//!
//! A receiver lives as long as one stream. Its caller makes frames durable and only then calls
//! [`Receiver::committed`], which gives the acknowledgement. Several frames may wait for the journal at once.

mod lane;

use std::collections::BTreeMap;

use registry_schema::ids::{Epoch, Lane, Origin, Seq};

use crate::convert::{self, Hello};
use crate::frame::{self, FrameError, Header, Opened};
use crate::position::Cursor;
use crate::v1;
use lane::LaneState;

/// The most frames of one lane that wait for the journal: room for a sender's frames under way in any cut.
pub const PENDING_FRAMES_MAX: usize = 16;

/// What to do about a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Append it to the journal, then call [`Receiver::committed`], or [`Receiver::failed`].
    Append(Box<Arrival>),
    /// It came before: say again how far the lane is durable.
    Again(v1::Received),
    /// It is not the next one, or is damaged: ask for what is missing.
    Resend(v1::Received),
    /// It is not the next one, and what is missing was asked for already: do nothing.
    Skip,
    /// The stream cannot go on: say goodbye and end it.
    Refuse(v1::Goodbye),
}

/// The next frame of a lane: as it came, for the journal, and opened, for the judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// The frame as it came; it is the evidence.
    pub frame: v1::Frame,
    /// What it holds.
    pub opened: Opened,
}

/// The hub's end of one stream; see the module.
#[derive(Debug, Clone)]
pub struct Receiver {
    origin: Origin,
    epoch: Epoch,
    lanes: BTreeMap<Lane, LaneState>,
}

impl Receiver {
    /// A receiver for the store of this province and incarnation, whose journal ends at `cursors`; a lane without a
    /// cursor, or with one of another epoch, begins at its start.
    #[must_use]
    pub fn new(origin: Origin, epoch: Epoch, cursors: &[Cursor]) -> Self {
        let state = |lane: Lane| {
            let journaled = cursors.iter().find(|cursor| cursor.lane == lane && cursor.epoch == epoch);
            (lane, LaneState::new(journaled.copied().unwrap_or_else(|| Cursor::start(origin, epoch, lane))))
        };
        Self { origin, epoch, lanes: Lane::ALL.map(state).into() }
    }

    /// Whether a store that says this may send at all.
    ///
    /// # Errors
    /// The goodbye for another province or epoch, or for a store that has lost changes which the journal holds.
    pub fn admit(&self, hello: &Hello) -> Result<(), v1::Goodbye> {
        if hello.origin != self.origin {
            let detail = format!("this stream is for province {}, Hello names {}", self.origin, hello.origin);
            return Err(goodbye(v1::GoodbyeReason::UnknownProvince, detail));
        }
        self.check_epoch(hello.epoch)?;
        for (lane, state) in &self.lanes {
            let (journaled, sealed) = (state.committed().seq, hello.heads.get(lane).copied().unwrap_or_default());
            if sealed < journaled {
                return Err(goodbye(
                    v1::GoodbyeReason::Forked,
                    format!(
                        "lane {lane}: the journal ends at {journaled}, the store at {sealed}: the store was restored \
                         from an older copy; enrol it again with a new epoch"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The last journaled change of every lane.
    pub fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.lanes.values().map(LaneState::committed)
    }

    /// Judges a frame by its place and its bytes.
    #[must_use]
    pub fn receive(&mut self, frame: v1::Frame) -> Step {
        let header = match frame::header(&frame) {
            Ok(header) => header,
            Err(error) => return self.refused(frame.lane, &error),
        };
        if let Err(goodbye) = self.check_epoch(header.epoch) {
            return Step::Refuse(goodbye);
        }
        let state = self.lane(header.lane);
        if state.contradicts(&header) {
            return Step::Refuse(forked(&header));
        }
        if header.last_seq <= state.expected_after().seq {
            return Step::Again(state.durable());
        }
        if let Some(reason) = state.not_next(&header) {
            return state.ask(reason).map_or(Step::Skip, Step::Resend);
        }
        match frame::open(self.origin, &frame) {
            Ok(opened) => {
                self.lane(header.lane).expect(&opened);
                Step::Append(Box::new(Arrival { frame, opened }))
            }
            Err(error) => self.refused(frame.lane, &error),
        }
    }

    /// The journal holds the lane up to `seq`: the acknowledgement to send.
    pub fn committed(&mut self, lane: Lane, seq: Seq) -> v1::Received {
        let state = self.lane(lane);
        state.commit(seq);
        state.durable()
    }

    /// The journal refused a frame of the lane: it and those after it are forgotten; the message asks for them again.
    ///
    /// The caller must not append the frames of the lane that it still holds.
    pub fn failed(&mut self, lane: Lane, reason: &str) -> v1::Received {
        let state = self.lane(lane);
        state.forget_pending();
        state.ask_anew(reason.to_owned())
    }

    fn refused(&mut self, lane: i32, error: &FrameError) -> Step {
        let reason = match error {
            // Even the lane may be wrong here; if it is, the gap it leaves or the sender's patience finds it out.
            FrameError::Damaged { .. } => {
                let lane = convert::lane(lane, "Frame.lane").unwrap_or(Lane::Live);
                return Step::Resend(self.lane(lane).ask_anew(error.to_string()));
            }
            FrameError::Foreign { .. } => v1::GoodbyeReason::Unsupported,
            FrameError::Broken { .. } => v1::GoodbyeReason::Protocol,
        };
        Step::Refuse(goodbye(reason, error.to_string()))
    }

    fn check_epoch(&self, epoch: Epoch) -> Result<(), v1::Goodbye> {
        if epoch == self.epoch {
            return Ok(());
        }
        let (enrolled, found) = (self.epoch.0, epoch.0);
        let detail = format!("epoch {found:016x} is not the enrolled one, {enrolled:016x}; enrol the store again");
        Err(goodbye(v1::GoodbyeReason::WrongEpoch, detail))
    }

    fn lane(&mut self, lane: Lane) -> &mut LaneState {
        self.lanes.get_mut(&lane).expect("a receiver has every lane from the start")
    }
}

fn goodbye(reason: v1::GoodbyeReason, detail: String) -> v1::Goodbye {
    v1::Goodbye { reason: reason.into(), detail, retry_after_ms: 0 }
}

fn forked(header: &Header) -> v1::Goodbye {
    let detail = format!(
        "lane {}: the changes {} to {} do not continue the journaled ones: the store was restored or copied; enrol it \
         again with a new epoch",
        header.lane, header.first_seq, header.last_seq,
    );
    goodbye(v1::GoodbyeReason::Forked, detail)
}
