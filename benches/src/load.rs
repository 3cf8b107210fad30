//! The entries to judge, the bound, and the frames.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use hub_store::model::{Append, FrameEntry};
use prost::Message as _;
use registry_fixtures::{Country, PEOPLE_MAX, Params};
use registry_proto::frame::{Change, FrameSealer, SealedChange, take_within};
use registry_proto::position::Cursor;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::ids::{Epoch, Lane, Origin, RecordKey, Version};
use rusqlite::{Connection, params};

/// Entries that a thousand people of the practice country give.
const ENTRIES_PER_THOUSAND_PEOPLE: u32 = 1_600;
/// Rows of one transaction of the bound: as many as the reconciler judges together.
const BOUND_ROWS: usize = 2_000;
/// Row numbers of an imported file are the low 20 bits of its keys.
const ROWS_OF_A_FILE: i64 = 1 << 20;
/// The bit that marks keys of imported rows; the bare table leaves it out, for pgloader takes integers below 2^62 only.
const IMPORTED: i64 = 1 << 62;
/// The epoch of every lane.
const EPOCH: Epoch = Epoch(1);

/// One state of one record.
pub(crate) struct StateRow {
    key: RecordKey,
    version: Version,
    canonical: Vec<u8>,
}

/// Practice countries with about so many entries together, none larger than one can be; each has provinces of its own.
pub(crate) fn countries(entries: u32, provinces: u8) -> Vec<Params> {
    let thousands = (entries / ENTRIES_PER_THOUSAND_PEOPLE).max(1);
    let count = (thousands * 1_000).div_ceil(PEOPLE_MAX);
    let most = provinces / u8::try_from(count).unwrap_or(u8::MAX);
    let country = |number: u8| Params {
        seed: u64::from(number) + 1,
        people: thousands / count * 1_000,
        provinces: most,
        provinces_before: most * number,
        ..Params::default()
    };
    (0..u8::try_from(count).unwrap_or(u8::MAX)).map(country).collect()
}

/// The states of a practice country.
pub(crate) fn states(params: &Params) -> anyhow::Result<Vec<StateRow>> {
    let country = Country::generate(params)?;
    let mut states = Vec::new();
    for facts in country.entries()? {
        for (version, (draft, status)) in (1..).zip(&facts.versions) {
            let canonical = canonical::encode(draft, *status);
            states.push(StateRow { key: facts.key, version: Version(version), canonical });
        }
    }
    // Files take turns by row number, so that every part of the growth curve has every kind of entry.
    states.sort_by_key(|row| (row.key.id.number() % ROWS_OF_A_FILE, row.key, row.version));
    Ok(states)
}

/// Adds states to one table with one key: the time that the disk and SQLite take.
pub(crate) fn bound(path: &Path, states: &[StateRow]) -> anyhow::Result<Duration> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;
         CREATE TABLE IF NOT EXISTS record (origin INTEGER, record_id INTEGER, version INTEGER, canonical BLOB,
           PRIMARY KEY (origin, record_id, version)) WITHOUT ROWID;",
    )?;
    let began = Instant::now();
    for rows in states.chunks(BOUND_ROWS) {
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare_cached("INSERT INTO record VALUES (?1, ?2, ?3, ?4)")?;
        for row in rows {
            insert.execute(params![
                row.key.origin.number(),
                row.key.id.number() & !IMPORTED,
                row.version.0,
                row.canonical.as_slice()
            ])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    Ok(began.elapsed())
}

/// The states in backlog frames, the provinces taking turns.
pub(crate) fn frames(states: &[StateRow]) -> anyhow::Result<Vec<Append>> {
    let mut provinces: BTreeMap<Origin, Vec<&StateRow>> = BTreeMap::new();
    for row in states {
        provinces.entry(row.key.origin).or_default().push(row);
    }
    let mut lanes = Vec::new();
    for (origin, rows) in provinces {
        lanes.push(lane(origin, &rows)?);
    }
    let most = lanes.iter().map(Vec::len).max().unwrap_or_default();
    let turns = (0..most).flat_map(|turn| lanes.iter().filter_map(move |lane| lane.get(turn).cloned()));
    Ok(turns.map(Append::Frame).collect())
}

fn lane(origin: Origin, rows: &[&StateRow]) -> anyhow::Result<Vec<FrameEntry>> {
    let mut sealer = FrameSealer::new(origin, EPOCH)?;
    let mut cursor = Cursor::start(origin, EPOCH, Lane::Backlog);
    let mut sealed = Vec::with_capacity(rows.len());
    for row in rows {
        let (record_id, version, canonical) = (row.key.id, row.version, row.canonical.clone());
        let clock = Hlc::from_unix_ms(1_700_000_000_000 + u64::from(version.0));
        let change = Change { record_id, version, clock, canonical };
        let change = SealedChange::link(origin, &cursor.chain, cursor.seq.next(), change);
        cursor = Cursor { seq: change.seq, chain: change.chain, ..cursor };
        sealed.push(change);
    }
    let mut frames = Vec::new();
    let mut previous_chain = Cursor::start(origin, EPOCH, Lane::Backlog).chain;
    let mut rest = sealed.as_slice();
    while !rest.is_empty() {
        let (taken, after) = rest.split_at(take_within(rest));
        let frame = sealer.seal(Lane::Backlog, &previous_chain, taken)?;
        let (first, last) = (&taken[0], &taken[taken.len() - 1]);
        frames.push(FrameEntry {
            origin,
            epoch: EPOCH,
            lane: Lane::Backlog,
            first_seq: first.seq,
            last_seq: last.seq,
            previous_chain,
            chain: last.chain,
            received_ms: 0,
            bytes: frame.encode_to_vec(),
        });
        previous_chain = last.chain;
        rest = after;
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn fifty_million_entries_are_countries_that_can_be_made_and_share_no_province() {
        let countries = countries(50_000_000, 32);
        assert!(countries.len() > 1 && countries.iter().all(|country| country.check() == Ok(())));
        let people: u32 = countries.iter().map(|country| country.people).sum();
        assert!((31_000_000..=31_250_000).contains(&people), "{people}");
        let mut provinces = BTreeSet::new();
        for country in countries {
            let made = Country::generate(&Params { people: 300, ..country }).unwrap();
            assert!(made.provinces().iter().all(|province| provinces.insert(province.origin)));
        }
        assert_eq!(provinces.len(), 32);
    }
}
