//! The agent's half, one habit at a time.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use registry_proto::frame::BACKLOG_FRAME_CHANGES;
use registry_proto::sender::{
    ACK_TIMEOUT_MS, Agent, Event, IN_FLIGHT_FRAMES_MAX, RETRY_AFTER_MS_MAX, REWINDS_WITHOUT_PROGRESS_MAX, Sender,
    SenderError,
};
use registry_proto::{NOTICES_MAX, convert, v1};
use registry_schema::ids::{Epoch, Lane, Seq};

const NOW_MS: u64 = 1_000_000;
const PLENTY: u64 = 1_000_000;

fn sender(live: u64, repair: u64, backlog: u64) -> Sender {
    let agent = Agent {
        origin: "01@2008".parse().unwrap(),
        epoch: Epoch(7),
        version: "1".into(),
        notice_position: 10,
        nation: 5,
    };
    let heads = [(Lane::Live, Seq(live)), (Lane::Repair, Seq(repair)), (Lane::Backlog, Seq(backlog))];
    Sender::new(agent, &BTreeMap::from(heads))
}

fn cursor(lane: Lane, seq: u64) -> v1::Cursor {
    v1::Cursor { lane: convert::lane_number(lane), epoch: 7, seq, chain: vec![1; 32], applied_seq: 0 }
}

fn credit(lane: Lane, through_seq: u64, retry_after_ms: u64) -> v1::Credit {
    v1::Credit { lane: convert::lane_number(lane), through_seq, retry_after_ms }
}

fn received(lane: Lane, seq: u64) -> v1::Received {
    v1::Received { lane: convert::lane_number(lane), seq, ..v1::Received::default() }
}

fn resend(lane: Lane, seq: u64, resend_from: u64) -> v1::Received {
    v1::Received { resend: true, resend_from, ..received(lane, seq) }
}

fn welcome(through_seq: u64) -> v1::Welcome {
    let cursors = Lane::ALL.map(|lane| cursor(lane, 0)).to_vec();
    v1::Welcome {
        cursors,
        credits: Lane::ALL.map(|lane| credit(lane, through_seq, 0)).to_vec(),
        ..v1::Welcome::default()
    }
}

fn hear(sender: &mut Sender, response: impl Into<v1::StreamResponse>) -> Vec<Event> {
    sender.receive(response.into(), NOW_MS).unwrap()
}

/// Sends the next frame, of at most `cut` changes, and says which places it has.
fn send(sender: &mut Sender, cut: u64) -> Option<(Lane, u64, u64)> {
    let want = sender.wants(NOW_MS)?;
    let last = want.from.0 + cut.min(want.changes_max as u64) - 1;
    assert!(sender.sent(want, Seq(last), NOW_MS));
    Some((want.lane, want.from.0, last))
}

fn welcomed(live: u64, repair: u64, backlog: u64) -> Sender {
    let mut sender = sender(live, repair, backlog);
    assert_eq!(hear(&mut sender, welcome(PLENTY)).last(), Some(&Event::Ready));
    sender
}

#[test]
fn nothing_is_sent_before_welcome_or_after_goodbye() {
    let mut sender = sender(5, 0, 0);
    assert_eq!(sender.wants(NOW_MS), None);
    hear(&mut sender, welcome(PLENTY));
    let want = sender.wants(NOW_MS).unwrap();
    let goodbye =
        v1::Goodbye { reason: v1::GoodbyeReason::StoreFull.into(), detail: "disk".into(), retry_after_ms: u64::MAX };
    let reason = v1::GoodbyeReason::StoreFull;
    let expected = Event::Goodbye { reason, detail: "disk".into(), retry_after_ms: RETRY_AFTER_MS_MAX };
    assert_eq!(hear(&mut sender, goodbye), [expected]);
    assert_eq!(sender.wants(NOW_MS), None);
    assert!(!sender.sent(want, want.from, NOW_MS));
}

#[test]
fn live_goes_first_then_repair_then_backlog() {
    let mut sender = welcomed(1, 1, 5_000);
    assert_eq!(send(&mut sender, 9), Some((Lane::Live, 1, 1)));
    assert_eq!(send(&mut sender, 9), Some((Lane::Repair, 1, 1)));
    assert_eq!(send(&mut sender, PLENTY), Some((Lane::Backlog, 1, BACKLOG_FRAME_CHANGES as u64)));
    sender.sealed(Lane::Live, Seq(2));
    assert_eq!(send(&mut sender, 9), Some((Lane::Live, 2, 2)));
}

#[test]
fn a_backlog_under_way_leaves_room_for_live() {
    let mut sender = welcomed(0, 0, 5_000);
    for at in 0..IN_FLIGHT_FRAMES_MAX as u64 {
        assert_eq!(send(&mut sender, 1), Some((Lane::Backlog, at + 1, at + 1)));
    }
    assert_eq!(sender.wants(NOW_MS), None, "its frames under way are used up");
    sender.sealed(Lane::Live, Seq(1));
    assert_eq!(send(&mut sender, 1), Some((Lane::Live, 1, 1)));
    assert_eq!(hear(&mut sender, received(Lane::Backlog, 1)), [Event::Received { lane: Lane::Backlog, seq: Seq(1) }]);
    assert_eq!(send(&mut sender, 1), Some((Lane::Backlog, 5, 5)));
}

