//! The national store on PostgreSQL 15 and later, for many hubs and tens of millions of entries.
//!
//! Any number of hubs append to the journal; one of them judges at a time. Every transaction is a few round trips of
//! statements that follow each other without waiting, each about many rows by key. What was acknowledged is on the
//! server's disk.

mod statements;
mod error;
mod place;
mod pool;
mod migrate;
mod seat;
mod codec;
mod journal;
mod pages;
mod load;
mod commit;
mod registry;
mod cases;
mod holdings;
mod ledger;
mod lineage;
mod pour;
mod aside;

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::national::Answer;
use pool::Pool;
use seat::Seat;

pub use aside::{Aside, Remains};
pub use pages::{Stand, high_byte};
pub use place::PostgresUrl;

/// The national store on PostgreSQL. Cloning gives another handle to the same connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Arc<Pool>,
    seat: Arc<Mutex<Seat>>,
}

impl Postgres {
    /// Opens the store, and creates its tables in an empty database.
    ///
    /// # Errors
    /// The server is absent, too old, read-only, or refuses the user; the database is absent, foreign, or of a newer
    /// release.
    pub async fn open(url: &PostgresUrl) -> Answer<Self> {
        Self::connect(url, true).await
    }

    /// Opens a store that exists, for commands that only look.
    ///
    /// # Errors
    /// As [`Postgres::open`], and when there are no tables; a read-only server is taken.
    pub async fn open_existing(url: &PostgresUrl) -> Answer<Self> {
        Self::connect(url, false).await
    }

    async fn connect(url: &PostgresUrl, create: bool) -> Answer<Self> {
        let settings = url.settings()?;
        let migrated = migrate::migrate(&settings, create).await;
        migrated.map_err(|fault| fault.into_store_error(&settings.place))?;
        Ok(Self { pool: Arc::new(Pool::new(settings)), seat: Arc::default() })
    }

    /// The statements of the hot path by name, so that a test can look at their plans.
    #[cfg(feature = "conformance")]
    #[must_use]
    pub const fn hot_statements() -> &'static [(&'static str, &'static str)] {
        statements::HOT
    }
}
