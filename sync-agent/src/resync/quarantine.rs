//! What waits for a person.

use registry_proto::frame::Change;
use registry_schema::clock::Hlc;
use registry_schema::ids::{RecordId, Version};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;

use super::repair;
use crate::store::{Store, StoreError};

/// A state that was set aside; what it says is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Its number.
    pub id: i64,
    /// The entry.
    pub record_id: i64,
    /// unknown, displaced or damaged.
    pub reason: String,
    /// The state's version.
    pub version: u32,
    /// When it was set aside: RFC 3339, UTC.
    pub put_at: String,
    /// When somebody took it into the registers.
    pub released_at: Option<String>,
}

/// Everything that was ever set aside, oldest first.
///
/// # Errors
/// The store could not be read.
pub fn quarantined(connection: &Connection) -> Result<Vec<Quarantined>, StoreError> {
    let sql = "SELECT quarantine_id, record_id, reason, version,
                   strftime('%Y-%m-%dT%H:%M:%SZ', put_ms / 1000, 'unixepoch'),
                   strftime('%Y-%m-%dT%H:%M:%SZ', released_ms / 1000, 'unixepoch') FROM quarantine
               ORDER BY quarantine_id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map((), |row| {
        Ok(Quarantined {
            id: row.get(0)?,
            record_id: row.get(1)?,
            reason: row.get(2)?,
            version: row.get(3)?,
            put_at: row.get(4)?,
            released_at: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes an unknown entry into the registers, as the centre has it; whether there was such a one. No daemon may run.
///
/// # Errors
/// The store could not be written.
pub fn release(store: &mut Store, id: i64, now_ms: u64) -> Result<bool, StoreError> {
    let sql = "SELECT record_id, version, clock, canonical FROM quarantine
               WHERE quarantine_id = ?1 AND reason = 'unknown' AND released_ms IS NULL";
    let read = |row: &rusqlite::Row<'_>| {
        let (version, clock) = (Version(row.get(1)?), Hlc::from_number(row.get::<_, i64>(2)?.cast_unsigned()));
        let record_id = RecordId::from_number(row.get(0)?);
        Ok(record_id.map(|record_id| Change { record_id, version, clock, canonical: Vec::new() }).zip(row.get(3)?))
    };
    let found: Option<(Change, Vec<u8>)> = store.connection().query_row(sql, [id], read).optional()?.flatten();
    let Some((state, canonical)) = found else { return Ok(false) };
    store.keep_holdings()?;
    let taken = repair::take(store, vec![Change { canonical, ..state }], true, now_ms)?;
    let sql = "UPDATE quarantine SET released_ms = ?2 WHERE quarantine_id = ?1";
    store.connection().execute(sql, params![id, now_ms.cast_signed()])?;
    Ok(taken.restored > 0 || !taken.again.is_empty())
}
