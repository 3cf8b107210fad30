#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use registry_proto::frame::{FRAME_CHANGES_MAX, FrameSealer};
use registry_schema::canonical;
use registry_schema::digest::chain_start;
use registry_schema::field::{Attribute, Field};

use super::*;
use crate::store::Store;
use crate::store::tests::{NOW_MS, scratch};

/// A sealed change, as the checks look at it.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    record_id: i64,
    version: u32,
    lane: Lane,
    seq: u64,
    number: String,
    clock: u64,
}

fn rows(store: &mut Store) -> Vec<Row> {
    let sql = "SELECT record_id, version, lane, seq, canonical, clock FROM change_log WHERE seq IS NOT NULL
               ORDER BY clock";
    let mut statement = store.connection().prepare(sql).unwrap();
    let read = |row: &rusqlite::Row<'_>| {
        let (draft, _) = canonical::decode(&row.get::<_, Vec<u8>>(4)?).unwrap();
        Ok(Row {
            record_id: row.get(0)?,
            version: row.get(1)?,
            lane: Lane::from_number(row.get(2)?).unwrap(),
            seq: row.get::<_, i64>(3)?.cast_unsigned(),
            number: draft.get(Field::entry(Attribute::Number)).unwrap_or_default().to_owned(),
            clock: row.get::<_, i64>(5)?.cast_unsigned(),
        })
    };
    statement.query_map((), read).unwrap().map(Result::unwrap).collect()
}

fn execute(store: &mut Store, sql: &str) {
    store.connection().execute_batch(sql).unwrap();
}

fn seal_all(store: &mut Store) {
    while store.seal(3, NOW_MS).unwrap().more {}
}

fn check(script: &str, expected: &[(i64, u32, Lane, u64, &str)]) {
    let (_folder, mut store) = scratch();
    execute(&mut store, script);
    seal_all(&mut store);
    let mut found = rows(&mut store);
    found.sort_by_key(|row| (row.record_id, row.version));
    let found: Vec<_> =
        found.iter().map(|row| (row.record_id, row.version, row.lane, row.seq, row.number.as_str())).collect();
    assert_eq!(found, expected, "{script}");
}

const IMPORT: &str = "INSERT INTO imports (import_id, file_sha256, file_name, kind, started_at)
                      VALUES (1, x'00', 'a.csv', 'birth', '2026-01-01T00:00:00Z');";

#[test]
fn every_committed_state_is_sealed_as_a_version_of_its_own() {
    use Lane::Live;
    check("INSERT INTO births (record_id, number) VALUES (5, 'a')", &[(5, 1, Live, 1, "a")]);
    check(
        "INSERT INTO deaths (record_id, number) VALUES (5, 'a');
         UPDATE deaths SET number = 'b';
         UPDATE deaths SET status = 'cancelled'",
        &[(5, 1, Live, 1, "a"), (5, 2, Live, 2, "b"), (5, 3, Live, 3, "b")],
    );
    check(
        "BEGIN; INSERT INTO births (record_id, number) VALUES (5, 'a');
         INSERT INTO marriages (record_id, number) VALUES (6, 'x'); COMMIT;
         BEGIN; UPDATE births SET number = 'b'; ROLLBACK",
        &[(5, 1, Live, 1, "a"), (6, 1, Live, 2, "x")],
    );
}

#[test]
fn clerks_do_not_wait_behind_a_backlog_unless_it_is_the_same_entry() {
    use Lane::{Backlog, Live};
    let script = format!(
        "{IMPORT}
         INSERT INTO births (record_id, import_id, number) VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 1, 'c'), (4, 1, 'd');
         UPDATE births SET number = 'D' WHERE record_id = 4;
         INSERT INTO births (record_id, number) VALUES (9, 'now')"
    );
    let expected = [
        (1, 1, Backlog, 1, "a"),
        (2, 1, Backlog, 2, "b"),
        (3, 1, Backlog, 3, "c"),
        (4, 1, Backlog, 4, "d"),
        (4, 2, Backlog, 5, "D"),
        (9, 1, Live, 1, "now"),
    ];
    check(&script, &expected);
    let (_folder, mut store) = scratch();
    execute(&mut store, &script);
    assert!(store.seal(4, NOW_MS).unwrap().more);
    let first: Vec<String> = rows(&mut store).into_iter().map(|row| row.number).collect();
    assert_eq!(first, ["now", "a"], "little else goes with it, and the backlog goes on");
}

