//! Opening the national store that a URL names.

use std::path::PathBuf;

use hub_store::postgres::{Postgres, PostgresUrl};
use hub_store::sqlite::Sqlite;
use hub_store::{AnyStore, StoreError};

/// Where a password for the server stands that is not written in the URL, which other users of the machine can see.
const PASSWORD: &str = "PGPASSWORD";

/// Where the national store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// The embedded store in this file.
    Sqlite(PathBuf),
    /// The store on this server.
    Postgres(PostgresUrl),
}

impl std::str::FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.parse()?)),
            _ => Err("a store is written sqlite:PATH or postgres://USER@HOST/DATABASE, for example \
                      sqlite:/var/lib/hotich/national.db"
                .to_owned()),
        }
    }
}

impl StoreUrl {
    /// Opens the store, and creates it if `create` and it is not there.
    ///
    /// # Errors
    /// The store is absent, of another program or a newer release, or cannot be read.
    pub async fn open(&self, create: bool) -> Result<AnyStore, StoreError> {
        match self {
            Self::Sqlite(path) if create => Sqlite::open(path).map(AnyStore::Sqlite),
            Self::Sqlite(path) => Sqlite::open_existing(path).map(AnyStore::Sqlite),
            Self::Postgres(url) => {
                let url = url.clone().with_password(std::env::var(PASSWORD).ok());
                let opened = if create { Postgres::open(&url).await } else { Postgres::open_existing(&url).await };
                opened.map(AnyStore::Postgres)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_named_by_its_kind() {
        assert!(matches!("sqlite:national.db".parse(), Ok(StoreUrl::Sqlite(_))));
        assert!(matches!("postgres://hub@db/nation".parse(), Ok(StoreUrl::Postgres(_))));
        for wrong in ["", "sqlite:", "national.db", "mysql://db", "postgres://"] {
            assert!(wrong.parse::<StoreUrl>().is_err(), "{wrong}");
        }
    }
}
