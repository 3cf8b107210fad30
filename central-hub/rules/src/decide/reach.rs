//! How far a batch reaches: which participants it can join or part, whose findings it can change, and what must be
//! known for that.

use std::collections::BTreeSet;

use registry_schema::field::Role;
use registry_schema::ids::RecordKey;

use super::crowds::{Change, Crowds, Touched, changes, nodes_wanted};
use super::merge::Batch;
use super::neighbours::Neighbours;
use crate::context::{Context, Request};
use crate::node::Node;
use crate::reading::Reading;

/// What follows from a batch and from who stands in its blocks: it stays as it is while more is loaded.
#[derive(Debug)]
pub(super) struct Ground {
    crowds: Touched,
    /// The participants of the records that change, as they were and as they will be.
    own: Vec<Node>,
    /// The natural keys of these records.
    naturals: BTreeSet<i64>,
    /// Everybody who stands in a block with such a record.
    neighbours: Neighbours,
}

impl Ground {
    fn of(context: &Context, changes: &[Change<'_>]) -> Self {
        let crowds = Crowds::of(context, changes);
        let (mut own, mut naturals) = (Vec::new(), BTreeSet::new());
        for change in changes {
            for reading in change.states() {
                let Some(record) = reading.in_force() else { continue };
                own.extend(record.participants().map(|person| Node::new(change.key, person.role)));
                naturals.extend(reading.natural_block());
            }
        }
        put_in_order(&mut own);
        let neighbours = Neighbours::of(context, changes, &crowds);
        Self { crowds: crowds.into_touched(), own, naturals, neighbours }
    }
}

/// Everybody who stands in a block with a record, unless nobody is compared there.
fn beside<'a>(context: &'a Context, crowds: &'a Crowds<'_>, reading: &'a Reading) -> impl Iterator<Item = Node> + 'a {
    let of_blocks = reading.blocks().iter().filter_map(|(block, _)| Some((*block, context.blocks.get(block)?)));
    of_blocks.filter(|(block, _)| !crowds.stays_crowded(*block)).flat_map(|(_, mates)| mates.iter().copied())
}

/// The reach of a batch. Computed again after each load until nothing new turns up. Participants are in order, each once.
#[derive(Debug, Default)]
pub(super) struct Reach<'a> {
    /// Which blocks are crowded.
    pub(super) crowds: Crowds<'a>,
    /// Participants whose clusters may change, with everybody in those clusters.
    pub(super) joined: Vec<Node>,
    /// Participants of further clusters whose findings may change: the spouses of the joined.
    pub(super) judged: Vec<Node>,
    /// Participants who are only looked at: the spouses of the judged.
    pub(super) seen: Vec<Node>,
    /// Natural keys whose findings may change.
    pub(super) naturals: BTreeSet<i64>,
    /// Where something may have been found before; told once nothing else is missing.
    pub(super) scopes: BTreeSet<i64>,
    /// Everything that must still be loaded.
    pub(super) request: Request,
}

impl<'a> Reach<'a> {
    /// The reach of a batch; the ground is laid when the context holds what it needs, and given back the next time.
    pub(super) fn of(context: &'a Context, batch: &Batch, ground: &'a mut Option<Ground>) -> Self {
        let mut reach = Self::default();
        reach.request.nodes_per_block_max = nodes_wanted(batch);
        if ground.is_none() {
            let changes = changes(context, batch);
            reach.request = first_request(context, batch, &changes);
            if !reach.request.is_empty() {
                return reach;
            }
            *ground = Some(Ground::of(context, &changes));
        }
        let Some(ground) = ground else { return reach };
        ground.neighbours.look(context, batch);
        reach.crowds = Crowds::again(context, &ground.crowds);
        reach.joined = ground.own.clone();
        reach.naturals = ground.naturals.clone();
        ground.neighbours.records().for_each(|key| reach.want_record(context, key));
        ground.neighbours.concerned().for_each(|neighbour| reach.meet(context, neighbour));
        for verdict in batch.verdicts() {
            verdict.records.iter().for_each(|key| reach.touch_stored(context, *key));
        }
        reach.follow_verdicts(context);
        reach.spread(context);
        if reach.request.is_empty() {
            reach.want_scopes(context, batch);
        }
        reach
    }

    fn want_record(&mut self, context: &Context, key: RecordKey) {
        if !context.asked.records.contains(&key) {
            self.request.records.insert(key);
        }
    }

    /// Somebody whom a record that changes concerns; an entry stands for all its people.
    fn meet(&mut self, context: &Context, neighbour: Node) {
        self.want_record(context, neighbour.key);
        if neighbour.role != Role::Entry {
            self.joined.push(neighbour);
        } else if let Some(record) = context.entries.get(&neighbour.key).and_then(|stored| stored.present.in_force()) {
            self.joined.extend(record.participants().map(|person| Node::new(neighbour.key, person.role)));
        }
    }

