//! Looks at every row: kept sums cannot see bit rot, nor an edit that went round the triggers.

use registry_proto::frame::Change;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::digest::content_hash;
use registry_schema::ids::{RecordId, Version};
use registry_schema::kind::Kind;
use rusqlite::{Connection, TransactionBehavior, params};
use serde::Serialize;

use super::repair::{self, LastState};
use crate::capture::Capture;
use crate::holdings;
use crate::store::{Store, StoreError, StoreHandle};

/// Rows of one look: some ten milliseconds, after which sealing and sending have their turn.
const PAGE_ROWS: i64 = 500;

/// What a look at every row found. Rows that wait to be sealed are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Scrub {
    /// Rows and sealed states that were read.
    pub rows: u64,
    /// Rows that do not say what was sealed last.
    pub altered: u64,
    /// Entries whose row is gone.
    pub missing: u64,
    /// Rows that no trigger has seen.
    pub unlogged: u64,
    /// Sealed states whose bytes are not those that were sealed.
    pub damaged_states: u64,
}

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The rows.
    #[serde(flatten)]
    pub scrub: Scrub,
    /// Whether the kept sums are those of the sealed changes; `None` before the centre has given a key.
    pub sums_agree: Option<bool>,
    /// Whether everything is as it should be.
    pub is_intact: bool,
}

impl Scrub {
    /// How many entries are not as they should be.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        self.altered + self.missing + self.unlogged + self.damaged_states
    }

    const fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.altered += other.altered;
        self.missing += other.missing;
        self.unlogged += other.unlogged;
        self.damaged_states += other.damaged_states;
    }
}

/// Looks at every row of the store of a daemon, page by page, and mends what it can if it `mends`: a row that does not
/// say what was sealed is set aside and written as it was sealed, and a row that nobody logged is logged.
pub(super) async fn scrub(store: &StoreHandle, mends: bool, now_ms: u64) -> Result<Scrub, StoreError> {
    let mut found = Scrub::default();
    for kind in Kind::ALL {
        let mut after = Some(i64::MIN);
        while let Some(from) = after {
            let page = store.call(move |store| {
                let page = look(&store.connection, &Capture::new(), kind, from)?;
                if mends && page.found.damaged() > 0 {
                    mend(store, kind, &page.wrong, now_ms)?;
                }
                Ok(page)
            });
            let page = page.await?;
            found.add(&page.found);
            after = page.last;
        }
        loop {
            let gone = store.call(move |store| {
                let gone = missing(&store.connection, kind)?;
                if mends {
                    mend(store, kind, &gone, now_ms)?;
                }
                Ok(gone.len() as u64)
            });
            let gone = gone.await?;
            found.missing += gone;
            if gone == 0 || !mends {
                break;
            }
        }
    }
    Ok(found)
}

/// Looks at every row and at the kept sums of a store, and changes nothing.
///
/// # Errors
/// The store cannot be read.
pub fn verify(store: &mut Store) -> Result<Verified, StoreError> {
    let incarnation = store.incarnation();
    let connection = store.connection().transaction()?;
    let (capture, mut found) = (Capture::new(), Scrub::default());
    for kind in Kind::ALL {
        let mut after = Some(i64::MIN);
        while let Some(from) = after {
            let page = look(&connection, &capture, kind, from)?;
            found.add(&page.found);
            after = page.last;
        }
        found.missing += missing(&connection, kind)?.len() as u64;
    }
    let sums_agree = holdings::sums_agree(&connection, incarnation.origin)?;
    let is_intact = found.damaged() == 0 && sums_agree != Some(false);
    Ok(Verified { scrub: found, sums_agree, is_intact })
}

struct Page {
    found: Scrub,
    wrong: Vec<i64>,
    /// The last row looked at, when there may be more.
    last: Option<i64>,
}

fn look(connection: &Connection, capture: &Capture, kind: Kind, after: i64) -> Result<Page, StoreError> {
    let sql = format!("SELECT record_id FROM {} WHERE record_id > ?1 ORDER BY record_id LIMIT ?2", kind.table());
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement.query_map(params![after, PAGE_ROWS], |row| row.get(0))?;
    let ids: Vec<i64> = ids.collect::<Result<_, _>>()?;
    let mut page = Page { found: Scrub::default(), wrong: Vec::new(), last: None };
    for id in &ids {
        page.found.rows += 1;
        match repair::last_state(connection, *id)? {
            None => page.found.unlogged += 1,
            Some(state) if !state.is_sealed => continue,
            Some(state) if content_hash(&state.canonical).as_bytes()[..] != state.content => {
                page.found.damaged_states += 1;
            }
            Some(state) if capture.row(connection, kind, *id)? != state.canonical => page.found.altered += 1,
            Some(_) => continue,
        }
        page.wrong.push(*id);
    }
    page.last = ids.last().copied().filter(|_| ids.len() as i64 == PAGE_ROWS);
    Ok(page)
}

/// Entries of a kind that were logged and have no row, some of them.
fn missing(connection: &Connection, kind: Kind) -> Result<Vec<i64>, StoreError> {
    let sql = format!(
        "SELECT DISTINCT record_id FROM change_log WHERE kind = ?1 AND record_id > 0 AND seq IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM {} AS row WHERE row.record_id = change_log.record_id) LIMIT ?2",
        kind.table()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement.query_map(params![kind.name(), PAGE_ROWS], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn mend(store: &mut Store, kind: Kind, wrong: &[i64], now_ms: u64) -> Result<(), StoreError> {
    if wrong.is_empty() {
        return Ok(());
    }
    let capture = Capture::new();
    repair::without_triggers(store, |store| {
        let transaction = store.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for id in wrong {
            match repair::last_state(&transaction, *id)? {
                None => log(&transaction, kind, *id, now_ms)?,
                Some(state) => mend_one(&transaction, &capture, kind, *id, &state, now_ms)?,
            }
        }
        Ok(transaction.commit()?)
    })
}

/// Logs a row that no trigger has seen, as if it were inserted now.
fn log(connection: &Connection, kind: Kind, id: i64, now_ms: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO change_log (kind, record_id, operation, logged_ms) VALUES (?1, ?2, 'insert', ?3)";
    connection.prepare_cached(sql)?.execute(params![kind.name(), id, now_ms.cast_signed()])?;
    Ok(())
}

fn mend_one(
    connection: &Connection,
    capture: &Capture,
    kind: Kind,
    id: i64,
    state: &LastState,
    now_ms: u64,
) -> Result<(), StoreError> {
    let Some(record_id) = RecordId::from_number(id) else { return Ok(()) };
    let row = capture.row(connection, kind, id)?;
    if content_hash(&row).as_bytes()[..] == state.content {
        // The row says what was sealed, so it is the sealed bytes that have rotted.
        let sql = "UPDATE change_log SET canonical = ?3 WHERE record_id = ?1 AND content_hash = ?2";
        connection.prepare_cached(sql)?.execute(params![id, state.content, row])?;
        return Ok(());
    }
    let clock = Hlc::from_number(state.clock.cast_unsigned());
    let found = Change { record_id, version: Version(state.version), clock, canonical: row };
    repair::set_aside(connection, &found, "damaged", now_ms)?;
    // Both may have rotted; the centre's copy is taken then, once somebody asks for it.
    if content_hash(&state.canonical).as_bytes()[..] == state.content
        && let Ok((draft, status)) = canonical::decode(&state.canonical)
    {
        repair::write_row(connection, record_id, &draft, status)?;
    }
    Ok(())
}
