//! What each province holds, in SQLite.

use std::collections::BTreeMap;

use hub_rules::plan::{HeldBefore, HeldMove};
use hub_rules::{Plan, State};
use registry_schema::digest::{Hash256, SetSum};
use registry_schema::holdings::{Bucket, Delta, HOLDINGS_VERSION, Held, Holding, HoldingsKey};
use registry_schema::ids::{Origin, RecordId, RecordKey};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::codec::{self, damaged, hash, json};
use super::{Sqlite, journal};
use crate::holdings::{Agreement, Fence, Greatest, PAGE_ROWS, Recount, Resync, ResyncState, TAIL_ITEMS_MAX, delta};
use crate::national::{Answer, Holdings};

impl Holdings for Sqlite {
    async fn holdings_key(&self, origin: Origin, fresh: HoldingsKey) -> Answer<HoldingsKey> {
        if let Some(fence) = self.fence(origin).await? {
            return Ok(fence.key);
        }
        self.writer.run(move |connection| make(connection, origin, &fresh)).await
    }

    async fn fence(&self, origin: Origin) -> Answer<Option<Fence>> {
        self.reader.run(move |connection| read_fence(&*connection.transaction()?, origin)).await
    }

    async fn holding(&self, origin: Origin) -> Answer<Option<(Fence, Holding)>> {
        self.reader
            .run(move |connection| {
                let snapshot = connection.transaction()?;
                let Some(fence) = read_fence(&snapshot, origin)? else { return Ok(None) };
                let holding = read_holding(&snapshot, origin, &fence.key)?;
                Ok(Some((fence, holding)))
            })
            .await
    }

    async fn recount(&self, origin: Origin, cells: usize, of: Vec<Bucket>, rehash: bool) -> Answer<Option<Recount>> {
        self.scanner
            .run(move |connection| {
                let snapshot = connection.transaction()?;
                let Some(fence) = read_fence(&snapshot, origin)? else { return Ok(None) };
                let (holding, rows) = count(&snapshot, origin, &fence.key, (cells, &of, rehash))?;
                let kept = read_holding(&snapshot, origin, &fence.key)?;
                Ok(Some(Recount { fence, holding, kept, rows }))
            })
            .await
    }

    async fn rebuild_holding(&self, origin: Origin) -> Answer<()> {
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                if let Some(fence) = read_fence(&transaction, origin)? {
                    put(&transaction, origin, &fence.key)?;
                }
                transaction.commit()
            })
            .await
    }

    async fn held_states(&self, origin: Origin, records: Vec<RecordId>) -> Answer<Vec<(RecordId, State)>> {
        self.reader
            .run(move |connection| {
                let snapshot = connection.transaction()?;
                let found = records.into_iter().map(|id| Ok(greatest(&snapshot, origin, id)?.map(|state| (id, state))));
                found.filter_map(Result::transpose).collect()
            })
            .await
    }

    async fn note_agreement(&self, origin: Origin, agreement: Agreement) -> Answer<()> {
        self.writer
            .run(move |connection| {
                let sql = "UPDATE holding SET roots_agree = ?2, compared_ms = ?3 WHERE origin = ?1";
                connection.execute(sql, params![origin.number(), agreement.agree, agreement.compared_ms])?;
                Ok(())
            })
            .await
    }

    async fn agreements(&self) -> Answer<BTreeMap<Origin, Agreement>> {
        self.reader
            .run(|connection| {
                let sql = "SELECT origin, roots_agree, compared_ms FROM holding WHERE roots_agree IS NOT NULL";
                let mut statement = connection.prepare_cached(sql)?;
                let rows = statement.query_map([], |row| {
                    Ok((codec::origin(row.get(0)?)?, Agreement { agree: row.get(1)?, compared_ms: row.get(2)? }))
                })?;
                rows.collect()
            })
            .await
    }

    async fn put_resync(&self, resync: Resync, from: Option<ResyncState>) -> Answer<bool> {
        self.writer.run(move |connection| put_resync(connection, &resync, from)).await
    }

    async fn resyncs(&self, origin: Option<Origin>, limit: usize) -> Answer<Vec<Resync>> {
        self.reader
            .run(move |connection| {
                let sql = "SELECT body FROM resync WHERE ?1 IS NULL OR origin = ?1
                           ORDER BY open DESC, resync_id DESC LIMIT ?2";
                let mut statement = connection.prepare_cached(sql)?;
                let by = params![origin.map(Origin::number), i64::try_from(limit).unwrap_or(i64::MAX)];
                let rows = statement.query_map(by, |row| {
                    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|_| damaged("a resync"))
                })?;
                rows.collect()
            })
            .await
    }
}

