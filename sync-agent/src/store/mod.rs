//! The provincial store: one SQLite file that clerks' programs write to and the agent reads, seals and sends from.

mod error;
mod handle;
mod init;
mod lock;
mod schema;
pub mod state;

use std::path::Path;
use std::time::Duration;

use registry_schema::digest::Hash256;
use registry_schema::ids::Lane;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

pub use error::StoreError;
pub use handle::{Disk, StoreHandle};
pub use init::{init, take_new_epoch};
pub use lock::StoreLock;

use crate::capture::Capture;
use crate::change_log;
use crate::holdings::Kept;
use crate::seal::{Sealed, Sealer};
use state::Incarnation;

/// How long one statement of a command waits for another program's transaction.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// The same for the daemon, which does something else first and then tries again.
const LOCK_WAIT_BRIEF: Duration = Duration::from_millis(250);
/// How long a waiting statement sleeps between two looks. SQLite's own waiting grows to 100 ms a look and then misses
/// the short gaps between the transactions of an import.
const LOCK_LOOK: Duration = Duration::from_millis(1);
/// Prepared statements kept: every statement of the agent, three times over.
const STATEMENTS_KEPT: usize = 128;
/// Pages of the write-ahead log that start a checkpoint: 16 MiB, so that a bulk of sealing writes each page fewer times.
const CHECKPOINT_PAGES: u32 = 4_000;
/// Size to which the write-ahead log is cut back after a bulk.
const JOURNAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// Page cache of the agent's connection in KiB: a bulk of sealing touches a few hundred pages again and again.
const CACHE_KIBIBYTES: i64 = 16 * 1024;

/// A store that is initialised, at the newest schema, and keeps what it commits.
pub struct Store {
    pub(crate) connection: Connection,
    incarnation: Incarnation,
    pub(crate) sealer: Sealer,
    /// The sums of what the store holds, once the centre has given a key.
    pub(crate) kept: Option<Kept>,
}

impl Store {
    /// Opens a store to work on it, brings its schema up to date and looks it over.
    ///
    /// # Errors
    /// Everything that makes working on it unsafe, each with its remedy.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = open_file(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let incarnation = initialised(&connection)?;
        make_durable(&connection)?;
        schema::migrate(&mut connection)?;
        schema::check(&connection)?;
        // One snapshot: a daemon may be sealing meanwhile, and a lane and its last change belong together.
        change_log::check(&*connection.transaction()?, incarnation)?;
        let sealer = Sealer::new(incarnation, Capture::new());
        Ok(Self { connection, incarnation, sealer, kept: None })
    }

    /// Whose store this is.
    #[must_use]
    pub const fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// The connection, for the rooms that read and write the store's tables.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Makes statements give up soon when another program holds the store, for a daemon that has other things to do.
    ///
    /// # Errors
    /// SQLite refuses.
    pub fn wait_briefly(&mut self) -> Result<(), StoreError> {
        Ok(self.connection.busy_handler(Some(wait_briefly_for_lock))?)
    }

    /// Seals the next logged changes, at most `changes_max` of them, in one transaction.
    ///
    /// # Errors
    /// The store could not be written; nothing is sealed then.
    pub fn seal(&mut self, changes_max: usize, now_ms: u64) -> Result<Sealed, StoreError> {
        self.sealer.seal(&mut self.connection, changes_max, now_ms)
    }

    /// The chain of a lane after the change at `seq`; `None` when that change was never sealed here.
    ///
    /// # Errors
    /// The store could not be read.
    pub fn chain_at(&self, lane: Lane, seq: u64) -> Result<Option<Hash256>, StoreError> {
        change_log::chain_at(&self.connection, self.incarnation, lane, seq)
    }
}

