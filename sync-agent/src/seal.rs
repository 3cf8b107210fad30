//! Seals logged changes: gives each its bytes, version, clock and place, and chains it to the one before.
//!
//! An import seals what it writes as it writes it; what clerks' programs write is sealed by the daemon, a moment later. The
//! log is worked off in the order of commits, with one exception: what clerks do today does not wait behind a
//! backlog that was imported before. Such a change is sealed ahead unless an older change of the same entry still waits,
//! and little else with it.

pub(crate) mod portion;

use std::collections::BTreeMap;

use registry_proto::frame::{Change, SealedChange};
use registry_schema::clock::Hlc;
use registry_schema::ids::{Lane, RecordId, Seq, Version};
use registry_schema::kind::Kind;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior, params};

use crate::capture::{Capture, Rows};
use crate::change_log::{self, LaneState};
use crate::store::StoreError;
use crate::store::state::{self, Incarnation};

/// How many logged changes one look ahead passes over in search of clerks' changes: about ten milliseconds.
const LOOK_AHEAD_CHANGES: i64 = 100_000;
/// Which part of a transaction is left for the backlog where something was sealed ahead of it: the backlog goes on, and
/// whoever waits for what was sealed ahead waits for an eighth at most.
const BACKLOG_DIVISOR: usize = 8;

/// What one transaction of sealing has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// How many changes were sealed.
    pub changes: usize,
    /// Whether more of them waited when it ended.
    pub more: bool,
}

/// Seals a store's changes. What it remembers between two transactions only saves time.
#[derive(Debug)]
pub(crate) struct Sealer {
    incarnation: Incarnation,
    capture: Capture,
    /// Every change up to here was looked at for sealing ahead.
    looked_through: i64,
}

impl Sealer {
    pub(crate) const fn new(incarnation: Incarnation, capture: Capture) -> Self {
        Self { incarnation, capture, looked_through: 0 }
    }

    /// Seals at most `changes_max` changes, in one transaction.
    ///
    /// `now_ms` is the wall clock: no change was logged later than now, whatever a writer's transaction says, so one
    /// wrong clock does not carry the store's clock into the future.
    pub(crate) fn seal(
        &mut self,
        connection: &mut Connection,
        changes_max: usize,
        now_ms: u64,
    ) -> Result<Sealed, StoreError> {
        if newest_change(connection)? <= state::sealed_through(connection)? {
            return Ok(Sealed { changes: 0, more: false });
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::begin(&transaction, self, now_ms)?;
        let sealed_through = state::sealed_through(&transaction)?;
        let newest = newest_change(&transaction)?;
        let looked_through = seal_ahead(&mut batch, self.looked_through.max(sealed_through), newest, changes_max / 2)?;
        let backlog_max = if batch.changes > 0 { changes_max.div_ceil(BACKLOG_DIVISOR) } else { changes_max };
        let sealed_through = seal_in_order(&mut batch, sealed_through, newest, (changes_max, backlog_max))?;
        let changes = batch.finish(sealed_through)?;
        fail::fail_point!("agent.seal.before");
        transaction.commit()?;
        fail::fail_point!("agent.seal.after");
        self.looked_through = looked_through;
        Ok(Sealed { changes, more: sealed_through < newest })
    }

    /// Seals at most `changes_max` changes inside the transaction that wrote the last of them, in the order of commits:
    /// they are sealed at the moment when they are committed, and nobody has to look for them and write them once more.
    pub(crate) fn seal_written(
        &self,
        transaction: &Transaction<'_>,
        changes_max: usize,
        now_ms: u64,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::begin(transaction, self, now_ms)?;
        let (sealed_through, newest) = (state::sealed_through(transaction)?, newest_change(transaction)?);
        let sealed_through = seal_in_order(&mut batch, sealed_through, newest, (changes_max, changes_max))?;
        batch.finish(sealed_through).map(drop)
    }
}

/// Seals clerks' changes after `looked_through`, and answers how far it has looked.
fn seal_ahead(batch: &mut Batch<'_>, looked_through: i64, newest: i64, changes_max: usize) -> Result<i64, StoreError> {
    let end = newest.min(looked_through.saturating_add(LOOK_AHEAD_CHANGES));
    let logged = batch.logged("AND backlog = 0", looked_through, end, changes_max)?;
    for change in &logged {
        let predecessor = batch.predecessor(change)?;
        if predecessor.is_none_or(|predecessor| predecessor.place.is_some()) {
            batch.seal(change, predecessor)?;
        }
    }
    Ok(logged.last().filter(|_| logged.len() == changes_max).map_or(end, |last| last.change_id))
}

/// Seals what waits in the order of commits, and answers up to where nothing is left.
fn seal_in_order(
    batch: &mut Batch<'_>,
    after: i64,
    newest: i64,
    (changes_max, backlog_max): (usize, usize),
) -> Result<i64, StoreError> {
    let rest = changes_max.saturating_sub(batch.changes);
    let logged = batch.logged("", after, newest, rest)?;
    let (mut sealed_through, mut backlog) = (after, 0);
    for change in &logged {
        backlog += usize::from(change.lane == Lane::Backlog);
        if backlog > backlog_max {
            return Ok(sealed_through);
        }
        let predecessor = batch.predecessor(change)?;
        batch.seal(change, predecessor)?;
        sealed_through = change.change_id;
    }
    Ok(if logged.len() == rest { sealed_through } else { newest })
}

fn newest_change(connection: &Connection) -> Result<i64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(change_id), 0) FROM change_log")?;
    Ok(statement.query_row((), |row| row.get(0))?)
}

