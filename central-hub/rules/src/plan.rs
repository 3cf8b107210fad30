//! What one batch changes: the store carries it out to the letter, in one transaction, and has no choices left.

use std::collections::{BTreeMap, BTreeSet};

use registry_schema::holdings::Held;
use registry_schema::ids::{Origin, PersonId, RecordKey};

use crate::arrival::{Rank, State};
use crate::context::Context;
use crate::digests::Digests;
use crate::finding::{Certainty, Evidence, Finding, FindingId, Rule};
use crate::node::{Membership, Node};
use crate::reading::Standing;
use crate::verdict::{Answer, Verdict};

/// Everything that a batch of arrivals changes in the national registry.
#[derive(Debug, Default)]
pub struct Plan {
    /// Present states to write over the ones before.
    pub records: Vec<RecordRow>,
    /// States that are not present, to keep: the ones displaced, and the ones that arrived late.
    pub past: Vec<PastRow>,
    /// Block keys that records gained.
    pub keys_added: Vec<(i64, Node)>,
    /// Block keys that records lost.
    pub keys_removed: Vec<(i64, Node)>,
    /// Blocks in which too many stand now.
    pub voids_added: Vec<i64>,
    /// Blocks in which not too many stand any more.
    pub voids_removed: Vec<i64>,
    /// Participants that stood alone and belong to somebody now.
    pub members_added: Vec<(Node, Membership)>,
    /// Participants that belong somewhere else now.
    pub members_moved: Vec<(Node, Membership)>,
    /// Participants that stand alone now.
    pub members_removed: Vec<Node>,
    /// Links and cases to write.
    pub findings_put: Vec<Finding>,
    /// Links and cases that hold no more.
    pub findings_removed: Vec<FindingId>,
    /// Verdicts that were not known.
    pub verdicts: Vec<Verdict>,
    /// Words for the provinces, in order.
    pub notices: Vec<Notice>,
    /// What changes in the sums.
    pub digests: Digests,
    /// What changes in the numbers of records, by province, kind code and standing.
    pub counts: BTreeMap<(Origin, u8, Standing), i64>,
    /// Records whose greatest state is another one now.
    pub held: Vec<HeldMove>,
    /// How the arrivals were taken.
    pub tally: Tally,
}

/// A record's present state.
#[derive(Debug, Clone)]
pub struct RecordRow {
    /// The record.
    pub key: RecordKey,
    /// The kind's code, as far as the bytes tell.
    pub kind: u8,
    /// How it stands.
    pub standing: Standing,
    /// The state.
    pub state: State,
}

/// A state that is not present.
#[derive(Debug)]
pub struct PastRow {
    /// The record.
    pub key: RecordKey,
    /// The state.
    pub state: State,
    /// Whether it was valid.
    pub valid: bool,
}

/// The greatest state of a record by its rank, valid or not, before and after a batch: what a province holds, as far as
/// the nation heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMove {
    /// The record.
    pub key: RecordKey,
    /// The greatest state before.
    pub before: Option<HeldBefore>,
    /// The greatest state now.
    pub after: Held,
}

/// The greatest state of a record before a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldBefore {
    /// It was present.
    Present(Held),
    /// It is kept in the past, where its bytes say in which bucket it is summed.
    Past(Rank),
}

impl HeldBefore {
    /// Where the state stands among the states of its record.
    #[must_use]
    pub const fn rank(&self) -> Rank {
        match self {
            Self::Present(held) => held.rank(),
            Self::Past(rank) => *rank,
        }
    }
}

/// How the arrivals of a batch were taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// States that were not known before.
    pub states: u64,
    /// States and verdicts that were known: absorbed.
    pub resent: u64,
    /// States among the new ones that are not valid.
    pub rejected: u64,
    /// Verdicts that were not known before.
    pub verdicts: u64,
}

/// A word for the province that keeps a record. The newest word about a subject replaces the older ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The record spoken of.
    pub key: RecordKey,
    /// What is said.
    pub word: Word,
}

/// What a notice says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The entry was rejected before and is accepted now.
    Accepted,
    /// The latest state of the entry is not valid.
    Rejected(Vec<registry_schema::violation::ViolationReport>),
    /// A link or a case concerns the entry.
    Found(FoundWord),
    /// What a rule had found holds no more.
    Closed {
        /// The finding.
        id: FindingId,
        /// Its rule.
        rule: Rule,
        /// The other records of it.
        others: Vec<RecordKey>,
    },
}

