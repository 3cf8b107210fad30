//! The agent's half of the protocol: what to send next, what to send again, what has arrived.
//!
//! A sender lives as long as one stream. It holds numbers, never changes: the changes stay in the store until the hub
//! says they are applied, and are loaded when [`Sender::wants`] asks for them. Frames go out without waiting for one
//! another, a few in each lane, so that a backlog never keeps a live change waiting for more than a few frames.

mod lane;

use std::collections::BTreeMap;

use registry_schema::digest::Hash256;
use registry_schema::holdings::HoldingsKey;
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use thiserror::Error;

use crate::NOTICES_MAX;
use crate::convert::{self, Hello, WireError};
use crate::frame::{BACKLOG_FRAME_CHANGES, FRAME_CHANGES_MAX};
use crate::position::Cursor;
use crate::resync;
use crate::v1::{self, stream_response::Message};
use lane::LaneState;

/// The most frames of one lane under way: enough to keep the hub busy while it makes earlier ones durable, few enough
/// that a live change has little in front of it.
pub const IN_FLIGHT_FRAMES_MAX: usize = 4;

/// Milliseconds without any progress after which a lane is sent again: far above a commit of the hub's store, and
/// below the patience of a person who looks on.
pub const ACK_TIMEOUT_MS: u64 = 10_000;

/// How often a lane is sent again without any progress before the stream is given up: a new connection helps more.
pub const REWINDS_WITHOUT_PROGRESS_MAX: u32 = 8;

/// The longest pause in milliseconds that a hub can ask for; a mistake of the hub then costs a quarter of an hour.
pub const RETRY_AFTER_MS_MAX: u64 = 15 * 60 * 1000;

/// Who is sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// The province.
    pub origin: Origin,
    /// The incarnation of its store.
    pub epoch: Epoch,
    /// The agent's release.
    pub version: String,
    /// The last notice the store holds.
    pub notice_position: u64,
    /// The incarnation of the nation that said it; 0 when the store knows none.
    pub nation: u64,
}

/// What a message of the hub means to the agent.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The hub stands here. If the store's own chain at `seq` is another, its history was forked: send nothing more.
    CursorAt {
        /// The lane.
        lane: Lane,
        /// The last change in the hub's journal; 0 for the chain before the first.
        seq: Seq,
        /// The lane's chain after it.
        chain: Hash256,
        /// The last change in the national registry.
        applied: Seq,
    },
    /// This nation is another than the store knew, or has come back from a backup: of the notices that the store holds,
    /// those behind `notice_position` were said in a past that the nation has lost. Said before every other event.
    Nation {
        /// Its incarnation.
        nation: u64,
        /// The last notice that both sides know.
        notice_position: u64,
    },
    /// Every cursor was named; sending may begin.
    Ready,
    /// The lane is durable at the hub up to here.
    Received {
        /// The lane.
        lane: Lane,
        /// The last durable change.
        seq: Seq,
    },
    /// The lane is in the national registry up to here; the store may forget that the changes were to be sent.
    Applied {
        /// The lane.
        lane: Lane,
        /// The last applied change.
        seq: Seq,
    },
    /// The key by which both sides compare what they hold; said before [`Event::Ready`].
    HoldingsKey(HoldingsKey),
    /// A message of a comparison.
    Resync(resync::Said),
    /// Notices to store, in order; none that the store holds already.
    Notices(Vec<v1::Notice>),
    /// The hub ends the stream.
    Goodbye {
        /// Why.
        reason: v1::GoodbyeReason,
        /// The place and the remedy, in English.
        detail: String,
        /// How long to stay away.
        retry_after_ms: u64,
    },
}

/// The stream cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SenderError {
    /// The hub said something that cannot be meant, or at the wrong time: end the stream and connect again.
    #[error("the hub broke the protocol: {0}")]
    Protocol(#[from] WireError),
    /// The hub has changes that this store does not: the store was restored or copied, and must take a new epoch.
    #[error(
        "lane {lane}: the hub has journaled {hub}, this store ends at {store}: it was restored from an \
         older copy; enrol it again with a new epoch"
    )]
    Restored {
        /// The lane.
        lane: Lane,
        /// The hub's last change.
        hub: Seq,
        /// The store's last change.
        store: Seq,
    },
    /// Sending again does not help: end the stream and connect again.
    #[error("lane {lane}: sent again {REWINDS_WITHOUT_PROGRESS_MAX} times from {from} without progress; connect again")]
    Stuck {
        /// The lane.
        lane: Lane,
        /// The first change that does not arrive.
        from: Seq,
    },
}

/// What to load and send next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Want {
    /// The lane.
    pub lane: Lane,
    /// The first change.
    pub from: Seq,
    /// The most changes; at least 1.
    pub changes_max: usize,
}