/// Carries the moves of a plan out: the roots, and a delta for everything else.
pub(super) fn commit(transaction: &Transaction<'_>, plan: &Plan) -> rusqlite::Result<()> {
    let mut origins: Vec<Origin> = plan.held.iter().map(|moved| moved.key.origin).collect();
    origins.sort_unstable();
    origins.dedup();
    for origin in origins {
        let Some(row) = read_row(transaction, origin)? else { continue };
        let moves: Vec<HeldMove> = plan.held.iter().filter(|moved| moved.key.origin == origin).cloned().collect();
        let before = befores(transaction, &moves)?;
        let delta = delta(&row.key, origin, &moves, &before);
        append(transaction, origin, &row, &delta)?;
    }
    Ok(())
}

/// Forgets what was heard; the keys stay.
pub(super) fn reset(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let origins: Vec<Origin> = transaction
        .prepare("SELECT origin FROM holding")?
        .query_map([], |row| codec::origin(row.get(0)?))?
        .collect::<Result<_, _>>()?;
    origins.into_iter().try_for_each(|origin| store(transaction, origin, &Holding::default()))
}

struct HoldingRow {
    key: HoldingsKey,
    sum: SetSum,
    tail_no: i64,
    tail_items: i64,
}

fn read_row(connection: &Connection, origin: Origin) -> rusqlite::Result<Option<HoldingRow>> {
    connection
        .prepare_cached("SELECT key, sum, count, tail_no, tail_items FROM holding WHERE origin = ?1")?
        .query_row([origin.number()], |row| {
            Ok(HoldingRow {
                key: key(row, 0)?,
                sum: SetSum::from_parts(&hash(row.get_ref(1)?.as_blob()?)?.0, row.get(2)?),
                tail_no: row.get(3)?,
                tail_items: row.get(4)?,
            })
        })
        .optional()
}

fn key(row: &Row<'_>, at: usize) -> rusqlite::Result<HoldingsKey> {
    let bytes = row.get_ref(at)?.as_blob()?.try_into().map_err(|_| damaged("the key of a holding"))?;
    Ok(HoldingsKey::from_bytes(bytes))
}

/// The states that the moves begin from. Those that are in the past are read there for their bytes.
fn befores(connection: &Connection, moves: &[HeldMove]) -> rusqlite::Result<BTreeMap<RecordKey, Held>> {
    let mut befores = BTreeMap::new();
    for moved in moves {
        let held = match &moved.before {
            None => continue,
            Some(HeldBefore::Present(held)) => *held,
            Some(HeldBefore::Past((version, clock, content))) => connection
                .prepare_cached(
                    "SELECT version, clock, content_hash, canonical FROM past
                     WHERE origin = ?1 AND record_id = ?2 AND version = ?3 AND clock = ?4 AND content_hash = ?5",
                )?
                .query_row(
                    params![
                        moved.key.origin.number(),
                        moved.key.id.number(),
                        version.0,
                        clock.number().cast_signed(),
                        content.0
                    ],
                    |row| codec::state(row, 0),
                )?
                .held(),
        };
        befores.insert(moved.key, held);
    }
    Ok(befores)
}