#[test]
fn a_correction_follows_its_entry_into_the_backlog_and_goes_live_once_that_is_received() {
    let (_folder, mut store) = scratch();
    execute(&mut store, IMPORT);
    execute(&mut store, "INSERT INTO births (record_id, import_id, number) VALUES (1, 1, 'a')");
    seal_all(&mut store);
    execute(&mut store, "UPDATE births SET number = 'b'");
    seal_all(&mut store);
    change_log::advance(store.connection(), Lane::Backlog, Seq(2), Seq(0)).unwrap();
    execute(&mut store, "UPDATE births SET number = 'c'");
    seal_all(&mut store);
    let lanes: Vec<_> = rows(&mut store).iter().map(|row| (row.version, row.lane)).collect();
    assert_eq!(lanes, [(1, Lane::Backlog), (2, Lane::Backlog), (3, Lane::Live)]);
}

#[test]
fn a_transaction_that_is_cut_off_seals_nothing_and_is_repeated_exactly() {
    let (folder, mut store) = scratch();
    execute(
        &mut store,
        "INSERT INTO births (record_id, number) VALUES (5, 'a'), (6, 'b'); UPDATE births SET page = '1'",
    );
    let Store { connection, sealer, .. } = &mut store;
    let transaction = connection.transaction().unwrap();
    let mut batch = Batch::begin(&transaction, sealer, NOW_MS).unwrap();
    seal_in_order(&mut batch, 0, 4, (3, 3)).unwrap();
    drop(batch);
    drop(transaction);
    assert_eq!(rows(&mut store), []);
    seal_all(&mut store);
    let before = rows(&mut store);
    drop(store);
    let mut store = Store::open(&folder.path().join("province.db")).unwrap();
    execute(&mut store, "UPDATE births SET number = 'c' WHERE record_id = 5");
    seal_all(&mut store);
    let after = rows(&mut store);
    assert_eq!(&after[..before.len()], before);
    assert_eq!((after[4].version, after[4].seq), (3, 5));
}

#[test]
fn what_would_lose_a_state_is_refused_by_the_store_itself() {
    let (_folder, mut store) = scratch();
    execute(&mut store, "INSERT INTO births (record_id, number) VALUES (5, 'a')");
    for refused in [
        "DELETE FROM births",
        "INSERT OR REPLACE INTO births (record_id, number) VALUES (5, 'b')",
        "REPLACE INTO deaths (record_id, number) VALUES (5, 'b')",
        "INSERT INTO births (record_id, number) VALUES (5, 'b') ON CONFLICT DO UPDATE SET number = 'b'",
        "UPDATE births SET record_id = 6",
        "UPDATE OR REPLACE births SET record_id = 6",
    ] {
        assert!(store.connection().execute(refused, ()).is_err(), "{refused}");
    }
    seal_all(&mut store);
    assert_eq!(rows(&mut store).len(), 1);
}

#[test]
fn a_row_that_names_no_entry_holds_nothing_up() {
    let (_folder, mut store) = scratch();
    execute(
        &mut store,
        "INSERT INTO change_log (kind, record_id, operation, logged_ms) VALUES ('birth', -4, 'insert', -1);
         INSERT INTO change_log (kind, record_id, operation, logged_ms) VALUES ('birth', 4, 'insert', 9e18);
         INSERT INTO births (record_id, number) VALUES (5, 'a')",
    );
    seal_all(&mut store);
    let found = rows(&mut store);
    assert_eq!(found.iter().map(|row| row.record_id).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(found[1].clock >> 16, NOW_MS);
}

#[derive(Debug, Clone)]
enum Step {
    Insert { backlog: bool },
    Update { record: prop::sample::Index, cancel: bool },
    Seal { changes_max: usize },
    Import { changes_max: usize },
    Receive { lane: usize, part: prop::sample::Index },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<bool>().prop_map(|backlog| Step::Insert { backlog }),
        (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(record, cancel)| Step::Update { record, cancel }),
        (1_usize..6).prop_map(|changes_max| Step::Seal { changes_max }),
        (1_usize..6).prop_map(|changes_max| Step::Import { changes_max }),
        (0_usize..3, any::<prop::sample::Index>()).prop_map(|(lane, part)| Step::Receive { lane, part }),
    ]
}

/// The states that were committed, by entry, and which changes the centre had at each sealing.
#[derive(Default)]
struct Model {
    states: BTreeMap<i64, Vec<String>>,
    sealed: Vec<(Row, BTreeMap<Lane, LaneState>)>,
}

