//! A sender and a receiver over a pipe that loses, repeats, reorders, truncates and flips: whatever happens, every
//! change is journaled exactly once, in the order of its lane, and both ends hold the same chains.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use prost::Message as _;
use registry_proto::frame::{Change, FrameSealer, SealedChange, take_within};
use registry_proto::position::Cursor;
use registry_proto::receiver::{Receiver, Step};
use registry_proto::sender::{ACK_TIMEOUT_MS, Agent, Event, Sender, SenderError};
use registry_proto::{convert, v1};
use registry_schema::clock::Hlc;
use registry_schema::digest::{Hash256, chain_start};
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Seq, Version};

const EPOCH: Epoch = Epoch(0xfeed);
/// Changes that each lane has in the end.
const LANE_CHANGES: usize = 40;

fn origin() -> Origin {
    "31@2025".parse().unwrap()
}

/// The decisions of chance, one byte each; when they are used up, nothing more goes wrong.
struct Dice {
    bytes: std::vec::IntoIter<u8>,
}

impl Dice {
    fn roll(&mut self, sides: u8) -> Option<u8> {
        self.bytes.next().map(|byte| byte % sides)
    }

    /// Whether something that goes wrong once in `odds` times goes wrong now.
    fn strikes(&mut self, odds: u8) -> bool {
        self.roll(odds) == Some(0)
    }
}

/// Both stores, both machines, the pipe between them, and chance.
struct World {
    dice: Dice,
    now_ms: u64,
    log: BTreeMap<Lane, Vec<SealedChange>>,
    journal: BTreeMap<Lane, Vec<(RecordId, Hash256)>>,
    journal_chain: BTreeMap<Lane, Hash256>,
    sealer: FrameSealer,
    sender: Sender,
    receiver: Receiver,
    up: VecDeque<Vec<u8>>,
    down: VecDeque<v1::StreamResponse>,
    appending: VecDeque<registry_proto::frame::Opened>,
    appends: usize,
}

impl World {
    fn new(decisions: Vec<u8>) -> Self {
        let agent = Agent { origin: origin(), epoch: EPOCH, version: "test".into(), notice_position: 0, nation: 5 };
        let mut world = Self {
            dice: Dice { bytes: decisions.into_iter() },
            now_ms: 1_000,
            log: Lane::ALL.map(|lane| (lane, Vec::new())).into(),
            journal: Lane::ALL.map(|lane| (lane, Vec::new())).into(),
            journal_chain: Lane::ALL.map(|lane| (lane, chain_start(origin(), EPOCH, lane))).into(),
            sealer: FrameSealer::new(origin(), EPOCH).unwrap(),
            sender: Sender::new(agent, &BTreeMap::new()),
            receiver: Receiver::new(origin(), EPOCH, &[]),
            up: VecDeque::new(),
            down: VecDeque::new(),
            appending: VecDeque::new(),
            appends: 0,
        };
        world.connect();
        world
    }

    fn chain_at(&self, lane: Lane, seq: Seq) -> Hash256 {
        match seq.0 as usize {
            0 => chain_start(origin(), EPOCH, lane),
            at => self.log[&lane][at - 1].chain,
        }
    }

    /// A new stream: both machines start from their stores, and what was in the pipe is gone.
    fn connect(&mut self) {
        (self.up, self.down, self.appending) = Default::default();
        let heads = self.log.iter().map(|(lane, log)| (*lane, Seq(log.len() as u64))).collect();
        let agent = Agent { origin: origin(), epoch: EPOCH, version: "test".into(), notice_position: 0, nation: 5 };
        self.sender = Sender::new(agent, &heads);
        let cursors: Vec<_> = Lane::ALL
            .iter()
            .map(|lane| {
                let seq = Seq(self.journal[lane].len() as u64);
                Cursor { epoch: EPOCH, lane: *lane, seq, chain: self.journal_chain[lane] }
            })
            .collect();
        self.receiver = Receiver::new(origin(), EPOCH, &cursors);
        let hello = convert::Hello::try_from(self.sender.hello()).unwrap();
        self.receiver.admit(&hello).unwrap();
        let cursors = cursors.iter().map(|cursor| convert::cursor_out(cursor, Seq(0))).collect();
        let credits = Lane::ALL.map(|lane| self.credit(lane)).to_vec();
        self.down.push_back(v1::Welcome { cursors, credits, ..v1::Welcome::default() }.into());
    }

