//! What the judgement may look at: gathered by keys before it starts, so that it never waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use registry_schema::digest::Hash256;
use registry_schema::ids::RecordKey;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::arrival::{Rank, State};
use crate::finding::Finding;
use crate::node::{Membership, Node};
use crate::policy::Policy;
use crate::reading::Reading;
use crate::verdict::Verdict;

/// What must still be loaded before a batch can be judged. Everything is asked for by key.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Request {
    /// Records: present state, memberships of their participants, verdicts about them.
    pub records: BTreeSet<RecordKey>,
    /// Those of `records` whose past states are needed too.
    pub histories: BTreeSet<RecordKey>,
    /// Block keys: who stands in the block.
    pub blocks: BTreeSet<i64>,
    /// The most participants of one block to answer with, the least first: more say nothing new.
    pub nodes_per_block_max: usize,
    /// Whether to say which blocks are void, because too many stand in them: all of them.
    pub voids: bool,
    /// Clusters: who belongs to them.
    pub clusters: BTreeSet<i64>,
    /// Scopes: what was found in them.
    pub scopes: BTreeSet<i64>,
}

impl Request {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { records, histories: _, blocks, nodes_per_block_max: _, voids, clusters, scopes } = self;
        records.is_empty() && blocks.is_empty() && !voids && clusters.is_empty() && scopes.is_empty()
    }
}

/// A record as the nation has it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The state in force, or the latest one where none was ever valid.
    pub present: Reading,
    /// The ranks of all other states with their validity; empty unless they were asked for.
    pub past: Vec<(Rank, bool)>,
}

/// Which keys were asked for. They are looked up and never walked through, so their order reaches nothing.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) records: FxHashSet<RecordKey>,
    pub(crate) histories: FxHashSet<RecordKey>,
    pub(crate) blocks: FxHashSet<i64>,
    pub(crate) voids: bool,
    pub(crate) clusters: FxHashSet<i64>,
    pub(crate) scopes: FxHashSet<i64>,
}

/// What was loaded. A key that was asked for and is not there is known to be absent. What has no order here is looked up
/// by key and never walked through.
#[derive(Debug, Default)]
pub struct Context {
    policy: Arc<Policy>,
    pub(crate) asked: Asked,
    pub(crate) entries: FxHashMap<RecordKey, Stored>,
    pub(crate) memberships: FxHashMap<Node, Membership>,
    pub(crate) verdicts: BTreeMap<Hash256, Verdict>,
    pub(crate) blocks: FxHashMap<i64, BTreeSet<Node>>,
    pub(crate) voids: BTreeSet<i64>,
    pub(crate) clusters: FxHashMap<i64, BTreeSet<Node>>,
    pub(crate) findings: BTreeMap<i64, Vec<Finding>>,
}

impl Context {
    /// An empty context under a policy; [`Context::default`] is one under the default policy.
    #[must_use]
    pub fn under(policy: Arc<Policy>) -> Self {
        Self { policy, ..Self::default() }
    }

    /// What becomes of the findings.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Notes that a request was answered, whatever was found.
    pub fn answered(&mut self, request: Request) {
        self.asked.records.extend(request.records);
        self.asked.histories.extend(request.histories);
        self.asked.blocks.extend(request.blocks);
        self.asked.voids |= request.voids;
        self.asked.clusters.extend(request.clusters);
        self.asked.scopes.extend(request.scopes);
    }

    /// A record's present state.
    pub fn add_record(&mut self, key: RecordKey, present: State) {
        self.entries.insert(key, Stored { present: Reading::of(key, present), past: Vec::new() });
    }

    /// A past state of a record that was added before.
    pub fn add_past(&mut self, key: RecordKey, rank: Rank, valid: bool) {
        if let Some(stored) = self.entries.get_mut(&key) {
            stored.past.push((rank, valid));
        }
    }

    /// A participant that belongs to a cluster of several; of a record or of a cluster that was asked for.
    pub fn add_membership(&mut self, node: Node, membership: Membership) {
        self.memberships.insert(node, membership);
    }

    /// A participant of a cluster that was asked for.
    pub fn add_to_cluster(&mut self, node: Node, membership: Membership) {
        self.clusters.entry(membership.cluster).or_default().insert(node);
        self.memberships.insert(node, membership);
    }

    /// A part of a record that stands in a block that was asked for.
    pub fn add_to_block(&mut self, block: i64, node: Node) {
        self.blocks.entry(block).or_default().insert(node);
    }

    /// A block in which too many stand.
    pub fn add_void(&mut self, block: i64) {
        self.voids.insert(block);
    }

    /// A verdict about a record that was asked for.
    pub fn add_verdict(&mut self, verdict: Verdict) {
        self.verdicts.insert(verdict.id(), verdict);
    }

    /// A finding in a scope that was asked for.
    pub fn add_finding(&mut self, finding: Finding) {
        self.findings.entry(finding.scope).or_default().push(finding);
    }

    pub(crate) fn membership(&self, node: Node) -> Option<Membership> {
        self.memberships.get(&node).copied()
    }
}
