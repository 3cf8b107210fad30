//! The embedded national store: one SQLite file, one writer thread, one reader thread, and one for walks.
//!
//! `journal_mode = WAL` and `synchronous = FULL`: what was acknowledged survives a power cut. Readers work on snapshots
//! and never wait for the writer.

mod codec;
mod worker;
mod journal;
mod load;
mod commit;
mod registry;
mod cases;
mod holdings;
mod ledger;
mod lineage;
mod backup;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use registry_schema::sql;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::StoreError;
use crate::national::Answer;
pub use worker::Disk;
use worker::Worker;

pub use backup::{SCHEMA, copy, revive};

/// Bytes of a database page: records of about 500 bytes are kept in the tree itself, so pages are larger than usual.
const PAGE_BYTES: u32 = 8192;
/// Memory for pages, in KiB, of each connection. Each has as many as it came to touch since another one last wrote.
pub const CACHE_KIB: i32 = 64 * 1024;
/// How long a writer waits for another process, such as an operator's command beside the daemon.
const BUSY: Duration = Duration::from_secs(10);
/// How long one look at a busy file is behind the last.
const BUSY_RETRY: Duration = Duration::from_millis(20);
/// Marks the file as ours: "hoti" in ASCII.
const APPLICATION_ID: i32 = 0x686f_7469;

/// The embedded national store. Cloning gives another handle to the same threads.
#[derive(Clone)]
pub struct Sqlite {
    writer: Worker,
    reader: Worker,
    /// Walks through whole provinces, so that nobody waits for one.
    scanner: Worker,
}

impl Sqlite {
    /// Opens the store, and creates it if it is not there.
    ///
    /// # Errors
    /// The file is no national store, is of a newer release, or cannot be read or written.
    pub fn open(path: &Path) -> Answer<Self> {
        Self::open_with(path, Worker::start)
    }

    /// Opens the store without threads: each piece of work is done on the caller's own, and the disk takes as long as
    /// `disk` says. For simulations, where threads would not be repeatable.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn inline(path: &Path, disk: &Disk) -> Answer<Self> {
        Self::open_with(path, |_, connection, place| Worker::inline(connection, place, disk))
    }

    fn open_with(path: &Path, employ: impl Fn(&str, Connection, &str) -> Worker) -> Answer<Self> {
        let place = path.display().to_string();
        make_private(path);
        let mut writer = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        migrate(&mut writer, &place)?;
        let reader = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let scanner = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self {
            writer: employ("store-writer", writer, &place),
            reader: employ("store-reader", reader, &place),
            scanner: employ("store-scanner", scanner, &place),
        })
    }

    /// Opens a store that exists, for commands that only look.
    ///
    /// # Errors
    /// As [`Sqlite::open`], and when there is no such file.
    pub fn open_existing(path: &Path) -> Answer<Self> {
        if !path.exists() {
            let reason = "there is no store here; `central-hub serve --store sqlite:PATH` creates one".to_owned();
            return Err(StoreError::Unusable { place: path.display().to_string(), reason });
        }
        Self::open(path)
    }

    /// Sets the most pages the file may have, so that tests can fill the "disk".
    #[cfg(feature = "conformance")]
    pub async fn limit_pages(&self, pages_max: u32) -> Answer<()> {
        self.writer.run(move |connection| connection.pragma_update(None, "max_page_count", pages_max)).await
    }
}

/// Opens a connection with our settings; waits while another process sets up the same file.
fn connect(path: &Path, place: &str, flags: OpenFlags) -> Answer<Connection> {
    let began = Instant::now();
    loop {
        match settle(path, flags).map_err(|error| codec::store_error(place, error)) {
            Err(StoreError::Busy { .. }) if began.elapsed() < BUSY => std::thread::sleep(BUSY_RETRY),
            result => return result,
        }
    }
}

/// Makes a file that only its owner may read, unless there is one; what SQLite puts beside a file is as open as the file.
fn make_private(path: &Path) {
    // Where no file can be made, SQLite says so in a moment, and why.
    let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

fn settle(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        // The change to WAL does not wait for other processes, so the caller does.
        connection.pragma_update(None, "journal_mode", "WAL")?;
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Statements go by keys, so their plans are not made anew for each value that is bound.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Brings the file to the newest schema; refuses foreign files and newer schemas. Of several processes that open a
/// fresh file at once, one migrates and the others find it done.
fn migrate(connection: &mut Connection, place: &str) -> Answer<()> {
    let failed = |error| codec::store_error(place, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let version = version(&transaction).map_err(failed)?;
    let known = sql::NATIONAL_SQLITE.len();
    let reason = match version {
        None => "this is the database of another program; name another file".to_owned(),
        Some(version) if version > known => {
            format!("schema {version} is newer than this program knows ({known}); upgrade it")
        }
        Some(version) => {
            let apply = || -> rusqlite::Result<()> {
                for migration in &sql::NATIONAL_SQLITE[version..] {
                    transaction.execute_batch(migration)?;
                }
                transaction.pragma_update(None, "user_version", i32::try_from(known).unwrap_or(i32::MAX))?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID)
            };
            apply().map_err(failed)?;
            return transaction.commit().map_err(failed);
        }
    };
    Err(StoreError::Unusable { place: place.to_owned(), reason })
}

/// The version of the schema, 0 for an empty file; `None` when the file is not ours.
fn version(connection: &Connection) -> rusqlite::Result<Option<usize>> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    let ours = tables == 0 || pragma("application_id")? == APPLICATION_ID;
    Ok(ours.then_some(usize::try_from(pragma("user_version")?).unwrap_or(usize::MAX)))
}
