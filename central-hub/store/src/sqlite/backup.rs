//! A copy of a store that goes on being written to, and a store that came back from such a copy.

use std::fs::File;
use std::path::Path;

use registry_schema::sql;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{BUSY_RETRY, Sqlite, Worker, codec, connect, lineage, make_private, migrate};
use crate::error::StoreError;
use crate::national::Answer;

/// Pages that are copied between two words of progress: 8 MiB.
const PAGES_AT_ONCE: i32 = 1024;

/// The version of the schema that this program makes.
pub const SCHEMA: usize = sql::NATIONAL_SQLITE.len();

/// Copies a store into a new file as it is at one point, while others go on writing. `progress` hears how many pages of
/// how many were copied. The copy is on disk when this returns, and stands in one file.
///
/// # Errors
/// The store cannot be read, or the file cannot be written.
pub fn copy(from: &Path, to: &Path, mut progress: impl FnMut(u64, u64)) -> Answer<()> {
    let (place, into) = (from.display().to_string(), to.display().to_string());
    let of_source = |error| codec::store_error(&place, error);
    let of_copy = |error| codec::store_error(&into, error);
    let source = connect(from, &place, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // One snapshot from the first page to the last: without it the copy would begin anew with each commit of the hub.
    source.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema").map_err(of_source)?;
    make_private(to);
    let mut target = Connection::open(to).map_err(of_copy)?;
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").map_err(of_copy)?;
    let backup = Backup::new(&source, &mut target).map_err(of_copy)?;
    loop {
        let step = backup.step(PAGES_AT_ONCE).map_err(of_copy)?;
        let at = backup.progress();
        let count = |pages: i32| u64::try_from(pages).unwrap_or_default();
        progress(count(at.pagecount - at.remaining), count(at.pagecount));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => std::thread::sleep(BUSY_RETRY),
        }
    }
    drop(backup);
    // The copy is of a store with a write-ahead log; one that lies still needs none beside it.
    target.query_row("PRAGMA journal_mode = DELETE", (), |_| Ok(())).map_err(of_copy)?;
    target.close().map_err(|(_, error)| of_copy(error))?;
    File::open(to)
        .and_then(|file| file.sync_all())
        .map_err(|error| StoreError::Database { place: into.clone(), source: Box::new(error) })
}

/// Makes a store of a copy, in its place: brings it to the newest schema and begins another incarnation of the nation.
///
/// # Errors
/// The file is no national store, is of a newer release, or cannot be written.
pub fn revive(path: &Path, nation: u64, now_ms: i64) -> Answer<()> {
    let place = path.display().to_string();
    let mut connection = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    migrate(&mut connection, &place)?;
    lineage::begin_again(&mut connection, nation, now_ms).map_err(|error| codec::store_error(&place, error))?;
    connection.close().map_err(|(_, error)| codec::store_error(&place, error))
}

impl Sqlite {
    /// Opens a copy to look at it; nothing is written, and nothing can be written through this handle.
    ///
    /// # Errors
    /// There is no such file, or it is no database.
    pub fn open_copy(path: &Path) -> Answer<Self> {
        let place = path.display().to_string();
        let worker = |name| {
            let connection = connect(path, &place, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            Ok::<_, StoreError>(Worker::start(name, connection, &place))
        };
        Ok(Self { writer: worker("copy-writer")?, reader: worker("copy-reader")?, scanner: worker("copy-scanner")? })
    }
}
