//! The sealed half of the change log: what stands at which place of a lane, and how far the centre has taken it.

use std::collections::BTreeMap;

use registry_proto::frame::{Change, SealedChange};
use registry_schema::clock::Hlc;
use registry_schema::digest::{Hash256, chain_start};
use registry_schema::ids::{Lane, RecordId, Seq, Version};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::store::StoreError;
use crate::store::state::Incarnation;

/// Changes and bytes of them that are held in memory while lanes begin anew: some megabytes.
const PLACED_CHANGES: usize = 1_000;
const PLACED_BYTES: usize = 4 * 1024 * 1024;

/// How far one lane has come: applied <= received <= sealed, and none ever goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneState {
    /// The last sealed change.
    pub sealed: Seq,
    /// The chain after it.
    pub chain: Hash256,
    /// The last change that is durable at the centre.
    pub received: Seq,
    /// The last change that the centre has judged.
    pub applied: Seq,
}

/// Every lane's state.
///
/// # Errors
/// The store could not be read, or has lost a lane.
pub fn lanes(connection: &Connection) -> Result<BTreeMap<Lane, LaneState>, StoreError> {
    let sql = "SELECT lane, sealed_seq, sealed_chain, received_seq, applied_seq FROM lanes";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(())?;
    let mut lanes = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let (Some(lane), Some(chain)) = (Lane::from_number(row.get(0)?), hash(row, 2)?) else {
            return Err(StoreError::Damaged("table lanes holds what no agent writes".to_owned()));
        };
        lanes.insert(lane, LaneState { sealed: seq(row, 1)?, chain, received: seq(row, 3)?, applied: seq(row, 4)? });
    }
    match Lane::ALL.into_iter().find(|lane| !lanes.contains_key(lane)) {
        Some(lane) => Err(StoreError::Damaged(format!("lane {lane} is missing from table lanes"))),
        None => Ok(lanes),
    }
}

/// The chain of a lane after the change at `seq`; `None` when no such change was sealed here.
///
/// # Errors
/// The store could not be read.
pub fn chain_at(
    connection: &Connection,
    incarnation: Incarnation,
    lane: Lane,
    seq: u64,
) -> Result<Option<Hash256>, StoreError> {
    if seq == 0 {
        return Ok(Some(chain_start(incarnation.origin, incarnation.epoch, lane)));
    }
    let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT chain FROM change_log WHERE lane = ?1 AND seq = ?2 AND settled = 0")?;
    Ok(statement.query_row(params![lane.number(), seq], |row| hash(row, 0)).optional()?.flatten())
}

/// The sealed changes of a lane from `first` on: at most `changes_max`, and none after the one that makes their
/// canonical bytes reach `bytes_max`, so what is held in memory does not grow with the lane.
///
/// # Errors
/// The store could not be read, or a place of the lane is missing.
pub fn load(
    connection: &Connection,
    lane: Lane,
    first: Seq,
    changes_max: usize,
    bytes_max: usize,
) -> Result<Vec<SealedChange>, StoreError> {
    let sql = "SELECT seq, record_id, version, clock, content_hash, chain, canonical FROM change_log
               WHERE lane = ?1 AND seq >= ?2 AND settled = 0 ORDER BY seq LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(changes_max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![lane.number(), first.0.cast_signed(), limit])?;
    let (mut changes, mut bytes, mut next) = (Vec::new(), 0, first);
    while bytes < bytes_max {
        let Some(row) = rows.next()? else { break };
        let change = read(row)?.filter(|change| change.seq == next);
        let missing = || StoreError::Damaged(format!("change {next} of lane {lane} is missing or incomplete"));
        let change = change.ok_or_else(missing)?;
        next = next.next();
        bytes += change.canonical.len();
        changes.push(change);
    }
    Ok(changes)
}

/// A sealed change; `None` when the row holds what no sealing writes.
fn read(row: &Row<'_>) -> Result<Option<SealedChange>, StoreError> {
    let (Some(record_id), Some(content_hash), Some(chain)) =
        (RecordId::from_number(row.get(1)?), hash(row, 4)?, hash(row, 5)?)
    else {
        return Ok(None);
    };
    let clock = Hlc::from_number(row.get::<_, i64>(3)?.cast_unsigned());
    let version = Version(row.get(2)?);
    Ok(Some(SealedChange { seq: seq(row, 0)?, record_id, version, clock, canonical: row.get(6)?, content_hash, chain }))
}

