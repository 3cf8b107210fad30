//! The neighbours of a batch: everybody who stands in a block with a record that changes.
//!
//! In a large nation most of them stand there by chance. A cluster is connected by likeness, and what is found in it
//! follows from it and from its spouses, so whoever is like nobody of the batch stays where they are: their record is
//! looked at, and nothing more is loaded for them.

use registry_schema::field::Role;
use registry_schema::ids::RecordKey;

use super::compare::{on_all, part, participants};
use super::crowds::{Change, Crowds, changes};
use super::merge::Batch;
use crate::context::Context;
use crate::matching;
use crate::node::Node;
use crate::reading::Reading;

/// Whoever stands in a block with a record that changes.
#[derive(Debug)]
pub(super) struct Neighbours {
    /// Who is concerned whoever they are like: the entries of a natural key are judged together, and where a block becomes
    /// crowded, or is so no more, everybody in it is compared anew.
    bound: Vec<Node>,
    /// Who is concerned if they are like the record: its place among the changes, its part in the block, and who.
    others: Vec<(usize, Role, Node)>,
    /// Those of them who are; known as soon as all their records are.
    alike: Option<Vec<Node>>,
}

impl Neighbours {
    pub(super) fn of(context: &Context, changes: &[Change<'_>], crowds: &Crowds<'_>) -> Self {
        let (mut bound, mut others) = (Vec::new(), Vec::new());
        for (at, change) in changes.iter().enumerate() {
            for reading in change.states() {
                for (block, part) in reading.blocks() {
                    let Some(nodes) = context.blocks.get(block).filter(|_| !crowds.stays_crowded(*block)) else {
                        continue;
                    };
                    if reading.natural_block() == Some(*block) || crowds.is_touched(*block) {
                        bound.extend(nodes);
                    } else {
                        others.extend(nodes.iter().map(|node| (at, part.role, *node)));
                    }
                }
            }
        }
        bound.sort_unstable();
        bound.dedup();
        others.retain(|(_, _, node)| bound.binary_search(node).is_err());
        others.sort_unstable_by_key(|(at, role, node)| (*node, *at, *role));
        others.dedup();
        Self { bound, others, alike: None }
    }

    /// Their records, as long as it is not known who is concerned.
    pub(super) fn records(&self) -> impl Iterator<Item = RecordKey> + '_ {
        self.bound.iter().chain(self.others.iter().map(|(_, _, node)| node)).map(|node| node.key)
    }

    /// Those who are concerned, as soon as the context holds their records.
    pub(super) fn concerned(&self) -> impl Iterator<Item = Node> + '_ {
        self.bound.iter().chain(self.alike.iter().flatten()).copied()
    }

    /// Looks who is alike, as soon as the context holds their records.
    pub(super) fn look(&mut self, context: &Context, batch: &Batch) {
        let is_known = |(_, _, node): &(usize, Role, Node)| context.asked.records.contains(&node.key);
        if self.alike.is_some() || !self.others.iter().all(is_known) {
            return;
        }
        let changes = changes(context, batch);
        let others = std::mem::take(&mut self.others);
        let is_alike = |(at, role, node): (usize, Role, Node)| {
            let reading = &context.entries.get(&node.key)?.present;
            let change = &changes[at];
            let own = Node::new(change.key, role);
            change.states().any(|state| are_alike((own, state), (node, reading))).then_some(node)
        };
        let mut alike: Vec<Node> = on_all(others, is_alike).into_iter().flatten().collect();
        alike.dedup();
        self.alike = Some(alike);
    }
}

/// Whether two parts of records, or for entries any two people in one role, are perhaps one.
fn are_alike((own, state): (Node, &Reading), (node, reading): (Node, &Reading)) -> bool {
    participants(own, node).any(|(one, other)| {
        let of = |wanted: Node| part(wanted, if wanted.key == own.key { state } else { reading });
        of(one).zip(of(other)).is_some_and(|(one, other)| matching::compare(one, other).is_some())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use crate::Context;
    use crate::decide::{Batch, Inquiry};
    use crate::memory::Memory;
    use crate::scenario::{key, parse};

    /// One birth in two books: a cluster, whose given name no table knows.
    const KNOWN: &str = "01/1 birth number=1; registration_date=09.03.1990; child_name=Trần Văn Kpahk; child_sex=1; \
         child_birth_date=02.03.1990; mother_name=Lê Thị Mai; mother_birth_date=05.06.1962\n\
         02/1 birth number=9; registration_date=02.01.2001; child_name=Trần Văn Kpahk; child_sex=1; \
         child_birth_date=02.03.1990; mother_name=Lê Thị Mai; mother_birth_date=05.06.1962";

    /// What is asked when one more birth arrives: records, and clusters.
    fn asked(arrival: &str) -> (BTreeSet<registry_schema::ids::RecordKey>, usize) {
        let mut memory = Memory::default();
        memory.take(parse(KNOWN));
        assert!(!memory.members.is_empty());
        let batch: Batch = parse(arrival).into_iter().collect();
        let (mut context, mut inquiry) = (Context::under(Arc::default()), Inquiry::of(&batch));
        let (mut records, mut clusters) = (BTreeSet::new(), 0);
        loop {
            let request = inquiry.missing(&context);
            if request.is_empty() {
                return (records, clusters);
            }
            records.extend(request.records.iter().copied());
            clusters += request.clusters.len();
            memory.load(request, &mut context);
        }
    }

    #[test]
    fn who_shares_a_day_and_a_name_by_chance_is_looked_at_and_their_cluster_is_not() {
        let (records, clusters) = asked(
            "04/1 birth number=4; registration_date=04.03.1990; child_name=Lê Đình Kpahk; child_sex=1; \
             child_birth_date=02.03.1990; mother_name=Hoàng Thị Sen; mother_birth_date=01.02.1955",
        );
        assert!(records.contains(&key("01/1")), "they stand in one block");
        assert_eq!(clusters, 0);
    }

    #[test]
    fn of_who_is_alike_the_whole_cluster_is_loaded() {
        let (_, clusters) = asked(
            "04/1 birth number=4; registration_date=04.03.1990; child_name=Trần Văn Kpahk; child_sex=1; \
             child_birth_date=02.03.1990; mother_name=Lê Thị Mai; mother_birth_date=05.06.1962",
        );
        assert!(clusters > 0);
    }

    #[test]
    fn of_who_stands_under_the_same_number_the_whole_cluster_is_loaded() {
        let (_, clusters) = asked(
            "01/2 birth number=1; registration_date=09.03.1990; child_name=Lê Thị Hoa; child_sex=2; \
             child_birth_date=04.05.1989; mother_name=Hoàng Thị Sen; mother_birth_date=01.02.1955",
        );
        assert!(clusters > 0);
    }
}
