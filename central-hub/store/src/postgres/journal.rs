//! The journal in PostgreSQL: append with the cursor in one transaction, and read in order.

use std::collections::BTreeMap;

use futures::try_join;
use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use tokio_postgres::Row;

use super::codec::{get, hash, json, lane, origin, origin_number, small, text, unsigned};
use super::error::{Fault, Outcome};
use super::pool::Connection;
use super::{Postgres, codec, ledger, statements};
use crate::error::StoreError;
use crate::ledger::Act;
use crate::model::{
    Append, Appended, Cursor, FRAME, FrameEntry, JournalBody, JournalEntry, JournalId, Province, Queue, VERDICT,
};
use crate::national::{Answer, Journal};

/// Entries of one page of the journal; the bound on bytes is reached long before.
const PAGE_ENTRIES_MAX: i64 = 1024;

impl Journal for Postgres {
    async fn append(&self, entries: Vec<Append>) -> Answer<Vec<Appended>> {
        let entries = &entries[..];
        self.pool.run(|connection, tries| async move { append_all(&connection, entries, tries > 0).await }).await
    }

    async fn next(&self, queue: Queue, after: JournalId, bytes_max: usize) -> Answer<Vec<JournalEntry>> {
        self.pool.run(|connection, _| async move { read_next(&connection, queue, after, bytes_max).await }).await
    }

    async fn cursors(&self, origin: Origin) -> Answer<Vec<Cursor>> {
        self.pool.run(|connection, _| async move { read_cursors(&connection, origin).await }).await
    }

    async fn enrol(&self, province: Province, now_ms: i64) -> Answer<()> {
        const SQL: &str = "INSERT INTO province (origin, name, token_hash, enrolled_ms) VALUES ($1, $2, $3, $4)
             ON CONFLICT (origin) DO UPDATE
             SET name = excluded.name, token_hash = excluded.token_hash, epoch = NULL";
        let (number, name) = (origin_number(province.origin), &text(&province.name));
        let token_hash = &province.token_hash.0[..];
        let done = self.pool.run(|connection, _| async move {
            connection.query(SQL, [&number, name, &token_hash, &now_ms]).await.map(drop)
        });
        done.await
    }

    async fn provinces(&self) -> Answer<Vec<Province>> {
        const SQL: &str =
            "SELECT origin, name, token_hash, epoch, last_seen_ms, agent_version FROM province ORDER BY origin";
        let rows = self
            .pool
            .run(|connection, _| async move { connection.query(SQL, []).await?.iter().map(province).collect() });
        rows.await
    }

    async fn seen(&self, origin: Origin, epoch: Epoch, agent_version: String, now_ms: i64) -> Answer<Epoch> {
        const SQL: &str = "UPDATE province SET epoch = coalesce(epoch, $2), agent_version = $3, last_seen_ms = $4
             WHERE origin = $1 RETURNING epoch";
        let (number, epoch, version) = (origin_number(origin), epoch.0.cast_signed(), &text(&agent_version));
        let stands = self.pool.run(|connection, _| async move {
            let rows = connection.query(SQL, [&number, &epoch, version, &now_ms]).await?;
            let row = rows.first().ok_or_else(|| self.unusable("the province is not enrolled; enrol it first"))?;
            Ok(Epoch(unsigned(row, 0)?))
        });
        stands.await
    }
}

impl Postgres {
    fn unusable(&self, reason: &str) -> StoreError {
        StoreError::Unusable { place: self.pool.settings().place.clone(), reason: reason.to_owned() }
    }
}

type LaneKey = (Origin, Lane);
/// Where a lane is: its epoch, its last change, and the chain after it.
type LaneEnd = (i64, i64, Hash256);
/// Province, epoch, lane and first change of a frame.
type Position = (Origin, i64, Lane, i64);

/// What the journal knows of the places where frames are to stand.
struct Known {
    head: i64,
    lanes: BTreeMap<LaneKey, LaneEnd>,
    taken: BTreeMap<Position, (JournalId, i64, Hash256)>,
}

/// Appends in one transaction: a look that holds the journal's end, and the rows. When an answer was lost on the way,
/// frames that stand there already are acknowledged; a verdict may stand there twice, which means the same.
async fn append_all(connection: &Connection, entries: &[Append], again: bool) -> Outcome<Vec<Appended>> {
    let mut known = look(connection, entries).await?;
    let first = known.head;
    let mut taken = Vec::new();
    let appended = entries.iter().map(|entry| {
        if let Append::Frame(frame) = entry {
            if let Some(refused) = refusal(&known, frame, again) {
                return refused;
            }
            let end = (frame.epoch.0.cast_signed(), frame.last_seq.0.cast_signed(), frame.chain);
            known.lanes.insert((frame.origin, frame.lane), end);
            known.taken.insert(position(frame), (JournalId(known.head + 1), end.1, end.2));
        }
        known.head += 1;
        taken.push(entry);
        Appended::At(JournalId(known.head))
    });
    let appended: Vec<Appended> = appended.collect();
    for act in Act::answering(entries.iter().filter_map(Append::verdict)) {
        ledger::add(connection, &ledger::written(&act)).await?;
    }
    fail::fail_point!("hub.journal.before");
    write(connection, first, &taken).await?;
    fail::fail_point!("hub.journal.after");
    Ok(appended)
}

