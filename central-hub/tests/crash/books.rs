//! The nation's database, as a test looks into it and does harm to it, whichever it is.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use super::clerks::open;
use super::cluster::Database;

/// The nation's database.
pub(crate) enum Books {
    /// The embedded one.
    File(PathBuf),
    /// A database of a PostgreSQL server, which is dropped with this.
    Server(Runtime, Database),
}

impl Books {
    /// The embedded store at a path.
    pub(crate) fn file(path: &Path) -> Self {
        Self::File(path.to_owned())
    }

    /// A fresh database on the server of the tests.
    pub(crate) fn server() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let database = runtime.block_on(Database::create());
        Self::Server(runtime, database)
    }

    /// Where the server's database is; `None` for a file.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Self::File(_) => None,
            Self::Server(_, database) => Some(database.url()),
        }
    }

    /// One number, by SQL that both databases understand.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        match self {
            Self::File(path) => open(path).query_row(sql, (), |row| row.get(0)).expect("reads"),
            Self::Server(runtime, database) => {
                let read = async { database.client().await.query_one(sql, &[]).await };
                runtime.block_on(read).expect("reads").get(0)
            }
        }
    }

    /// Carries SQL out.
    pub(crate) fn execute(&self, sql: &str) {
        match self {
            Self::File(path) => open(path).execute_batch(sql).expect("writes"),
            Self::Server(runtime, database) => {
                runtime.block_on(async { database.client().await.batch_execute(sql).await }).expect("writes");
            }
        }
    }

    /// The present state of every entry of a province: its key, version and bytes.
    pub(crate) fn entries(&self, origin: u16) -> Vec<(i64, i64, Vec<u8>)> {
        let sql = format!("SELECT record_id, CAST(version AS bigint), canonical FROM record WHERE origin = {origin}");
        match self {
            Self::File(path) => {
                let connection = open(path);
                let mut statement = connection.prepare(&sql).expect("reads");
                let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("reads");
                rows.collect::<Result<_, _>>().expect("reads")
            }
            Self::Server(runtime, database) => {
                let rows = runtime.block_on(async { database.client().await.query(&sql, &[]).await }).expect("reads");
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
            }
        }
    }
}
