//! What a server can answer instead of rows, sorted by what can be done about it.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// What a piece of work ends with that did not succeed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server or the way to it.
    Server(tokio_postgres::Error),
    /// A row that does not hold what this program wrote there.
    Damaged(&'static str),
    /// Something that is said in full already.
    Said(StoreError),
}

/// What a piece of work ends with.
pub(super) type Outcome<T> = Result<T, Fault>;

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Said(error)
    }
}

impl Fault {
    /// Whether the same transaction may succeed a moment later on a new connection.
    ///
    /// Others were in the way (40001, 40P01), the server ends, starts or gives its place to another one (57P01 to 57P03,
    /// 08, 25006), has no free place (53300), a plan is older than its table (0A000), a row that was said to be new is
    /// there (23505: the second try looks before it writes), an earlier statement of the transaction was refused and the
    /// answers to those behind it were read first (25P02: the next try tells why), or the connection is gone.
    pub(super) fn is_passing(&self) -> bool {
        let Self::Server(error) = self else { return false };
        match error.code() {
            Some(code) => {
                let passing = [
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    SqlState::T_R_DEADLOCK_DETECTED,
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                    SqlState::READ_ONLY_SQL_TRANSACTION,
                    SqlState::TOO_MANY_CONNECTIONS,
                    SqlState::FEATURE_NOT_SUPPORTED,
                    SqlState::UNIQUE_VIOLATION,
                    SqlState::IN_FAILED_SQL_TRANSACTION,
                ];
                passing.contains(code) || code.code().starts_with("08")
            }
            None => error.is_closed() || cause::<std::io::Error>(error).is_some(),
        }
    }

    /// The error for the caller, without anything that stands in a row: a server quotes whole rows in its details.
    pub(super) fn into_store_error(self, place: &str) -> StoreError {
        let place = place.to_owned();
        match self {
            Self::Said(error) => error,
            Self::Damaged(what) => StoreError::Damaged { place, what: what.to_owned() },
            Self::Server(error) => match error.code().cloned() {
                Some(code) => refused(place, &code, &error),
                None => unreached(place, &error),
            },
        }
    }
}

fn refused(place: String, code: &SqlState, error: &tokio_postgres::Error) -> StoreError {
    let unusable = |place, reason: &str| StoreError::Unusable { place, reason: reason.to_owned() };
    match code.code() {
        "53100" => StoreError::Full { place },
        "40001" | "40P01" | "55P03" | "57014" | "53300" => StoreError::Busy { place },
        "25006" => StoreError::ReadOnly { place },
        "28P01" | "28000" => unusable(
            place,
            "the server refuses this user or password; correct --store or PGPASSWORD, or the server's pg_hba.conf",
        ),
        "3D000" => unusable(place, "the server has no such database; create it with `createdb`, or correct --store"),
        "42501" => unusable(place, "the user may not do this; make it the owner of the database and of its tables"),
        "42P01" => unusable(place, "tables are missing; restore the database from a backup"),
        "57P01" | "57P02" | "57P03" => unusable(place, "the server is starting or stopping; try again"),
        "XX001" | "XX002" => StoreError::Damaged { place, what: "the database".to_owned() },
        _ => {
            let message = error.as_db_error().map(|error| error.message().to_owned()).unwrap_or_default();
            StoreError::Database { place, source: Box::new(Refusal { code: code.code().to_owned(), message }) }
        }
    }
}

fn unreached(place: String, error: &tokio_postgres::Error) -> StoreError {
    if error.is_closed() {
        let reason = "the server hung up; it is tried again at the next call".to_owned();
        return StoreError::Unusable { place, reason };
    }
    if let Some(cause) = cause::<std::io::Error>(error) {
        let reason = format!("no PostgreSQL server answers there ({cause}); start it, or correct --store");
        return StoreError::Unusable { place, reason };
    }
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        words = format!("{words}: {source}");
        next = source.source();
    }
    StoreError::Unusable { place, reason: words }
}

/// The first error of a type down the chain.
fn cause<E: std::error::Error + 'static>(error: &tokio_postgres::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(found) = source.downcast_ref::<E>() {
            return Some(found);
        }
        next = source.source();
    }
    None
}

/// A refusal of the server in its own words, without its details.
#[derive(Debug)]
struct Refusal {
    code: String,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)
    }
}

impl std::error::Error for Refusal {}
