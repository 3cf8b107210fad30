//! The hub's half, one answer at a time.
#![allow(clippy::unwrap_used)]

use registry_proto::frame::{Change, FrameSealer, SealedChange, checksum};
use registry_proto::position::Cursor;
use registry_proto::receiver::{PENDING_FRAMES_MAX, Receiver, Step};
use registry_proto::{convert, v1};
use registry_schema::clock::Hlc;
use registry_schema::digest::chain_start;
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Seq, Version};

const EPOCH: Epoch = Epoch(7);

fn origin() -> Origin {
    "01@2008".parse().unwrap()
}

/// A lane of forty changes; another `history` says something else from the third change on.
fn log(history: &str) -> Vec<SealedChange> {
    let mut chain = chain_start(origin(), EPOCH, Lane::Live);
    let link = |seq: u64| {
        let canonical = if seq < 3 { "common".into() } else { history.into() };
        let record_id = RecordId::from_number(seq as i64).unwrap();
        let change = Change { record_id, version: Version(1), clock: Hlc::from_number(seq), canonical };
        let sealed = SealedChange::link(origin(), &chain, Seq(seq), change);
        chain = sealed.chain;
        sealed
    };
    (1..=40).map(link).collect()
}

/// The frame with the changes `first` to `last`.
fn cut(log: &[SealedChange], first: usize, last: usize) -> v1::Frame {
    let start = chain_start(origin(), EPOCH, Lane::Live);
    let previous = if first == 1 { start } else { log[first - 2].chain };
    FrameSealer::new(origin(), EPOCH).unwrap().seal(Lane::Live, &previous, &log[first - 1..last]).unwrap()
}

/// A receiver whose journal holds the changes up to `seq`.
fn at(seq: usize) -> Receiver {
    let chain = if seq == 0 { chain_start(origin(), EPOCH, Lane::Live) } else { log("ours")[seq - 1].chain };
    Receiver::new(origin(), EPOCH, &[Cursor { epoch: EPOCH, lane: Lane::Live, seq: Seq(seq as u64), chain }])
}

/// The step in a few words.
fn told(step: &Step) -> String {
    match step {
        Step::Append(arrival) => format!("append {}-{}", arrival.opened.first_seq, arrival.opened.last_seq),
        Step::Again(received) => format!("again {}", received.seq),
        Step::Resend(received) => {
            assert!(received.resend && !received.reason.is_empty());
            format!("resend {} from {}", received.seq, received.resend_from)
        }
        Step::Skip => "skip".into(),
        Step::Refuse(goodbye) => format!("refuse {}", goodbye.reason().as_str_name()),
    }
}

/// What a receiver whose journal ends at `journaled` says to these frames, one after another.
fn check(journaled: usize, frames: &[(usize, usize)], expect: &str) {
    let (mut receiver, log) = (at(journaled), log("ours"));
    let steps = frames.iter().map(|(first, last)| told(&receiver.receive(cut(&log, *first, *last))));
    assert_eq!(steps.collect::<Vec<_>>().join(", "), expect);
}

#[test]
fn frames_are_judged_by_their_place() {
    check(0, &[(1, 3), (4, 4)], "append 1-3, append 4-4");
    check(5, &[(6, 9)], "append 6-9");
    check(5, &[(4, 5), (1, 5), (2, 3)], "again 5, again 5, again 5");
    check(0, &[(1, 3), (1, 3), (1, 2)], "append 1-3, again 0, again 0");
    check(0, &[(2, 3), (4, 5), (1, 1), (4, 5)], "resend 0 from 1, skip, append 1-1, resend 0 from 2");
    check(5, &[(4, 8), (6, 8)], "resend 5 from 6, append 6-8");
}

#[test]
fn the_acknowledgement_follows_the_journal_and_not_the_wire() {
    let (mut receiver, log) = (at(0), log("ours"));
    for (first, last) in [(1, 2), (3, 4), (5, 6)] {
        assert!(matches!(receiver.receive(cut(&log, first, last)), Step::Append(_)));
    }
    assert_eq!(receiver.committed(Lane::Live, Seq(4)).seq, 4);
    assert_eq!(receiver.committed(Lane::Live, Seq(2)).seq, 4, "an acknowledgement is never taken back");
    assert_eq!(receiver.cursors().next().unwrap().chain, log[3].chain);
    let asked = receiver.failed(Lane::Live, "the journal is full");
    assert_eq!((asked.seq, asked.resend, asked.resend_from), (4, true, 5));
    assert_eq!(told(&receiver.receive(cut(&log, 7, 8))), "skip");
    assert_eq!(told(&receiver.receive(cut(&log, 5, 6))), "append 5-6");
    assert_eq!(receiver.committed(Lane::Backlog, Seq(9)).seq, 0, "nothing was appended there");
}

