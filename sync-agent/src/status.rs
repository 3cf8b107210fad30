//! How a store stands: read from the file alone, whether or not the daemon runs.

use std::collections::BTreeMap;
use std::path::Path;

use registry_schema::ids::{Lane, Origin};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use crate::change_log::{self, LaneState};
use crate::store::state::{self, ConnectionReport};
use crate::store::{StoreError, StoreLock, open_read_only};
use crate::uplink::KeptReceipt;

/// Everything that `status` shows, read at one point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whose store it is.
    pub province: Origin,
    /// The incarnation, in hexadecimal digits.
    pub epoch: String,
    /// Whether a daemon works on the store.
    pub daemon_running: bool,
    /// The daemon's last word about its connection.
    pub connection: ConnectionReport,
    /// Every lane, in the order of service.
    pub lanes: Vec<LaneStatus>,
    /// Changes that wait to be sealed.
    pub unsealed: u64,
    /// Age in milliseconds of the oldest change that is not in the national registry; `None` when all are.
    pub oldest_unapplied_ms: Option<u64>,
    /// How many of the centre's words are kept, by outcome.
    pub notices: BTreeMap<String, u64>,
    /// Imports that were cut short.
    pub imports_unfinished: Vec<ImportStatus>,
}

/// How far a lane has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneStatus {
    /// The lane.
    pub lane: Lane,
    /// The last sealed change.
    pub sealed: u64,
    /// The last change that is durable at the centre.
    pub received: u64,
    /// The last change that is in the national registry.
    pub applied: u64,
    /// What the centre last signed for having received; it covers everything before it.
    pub receipt: Option<KeptReceipt>,
}

/// An import that was cut short; the same command goes on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportStatus {
    /// The file's name.
    pub file_name: String,
    /// The kind of its entries.
    pub kind: String,
    /// Rows that are settled.
    pub rows_done: u64,
    /// When it was begun: RFC 3339, UTC.
    pub started_at: String,
}

/// Reads how the store at `path` stands.
///
/// # Errors
/// The store is absent, not initialised, or cannot be read.
pub fn read(path: &Path, now_ms: u64) -> Result<Status, StoreError> {
    let (mut connection, incarnation) = open_read_only(path)?;
    let snapshot = connection.transaction()?;
    let lanes = change_log::lanes(&snapshot)?;
    let oldest_ms = oldest_unapplied(&snapshot, &lanes)?;
    let lane = |(lane, state): (Lane, LaneState)| {
        Ok::<_, StoreError>(LaneStatus {
            lane,
            sealed: state.sealed.0,
            received: state.received.0,
            applied: state.applied.0,
            receipt: KeptReceipt::read(&snapshot, lane)?,
        })
    };
    Ok(Status {
        province: incarnation.origin,
        epoch: format!("{:016x}", incarnation.epoch.0),
        daemon_running: StoreLock::is_taken(path),
        connection: state::connection_report(&snapshot)?,
        unsealed: unsealed(&snapshot)?,
        oldest_unapplied_ms: oldest_ms.map(|oldest_ms| now_ms.saturating_sub(oldest_ms)),
        lanes: lanes.into_iter().map(lane).collect::<Result<_, _>>()?,
        notices: notice_counts(&snapshot)?,
        imports_unfinished: imports_unfinished(&snapshot)?,
    })
}

fn unsealed(connection: &Connection) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM change_log WHERE change_id > ?1 AND seq IS NULL AND record_id > 0";
    Ok(connection.query_row(sql, [state::sealed_through(connection)?], |row| count(row, 0))?)
}

/// When the oldest change was logged that is not in the national registry.
fn oldest_unapplied(connection: &Connection, lanes: &BTreeMap<Lane, LaneState>) -> Result<Option<u64>, StoreError> {
    let first_unsealed = "SELECT logged_ms FROM change_log WHERE change_id > ?1 AND seq IS NULL AND record_id > 0
                          ORDER BY change_id LIMIT 1";
    let after = state::sealed_through(connection)?;
    let mut oldest = connection.query_row(first_unsealed, [after], |row| count(row, 0)).optional()?;
    for (lane, state) in lanes {
        let sql = "SELECT logged_ms FROM change_log WHERE lane = ?1 AND seq = ?2 AND settled = 0";
        let next = params![lane.number(), state.applied.next().0.cast_signed()];
        let logged = connection.query_row(sql, next, |row| count(row, 0)).optional()?;
        oldest = oldest.into_iter().chain(logged).min();
    }
    Ok(oldest)
}

fn notice_counts(connection: &Connection) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut statement = connection.prepare("SELECT outcome, count(*) FROM notices GROUP BY outcome")?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, count(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn imports_unfinished(connection: &Connection) -> Result<Vec<ImportStatus>, StoreError> {
    let sql = "SELECT file_name, kind, rows_done, started_at FROM imports WHERE finished_at IS NULL ORDER BY import_id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map((), |row| {
        Ok(ImportStatus {
            file_name: row.get(0)?,
            kind: row.get(1)?,
            rows_done: count(row, 2)?,
            started_at: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A number that cannot be negative, whatever somebody wrote there.
fn count(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use registry_schema::ids::Seq;

    use super::*;
    use crate::store::state::{ConnectionState, set_connection_report};
    use crate::store::tests::{NOW_MS, scratch};

    #[test]
    fn what_waits_is_shown_and_how_long() {
        let (folder, mut store) = scratch();
        let path = folder.path().join("province.db");
        let status = read(&path, NOW_MS).unwrap();
        assert_eq!((status.unsealed, status.oldest_unapplied_ms), (0, None));
        assert_eq!((status.connection.state, status.daemon_running), (ConnectionState::Never, false));

        store.connection().execute_batch("INSERT INTO births (number) VALUES ('1'), ('2'), ('3')").unwrap();
        store.connection().execute("UPDATE change_log SET logged_ms = change_id * 100", ()).unwrap();
        let oldest = |expected: Option<u64>| {
            assert_eq!(read(&path, 1_000).unwrap().oldest_unapplied_ms, expected);
        };
        oldest(Some(900));
        store.seal(2, NOW_MS).unwrap();
        change_log::advance(store.connection(), Lane::Live, Seq(2), Seq(1)).unwrap();
        oldest(Some(800));
        change_log::advance(store.connection(), Lane::Live, Seq(2), Seq(2)).unwrap();
        oldest(Some(700));
        let status = read(&path, 1_000).unwrap();
        assert_eq!((status.unsealed, status.lanes[0].sealed, status.lanes[0].applied), (1, 2, 2));
    }

    #[test]
    fn the_daemons_last_word_is_shown() {
        let (folder, mut store) = scratch();
        let report = ConnectionReport {
            state: ConnectionState::Forked,
            since_ms: 5,
            error: Some("ask the operator".to_owned()),
        };
        set_connection_report(store.connection(), &report).unwrap();
        assert_eq!(read(&folder.path().join("province.db"), 0).unwrap().connection, report);
    }
}
