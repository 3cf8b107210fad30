//! Blocks in which too many stand: nobody is compared there, or one filler text would make the whole nation wait.
//!
//! Whether a block is crowded is a function of who stands in it, never of who came first: when the one too many arrives,
//! everybody in the block is judged again without it, and when somebody leaves a block that was just too large, with it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use registry_schema::ids::RecordKey;

use super::merge::Batch;
use crate::context::Context;
use crate::node::Node;
use crate::reading::Reading;
use crate::rule::correction;

/// The most participants of one block that are compared with one another. In a nation of a hundred million eight bearers
/// of a block's values are expected at most; beyond this stand fillers, and days on which a whole village died.
pub(crate) const BLOCK_NODES_MAX: usize = 48;
/// The most parts of one record in one block.
const NODES_PER_RECORD_MAX: usize = 4;

/// A record whose present state changes.
pub(super) struct Change<'a> {
    pub(super) key: RecordKey,
    pub(super) before: Option<&'a Reading>,
    pub(super) after: &'a Reading,
}

impl<'a> Change<'a> {
    /// The record as it was, where it was, and as it will be.
    pub(super) fn states(&self) -> impl Iterator<Item = &'a Reading> + use<'a> {
        self.before.into_iter().chain([self.after])
    }
}

/// The records of the batch whose present states change, as far as the context knows. A row that is brought back changes
/// from what stood there meanwhile.
pub(super) fn changes<'a>(context: &'a Context, batch: &'a Batch) -> Vec<Change<'a>> {
    let change = |(key, states): (RecordKey, &'a Vec<Reading>)| {
        let before = context.entries.get(&key).map(|stored| &stored.present);
        let after = correction::present(before.into_iter().chain(states))?;
        let changed = before.is_none_or(|before| before.rank() != after.rank());
        changed.then_some(Change { key, before, after })
    };
    let mended = |(key, after)| Change { key, before: context.entries.get(&key).map(|stored| &stored.present), after };
    batch.states().filter_map(change).chain(batch.mended().map(mended)).collect()
}

/// The blocks of a batch in which many stand: whether too many did, and do.
pub(super) type Touched = BTreeMap<i64, (bool, bool)>;

/// Which blocks are crowded, before the batch and after it.
#[derive(Debug, Default)]
pub(super) struct Crowds<'a> {
    stored: Option<&'a BTreeSet<i64>>,
    touched: Cow<'a, Touched>,
}

impl<'a> Crowds<'a> {
    pub(super) fn of(context: &'a Context, changes: &[Change<'_>]) -> Self {
        let come = stands(changes.iter().map(|change| change.after));
        let leave = stands(changes.iter().filter_map(|change| change.before));
        let mut touched = BTreeMap::new();
        for stands in [&come, &leave] {
            for group in stands.chunk_by(|one, other| one.0 == other.0) {
                let block = group[0].0;
                let before = context.blocks.get(&block);
                let before_count = before.map_or(0, BTreeSet::len);
                if before_count + group.len() <= BLOCK_NODES_MAX {
                    continue;
                }
                let come = of_block(&come, block);
                let leave = of_block(&leave, block);
                let stay = before.into_iter().flatten().filter(|node| leave.binary_search(&(block, **node)).is_err());
                let after = stay.filter(|node| come.binary_search(&(block, **node)).is_err()).count() + come.len();
                touched.insert(block, (before_count > BLOCK_NODES_MAX, after > BLOCK_NODES_MAX));
            }
        }
        Self { stored: Some(&context.voids), touched: Cow::Owned(touched) }
    }

    /// What was found before, when the context knows more.
    pub(super) const fn again(context: &'a Context, touched: &'a Touched) -> Self {
        Self { stored: Some(&context.voids), touched: Cow::Borrowed(touched) }
    }

    /// What was found.
    pub(super) fn into_touched(self) -> Touched {
        self.touched.into_owned()
    }

    /// Whether nobody is compared in the block any more.
    pub(super) fn is_crowded(&self, block: i64) -> bool {
        match self.touched.get(&block) {
            Some((_, after)) => *after,
            None => self.stored.is_some_and(|stored| stored.contains(&block)),
        }
    }

    /// Whether nobody was compared in the block and nobody is: then who stands in it is of no concern.
    pub(super) fn stays_crowded(&self, block: i64) -> bool {
        self.touched.get(&block) == Some(&(true, true))
    }

    /// Whether so many come or stand there that the block may be crowded before the batch, after it, or both.
    pub(super) fn is_touched(&self, block: i64) -> bool {
        self.touched.contains_key(&block)
    }

    /// The blocks that become crowded, and those that are so no more.
    pub(super) fn moves(&self) -> (Vec<i64>, Vec<i64>) {
        let of = |wanted: (bool, bool)| {
            let found = self.touched.iter().filter(|(_, states)| **states == wanted);
            found.map(|(block, _)| *block).collect()
        };
        (of((false, true)), of((true, false)))
    }
}

