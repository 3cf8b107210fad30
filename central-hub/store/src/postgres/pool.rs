//! Connections: few, ready, and given up at the first doubt.
//!
//! A piece of work is a whole transaction. It is tried again on a new connection when its fault may pass, so each must
//! mean the same the second time: it is idempotent, or its first statement tells whether it was done.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::try_join_all;
use rand::Rng as _;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Duration, Instant, sleep};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Fault, Outcome};
use super::statements::HOT;
use crate::error::StoreError;
use crate::national::Answer;

/// Connections of one process: the judge, the journal, and sessions and commands beside them.
const CONNECTIONS_MAX: usize = 8;
/// How long one statement may take, in milliseconds: the longest of the daily ones takes a second.
pub(super) const STATEMENT_TIMEOUT_MS: u32 = 60_000;
/// How long a statement waits for somebody else's lock, in milliseconds.
pub(super) const LOCK_TIMEOUT_MS: u32 = 10_000;
/// How long a transaction may lie open without a word, in milliseconds: the process that held it is gone.
const IDLE_TRANSACTION_TIMEOUT_MS: u32 = 30_000;
/// How long a transaction is tried again, from its first fault: a failover takes seconds.
const RETRY: Duration = Duration::from_secs(10);
/// The first pause before a transaction is tried again; each following one is twice as long.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Where the server is and how to speak to it.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: MakeRustlsConnect,
    /// The server and the database, without user and password.
    pub(super) place: String,
    /// Where the tables are sought first and next, instead of where the server says. What is built there is begun anew
    /// when the server falls, so that its commits need not wait for the disk.
    pub(super) schema: Option<(&'static str, String)>,
}

/// An open connection with its prepared statements.
pub(super) struct Connection {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

/// Some connections to one server.
pub(super) struct Pool {
    settings: Settings,
    idle: Mutex<Vec<Arc<Connection>>>,
    places: Semaphore,
}

impl Settings {
    /// A connection on which nothing is prepared.
    pub(super) async fn connect(&self) -> Outcome<Connection> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        // The task ends with the connection; whoever waits for an answer hears of it.
        tokio::spawn(connection);
        client
            .batch_execute(&format!(
                "SET statement_timeout = {STATEMENT_TIMEOUT_MS}; SET lock_timeout = {LOCK_TIMEOUT_MS};
                 SET idle_in_transaction_session_timeout = {IDLE_TRANSACTION_TIMEOUT_MS};
                 SET client_min_messages = error; SET jit = off;
                 SELECT set_config('synchronous_commit', 'on', false)
                 WHERE current_setting('synchronous_commit') = 'off'"
            ))
            .await?;
        if let Some((first, next)) = &self.schema {
            client.batch_execute(&format!("SET search_path = {first}, {next}; SET synchronous_commit = off")).await?;
        }
        Ok(Connection { client, statements: Mutex::default() })
    }
}

impl Connection {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements without parameters, one after the other.
    pub(super) async fn batch(&self, sql: &str) -> Outcome<()> {
        Ok(self.client.batch_execute(sql).await?)
    }

    /// Runs a statement that is prepared once a connection. One that is prepared already is sent at the first poll, so
    /// futures that are polled in order arrive in order.
    pub(super) async fn query<const N: usize>(
        &self,
        sql: &'static str,
        by: [&(dyn ToSql + Sync); N],
    ) -> Outcome<Vec<Row>> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        let statement = match known {
            Some(statement) => statement,
            None => self.prepare(sql).await?,
        };
        Ok(self.client.query(&statement, &by).await?)
    }

    /// The same, when there is a row at all to ask or write about.
    pub(super) async fn query_if<const N: usize>(
        &self,
        any: bool,
        sql: &'static str,
        by: [&(dyn ToSql + Sync); N],
    ) -> Outcome<Vec<Row>> {
        if any { self.query(sql, by).await } else { Ok(Vec::new()) }
    }

    /// Begins to pour rows into a table.
    pub(super) async fn copy_in(&self, sql: &str, types: &[Type]) -> Outcome<BinaryCopyInWriter> {
        Ok(BinaryCopyInWriter::new(self.client.copy_in(sql).await?, types))
    }

    /// Runs a statement that was put together for this call.
    pub(super) async fn query_once(&self, sql: &str, by: &[&(dyn ToSql + Sync)]) -> Outcome<Vec<Row>> {
        Ok(self.client.query(sql, by).await?)
    }

    async fn prepare(&self, sql: &'static str) -> Outcome<Statement> {
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, idle: Mutex::default(), places: Semaphore::new(CONNECTIONS_MAX) }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Runs a piece of work on a connection, and again on a new one while its fault may pass. The work is told how often
    /// it was tried before.
    pub(super) async fn run<T, F>(&self, work: impl Fn(Arc<Connection>, u32) -> F + Sync) -> Answer<T>
    where
        F: Future<Output = Outcome<T>> + Send,
    {
        let (mut tries, mut first_fault) = (0, None);
        loop {
            let attempt = async {
                let lease = self.take(tries > 0).await?;
                let answer = work(Arc::clone(&lease.connection), tries).await?;
                lease.give_back();
                Ok(answer)
            };
            let fault: Fault = match attempt.await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            let since = *first_fault.get_or_insert_with(Instant::now);
            if !fault.is_passing() || since.elapsed() >= RETRY {
                return Err(fault.into_store_error(&self.settings.place));
            }
            // What waits there is of the same server.
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).retain(|connection| !connection.is_closed());
            let pause = PAUSE.saturating_mul(1 << tries.min(6)).min(PAUSE_MAX);
            let jitter = rand::rng().random_range(0.5..1.0);
            sleep(pause.mul_f64(jitter)).await;
            tries += 1;
        }
    }

    async fn take(&self, fresh: bool) -> Outcome<Lease<'_>> {
        let place = self.places.acquire().await.map_err(|_| StoreError::Closed)?;
        let idle = if fresh { None } else { self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() };
        let connection = match idle.filter(|connection| !connection.is_closed()) {
            Some(connection) => connection,
            None => {
                let connection = self.settings.connect().await?;
                try_join_all(HOT.iter().map(|(_, sql)| connection.prepare(sql))).await?;
                Arc::new(connection)
            }
        };
        Ok(Lease { connection, pool: self, _place: place })
    }
}

/// A connection while it is used. Dropped, it is closed, and the server undoes what was not committed.
struct Lease<'a> {
    connection: Arc<Connection>,
    pool: &'a Pool,
    _place: SemaphorePermit<'a>,
}

impl Lease<'_> {
    fn give_back(self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
    }
}
