//! Files that only their owner may read: keys, tokens, certificates, and the lists that say which of them count.
//!
//! What is read is bounded and, where it is a secret, refused as soon as others may read it. What is written is there
//! whole or not at all, and stays there when the power fails: the folder is made durable with the file.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Access of the group and of others, which a secret must not have.
const FOREIGN_ACCESS: u32 = 0o077;
/// Access of others, which a secret that a service manager hands over must not have.
const STRANGERS_ACCESS: u32 = 0o007;
/// Where a service manager puts the secrets of a service (systemd.exec, `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// The system refuses to read or write it.
    #[error("{path}: {error}", path = .path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// Why; a part of the message, so it is no further cause.
        error: io::Error,
    },
    /// Others may read or change a secret.
    #[error(
        "{path} is open to others (mode {mode:03o}): run `chmod 600 {path}`, and if others have used this machine \
         replace the key or token in it",
        path = .path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is larger than anything that belongs there.
    #[error("{path} has more than {bytes_max} bytes: this is not the file that belongs there", path = .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        bytes_max: u64,
    },
}

impl FileError {
    /// What a system error about a file means.
    #[must_use]
    pub fn system(path: &Path, error: io::Error) -> Self {
        Self::System { path: path.to_owned(), error }
    }

    /// Whether the file is simply not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::System { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether permissions are what is wrong.
    #[must_use]
    pub fn is_about_permissions(&self) -> bool {
        match self {
            Self::Open { .. } => true,
            Self::System { error, .. } => error.kind() == io::ErrorKind::PermissionDenied,
            Self::TooLarge { .. } => false,
        }
    }
}

/// Reads a file that anybody may read.
///
/// # Errors
/// It cannot be read, or has more than `bytes_max` bytes.
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|error| FileError::system(path, error))?;
    read_open(&file, path, bytes_max)
}

/// Reads a file that nobody but its owner may read; one that a service manager hands over may be its group's.
///
/// # Errors
/// Others may read it, it cannot be read, or it has more than `bytes_max` bytes.
pub fn read_secret(path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let failed = |error| FileError::system(path, error);
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    let handed_over = std::env::var_os(CREDENTIALS).is_some_and(|folder| path.starts_with(folder));
    let foreign = if handed_over { STRANGERS_ACCESS } else { FOREIGN_ACCESS };
    if mode & foreign != 0 {
        return Err(FileError::Open { path: path.to_owned(), mode });
    }
    read_open(&file, path, bytes_max)
}

fn read_open(file: &File, path: &Path, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    let mut content = Vec::new();
    let read = file.take(bytes_max.saturating_add(1)).read_to_end(&mut content);
    read.map_err(|error| FileError::system(path, error))?;
    if content.len() as u64 > bytes_max {
        return Err(FileError::TooLarge { path: path.to_owned(), bytes_max });
    }
    Ok(content)
}

/// Puts a file in its place, whole or not at all; only its owner may read it, also when there was another before.
///
/// # Errors
/// It cannot be written, or something that is no file is in its place.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let replaced = check_place(path).and_then(|()| write_fresh(&fresh, content)).and_then(|()| {
        std::fs::rename(&fresh, path)?;
        sync_folder(path)
    });
    replaced.map_err(|error| {
        // Half a secret helps nobody; the first error is the one to report.
        let _ = std::fs::remove_file(&fresh);
        FileError::system(path, error)
    })
}

/// A device or a pipe would be replaced by a file.
fn check_place(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no plain file")),
        _ => Ok(()),
    }
}

fn write_fresh(fresh: &Path, content: &[u8]) -> io::Result<()> {
    match std::fs::remove_file(fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(fresh)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Adds a line to a file and makes it durable. Half a line that an earlier writer left behind is taken away first: what
/// it was about was never reported as done. Whoever writes beside others holds a lock.
///
/// # Errors
/// It cannot be written.
pub fn append_line(path: &Path, line: &str) -> Result<(), FileError> {
    let append = || {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let end = whole_lines_bytes(&mut file)?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()?;
        if end == 0 { sync_folder(path) } else { Ok(()) }
    };
    append().map_err(|error| FileError::system(path, error))
}

/// How many bytes of a file are whole lines.
fn whole_lines_bytes(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut byte = [0];
    while end > 0 {
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut byte)?;
        if byte == *b"\n" {
            break;
        }
        end -= 1;
    }
    Ok(end)
}

/// The whole lines of a file that [`append_line`] writes; half a line at its end counts as not written, and a file that
/// is not there has none.
///
/// # Errors
/// It cannot be read, is no text, or has more than `bytes_max` bytes.
pub fn read_lines(path: &Path, bytes_max: u64) -> Result<Vec<String>, FileError> {
    let content = match read(path, bytes_max) {
        Ok(content) => content,
        Err(error) if error.is_absent() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let end = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let text = std::str::from_utf8(&content[..end]);
    let text = text.map_err(|error| FileError::system(path, io::Error::new(io::ErrorKind::InvalidData, error)))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Removes a file for good: it does not come back when the power fails. Of two that remove it at once, one is refused.
///
/// # Errors
/// It is not there, or cannot be removed.
pub fn remove(path: &Path) -> Result<(), FileError> {
    let removed = std::fs::remove_file(path).and_then(|()| sync_folder(path));
    removed.map_err(|error| FileError::system(path, error))
}

/// Makes a folder that only its owner may enter; one that is there stays as it is.
///
/// # Errors
/// It cannot be made.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| FileError::system(path, error))
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
