//! How far a batch reaches: which participants it can join or part, whose findings it can change, and what must be
//! known for that.

use std::collections::BTreeSet;

use registry_schema::field::Role;
use registry_schema::ids::RecordKey;

use super::crowds::{Crowds, changes, nodes_wanted};
use super::merge::Batch;
use crate::context::{Context, Request};
use crate::node::Node;
use crate::reading::Reading;

/// The reach of a batch. Computed again after each load until nothing new turns up.
#[derive(Debug, Default)]
pub(super) struct Reach<'a> {
    /// Which blocks are crowded.
    pub(super) crowds: Crowds<'a>,
    /// Participants whose clusters may change, with everybody in those clusters.
    pub(super) joined: BTreeSet<Node>,
    /// Participants of further clusters whose findings may change: the spouses of the joined.
    pub(super) judged: BTreeSet<Node>,
    /// Participants who are only looked at: the spouses of the judged.
    pub(super) seen: BTreeSet<Node>,
    /// Natural keys whose findings may change.
    pub(super) naturals: BTreeSet<i64>,
    /// Where something may have been found before; told once nothing else is missing.
    pub(super) scopes: BTreeSet<i64>,
    /// Everything that must still be loaded.
    pub(super) request: Request,
}

impl<'a> Reach<'a> {
    pub(super) fn of(context: &'a Context, batch: &'a Batch) -> Self {
        let changes = changes(context, batch);
        let mut reach = Self::default();
        reach.request.voids = !context.asked.voids;
        reach.request.nodes_per_block_max = nodes_wanted(batch);
        for (key, _) in batch.states().filter(|(key, _)| !context.asked.histories.contains(key)) {
            reach.request.records.insert(key);
            reach.request.histories.insert(key);
        }
        let states = || changes.iter().flat_map(|change| change.before.into_iter().chain([change.after]));
        let blocks = states().flat_map(Reading::blocks).map(|(block, _)| *block);
        reach.request.blocks = blocks.filter(|block| !context.asked.blocks.contains(block)).collect();
        if !reach.request.is_empty() {
            return reach;
        }
        reach.crowds = Crowds::of(context, &changes);
        for change in &changes {
            let states = change.before.into_iter().chain([change.after]);
            states.for_each(|reading| reach.touch(context, change.key, reading));
        }
        for verdict in batch.verdicts() {
            verdict.records.iter().for_each(|key| reach.touch_stored(context, *key));
        }
        reach.follow_verdicts(context);
        reach.joined = reach.spread(context, reach.joined.clone());
        reach.judged = reach.spread_to_spouses(context, &reach.joined.clone());
        let both = reach.joined.union(&reach.judged).copied().collect();
        reach.seen = reach.spread_to_spouses(context, &both);
        if reach.request.is_empty() {
            reach.want_scopes(context);
        }
        reach
    }

    fn want_record(&mut self, context: &Context, key: RecordKey) {
        if !context.asked.records.contains(&key) {
            self.request.records.insert(key);
        }
    }

    /// A record that changes: its participants, and everybody who stands in a block with it.
    fn touch(&mut self, context: &Context, key: RecordKey, reading: &Reading) {
        let Some(record) = reading.in_force() else { return };
        self.joined.extend(record.participants().map(|person| Node::new(key, person.role)));
        self.naturals.extend(reading.natural_block());
        for (block, _) in reading.blocks() {
            let mates = context.blocks.get(block).filter(|_| !self.crowds.stays_crowded(*block));
            mates.into_iter().flatten().for_each(|mate| self.meet(context, *mate));
        }
    }

    /// Somebody who stands in a block with a record that changes; an entry stands for all its people.
    fn meet(&mut self, context: &Context, mate: Node) {
        self.want_record(context, mate.key);
        if mate.role != Role::Entry {
            self.joined.insert(mate);
        } else if let Some(record) = context.entries.get(&mate.key).and_then(|stored| stored.present.in_force()) {
            self.joined.extend(record.participants().map(|person| Node::new(mate.key, person.role)));
        }
    }

    /// A record that a verdict speaks of: as if it changed.
    fn touch_stored(&mut self, context: &Context, key: RecordKey) {
        self.want_record(context, key);
        if let Some(stored) = context.entries.get(&key) {
            let blocks = stored.present.blocks().iter().map(|(block, _)| *block);
            self.request.blocks.extend(blocks.filter(|block| !context.asked.blocks.contains(block)));
            self.touch(context, key, &stored.present);
        }
    }

    /// Verdicts join (or part) records that share no block: each record they speak of is reached too.
    fn follow_verdicts(&mut self, context: &Context) {
        let joined: BTreeSet<RecordKey> = self.joined.iter().map(|node| node.key).collect();
        for verdict in context.verdicts.values() {
            if verdict.records.iter().any(|key| joined.contains(key)) {
                for key in &verdict.records {
                    self.meet(context, Node::new(*key, Role::Entry));
                }
            }
        }
    }

    /// Some participants with everybody in their clusters as they were.
    fn spread(&mut self, context: &Context, nodes: BTreeSet<Node>) -> BTreeSet<Node> {
        let mut all = nodes;
        let clusters: BTreeSet<i64> = all.iter().filter_map(|node| Some(context.membership(*node)?.cluster)).collect();
        for cluster in clusters {
            if !context.asked.clusters.contains(&cluster) {
                self.request.clusters.insert(cluster);
            }
            all.extend(context.clusters.get(&cluster).into_iter().flatten());
        }
        all.iter().for_each(|node| self.want_record(context, node.key));
        all
    }

    /// The clusters of those who are married to some participants.
    fn spread_to_spouses(&mut self, context: &Context, nodes: &BTreeSet<Node>) -> BTreeSet<Node> {
        let married = nodes.iter().filter_map(|node| match node.role {
            Role::Husband => Some(Node::new(node.key, Role::Wife)),
            Role::Wife => Some(Node::new(node.key, Role::Husband)),
            _ => None,
        });
        let spouses = married.filter(|spouse| !nodes.contains(spouse)).collect();
        self.spread(context, spouses).difference(nodes).copied().collect()
    }

    /// The scopes in which something may have been found before: of records that were known.
    fn want_scopes(&mut self, context: &Context) {
        let scope = |node: &Node| match context.membership(*node) {
            Some(membership) => Some(membership.cluster),
            None => context.entries.contains_key(&node.key).then(|| node.surrogate()),
        };
        let of_nodes = self.joined.union(&self.judged).filter_map(scope);
        self.scopes = self.naturals.iter().copied().chain(of_nodes).collect();
        let unknown = self.scopes.iter().filter(|scope| !context.asked.scopes.contains(scope));
        self.request.scopes = unknown.copied().collect();
    }

    /// Everybody who was reached.
    pub(super) fn everybody(&self) -> impl Iterator<Item = Node> + '_ {
        self.joined.iter().chain(&self.judged).chain(&self.seen).copied()
    }

    /// The records of those who were reached, each once.
    pub(super) fn records(&self) -> BTreeSet<RecordKey> {
        self.everybody().map(|node| node.key).collect()
    }
}