fn position(frame: &FrameEntry) -> Position {
    (frame.origin, frame.epoch.0.cast_signed(), frame.lane, frame.first_seq.0.cast_signed())
}

pub(super) async fn read_cursors(connection: &Connection, origin: Origin) -> Outcome<Vec<Cursor>> {
    const SQL: &str = "SELECT lane, epoch, seq, chain, applied_seq, received_ms, applied_ms FROM cursor
         WHERE origin = $1 ORDER BY lane";
    connection.query(SQL, [&origin_number(origin)]).await?.iter().map(cursor).collect()
}

async fn look(connection: &Connection, entries: &[Append]) -> Outcome<Known> {
    let frames = entries.iter().filter_map(|entry| match entry {
        Append::Frame(frame) => Some(position(frame)),
        Append::Verdict { .. } => None,
    });
    let (mut origins, mut epochs, mut lanes, mut firsts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (origin, epoch, lane, first) in frames {
        origins.push(origin_number(origin));
        epochs.push(epoch);
        lanes.push(i16::from(lane.number()));
        firsts.push(first);
    }
    let begin = statements::begin_change();
    let ((), head, ends, taken) = try_join!(
        connection.batch(&begin),
        connection.query(statements::JOURNAL_HEAD, []),
        connection.query(statements::CURSORS_AT, [&origins, &lanes]),
        connection.query(statements::JOURNAL_POSITIONS, [&origins, &epochs, &lanes, &firsts]),
    )?;
    let head = get(head.first().ok_or(Fault::Damaged("the journal's head"))?, 0)?;
    let ends = ends.iter().map(|row| {
        let end = (get(row, 2)?, get(row, 3)?, hash(row, 4)?);
        Ok(((origin(row, 0)?, lane(row, 1)?), end))
    });
    let taken = taken.iter().map(|row| {
        let position = (origin(row, 0)?, get(row, 1)?, lane(row, 2)?, get(row, 3)?);
        Ok((position, (JournalId(get(row, 4)?), get(row, 5)?, hash(row, 6)?)))
    });
    Ok(Known { head, lanes: ends.collect::<Outcome<_>>()?, taken: taken.collect::<Outcome<_>>()? })
}

/// A frame is taken only where it continues its lane: same epoch, next seq, same chain. An incarnation that was given up
/// and comes back begins where the journal has it already: it is outrun.
fn refusal(known: &Known, frame: &FrameEntry, again: bool) -> Option<Appended> {
    let (_, epoch, _, first) = position(frame);
    if let Some((id, last, chain)) = known.taken.get(&position(frame)) {
        let is_ours = again && *last == frame.last_seq.0.cast_signed() && *chain == frame.chain;
        return Some(if is_ours { Appended::At(*id) } else { Appended::Outrun });
    }
    let expected = first - 1;
    let continues = match known.lanes.get(&(frame.origin, frame.lane)) {
        None => expected == 0,
        Some((at_epoch, seq, _)) if *at_epoch != epoch => expected == 0 && *seq >= 0,
        Some((_, seq, chain)) => *seq == expected && *chain == frame.previous_chain,
    };
    (!continues).then_some(Appended::Outrun)
}

/// The columns of rows of the journal.
#[derive(Default)]
struct Columns<'e> {
    ids: Vec<i64>,
    sources: Vec<i16>,
    origins: Vec<i16>,
    epochs: Vec<Option<i64>>,
    lanes: Vec<Option<i16>>,
    firsts: Vec<Option<i64>>,
    lasts: Vec<Option<i64>>,
    chains: Vec<Option<&'e [u8]>>,
    queues: Vec<i16>,
    received: Vec<i64>,
    bytes: Vec<std::borrow::Cow<'e, [u8]>>,
}

