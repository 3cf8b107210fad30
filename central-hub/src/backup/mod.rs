//! Backups of the embedded store: made while the hub serves, checked before they are believed, and tried out.
//!
//! A backup is a folder with one file and a manifest that says what is in it. A nation that came back from one is another
//! incarnation: its provinces notice, and send again what it has lost.

mod manifest;
mod restore;
mod drill;

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use hub_store::StoreError;
use hub_store::sqlite;
use thiserror::Error;

use crate::ruling::RulingError;

pub use drill::{DrillReport, drill, drill_server};
pub use manifest::Manifest;
pub use restore::restore;

/// The copy of the store in the folder of a backup.
const COPY: &str = "national.db";
/// What a folder is called while the backup in it is not whole.
const PARTIAL: &str = ".partial";

/// Why a backup was not made, or a nation not brought back.
#[derive(Debug, Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("{0}: there is something already, and nothing is overwritten; name another place, or move it away")]
    Taken(PathBuf),
    /// There is no backup.
    #[error("{0}: there is no backup here: no manifest.json")]
    Absent(PathBuf),
    /// The backup is not what was written.
    #[error("{place}: {what}; take an older backup, and look at the disk that this one lay on")]
    Damaged {
        /// The file.
        place: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A later release wrote it.
    #[error("{place}: the backup is of a later release ({what}); upgrade this program")]
    Newer {
        /// The manifest.
        place: PathBuf,
        /// What is not known.
        what: String,
    },
    /// A file cannot be read or written.
    #[error("{place}: {source}")]
    Io {
        /// The file.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The nation was judged under another ruling.
    #[error(transparent)]
    Ruling(#[from] RulingError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes a backup of the store in a file into a new folder, while the hub may go on. `progress` hears how many pages of how
/// many were copied.
///
/// # Errors
/// The folder is there already, or something cannot be read or written; nothing is left behind then.
pub async fn make(
    store: &Path,
    folder: &Path,
    now_ms: i64,
    progress: impl FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let partial = beside(folder, PARTIAL);
    for taken in [folder, &partial] {
        if taken.exists() {
            return Err(BackupError::Taken(taken.to_owned()));
        }
    }
    // Everybody's names are in it: until it is encrypted and away it is its owner's.
    fs::DirBuilder::new().mode(0o700).create(&partial).map_err(|source| io_error(&partial, source))?;
    let made = fill(store, &partial, now_ms, progress).await;
    let renamed = made.and_then(|manifest| {
        fs::rename(&partial, folder)
            .and_then(|()| sync_folder_of(folder))
            .map_err(|source| io_error(folder, source))?;
        Ok(manifest)
    });
    if renamed.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_dir_all(&partial);
    }
    renamed
}

async fn fill(
    store: &Path,
    folder: &Path,
    now_ms: i64,
    progress: impl FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let copy = folder.join(COPY);
    sqlite::copy(store, &copy, progress)?;
    fail::fail_point!("hub.backup.copied");
    let manifest = Manifest::of(&copy, now_ms).await?;
    manifest.write(folder)?;
    fail::fail_point!("hub.backup.written");
    Ok(manifest)
}

/// The path with something behind its last part.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Makes what was renamed there stand after a power cut.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

fn io_error(place: &Path, source: io::Error) -> BackupError {
    BackupError::Io { place: place.to_owned(), source }
}