/// The part of a finding that a province is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundWord {
    /// The finding.
    pub id: FindingId,
    /// Its rule.
    pub rule: Rule,
    /// Whether a human must still decide.
    pub open: bool,
    /// Whether it is a link.
    pub link: bool,
    /// The other records of it.
    pub others: Vec<RecordKey>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What a human answered.
    pub answer: Option<Answer>,
    /// Whether the answer singles out this record.
    pub chosen: bool,
}

impl FoundWord {
    /// What the keeper of one of its records reads about a finding.
    #[must_use]
    pub fn about(finding: &Finding, key: RecordKey) -> Self {
        Self {
            id: finding.id,
            rule: finding.rule,
            open: finding.is_open(),
            link: finding.certainty == Certainty::Link,
            others: finding.others(key),
            evidence: finding.evidence.clone(),
            answer: finding.answer,
            chosen: finding.chosen == Some(key),
        }
    }
}

/// Participants who were some persons before a plan and are other persons after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regrouping {
    /// The persons before, each with its participants.
    pub before: Vec<Vec<Node>>,
    /// The persons after, of the same participants.
    pub after: Vec<Vec<Node>>,
}

/// A finding before and after a plan; on one side it may be absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refinding<'a> {
    /// As it was.
    pub before: Option<&'a Finding>,
    /// As it will be.
    pub after: Option<&'a Finding>,
}

impl Plan {
    /// Participants that belong to somebody, and did not before, or to somebody else.
    pub fn members_put(&self) -> impl Iterator<Item = &(Node, Membership)> {
        self.members_added.iter().chain(&self.members_moved)
    }

    /// Whom the plan joins and parts. The context is the one from which the plan was decided.
    #[must_use]
    pub fn regroupings(&self, context: &Context) -> Vec<Regrouping> {
        let mut before: BTreeMap<Node, PersonId> =
            context.memberships.iter().map(|(node, membership)| (*node, membership.person)).collect();
        let mut after = before.clone();
        for (node, membership) in self.members_put() {
            before.entry(*node).or_insert_with(|| node.alone().person);
            after.insert(*node, membership.person);
        }
        after.extend(self.members_removed.iter().map(|node| (*node, node.alone().person)));
        let moves: Vec<(Node, PersonId, PersonId)> =
            before.iter().map(|(node, person)| (*node, *person, after[node])).collect();
        let mut touched: BTreeMap<PersonId, BTreeSet<PersonId>> = BTreeMap::new();
        for (_, from, to) in moves.iter().filter(|(_, from, to)| from != to) {
            touched.entry(*from).or_default().insert(*to);
            touched.entry(*to).or_default().insert(*from);
        }
        let mut regroupings = Vec::new();
        while let Some((first, _)) = touched.first_key_value() {
            let persons = connected(*first, &mut touched);
            let among = |person: fn(&(Node, PersonId, PersonId)) -> PersonId| {
                let mut groups: BTreeMap<PersonId, Vec<Node>> = BTreeMap::new();
                for moved in moves.iter().filter(|moved| persons.contains(&moved.1)) {
                    groups.entry(person(moved)).or_default().push(moved.0);
                }
                let mut groups: Vec<Vec<Node>> = groups.into_values().collect();
                groups.sort_unstable();
                groups
            };
            regroupings.push(Regrouping { before: among(|moved| moved.1), after: among(|moved| moved.2) });
        }
        regroupings
    }

    /// What the plan changes in links and cases. The context is the one from which the plan was decided.
    #[must_use]
    pub fn refindings<'a>(&'a self, context: &'a Context) -> Vec<Refinding<'a>> {
        let known: BTreeMap<FindingId, &Finding> =
            context.findings.values().flatten().map(|finding| (finding.id, finding)).collect();
        let removed = self.findings_removed.iter().map(|id| Refinding { before: known.get(id).copied(), after: None });
        let put = self.findings_put.iter();
        let put = put.map(|finding| Refinding { before: known.get(&finding.id).copied(), after: Some(finding) });
        removed.chain(put).collect()
    }
}

/// Takes out of a graph what is connected with one of its persons.
fn connected(first: PersonId, graph: &mut BTreeMap<PersonId, BTreeSet<PersonId>>) -> BTreeSet<PersonId> {
    let mut found = BTreeSet::from([first]);
    let mut waiting = vec![first];
    while let Some(neighbours) = waiting.pop().and_then(|person| graph.remove(&person)) {
        waiting.extend(neighbours.into_iter().filter(|person| found.insert(*person)));
    }
    found
}