/// The agent's end of one stream; see the module.
#[derive(Debug, Clone)]
pub struct Sender {
    agent: Agent,
    lanes: BTreeMap<Lane, LaneState>,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Greeting,
    Sending,
    Ended,
}

impl Sender {
    /// A sender for a store whose lanes end at `heads`; a lane that is not named is empty.
    #[must_use]
    pub fn new(agent: Agent, heads: &BTreeMap<Lane, Seq>) -> Self {
        let state = |lane: Lane| (lane, LaneState::new(heads.get(&lane).copied().unwrap_or_default()));
        Self { agent, lanes: Lane::ALL.map(state).into(), phase: Phase::Greeting }
    }

    /// The first message of the stream.
    #[must_use]
    pub fn hello(&self) -> v1::Hello {
        let heads = self.lanes.iter().map(|(lane, state)| (*lane, state.sealed()));
        let Agent { origin, epoch, version, notice_position, nation } = self.agent.clone();
        Hello { origin, epoch, agent_version: version, heads: heads.collect(), notice_position, nation }.into()
    }

    /// Takes a message of the hub.
    ///
    /// # Errors
    /// The stream cannot go on; see [`SenderError`].
    pub fn receive(&mut self, response: v1::StreamResponse, now_ms: u64) -> Result<Vec<Event>, SenderError> {
        let unknown = || WireError::new("StreamResponse.message", "nothing this release knows");
        let message = response.message.ok_or_else(unknown)?;
        let in_turn = match message {
            Message::Welcome(_) => self.phase == Phase::Greeting,
            Message::Goodbye(_) => true,
            _ => self.phase == Phase::Sending,
        };
        if !in_turn {
            return Err(WireError::new("StreamResponse.message", "a message out of turn").into());
        }
        match message {
            Message::Welcome(welcome) => self.welcomed(&welcome, now_ms),
            Message::Received(received) => self.received(&received, now_ms),
            Message::Applied(applied) => {
                let lane = convert::lane(applied.lane, "Applied.lane")?;
                let seq = convert::seq(applied.seq, "Applied.seq")?;
                let news = self.lane(lane).applied(lane, seq, now_ms)?;
                Ok(Vec::from_iter(news.then_some(Event::Applied { lane, seq })))
            }
            Message::Credit(credit) => self.credited(&credit, now_ms).map(|()| Vec::new()),
            Message::NoticeBatch(batch) => self.noticed(batch),
            Message::ResyncOffer(offer) => Ok(vec![Event::Resync(resync::Said::Offer(offer.try_into()?))]),
            Message::ResyncBlock(block) => Ok(vec![Event::Resync(resync::Said::block(&block)?)]),
            Message::ResyncBuckets(buckets) => Ok(vec![Event::Resync(resync::Said::buckets(&buckets)?)]),
            Message::ResyncStates(states) => Ok(vec![Event::Resync(resync::Said::states(states)?)]),
            Message::Goodbye(goodbye) => {
                self.phase = Phase::Ended;
                Ok(vec![Event::Goodbye {
                    reason: goodbye.reason(),
                    retry_after_ms: goodbye.retry_after_ms.min(RETRY_AFTER_MS_MAX),
                    detail: goodbye.detail,
                }])
            }
        }
    }

    /// What to load and send now: of the lanes that may send, the first in the order of service.
    pub fn wants(&self, now_ms: u64) -> Option<Want> {
        if self.phase != Phase::Sending {
            return None;
        }
        self.lanes.iter().find_map(|(lane, state)| {
            let (from, changes) = state.sendable(now_ms)?;
            let most = if *lane == Lane::Backlog { BACKLOG_FRAME_CHANGES } else { FRAME_CHANGES_MAX };
            let changes_max = usize::try_from(changes).unwrap_or(usize::MAX).min(most);
            Some(Want { lane: *lane, from, changes_max })
        })
    }

    /// The store has sealed changes up to `seq`.
    pub fn sealed(&mut self, lane: Lane, seq: Seq) {
        self.lane(lane).seal(seq);
    }

    /// Whether a frame for this want, ending at `last`, may go out now; if so it counts as under way.
    ///
    /// It may not when the hub has asked for something else while the changes were loaded: drop them and ask
    /// [`Self::wants`] again.
    #[must_use]
    pub fn sent(&mut self, want: Want, last: Seq, now_ms: u64) -> bool {
        self.phase == Phase::Sending && self.lane(want.lane).send(want.from, last, now_ms)
    }

    /// Notices up to `position` are stored: the message that says so.
    pub fn notices_stored(&mut self, position: u64) -> v1::NoticeAck {
        self.agent.notice_position = self.agent.notice_position.max(position);
        v1::NoticeAck { notice_position: self.agent.notice_position }
    }

