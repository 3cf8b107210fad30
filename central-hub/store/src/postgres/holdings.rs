//! What each province holds, in PostgreSQL.

mod kept;

use std::collections::BTreeMap;

use futures::try_join;
use hub_rules::State;
use registry_schema::digest::Hash256;
use registry_schema::holdings::{Bucket, HOLDINGS_VERSION, Holding, HoldingsKey, SKETCH_CELLS};
use registry_schema::ids::{Origin, RecordId, RecordKey};
use tokio_postgres::Row;

use super::codec::{self, columns, get, json, origin_number, record_id, text};
use super::error::{Fault, Outcome};
use super::pool::{Connection, STATEMENT_TIMEOUT_MS};
use super::{Postgres, journal, statements};
use crate::holdings::{Agreement, Fence, Greatest, PAGE_ROWS, Recount, Resync, ResyncState};
use crate::national::{Answer, Holdings};
pub(super) use kept::store;
pub(super) use kept::{fold, read, reset, write};
use kept::{read_holding, read_rows};

/// Holds whoever judges back, so that what is counted is what is kept.
const HOLD_JUDGE: &str = "SELECT term FROM judge WHERE one = 1 FOR UPDATE";
const LOOK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl Holdings for Postgres {
    async fn holdings_key(&self, origin: Origin, fresh: HoldingsKey) -> Answer<HoldingsKey> {
        if let Some(fence) = self.fence(origin).await? {
            return Ok(fence.key);
        }
        let fresh = &fresh;
        self.pool.run(|connection, _| async move { make(&connection, origin, fresh).await }).await
    }

    async fn fence(&self, origin: Origin) -> Answer<Option<Fence>> {
        let look = self.pool.run(|connection, _| async move {
            connection.batch(LOOK).await?;
            let fence = read_fence(&connection, origin).await?;
            connection.batch("COMMIT").await?;
            Ok(fence)
        });
        look.await
    }

    async fn holding(&self, origin: Origin) -> Answer<Option<(Fence, Holding)>> {
        let look = self.pool.run(|connection, _| async move {
            connection.batch(LOOK).await?;
            let found = match read_fence(&connection, origin).await? {
                Some(fence) => {
                    let holding = read_holding(&connection, origin, &fence.key).await?;
                    Some((fence, holding))
                }
                None => None,
            };
            connection.batch("COMMIT").await?;
            Ok(found)
        });
        look.await
    }

    async fn recount(&self, origin: Origin, cells: usize, of: Vec<Bucket>, rehash: bool) -> Answer<Option<Recount>> {
        let of = &of[..];
        let look = self.pool.run(|connection, _| async move {
            connection.batch(LOOK).await?;
            let found = match read_fence(&connection, origin).await? {
                Some(fence) => {
                    let (holding, rows) = count(&connection, origin, &fence.key, (cells, of, rehash)).await?;
                    let kept = read_holding(&connection, origin, &fence.key).await?;
                    Some(Recount { fence, holding, kept, rows })
                }
                None => None,
            };
            connection.batch("COMMIT").await?;
            Ok(found)
        });
        look.await
    }

    async fn rebuild_holding(&self, origin: Origin) -> Answer<()> {
        let rebuild = self.pool.run(|connection, _| async move {
            hold_judge(&connection).await?;
            if let Some(row) = read_rows(&connection, &[origin]).await?.remove(&origin) {
                put(&connection, origin, &row.key).await?;
            }
            connection.batch("COMMIT").await
        });
        rebuild.await
    }

    async fn held_states(&self, origin: Origin, records: Vec<RecordId>) -> Answer<Vec<(RecordId, State)>> {
        let keys: Vec<RecordKey> = records.into_iter().map(|id| RecordKey { origin, id }).collect();
        let keys = &keys[..];
        self.pool.run(|connection, _| async move { greatest(&connection, keys).await }).await
    }

    async fn note_agreement(&self, origin: Origin, agreement: Agreement) -> Answer<()> {
        const SQL: &str = "UPDATE holding SET roots_agree = $2, compared_ms = $3 WHERE origin = $1";
        let note = self.pool.run(|connection, _| async move {
            let by: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                [&origin_number(origin), &agreement.agree, &agreement.compared_ms];
            connection.query(SQL, by).await.map(drop)
        });
        note.await
    }

    async fn agreements(&self) -> Answer<BTreeMap<Origin, Agreement>> {
        const SQL: &str = "SELECT origin, roots_agree, compared_ms FROM holding WHERE roots_agree IS NOT NULL";
        let look = self.pool.run(|connection, _| async move {
            let rows = connection.query(SQL, []).await?;
            let agreement =
                |row: &Row| Ok((codec::origin(row, 0)?, Agreement { agree: get(row, 1)?, compared_ms: get(row, 2)? }));
            rows.iter().map(agreement).collect()
        });
        look.await
    }

    async fn put_resync(&self, resync: Resync, from: Option<ResyncState>) -> Answer<bool> {
        let resync = &resync;
        self.pool.run(|connection, _| async move { put_resync(&connection, resync, from).await }).await
    }

    async fn resyncs(&self, origin: Option<Origin>, limit: usize) -> Answer<Vec<Resync>> {
        const SQL: &str = "SELECT body FROM resync WHERE $1::smallint IS NULL OR origin = $1
             ORDER BY open DESC, resync_id DESC LIMIT $2";
        let look = self.pool.run(|connection, _| async move {
            let by: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
                [&origin.map(origin_number), &i64::try_from(limit).unwrap_or(i64::MAX)];
            let rows = connection.query(SQL, by).await?;
            let resync = |row: &Row| serde_json::from_str(get(row, 0)?).map_err(|_| Fault::Damaged("a resync"));
            rows.iter().map(resync).collect()
        });
        look.await
    }
}

