//! The embedded national store: one SQLite file, one writer thread, one reader thread.
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

use std::path::{Path, PathBuf};

use registry_schema::sql;
use rusqlite::{Connection, OpenFlags};

use crate::error::StoreError;
use crate::national::Answer;
use worker::Worker;

/// Bytes of a database page: records of about 500 bytes are kept in the tree itself, so pages are larger than usual.
const PAGE_BYTES: u32 = 8192;
/// Memory for pages, in KiB, of each of the two connections.
const CACHE_KIB: i32 = 64 * 1024;
/// How long a writer waits for another process (an operator's command beside the daemon), in milliseconds.
const BUSY_MS: u64 = 10_000;
/// Marks the file as ours: "hoti" in ASCII.
const APPLICATION_ID: i32 = 0x686f_7469;

/// The embedded national store. Cloning gives another handle to the same two threads.
#[derive(Clone)]
pub struct Sqlite {
    writer: Worker,
    reader: Worker,
}

impl Sqlite {
    /// Opens the store, and creates it if it is not there.
    ///
    /// # Errors
    /// The file is no national store, is of a newer release, or cannot be read or written.
    pub fn open(path: &Path) -> Answer<Self> {
        let place = path.display().to_string();
        let mut writer = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        migrate(&mut writer, &place)?;
        let reader = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self {
            writer: Worker::start("store-writer", writer, &place),
            reader: Worker::start("store-reader", reader, &place),
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

fn connect(path: &Path, place: &str, flags: OpenFlags) -> Answer<Connection> {
    let path: PathBuf = path.to_owned();
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
        }
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error| codec::store_error(place, error))
}

/// Brings the file to the newest schema; refuses foreign files and newer schemas.
fn migrate(connection: &mut Connection, place: &str) -> Answer<()> {
    let unusable = |reason: String| StoreError::Unusable { place: place.to_owned(), reason };
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let facts = pragma("application_id").and_then(|id| Ok((id, pragma("user_version")?)));
    let (id, version) = facts.map_err(|error| codec::store_error(place, error))?;
    let tables = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
    let tables = tables.map_err(|error| codec::store_error(place, error))?;
    if id != APPLICATION_ID && tables > 0 {
        return Err(unusable("this is the database of another program; name another file".to_owned()));
    }
    let known = sql::NATIONAL_SQLITE.len();
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > known {
        return Err(unusable(format!("schema {version} is newer than this program knows ({known}); upgrade it")));
    }
    for (at, migration) in sql::NATIONAL_SQLITE.iter().enumerate().skip(version) {
        let apply = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", i32::try_from(at + 1).unwrap_or(i32::MAX))?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.commit()
        };
        apply(connection).map_err(|error| codec::store_error(place, error))?;
    }
    Ok(())
}
