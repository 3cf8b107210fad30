//! Islands: records that mostly concern one another, so that a whole nation can be judged a part at a time.
//!
//! The judgement is a function of a set, so whoever has the whole set at hand is free to choose the order. Here records
//! that share blocks come together, and each batch is told beforehand what of it stands elsewhere; nearly everything that
//! a batch of mixed arrivals would have to ask the store is known then.

use std::collections::BTreeMap;
use std::sync::Arc;

use registry_schema::holdings::Held;
use registry_schema::ids::RecordKey;

use crate::arrival::State;
use crate::context::Context;
use crate::decide::{BLOCK_NODES_MAX, Batch};
use crate::matching::Sketch;
use crate::node::Node;
use crate::plan::{PastRow, RecordRow};
use crate::policy::Policy;
use crate::reading::Reading;
use crate::rule::{correction, resend};

/// Records of one island, beyond which it joins no other: kinship connects a whole nation in the end.
const ISLAND_RECORDS_MAX: u32 = 10_000;
/// Records of one batch: with what is read of them some thirty megabytes.
const BATCH_RECORDS: u32 = 10_000;

/// How finely a nation is cut; no cut changes what is found.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Records of one island at most.
    pub island_records_max: u32,
    /// Records of one batch at least, the last one excepted.
    pub batch_records: u32,
}

impl Default for Cut {
    fn default() -> Self {
        Self { island_records_max: ISLAND_RECORDS_MAX, batch_records: BATCH_RECORDS }
    }
}

/// Islands grow round small blocks first, which say most: so many stand in the blocks of each round.
pub const ROUNDS: [std::ops::RangeInclusive<usize>; 3] = [2..=3, 4..=12, 13..=BLOCK_NODES_MAX];

/// Whether so many participants are too many for one block.
#[must_use]
pub const fn is_crowd(participants: usize) -> bool {
    participants > BLOCK_NODES_MAX
}

/// A record of which every state is known: what the registry keeps of it, whoever else there is.
#[derive(Debug)]
pub struct Settled {
    /// The present state.
    pub present: RecordRow,
    /// Every other state.
    pub past: Vec<PastRow>,
    /// Where the record in force stands.
    pub blocks: Vec<(i64, Node)>,
    /// The sketch of the record in force.
    pub sketch: Option<Sketch>,
    /// The greatest state, valid or not.
    pub held: Held,
}

impl Settled {
    /// Settles a record; `None` where there is no state of it.
    #[must_use]
    pub fn of(key: RecordKey, states: impl IntoIterator<Item = State>) -> Option<Self> {
        let mut readings: Vec<Reading> = Vec::new();
        for state in states {
            let known: Vec<_> = readings.iter().map(|reading| reading.state.rank()).collect();
            if !resend::is_resend(&known, &state) {
                readings.push(Reading::of(key, state));
            }
        }
        let present = correction::present(readings.iter())?;
        let held = readings.iter().max_by_key(|reading| reading.state.rank())?.state.held();
        let past = readings.iter().filter(|reading| reading.state.rank() != present.state.rank());
        Some(Self {
            past: past
                .map(|reading| PastRow { key, state: reading.state.clone(), valid: reading.is_valid() })
                .collect(),
            blocks: present.blocks().to_vec(),
            sketch: present.profile().map(Sketch::of),
            held,
            present: RecordRow {
                key,
                kind: present.kind_code(),
                standing: present.standing(),
                state: present.state.clone(),
            },
        })
    }
}

impl Context {
    /// What there is to know of records that come with all their states and that no store has seen: of their blocks,
    /// `beside` names everybody who was judged before and may be alike, and `is_void` those in which too many stand in
    /// the end.
    #[must_use]
    pub fn of_settled(
        policy: Arc<Policy>,
        batch: &Batch,
        beside: &BTreeMap<i64, Vec<Node>>,
        is_void: impl Fn(i64) -> bool,
    ) -> Self {
        let mut context = Self::under(policy);
        context.asked.voids = true;
        for (key, readings) in batch.states() {
            context.asked.records.insert(key);
            context.asked.histories.insert(key);
            for reading in readings {
                for (block, _) in reading.blocks().iter().filter(|(block, _)| context.asked.blocks.insert(*block)) {
                    if is_void(*block) {
                        context.voids.insert(*block);
                    } else if let Some(nodes) = beside.get(block) {
                        context.blocks.insert(*block, nodes.iter().copied().collect());
                    }
                }
                let natural = reading.natural_block().filter(|block| !beside.contains_key(block));
                context.asked.scopes.extend(natural);
            }
        }
        context
    }
}

