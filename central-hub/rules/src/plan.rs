//! What one batch changes: the store carries it out to the letter, in one transaction, and has no choices left.

use std::collections::BTreeMap;

use registry_schema::ids::{Origin, RecordKey};

use crate::arrival::State;
use crate::digests::Digests;
use crate::finding::{Evidence, Finding, FindingId, Rule};
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
    /// Participants that belong somewhere else now.
    pub members_put: Vec<(Node, Membership)>,
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
    /// How the arrivals were taken.
    pub tally: Tally,
}

/// A record's present state.
#[derive(Debug)]
pub struct RecordRow {
    /// The record.
    pub key: RecordKey,
    /// The kind's code, as far as the bytes tell.
    pub kind: u8,
    /// How it stands.
    pub standing: Standing,
    /// The state.
    pub state: State,
    /// Whether the record was not known before.
    pub is_new: bool,
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
