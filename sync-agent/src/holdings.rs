//! What the store holds, as sums and cells that can be had at any place of the lanes.
//!
//! The held state of an entry at some places is the greatest of its sealed states up to there; states that are settled
//! (sealed in an earlier epoch, or brought back from the centre) count everywhere. The sums are kept in memory and walk
//! along with what is sent; now and then they are written down, so that a new start has little to catch up with. Nothing
//! is added to a clerk's transaction, nor to a sealing.

mod walk;

use registry_proto::frame::SealedChange;
use registry_proto::resync::Places;
use registry_schema::digest::Hash256;
use registry_schema::holdings::{Bucket, Buckets, Delta, HOLDINGS_VERSION, Held, Holding, HoldingsKey, Sketch};
use registry_schema::ids::{Lane, Origin, RecordId, RecordKey, Seq};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::store::{Store, StoreError};

pub(crate) use walk::{count, greatest};

/// Changes after which the sums are written down anew: 86 kB then, beside some 20 MB of changes.
const CHECKPOINT_CHANGES: u64 = 20_000;
/// Changes between two places up to which it is quicker to look at each than at all.
const WIND_CHANGES_MAX: u64 = 50_000;

/// The sums of a store at some places of its lanes.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) key: HoldingsKey,
    pub(crate) at: Places,
    pub(crate) holding: Holding,
    /// Changes that are not in what is written down.
    unsaved: u64,
}

impl Store {
    /// Takes the centre's key. Sums under another key or of another version are made anew from the changes.
    pub(crate) fn take_holdings_key(&mut self, key: &HoldingsKey) -> Result<(), StoreError> {
        if self.kept.as_ref().is_some_and(|kept| kept.key == *key) {
            return Ok(());
        }
        let origin = self.incarnation().origin;
        let kept = match load(&self.connection)?.filter(|kept| kept.key == *key) {
            Some(kept) => kept,
            None => {
                let at = sealed(&self.connection)?;
                let holding =
                    count(&self.connection, origin, key, &at, registry_schema::holdings::SKETCH_CELLS, &[])?.holding;
                let kept = Kept { key: key.clone(), at, holding, unsaved: 0 };
                let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                save(&transaction, &kept)?;
                transaction.commit()?;
                kept
            }
        };
        self.kept = Some(kept);
        Ok(())
    }

    /// Takes up the sums that are written down, for work without a stream; there may be none yet.
    pub(crate) fn keep_holdings(&mut self) -> Result<(), StoreError> {
        let key = load(&self.connection)?.map(|kept| kept.key);
        key.map_or(Ok(()), |key| self.take_holdings_key(&key))
    }

    /// Brings the sums to other places, forwards or backwards.
    pub(crate) fn move_holdings(&mut self, to: &Places) -> Result<(), StoreError> {
        let Some(kept) = self.kept.take() else { return Ok(()) };
        self.kept = Some(moved(&self.connection, self.incarnation().origin, kept, to)?);
        self.save_holdings_when_due()
    }

    /// The holding at other places, while the sums stay where they are.
    pub(crate) fn holding_at(&self, to: &Places) -> Result<Option<Holding>, StoreError> {
        let Some(kept) = self.kept.clone() else { return Ok(None) };
        Ok(Some(moved(&self.connection, self.incarnation().origin, kept, to)?.holding))
    }

    /// Walks on with changes that are sent, and answers the root after them; `None` when the sums are not known there.
    pub(crate) fn walk_with(&mut self, lane: Lane, changes: &[SealedChange]) -> Result<Option<Hash256>, StoreError> {
        let origin = self.incarnation().origin;
        let (Some(kept), Some(first)) = (self.kept.as_mut(), changes.first()) else { return Ok(None) };
        let at = kept.at.get(&lane).copied().unwrap_or_default();
        if first.seq != at.next() {
            let mut to = kept.at.clone();
            to.insert(lane, Seq(first.seq.0 - 1));
            self.move_holdings(&to)?;
        }
        let Some(kept) = self.kept.as_mut() else { return Ok(None) };
        let mut delta = Delta::default();
        // One look at the store for all of them: each look by itself would take and leave its locks.
        let look = self.connection.unchecked_transaction()?;
        for change in changes {
            let after = Held {
                version: change.version,
                clock: change.clock,
                content: change.content_hash,
                bucket: Bucket::of(&change.canonical),
            };
            // By far most entries have one change, before which there is none.
            let before = match walk::is_alone(&look, change.record_id)? {
                true => None,
                false => greatest(&look, change.record_id, &kept.at)?,
            };
            // A state that is sent again, or that the centre's own has overtaken, moves nothing.
            if before.is_none_or(|before| before.rank() < after.rank()) {
                delta.swap(&kept.key, RecordKey { origin, id: change.record_id }, before.as_ref(), Some(&after));
            }
            kept.at.insert(lane, change.seq);
        }
        drop(look);
        kept.holding.apply(&kept.key, &delta);
        kept.unsaved += changes.len() as u64;
        let root = Hash256(kept.holding.root().to_bytes());
        self.save_holdings_when_due()?;
        Ok(Some(root))
    }

