//! The ledger in SQLite.

use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use super::Sqlite;
use super::codec::{damaged, hash, origin};
use crate::ledger::{Act, ActRow, Deed, Grant, Ledger, Signer, Verb};
use crate::national::Answer;

impl Ledger for Sqlite {
    async fn note(&self, act: Act) -> Answer<ActRow> {
        self.writer.run(move |connection| note(connection, act)).await
    }

    async fn acts(&self, after: u64, limit: usize) -> Answer<Vec<ActRow>> {
        self.reader
            .run(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT act_seq, at_ms, who, verb, object, reason, previous, hash FROM act
                     WHERE act_seq > ?1 ORDER BY act_seq LIMIT ?2",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = statement.query_map(params![after.cast_signed(), limit], act_row)?;
                rows.collect()
            })
            .await
    }

    async fn trust(&self, signer: Signer) -> Answer<()> {
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                let number = signer.origin.number();
                transaction.execute(
                    "UPDATE signer SET retired_ms = ?2 WHERE origin = ?1 AND retired_ms IS NULL",
                    params![number, signer.enrolled_ms],
                )?;
                transaction.execute(
                    "INSERT INTO signer (origin, public_key, certificate, enrolled_ms) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (origin, public_key) DO UPDATE SET retired_ms = NULL",
                    params![number, signer.public_key.0, signer.certificate.0, signer.enrolled_ms],
                )?;
                transaction.commit()
            })
            .await
    }

    async fn signers(&self, of: Origin) -> Answer<Vec<Signer>> {
        self.reader
            .run(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT origin, public_key, certificate, enrolled_ms, retired_ms FROM signer
                     WHERE origin = ?1 ORDER BY enrolled_ms, public_key",
                )?;
                let rows = statement.query_map([of.number()], signer)?;
                rows.collect()
            })
            .await
    }

    async fn perform(&self, deed: Deed) -> Answer<bool> {
        self.writer.run(move |connection| perform(connection, deed)).await
    }

    async fn grants(&self) -> Answer<Vec<Grant>> {
        self.reader.run(|connection| grants(connection)).await
    }
}

fn note(connection: &mut Connection, act: Act) -> rusqlite::Result<ActRow> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let row = add(&transaction, act)?;
    transaction.commit()?;
    Ok(row)
}

/// The transaction can write from its first statement on, so nobody's role changes between the look and the act.
fn perform(connection: &mut Connection, deed: Deed) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if !deed.stands_under(&grants(&transaction)?) {
        return Ok(false);
    }
    add(&transaction, deed.act)?;
    if let Some(grant) = deed.gives {
        transaction.execute(
            "INSERT INTO grants (name, role, granted_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET role = excluded.role, granted_ms = excluded.granted_ms",
            params![grant.name, grant.role, grant.granted_ms],
        )?;
    }
    transaction.commit()?;
    Ok(true)
}

fn grants(connection: &Connection) -> rusqlite::Result<Vec<Grant>> {
    let mut statement = connection.prepare_cached("SELECT name, role, granted_ms FROM grants ORDER BY name")?;
    let rows =
        statement.query_map([], |row| Ok(Grant { name: row.get(0)?, role: row.get(1)?, granted_ms: row.get(2)? }))?;
    rows.collect()
}

/// Adds an act to the chain; it counts when the transaction does.
pub(super) fn add(transaction: &Transaction<'_>, act: Act) -> rusqlite::Result<ActRow> {
    let last: Option<(u64, Hash256)> = transaction
        .query_row("SELECT act_seq, hash FROM act ORDER BY act_seq DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), hash(row.get_ref(1)?.as_blob()?)?))
        })
        .optional()?;
    let row = ActRow::after(last, act);
    transaction.execute(
        "INSERT INTO act (act_seq, at_ms, who, verb, object, reason, previous, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            row.seq.cast_signed(),
            row.act.at_ms,
            row.act.who,
            row.act.verb.name(),
            row.act.object,
            row.act.reason,
            row.previous.0,
            row.hash.0
        ],
    )?;
    Ok(row)
}

fn act_row(row: &Row<'_>) -> rusqlite::Result<ActRow> {
    let verb = Verb::parse(row.get_ref(3)?.as_str()?).ok_or_else(|| damaged("a verb of the ledger"))?;
    let act = Act { at_ms: row.get(1)?, who: row.get(2)?, verb, object: row.get(4)?, reason: row.get(5)? };
    Ok(ActRow {
        seq: row.get::<_, i64>(0)?.cast_unsigned(),
        act,
        previous: hash(row.get_ref(6)?.as_blob()?)?,
        hash: hash(row.get_ref(7)?.as_blob()?)?,
    })
}

fn signer(row: &Row<'_>) -> rusqlite::Result<Signer> {
    Ok(Signer {
        origin: origin(row.get(0)?)?,
        public_key: hash(row.get_ref(1)?.as_blob()?)?,
        certificate: hash(row.get_ref(2)?.as_blob()?)?,
        enrolled_ms: row.get(3)?,
        retired_ms: row.get(4)?,
    })
}
