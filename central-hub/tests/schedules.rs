//! The real reconcile path, from sealed frames to the digest, under random schedules: which province comes first, how
//! frames are cut, and which lane an entry takes must not matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use central_hub::arrivals::arrivals;
use central_hub::rebuild;
use central_hub::reconcile::Reconciler;
use hub_rules::memory::Memory;
use hub_store::model::{Append, Appended, FindingFilter, FrameEntry, JournalId, Province, Queue};
use hub_store::sqlite::Sqlite;
use hub_store::{Cases as _, Journal as _, Registry as _};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message as _;
use registry_fixtures::{Country, Noise, Params};
use registry_proto::frame::{Change, FrameSealer, SealedChange};
use registry_proto::position::Cursor;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Version};

/// Random schedules in the ordinary run.
const SCHEDULES: u32 = 200;
/// The epoch of every store in these tests.
const EPOCH: Epoch = Epoch(7);

/// A change of the country, before a schedule gives it a lane and a place.
struct Loose {
    origin: Origin,
    record: RecordId,
    version: Version,
    clock: Hlc,
    canonical: Vec<u8>,
}

#[test]
fn no_schedule_changes_the_digest_or_the_cases() {
    let changes = country();
    assert!(changes.len() > 150, "a country worth judging");
    let expected = all_at_once(&changes);
    assert!(expected.findings.len() > 10, "a country with something to find: {}", expected.findings.len());
    let strategy = (any::<u64>(), prop::collection::vec(any::<u8>(), 64));
    let mut runner = TestRunner::new(Config { cases: SCHEDULES, failure_persistence: None, ..Config::default() });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runner
        .run(&strategy, |(seed, dice)| {
            runtime.block_on(one_schedule(&changes, &expected, Dice { seed, dice, at: 0 }));
            Ok(())
        })
        .expect("every schedule gives one nation");
}

/// Every state of a small country with more than ordinary noise.
fn country() -> Vec<Loose> {
    let noise =
        Noise { double_birth: 120, double_marriage: 120, repeated_number: 60, digitised_twice: 60, ..Noise::default() };
    let params = Params { seed: 3, people: 90, provinces: 3, noise, ..Params::default() };
    let country = Country::generate(&params).expect("parameters within bounds");
    let mut changes = Vec::new();
    for entry in country.entries().expect("files can be written") {
        for (at, (draft, status)) in (1_u32..).zip(&entry.versions) {
            changes.push(Loose {
                origin: entry.key.origin,
                record: entry.key.id,
                version: Version(at),
                clock: Hlc::from_unix_ms(1_000 + u64::from(at)),
                canonical: canonical::encode(draft, *status),
            });
        }
    }
    changes
}

/// The measure: everything in one batch, in memory.
fn all_at_once(changes: &[Loose]) -> Memory {
    let mut memory = Memory::default();
    memory.take(changes.iter().map(|change| {
        let key = registry_schema::ids::RecordKey { origin: change.origin, id: change.record };
        let state = hub_rules::State::new(change.version, change.clock, change.canonical.clone());
        hub_rules::Arrival::State(key, state)
    }));
    memory
}

/// Small numbers from bytes that can shrink.
struct Dice {
    seed: u64,
    dice: Vec<u8>,
    at: usize,
}

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.at += 1;
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let byte = self.dice[self.at % self.dice.len()];
        (usize::from(byte) + usize::try_from(self.seed >> 40).expect("24 bits")) % bound
    }
}

async fn one_schedule(changes: &[Loose], expected: &Memory, mut dice: Dice) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let store = Sqlite::open(&folder.path().join("national.db")).expect("a fresh store");
    let mut queues = frames(changes, &mut dice);
    for origin in queues.keys().map(|(origin, _)| *origin).collect::<std::collections::BTreeSet<_>>() {
        store.enrol(province(origin), 0).await.expect("enrols");
    }
    let mut reconciler = Reconciler::new(store.clone()).await.expect("starts");
    while !queues.is_empty() {
        let keys: Vec<_> = queues.keys().copied().collect();
        let key = keys[dice.below(keys.len())];
        let frames = queues.get_mut(&key).expect("a key of the map");
        let frame = frames.remove(0);
        if frames.is_empty() {
            queues.remove(&key);
        }
        let again = frame.clone();
        let appended = store.append(vec![Append::Frame(frame)]).await.expect("appends");
        assert!(matches!(appended[..], [Appended::At(_)]));
        if dice.below(4) == 0 {
            let appended = store.append(vec![Append::Frame(again)]).await.expect("appends");
            assert_eq!(appended, [Appended::Outrun], "a frame that comes again is not journaled again");
        }
        if dice.below(3) == 0 {
            reconciler.step().await.expect("judges");
        }
    }
    while reconciler.step().await.expect("judges").is_some() {}
    check(&store, expected, folder.path()).await;
}