fn append(transaction: &Transaction<'_>, origin: Origin, row: &HoldingRow, delta: &Delta) -> rusqlite::Result<()> {
    let mut sum = row.sum;
    sum.merge(delta.root());
    let tail_no = row.tail_no + 1;
    let tail_items = row.tail_items + i64::try_from(delta.items()).unwrap_or(i64::MAX);
    transaction
        .prepare_cached("INSERT INTO holding_tail (origin, tail_no, delta) VALUES (?1, ?2, ?3)")?
        .execute(params![origin.number(), tail_no, delta.encode()])?;
    transaction
        .prepare_cached(
            "UPDATE holding SET sum = ?2, count = ?3, tail_no = ?4, tail_items = ?5, digest_version = ?6
             WHERE origin = ?1",
        )?
        .execute(params![origin.number(), sum.to_bytes(), sum.count(), tail_no, tail_items, HOLDINGS_VERSION])?;
    if tail_items > TAIL_ITEMS_MAX {
        let folded = read_holding(transaction, origin, &row.key)?;
        store(transaction, origin, &folded)?;
    }
    Ok(())
}

/// The checkpoint with every delta since.
fn read_holding(connection: &Connection, origin: Origin, key: &HoldingsKey) -> rusqlite::Result<Holding> {
    let mut holding = connection
        .prepare_cached("SELECT buckets, sketch FROM holding_checkpoint WHERE origin = ?1")?
        .query_row([origin.number()], |row| {
            let unread = |_| damaged("the sums of a holding");
            let buckets = registry_schema::holdings::Buckets::decode(row.get_ref(0)?.as_blob()?).map_err(unread)?;
            let sketch = registry_schema::holdings::Sketch::decode(row.get_ref(1)?.as_blob()?).map_err(unread)?;
            Ok(Holding { buckets, sketch })
        })?;
    let mut statement =
        connection.prepare_cached("SELECT delta FROM holding_tail WHERE origin = ?1 ORDER BY tail_no")?;
    let mut rows = statement.query([origin.number()])?;
    while let Some(row) = rows.next()? {
        let delta = Delta::decode(row.get_ref(0)?.as_blob()?).map_err(|_| damaged("a delta of a holding"))?;
        holding.apply(key, &delta);
    }
    Ok(holding)
}

/// Writes a whole holding; nothing is left of the deltas.
fn store(transaction: &Transaction<'_>, origin: Origin, holding: &Holding) -> rusqlite::Result<()> {
    let root = holding.root();
    transaction.execute("DELETE FROM holding_tail WHERE origin = ?1", [origin.number()])?;
    transaction.execute(
        "INSERT OR REPLACE INTO holding_checkpoint (origin, buckets, sketch) VALUES (?1, ?2, ?3)",
        params![origin.number(), holding.buckets.encode(), holding.sketch.encode()],
    )?;
    transaction.execute(
        "UPDATE holding SET sum = ?2, count = ?3, tail_items = 0, digest_version = ?4 WHERE origin = ?1",
        params![origin.number(), root.to_bytes(), root.count(), HOLDINGS_VERSION],
    )?;
    Ok(())
}

/// Begins a holding under a fresh key, unless another process has just done so.
fn make(connection: &mut Connection, origin: Origin, fresh: &HoldingsKey) -> rusqlite::Result<HoldingsKey> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let inserted = transaction.execute(
        "INSERT OR IGNORE INTO holding (origin, key, digest_version, sum, count, tail_no, tail_items)
         VALUES (?1, ?2, ?3, ?4, 0, 0, 0)",
        params![origin.number(), fresh.secret_bytes(), HOLDINGS_VERSION, Hash256([0; 32]).0],
    )?;
    let row = read_row(&transaction, origin)?.ok_or_else(|| damaged("a holding"))?;
    if inserted > 0 {
        put(&transaction, origin, &row.key)?;
    }
    transaction.commit()?;
    Ok(row.key)
}

