//! The journal in SQLite: append with the cursor in one transaction, and read in order.

use registry_schema::ids::{Epoch, Origin, Seq};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::codec::{damaged, hash, json, lane, origin};
use super::{Sqlite, codec, ledger};
use crate::ledger::Act;
use crate::model::{
    Append, Appended, Cursor, FRAME, FrameEntry, JournalBody, JournalEntry, JournalId, Province, Queue, VERDICT,
};
use crate::national::{Answer, Journal};

impl Journal for Sqlite {
    async fn append(&self, entries: Vec<Append>) -> Answer<Vec<Appended>> {
        self.writer
            .run(move |connection| {
                let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                let appended = entries.iter().map(|entry| append_one(&transaction, entry)).collect::<Result<_, _>>()?;
                for act in Act::answering(entries.iter().filter_map(Append::verdict)) {
                    ledger::add(&transaction, act)?;
                }
                fail::fail_point!("hub.journal.before");
                transaction.commit()?;
                fail::fail_point!("hub.journal.after");
                Ok(appended)
            })
            .await
    }

    async fn next(&self, queue: Queue, after: JournalId, bytes_max: usize) -> Answer<Vec<JournalEntry>> {
        self.reader.run(move |connection| read_next(connection, queue, after, bytes_max)).await
    }

    async fn cursors(&self, origin: Origin) -> Answer<Vec<Cursor>> {
        self.writer.run(move |connection| read_cursors(connection, origin)).await
    }

    async fn enrol(&self, province: Province, now_ms: i64) -> Answer<()> {
        self.writer
            .run(move |connection| {
                connection.execute(
                    "INSERT INTO province (origin, name, token_hash, enrolled_ms) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (origin) DO UPDATE
                     SET name = excluded.name, token_hash = excluded.token_hash, epoch = NULL",
                    params![province.origin.number(), province.name, province.token_hash.0, now_ms],
                )?;
                Ok(())
            })
            .await
    }

    async fn provinces(&self) -> Answer<Vec<Province>> {
        self.reader
            .run(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT origin, name, token_hash, epoch, last_seen_ms, agent_version FROM province ORDER BY origin",
                )?;
                let rows = statement.query_map([], province)?;
                rows.collect()
            })
            .await
    }

    async fn seen(&self, origin: Origin, epoch: Epoch, agent_version: String, now_ms: i64) -> Answer<Epoch> {
        self.writer
            .run(move |connection| {
                connection.query_row(
                    "UPDATE province SET epoch = coalesce(epoch, ?2), agent_version = ?3, last_seen_ms = ?4
                     WHERE origin = ?1 RETURNING epoch",
                    params![origin.number(), epoch.0.cast_signed(), agent_version, now_ms],
                    |row| Ok(Epoch(row.get::<_, i64>(0)?.cast_unsigned())),
                )
            })
            .await
    }
}

pub(super) fn read_cursors(connection: &Connection, origin: Origin) -> rusqlite::Result<Vec<Cursor>> {
    let mut statement = connection.prepare_cached(
        "SELECT lane, epoch, seq, chain, applied_seq, received_ms, applied_ms FROM cursor
         WHERE origin = ?1 ORDER BY lane",
    )?;
    let rows = statement.query_map([origin.number()], cursor)?;
    rows.collect()
}

fn append_one(transaction: &Transaction<'_>, entry: &Append) -> rusqlite::Result<Appended> {
    match entry {
        Append::Frame(frame) => append_frame(transaction, frame),
        Append::Verdict { verdict, received_ms } => {
            transaction
                .prepare_cached("INSERT INTO journal (source, queue, received_ms, bytes) VALUES (2, 1, ?1, ?2)")?
                .execute(params![received_ms, json(verdict)?.into_bytes()])?;
            Ok(Appended::At(JournalId(transaction.last_insert_rowid())))
        }
    }
}