    /// A record that a verdict speaks of: as if it changed.
    fn touch_stored(&mut self, context: &Context, key: RecordKey) {
        self.want_record(context, key);
        let Some(reading) = context.entries.get(&key).map(|stored| &stored.present) else { return };
        let blocks = reading.blocks().iter().map(|(block, _)| *block);
        self.request.blocks.extend(blocks.filter(|block| !context.asked.blocks.contains(block)));
        let Some(record) = reading.in_force() else { return };
        self.joined.extend(record.participants().map(|person| Node::new(key, person.role)));
        self.naturals.extend(reading.natural_block());
        let mates: Vec<Node> = beside(context, &self.crowds, reading).collect();
        mates.into_iter().for_each(|mate| self.meet(context, mate));
    }

    /// Verdicts join (or part) records that share no block: each record they speak of is reached too.
    fn follow_verdicts(&mut self, context: &Context) {
        if context.verdicts.is_empty() {
            return;
        }
        let joined: BTreeSet<RecordKey> = self.joined.iter().map(|node| node.key).collect();
        for verdict in context.verdicts.values() {
            if verdict.records.iter().any(|key| joined.contains(key)) {
                for key in &verdict.records {
                    self.meet(context, Node::new(*key, Role::Entry));
                }
            }
        }
    }

    /// From the joined to everybody in their clusters, to their spouses, and to the spouses of those.
    fn spread(&mut self, context: &Context) {
        let request = &mut self.request;
        spread(context, &mut self.joined, request);
        let joined = &self.joined;
        let mut judged = spouses(joined.iter(), |spouse| has(joined, spouse));
        spread(context, &mut judged, request);
        judged.retain(|node| !has(joined, node));
        let known = |node: &Node| has(joined, node) || has(&judged, node);
        let mut seen = spouses(joined.iter().chain(&judged), known);
        spread(context, &mut seen, request);
        seen.retain(|node| !known(node));
        (self.judged, self.seen) = (judged, seen);
    }

    /// The scopes in which something may have been found before: of records that were known.
    fn want_scopes(&mut self, context: &Context, batch: &Batch) {
        let is_known = |key: RecordKey| context.entries.contains_key(&key) || batch.mends(key);
        let scope = |node: &Node| match context.membership(*node) {
            Some(membership) => Some(membership.cluster),
            None => is_known(node.key).then(|| node.surrogate()),
        };
        let of_nodes = self.joined.iter().chain(&self.judged).filter_map(scope);
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

/// What must be known before anything else: the batch's records as they were, and who stands in their blocks.
fn first_request(context: &Context, batch: &Batch, changes: &[Change<'_>]) -> Request {
    let mut request =
        Request { voids: !context.asked.voids, nodes_per_block_max: nodes_wanted(batch), ..Request::default() };
    for (key, _) in batch.states().filter(|(key, _)| !context.asked.histories.contains(key)) {
        request.records.insert(key);
        request.histories.insert(key);
    }
    request.records.extend(batch.mended().map(|(key, _)| key).filter(|key| !context.asked.records.contains(key)));
    let states = changes.iter().flat_map(Change::states);
    let blocks = states.flat_map(Reading::blocks).map(|(block, _)| *block);
    request.blocks = blocks.filter(|block| !context.asked.blocks.contains(block)).collect();
    request
}

/// Adds everybody in the clusters of some participants as they were, and asks for all their records.
fn spread(context: &Context, nodes: &mut Vec<Node>, request: &mut Request) {
    let mut clusters: Vec<i64> = nodes.iter().filter_map(|node| Some(context.membership(*node)?.cluster)).collect();
    put_in_order(&mut clusters);
    for cluster in clusters {
        if !context.asked.clusters.contains(&cluster) {
            request.clusters.insert(cluster);
        }
        nodes.extend(context.clusters.get(&cluster).into_iter().flatten());
    }
    put_in_order(nodes);
    let mut last = None;
    for node in nodes.iter().filter(|node| last.replace(node.key) != Some(node.key)) {
        if !context.asked.records.contains(&node.key) {
            request.records.insert(node.key);
        }
    }
}

/// Those who are married to some participants and are not known yet.
fn spouses<'n>(nodes: impl Iterator<Item = &'n Node>, known: impl Fn(&Node) -> bool) -> Vec<Node> {
    let married = nodes.filter_map(|node| match node.role {
        Role::Husband => Some(Node::new(node.key, Role::Wife)),
        Role::Wife => Some(Node::new(node.key, Role::Husband)),
        _ => None,
    });
    married.filter(|spouse| !known(spouse)).collect()
}

/// Whether somebody is among participants that are in order.
pub(super) fn has(nodes: &[Node], node: &Node) -> bool {
    nodes.binary_search(node).is_ok()
}

/// Each once, in order. What comes is made of pieces that are in order already, which a stable sort merges.
fn put_in_order<T: Ord>(items: &mut Vec<T>) {
    items.sort();
    items.dedup();
}
