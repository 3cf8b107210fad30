//! The import's side of the store: where each import stands, and what was imported before.

use registry_schema::draft::Draft;
use registry_schema::field::Field;
use registry_schema::ids::RecordId;
use registry_schema::kind::Kind;
use registry_schema::layout;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, TransactionBehavior, params};

use super::error::ImportError;
use super::fingerprint::Fingerprint;
use crate::store::{Store, StoreError};

/// The most rows of one transaction, so that a clerk who saves meanwhile waits for some 30 ms at most.
pub(super) const IMPORT_BATCH_ROWS: usize = 2_000;
/// The most text of one transaction, in bytes.
pub(super) const IMPORT_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The most changes that are sealed in one transaction: those of its own rows, and as many that waited before them.
const SEALED_MAX: usize = 2 * IMPORT_BATCH_ROWS;

/// One import as the store knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) id: i64,
    pub(super) kind: Kind,
    pub(super) rows_done: u64,
    pub(super) rows_imported: u64,
    pub(super) rows_rejected: u64,
    pub(super) is_finished: bool,
}

/// A valid row on its way into the store.
pub(super) struct Entry {
    pub(super) record_id: RecordId,
    pub(super) draft: Draft,
    pub(super) fingerprint: Fingerprint,
}

/// Rows that are settled in one transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) rejected: u64,
    pub(super) bytes: usize,
    /// Rows read so far, all batches together.
    pub(super) rows_done: u64,
}

/// What became of the entries of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) imported: u64,
    pub(super) absorbed: u64,
    /// Absorbed rows that this very import had brought in an earlier pass over its file.
    own: u64,
}

impl Batch {
    /// Whether the transaction is large enough.
    pub(super) const fn is_full(&self) -> bool {
        self.entries.len() + self.rejected as usize >= IMPORT_BATCH_ROWS || self.bytes >= IMPORT_BATCH_BYTES
    }
}

/// Why nothing of a batch stands in the store.
enum Unsettled {
    Unwritten(rusqlite::Error),
    Unsealed(StoreError),
}

impl From<rusqlite::Error> for Unsettled {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unwritten(error)
    }
}

/// The statements of one import into one store.
pub(super) struct Ledger {
    fields: Vec<Field>,
    insert: String,
    holder: String,
}

impl Ledger {
    /// Statements for entries of a kind.
    pub(super) fn new(kind: Kind) -> Self {
        let fields: Vec<_> = layout::columns(kind).map(|column| column.field).collect();
        let names: Vec<_> = fields.iter().map(|field| field.name()).collect();
        let places: Vec<_> = (3..fields.len() + 3).map(|place| format!("?{place}")).collect();
        let table = kind.table();
        let insert = format!(
            "INSERT INTO {table} (import_id, record_id, {}) VALUES (?1, ?2, {})",
            names.join(", "),
            places.join(", ")
        );
        Self { fields, insert, holder: format!("SELECT import_id FROM {table} WHERE record_id = ?1") }
    }

    /// Settles a batch, seals its entries and moves the import forward, in one transaction.
    pub(super) fn settle(
        &self,
        store: &mut Store,
        import: i64,
        batch: &Batch,
        now_ms: u64,
    ) -> Result<Outcome, ImportError> {
        self.try_settle(store, import, batch, now_ms).map_err(|unsettled| match unsettled {
            Unsettled::Unwritten(error) => ImportError::of_store(&store.connection, error),
            Unsettled::Unsealed(error) => ImportError::of_sealing(&store.connection, error),
        })
    }

    fn try_settle(&self, store: &mut Store, import: i64, batch: &Batch, now_ms: u64) -> Result<Outcome, Unsettled> {
        let Store { connection, sealer, .. } = store;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut outcome = Outcome::default();
        for entry in &batch.entries {
            self.enter(&transaction, import, entry, &mut outcome)?;
        }
        transaction.execute(
            "UPDATE imports SET rows_done = ?2, rows_imported = rows_imported + ?3, rows_absorbed = rows_absorbed + ?4,
                rows_rejected = rows_rejected + ?5 WHERE import_id = ?1",
            params![
                import,
                batch.rows_done.cast_signed(),
                (outcome.imported + outcome.own).cast_signed(),
                (outcome.absorbed - outcome.own).cast_signed(),
                batch.rejected.cast_signed()
            ],
        )?;
        sealer.seal_written(&transaction, SEALED_MAX, now_ms).map_err(Unsettled::Unsealed)?;
        fail::fail_point!("agent.import.before");
        transaction.commit()?;
        fail::fail_point!("agent.import.after");
        Ok(outcome)
    }