/// A frame is taken only where it continues its lane: same epoch, next seq, same chain.
fn append_frame(transaction: &Transaction<'_>, frame: &FrameEntry) -> rusqlite::Result<Appended> {
    let (origin, lane) = (frame.origin.number(), frame.lane.number());
    let epoch = frame.epoch.0.cast_signed();
    let at = transaction
        .prepare_cached("SELECT epoch, seq, chain FROM cursor WHERE origin = ?1 AND lane = ?2")?
        .query_row(params![origin, lane], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, hash(row.get_ref(2)?.as_blob()?)?))
        })
        .optional()?;
    let expected = frame.first_seq.0.cast_signed() - 1;
    let continues = match at {
        None => expected == 0,
        Some((at_epoch, seq, _)) if at_epoch != epoch => expected == 0 && seq >= 0,
        Some((_, seq, chain)) => seq == expected && chain == frame.previous_chain,
    };
    if !continues {
        return Ok(Appended::Outrun);
    }
    // An incarnation that was given up and comes back begins where the journal has it already: it is outrun.
    let inserted = transaction
        .prepare_cached(
            "INSERT INTO journal (source, origin, epoch, lane, first_seq, last_seq, chain, received_ms, bytes, queue)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (origin, epoch, lane, first_seq) WHERE source = 1 DO NOTHING",
        )?
        .execute(params![
            origin,
            epoch,
            lane,
            frame.first_seq.0.cast_signed(),
            frame.last_seq.0.cast_signed(),
            frame.chain.0,
            frame.received_ms,
            frame.bytes,
            Queue::of(frame.lane).number()
        ])?;
    if inserted == 0 {
        return Ok(Appended::Outrun);
    }
    let id = JournalId(transaction.last_insert_rowid());
    transaction
        .prepare_cached(
            "INSERT INTO cursor (origin, lane, epoch, seq, chain, received_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (origin, lane) DO UPDATE SET seq = excluded.seq, chain = excluded.chain,
             received_ms = excluded.received_ms, epoch = excluded.epoch,
             applied_seq = CASE WHEN epoch = excluded.epoch THEN applied_seq ELSE 0 END",
        )?
        .execute(params![origin, lane, epoch, frame.last_seq.0.cast_signed(), frame.chain.0, frame.received_ms])?;
    Ok(Appended::At(id))
}

fn read_next(
    connection: &Connection,
    queue: Queue,
    after: JournalId,
    bytes_max: usize,
) -> rusqlite::Result<Vec<JournalEntry>> {
    let mut statement = connection.prepare_cached(
        "SELECT journal_id, source, origin, lane, last_seq, chain, received_ms, bytes, epoch FROM journal
         WHERE queue = ?2 AND journal_id > ?1 ORDER BY journal_id",
    )?;
    let mut rows = statement.query(params![after.0, queue.number()])?;
    let mut entries = Vec::new();
    let mut bytes = 0;
    while bytes < bytes_max {
        let Some(row) = rows.next()? else { break };
        bytes += row.get_ref(7)?.as_blob()?.len();
        entries.push(entry(row)?);
    }
    Ok(entries)
}

/// Of a row that cannot be read only its place is told.
fn entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<JournalEntry> {
    let is_frame = row.get::<_, i64>(1)? == 1;
    let body = if is_frame { frame(row) } else { verdict(row) };
    let damaged = |_| JournalBody::Damaged(if is_frame { FRAME } else { VERDICT });
    Ok(JournalEntry { id: JournalId(row.get(0)?), received_ms: row.get(6)?, body: body.unwrap_or_else(damaged) })
}

fn frame(row: &rusqlite::Row<'_>) -> rusqlite::Result<JournalBody> {
    Ok(JournalBody::Frame {
        origin: origin(row.get(2)?)?,
        epoch: Epoch(row.get::<_, i64>(8)?.cast_unsigned()),
        lane: lane(row.get(3)?)?,
        last_seq: Seq(row.get::<_, i64>(4)?.cast_unsigned()),
        chain: hash(row.get_ref(5)?.as_blob()?)?,
        bytes: row.get(7)?,
    })
}

fn verdict(row: &rusqlite::Row<'_>) -> rusqlite::Result<JournalBody> {
    let read = serde_json::from_slice(row.get_ref(7)?.as_blob()?);
    read.map(JournalBody::Verdict).map_err(|_| damaged(VERDICT))
}

fn cursor(row: &rusqlite::Row<'_>) -> rusqlite::Result<Cursor> {
    Ok(Cursor {
        lane: lane(row.get(0)?)?,
        epoch: Epoch(row.get::<_, i64>(1)?.cast_unsigned()),
        seq: Seq(row.get::<_, i64>(2)?.cast_unsigned()),
        chain: hash(row.get_ref(3)?.as_blob()?)?,
        applied: Seq(row.get::<_, i64>(4)?.cast_unsigned()),
        received_ms: row.get(5)?,
        applied_ms: row.get(6)?,
    })
}

fn province(row: &rusqlite::Row<'_>) -> rusqlite::Result<Province> {
    Ok(Province {
        origin: codec::origin(row.get(0)?)?,
        name: row.get(1)?,
        token_hash: hash(row.get_ref(2)?.as_blob()?)?,
        epoch: row.get::<_, Option<i64>>(3)?.map(|epoch| Epoch(epoch.cast_unsigned())),
        last_seen_ms: row.get(4)?,
        agent_version: row.get(5)?,
    })
}
