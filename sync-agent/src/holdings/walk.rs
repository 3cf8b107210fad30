//! Walks through the sealed changes: which state of an entry is held at some places, and what all of them add up to.

use std::collections::BTreeSet;

use registry_proto::resync::Places;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::holdings::{Bucket, Delta, Held, Holding, HoldingsKey};
use registry_schema::ids::{Lane, Origin, RecordId, RecordKey, Seq, Version};
use rusqlite::{Connection, Row, params};

use crate::store::StoreError;

/// Changes whose moves are gathered before they are carried out: some hundred kilobytes.
const GATHERED_MAX: usize = 4_096;

const COLUMNS: &str = "record_id, lane, seq, settled, version, clock, content_hash, canonical";

/// The greatest state of an entry at these places.
pub(crate) fn greatest(connection: &Connection, id: RecordId, at: &Places) -> Result<Option<Held>, StoreError> {
    greatest_before(connection, id, at, i64::MAX)
}

/// Whether an entry has one change only; answered from the index alone.
pub(super) fn is_alone(connection: &Connection, id: RecordId) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM change_log WHERE record_id = ?1 LIMIT 2)";
    let changes: i64 = connection.prepare_cached(sql)?.query_row([id.number()], |row| row.get(0))?;
    Ok(changes < 2)
}

/// The entries that have changes between two places of the lanes.
pub(super) fn records_between(
    connection: &Connection,
    a: &Places,
    b: &Places,
) -> Result<BTreeSet<RecordId>, StoreError> {
    let sql = "SELECT record_id FROM change_log WHERE lane = ?1 AND seq > ?2 AND seq <= ?3 AND settled = 0";
    let mut statement = connection.prepare_cached(sql)?;
    let mut records = BTreeSet::new();
    for lane in Lane::ALL {
        let seq = |places: &Places| places.get(&lane).map_or(0, |seq: &Seq| seq.0.cast_signed());
        let mut rows = statement.query(params![lane.number(), seq(a).min(seq(b)), seq(a).max(seq(b))])?;
        while let Some(row) = rows.next()? {
            records.extend(RecordId::from_number(row.get(0)?));
        }
    }
    Ok(records)
}

/// What was added up, and what it took.
pub(crate) struct Counted {
    /// The sums.
    pub(crate) holding: Holding,
    /// States that were read for them.
    pub(crate) rows: u64,
}

/// What all entries hold at these places, in some corners or in all when none is named.
///
/// The states of an entry were sealed in the order of their ranks, so that each takes the place of the one before it;
/// only for those that are not the first of their entry does anything have to be looked up.
pub(crate) fn count(
    connection: &Connection,
    origin: Origin,
    key: &HoldingsKey,
    at: &Places,
    cells: usize,
    of: &[Bucket],
) -> Result<Counted, StoreError> {
    let sql =
        format!("SELECT {COLUMNS}, change_id, operation FROM change_log WHERE seq IS NOT NULL ORDER BY change_id");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(())?;
    let wanted = |held: &Held| of.is_empty() || of.contains(&held.bucket);
    let (mut holding, mut delta, mut read_rows) = (Holding::with_cells(cells), Delta::default(), 0);
    while let Some(row) = rows.next()? {
        read_rows += 1;
        let (Some(id), true) = (RecordId::from_number(row.get(0)?), counts(row, at)?) else { continue };
        let after = read(row)?;
        let is_first = after.version.0 == 1 && !row.get::<_, bool>(3)? && row.get_ref(9)?.as_str() != Ok("repair");
        let before = if is_first { None } else { greatest_before(connection, id, at, row.get(8)?)? };
        if before.is_some_and(|before| before.rank() >= after.rank()) {
            continue;
        }
        let record = RecordKey { origin, id };
        delta.swap(key, record, before.as_ref().filter(|held| wanted(held)), Some(&after).filter(|held| wanted(held)));
        if delta.items() >= GATHERED_MAX {
            holding.apply(key, &std::mem::take(&mut delta));
        }
    }
    holding.apply(key, &delta);
    Ok(Counted { holding, rows: read_rows })
}

fn greatest_before(
    connection: &Connection,
    id: RecordId,
    at: &Places,
    change_id: i64,
) -> Result<Option<Held>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM change_log WHERE record_id = ?1 AND change_id < ?2 AND seq IS NOT NULL");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![id.number(), change_id])?;
    let mut found: Option<Held> = None;
    while let Some(row) = rows.next()? {
        if counts(row, at)? {
            let held = read(row)?;
            found = Some(found.filter(|found| found.rank() >= held.rank()).unwrap_or(held));
        }
    }
    Ok(found)
}

/// Whether a sealed change is counted at these places.
fn counts(row: &Row<'_>, at: &Places) -> Result<bool, StoreError> {
    let place = |lane| at.get(&lane).map_or(0, |seq: &Seq| seq.0.cast_signed());
    let lane = Lane::from_number(row.get::<_, Option<u8>>(1)?.unwrap_or_default());
    Ok(row.get(3)? || lane.map_or(Ok(false), |lane| row.get::<_, i64>(2).map(|seq| seq <= place(lane)))?)
}

/// The state of a sealed change, from its third column on.
fn read(row: &Row<'_>) -> Result<Held, StoreError> {
    let damaged = || StoreError::Damaged("a sealed change is incomplete".to_owned());
    let content = row.get_ref(6)?.as_blob().ok().and_then(Hash256::from_slice).ok_or_else(damaged)?;
    let clock = Hlc::from_number(row.get::<_, i64>(5)?.cast_unsigned());
    let canonical = row.get_ref(7)?.as_blob().map_err(|_| damaged())?;
    Ok(Held { version: Version(row.get(4)?), clock, content, bucket: Bucket::of(canonical) })
}