/// Takes in how far the centre has come in a lane; an older word changes nothing.
///
/// # Errors
/// The store could not be written, or the centre claims more than was sealed.
pub fn advance(connection: &Connection, lane: Lane, received: Seq, applied: Seq) -> Result<(), StoreError> {
    let sql = "UPDATE lanes SET received_seq = max(received_seq, ?2, ?3), applied_seq = max(applied_seq, ?3)
               WHERE lane = ?1 AND sealed_seq >= max(?2, ?3)";
    let values = params![lane.number(), received.0.cast_signed(), applied.0.cast_signed()];
    match connection.prepare_cached(sql)?.execute(values)? {
        1 => Ok(()),
        _ => Err(StoreError::Damaged(format!("the centre holds changes of lane {lane} that were never sealed here"))),
    }
}

/// Goes back to where the centre stands, when it has less of a lane than it acknowledged: it came back from a backup.
/// Answers how many changes it lost; they are sent again like any that it never had.
///
/// # Errors
/// The store could not be written.
pub fn go_back(connection: &Connection, lane: Lane, received: Seq, applied: Seq) -> Result<u64, StoreError> {
    let before = lanes(connection)?.get(&lane).map_or(Seq(0), |state| state.received);
    if before <= received {
        return Ok(0);
    }
    let sql = "UPDATE lanes SET received_seq = ?2, applied_seq = min(applied_seq, ?3) WHERE lane = ?1";
    let values = params![lane.number(), received.0.cast_signed(), applied.0.cast_signed()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(before.0 - received.0)
}

/// Begins every lane anew under another epoch. What the centre acknowledged is settled; what it did not takes the first
/// places, in its order, with the versions, clocks and bytes that it was sealed with. Where the centre has it after all, it
/// is known there by these.
///
/// # Errors
/// The store could not be read or written, or a place of a lane is missing.
pub(crate) fn begin_anew(connection: &Connection, incarnation: Incarnation) -> Result<(), StoreError> {
    for (lane, before) in lanes(connection)? {
        let settle = "UPDATE change_log SET settled = 1 WHERE lane = ?1 AND seq <= ?2 AND settled = 0";
        connection.execute(settle, params![lane.number(), before.received.0.cast_signed()])?;
        let (mut next, mut end) = (before.received.next(), Seq(0));
        let mut chain = chain_start(incarnation.origin, incarnation.epoch, lane);
        loop {
            let waiting = load(connection, lane, next, PLACED_CHANGES, PLACED_BYTES)?;
            let Some(last) = waiting.last() else { break };
            next = last.seq.next();
            for change in waiting {
                let place = change.seq;
                let SealedChange { record_id, version, clock, canonical, .. } = change;
                let stated = Change { record_id, version, clock, canonical };
                let placed = SealedChange::link(incarnation.origin, &chain, end.next(), stated);
                let sql = "UPDATE change_log SET seq = ?3, chain = ?4 WHERE lane = ?1 AND seq = ?2 AND settled = 0";
                let (from, to) = (place.0.cast_signed(), placed.seq.0.cast_signed());
                connection.prepare_cached(sql)?.execute(params![lane.number(), from, to, placed.chain.as_bytes()])?;
                (end, chain) = (placed.seq, placed.chain);
            }
        }
        let sql =
            "UPDATE lanes SET sealed_seq = ?2, sealed_chain = ?3, received_seq = 0, applied_seq = 0 WHERE lane = ?1";
        connection.execute(sql, params![lane.number(), end.0.cast_signed(), chain.as_bytes()])?;
    }
    Ok(())
}

/// Proves in a few look-ups that the ends of the lanes are what the change log says they are.
pub(crate) fn check(connection: &Connection, incarnation: Incarnation) -> Result<(), StoreError> {
    for (lane, state) in lanes(connection)? {
        let ordered = state.applied <= state.received && state.received <= state.sealed;
        let at_end = chain_at(connection, incarnation, lane, state.sealed.0)?;
        let beyond = chain_at(connection, incarnation, lane, state.sealed.0 + 1)?;
        if !ordered || at_end != Some(state.chain) || beyond.is_some() {
            return Err(StoreError::Damaged(format!("the end of lane {lane} is not where table lanes says")));
        }
    }
    Ok(())
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Hash256>> {
    Ok(row.get_ref(column)?.as_blob_or_null()?.and_then(Hash256::from_slice))
}

fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    Ok(Seq(row.get::<_, i64>(column)?.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::store::Store;
    use crate::store::tests::{NOW_MS, scratch};

    fn write_births(store: &mut Store, count: usize) {
        for number in 0..count {
            let sql = "INSERT INTO births (number, child_name) VALUES (?1, 'Trần Ba')";
            store.connection().execute(sql, [number.to_string()]).unwrap();
        }
        store.seal(count, NOW_MS).unwrap();
    }

    #[test]
    fn no_more_is_loaded_than_was_asked_for() {
        let (_folder, mut store) = scratch();
        write_births(&mut store, 10);
        let connection = store.connection();
        let load = |first, changes_max, bytes_max| {
            load(connection, Lane::Live, Seq(first), changes_max, bytes_max).unwrap().len()
        };
        assert_eq!(load(1, 100, 1_000_000), 10);
        assert_eq!(load(4, 100, 1_000_000), 7);
        assert_eq!(load(11, 100, 1_000_000), 0);
        assert_eq!(load(1, 3, 1_000_000), 3);
        assert_eq!(load(1, 100, 1), 1);
        assert_eq!(load(1, 100, 25), 2);
    }

    #[test]
    fn a_missing_place_is_noticed_before_anything_is_sent() {
        let (folder, mut store) = scratch();
        write_births(&mut store, 5);
        store.connection().execute("DELETE FROM change_log WHERE seq = 3", ()).unwrap();
        assert!(matches!(load(store.connection(), Lane::Live, Seq(2), 9, 9_999), Err(StoreError::Damaged(_))));
        store.connection().execute("DELETE FROM change_log WHERE seq = 5", ()).unwrap();
        drop(store);
        assert!(matches!(Store::open(&folder.path().join("province.db")), Err(StoreError::Damaged(_))));
    }

    #[test]
    fn with_a_new_epoch_everything_is_sent_that_was_not_acknowledged() {
        let (folder, mut store) = scratch();
        write_births(&mut store, 5);
        store.connection().execute("UPDATE births SET note = 'later' WHERE number = '4'", ()).unwrap();
        store.seal(9, NOW_MS).unwrap();
        advance(store.connection(), Lane::Live, Seq(3), Seq(2)).unwrap();
        let before = load(store.connection(), Lane::Live, Seq(4), 99, 99_999).unwrap();
        drop(store);
        let path = folder.path().join("province.db");
        crate::store::take_new_epoch(&path, registry_schema::ids::Epoch(8)).unwrap();
        let mut store = Store::open(&path).unwrap();
        let after = load(store.connection(), Lane::Live, Seq(1), 99, 99_999).unwrap();
        let stated = |changes: &[SealedChange]| -> Vec<_> {
            changes.iter().map(|change| (change.record_id, change.version, change.clock, change.content_hash)).collect()
        };
        assert_eq!((after.len(), stated(&after)), (3, stated(&before)));
        assert_ne!(after[0].chain, before[0].chain, "the chain is that of the new epoch");
        write_births(&mut store, 1);
        assert_eq!(lanes(store.connection()).unwrap()[&Lane::Live].sealed, Seq(4), "and the lane goes on");
        drop(store);
        Store::open(&path).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn watermarks_never_go_back(words in prop::collection::vec((0_u64..12, 0_u64..12), 1..20)) {
            let (_folder, mut store) = scratch();
            write_births(&mut store, 8);
            let connection = store.connection();
            let (mut received, mut applied) = (0, 0);
            for (word_received, word_applied) in words {
                let result = advance(connection, Lane::Live, Seq(word_received), Seq(word_applied));
                prop_assert_eq!(result.is_ok(), word_received <= 8 && word_applied <= 8);
                if result.is_ok() {
                    applied = applied.max(word_applied);
                    received = received.max(word_received).max(applied);
                }
                let state = lanes(connection).unwrap()[&Lane::Live];
                prop_assert_eq!((state.received, state.applied), (Seq(received), Seq(applied)));
            }
        }
    }
}
