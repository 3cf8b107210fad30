//! Steps two and three: who is who, and what the rules find, among everybody whom the batch reaches.

use std::collections::{BTreeMap, BTreeSet};

use registry_schema::field::Role;
use registry_schema::ids::RecordKey;

use super::crowds::Crowds;
use super::merge::Merged;
use super::reach::Reach;
use crate::context::Context;
use crate::finding::{Finding, FindingId};
use crate::matching::{self, Part, Relation};
use crate::node::Node;
use crate::persons::{self, Cluster, Edge, Parts, Relations};
use crate::policy::Treatment;
use crate::reading::{Entry, Reading};
use crate::rule::scene::{Scene, pairs, verdict_on};
use crate::rule::{held_apart, judge_block, judge_cluster};
use crate::verdict::{Answer, Verdict, standing, standing_on_pair};

/// What the judgement establishes about everybody whom the batch reaches.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// Who is who.
    pub(super) clusters: Vec<Cluster>,
    /// Everything found in the scopes that the batch can change.
    pub(super) findings: BTreeMap<FindingId, Finding>,
}

/// The records in force of everybody who was reached.
type Readings<'a> = BTreeMap<RecordKey, &'a Reading>;
type PairVerdicts<'a> = BTreeMap<(RecordKey, RecordKey), Vec<&'a Verdict>>;

pub(super) fn judge(context: &Context, merged: &Merged<'_>, reach: &Reach<'_>) -> Judged {
    let records = in_force(context, merged, reach);
    let parts = parts(&records, reach);
    let verdicts: Vec<&Verdict> = context.verdicts.values().chain(merged.verdicts.values()).collect();
    let by_pair = by_pair(&verdicts);
    let relations = relations(&records, &parts, &by_pair, &reach.crowds);
    let apart = |a: Node, b: Node| match verdict_on(&by_pair, a.key, b.key).map(|verdict| verdict.answer) {
        Some(Answer::Different) => a.role == b.role || matching::apart(parts[&a], parts[&b]),
        Some(Answer::Same) if a.role == b.role => false,
        _ => matching::apart(parts[&a], parts[&b]) || held_apart(context.policy(), parts[&a], parts[&b]),
    };
    let edges = relations.iter().map(|(pair, relation)| Edge {
        pair: *pair,
        likeness: relation.likeness,
        strength: relation.strength,
    });
    let age = |node: Node| (parts[&node].entry.age(), node.role);
    let clusters = persons::solve(parts.keys().copied(), edges.collect(), apart, age);
    let scene = Scene::new(&parts, &relations, &clusters, &by_pair, context.policy());
    let in_reach =
        |cluster: &&Cluster| cluster.nodes().any(|node| reach.joined.contains(&node) || reach.judged.contains(&node));
    let in_clusters = clusters.iter().filter(in_reach).flat_map(|cluster| judge_cluster(&scene, cluster));
    let in_blocks = naturals(&records, reach).into_iter();
    let in_blocks = in_blocks.flat_map(|(block, entries)| judge_block(&scene, block, &entries));
    let mut findings = BTreeMap::new();
    let told = |finding: &Finding| context.policy().treatment(finding.rule) != Treatment::Ignore;
    for finding in in_clusters.chain(in_blocks).filter(told) {
        let finding = answered(finding, &verdicts);
        let twice = findings.insert(finding.id, finding);
        debug_assert!(twice.is_none(), "a rule must tell a finding in one scope only: {twice:?}");
    }
    Judged { clusters, findings }
}

/// The records in force of everybody who was reached, as they are after the batch.
fn in_force<'a>(context: &'a Context, merged: &Merged<'a>, reach: &Reach<'_>) -> Readings<'a> {
    let present = |key: RecordKey| match merged.records.get(&key) {
        Some(record) => Some(record.present),
        None => context.entries.get(&key).map(|stored| &stored.present),
    };
    let records = reach.records().into_iter().filter_map(|key| Some((key, present(key)?)));
    records.filter(|(_, reading)| reading.in_force().is_some()).collect()
}