    fn save_holdings_when_due(&mut self) -> Result<(), StoreError> {
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.unsaved >= CHECKPOINT_CHANGES) else { return Ok(()) };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        save(&transaction, kept)?;
        transaction.commit()?;
        kept.unsaved = 0;
        Ok(())
    }
}

/// Settles another state of an entry: moves the kept sums, and what is written down, in the caller's transaction.
pub(crate) fn settle(
    connection: &Connection,
    origin: Origin,
    kept: &mut Kept,
    record: RecordId,
    write: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let before = greatest(connection, record, &kept.at)?;
    write(connection)?;
    let after = greatest(connection, record, &kept.at)?;
    let mut delta = Delta::default();
    delta.swap(&kept.key, RecordKey { origin, id: record }, before.as_ref(), after.as_ref());
    kept.holding.apply(&kept.key, &delta);
    Ok(())
}

/// Whether the sums that are written down are those of the sealed changes; `None` when none are.
pub(crate) fn sums_agree(connection: &Connection, origin: Origin) -> Result<Option<bool>, StoreError> {
    let Some(kept) = load(connection)? else { return Ok(None) };
    let counted = count(connection, origin, &kept.key, &kept.at, kept.holding.sketch.cells(), &[])?.holding;
    Ok(Some(counted == kept.holding))
}

/// The ends of the lanes.
pub(crate) fn sealed(connection: &Connection) -> Result<Places, StoreError> {
    Ok(crate::change_log::lanes(connection)?.into_iter().map(|(lane, state)| (lane, state.sealed)).collect())
}

fn moved(connection: &Connection, origin: Origin, mut kept: Kept, to: &Places) -> Result<Kept, StoreError> {
    let distance: u64 = to.iter().map(|(lane, seq)| seq.0.abs_diff(kept.at.get(lane).map_or(0, |at| at.0))).sum();
    if distance > WIND_CHANGES_MAX {
        let cells = kept.holding.sketch.cells();
        kept.holding = count(connection, origin, &kept.key, to, cells, &[])?.holding;
    } else if distance > 0 {
        let mut delta = Delta::default();
        for id in walk::records_between(connection, &kept.at, to)? {
            let (before, after) = (greatest(connection, id, &kept.at)?, greatest(connection, id, to)?);
            delta.swap(&kept.key, RecordKey { origin, id }, before.as_ref(), after.as_ref());
        }
        kept.holding.apply(&kept.key, &delta);
    }
    kept.at.clone_from(to);
    kept.unsaved += distance;
    Ok(kept)
}

fn load(connection: &Connection) -> Result<Option<Kept>, StoreError> {
    let sql = "SELECT key, live_seq, repair_seq, backlog_seq, buckets, sketch FROM holding WHERE digest_version = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        let seq = |at| row.get::<_, i64>(at).map(|seq| Seq(seq.cast_unsigned()));
        let at: Places = [(Lane::Live, seq(1)?), (Lane::Repair, seq(2)?), (Lane::Backlog, seq(3)?)].into();
        Ok((row.get::<_, [u8; 32]>(0)?, at, row.get::<_, Vec<u8>>(4)?, row.get::<_, Vec<u8>>(5)?))
    };
    let found = connection.query_row(sql, [HOLDINGS_VERSION], read).optional()?;
    // Sums that cannot be read are made anew.
    Ok(found.and_then(|(key, at, buckets, sketch)| {
        let holding = Holding { buckets: Buckets::decode(&buckets).ok()?, sketch: Sketch::decode(&sketch).ok()? };
        Some(Kept { key: HoldingsKey::from_bytes(key), at, holding, unsaved: 0 })
    }))
}

/// Writes the sums down, in the caller's transaction.
pub(crate) fn save(connection: &Connection, kept: &Kept) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO holding
                   (one, key, digest_version, live_seq, repair_seq, backlog_seq, buckets, sketch)
               VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let seq = |lane| kept.at.get(&lane).map_or(0, |seq: &Seq| seq.0.cast_signed());
    connection.prepare_cached(sql)?.execute(params![
        kept.key.secret_bytes(),
        HOLDINGS_VERSION,
        seq(Lane::Live),
        seq(Lane::Repair),
        seq(Lane::Backlog),
        kept.holding.buckets.encode(),
        kept.holding.sketch.encode(),
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests;
