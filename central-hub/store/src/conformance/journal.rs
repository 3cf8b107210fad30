//! The journal: what was taken comes back in order, and the cursor moves with it.

use registry_schema::digest::{Hash256, hash_parts};
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use registry_schema::place::Edition;

use crate::model::{Append, Appended, FrameEntry, JournalBody, JournalId, Queue};
use crate::national::NationalStore;

/// The province of the suite's frames.
#[must_use]
#[allow(clippy::missing_panics_doc)]
pub fn origin() -> Origin {
    Origin::new(Edition::E2008, 1).expect("a province")
}

fn chain(seq: u64) -> Hash256 {
    hash_parts("conformance chain", &[&seq.to_be_bytes()])
}

fn frame(lane: Lane, first: u64, last: u64) -> Append {
    Append::Frame(FrameEntry {
        origin: origin(),
        epoch: Epoch(7),
        lane,
        first_seq: Seq(first),
        last_seq: Seq(last),
        previous_chain: chain(first - 1),
        chain: chain(last),
        received_ms: 1_000,
        bytes: format!("{lane} {first} to {last}").into_bytes(),
    })
}

/// The change behind `taken` others, in a frame of 40,000 bytes: for filling a disk.
#[must_use]
pub fn big_frame(taken: u64) -> Append {
    match frame(Lane::Backlog, taken + 1, taken + 1) {
        Append::Frame(frame) => Append::Frame(FrameEntry { bytes: vec![0x5a; 40_000], ..frame }),
        verdict @ Append::Verdict { .. } => verdict,
    }
}

/// Entries come back by queue, in order, whole, and in pages.
///
/// # Panics
/// They do not.
pub async fn the_journal_gives_back_what_it_took<S: NationalStore>(store: &S) {
    let entries = vec![frame(Lane::Backlog, 1, 5), frame(Lane::Live, 1, 1), frame(Lane::Backlog, 6, 9)];
    let appended = store.append(entries).await.expect("appends");
    assert!(appended.iter().all(|appended| matches!(appended, Appended::At(_))), "{appended:?}");
    for (queue, wanted) in
        [(Queue::Live, vec!["live 1 to 1"]), (Queue::Backlog, vec!["backlog 1 to 5", "backlog 6 to 9"])]
    {
        let mut after = JournalId::default();
        let mut found = Vec::new();
        loop {
            let page = store.next(queue, after, 1).await.expect("reads");
            let Some(entry) = page.first() else { break };
            assert_eq!(page.len(), 1, "a page of one byte holds one entry");
            after = entry.id;
            let JournalBody::Frame { bytes, .. } = &entry.body else { panic!("a frame was journaled") };
            found.push(String::from_utf8(bytes.clone()).expect("text"));
        }
        assert_eq!(found, wanted);
    }
}

/// A store that was given up for a new incarnation and comes back is turned away, and its neighbours are not.
///
/// # Panics
/// It is taken, or its neighbours are not.
pub async fn an_incarnation_that_was_given_up_does_not_come_back<S: NationalStore>(store: &S) {
    let of = |entry: Append, origin: Origin, epoch: Epoch| match entry {
        Append::Frame(frame) => Append::Frame(FrameEntry { origin, epoch, ..frame }),
        verdict @ Append::Verdict { .. } => verdict,
    };
    let first = frame(Lane::Live, 1, 2);
    store.append(vec![first.clone()]).await.expect("appends");
    store.append(vec![of(first.clone(), origin(), Epoch(8))]).await.expect("appends");
    let neighbour = Origin::new(Edition::E2008, 79).expect("a province");
    let appended = store.append(vec![first.clone(), of(first, neighbour, Epoch(9))]).await.expect("appends");
    assert_eq!(appended[0], Appended::Outrun);
    assert!(matches!(appended[1], Appended::At(_)));
}

/// Of two stores that come for one province the first one stands, until the province is enrolled again.
///
/// # Panics
/// It does not.
pub async fn the_first_incarnation_stands<S: NationalStore>(store: &S) {
    let province = || crate::model::Province {
        origin: origin(),
        name: "Hà Nội".to_owned(),
        token_hash: chain(0),
        epoch: None,
        last_seen_ms: None,
        agent_version: None,
    };
    let seen = async |epoch| store.seen(origin(), Epoch(epoch), "1".to_owned(), 0).await.expect("writes");
    store.enrol(province(), 0).await.expect("enrols");
    assert_eq!((seen(7).await, seen(8).await, seen(7).await), (Epoch(7), Epoch(7), Epoch(7)));
    store.enrol(province(), 0).await.expect("enrols again");
    assert_eq!(seen(8).await, Epoch(8));
}

/// After an append the cursors name its last change and chain.
///
/// # Panics
/// They do not.
pub async fn cursors_move_with_the_journal<S: NationalStore>(store: &S) {
    assert_eq!(store.cursors(origin()).await.expect("reads"), []);
    store.append(vec![frame(Lane::Backlog, 1, 5), frame(Lane::Live, 1, 2)]).await.expect("appends");
    let cursors = store.cursors(origin()).await.expect("reads");
    let at: Vec<_> = cursors.iter().map(|cursor| (cursor.lane, cursor.seq, cursor.chain)).collect();
    assert_eq!(at, [(Lane::Live, Seq(2), chain(2)), (Lane::Backlog, Seq(5), chain(5))]);
}

/// A frame that repeats, leaves a gap, or continues another chain is not taken, and harms nothing else.
///
/// # Panics
/// It is taken.
pub async fn outrun_frames_are_not_taken<S: NationalStore>(store: &S) {
    store.append(vec![frame(Lane::Backlog, 1, 5)]).await.expect("appends");
    let Append::Frame(mut forked) = frame(Lane::Backlog, 6, 7) else { unreachable!("a frame was made") };
    forked.previous_chain = chain(99);
    let entries =
        vec![frame(Lane::Backlog, 1, 5), frame(Lane::Backlog, 7, 8), Append::Frame(forked), frame(Lane::Backlog, 6, 6)];
    let appended = store.append(entries).await.expect("appends");
    assert_eq!(appended[..3], [Appended::Outrun; 3]);
    assert!(matches!(appended[3], Appended::At(_)));
    assert_eq!(store.cursors(origin()).await.expect("reads")[0].seq, Seq(6));
}