/// Records by number, and which of them belong to one island: disjoint sets, each bounded.
#[derive(Debug)]
pub struct Islands {
    cut: Cut,
    /// The record above, or for the head of an island the number of its records below zero.
    above: Vec<i32>,
}

impl Islands {
    /// No record yet.
    #[must_use]
    pub const fn new(cut: Cut) -> Self {
        Self { cut, above: Vec::new() }
    }

    /// Adds a record that stands alone and answers with its number, counted from 0; `None` when there are as many as
    /// can be counted.
    pub fn add(&mut self) -> Option<u32> {
        let number = u32::try_from(self.above.len()).ok().filter(|number| i32::try_from(*number).is_ok())?;
        self.above.push(-1);
        Some(number)
    }

    /// Joins the islands of two records, unless they would be too large together.
    pub fn join(&mut self, one: u32, other: u32) {
        let (one, other) = (self.head(one), self.head(other));
        if self.size(one) + self.size(other) <= self.cut.island_records_max {
            self.unite(one, other);
        }
    }

    /// Joins the islands of two records, however large they are.
    pub fn bind(&mut self, one: u32, other: u32) {
        let (one, other) = (self.head(one), self.head(other));
        self.unite(one, other);
    }

    /// Deals the islands out: the number of the batch of every record. An island is never split.
    #[must_use]
    pub fn deal(mut self) -> Vec<u32> {
        const NONE: u32 = u32::MAX;
        let mut batches = vec![NONE; self.above.len()];
        let (mut batch, mut records) = (0, 0);
        for number in (0_u32..).take(batches.len()) {
            let head = self.head(number) as usize;
            if batches[head] == NONE {
                if records >= self.cut.batch_records {
                    (batch, records) = (batch + 1, 0);
                }
                records += self.size(head as u32);
                batches[head] = batch;
            }
            batches[number as usize] = batches[head];
        }
        batches
    }

    fn unite(&mut self, one: u32, other: u32) {
        if one != other {
            let (stays, moves) = if self.size(one) >= self.size(other) { (one, other) } else { (other, one) };
            self.above[stays as usize] += self.above[moves as usize];
            self.above[moves as usize] = stays.cast_signed();
        }
    }

    fn size(&self, head: u32) -> u32 {
        self.above[head as usize].unsigned_abs()
    }

    /// The head of a record's island; the way there is halved for whoever comes next.
    fn head(&mut self, number: u32) -> u32 {
        let mut at = number as usize;
        while let Ok(above) = usize::try_from(self.above[at]) {
            if let Ok(further) = usize::try_from(self.above[above]) {
                self.above[at] = self.above[above];
                at = further;
            } else {
                at = above;
            }
        }
        u32::try_from(at).unwrap_or(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUT: Cut = Cut { island_records_max: 50, batch_records: 100 };

    fn islands(records: u32) -> Islands {
        let mut islands = Islands::new(CUT);
        (0..records).for_each(|number| assert_eq!(islands.add(), Some(number)));
        islands
    }

    #[test]
    fn who_is_joined_is_dealt_into_one_batch() {
        let mut pairs = islands(500);
        (0..500).filter(|number| number % 2 == 0).for_each(|number| pairs.join(number, 499 - number));
        let batches = pairs.deal();
        assert!((0..500).all(|number| batches[number] == batches[499 - number]));
        assert_eq!(batches.iter().max(), Some(&4), "batches of about a hundred");
    }

    #[test]
    fn an_island_stops_growing_unless_it_must() {
        let mut chain = islands(150);
        (1..150).for_each(|number| chain.join(number - 1, number));
        let head = chain.head(0);
        assert_eq!(chain.size(head), CUT.island_records_max);
        chain.bind(0, 100);
        let head = chain.head(0);
        assert!(chain.size(head) > CUT.island_records_max);
        assert_eq!(chain.head(100), head);
    }
}