#[test]
fn credit_is_a_place_and_may_come_twice() {
    let mut sender = sender(9, 0, 0);
    hear(&mut sender, welcome(3));
    assert_eq!(send(&mut sender, PLENTY), Some((Lane::Live, 1, 3)));
    assert_eq!(sender.wants(NOW_MS), None);
    for _ in 0..2 {
        hear(&mut sender, credit(Lane::Live, 5, 0));
    }
    hear(&mut sender, credit(Lane::Live, 2, 0));
    assert_eq!(send(&mut sender, PLENTY), Some((Lane::Live, 4, 5)));
    assert_eq!(sender.wants(NOW_MS), None);
}

#[test]
fn a_pause_ends_by_itself_or_by_the_hubs_word() {
    let mut sender = welcomed(9, 0, 0);
    hear(&mut sender, credit(Lane::Live, 0, 500));
    assert_eq!((sender.wants(NOW_MS + 499), sender.wake_at_ms(NOW_MS)), (None, Some(NOW_MS + 500)));
    assert!(sender.wants(NOW_MS + 500).is_some());
    assert_eq!(sender.wake_at_ms(NOW_MS + 500), None, "a past pause wakes nobody");
    hear(&mut sender, credit(Lane::Live, 0, u64::MAX));
    assert_eq!(sender.wake_at_ms(NOW_MS), Some(NOW_MS + RETRY_AFTER_MS_MAX));
    hear(&mut sender, credit(Lane::Live, 0, 0));
    assert!(sender.wants(NOW_MS).is_some());
}

#[test]
fn a_resend_goes_back_but_never_behind_what_is_durable() {
    let mut sender = welcomed(9, 0, 0);
    assert_eq!(send(&mut sender, 3), Some((Lane::Live, 1, 3)));
    assert_eq!(send(&mut sender, 3), Some((Lane::Live, 4, 6)));
    hear(&mut sender, resend(Lane::Live, 3, 4));
    assert_eq!(send(&mut sender, 2), Some((Lane::Live, 4, 5)));
    hear(&mut sender, resend(Lane::Live, 3, 1));
    assert_eq!(send(&mut sender, 1), Some((Lane::Live, 4, 4)));
    hear(&mut sender, resend(Lane::Live, 3, 8));
    assert_eq!(send(&mut sender, 1), Some((Lane::Live, 5, 5)), "what was not sent is not sent again");
    hear(&mut sender, received(Lane::Live, 8));
    assert_eq!(send(&mut sender, 9), Some((Lane::Live, 9, 9)), "a late acknowledgement of the first sending counts");
}

#[test]
fn a_frame_that_was_loaded_before_a_resend_is_not_sent() {
    let mut sender = welcomed(9, 0, 0);
    assert_eq!(send(&mut sender, 3), Some((Lane::Live, 1, 3)));
    let want = sender.wants(NOW_MS).unwrap();
    hear(&mut sender, resend(Lane::Live, 0, 1));
    assert!(!sender.sent(want, Seq(6), NOW_MS));
    let want = sender.wants(NOW_MS).unwrap();
    assert!(
        !sender.sent(want, Seq(0), NOW_MS) && !sender.sent(want, Seq(10), NOW_MS),
        "nor one that was not asked for"
    );
    assert_eq!(send(&mut sender, 9), Some((Lane::Live, 1, 9)));
}

#[test]
fn silence_is_answered_by_sending_again_until_patience_ends() {
    let mut sender = welcomed(2, 0, 0);
    let mut now_ms = NOW_MS;
    assert_eq!(sender.wake_at_ms(now_ms), None);
    for _ in 0..REWINDS_WITHOUT_PROGRESS_MAX {
        let want = sender.wants(now_ms).unwrap();
        assert_eq!(want.from, Seq(1));
        assert!(sender.sent(want, Seq(2), now_ms));
        assert_eq!(sender.wake_at_ms(now_ms), Some(now_ms + ACK_TIMEOUT_MS));
        sender.tick(now_ms + ACK_TIMEOUT_MS - 1).unwrap();
        assert_eq!(sender.wants(now_ms), None);
        now_ms += ACK_TIMEOUT_MS;
        sender.tick(now_ms).unwrap();
    }
    let want = sender.wants(now_ms).unwrap();
    assert!(sender.sent(want, Seq(2), now_ms));
    let stuck = SenderError::Stuck { lane: Lane::Live, from: Seq(1) };
    assert_eq!(sender.clone().tick(now_ms + ACK_TIMEOUT_MS), Err(stuck));
    sender.receive(received(Lane::Live, 1).into(), now_ms).unwrap();
    sender.tick(now_ms + ACK_TIMEOUT_MS).unwrap();
    assert_eq!(sender.wants(now_ms).unwrap().from, Seq(2), "progress makes patience new");
}