/// A change as the writer's transaction logged it.
struct Logged {
    change_id: i64,
    kind: Kind,
    record_id: RecordId,
    logged_ms: u64,
    lane: Lane,
    overtaken: bool,
    /// The state that was sealed last is to be sent once more, as it is.
    again: bool,
}

impl Logged {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let damaged = || StoreError::Damaged("the change log holds what no trigger writes".to_owned());
        let backlog: bool = row.get(4)?;
        let again = row.get_ref(3)?.as_str() == Ok("repair");
        let own_lane = match (again, backlog) {
            (true, _) => Lane::Repair,
            (false, true) => Lane::Backlog,
            (false, false) => Lane::Live,
        };
        Ok(Self {
            change_id: row.get(0)?,
            kind: row.get_ref(1)?.as_str().ok().and_then(Kind::parse).ok_or_else(damaged)?,
            record_id: RecordId::from_number(row.get(2)?).ok_or_else(damaged)?,
            logged_ms: u64::try_from(row.get::<_, i64>(5)?).unwrap_or_default(),
            lane: own_lane,
            overtaken: row.get(6)?,
            again,
        })
    }
}

/// The change of the same entry that was logged before.
#[derive(Debug, Clone, Copy)]
struct Predecessor {
    version: Version,
    /// Where it was sealed; `None` while it waits.
    place: Option<(Lane, Seq)>,
}

const FIND_PREDECESSOR: &str = "SELECT version, lane, iif(settled, 0, seq) FROM change_log
     WHERE record_id = ?1 AND change_id < ?2 ORDER BY change_id DESC LIMIT 1";
const PUT: &str = "UPDATE change_log SET lane = ?2, seq = ?3, version = ?4, clock = ?5, content_hash = ?6, chain = ?7,
     canonical = ?8, image = NULL WHERE change_id = ?1";

/// One transaction of sealing, with the statements that each of its changes needs.
struct Batch<'a> {
    transaction: &'a Transaction<'a>,
    sealer: &'a Sealer,
    rows: Rows<'a>,
    find_predecessor: CachedStatement<'a>,
    put: CachedStatement<'a>,
    lanes: BTreeMap<Lane, LaneState>,
    clock: Hlc,
    now_ms: u64,
    changes: usize,
}

impl<'a> Batch<'a> {
    fn begin(transaction: &'a Transaction<'a>, sealer: &'a Sealer, now_ms: u64) -> Result<Self, StoreError> {
        let (lanes, clock) = (change_log::lanes(transaction)?, state::clock(transaction)?);
        let rows = sealer.capture.rows(transaction)?;
        let (find_predecessor, put) = (transaction.prepare_cached(FIND_PREDECESSOR)?, transaction.prepare_cached(PUT)?);
        Ok(Self { transaction, sealer, rows, find_predecessor, put, lanes, clock, now_ms, changes: 0 })
    }