/// Who stands in which block according to some readings, in order.
fn stands<'a>(readings: impl Iterator<Item = &'a Reading>) -> Vec<(i64, Node)> {
    let mut stands: Vec<(i64, Node)> = readings.flat_map(Reading::blocks).copied().collect();
    stands.sort_unstable();
    stands
}

/// Those of them who stand in one block.
fn of_block(stands: &[(i64, Node)], block: i64) -> &[(i64, Node)] {
    let from = stands.partition_point(|(other, _)| *other < block);
    let to = from + stands[from..].partition_point(|(other, _)| *other == block);
    &stands[from..to]
}

/// How many participants of a block must be known to tell whether it is crowded after the batch: one too many, beside
/// everybody whom the batch can take away.
pub(super) fn nodes_wanted(batch: &Batch) -> usize {
    BLOCK_NODES_MAX + 1 + NODES_PER_RECORD_MAX * (batch.states().count() + batch.mended().len())
}

#[cfg(test)]
mod tests {
    use registry_schema::canonical;
    use registry_schema::clock::Hlc;
    use registry_schema::draft::Draft;
    use registry_schema::field::{Attribute, Field, Role};
    use registry_schema::ids::Version;
    use registry_schema::kind::{Kind, Status};

    use super::*;
    use crate::arrival::{Arrival, State};
    use crate::memory::Memory;

    const CROWD: usize = BLOCK_NODES_MAX + 10;

    /// Who is like none of the others: a woman among men.
    const STRANGER: usize = 9_999;

    /// One of many deaths of one day under one name; who is withdrawn leaves the block.
    fn death(number: usize, version: u32, status: Status) -> Arrival {
        let draft = Draft::new(Kind::Death)
            .with(Field::entry(Attribute::Authority), "01.00001")
            .with(Field::entry(Attribute::EventDate), "02.02.1968")
            .with(Field::new(Role::Deceased, Attribute::Sex), if number == STRANGER { "2" } else { "1" })
            .with(Field::new(Role::Deceased, Attribute::Name), "Nguyễn Thị Thảo Nhi Vy");
        let bytes = canonical::encode(&draft, status);
        let key = format!("01@2008/{number}").parse().unwrap();
        Arrival::State(key, State::new(Version(version), Hlc::from_number(u64::from(version)), bytes))
    }

    fn play(batches: impl IntoIterator<Item = Vec<Arrival>>) -> Memory {
        let mut memory = Memory::default();
        batches.into_iter().for_each(|batch| memory.take(batch));
        memory
    }

    fn crowd() -> Vec<Arrival> {
        (1..=CROWD).map(|number| death(number, 1, Status::Active)).collect()
    }

    #[test]
    fn a_crowd_is_compared_with_nobody_however_it_came() {
        let arrivals = crowd();
        let one_by_one = play(arrivals.iter().map(|arrival| vec![arrival.clone()]));
        assert!(one_by_one.findings.is_empty() && one_by_one.members.is_empty());
        assert_eq!(one_by_one.voids.len(), 1);
        for batch in [7, BLOCK_NODES_MAX, CROWD] {
            let other = play(arrivals.rchunks(batch).map(<[Arrival]>::to_vec));
            assert_eq!(other.digests, one_by_one.digests, "in batches of {batch}");
            assert_eq!(other.voids, one_by_one.voids, "in batches of {batch}");
        }
    }

    #[test]
    fn who_is_left_of_a_crowd_is_compared_again() {
        let leave: Vec<Arrival> = (4..=CROWD).map(|number| death(number, 2, Status::Cancelled)).collect();
        let few = play([(1..4).map(|number| death(number, 1, Status::Active)).collect()]);
        assert!(!few.findings.is_empty());
        for batch in [1, 9, CROWD] {
            let after = play(crowd().chunks(batch).chain(leave.chunks(batch)).map(<[Arrival]>::to_vec));
            assert_eq!((&after.members, &after.findings), (&few.members, &few.findings), "in batches of {batch}");
            assert!(after.voids.is_empty());
            let before_they_came = play(leave.chunks(batch).chain(crowd().chunks(batch)).map(<[Arrival]>::to_vec));
            assert_eq!(before_they_came.digests, after.digests, "in batches of {batch}");
        }
    }

    #[test]
    fn the_one_too_many_parts_the_others_and_brings_them_together_when_they_leave_though_they_are_like_nobody() {
        let others: Vec<Arrival> = (1..=BLOCK_NODES_MAX).map(|number| death(number, 1, Status::Active)).collect();
        let comes = death(STRANGER, 1, Status::Active);
        let before = play([others.clone()]);
        assert!(!before.findings.is_empty());
        let with = play([others.clone(), vec![comes.clone()]]);
        assert!(with.members.is_empty() && with.findings.is_empty());
        assert_eq!(play([vec![comes.clone()], others.clone()]).digests, with.digests);
        let without = play([others, vec![comes], vec![death(STRANGER, 2, Status::Cancelled)]]);
        assert_eq!((without.members, without.findings), (before.members, before.findings));
    }
}
