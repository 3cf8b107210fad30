//! The judge's seat: one process sits in it, another one takes it when the first is gone.
//!
//! An advisory lock on a connection of its own says who sits; the server frees it when the connection ends. The lock only
//! chooses. What protects the registry is the term: whoever sits down raises it, and a commit of an earlier term is
//! refused in its own transaction, however late it comes.

use super::codec;
use super::error::{Fault, Outcome};
use super::pool::{Connection, Settings};

/// The lock of the seat: "hoti" and 2.
const LOCK: &str = "SELECT pg_try_advisory_lock(1752134761, 2)";
/// The server notices within seconds that the machine of a judge is gone.
const SIGNS_OF_LIFE: &str =
    "SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 2";
/// The schema into which a registry is moved when another one takes its place; nobody sees what is in it.
pub(super) const OLD: &str = "hotich_old";
const SIT_DOWN: &str = "UPDATE judge SET term = term + 1 WHERE one = 1 RETURNING term";

/// Where this process stands.
#[derive(Default)]
pub(super) enum Seat {
    /// It never asked, or lost what it had.
    #[default]
    Away,
    /// Another process sits; this one asks again on the same connection.
    Beside(Connection),
    /// It sits: the connection that holds the lock, and the term.
    Taken(Connection, i64),
}

impl Seat {
    /// The term in which this process judges.
    pub(super) const fn term(&self) -> Option<i64> {
        match self {
            Self::Taken(_, term) => Some(*term),
            Self::Away | Self::Beside(_) => None,
        }
    }

    /// Takes the seat or keeps it; `None` while another process sits.
    pub(super) async fn take(&mut self, settings: &Settings) -> Outcome<Option<i64>> {
        let connection = match std::mem::take(self) {
            Self::Taken(connection, term) if !connection.is_closed() => {
                *self = Self::Taken(connection, term);
                return Ok(Some(term));
            }
            Self::Beside(connection) if !connection.is_closed() => connection,
            _ => {
                let connection = settings.connect().await?;
                connection.batch(SIGNS_OF_LIFE).await?;
                connection
            }
        };
        let value = async |sql| {
            let row = connection.query(sql, []).await?.pop();
            row.ok_or(Fault::Damaged("the judge's seat"))
        };
        if !codec::get::<bool>(&value(LOCK).await?, 0)? {
            *self = Self::Beside(connection);
            return Ok(None);
        }
        let term = codec::get(&value(SIT_DOWN).await?, 0)?;
        // A judge who came to an end between taking a registry's place and clearing away what stood there has left it.
        let clear = format!("BEGIN; SET LOCAL statement_timeout = 0; DROP SCHEMA IF EXISTS {OLD} CASCADE; COMMIT");
        connection.batch(&clear).await?;
        *self = Self::Taken(connection, term);
        Ok(Some(term))
    }
}
