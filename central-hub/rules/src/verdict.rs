//! What a human decided about a case. A verdict is an arrival like any other, so replay includes it.

use std::collections::BTreeMap;

use registry_schema::clock::Hlc;
use registry_schema::digest::{Hash256, hash_parts};
use registry_schema::ids::RecordKey;
use serde::{Deserialize, Serialize};

use crate::finding::FindingId;

/// An operator's answer to a case.
///
/// Of two verdicts about one case the later clock stands, then the greater operator id, then the greater hash, so the
/// order of arrival never matters. A verdict is undone by a later one that answers [`Answer::Wait`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The case that was answered.
    pub case: FindingId,
    /// The records of the case, sorted: a verdict speaks for itself even when the case is not there (yet).
    pub records: Vec<RecordKey>,
    /// The answer.
    pub answer: Answer,
    /// The record that the answer singles out: the one to withdraw, or the one that is replaced.
    pub chosen: Option<RecordKey>,
    /// Who decided.
    pub operator: String,
    /// When, by the hub's clock.
    pub clock: Hlc,
    /// Why, in the operator's words.
    pub reason: String,
}

/// What an operator can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// The entries speak of the same event and the same people.
    Same,
    /// The entries speak of different people.
    Different,
    /// The entries stand as they are.
    Keep,
    /// One of the entries is void; its province is told to withdraw it.
    Withdraw,
    /// One entry lawfully replaces another.
    Replace,
    /// Nothing is decided (any more): the case is open.
    Wait,
}

impl Answer {
    /// Every answer.
    pub const ALL: [Self; 6] = [Self::Same, Self::Different, Self::Keep, Self::Withdraw, Self::Replace, Self::Wait];

    /// The answer's name in commands, journals and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Different => "different",
            Self::Keep => "keep",
            Self::Withdraw => "withdraw",
            Self::Replace => "replace",
            Self::Wait => "wait",
        }
    }

    /// The answer with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answer| answer.name() == name)
    }

    /// Whether the case is closed by this answer.
    #[must_use]
    pub const fn closes(self) -> bool {
        !matches!(self, Self::Wait)
    }
}

impl Verdict {
    /// A hash of everything the verdict says: equal verdicts are one verdict.
    #[must_use]
    pub fn id(&self) -> Hash256 {
        let records: Vec<String> = self.records.iter().map(ToString::to_string).collect();
        let chosen = self.chosen.map(|key| key.to_string()).unwrap_or_default();
        hash_parts(
            "hotich verdict 1",
            &[
                &self.case.0,
                records.join(" ").as_bytes(),
                self.answer.name().as_bytes(),
                chosen.as_bytes(),
                self.operator.as_bytes(),
                &self.clock.number().to_be_bytes(),
                self.reason.as_bytes(),
            ],
        )
    }

    /// Where the verdict stands among the verdicts about its case.
    #[must_use]
    pub fn rank(&self) -> (Hlc, &str, Hash256) {
        (self.clock, &self.operator, self.id())
    }
}

/// The verdict that stands among some about one case.
pub fn standing<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Option<&'a Verdict> {
    verdicts.max_by(|a, b| a.rank().cmp(&b.rank()))
}

/// The verdict that stands on whether two records are the same, among the verdicts about cases of the two: of each case
/// the latest counts, and of those that say `same` or `different` the latest. An answer to another case that says
/// neither, or was taken back, leaves it alone.
pub fn standing_on_pair<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> Option<&'a Verdict> {
    let mut cases: BTreeMap<FindingId, &Verdict> = BTreeMap::new();
    for verdict in verdicts {
        let latest = cases.entry(verdict.case).or_insert(verdict);
        if verdict.rank() > latest.rank() {
            *latest = verdict;
        }
    }
    standing(cases.into_values().filter(|verdict| matches!(verdict.answer, Answer::Same | Answer::Different)))
}