impl Model {
    fn step(&mut self, store: &mut Store, step: &Step) {
        match step {
            Step::Insert { backlog } => {
                let id = self.states.len() as i64 + 1;
                let sql = "INSERT INTO births (record_id, number, import_id) VALUES (?1, 'n1', ?2)";
                store.connection().execute(sql, params![id, backlog.then_some(1)]).unwrap();
                self.states.insert(id, vec!["n1".to_owned()]);
            }
            Step::Update { record, cancel } if !self.states.is_empty() => {
                let id = record.index(self.states.len()) as i64 + 1;
                let states = self.states.get_mut(&id).unwrap();
                states.push(format!("n{}", states.len() + 1));
                let sql = "UPDATE births SET number = ?2, status = iif(?3, 'cancelled', 'active') WHERE record_id = ?1";
                store.connection().execute(sql, params![id, states.last(), cancel]).unwrap();
            }
            Step::Update { .. } => {}
            Step::Seal { changes_max } => self.seal(store, *changes_max),
            Step::Import { changes_max } => self.import(store, *changes_max),
            Step::Receive { lane, part } => {
                let lane = Lane::ALL[*lane];
                let sealed = change_log::lanes(store.connection()).unwrap()[&lane].sealed.0;
                let seq = Seq(part.index(sealed as usize + 1) as u64);
                change_log::advance(store.connection(), lane, seq, Seq(0)).unwrap();
            }
        }
    }

    fn seal(&mut self, store: &mut Store, changes_max: usize) {
        let lanes = change_log::lanes(store.connection()).unwrap();
        let sealed = store.seal(changes_max, NOW_MS).unwrap();
        assert!(sealed.changes <= changes_max);
        assert_eq!(self.note(store, &lanes), sealed.changes);
    }

    /// An entry that is sealed inside the transaction that writes it, if little enough waits before it.
    fn import(&mut self, store: &mut Store, changes_max: usize) {
        let lanes = change_log::lanes(store.connection()).unwrap();
        let id = self.states.len() as i64 + 1;
        self.states.insert(id, vec!["n1".to_owned()]);
        let Store { connection, sealer, .. } = &mut *store;
        let transaction = connection.transaction().unwrap();
        let insert = "INSERT INTO births (record_id, number, import_id) VALUES (?1, 'n1', 1)";
        transaction.execute(insert, [id]).unwrap();
        let waits = "SELECT count(*) FROM change_log WHERE seq IS NULL";
        let waiting: isize = transaction.query_row(waits, (), |row| row.get(0)).unwrap();
        sealer.seal_written(&transaction, changes_max, NOW_MS).unwrap();
        transaction.commit().unwrap();
        assert_eq!(self.note(store, &lanes), waiting.unsigned_abs().min(changes_max));
    }

    /// Notes what was sealed since the last time, with the lanes before it.
    fn note(&mut self, store: &mut Store, lanes: &BTreeMap<Lane, LaneState>) -> usize {
        let new = rows(store).split_off(self.sealed.len());
        let count = new.len();
        self.sealed.extend(new.into_iter().map(|row| (row, lanes.clone())));
        count
    }

    /// Every committed state was sealed once, in its order, and no version set out before the one before it had
    /// arrived or went ahead of it in the same lane.
    fn check(&self) {
        for (id, states) in &self.states {
            let own: Vec<_> = self.sealed.iter().filter(|(row, _)| row.record_id == *id).collect();
            let numbers: Vec<_> = own.iter().map(|(row, _)| &row.number).collect();
            assert_eq!(numbers, states.iter().collect::<Vec<_>>());
            for (at, (row, received)) in own.iter().enumerate() {
                assert_eq!(row.version as usize, at + 1);
                let Some((before, _)) = at.checked_sub(1).map(|at| own[at]) else { continue };
                let arrived = before.seq <= received[&before.lane].received.0;
                assert!(arrived || (before.lane == row.lane && before.seq < row.seq), "{before:?} {row:?}");
            }
        }
    }
}

/// The chains of the lanes, computed anew from what would be sent.
fn check_chains(store: &mut Store) {
    let Incarnation { origin, epoch } = store.incarnation();
    for (lane, state) in change_log::lanes(store.connection()).unwrap() {
        let start = chain_start(origin, epoch, lane);
        let changes = change_log::load(store.connection(), lane, Seq(1), FRAME_CHANGES_MAX, usize::MAX).unwrap();
        let mut frames = FrameSealer::new(origin, epoch).unwrap();
        if !changes.is_empty() {
            frames.seal(lane, &start, &changes).unwrap();
        }
        let chain = changes.last().map_or(start, |last| last.chain);
        assert_eq!((Seq(changes.len() as u64), chain), (state.sealed, state.chain), "{lane}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn versions_never_overtake_one_another(steps in prop::collection::vec(any_step(), 1..60)) {
        let (_folder, mut store) = scratch();
        execute(&mut store, IMPORT);
        let mut model = Model::default();
        steps.iter().for_each(|step| model.step(&mut store, step));
        model.seal(&mut store, 10_000);
        model.check();
        check_chains(&mut store);
    }
}
