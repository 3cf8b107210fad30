//! Why an import stopped. Rows that were settled before stay settled, and the same command goes on behind them.

use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::store::StoreError;

/// Why an import stopped, with the place and the remedy. No variant holds any part of an entry.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{path} cannot be read ({source}); check the path and its permissions", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has more than an import takes.
    #[error("{path} has more than {max} {unit}; split it and import the parts", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        max: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// The file is not whole, or is not what its name says.
    #[error("{path} is damaged or incomplete ({what}); ask for it to be delivered again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The mapping file is wrong.
    #[error("mapping {path}: {message}", path = path.display())]
    Mapping {
        /// The mapping file.
        path: PathBuf,
        /// The mistake, with its line.
        message: String,
    },
    /// The columns of the file are not those that are asked for.
    #[error("{path}: {message}", path = path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// What is missing, what was found, and the remedy.
        message: String,
    },
    /// The reject file cannot be written.
    #[error("reject file {path} cannot be written ({source}); free space, or name another with --rejects",
        path = path.display())]
    Rejects {
        /// The reject file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store's disk is full or failing.
    #[error(
        "store {store}: {source}; free space or replace the disk, then run the same import again: it goes on where \
             it stopped"
    )]
    Disk {
        /// The store's file.
        store: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Another program holds the store.
    #[error(
        "store {store} is locked by another program ({source}); run the same import again: it goes on where it \
             stopped"
    )]
    Busy {
        /// The store's file.
        store: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The store takes entries, but what it says of earlier changes keeps them from being sealed.
    #[error("store {store}: {source}; then run the same import again: it goes on where it stopped")]
    Sealing {
        /// The store's file.
        store: String,
        /// What is wrong, and the remedy.
        source: StoreError,
    },
    /// The store refused a statement.
    #[error("store {store}: {source}; check that it is a provincial store of this version")]
    Store {
        /// The store's file.
        store: String,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

impl ImportError {
    /// The error of a statement, by what the operator can do about it.
    pub(super) fn of_store(connection: &rusqlite::Connection, source: rusqlite::Error) -> Self {
        let store = name(connection);
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => {
                Self::Disk { store, source }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { store, source },
            _ => Self::Store { store, source },
        }
    }

    /// The error of sealing, which has its remedy.
    pub(super) fn of_sealing(connection: &rusqlite::Connection, source: StoreError) -> Self {
        match source {
            StoreError::Sqlite(source) => Self::of_store(connection, source),
            source => Self::Sealing { store: name(connection), source },
        }
    }
}

fn name(connection: &rusqlite::Connection) -> String {
    connection.path().filter(|path| !path.is_empty()).unwrap_or("in memory").to_owned()
}