    /// Changes that wait to be sealed, after `after` and up to `end`. A row without a record key, which no trigger
    /// writes, is no change of any entry and is passed over.
    fn logged(&self, filter: &str, after: i64, end: i64, changes_max: usize) -> Result<Vec<Logged>, StoreError> {
        let sql = format!(
            "SELECT change_id, kind, record_id, operation, backlog, logged_ms, image IS NOT NULL FROM change_log
             WHERE change_id > ?1 AND change_id <= ?2 {filter} AND seq IS NULL AND record_id > 0
             ORDER BY change_id LIMIT ?3"
        );
        let mut statement = self.transaction.prepare_cached(&sql)?;
        let limit = i64::try_from(changes_max).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![after, end, limit])?;
        let mut logged = Vec::new();
        while let Some(row) = rows.next()? {
            logged.push(Logged::read(row)?);
        }
        Ok(logged)
    }

    fn predecessor(&mut self, change: &Logged) -> Result<Option<Predecessor>, StoreError> {
        let read = |row: &Row<'_>| {
            let lane = row.get::<_, Option<u8>>(1)?.and_then(Lane::from_number);
            let seq = row.get::<_, Option<i64>>(2)?.map(|seq| Seq(seq.cast_unsigned()));
            let version = Version(row.get::<_, Option<u32>>(0)?.unwrap_or_default());
            Ok(Predecessor { version, place: lane.zip(seq) })
        };
        let by = params![change.record_id.number(), change.change_id];
        Ok(self.find_predecessor.query_row(by, read).optional()?)
    }

    /// Seals one change; every older change of the same entry is sealed already.
    fn seal(&mut self, change: &Logged, predecessor: Option<Predecessor>) -> Result<(), StoreError> {
        let lane = self.lane(change, predecessor);
        let stated = match predecessor.filter(|_| change.again) {
            Some(_) => self.last_state(change)?,
            None => self.new_state(change, predecessor)?,
        };
        let state = self.lanes.get_mut(&lane).expect("every lane was loaded");
        let sealed = SealedChange::link(self.sealer.incarnation.origin, &state.chain, state.sealed.next(), stated);
        (state.sealed, state.chain) = (sealed.seq, sealed.chain);
        self.put.execute(params![
            change.change_id,
            lane.number(),
            sealed.seq.0.cast_signed(),
            sealed.version.0,
            sealed.clock.number().cast_signed(),
            sealed.content_hash.as_bytes(),
            sealed.chain.as_bytes(),
            sealed.canonical,
        ])?;
        self.changes += 1;
        Ok(())
    }

    fn new_state(&mut self, change: &Logged, predecessor: Option<Predecessor>) -> Result<Change, StoreError> {
        let version = Version(predecessor.map_or(0, |predecessor| predecessor.version.0).saturating_add(1));
        let canonical = self.content(change)?;
        fail::fail_point!("agent.capture");
        self.clock = self.clock.tick(change.logged_ms.min(self.now_ms));
        Ok(Change { record_id: change.record_id, version, clock: self.clock, canonical })
    }

    /// The state that was sealed last, for the centre to have it once more.
    fn last_state(&self, change: &Logged) -> Result<Change, StoreError> {
        let sql = "SELECT version, clock, canonical FROM change_log
                   WHERE record_id = ?1 AND change_id < ?2 ORDER BY change_id DESC LIMIT 1";
        let read = |row: &Row<'_>| {
            let clock = Hlc::from_number(row.get::<_, i64>(1)?.cast_unsigned());
            Ok(Change { record_id: change.record_id, version: Version(row.get(0)?), clock, canonical: row.get(2)? })
        };
        let mut statement = self.transaction.prepare_cached(sql)?;
        Ok(statement.query_row(params![change.record_id.number(), change.change_id], read)?)
    }

    /// The lane of a change: its own, unless the state before it is still on its way in another. So the versions of an
    /// entry never overtake one another.
    fn lane(&self, change: &Logged, predecessor: Option<Predecessor>) -> Lane {
        let place = predecessor.and_then(|predecessor| predecessor.place);
        let on_its_way = place.filter(|(lane, seq)| self.lanes.get(lane).is_some_and(|state| *seq > state.received));
        on_its_way.map_or(change.lane, |(lane, _)| lane)
    }

    fn content(&mut self, change: &Logged) -> Result<Vec<u8>, StoreError> {
        if !change.overtaken {
            return self.rows.get(change.kind, change.record_id.number());
        }
        let sql = "SELECT image FROM change_log WHERE change_id = ?1";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut rows = statement.query([change.change_id])?;
        let image = rows.next()?.map(|row| row.get_ref(0).map(|image| image.as_bytes().unwrap_or_default()));
        Ok(self.sealer.capture.image(change.kind, image.transpose()?.unwrap_or_default()))
    }

    fn finish(self, sealed_through: i64) -> Result<usize, StoreError> {
        let sql = "UPDATE lanes SET sealed_seq = ?2, sealed_chain = ?3 WHERE lane = ?1";
        for (lane, state) in &self.lanes {
            let values = params![lane.number(), state.sealed.0.cast_signed(), state.chain.as_bytes()];
            self.transaction.prepare_cached(sql)?.execute(values)?;
        }
        state::set_clock(self.transaction, self.clock)?;
        state::set_sealed_through(self.transaction, sealed_through)?;
        Ok(self.changes)
    }
}

#[cfg(test)]
mod tests;