async fn read_fence(connection: &Connection, origin: Origin) -> Outcome<Option<Fence>> {
    let Some(row) = read_rows(connection, &[origin]).await?.remove(&origin) else { return Ok(None) };
    let cursors = journal::read_cursors(connection, origin).await?;
    Ok(Some(Fence { cursors, key: row.key, root: row.sum }))
}

async fn hold_judge(connection: &Connection) -> Outcome<()> {
    connection
        .batch(&format!(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {STATEMENT_TIMEOUT_MS}; {HOLD_JUDGE}"
        ))
        .await
}

/// Begins a holding under a fresh key, unless another process has just done so.
async fn make(connection: &Connection, origin: Origin, fresh: &HoldingsKey) -> Outcome<HoldingsKey> {
    hold_judge(connection).await?;
    let number = origin_number(origin);
    let version = i16::from(HOLDINGS_VERSION);
    let inserted = connection
        .query(
            "INSERT INTO holding (origin, key, digest_version, sum, count, tail_no, tail_items)
             VALUES ($1, $2, $3, $4, 0, 0, 0) ON CONFLICT DO NOTHING RETURNING origin",
            [&number, &&fresh.secret_bytes()[..], &version, &&Hash256([0; 32]).0[..]],
        )
        .await?;
    let row = read_rows(connection, &[origin]).await?.remove(&origin).ok_or(Fault::Damaged("a holding"))?;
    if !inserted.is_empty() {
        put(connection, origin, &row.key).await?;
    }
    connection.batch("COMMIT").await?;
    Ok(row.key)
}

/// Makes the holding anew from the rows.
async fn put(connection: &Connection, origin: Origin, key: &HoldingsKey) -> Outcome<()> {
    let (holding, _) = count(connection, origin, key, (SKETCH_CELLS, &[], false)).await?;
    store(connection, origin, &holding).await
}

