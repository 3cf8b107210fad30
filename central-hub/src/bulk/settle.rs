//! Step two: each record with all its states, and what the store keeps of it whoever else there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hub_rules::islands::{Cut, Islands, Settled as Record};
use hub_store::postgres::{Aside, high_byte};
use rayon::prelude::*;
use registry_schema::ids::RecordKey;
use tokio::sync::mpsc;

use super::apart::on_threads;
use super::items::{Arrived, Numbered, Stand};
use super::spool::{PARTS, Spool, Spooled};
use super::{BulkError, Step, Watch};

/// Records that are settled on all processors, and that are poured together: some ten megabytes, up to twice as much.
const POUR_RECORDS: usize = 8_000;

/// Records by number.
pub(super) struct Settled {
    /// How many there are.
    pub(super) records: u64,
    /// How often one of their parts stands in a block.
    pub(super) stands_count: u64,
    /// Each of them, standing alone.
    pub(super) islands: Islands,
    /// Their states in the order of their numbers.
    pub(super) states: Spooled<Numbered>,
    /// Who stands where; a part has all blocks with the same high byte, and parts are in order.
    pub(super) stands: Spooled<Stand>,
    /// The numbers of those of whom operators spoke.
    pub(super) spoken_of: BTreeMap<RecordKey, u32>,
}

pub(super) async fn settle(
    states: Spooled<Arrived>,
    (spoken_of, cut): (BTreeSet<RecordKey>, Cut),
    aside: &mut Aside,
    scratch: &Path,
    watch: &Watch<'_>,
) -> Result<Settled, BulkError> {
    let (poured, mut taken) = mpsc::channel(1);
    let settling = Settling {
        islands: Islands::new(cut),
        states: Spool::create(scratch, "numbered")?,
        stands: Spool::create(scratch, "stands")?,
        wanted: spoken_of,
        spoken_of: BTreeMap::new(),
        records: 0,
        stands_count: 0,
    };
    let settler = tokio::spawn(on_threads(move || settling.all(&states, &poured)));
    let mut records = 0;
    while let Some(settled) = taken.recv().await {
        let settled: Vec<Record> = settled;
        aside.pour(&settled).await?;
        records += settled.len() as u64;
        watch.tell(Step::Settle, records)?;
    }
    let settled = settler.await.map_err(|_| BulkError::Interrupted)??;
    aside.make_findable().await?;
    Ok(settled)
}

struct Settling {
    islands: Islands,
    states: Spool<Numbered>,
    stands: Spool<Stand>,
    wanted: BTreeSet<RecordKey>,
    spoken_of: BTreeMap<RecordKey, u32>,
    records: u64,
    stands_count: u64,
}

impl Settling {
    fn all(mut self, states: &Spooled<Arrived>, poured: &mpsc::Sender<Vec<Record>>) -> Result<Settled, BulkError> {
        let mut waiting = Vec::with_capacity(POUR_RECORDS);
        for part in 0..PARTS {
            let mut arrived = states.consume(part)?;
            arrived.sort_by_key(|arrived| arrived.key);
            let records: Vec<&[Arrived]> = arrived.chunk_by(|one, other| one.key == other.key).collect();
            for records in records.chunks(POUR_RECORDS) {
                let settled: Vec<Option<Record>> = records.par_iter().map(|of_one| settled(of_one)).collect();
                for (record, of_one) in settled.iter().zip(records) {
                    if let Some(record) = record {
                        self.put(part, record, of_one)?;
                    }
                }
                waiting.extend(settled.into_iter().flatten());
                if waiting.len() >= POUR_RECORDS {
                    let full = std::mem::replace(&mut waiting, Vec::with_capacity(POUR_RECORDS));
                    poured.blocking_send(full).map_err(|_| BulkError::Interrupted)?;
                }
            }
        }
        poured.blocking_send(waiting).map_err(|_| BulkError::Interrupted)?;
        let Self { islands, states, stands, spoken_of, records, stands_count, .. } = self;
        Ok(Settled { records, stands_count, islands, states: states.finish()?, stands: stands.finish()?, spoken_of })
    }

    fn put(&mut self, part: usize, record: &Record, arrived: &[Arrived]) -> Result<(), BulkError> {
        let number = self.islands.add().ok_or(BulkError::TooMany)?;
        self.records += 1;
        for ((block, node), sketch) in record.blocks.iter().zip(record.sketch.iter().cycle()) {
            let stand = Stand { block: *block, number, node: *node, sketch: *sketch };
            self.stands.put(usize::from(high_byte(*block)), &stand)?;
        }
        self.stands_count += record.blocks.len() as u64;
        let key = record.present.key;
        if self.wanted.contains(&key) {
            self.spoken_of.insert(key, number);
        }
        for arrived in arrived {
            let arrived = Arrived { key, state: arrived.state.clone() };
            self.states.put(part, &Numbered { number, arrived })?;
        }
        Ok(())
    }
}

/// A record of which these states arrived.
fn settled(arrived: &[Arrived]) -> Option<Record> {
    Record::of(arrived[0].key, arrived.iter().map(|arrived| arrived.state.clone()))
}
