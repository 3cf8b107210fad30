//! One daemon a store: a second one would send the same changes over a second stream.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StoreError;

/// How often the lock is tried: a `status` holds it for an instant when it looks whether a daemon runs.
const ATTEMPTS: usize = 5;
/// How long to wait between two attempts.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(20);

/// Held by the daemon for as long as it works on a store; the operating system frees it whatever ends the daemon.
#[derive(Debug)]
pub struct StoreLock {
    _file: File,
}

impl StoreLock {
    /// Takes the lock of the store at `path`: the file `PATH.lock` beside it.
    ///
    /// # Errors
    /// Another daemon holds it, or the file cannot be made.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let name = lock_path(path);
        let failed = |source| StoreError::File { what: format!("locking {}", name.display()), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
        for _ in 0..ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(ATTEMPT_INTERVAL),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Err(StoreError::InUse)
    }

    /// Whether a daemon works on the store at `path`.
    #[must_use]
    pub fn is_taken(path: &Path) -> bool {
        let held = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(lock_path(path)).is_ok_and(held)
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_second_daemon_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("province.db");
        assert!(!StoreLock::is_taken(&path));
        let first = StoreLock::take(&path).unwrap();
        assert!(StoreLock::is_taken(&path));
        assert!(matches!(StoreLock::take(&path), Err(StoreError::InUse)));
        drop(first);
        assert!(!StoreLock::is_taken(&path));
        StoreLock::take(&path).unwrap();
    }
}
