//! The ledger in PostgreSQL.

use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use tokio_postgres::Row;

use super::Postgres;
use super::codec::{get, hash, origin, origin_number, text, unsigned};
use super::error::{Fault, Outcome};
use super::pool::Connection;
use crate::ledger::{Act, ActRow, Deed, Grant, Ledger, Signer, Verb};
use crate::national::Answer;

/// Nobody else adds an act, or gives a role, until the transaction ends.
const ALONE: &str = "LOCK TABLE act IN EXCLUSIVE MODE";

impl Ledger for Postgres {
    async fn note(&self, act: Act) -> Answer<ActRow> {
        let act = &written(&act);
        self.pool.run(|connection, _| async move { note(&connection, act).await }).await
    }

    async fn acts(&self, after: u64, limit: usize) -> Answer<Vec<ActRow>> {
        const SQL: &str = "SELECT act_seq, at_ms, who, verb, object, reason, previous, hash FROM act
             WHERE act_seq > $1 ORDER BY act_seq LIMIT $2";
        let (after, limit) = (after.cast_signed(), i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = self.pool.run(|connection, _| async move {
            connection.query(SQL, [&after, &limit]).await?.iter().map(act_row).collect()
        });
        rows.await
    }

    async fn trust(&self, signer: Signer) -> Answer<()> {
        const SQL: &str = "WITH retired AS (
                 UPDATE signer SET retired_ms = $4 WHERE origin = $1 AND retired_ms IS NULL AND public_key <> $2)
             INSERT INTO signer (origin, public_key, certificate, enrolled_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (origin, public_key) DO UPDATE SET retired_ms = NULL";
        let number = origin_number(signer.origin);
        let (key, certificate) = (&signer.public_key.0[..], &signer.certificate.0[..]);
        let enrolled_ms = signer.enrolled_ms;
        let done = self.pool.run(|connection, _| async move {
            connection.query(SQL, [&number, &key, &certificate, &enrolled_ms]).await.map(drop)
        });
        done.await
    }

    async fn signers(&self, of: Origin) -> Answer<Vec<Signer>> {
        const SQL: &str = "SELECT origin, public_key, certificate, enrolled_ms, retired_ms FROM signer
             WHERE origin = $1 ORDER BY enrolled_ms, public_key";
        let number = origin_number(of);
        let rows = self
            .pool
            .run(|connection, _| async move { connection.query(SQL, [&number]).await?.iter().map(signer).collect() });
        rows.await
    }

    async fn perform(&self, deed: Deed) -> Answer<bool> {
        let stored = |grant: Grant| Grant {
            name: text(&grant.name).to_string(),
            role: text(&grant.role).to_string(),
            granted_ms: grant.granted_ms,
        };
        let deed = &Deed { act: written(&deed.act), gives: deed.gives.map(stored), under: deed.under };
        self.pool.run(|connection, _| async move { perform(&connection, deed).await }).await
    }

    async fn grants(&self) -> Answer<Vec<Grant>> {
        self.pool.run(|connection, _| async move { grants(&connection).await }).await
    }
}

/// An act as the server can store it.
pub(super) fn written(act: &Act) -> Act {
    Act {
        who: text(&act.who).to_string(),
        object: text(&act.object).to_string(),
        reason: text(&act.reason).to_string(),
        ..*act
    }
}

/// Writers wait for one another, so that every act has one before it. A note whose answer was lost may stand twice, which
/// means the same.
async fn note(connection: &Connection, act: &Act) -> Outcome<ActRow> {
    connection.batch("BEGIN").await?;
    let row = add(connection, act).await?;
    connection.batch("COMMIT").await?;
    Ok(row)
}

/// Nobody's role changes between the look and the act: who changes one holds the same lock, and what was committed before
/// the lock was had is seen behind it.
async fn perform(connection: &Connection, deed: &Deed) -> Outcome<bool> {
    const GIVE: &str = "INSERT INTO grants (name, role, granted_ms) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET role = excluded.role, granted_ms = excluded.granted_ms";
    connection.batch("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    connection.batch(ALONE).await?;
    if !deed.stands_under(&grants(connection).await?) {
        connection.batch("ROLLBACK").await?;
        return Ok(false);
    }
    add(connection, &deed.act).await?;
    if let Some(grant) = &deed.gives {
        connection.query(GIVE, [&grant.name, &grant.role, &grant.granted_ms]).await?;
    }
    connection.batch("COMMIT").await?;
    Ok(true)
}

async fn grants(connection: &Connection) -> Outcome<Vec<Grant>> {
    const SQL: &str = "SELECT name, role, granted_ms FROM grants ORDER BY name";
    let grant = |row: &Row| Ok(Grant { name: get(row, 0)?, role: get(row, 1)?, granted_ms: get(row, 2)? });
    connection.query(SQL, []).await?.iter().map(grant).collect()
}

/// Adds an act to the chain; it counts when the transaction does, and nobody else adds one until then.
pub(super) async fn add(connection: &Connection, act: &Act) -> Outcome<ActRow> {
    const LAST: &str = "SELECT act_seq, hash FROM act ORDER BY act_seq DESC LIMIT 1";
    const ADD: &str = "INSERT INTO act (act_seq, at_ms, who, verb, object, reason, previous, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    connection.batch(ALONE).await?;
    let rows = connection.query(LAST, []).await?;
    let last: Option<(u64, Hash256)> =
        rows.first().map(|row| Ok::<_, Fault>((unsigned(row, 0)?, hash(row, 1)?))).transpose()?;
    let row = ActRow::after(last, act.clone());
    let (seq, verb) = (row.seq.cast_signed(), row.act.verb.name());
    let (previous, own) = (&row.previous.0[..], &row.hash.0[..]);
    connection.query(ADD, [&seq, &act.at_ms, &act.who, &verb, &act.object, &act.reason, &previous, &own]).await?;
    Ok(row)
}

fn act_row(row: &Row) -> Outcome<ActRow> {
    let verb = Verb::parse(get(row, 3)?).ok_or(Fault::Damaged("a verb of the ledger"))?;
    let act = Act { at_ms: get(row, 1)?, who: get(row, 2)?, verb, object: get(row, 4)?, reason: get(row, 5)? };
    Ok(ActRow { seq: unsigned(row, 0)?, act, previous: hash(row, 6)?, hash: hash(row, 7)? })
}

fn signer(row: &Row) -> Outcome<Signer> {
    Ok(Signer {
        origin: origin(row, 0)?,
        public_key: hash(row, 1)?,
        certificate: hash(row, 2)?,
        enrolled_ms: get(row, 3)?,
        retired_ms: get(row, 4)?,
    })
}