    /// Lets time pass: a lane that made no progress for [`ACK_TIMEOUT_MS`] is sent again from its last durable change.
    ///
    /// # Errors
    /// A lane was sent again too often.
    pub fn tick(&mut self, now_ms: u64) -> Result<(), SenderError> {
        self.lanes.iter_mut().try_for_each(|(lane, state)| state.tick(*lane, now_ms))
    }

    /// When [`Self::tick`] or [`Self::wants`] will next say something new by the passing of time alone.
    #[must_use]
    pub fn wake_at_ms(&self, now_ms: u64) -> Option<u64> {
        self.lanes.values().filter_map(|state| state.wake_at_ms(now_ms)).min()
    }

    fn welcomed(&mut self, welcome: &v1::Welcome, now_ms: u64) -> Result<Vec<Event>, SenderError> {
        let mut cursors: BTreeMap<Lane, (Cursor, Seq)> = BTreeMap::new();
        for cursor in &welcome.cursors {
            let (cursor, applied) = convert::cursor_in(cursor)?;
            if cursor.epoch != self.agent.epoch {
                return Err(WireError::new("Cursor.epoch", "another epoch than the one in Hello").into());
            }
            cursors.insert(cursor.lane, (cursor, applied));
        }
        let mut events = Vec::new();
        for (lane, state) in &mut self.lanes {
            let missing = || WireError::new("Welcome.cursors", format!("none for lane {lane}"));
            let (cursor, applied) = cursors.get(lane).ok_or_else(missing)?;
            state.start(*lane, cursor.seq, *applied)?;
            events.push(Event::CursorAt { lane: *lane, seq: cursor.seq, chain: cursor.chain, applied: *applied });
            if *applied > Seq(0) {
                events.push(Event::Applied { lane: *lane, seq: *applied });
            }
        }
        for credit in &welcome.credits {
            self.credited(credit, now_ms)?;
        }
        if !welcome.holdings_key.is_empty() {
            let key = convert::hash(&welcome.holdings_key, "Welcome.holdings_key")?;
            events.insert(0, Event::HoldingsKey(HoldingsKey::from_bytes(key.0)));
        }
        if welcome.nation != 0 {
            let position = convert::seq(welcome.notice_position, "Welcome.notice_position")?.0;
            let notice_position = position.min(self.agent.notice_position);
            if welcome.nation != self.agent.nation || notice_position < self.agent.notice_position {
                (self.agent.nation, self.agent.notice_position) = (welcome.nation, notice_position);
                events.insert(0, Event::Nation { nation: welcome.nation, notice_position });
            }
        }
        self.phase = Phase::Sending;
        events.push(Event::Ready);
        Ok(events)
    }

    fn received(&mut self, received: &v1::Received, now_ms: u64) -> Result<Vec<Event>, SenderError> {
        let lane = convert::lane(received.lane, "Received.lane")?;
        let seq = convert::seq(received.seq, "Received.seq")?;
        let state = self.lane(lane);
        let news = state.received(lane, seq, now_ms)?;
        if received.resend {
            state.rewind(lane, convert::seq(received.resend_from, "Received.resend_from")?, now_ms)?;
        }
        Ok(Vec::from_iter(news.then_some(Event::Received { lane, seq })))
    }

    fn credited(&mut self, credit: &v1::Credit, now_ms: u64) -> Result<(), SenderError> {
        let lane = convert::lane(credit.lane, "Credit.lane")?;
        let pause_ms = credit.retry_after_ms.min(RETRY_AFTER_MS_MAX);
        self.lane(lane).credit(Seq(credit.through_seq), now_ms, pause_ms);
        Ok(())
    }

    fn noticed(&mut self, batch: v1::NoticeBatch) -> Result<Vec<Event>, SenderError> {
        let notices = batch.notices;
        if notices.len() > NOTICES_MAX {
            return Err(WireError::new("NoticeBatch.notices", format!("more than {NOTICES_MAX}")).into());
        }
        if notices.windows(2).any(|pair| pair[0].notice_seq >= pair[1].notice_seq) {
            return Err(WireError::new("NoticeBatch.notices", "not in order").into());
        }
        for notice in &notices {
            convert::record_id(notice.record_id, "Notice.record_id")?;
            convert::seq(notice.notice_seq, "Notice.notice_seq")?;
        }
        let held = self.agent.notice_position;
        let notices: Vec<_> = notices.into_iter().skip_while(|notice| notice.notice_seq <= held).collect();
        Ok(if notices.is_empty() { Vec::new() } else { vec![Event::Notices(notices)] })
    }

    fn lane(&mut self, lane: Lane) -> &mut LaneState {
        self.lanes.get_mut(&lane).expect("a sender has every lane from the start")
    }
}
