//! What is kept of each province equals what its rows say, in every order and in both stores.

use std::collections::BTreeSet;

use hub_rules::Arrival;
use hub_rules::plan::RecordRow;
use hub_rules::reading::Reading;
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

/// A row that is written over with nonsense and mended is what it was, and no sum has moved.
///
/// # Panics
/// It is not.
pub async fn a_lost_row_is_mended<S: NationalStore>(store: &S) {
    let world = World::new(3);
    for origin in origins(&world) {
        store.holdings_key(origin, key()).await.expect("a key");
    }
    play(store, &world.at_once()).await;
    let (record, state) = play_in_memory(&world.at_once()).records.into_iter().next().expect("a record");
    let before = store.digests().await.expect("reads");
    let row = |state: hub_rules::State| {
        let reading = Reading::of(record, state.clone());
        RecordRow { key: record, kind: reading.kind_code(), standing: reading.standing(), state }
    };
    let nonsense = hub_rules::State { canonical: b"nonsense".as_slice().into(), ..state.clone() };
    store.mend(vec![row(nonsense)]).await.expect("writes");
    let counted = async |record: RecordKey| {
        let counted = store.recount(record.origin, SKETCH_CELLS, Vec::new(), true).await.expect("reads");
        counted.expect("is kept").holding.root()
    };
    let kept = store.fence(record.origin).await.expect("reads").expect("is kept").root;
    assert_ne!(counted(record).await, kept, "the bytes are looked at");
    store.mend(vec![row(state)]).await.expect("writes");
    assert_eq!(counted(record).await, kept);
    assert_eq!(store.digests().await.expect("reads"), before);
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