    /// A little credit while chance rules, and all of it afterwards.
    fn credit(&mut self, lane: Lane) -> v1::Credit {
        let more = self.dice.roll(30).map_or(u64::MAX / 2, u64::from);
        let through_seq = self.journal[&lane].len() as u64 + more;
        v1::Credit { lane: convert::lane_number(lane), through_seq, retry_after_ms: 0 }
    }

    fn clerk_saves(&mut self, lane: Lane) {
        let log = &self.log[&lane];
        if log.len() < LANE_CHANGES {
            let seq = Seq(log.len() as u64 + 1);
            let change = Change {
                record_id: RecordId::from_number(i64::from(lane.number()) * 1_000 + seq.0 as i64).unwrap(),
                version: Version(1),
                clock: Hlc::from_number(seq.0),
                canonical: format!("{lane} entry {seq}").into_bytes(),
            };
            let sealed = SealedChange::link(origin(), &self.chain_at(lane, Seq(seq.0 - 1)), seq, change);
            self.log.get_mut(&lane).unwrap().push(sealed);
            self.sender.sealed(lane, seq);
        }
    }

    fn agent_sends(&mut self) {
        let Some(want) = self.sender.wants(self.now_ms) else { return };
        let from = want.from.0 as usize - 1;
        let cut = self.dice.roll(9).map_or(usize::MAX, |roll| usize::from(roll) + 1);
        let queued = &self.log[&want.lane][from..];
        let count = take_within(queued).min(want.changes_max).min(cut);
        let changes = queued[..count].to_vec();
        let previous = self.chain_at(want.lane, Seq(from as u64));
        let frame = self.sealer.seal(want.lane, &previous, &changes).unwrap();
        assert!(self.sender.sent(want, changes[count - 1].seq, self.now_ms));
        let mut bytes = frame.encode_to_vec();
        if self.dice.strikes(8) {
            let at = usize::from(self.dice.roll(255).unwrap_or(0)) % bytes.len();
            bytes[at] ^= 1 << (self.dice.roll(8).unwrap_or(0));
        }
        if self.dice.strikes(20) {
            bytes.truncate(usize::from(self.dice.roll(255).unwrap_or(0)) % bytes.len());
        }
        put(&mut self.dice, &mut self.up, bytes);
    }

    fn hub_receives(&mut self) {
        let Some(bytes) = self.up.pop_front() else { return };
        // Bytes that are no message at all end the stream.
        let Ok(frame) = v1::Frame::decode(bytes.as_slice()) else { return self.connect() };
        match self.receiver.receive(frame) {
            Step::Append(arrival) => self.appending.push_back(arrival.opened),
            Step::Again(received) | Step::Resend(received) => put(&mut self.dice, &mut self.down, received.into()),
            Step::Skip => {}
            Step::Refuse(goodbye) => panic!("an honest store was refused: {goodbye:?}"),
        }
    }

    fn hub_commits(&mut self) {
        let Some(opened) = self.appending.pop_front() else { return };
        let lane = opened.lane;
        if self.dice.strikes(15) {
            self.appending.retain(|later| later.lane != lane);
            let received = self.receiver.failed(lane, "the journal is full");
            put(&mut self.dice, &mut self.down, received.into());
            return;
        }
        let journal = self.journal.get_mut(&lane).unwrap();
        assert_eq!(opened.first_seq, Seq(journal.len() as u64 + 1), "appended out of order");
        assert_eq!(opened.previous_chain, self.journal_chain[&lane]);
        journal.extend(opened.changes.iter().map(|change| (change.record_id, change.content_hash)));
        self.journal_chain.insert(lane, opened.chain);
        self.appends += 1;
        let received = self.receiver.committed(lane, opened.last_seq);
        assert_eq!(received.seq, opened.last_seq.0);
        put(&mut self.dice, &mut self.down, received.into());
        let credit = self.credit(lane);
        put(&mut self.dice, &mut self.down, credit.into());
    }

