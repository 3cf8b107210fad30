//! A whole registry in memory: what a plan means, in the plainest code.
//!
//! It is the measure for the stores (a plan must mean the same to all) and the place where rules are tried out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use registry_schema::digest::Hash256;
use registry_schema::holdings::Held;
use registry_schema::ids::RecordKey;

use crate::arrival::{Arrival, Rank, State};
use crate::context::{Context, Request};
use crate::decide::{Batch, decide, missing};
use crate::digests::Digests;
use crate::finding::{Finding, FindingId};
use crate::node::{Membership, Node};
use crate::plan::{HeldBefore, Notice, Plan};
use crate::policy::Policy;
use crate::verdict::Verdict;

/// The registry, as it stands after some plans.
#[derive(Debug, Default)]
pub struct Memory {
    /// Present states.
    pub records: BTreeMap<RecordKey, State>,
    /// Every other state, with its validity.
    pub past: BTreeMap<(RecordKey, Rank), bool>,
    /// Who stands in which block.
    pub blocks: BTreeMap<i64, BTreeSet<Node>>,
    /// Blocks in which too many stand.
    pub voids: BTreeSet<i64>,
    /// Who belongs where.
    pub members: BTreeMap<Node, Membership>,
    /// Links and cases.
    pub findings: BTreeMap<FindingId, Finding>,
    /// Verdicts.
    pub verdicts: BTreeMap<Hash256, Verdict>,
    /// Everything that was said to the provinces.
    pub notices: Vec<Notice>,
    /// The greatest state of each record, valid or not.
    pub held: BTreeMap<RecordKey, Held>,
    /// The sums.
    pub digests: Digests,
    policy: Arc<Policy>,
}

impl Memory {
    /// An empty registry under a policy; [`Memory::default`] is one under the default policy.
    #[must_use]
    pub fn under(policy: Policy) -> Self {
        Self { policy: Arc::new(policy), ..Self::default() }
    }

    /// Judges a batch and carries out the plan.
    pub fn take(&mut self, arrivals: impl IntoIterator<Item = Arrival>) {
        self.judge(&arrivals.into_iter().collect());
    }

    /// The same with arrivals that were put together before.
    pub fn judge(&mut self, batch: &Batch) {
        let mut context = Context::under(Arc::clone(&self.policy));
        loop {
            let request = missing(&context, batch);
            if request.is_empty() {
                break;
            }
            self.load(request, &mut context);
        }
        self.commit(decide(&context, batch));
    }

    /// Answers a request.
    pub fn load(&self, request: Request, context: &mut Context) {
        for key in &request.records {
            self.load_record(*key, request.histories.contains(key), context);
        }
        for block in &request.blocks {
            let nodes = self.blocks.get(block).into_iter().flatten().take(request.nodes_per_block_max);
            nodes.for_each(|node| context.add_to_block(*block, *node));
        }
        self.voids.iter().filter(|_| request.voids).for_each(|block| context.add_void(*block));
        for (node, membership) in &self.members {
            if request.clusters.contains(&membership.cluster) {
                context.add_to_cluster(*node, *membership);
            }
        }
        for finding in self.findings.values().filter(|finding| request.scopes.contains(&finding.scope)) {
            context.add_finding(finding.clone());
        }
        context.answered(request);
    }

    fn load_record(&self, key: RecordKey, history: bool, context: &mut Context) {
        if let Some(state) = self.records.get(&key) {
            context.add_record(key, state.clone());
            let past = self.past.iter().filter(|((of, _), _)| history && *of == key);
            past.for_each(|((_, rank), valid)| context.add_past(key, *rank, *valid));
        }
        for (node, membership) in self.members.iter().filter(|(node, _)| node.key == key) {
            context.add_membership(*node, *membership);
        }
        for verdict in self.verdicts.values().filter(|verdict| verdict.records.contains(&key)) {
            context.add_verdict(verdict.clone());
        }
    }

    /// Carries out a plan.
    pub fn commit(&mut self, plan: Plan) {
        self.records.extend(plan.records.into_iter().map(|row| (row.key, row.state)));
        self.past.extend(plan.past.into_iter().map(|row| ((row.key, row.state.rank()), row.valid)));
        for (block, node) in &plan.keys_removed {
            self.blocks.entry(*block).or_default().remove(node);
        }
        for (block, node) in plan.keys_added {
            self.blocks.entry(block).or_default().insert(node);
        }
        self.voids.extend(plan.voids_added);
        plan.voids_removed.iter().for_each(|block| _ = self.voids.remove(block));
        for node in &plan.members_removed {
            self.members.remove(node);
        }
        self.members.extend(plan.members_added);
        self.members.extend(plan.members_moved);
        for id in &plan.findings_removed {
            self.findings.remove(id);
        }
        self.findings.extend(plan.findings_put.into_iter().map(|finding| (finding.id, finding)));
        self.verdicts.extend(plan.verdicts.into_iter().map(|verdict| (verdict.id(), verdict)));
        for moved in plan.held {
            let before = self.held.insert(moved.key, moved.after);
            debug_assert_eq!(
                before.map(|held| held.rank()),
                moved.before.as_ref().map(HeldBefore::rank),
                "the plan knows what was held"
            );
        }
        self.notices.extend(plan.notices);
        for (section, sum) in plan.digests.iter() {
            self.digests.merge(section, sum);
        }
    }
}
