//! Step three: who concerns whom. Blocks are sorted, too large ones are void, islands grow round the rest, and every
//! record gets a batch in which nearly everybody stands who shares a block with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hub_rules::islands::{Islands, ROUNDS, is_crowd};
use hub_rules::verdict::Verdict;
use hub_store::postgres::{self, Aside};
use tokio::sync::mpsc;

use super::BulkError;
use super::apart::on_a_thread;
use super::items::{Beside, Numbered, Stand};
use super::settle::Settled;
use super::spool::{PARTS, Spool, Spooled};

/// Everything that is to be judged, by batch.
pub(super) struct Dealt {
    /// Blocks in which too many stand.
    pub(super) voids: BTreeSet<i64>,
    /// States of records, each with the number of its batch; a batch lies in one part, and parts are in order.
    pub(super) states: Spooled<Numbered>,
    /// Who stands in a block beside a later batch.
    pub(super) beside: Spooled<Beside>,
    /// What operators said, by batch: in the one of its records.
    pub(super) verdicts: BTreeMap<u32, Vec<Verdict>>,
}

pub(super) async fn deal(
    settled: Settled,
    verdicts: Vec<Verdict>,
    aside: &mut Aside,
    scratch: &Path,
) -> Result<Dealt, BulkError> {
    let (poured, mut taken) = mpsc::channel(1);
    aside.expect_stands(settled.stands_count);
    let folder = scratch.to_owned();
    let dealer = tokio::spawn(on_a_thread(move || dealt(settled, verdicts, &poured, &folder)));
    while let Some(stands) = taken.recv().await {
        let stands: Vec<postgres::Stand> = stands;
        aside.pour_stands(&stands).await?;
    }
    dealer.await.map_err(|_| BulkError::Interrupted)?
}

fn dealt(
    settled: Settled,
    verdicts: Vec<Verdict>,
    poured: &mpsc::Sender<Vec<postgres::Stand>>,
    scratch: &Path,
) -> Result<Dealt, BulkError> {
    let Settled { mut islands, states, stands, spoken_of, .. } = settled;
    let (shared, voids) = share(&stands, poured, scratch)?;
    let numbers = |verdict: &Verdict| -> Vec<u32> {
        verdict.records.iter().filter_map(|key| spoken_of.get(key).copied()).collect()
    };
    // What a verdict joins must be judged with it.
    for verdict in &verdicts {
        numbers(verdict).windows(2).for_each(|pair| islands.bind(pair[0], pair[1]));
    }
    grow(&mut islands, &shared)?;
    let batches = islands.deal();
    let parts = Parts::of(&batches);
    let beside = beside(&shared, &batches, &parts, scratch)?;
    let mut by_batch: BTreeMap<u32, Vec<Verdict>> = BTreeMap::new();
    for verdict in verdicts {
        let batch = numbers(&verdict).first().map_or(0, |number| batches[*number as usize]);
        by_batch.entry(batch).or_default().push(verdict);
    }
    let mut dealt = Spool::create(scratch, "dealt")?;
    for part in 0..PARTS {
        for Numbered { number, arrived } in states.consume(part)? {
            let batch = batches[number as usize];
            dealt.put(parts.of_batch(batch), &Numbered { number: batch, arrived })?;
        }
    }
    Ok(Dealt { voids, states: dealt.finish()?, beside, verdicts: by_batch })
}

/// The blocks in which several stand who may be alike, sorted, and those in which too many do. All of them are poured on
/// the way.
fn share(
    stands: &Spooled<Stand>,
    poured: &mpsc::Sender<Vec<postgres::Stand>>,
    scratch: &Path,
) -> Result<(Spooled<Stand>, BTreeSet<i64>), BulkError> {
    let (mut shared, mut voids) = (Spool::create(scratch, "shared")?, BTreeSet::new());
    for part in 0..PARTS {
        let mut stands = stands.consume(part)?;
        stands.sort_unstable();
        for block in stands.chunk_by(|one, other| one.block == other.block) {
            if is_crowd(block.len()) {
                voids.insert(block[0].block);
            } else {
                for stand in block.iter().filter(|stand| block.iter().any(|other| stand.may_be_like(other))) {
                    shared.put(part, stand)?;
                }
            }
        }
        let of_part = stands.iter().map(|stand| (stand.block, stand.node)).collect();
        poured.blocking_send(of_part).map_err(|_| BulkError::Interrupted)?;
    }
    Ok((shared.finish()?, voids))
}

/// Joins who may be alike, in small blocks first.
fn grow(islands: &mut Islands, shared: &Spooled<Stand>) -> Result<(), BulkError> {
    for round in ROUNDS {
        for part in 0..PARTS {
            let stands = shared.read(part)?;
            for block in stands.chunk_by(|one, other| one.block == other.block) {
                if round.contains(&block.len()) {
                    for (at, stand) in block.iter().enumerate() {
                        let alike = block[..at].iter().filter(|other| stand.may_be_like(other));
                        alike.for_each(|other| islands.join(other.number, stand.number));
                    }
                }
            }
        }
    }
    Ok(())
}

/// For each block that reaches over several batches, who of those before may be like somebody in each of them.
fn beside(
    shared: &Spooled<Stand>,
    batches: &[u32],
    parts: &Parts,
    scratch: &Path,
) -> Result<Spooled<Beside>, BulkError> {
    let mut spool = Spool::create(scratch, "beside")?;
    let batch_of = |stand: &Stand| batches[stand.number as usize];
    for part in 0..PARTS {
        let stands = shared.consume(part)?;
        for block in stands.chunk_by(|one, other| one.block == other.block) {
            let reached: BTreeSet<u32> = block.iter().map(batch_of).collect();
            for batch in reached.into_iter().skip(1) {
                let own: Vec<&Stand> = block.iter().filter(|stand| batch_of(stand) == batch).collect();
                let is_like_own = |stand: &&Stand| own.iter().any(|own| stand.may_be_like(own));
                for stand in block.iter().filter(|stand| batch_of(stand) < batch).filter(is_like_own) {
                    spool.put(parts.of_batch(batch), &Beside { batch, block: stand.block, node: stand.node })?;
                }
            }
        }
    }
    Ok(spool.finish()?)
}

/// Which part of a spool a batch lies in, so that parts hold about as much and are in the order of batches.
struct Parts {
    batches: usize,
}

impl Parts {
    fn of(batches: &[u32]) -> Self {
        Self { batches: batches.iter().max().map_or(1, |last| *last as usize + 1) }
    }

    const fn of_batch(&self, batch: u32) -> usize {
        batch as usize * PARTS / self.batches
    }
}