impl<'e> Columns<'e> {
    fn of(after: i64, entries: &[&'e Append]) -> Outcome<Self> {
        let mut columns = Self::default();
        for (id, entry) in (after + 1..).zip(entries) {
            columns.ids.push(id);
            let frame = match entry {
                Append::Frame(frame) => Some(frame),
                Append::Verdict { .. } => None,
            };
            columns.origins.push(frame.map_or(0, |frame| origin_number(frame.origin)));
            columns.epochs.push(frame.map(|frame| frame.epoch.0.cast_signed()));
            columns.lanes.push(frame.map(|frame| i16::from(frame.lane.number())));
            columns.firsts.push(frame.map(|frame| frame.first_seq.0.cast_signed()));
            columns.lasts.push(frame.map(|frame| frame.last_seq.0.cast_signed()));
            columns.chains.push(frame.map(|frame| &frame.chain.0[..]));
            let (source, queue, received_ms, bytes) = match entry {
                Append::Frame(frame) => (1, Queue::of(frame.lane), frame.received_ms, frame.bytes.as_slice().into()),
                Append::Verdict { verdict, received_ms } => {
                    (2, Queue::Live, *received_ms, json(verdict)?.into_bytes().into())
                }
            };
            columns.sources.push(source);
            columns.queues.push(i16::from(queue.number()));
            columns.received.push(received_ms);
            columns.bytes.push(bytes);
        }
        Ok(columns)
    }
}

async fn write(connection: &Connection, after: i64, entries: &[&Append]) -> Outcome<()> {
    let rows = Columns::of(after, entries)?;
    let mut ends: BTreeMap<(i16, i16), &FrameEntry> = BTreeMap::new();
    for entry in entries {
        if let Append::Frame(frame) = entry {
            ends.insert((origin_number(frame.origin), i16::from(frame.lane.number())), frame);
        }
    }
    let (origins, lanes): (Vec<i16>, Vec<i16>) = ends.keys().copied().unzip();
    let epochs: Vec<i64> = ends.values().map(|frame| frame.epoch.0.cast_signed()).collect();
    let seqs: Vec<i64> = ends.values().map(|frame| frame.last_seq.0.cast_signed()).collect();
    let chains: Vec<&[u8]> = ends.values().map(|frame| &frame.chain.0[..]).collect();
    let received: Vec<i64> = ends.values().map(|frame| frame.received_ms).collect();
    let bytes: Vec<&[u8]> = rows.bytes.iter().map(AsRef::as_ref).collect();
    let head = after + i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let any = !entries.is_empty();
    try_join!(
        connection.query_if(
            any,
            statements::JOURNAL_ADD,
            [
                &rows.ids,
                &rows.sources,
                &rows.origins,
                &rows.epochs,
                &rows.lanes,
                &rows.firsts,
                &rows.lasts,
                &rows.chains,
                &rows.queues,
                &rows.received,
                &bytes
            ]
        ),
        connection.query_if(any, statements::JOURNAL_HEAD_SET, [&head]),
        connection.query_if(
            !ends.is_empty(),
            statements::CURSOR_PUT,
            [&origins, &lanes, &epochs, &seqs, &chains, &received]
        ),
        connection.batch("COMMIT"),
    )?;
    Ok(())
}

async fn read_next(
    connection: &Connection,
    queue: Queue,
    after: JournalId,
    bytes_max: usize,
) -> Outcome<Vec<JournalEntry>> {
    let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
    let by: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
        [&i16::from(queue.number()), &after.0, &bytes_max, &PAGE_ENTRIES_MAX];
    let rows = connection.query(statements::JOURNAL_NEXT, by).await?;
    rows.iter().map(entry).collect()
}

/// Of a row that cannot be read only its place is told.
fn entry(row: &Row) -> Outcome<JournalEntry> {
    let is_frame = small(row, 1)? == 1;
    let body = if is_frame { frame(row) } else { verdict(row) };
    let damaged = |_| JournalBody::Damaged(if is_frame { FRAME } else { VERDICT });
    Ok(JournalEntry { id: JournalId(get(row, 0)?), received_ms: get(row, 6)?, body: body.unwrap_or_else(damaged) })
}

fn frame(row: &Row) -> Outcome<JournalBody> {
    Ok(JournalBody::Frame {
        origin: origin(row, 2)?,
        epoch: Epoch(unsigned(row, 8)?),
        lane: lane(row, 3)?,
        last_seq: Seq(unsigned(row, 4)?),
        chain: hash(row, 5)?,
        bytes: get(row, 7)?,
    })
}

fn verdict(row: &Row) -> Outcome<JournalBody> {
    serde_json::from_slice(get(row, 7)?).map(JournalBody::Verdict).map_err(|_| Fault::Damaged(VERDICT))
}

fn cursor(row: &Row) -> Outcome<Cursor> {
    Ok(Cursor {
        lane: lane(row, 0)?,
        epoch: Epoch(unsigned(row, 1)?),
        seq: Seq(unsigned(row, 2)?),
        chain: hash(row, 3)?,
        applied: Seq(unsigned(row, 4)?),
        received_ms: get(row, 5)?,
        applied_ms: get(row, 6)?,
    })
}

fn province(row: &Row) -> Outcome<Province> {
    Ok(Province {
        origin: codec::origin(row, 0)?,
        name: get(row, 1)?,
        token_hash: hash(row, 2)?,
        epoch: get::<Option<i64>>(row, 3)?.map(|epoch| Epoch(epoch.cast_unsigned())),
        last_seen_ms: get(row, 4)?,
        agent_version: get(row, 5)?,
    })
}
