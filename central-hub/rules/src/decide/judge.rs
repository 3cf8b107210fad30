//! Steps two and three: who is who, and what the rules find, among everybody whom the batch reaches.

use std::collections::BTreeMap;

use registry_schema::ids::RecordKey;

use super::compare::{on_all, part, participants};
use super::crowds::Crowds;
use super::merge::Merged;
use super::reach::{Reach, has};
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
    let apart = |a: &Part<'_>, b: &Part<'_>| {
        let is_one_role = a.person.role == b.person.role;
        match verdict_on(&by_pair, a.entry.key, b.entry.key).map(|verdict| verdict.answer) {
            Some(Answer::Different) => is_one_role || matching::apart(*a, *b),
            Some(Answer::Same) if is_one_role => false,
            _ => matching::apart(*a, *b) || held_apart(context.policy(), *a, *b),
        }
    };
    let edge = |(pair, relation): (&(Node, Node), &Relation)| Edge {
        pair: *pair,
        likeness: relation.likeness,
        strength: relation.strength,
    };
    let edges: Vec<Edge> = relations.iter().map(edge).collect();
    let age = |node: Node| (parts[&node].entry.age(), node.role);
    let everybody = reach.everybody().filter(|node| parts.contains_key(node));
    let clusters = persons::solve(everybody, &edges, |node| parts[&node], apart, age);
    let scene = Scene::new(&parts, &relations, &clusters, &by_pair, context.policy());
    let in_reach =
        |cluster: &&Cluster| cluster.nodes().any(|node| has(&reach.joined, &node) || has(&reach.judged, &node));
    let in_reach: Vec<&Cluster> = clusters.iter().filter(in_reach).collect();
    let in_clusters = on_all(in_reach, |cluster| judge_cluster(&scene, cluster)).into_iter().flatten();
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
        None if merged.mended.contains_key(&key) => merged.mended.get(&key),
        None => context.entries.get(&key).map(|stored| &stored.present),
    };
    let records = reach.records().into_iter().filter_map(|key| Some((key, present(key)?)));
    records.filter(|(_, reading)| reading.in_force().is_some()).collect()
}

fn parts<'a>(records: &Readings<'a>, reach: &Reach<'_>) -> Parts<'a> {
    let part = |node: Node| Some((node, part(node, records.get(&node.key)?)?));
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
    let mut compared: Vec<(Node, Node)> = Vec::new();
    for block in stands.chunk_by(|one, other| one.0 == other.0).filter(|block| block.len() > 1) {
        if !crowds.is_crowded(block[0].0) {
            pairs(block).for_each(|((_, a), (_, b))| compared.extend(participants(a, b)));
        }
    }
    compared.sort_unstable();
    compared.dedup();
    let relation = |pair: (Node, Node)| {
        let (one, other) = (parts.get(&pair.0)?, parts.get(&pair.1)?);
        Some((pair, matching::compare(*one, *other)?))
    };
    let mut relations: Relations = on_all(compared, relation).into_iter().flatten().collect();
    for ((a, b), about) in verdicts {
        if standing_on_pair(about.iter().copied()).is_some_and(|verdict| verdict.answer == Answer::Same) {
            join_by_verdict(parts, *a, *b, &mut relations);
        }
    }
    relations
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
