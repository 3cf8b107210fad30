//! What can go wrong with a store, by what its keeper can do about it.

use std::path::PathBuf;

use registry_schema::ids::Origin;
use rusqlite::ErrorCode;
use thiserror::Error;

use crate::exit::Exit;

/// A store could not be opened, read or written. Messages name the remedy and never what an entry says.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no file at the path.
    #[error("there is no store at {0}: create it with `sync-agent init`, or correct the path")]
    Absent(PathBuf),
    /// The file is no SQLite database, or is encrypted.
    #[error("the file is not an SQLite database: check the path of the store")]
    NotADatabase,
    /// The database has no agent's state yet.
    #[error("the store is not initialised: run `sync-agent init --store PATH --province CODE@EDITION ...`")]
    NotInitialised,
    /// The database was initialised before.
    #[error("the store already belongs to {0}: an initialised store is never initialised again")]
    AlreadyInitialised(Origin),
    /// The store belongs to another province than the configuration says.
    #[error("the store belongs to {store}, the configuration says {configured}: correct `province` or `store`")]
    OtherProvince {
        /// Whose store it is.
        store: Origin,
        /// What the configuration says.
        configured: Origin,
    },
    /// A newer release changed the store's schema.
    #[error("the store has schema version {found}, this program knows up to {known}: install the newer release")]
    Newer {
        /// The store's schema version.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// A table or trigger is not that of the reference schema.
    #[error("the store's {0}: recreate it from the reference schema, since changes would be lost without it")]
    SchemaDiffers(String),
    /// The store contradicts itself.
    #[error("the store is damaged: {0}. Stop every program that writes to it and restore it from a backup")]
    Damaged(String),
    /// The store does not keep what it commits.
    #[error("the store cannot be made durable ({0}): keep it on a local disk, not on a network share")]
    NotDurable(String),
    /// The disk is full.
    #[error("the disk of the store is full: free some space; nothing is lost, and the agent goes on by itself")]
    Full,
    /// Another program holds the store's lock.
    #[error(
        "another program holds the store for long: end its transaction. `sync-agent run` tries again by itself; give any \
         other command again"
    )]
    Locked,
    /// The file or its folder cannot be written.
    #[error("the store is read-only: give this user the right to write to the file and to its folder")]
    ReadOnly,
    /// The file cannot be opened.
    #[error("the store cannot be opened: check that this user may read and write the file and its folder")]
    CannotOpen,
    /// Another agent runs on this store.
    #[error("another sync-agent works on this store: stop it first")]
    InUse,
    /// The thread that holds the store has ended.
    #[error("the store was closed")]
    Closed,
    /// A file beside the store could not be used.
    #[error("{what} failed")]
    File {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Any other failure of SQLite.
    #[error("the store could not be used")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    /// The exit code that tells a script what to do.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Absent(_) | Self::NotInitialised => Exit::Unavailable,
            Self::NotADatabase | Self::SchemaDiffers(_) | Self::Damaged(_) => Exit::Data,
            Self::AlreadyInitialised(_) | Self::OtherProvince { .. } | Self::Newer { .. } => Exit::Config,
            Self::Locked | Self::InUse => Exit::TryAgain,
            Self::ReadOnly | Self::CannotOpen => Exit::Permission,
            Self::Full | Self::NotDurable(_) | Self::File { .. } => Exit::Io,
            Self::Closed | Self::Sqlite(_) => Exit::Failure,
        }
    }

    /// Whether waiting may help: the agent goes on by itself instead of ending.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Locked | Self::Full | Self::File { .. } | Self::Sqlite(_))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::CannotOpen,
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged("SQLite finds its pages malformed".to_owned()),
            _ => Self::Sqlite(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: i32, expected: Exit) {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        assert_eq!(StoreError::from(error).exit(), expected, "{code}");
    }

    #[test]
    fn failures_of_sqlite_are_told_apart_by_remedy() {
        check(rusqlite::ffi::SQLITE_FULL, Exit::Io);
        check(rusqlite::ffi::SQLITE_BUSY, Exit::TryAgain);
        check(rusqlite::ffi::SQLITE_READONLY, Exit::Permission);
        check(rusqlite::ffi::SQLITE_CANTOPEN, Exit::Permission);
        check(rusqlite::ffi::SQLITE_NOTADB, Exit::Data);
        check(rusqlite::ffi::SQLITE_CORRUPT, Exit::Data);
        check(rusqlite::ffi::SQLITE_MISUSE, Exit::Failure);
    }
}
