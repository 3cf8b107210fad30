#![allow(clippy::unwrap_used)]
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use registry_schema::holdings::SKETCH_CELLS;

use super::*;
use crate::change_log;
use crate::store::tests::{NOW_MS, scratch};

/// Schedules of the ordinary tests; more through `HOTICH_SEEDS`.
const SEEDS: u64 = 200;

fn key() -> HoldingsKey {
    HoldingsKey::from_bytes([4; 32])
}

/// What is held at some places, by looking at every sealed change and nothing else.
fn plainly(connection: &Connection, origin: Origin, at: &Places) -> Holding {
    let sql = "SELECT record_id, lane, seq, settled, version, clock, content_hash, canonical FROM change_log
               WHERE seq IS NOT NULL";
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query(()).unwrap();
    let mut greatest: std::collections::BTreeMap<RecordId, Held> = std::collections::BTreeMap::new();
    while let Some(row) = rows.next().unwrap() {
        let lane = Lane::from_number(row.get(1).unwrap()).unwrap();
        let within = row.get::<_, i64>(2).unwrap().cast_unsigned() <= at[&lane].0;
        if within || row.get::<_, bool>(3).unwrap() {
            let held = Held {
                version: registry_schema::ids::Version(row.get(4).unwrap()),
                clock: registry_schema::clock::Hlc::from_number(row.get::<_, i64>(5).unwrap().cast_unsigned()),
                content: Hash256(row.get(6).unwrap()),
                bucket: Bucket::of(row.get_ref(7).unwrap().as_blob().unwrap()),
            };
            let id = RecordId::from_number(row.get(0).unwrap()).unwrap();
            let found = greatest.entry(id).or_insert(held);
            *found = if held.rank() > found.rank() { held } else { *found };
        }
    }
    let mut holding = Holding::default();
    greatest.iter().for_each(|(id, held)| holding.add(&key(), RecordKey { origin, id: *id }, held));
    holding
}

struct Play {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    store: Store,
    dice: StdRng,
    /// How far the centre has each lane; it never goes back.
    received: Places,
}

impl Play {
    fn new(seed: u64) -> Self {
        let (folder, mut store) = scratch();
        let path = folder.path().join("province.db");
        store
            .connection()
            .execute_batch("INSERT INTO imports VALUES (1, x'00', 'f', 'birth', 0, 0, 0, 0, '', NULL)")
            .unwrap();
        store.take_holdings_key(&key()).unwrap();
        let received = Lane::ALL.map(|lane| (lane, Seq(0))).into();
        Self { _folder: folder, path, store, dice: StdRng::seed_from_u64(seed), received }
    }

    fn step(&mut self) {
        let year = self.dice.random_range(1990..1994);
        match self.dice.random_range(0..12) {
            0..3 => {
                let import = self.dice.random_bool(0.5).then_some(1);
                let sql = "INSERT INTO births (import_id, registration_date) VALUES (?1, ?2)";
                self.store.connection().execute(sql, params![import, format!("01.02.{year}")]).unwrap();
            }
            3..6 => {
                let sql = "UPDATE births SET note = random(), registration_date = ?1 WHERE record_id =
                           (SELECT record_id FROM births ORDER BY random() LIMIT 1)";
                self.store.connection().execute(sql, [year.to_string()]).unwrap();
            }
            6 => {
                let sql = "INSERT INTO change_log (kind, record_id, operation, logged_ms)
                           SELECT kind, record_id, 'repair', 0 FROM change_log WHERE seq IS NOT NULL
                           ORDER BY random() LIMIT 1";
                self.store.connection().execute(sql, ()).unwrap();
            }
            7 => drop(self.store.seal(self.dice.random_range(1..6), NOW_MS).unwrap()),
            8 => self.receive(),
            9 => self.crash(),
            10 => self.send(),
            _ => {
                let to = self.anywhere();
                self.store.move_holdings(&to).unwrap();
            }
        }
    }

    fn receive(&mut self) {
        let lane = Lane::ALL[self.dice.random_range(0..3)];
        let sealed = change_log::lanes(self.store.connection()).unwrap()[&lane].sealed;
        let to = Seq(self.dice.random_range(self.received[&lane].0..=sealed.0));
        change_log::advance(self.store.connection(), lane, to, Seq(0)).unwrap();
        self.received.insert(lane, to);
    }

    fn crash(&mut self) {
        if self.dice.random_bool(0.5) {
            save(&self.store.connection, self.store.kept.as_ref().unwrap()).unwrap();
        }
        self.store = Store::open(&self.path).unwrap();
        self.store.connection().pragma_update(None, "synchronous", "OFF").unwrap();
        self.store.take_holdings_key(&key()).unwrap();
    }

    /// A stream begins where the centre stands, and some frames go out.
    fn send(&mut self) {
        let mut at = self.received.clone();
        self.store.move_holdings(&at).unwrap();
        for _ in 0..3 {
            let lane = Lane::ALL[self.dice.random_range(0..3)];
            let changes = self.dice.random_range(1..4);
            let changes = change_log::load(self.store.connection(), lane, at[&lane].next(), changes, 9_999).unwrap();
            let Some(last) = changes.last().map(|change| change.seq) else { continue };
            let root = self.store.walk_with(lane, &changes).unwrap().unwrap();
            at.insert(lane, last);
            let plainly = plainly(&self.store.connection, self.store.incarnation().origin, &at);
            assert_eq!(root.0, plainly.root().to_bytes(), "the root after a frame");
        }
    }

    fn anywhere(&mut self) -> Places {
        let lanes = change_log::lanes(self.store.connection()).unwrap();
        lanes.into_iter().map(|(lane, state)| (lane, Seq(self.dice.random_range(0..=state.sealed.0)))).collect()
    }

    fn check(&mut self) {
        let origin = self.store.incarnation().origin;
        for at in [self.anywhere(), self.anywhere(), sealed(&self.store.connection).unwrap()] {
            let plainly = plainly(&self.store.connection, origin, &at);
            assert_eq!(self.store.holding_at(&at).unwrap().unwrap(), plainly, "wound to {at:?}");
            let counted = count(&self.store.connection, origin, &key(), &at, SKETCH_CELLS, &[]).unwrap().holding;
            assert_eq!(counted, plainly, "counted at {at:?}");
        }
        let kept = self.store.kept.clone().unwrap();
        assert_eq!(kept.holding, plainly(&self.store.connection, origin, &kept.at), "kept");
    }
}

#[test]
fn a_holding_is_exact_at_any_place_whatever_happened() {
    let seeds = std::env::var("HOTICH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS);
    for seed in 0..seeds {
        let mut play = Play::new(seed);
        for _ in 0..60 {
            play.step();
        }
        play.check();
    }
}

#[test]
fn a_new_key_makes_the_sums_anew() {
    let mut play = Play::new(1);
    (0..80).for_each(|_| play.step());
    play.store.seal(1_000, NOW_MS).unwrap();
    let other = HoldingsKey::from_bytes([8; 32]);
    play.store.take_holdings_key(&other).unwrap();
    let kept = play.store.kept.clone().unwrap();
    assert_ne!(kept.holding.root(), plainly(&play.store.connection, play.store.incarnation().origin, &kept.at).root());
    play.store.kept = None;
    play.store.take_holdings_key(&other).unwrap();
    assert_eq!(play.store.kept.clone().unwrap().holding, kept.holding);
    assert_eq!(sums_agree(&play.store.connection, play.store.incarnation().origin).unwrap(), Some(true));
}