/// Makes the holding anew from the rows.
fn put(transaction: &Transaction<'_>, origin: Origin, key: &HoldingsKey) -> rusqlite::Result<()> {
    let cells = registry_schema::holdings::SKETCH_CELLS;
    let (holding, _) = count(transaction, origin, key, (cells, &[], false))?;
    store(transaction, origin, &holding)
}

/// Walks through every state of a province, page by page.
fn count(
    connection: &Connection,
    origin: Origin,
    key: &HoldingsKey,
    (cells, buckets, rehash): (usize, &[Bucket], bool),
) -> rusqlite::Result<(Holding, u64)> {
    let mut present = connection.prepare_cached(
        "SELECT record_id, version, clock, content_hash, canonical FROM record
         WHERE origin = ?1 AND record_id > ?2 ORDER BY record_id LIMIT ?3",
    )?;
    let mut past = connection.prepare_cached(
        "SELECT record_id, version, clock, content_hash, canonical FROM past
         WHERE origin = ?1 AND record_id > ?2 AND record_id <= ?3",
    )?;
    let (mut holding, mut read, mut after) = (Holding::with_cells(cells), 0, 0_i64);
    loop {
        let (mut page, mut rows, mut last) = (Greatest::default(), 0, i64::MAX);
        let mut note = |row: &Row<'_>| -> rusqlite::Result<i64> {
            let id = RecordId::from_number(row.get(0)?).ok_or_else(|| damaged("a record's key"))?;
            page.note(id, &codec::state(row, 1)?, rehash);
            read += 1;
            Ok(id.number())
        };
        let mut found = present.query(params![origin.number(), after, PAGE_ROWS])?;
        while let Some(row) = found.next()? {
            last = note(row)?;
            rows += 1;
        }
        let is_last = rows < PAGE_ROWS;
        let end = if is_last { i64::MAX } else { last };
        let mut found = past.query(params![origin.number(), after, end])?;
        while let Some(row) = found.next()? {
            note(row)?;
        }
        page.add_to(&mut holding, key, origin, buckets);
        if is_last {
            return Ok((holding, read));
        }
        after = end;
    }
}

fn read_fence(connection: &Connection, origin: Origin) -> rusqlite::Result<Option<Fence>> {
    let Some(row) = read_row(connection, origin)? else { return Ok(None) };
    let cursors = journal::read_cursors(connection, origin)?;
    Ok(Some(Fence { cursors, key: row.key, root: row.sum }))
}

fn greatest(connection: &Connection, origin: Origin, id: RecordId) -> rusqlite::Result<Option<State>> {
    let mut found: Option<State> = None;
    for table in ["record", "past"] {
        let sql =
            format!("SELECT version, clock, content_hash, canonical FROM {table} WHERE origin = ?1 AND record_id = ?2");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![origin.number(), id.number()])?;
        while let Some(row) = rows.next()? {
            let state = codec::state(row, 0)?;
            if found.as_ref().is_none_or(|found| state.rank() > found.rank()) {
                found = Some(state);
            }
        }
    }
    Ok(found)
}

fn put_resync(connection: &Connection, resync: &Resync, from: Option<ResyncState>) -> rusqlite::Result<bool> {
    let (state, body) = (resync.state.name(), json(resync)?);
    let changed = match from {
        None => connection.execute(
            "INSERT OR IGNORE INTO resync (resync_id, origin, open, state, body) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![resync.id, resync.origin.number(), resync.state.is_open(), state, body],
        )?,
        Some(from) => connection.execute(
            "UPDATE resync SET open = ?2, state = ?3, body = ?4 WHERE resync_id = ?1 AND state = ?5",
            params![resync.id, resync.state.is_open(), state, body, from.name()],
        )?,
    };
    Ok(changed > 0)
}
