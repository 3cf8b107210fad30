//! A clerk who writes into a province's store and looks on until the nation has it.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::Agent;

/// How long a clerk waits for one entry before the test is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a clerk looks.
const LOOK: Duration = Duration::from_millis(2);

/// A clerk's own connection to the store.
pub(crate) struct Clerk {
    connection: Connection,
    written: i64,
}

impl Clerk {
    pub(crate) fn new(agent: &Agent) -> Self {
        let connection = Connection::open(agent.path("store.db")).expect("opens");
        connection.busy_timeout(PATIENCE).expect("a timeout");
        Self { connection, written: 0 }
    }

    /// Writes many deaths of the backlog at once; the agent does not run yet.
    pub(crate) fn fill_backlog(&self, entries: u64) {
        let sql = format!(
            "BEGIN;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {entries})
             INSERT INTO deaths (record_id, number, registration_date, authority, deceased_name, deceased_birth_date,
                 event_date)
             SELECT 1000000 + i, i, '05.03.1999', '01.00001', 'Lê ' || char(65 + i % 26, 97 + i / 26 % 26), 
                 printf('%02d.%02d.%d', 1 + i % 28, 1 + i / 28 % 12, 1900 + i % 90), '01.02.1999' FROM n;
             UPDATE change_log SET backlog = 1;
             COMMIT;"
        );
        self.connection.execute_batch(&sql).expect("fills");
    }

    /// Writes one birth; how long it takes from the commit until it is applied in the nation.
    pub(crate) fn write(&mut self) -> Duration {
        self.written += 1;
        let sql = "INSERT INTO births (record_id, number, book, registration_date, authority, child_name, child_sex,
                       child_birth_date) VALUES (?1, ?1, '01/2020', '05.03.2020', '01.00001', 'Nguyễn An', '1', '01.03.2020')";
        self.connection.execute(sql, params![self.written]).expect("writes");
        let began = Instant::now();
        while !self.is_applied() {
            assert!(began.elapsed() < PATIENCE, "birth {} is not applied", self.written);
            std::thread::sleep(LOOK);
        }
        began.elapsed()
    }

    fn is_applied(&self) -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM change_log JOIN lanes USING (lane)
                                  WHERE record_id = ?1 AND seq <= applied_seq)";
        self.connection.query_row(sql, [self.written], |row| row.get(0)).expect("reads")
    }

    /// How many changes of the backlog the centre has received.
    pub(crate) fn backlog_received(&self) -> u64 {
        let sql = "SELECT received_seq FROM lanes WHERE lane = 3";
        self.connection.query_row(sql, (), |row| row.get::<_, i64>(0)).expect("reads").unsigned_abs()
    }
}
