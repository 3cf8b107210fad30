//! The facts that the agent keeps in `store_state`, each under its own key and with its own type.

use registry_schema::clock::Hlc;
use registry_schema::ids::{Epoch, Lane, Origin};
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::StoreError;

const ORIGIN: &str = "province";
const EPOCH: &str = "epoch";
const CLOCK: &str = "clock";
const SEALED_THROUGH: &str = "sealed_through";
const NOTICE_SEQ: &str = "notice_seq";
const NATION: &str = "nation";
const CONNECTION: &str = "connection";
const RESTORING: &str = "restoring";
/// In front of the name of a lane.
const RECEIPT: &str = "receipt_";

/// Whose store this is, and which incarnation of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incarnation {
    /// The province.
    pub origin: Origin,
    /// The incarnation; a restored or copied store must take a new one.
    pub epoch: Epoch,
}

/// How the daemon stands with the centre, as it last wrote it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// The daemon has never run.
    Never,
    /// A session is open.
    Connected,
    /// There is no session; the daemon tries again by itself.
    Disconnected,
    /// The centre holds another history of this store; an operator must decide.
    Forked,
    /// The daemon was stopped.
    Stopped,
}

/// The daemon's last word about its connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionReport {
    /// How it stands.
    pub state: ConnectionState,
    /// Since when, in Unix milliseconds.
    pub since_ms: u64,
    /// The last error in words, with its remedy; `None` after success.
    pub error: Option<String>,
}

impl Default for ConnectionReport {
    fn default() -> Self {
        Self { state: ConnectionState::Never, since_ms: 0, error: None }
    }
}

/// Whose store this is; `None` before `init`.
pub(crate) fn incarnation(connection: &Connection) -> Result<Option<Incarnation>, StoreError> {
    let (Some(origin), Some(epoch)) = (get::<String>(connection, ORIGIN)?, get::<i64>(connection, EPOCH)?) else {
        return Ok(None);
    };
    let origin = origin.parse().map_err(|_| StoreError::Damaged("its state names no province".to_owned()))?;
    Ok(Some(Incarnation { origin, epoch: Epoch(epoch.cast_unsigned()) }))
}

pub(crate) fn set_incarnation(connection: &Connection, incarnation: Incarnation) -> Result<(), StoreError> {
    set(connection, ORIGIN, incarnation.origin.to_string())?;
    set(connection, EPOCH, incarnation.epoch.0.cast_signed())
}

/// The clock of the change that was sealed last.
pub(crate) fn clock(connection: &Connection) -> Result<Hlc, StoreError> {
    Ok(Hlc::from_number(get::<i64>(connection, CLOCK)?.unwrap_or_default().cast_unsigned()))
}

pub(crate) fn set_clock(connection: &Connection, clock: Hlc) -> Result<(), StoreError> {
    set(connection, CLOCK, clock.number().cast_signed())
}

/// The change up to which nothing is left to seal.
pub(crate) fn sealed_through(connection: &Connection) -> Result<i64, StoreError> {
    Ok(get(connection, SEALED_THROUGH)?.unwrap_or_default())
}

pub(crate) fn set_sealed_through(connection: &Connection, change_id: i64) -> Result<(), StoreError> {
    set(connection, SEALED_THROUGH, change_id)
}

/// The centre's last word that was taken in.
pub fn notice_seq(connection: &Connection) -> Result<u64, StoreError> {
    Ok(get::<i64>(connection, NOTICE_SEQ)?.unwrap_or_default().cast_unsigned())
}

pub(crate) fn set_notice_seq(connection: &Connection, seq: u64) -> Result<(), StoreError> {
    set(connection, NOTICE_SEQ, seq.cast_signed())
}

/// The incarnation of the nation whose words the store holds; 0 when none is known.
pub(crate) fn nation(connection: &Connection) -> Result<u64, StoreError> {
    Ok(get::<i64>(connection, NATION)?.unwrap_or_default().cast_unsigned())
}

pub(crate) fn set_nation(connection: &Connection, nation: u64) -> Result<(), StoreError> {
    set(connection, NATION, nation.cast_signed())
}

/// Whether the store took a new epoch and has not yet got back what it had lost.
pub(crate) fn restoring(connection: &Connection) -> Result<bool, StoreError> {
    Ok(get(connection, RESTORING)?.unwrap_or_default())
}

pub(crate) fn set_restoring(connection: &Connection, restoring: bool) -> Result<(), StoreError> {
    set(connection, RESTORING, restoring)
}

/// The daemon's last word about its connection.
pub fn connection_report(connection: &Connection) -> Result<ConnectionReport, StoreError> {
    let text = get::<String>(connection, CONNECTION)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Writes the daemon's word about its connection.
pub fn set_connection_report(connection: &Connection, report: &ConnectionReport) -> Result<(), StoreError> {
    let text = serde_json::to_string(report).expect("a report has string keys only");
    set(connection, CONNECTION, text)
}

/// The last receipt of a lane, as its writer wrote it.
pub(crate) fn receipt(connection: &Connection, lane: Lane) -> Result<Option<String>, StoreError> {
    get(connection, &format!("{RECEIPT}{lane}"))
}

pub(crate) fn set_receipt(connection: &Connection, lane: Lane, text: &str) -> Result<(), StoreError> {
    set(connection, &format!("{RECEIPT}{lane}"), text)
}

fn get<T: FromSql>(connection: &Connection, key: &str) -> Result<Option<T>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM store_state WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

fn set(connection: &Connection, key: &str, value: impl ToSql) -> Result<(), StoreError> {
    let sql = "INSERT INTO store_state (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
    connection.prepare_cached(sql)?.execute(rusqlite::params![key, value])?;
    Ok(())
}