fn parts<'a>(records: &Readings<'a>, reach: &Reach<'_>) -> Parts<'a> {
    let part = |node: Node| {
        let reading = records.get(&node.key)?;
        let (record, profile) = (reading.in_force()?, reading.profile()?);
        let person = record.participant(node.role)?;
        Some((node, Part { entry: Entry { key: node.key, record }, person, profile }))
    };
    reach.everybody().filter_map(part).collect()
}

fn by_pair<'a>(verdicts: &[&'a Verdict]) -> PairVerdicts<'a> {
    let mut by_pair: PairVerdicts<'a> = BTreeMap::new();
    for verdict in verdicts {
        if let [a, b] = verdict.records.as_slice() {
            by_pair.entry((*a.min(b), *a.max(b))).or_default().push(verdict);
        }
    }
    by_pair
}

/// Everything alike: pairs that share a block and agree, and pairs that a human joined.
fn relations(records: &Readings<'_>, parts: &Parts<'_>, verdicts: &PairVerdicts<'_>, crowds: &Crowds<'_>) -> Relations {
    let mut stands: Vec<(i64, Node)> = records.values().flat_map(|reading| reading.blocks()).copied().collect();
    stands.sort_unstable();
    let mut relations = Relations::new();
    let mut compared = BTreeSet::new();
    for block in stands.chunk_by(|one, other| one.0 == other.0).filter(|block| block.len() > 1) {
        if crowds.is_crowded(block[0].0) {
            continue;
        }
        for ((_, a), (_, b)) in pairs(block) {
            relate(parts, a, b, &mut compared, &mut relations);
        }
    }
    for ((a, b), about) in verdicts {
        if standing_on_pair(about.iter().copied()).is_some_and(|verdict| verdict.answer == Answer::Same) {
            join_by_verdict(parts, *a, *b, &mut relations);
        }
    }
    relations
}

/// Compares what shares a block: two participants, or, for two entries, their people role by role.
fn relate(parts: &Parts<'_>, a: Node, b: Node, compared: &mut BTreeSet<(Node, Node)>, relations: &mut Relations) {
    let roles = if a.role == Role::Entry { &Role::ALL[1..] } else { &[a.role][..] };
    for role in roles {
        let other = if a.role == Role::Entry { *role } else { b.role };
        let pair = (Node::new(a.key, *role), Node::new(b.key, other));
        let pair = (pair.0.min(pair.1), pair.0.max(pair.1));
        if let (Some(one), Some(two)) = (parts.get(&pair.0), parts.get(&pair.1))
            && compared.insert(pair)
        {
            relations.extend(matching::compare(*one, *two).map(|relation| (pair, relation)));
        }
    }
}

fn join_by_verdict(parts: &Parts<'_>, a: RecordKey, b: RecordKey, relations: &mut Relations) {
    for role in matching::PRINCIPALS {
        let pair = (Node::new(a, role), Node::new(b, role));
        if parts.contains_key(&pair.0) && parts.contains_key(&pair.1) {
            relations.insert(pair, Relation::by_verdict());
        }
    }
}

/// The entries of each natural key whose findings may change.
fn naturals<'a>(records: &Readings<'a>, reach: &Reach<'_>) -> BTreeMap<i64, Vec<Entry<'a>>> {
    let mut naturals: BTreeMap<i64, Vec<Entry<'a>>> = BTreeMap::new();
    for (key, reading) in records {
        let block =
            reading.natural_block().filter(|block| reach.naturals.contains(block) && !reach.crowds.is_crowded(*block));
        if let (Some(block), Some(record)) = (block, reading.in_force()) {
            naturals.entry(block).or_default().push(Entry { key: *key, record });
        }
    }
    naturals
}

fn answered(finding: Finding, verdicts: &[&Verdict]) -> Finding {
    let about = verdicts.iter().copied().filter(|verdict| verdict.case == finding.id);
    // An answer that was taken back leaves no mark: the finding is what it was before anybody answered.
    match standing(about).filter(|verdict| verdict.answer.closes()) {
        Some(verdict) => Finding { answer: Some(verdict.answer), chosen: verdict.chosen.or(finding.chosen), ..finding },
        None => finding,
    }
}