async fn check(store: &Sqlite, expected: &Memory, scratch: &std::path::Path) {
    let digests = store.digests().await.expect("digests").digests;
    assert_eq!(digests.national(), expected.digests.national());
    let rows = store.findings(FindingFilter::default()).await.expect("findings");
    let found: Vec<_> = rows.into_iter().map(|row| row.finding).collect();
    assert_eq!(found, expected.findings.values().cloned().collect::<Vec<_>>());
    let report = rebuild::verify(store, &Arc::default(), scratch, |_| {}).await.expect("rebuilds");
    assert!(report.equal, "rebuild differs in {:?}", report.differing);
    let entries = store.next(Queue::Backlog, JournalId::default(), 1).await.expect("reads");
    assert!(entries.iter().all(|entry| arrivals(entry).is_ok()));
}

/// The changes in frames: each record takes one lane, its versions stay in order, everything else is thrown about.
fn frames(changes: &[Loose], dice: &mut Dice) -> BTreeMap<(Origin, Lane), Vec<FrameEntry>> {
    let mut lanes: BTreeMap<(Origin, Lane), Vec<&Loose>> = BTreeMap::new();
    let mut taken: BTreeMap<(Origin, RecordId), Lane> = BTreeMap::new();
    for change in changes {
        let lane = *taken
            .entry((change.origin, change.record))
            .or_insert_with(|| if dice.below(2) == 0 { Lane::Live } else { Lane::Backlog });
        lanes.entry((change.origin, lane)).or_default().push(change);
    }
    let cut = |((origin, lane), changes)| ((origin, lane), seal(origin, lane, changes, dice));
    lanes.into_iter().map(cut).collect()
}

fn seal(origin: Origin, lane: Lane, mut changes: Vec<&Loose>, dice: &mut Dice) -> Vec<FrameEntry> {
    // Versions of one record keep their order: only whole records change places.
    let places: BTreeMap<RecordId, usize> = changes.iter().map(|change| (change.record, dice.below(1 << 20))).collect();
    changes.sort_by_key(|change| (places[&change.record], change.record, change.version));
    let mut sealer = FrameSealer::new(origin, EPOCH).expect("a sealer");
    let mut cursor = Cursor::start(origin, EPOCH, lane);
    let mut frames = Vec::new();
    while !changes.is_empty() {
        let count = (1 + dice.below(40)).min(changes.len());
        let previous = cursor.chain;
        let sealed: Vec<SealedChange> = changes
            .drain(..count)
            .map(|change| {
                let link = Change {
                    record_id: change.record,
                    version: change.version,
                    clock: change.clock,
                    canonical: change.canonical.clone(),
                };
                let sealed = SealedChange::link(origin, &cursor.chain, cursor.seq.next(), link);
                cursor = Cursor { seq: sealed.seq, chain: sealed.chain, ..cursor };
                sealed
            })
            .collect();
        frames.push(entry(origin, lane, previous, &sealed, &mut sealer));
    }
    frames
}

fn entry(
    origin: Origin,
    lane: Lane,
    previous_chain: Hash256,
    sealed: &[SealedChange],
    sealer: &mut FrameSealer,
) -> FrameEntry {
    let frame = sealer.seal(lane, &previous_chain, sealed).expect("fits a frame");
    let (first, last) = (&sealed[0], &sealed[sealed.len() - 1]);
    FrameEntry {
        origin,
        epoch: EPOCH,
        lane,
        first_seq: first.seq,
        last_seq: last.seq,
        previous_chain,
        chain: last.chain,
        received_ms: 0,
        bytes: frame.encode_to_vec(),
    }
}

fn province(origin: Origin) -> Province {
    Province {
        origin,
        name: origin.to_string(),
        token_hash: Hash256([0; 32]),
        epoch: None,
        last_seen_ms: None,
        agent_version: None,
    }
}