/// Opens a store to look at it, whether or not a daemon works on it; nothing is written.
///
/// # Errors
/// The file is absent, not a store, or not initialised.
pub fn open_read_only(path: &Path) -> Result<(Connection, Incarnation), StoreError> {
    let connection = open_file(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let incarnation = initialised(&connection)?;
    Ok((connection, incarnation))
}

fn open_file(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    if !path.is_file() {
        return Err(StoreError::Absent(path.to_owned()));
    }
    let mut connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_handler(Some(wait_for_lock))?;
    // Without this SQLite plans a cached statement anew for every new value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(connection)
}

/// Whose store this is, for a store that `init` has seen.
fn initialised(connection: &Connection) -> Result<Incarnation, StoreError> {
    schema::check_version(connection)?;
    state::incarnation(connection)?.ok_or(StoreError::NotInitialised)
}

/// Sees to it that a commit survives a power cut: a write-ahead log, flushed at every commit.
fn make_durable(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::NotDurable(format!("journal_mode stays {mode}")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    let level: i64 = connection.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if level != 2 {
        return Err(StoreError::NotDurable(format!("synchronous stays {level}")));
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_BYTES_KEPT)?;
    // Without this every statement that may fail writes the pages it changes into a temporary file first.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIBIBYTES)?;
    Ok(())
}

/// SQLite asks this before each new look at a lock that another program holds.
fn wait_for_lock(looks: i32) -> bool {
    wait_within(LOCK_WAIT_MAX, looks)
}

fn wait_briefly_for_lock(looks: i32) -> bool {
    wait_within(LOCK_WAIT_BRIEF, looks)
}

fn wait_within(patience: Duration, looks: i32) -> bool {
    let goes_on = LOCK_LOOK * looks.unsigned_abs() < patience;
    if goes_on {
        std::thread::sleep(LOCK_LOOK);
    }
    goes_on
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use registry_schema::ids::Epoch;

    use super::*;

    /// The wall clock of tests: 2100, later than anything they log.
    pub(crate) const NOW_MS: u64 = 4_102_444_800_000;

    /// A fresh store of Hà Nội in its own folder.
    pub(crate) fn scratch() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("province.db");
        let incarnation = Incarnation { origin: "01@2008".parse().unwrap(), epoch: Epoch(7) };
        init(&path, incarnation).unwrap();
        let store = Store::open(&path).unwrap();
        // No test cuts the power, and flushing takes most of their time.
        store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        (folder, store)
    }

    #[test]
    fn a_store_can_be_opened_while_it_is_sealed() {
        let (folder, mut store) = scratch();
        let path = folder.path().join("province.db");
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..4_000 {
                    let insert = "INSERT INTO births (authority, child_name) VALUES ('01.00001', 'Lê An')";
                    store.connection.execute(insert, ()).unwrap();
                    store.seal(10, NOW_MS).unwrap();
                }
                done.store(true, std::sync::atomic::Ordering::Relaxed);
            });
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                Store::open(&path).unwrap();
            }
        });
    }

    #[test]
    fn a_store_can_be_opened_while_another_program_holds_it() {
        let (folder, store) = scratch();
        drop(store);
        let path = folder.path().join("province.db");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO births (number) VALUES ('1')").unwrap();
        let mut store = Store::open(&path).unwrap();
        store.wait_briefly().unwrap();
        assert_eq!(store.seal(10, NOW_MS).unwrap().changes, 0);
        writer.execute_batch("COMMIT").unwrap();
        assert_eq!(store.seal(10, NOW_MS).unwrap().changes, 1);
    }

    #[test]
    fn a_store_is_initialised_once() {
        let (folder, store) = scratch();
        let path = folder.path().join("province.db");
        let other = Incarnation { origin: "02@2008".parse().unwrap(), epoch: Epoch(8) };
        assert!(
            matches!(init(&path, other), Err(StoreError::AlreadyInitialised(origin)) if origin == store.incarnation.origin)
        );
        drop(store);
        assert_eq!(Store::open(&path).unwrap().incarnation().epoch, Epoch(7));
        assert_eq!(open_read_only(&path).unwrap().1.epoch, Epoch(7));
    }

    #[test]
    fn what_is_no_store_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        assert!(matches!(Store::open(&path), Err(StoreError::Absent(_))));
        std::fs::write(&path, "number,book\n1,01/2017\n".repeat(100)).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::NotADatabase)));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::NotInitialised)));
    }

    #[test]
    fn another_programs_long_transaction_is_waited_for_and_then_reported() {
        let (folder, mut store) = scratch();
        store.wait_briefly().unwrap();
        let writer = Connection::open(folder.path().join("province.db")).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO births (number) VALUES ('1')").unwrap();
        assert_eq!(store.seal(10, NOW_MS).unwrap().changes, 0);
        writer.execute_batch("COMMIT; BEGIN IMMEDIATE; INSERT INTO births (number) VALUES ('2')").unwrap();
        assert!(matches!(store.seal(10, NOW_MS), Err(StoreError::Locked)));
        writer.execute_batch("COMMIT").unwrap();
        assert_eq!(store.seal(10, NOW_MS).unwrap().changes, 2);
    }

    #[test]
    fn a_full_disk_is_named_and_nothing_is_half_sealed() {
        let (folder, mut store) = scratch();
        let writer = Connection::open(folder.path().join("province.db")).unwrap();
        for number in 0..400 {
            writer
                .execute("INSERT INTO births (number, note) VALUES (?1, ?2)", (number.to_string(), "x".repeat(900)))
                .unwrap();
        }
        let pages: u32 = store.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        store.connection.pragma_update(None, "max_page_count", pages + 5).unwrap();
        assert!(matches!(store.seal(400, NOW_MS), Err(StoreError::Full)));
        store.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
        assert_eq!(store.seal(1_000, NOW_MS).unwrap().changes, 400);
    }
}