#[test]
fn frames_that_wait_for_the_journal_are_bounded() {
    let (mut receiver, log) = (at(0), log("ours"));
    for seq in 1..=PENDING_FRAMES_MAX {
        assert!(matches!(receiver.receive(cut(&log, seq, seq)), Step::Append(_)));
    }
    let next = PENDING_FRAMES_MAX + 1;
    assert_eq!(told(&receiver.receive(cut(&log, next, next))), format!("resend 0 from {next}"));
    assert_eq!(told(&receiver.receive(cut(&log, next, next))), "skip");
    let _ = receiver.committed(Lane::Live, Seq(1));
    let behind = cut(&log, next + 1, next + 1);
    assert_eq!(told(&receiver.receive(behind)), format!("resend 1 from {next}"), "with room, it is asked for anew");
    assert_eq!(told(&receiver.receive(cut(&log, next, next))), format!("append {next}-{next}"));
}

#[test]
fn damage_is_asked_for_again_every_time() {
    let (mut receiver, log) = (at(5), log("ours"));
    let mut frame = cut(&log, 6, 7);
    frame.payload[3] ^= 1;
    for _ in 0..3 {
        assert_eq!(told(&receiver.receive(frame.clone())), "resend 5 from 6");
    }
    frame.lane = 77;
    assert_eq!(told(&receiver.receive(frame)), "resend 5 from 6", "a lane that cannot be read");
}

#[test]
fn another_history_is_refused_where_it_touches_the_known_one() {
    let (ours, theirs) = (log("ours"), log("theirs"));
    let check = |first, last, expect: &str| {
        assert_eq!(told(&at(5).receive(cut(&theirs, first, last))), expect, "{first}-{last} on the journal");
        let mut pending = at(0);
        assert!(matches!(pending.receive(cut(&ours, 1, 5)), Step::Append(_)));
        let on_pending = expect.replace("again 5", "again 0");
        assert_eq!(told(&pending.receive(cut(&theirs, first, last))), on_pending, "{first}-{last} on the pending");
    };
    check(6, 8, "refuse GOODBYE_REASON_FORKED");
    check(4, 5, "refuse GOODBYE_REASON_FORKED");
    check(1, 5, "refuse GOODBYE_REASON_FORKED");
    check(1, 2, "again 5");
}

#[test]
fn what_cannot_get_better_is_refused() {
    let check = |change: fn(&mut v1::Frame), expect: &str| {
        let mut frame = cut(&log("ours"), 6, 8);
        change(&mut frame);
        frame.crc32 = checksum(&frame);
        assert_eq!(told(&at(5).receive(frame)), format!("refuse GOODBYE_REASON_{expect}"));
    };
    check(|frame| frame.epoch = 8, "WRONG_EPOCH");
    check(|frame| frame.codec = 9, "UNSUPPORTED");
    check(|frame| frame.lane = 9, "UNSUPPORTED");
    check(|frame| frame.chain[0] ^= 1, "PROTOCOL");
    check(|frame| frame.previous_chain[0] ^= 1, "FORKED");
    check(|frame| frame.count = 0, "PROTOCOL");
}

#[test]
fn a_store_is_admitted_if_it_has_all_that_the_journal_has() {
    let hello = convert::Hello {
        origin: origin(),
        epoch: EPOCH,
        agent_version: String::new(),
        heads: [(Lane::Live, Seq(5))].into(),
        notice_position: 0,
        nation: 0,
    };
    let check = |change: fn(&mut convert::Hello), expect: Option<v1::GoodbyeReason>| {
        let mut hello = hello.clone();
        change(&mut hello);
        assert_eq!(at(5).admit(&hello).err().map(|goodbye| goodbye.reason()), expect);
    };
    check(|_| (), None);
    check(|hello| hello.heads.extend([(Lane::Backlog, Seq(1))]), None);
    check(|hello| hello.heads.extend([(Lane::Live, Seq(4))]), Some(v1::GoodbyeReason::Forked));
    check(|hello| hello.heads.clear(), Some(v1::GoodbyeReason::Forked));
    check(|hello| hello.epoch = Epoch(8), Some(v1::GoodbyeReason::WrongEpoch));
    check(|hello| hello.origin = "01@2025".parse().unwrap(), Some(v1::GoodbyeReason::UnknownProvince));
}