    fn enter(&self, store: &Connection, import: i64, entry: &Entry, outcome: &mut Outcome) -> rusqlite::Result<()> {
        let record_id = entry.record_id.number();
        let mut note = store.prepare_cached(
            "INSERT INTO import_ledger (fingerprint, record_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        if note.execute(params![entry.fingerprint, record_id])? == 0 {
            let known = find_record(store, &entry.fingerprint)?;
            outcome.absorbed += 1;
            outcome.own += u64::from(known == Some(record_id));
            return Ok(());
        }
        let inserted = self.insert(store, import, Some(record_id), &entry.draft);
        if !matches!(&inserted, Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)) {
            outcome.imported += 1;
            return inserted;
        }
        // The key is taken: by this very row, read otherwise in an earlier pass, or by chance by a row of another file.
        let holder: Option<Option<i64>> =
            store.prepare_cached(&self.holder)?.query_row([record_id], |row| row.get(0)).optional()?;
        if holder == Some(Some(import)) {
            outcome.absorbed += 1;
            outcome.own += 1;
            return Ok(());
        }
        if holder.is_none() {
            return inserted;
        }
        outcome.imported += 1;
        self.insert(store, import, None, &entry.draft)?;
        let rename = "UPDATE import_ledger SET record_id =
            (SELECT record_id FROM change_log ORDER BY change_id DESC LIMIT 1) WHERE fingerprint = ?1";
        store.prepare_cached(rename)?.execute([entry.fingerprint]).map(drop)
    }

    /// Inserts an entry under a key, or under one that the store gives.
    fn insert(&self, store: &Connection, import: i64, key: Option<i64>, draft: &Draft) -> rusqlite::Result<()> {
        let mut statement = match key {
            Some(_) => store.prepare_cached(&self.insert)?,
            None => store.prepare_cached(&self.insert.replacen(", record_id", "", 1).replacen(", ?2", "", 1))?,
        };
        statement.raw_bind_parameter(1, import)?;
        if let Some(key) = key {
            statement.raw_bind_parameter(2, key)?;
        }
        for (place, field) in self.fields.iter().enumerate() {
            statement.raw_bind_parameter(place + 3, draft.get(*field))?;
        }
        statement.raw_execute().map(drop)
    }
}

/// Whether a row with this fingerprint was imported, by this file or another.
pub(super) fn is_known(store: &Connection, fingerprint: &Fingerprint) -> Result<bool, ImportError> {
    let found = find_record(store, fingerprint).map_err(|error| ImportError::of_store(store, error))?;
    Ok(found.is_some())
}

fn find_record(store: &Connection, fingerprint: &Fingerprint) -> rusqlite::Result<Option<i64>> {
    let mut find = store.prepare_cached("SELECT record_id FROM import_ledger WHERE fingerprint = ?1")?;
    find.query_row([fingerprint], |row| row.get(0)).optional()
}

/// The import of the file with this hash, when it was begun.
pub(super) fn load(store: &Connection, sha256: &[u8; 32]) -> Result<Option<Import>, ImportError> {
    let query = "SELECT import_id, kind, rows_done, rows_imported, rows_rejected, finished_at IS NOT NULL
        FROM imports WHERE file_sha256 = ?1";
    let count = |row: &rusqlite::Row<'_>, place| row.get(place).map(|count: i64| count.cast_unsigned());
    let import = store.query_row(query, [sha256], |row| {
        let kind: String = row.get(1)?;
        Ok(Import {
            id: row.get(0)?,
            kind: Kind::parse(&kind).ok_or(rusqlite::Error::InvalidQuery)?,
            rows_done: count(row, 2)?,
            rows_imported: count(row, 3)?,
            rows_rejected: count(row, 4)?,
            is_finished: row.get(5)?,
        })
    });
    import.optional().map_err(|error| ImportError::of_store(store, error))
}

/// Notes that an import begins.
pub(super) fn begin(
    store: &Connection,
    sha256: &[u8; 32],
    file_name: &str,
    kind: Kind,
    now: &str,
) -> Result<Import, ImportError> {
    let begun = store.execute(
        "INSERT INTO imports (file_sha256, file_name, kind, started_at) VALUES (?1, ?2, ?3, ?4)",
        params![sha256, file_name, kind.name(), now],
    );
    begun.map_err(|error| ImportError::of_store(store, error))?;
    let id = store.last_insert_rowid();
    Ok(Import { id, kind, rows_done: 0, rows_imported: 0, rows_rejected: 0, is_finished: false })
}

/// Sets an import back to the first row of its file; entries it brought stay, and are absorbed when they come again.
pub(super) fn restart(store: &Connection, import: i64, kind: Kind) -> Result<(), ImportError> {
    let reset = "UPDATE imports SET kind = ?2, rows_done = 0, rows_imported = 0, rows_absorbed = 0, rows_rejected = 0,
        finished_at = NULL WHERE import_id = ?1";
    store.execute(reset, params![import, kind.name()]).map_err(|error| ImportError::of_store(store, error)).map(drop)
}

/// Notes that every row of an import is settled.
pub(super) fn finish(store: &Connection, import: i64, now: &str) -> Result<(), ImportError> {
    let finish = "UPDATE imports SET finished_at = ?2 WHERE import_id = ?1";
    store.execute(finish, params![import, now]).map_err(|error| ImportError::of_store(store, error)).map(drop)
}
