//! Opening the national store that a URL names.

use std::path::PathBuf;

use hub_store::StoreError;
use hub_store::sqlite::Sqlite;

/// Where the national store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded store in this file.
    Sqlite(PathBuf),
}

impl std::str::FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err("a store is written sqlite:PATH, for example sqlite:/var/lib/hotich/national.db".to_owned()),
        }
    }
}

impl StoreUrl {
    /// Opens the store, and creates it if `create` and it is not there.
    ///
    /// # Errors
    /// The store is absent, of another program or a newer release, or cannot be read.
    pub async fn open(&self, create: bool) -> Result<Sqlite, StoreError> {
        match self {
            Self::Sqlite(path) if create => Sqlite::open(path),
            Self::Sqlite(path) => Sqlite::open_existing(path),
        }
    }
}
