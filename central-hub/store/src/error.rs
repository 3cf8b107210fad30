//! What can go wrong with a store, by what the caller can do about it.

use thiserror::Error;

/// A store could not do what it was asked. Nothing of the refused call has taken effect.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The disk is full: free space, then try again; everything acknowledged is safe.
    #[error("{place}: the disk is full; free space there, and the hub goes on by itself")]
    Full {
        /// The database.
        place: String,
    },
    /// Somebody else holds the store, or it is busy: try again.
    #[error("{place}: the store is busy; try again, and look for another program that writes to it")]
    Busy {
        /// The database.
        place: String,
    },
    /// The store may be read and not written.
    #[error(
        "{place}: the store is read-only; of a file check the owner and the mode, of a server that it is the primary"
    )]
    ReadOnly {
        /// The database.
        place: String,
    },
    /// There is no store, or it is no database.
    #[error("{place}: {reason}")]
    Unusable {
        /// The database.
        place: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A row does not hold what this program wrote there.
    #[error("{place}: {what} is damaged; run `central-hub audit` and restore from a backup")]
    Damaged {
        /// The database.
        place: String,
        /// What cannot be read.
        what: String,
    },
    /// The database refused for a reason of its own.
    #[error("{place}: {source}")]
    Database {
        /// The database.
        place: String,
        /// Its word.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store was closed.
    #[error("the store was closed")]
    Closed,
}
