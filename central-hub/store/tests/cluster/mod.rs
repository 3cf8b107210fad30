//! A PostgreSQL for tests: the one that `HOTICH_POSTGRES` names, or a private one that ends with this process.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its part; a test ends where its server fails")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use hub_store::postgres::{Postgres, PostgresUrl};
use tokio_postgres::{Client, NoTls};

/// The cluster of this process. The script stops it when its standard input closes, however this process ends.
struct Private {
    _script: Child,
    url: String,
}

fn server() -> String {
    static PRIVATE: OnceLock<Private> = OnceLock::new();
    if let Ok(url) = std::env::var("HOTICH_POSTGRES") {
        return url;
    }
    let private = PRIVATE.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join(".ci/postgres"));
        let mut script =
            Command::new(script.into_iter().find(|path| path.exists()).expect("a script of this repository"))
                .args(["sh", "-c", "echo $HOTICH_POSTGRES; exec cat"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("the script of this repository starts");
        let mut url = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Private { _script: script, url: url.trim().to_owned() }
    });
    assert!(!private.url.is_empty(), "no PostgreSQL: run .ci/need postgres, or set HOTICH_POSTGRES");
    private.url.clone()
}

/// A fresh database; it is dropped with this.
pub(crate) struct Database {
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        let name = format!("hotich_{:016x}", rand::random::<u64>());
        client(&server()).await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        Self { name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its URL with every password and parameter.
    pub(crate) fn url(&self) -> String {
        let server = server();
        let (base, query) = server.split_once('?').unwrap_or((&server, ""));
        let (host, _) = base.rsplit_once('/').unwrap();
        if query.is_empty() { format!("{host}/{}", self.name) } else { format!("{host}/{}?{query}", self.name) }
    }

    pub(crate) fn store_url(&self) -> PostgresUrl {
        self.url().parse().unwrap()
    }

    /// A store that sits in the judge's seat.
    pub(crate) async fn store(&self) -> Postgres {
        use hub_store::Registry as _;
        let store = Postgres::open(&self.store_url()).await.expect("a fresh store");
        assert!(store.lead().await.unwrap().is_some());
        store
    }

    /// A plain connection to look and to do harm with.
    pub(crate) async fn client(&self) -> Client {
        client(&self.url()).await
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let drops = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let dropped = runtime.block_on(async { client(&server()).await.batch_execute(&statement).await });
            dropped.unwrap();
        });
        drops.join().unwrap();
    }
}

pub(crate) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server of the tests answers");
    tokio::spawn(connection);
    client
}