    fn agent_receives(&mut self) {
        let Some(response) = self.down.pop_front() else { return };
        match self.sender.receive(response, self.now_ms) {
            Ok(events) => events.into_iter().for_each(|event| self.believed(&event)),
            // A message before Welcome, or too many resends: a new stream.
            Err(SenderError::Protocol(_) | SenderError::Stuck { .. }) => self.connect(),
            Err(error) => panic!("{error}"),
        }
    }

    /// What the agent is told is so.
    fn believed(&self, event: &Event) {
        match event {
            Event::CursorAt { lane, seq, chain, .. } => assert_eq!(*chain, self.chain_at(*lane, *seq)),
            Event::Received { lane, seq } => assert!(seq.0 as usize <= self.journal[lane].len(), "acked too early"),
            Event::Ready => {}
            other => panic!("nobody said {other:?}"),
        }
    }

    fn time_passes(&mut self, ms: u64) {
        self.now_ms += ms;
        if self.sender.tick(self.now_ms).is_err() {
            self.connect();
        }
    }

    fn step(&mut self, action: u8) {
        match action {
            0..3 => self.clerk_saves(Lane::ALL[usize::from(action)]),
            3..6 => self.agent_sends(),
            6..9 => self.hub_receives(),
            9..12 => self.hub_commits(),
            12..15 => self.agent_receives(),
            15 => self.time_passes(100),
            16 => self.time_passes(ACK_TIMEOUT_MS),
            _ => self.connect(),
        }
    }

    fn done(&self) -> bool {
        self.journal.values().all(|journal| journal.len() == LANE_CHANGES)
    }

    /// Chance first; then everything in turn, with nothing more going wrong, until all is journaled.
    fn run(&mut self) {
        while let Some(action) = self.dice.roll(18) {
            self.step(action);
        }
        // Credit that was lost does not come again on an old stream.
        self.connect();
        let rounds = (0..2_000).take_while(|round| {
            (0..15).for_each(|action| self.step(action));
            if round % 10 == 9 {
                self.time_passes(ACK_TIMEOUT_MS);
            }
            !self.done()
        });
        let rounds = rounds.count();
        assert!(rounds < 2_000, "not journaled: {:?}", self.journal.values().map(Vec::len).collect::<Vec<_>>());
    }
}

/// Puts a message into a pipe that may lose it, repeat it or let it overtake.
fn put<T: Clone>(dice: &mut Dice, pipe: &mut VecDeque<T>, message: T) {
    if dice.strikes(8) {
        return;
    }
    if dice.strikes(8) {
        pipe.push_back(message.clone());
    }
    let overtakes = dice.strikes(8) && !pipe.is_empty();
    pipe.insert(if overtakes { pipe.len() - 1 } else { pipe.len() }, message);
}

fn check(decisions: Vec<u8>) {
    let mut world = World::new(decisions);
    world.run();
    for lane in Lane::ALL {
        let sent: Vec<_> = world.log[&lane].iter().map(|change| (change.record_id, change.content_hash)).collect();
        assert_eq!(world.journal[&lane], sent, "{lane}");
        assert_eq!(world.journal_chain[&lane], world.chain_at(lane, Seq(LANE_CHANGES as u64)), "{lane}");
    }
}

#[test]
fn nothing_goes_wrong() {
    check(Vec::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn every_change_is_journaled_once_whatever_happens(decisions in prop::collection::vec(any::<u8>(), 0..4_000)) {
        check(decisions);
    }
}
