//! Bringing a nation back: from a backup into an empty place.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hub_store::Registry as _;
use hub_store::sqlite::{Sqlite, revive};

use super::manifest::hash;
use super::{BackupError, COPY, Manifest, PARTIAL, beside, io_error, sync_folder_of};

/// Brings the nation of a backup back as a store in a new file, as another incarnation of it. The file appears when it is
/// whole and checked.
///
/// # Errors
/// Something is there already, the backup is damaged or of a later release, or a file cannot be read or written; nothing is
/// left behind then.
pub async fn restore(backup: &Path, to: &Path, nation: u64, now_ms: i64) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(backup)?;
    let partial = beside(to, PARTIAL);
    for taken in [to, &partial, &beside(to, "-wal"), &beside(to, "-shm")] {
        if taken.exists() {
            return Err(BackupError::Taken(taken.to_owned()));
        }
    }
    let brought = bring(&manifest, &backup.join(COPY), &partial, nation, now_ms).await;
    let renamed = brought.and_then(|()| {
        fs::rename(&partial, to).and_then(|()| sync_folder_of(to)).map_err(|source| io_error(to, source))
    });
    if renamed.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&partial);
    }
    renamed.map(|()| manifest)
}

async fn bring(manifest: &Manifest, copy: &Path, to: &Path, nation: u64, now_ms: i64) -> Result<(), BackupError> {
    let damaged = |what: &str| BackupError::Damaged { place: copy.to_owned(), what: what.to_owned() };
    let mut options = File::options();
    let mut file = options.write(true).create_new(true).mode(0o600).open(to).map_err(|source| io_error(to, source))?;
    let (bytes, sha256) = hash(copy, &mut file)?;
    if (bytes, &sha256) != (manifest.bytes, &manifest.sha256) {
        return Err(damaged("it is not the file that the manifest speaks of (size or SHA-256 differ)"));
    }
    file.sync_all().map_err(|source| io_error(to, source))?;
    drop(file);
    let digest = Sqlite::open_copy(to)?.digests().await?.digests.national().to_string();
    if digest != manifest.national_digest {
        return Err(damaged("its national digest is not the one of the manifest"));
    }
    fail::fail_point!("hub.restore.checked");
    Ok(revive(to, nation, now_ms)?)
}