/// The key of every holding.
pub(super) async fn read_keys(connection: &Connection) -> Outcome<BTreeMap<Origin, HoldingsKey>> {
    let origins = connection.query_once("SELECT origin FROM holding", &[]).await?;
    let origins: Vec<Origin> = origins.iter().map(|row| codec::origin(row, 0)).collect::<Outcome<_>>()?;
    let rows = read_rows(connection, &origins).await?;
    Ok(rows.into_iter().map(|(origin, row)| (origin, row.key)).collect())
}

/// Makes a holding anew from the rows, inside a transaction.
pub(super) async fn make_from_rows(connection: &Connection, origin: Origin) -> Outcome<()> {
    let row = read_rows(connection, &[origin]).await?.remove(&origin).ok_or(Fault::Damaged("a holding"))?;
    put(connection, origin, &row.key).await
}

/// Walks through every state of a province, page by page.
async fn count(
    connection: &Connection,
    origin: Origin,
    key: &HoldingsKey,
    (cells, buckets, rehash): (usize, &[Bucket], bool),
) -> Outcome<(Holding, u64)> {
    const PRESENT: &str = "SELECT record_id, version, clock, content_hash, canonical FROM record
         WHERE origin = $1 AND record_id > $2 ORDER BY record_id LIMIT $3";
    const PAST: &str = "SELECT record_id, version, clock, content_hash, canonical FROM past
         WHERE origin = $1 AND record_id > $2 AND record_id <= $3";
    let number = origin_number(origin);
    let (mut holding, mut read, mut after) = (Holding::with_cells(cells), 0, 0_i64);
    loop {
        let present = connection.query(PRESENT, [&number, &after, &PAGE_ROWS]).await?;
        let full = i64::try_from(present.len()).is_ok_and(|rows| rows == PAGE_ROWS);
        let end = present.last().filter(|_| full).map(|row| get::<i64>(row, 0)).transpose()?;
        let past = connection.query(PAST, [&number, &after, &end.unwrap_or(i64::MAX)]).await?;
        let mut page = Greatest::default();
        for row in present.iter().chain(&past) {
            page.note(record_id(row, 0)?, &codec::state(row, 1)?, rehash);
            read += 1;
        }
        page.add_to(&mut holding, key, origin, buckets);
        match end {
            Some(end) => after = end,
            None => return Ok((holding, read)),
        }
    }
}

async fn greatest(connection: &Connection, keys: &[RecordKey]) -> Outcome<Vec<(RecordId, State)>> {
    let (origins, ids) = columns(keys);
    let any = !keys.is_empty();
    let (present, past) = try_join!(
        connection.query_if(any, statements::RECORDS, [&origins, &ids]),
        connection.query_if(any, statements::PAST_OF, [&origins, &ids]),
    )?;
    let mut found: BTreeMap<RecordId, State> = BTreeMap::new();
    for row in present.iter().chain(&past) {
        let (id, state) = (record_id(row, 1)?, codec::state(row, 2)?);
        if found.get(&id).is_none_or(|found| state.rank() > found.rank()) {
            found.insert(id, state);
        }
    }
    Ok(found.into_iter().collect())
}

async fn put_resync(connection: &Connection, resync: &Resync, from: Option<ResyncState>) -> Outcome<bool> {
    let (number, open) = (origin_number(resync.origin), resync.state.is_open());
    let (state, body) = (resync.state.name(), text(&json(resync)?));
    let changed = match from {
        None => {
            const SQL: &str = "INSERT INTO resync (resync_id, origin, open, state, body) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT DO NOTHING RETURNING resync_id";
            connection.query(SQL, [&resync.id, &number, &open, &state, &body]).await?
        }
        Some(from) => {
            const SQL: &str = "UPDATE resync SET open = $3, state = $4, body = $5
                 WHERE resync_id = $1 AND origin = $2 AND state = $6 RETURNING resync_id";
            connection.query(SQL, [&resync.id, &number, &open, &state, &body, &from.name()]).await?
        }
    };
    Ok(!changed.is_empty())
}