#[test]
fn what_is_applied_was_received_and_is_said_once() {
    let mut sender = welcomed(9, 0, 0);
    send(&mut sender, 4);
    let applied = v1::Applied { lane: 1, seq: 4, roots: 0 };
    assert_eq!(hear(&mut sender, applied), [Event::Applied { lane: Lane::Live, seq: Seq(4) }]);
    assert_eq!(hear(&mut sender, applied), []);
    assert_eq!(hear(&mut sender, received(Lane::Live, 4)), []);
    assert_eq!(sender.wake_at_ms(NOW_MS), None, "nothing is under way");
}

#[test]
fn notices_come_in_order_and_once() {
    let mut sender = welcomed(0, 0, 0);
    let batch = |seqs: std::ops::Range<u64>| v1::NoticeBatch {
        notices: seqs.map(|notice_seq| v1::Notice { notice_seq, record_id: 1, ..v1::Notice::default() }).collect(),
    };
    assert_eq!(hear(&mut sender, batch(8..13)), [Event::Notices(batch(11..13).notices)]);
    assert_eq!(sender.notices_stored(12), v1::NoticeAck { notice_position: 12 });
    assert_eq!(hear(&mut sender, batch(8..13)), []);
    assert_eq!(sender.hello().notice_position, 12);
    let mut check = |batch: v1::NoticeBatch| {
        let error = sender.receive(batch.into(), NOW_MS).unwrap_err();
        assert!(matches!(error, SenderError::Protocol(_)), "{error}");
    };
    check(v1::NoticeBatch { notices: batch(20..22).notices.into_iter().rev().collect() });
    check(batch(20..21 + NOTICES_MAX as u64));
    check(v1::NoticeBatch { notices: vec![v1::Notice { notice_seq: 20, ..v1::Notice::default() }] });
}

#[test]
fn a_restored_store_is_noticed() {
    let restored = |hub: u64| Err(SenderError::Restored { lane: Lane::Backlog, hub: Seq(hub), store: Seq(5) });
    let mut ahead = welcome(PLENTY);
    ahead.cursors[2].seq = 6;
    assert_eq!(sender(0, 0, 5).receive(ahead.into(), NOW_MS), restored(6));
    assert_eq!(welcomed(0, 0, 5).receive(received(Lane::Backlog, 9).into(), NOW_MS), restored(9));
    assert_eq!(welcomed(0, 0, 5).receive(v1::Applied { lane: 3, seq: 8, roots: 0 }.into(), NOW_MS), restored(8));
}

#[test]
fn what_a_hub_cannot_mean_ends_the_stream() {
    fn check(sender: &mut Sender, response: impl Into<v1::StreamResponse>, field: &str) {
        match sender.receive(response.into(), NOW_MS) {
            Err(SenderError::Protocol(error)) => assert_eq!(error.field, field),
            other => panic!("{field}: {other:?}"),
        }
    }
    check(&mut sender(9, 9, 9), received(Lane::Live, 1), "StreamResponse.message");
    check(&mut welcomed(9, 9, 9), welcome(PLENTY), "StreamResponse.message");
    check(&mut welcomed(9, 9, 9), v1::StreamResponse::default(), "StreamResponse.message");
    let mut few = welcome(PLENTY);
    few.cursors.pop();
    check(&mut sender(9, 9, 9), few, "Welcome.cursors");
    let mut other = welcome(PLENTY);
    other.cursors[0].epoch = 8;
    check(&mut sender(9, 9, 9), other, "Cursor.epoch");
    check(&mut welcomed(9, 9, 9), v1::Received { lane: 7, ..received(Lane::Live, 1) }, "Received.lane");
    check(&mut welcomed(9, 9, 9), received(Lane::Live, u64::MAX), "Received.seq");
    check(&mut welcomed(9, 9, 9), resend(Lane::Live, 0, u64::MAX), "Received.resend_from");
    check(&mut welcomed(9, 9, 9), v1::Credit { lane: 0, ..credit(Lane::Live, 0, 0) }, "Credit.lane");
}

#[test]
fn words_of_a_past_that_the_nation_lost_are_taken_back() {
    let check = |nation: u64, notice_position: u64, expected: Option<u64>| {
        let mut sender = sender(0, 0, 0);
        assert_eq!((sender.hello().nation, sender.hello().notice_position), (5, 10));
        let events = hear(&mut sender, v1::Welcome { nation, notice_position, ..welcome(PLENTY) });
        let said = events.iter().find_map(|event| match event {
            Event::Nation { nation: said, notice_position } => Some((*said, *notice_position)),
            _ => None,
        });
        assert_eq!(said, expected.map(|position| (nation, position)));
        assert_eq!(sender.hello().notice_position, expected.unwrap_or(10));
    };
    check(0, 0, None);
    check(5, 10, None);
    check(5, 4, Some(4));
    check(6, 4, Some(4));
    check(6, 99, Some(10));
}
