//! What is kept of each province equals what its rows say, in every order and in both stores.

use std::collections::BTreeSet;

use hub_rules::plan::RecordRow;
use hub_rules::reading::Reading;
use hub_rules::{Arrival, Batch};
use registry_schema::holdings::{Holding, HoldingsKey, SKETCH_CELLS};
use registry_schema::ids::{Origin, RecordKey};

use super::{World, origin, play, play_in_memory};
use crate::holdings::{Resync, ResyncReport, ResyncState};
use crate::national::NationalStore;

fn key() -> HoldingsKey {
    HoldingsKey::from_bytes([9; 32])
}

fn origins(world: &World) -> BTreeSet<Origin> {
    let states = world.arrivals.iter().filter_map(|arrival| match arrival {
        Arrival::State(key, _) => Some(key.origin),
        Arrival::Verdict(_) => None,
    });
    states.collect()
}

/// After any schedule the kept sums and cells are those of memory, those of the rows, and those of a key that came late.
///
/// # Panics
/// They are not.
pub async fn sums_follow_what_is_heard<S: NationalStore>(seed: u64, store: &S) {
    let mut world = World::new(seed);
    let schedule = world.schedule();
    let (early, late) = schedule.split_at(if seed.is_multiple_of(2) { 0 } else { schedule.len() / 2 });
    play(store, early).await;
    for origin in origins(&world) {
        assert_eq!(store.holdings_key(origin, key()).await.expect("a key"), key());
        let other = HoldingsKey::from_bytes([1; 32]);
        assert_eq!(store.holdings_key(origin, other).await.expect("a key"), key(), "the first key stands");
    }
    super::play_from(store, early.len(), late).await;
    let memory = play_in_memory(&world.at_once());
    for origin in origins(&world) {
        let mut expected = Holding::default();
        let held = memory.held.iter().filter(|(record, _)| record.origin == origin);
        held.for_each(|(record, held)| expected.add(&key(), *record, held));
        let (fence, kept) = store.holding(origin).await.expect("reads").expect("is kept");
        assert_eq!(kept, expected, "seed {seed}: kept");
        assert_eq!(fence.root, expected.root(), "seed {seed}: root");
        for rehash in [false, true] {
            let counted =
                store.recount(origin, SKETCH_CELLS, Vec::new(), rehash).await.expect("reads").expect("is kept");
            assert_eq!(counted.holding, expected, "seed {seed}: counted from the rows, rehash {rehash}");
        }
        store.rebuild_holding(origin).await.expect("rebuilds");
        assert_eq!(store.holding(origin).await.expect("reads").expect("is kept").1, expected, "seed {seed}: rebuilt");
        for (record, held) in memory.held.iter().filter(|(record, _)| record.origin == origin) {
            let states = store.held_states(origin, vec![record.id]).await.expect("reads");
            assert_eq!(states[0].1.held(), *held, "seed {seed}: {record}");
        }
    }
}

/// A row that was lost, or written over with nonsense, is what it was when it is mended, and so is whatever was judged
/// meanwhile.
///
/// # Panics
/// It is not.
pub async fn a_lost_row_is_mended<S: NationalStore>(seed: u64, store: &S) {
    let mut world = World::new(seed);
    for origin in origins(&world) {
        store.holdings_key(origin, key()).await.expect("a key");
    }
    let schedule = world.schedule();
    let (early, late) = schedule.split_at(schedule.len() / 2);
    play(store, early).await;
    let (whole, memory) = (play_in_memory(&schedule), play_in_memory(early));
    let later: BTreeSet<RecordKey> = late.iter().flatten().filter_map(of_record).collect();
    // A row whose entry was sent once more, and not well, is not what the sums know of.
    let is_held = |key: &RecordKey, state: &hub_rules::State| memory.held[key].rank() == state.rank();
    let untouched = memory.records.iter().filter(|(key, state)| !later.contains(key) && is_held(key, state));
    let mut valid = untouched.filter(|(key, state)| Reading::of(**key, (*state).clone()).is_valid());
    let Some((record, state)) = valid.next_back().map(|(key, state)| (*key, state.clone())) else { return };
    let nonsense = hub_rules::State { canonical: b"nonsense".as_slice().into(), ..state.clone() };
    let reading = Reading::of(record, state.clone());
    let row = RecordRow { key: record, kind: reading.kind_code(), standing: reading.standing(), state: nonsense };
    let aside = |at: usize| super::applied(at);
    store.commit(hub_rules::Plan { records: vec![row], ..Default::default() }, aside(0)).await.expect("writes");
    let counted = async || {
        let counted = store.recount(record.origin, SKETCH_CELLS, Vec::new(), true).await.expect("reads");
        counted.expect("is kept").holding.root()
    };
    let kept = async || store.fence(record.origin).await.expect("reads").expect("is kept").root;
    assert_ne!(counted().await, kept().await, "the bytes are looked at");
    super::play_from(store, early.len(), late).await;
    let again: Batch = [Arrival::State(record, state)].into_iter().collect();
    super::judge(store, &again.mending(|_, _| true), aside(0)).await;
    assert_eq!(counted().await, kept().await, "seed {seed}");
    assert_eq!(store.digests().await.expect("reads").digests, whole.digests, "seed {seed}: {record}");
}

fn of_record(arrival: &Arrival) -> Option<RecordKey> {
    match arrival {
        Arrival::State(key, _) => Some(*key),
        Arrival::Verdict(_) => None,
    }
}

/// A comparison moves only from the state it is in.
///
/// # Panics
/// It moves from another one.
pub async fn resyncs_move_from_state_to_state<S: NationalStore>(store: &S) {
    let mut resync = Resync {
        id: 5,
        origin: origin(),
        state: ResyncState::Offered,
        kind: None,
        year: Some(1990),
        deep: true,
        dry_run: false,
        who: "lan".to_owned(),
        why: "a test".to_owned(),
        approver: None,
        report: ResyncReport::default(),
        damaged: Vec::new(),
        changed_ms: 1,
    };
    assert!(store.put_resync(resync.clone(), None).await.expect("writes"));
    assert!(!store.put_resync(resync.clone(), None).await.expect("writes"), "an id is given once");
    resync.state = ResyncState::Done;
    assert!(!store.put_resync(resync.clone(), Some(ResyncState::Running)).await.expect("writes"));
    assert!(store.put_resync(resync.clone(), Some(ResyncState::Offered)).await.expect("writes"));
    let open = Resync { id: 4, state: ResyncState::Offered, ..resync.clone() };
    assert!(store.put_resync(open.clone(), None).await.expect("writes"));
    assert_eq!(store.resyncs(Some(origin()), 9).await.expect("reads"), [open.clone(), resync]);
    assert_eq!(store.resyncs(None, 1).await.expect("reads"), [open]);
}
