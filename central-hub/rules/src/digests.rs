//! The national digest: sums over everything the judgement has established, the same for the same set of arrivals.

use std::collections::BTreeMap;

use registry_schema::digest::{Hash256, SetSum, hash_parts};
use registry_schema::ids::RecordKey;

use crate::arrival::State;
use crate::finding::Finding;
use crate::node::{Membership, Node};
use crate::reading::Standing;
use crate::verdict::Verdict;

/// What is summed, each kind of row for itself, so that a difference shows where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Every state of every record.
    States,
    /// The present state of every record.
    Records,
    /// Who belongs together.
    Members,
    /// Links and cases.
    Findings,
    /// Verdicts of operators.
    Verdicts,
}

impl Section {
    /// Every section.
    pub const ALL: [Self; 5] = [Self::States, Self::Records, Self::Members, Self::Findings, Self::Verdicts];

    /// The section's name in stores and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::States => "states",
            Self::Records => "records",
            Self::Members => "members",
            Self::Findings => "findings",
            Self::Verdicts => "verdicts",
        }
    }

    /// The section with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.name() == name)
    }
}

/// A sum for each section; as a delta, what a plan adds and takes away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    sums: BTreeMap<Section, SetSum>,
}

impl Digests {
    /// The sum of a section.
    #[must_use]
    pub fn section(&self, section: Section) -> SetSum {
        self.sums.get(&section).copied().unwrap_or_default()
    }

    /// Adds another set of sums.
    pub fn merge(&mut self, section: Section, sum: SetSum) {
        self.sums.entry(section).or_default().merge(sum);
    }

    /// Every section with its sum.
    pub fn iter(&self) -> impl Iterator<Item = (Section, SetSum)> + '_ {
        Section::ALL.into_iter().map(|section| (section, self.section(section)))
    }

    /// One hash over all sections: the national digest.
    #[must_use]
    pub fn national(&self) -> Hash256 {
        let parts: Vec<Vec<u8>> =
            self.iter().map(|(_, sum)| [sum.to_bytes().as_slice(), &sum.count().to_be_bytes()].concat()).collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        hash_parts("hotich national digest 1", &parts)
    }

    pub(crate) fn add(&mut self, section: Section, row: &Hash256) {
        self.sums.entry(section).or_default().add(row);
    }

    pub(crate) fn remove(&mut self, section: Section, row: &Hash256) {
        self.sums.entry(section).or_default().remove(row);
    }
}

/// The row of a state in [`Section::States`].
#[must_use]
pub fn state_row(key: RecordKey, state: &State, valid: bool) -> Hash256 {
    hash_parts("hotich row state 1", &[&state.change_hash(key).0, &[u8::from(valid)]])
}

/// The row of a present state in [`Section::Records`].
#[must_use]
pub fn record_row(key: RecordKey, state: &State, standing: Standing) -> Hash256 {
    hash_parts("hotich row record 1", &[&state.change_hash(key).0, &[standing.number()]])
}

/// The row of a participant in [`Section::Members`].
#[must_use]
pub fn member_row(node: Node, membership: Membership) -> Hash256 {
    hash_parts(
        "hotich row member 1",
        &[
            &node.key.origin.number().to_be_bytes(),
            &node.key.id.number().to_be_bytes(),
            &[node.role.code()],
            &membership.cluster.to_be_bytes(),
            &membership.person.0.to_be_bytes(),
        ],
    )
}

/// The row of a link or case in [`Section::Findings`].
#[must_use]
pub fn finding_row(finding: &Finding) -> Hash256 {
    finding.hash()
}

/// The row of a verdict in [`Section::Verdicts`].
#[must_use]
pub fn verdict_row(verdict: &Verdict) -> Hash256 {
    verdict.id()
}
