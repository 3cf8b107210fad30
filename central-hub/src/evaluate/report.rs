//! What an evaluation tells, as plain values.

use std::collections::BTreeMap;

use registry_schema::field::Role;
use registry_schema::kind::Kind;
use serde::Serialize;

use super::curve::{Curve, Point};
use super::explain::Explanation;
use super::measure::{self, Member, Rates, Tally, ratio};
use super::outside::Reading;
use super::sample::{Links, Sample, is_principal};
use super::truth::TruthReport;
use super::worst::{self, Error, Missed};

/// How well a set was linked. Holds personal data in the worst errors: for the screen of who asked, not for logs.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Of what the rates right below are: entries, or persons where the set has no two entries of one event.
    pub measure: &'static str,
    /// Right among linked pairs.
    pub precision: Option<f64>,
    /// Linked among true pairs.
    pub recall: Option<f64>,
    /// The harmonic mean of the two.
    pub f1: Option<f64>,
    /// Found clusters that are exactly a true one.
    pub cluster_precision: Option<f64>,
    /// True clusters that were found exactly.
    pub cluster_recall: Option<f64>,
    /// The harmonic mean of the two.
    pub cluster_f1: Option<f64>,
    /// Pairs that are left to a human.
    pub review_pairs: u64,
    /// Pairs compared for each record.
    pub candidates_per_record: Option<f64>,
    /// Reading, linking and measuring.
    pub seconds: f64,
    /// Linking alone.
    pub link_seconds: f64,
    /// The most memory that the program took, in MB of a million bytes; absent where the system does not tell.
    pub peak_mb: Option<f64>,
    /// Records in force.
    pub records: u64,
    /// Their people.
    pub participants: u64,
    /// Whose weights and frequencies.
    pub edition: String,
    /// Double registration: entries of one kind about the same event.
    pub entries: Scores,
    /// Entries by kind.
    pub entries_by_kind: BTreeMap<&'static str, Rates>,
    /// Persons whom entries are about: children, spouses and deceased, across all kinds.
    pub persons: Scores,
    /// Persons by the two roles of a pair, those with parents too.
    pub by_roles: BTreeMap<String, Rates>,
    /// Pairs in which a mother or a father stands.
    pub parents: Scores,
    /// True pairs of persons that were missed, by how.
    pub missed: Missed,
    /// What to look at first.
    pub worst: Worst,
    /// Precision and recall of the score at whole bits, of pairs in the same role of two entries of a kind.
    pub curve: Vec<Point>,
    /// How the truth fits.
    pub truth: TruthReport,
    /// How rows from elsewhere were read.
    pub reading: Option<Reading>,
}

/// Rates of pairs and of clusters, and what is left to a human.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Scores {
    /// Pairs.
    #[serde(flatten)]
    pub pairs: Rates,
    /// Pairs that are left to a human.
    pub review_pairs: u64,
    /// Those of them that are true.
    pub review_right: u64,
    /// Recall once a human has answered every one of them rightly.
    pub recall_after_review: Option<f64>,
    /// Clusters of two or more; a found one is right when it is exactly a true one.
    pub clusters: Rates,
}

/// The worst errors.
#[derive(Debug, Default, Serialize)]
pub struct Worst {
    /// Linked pairs that are two people, the highest score first.
    pub false_pairs: Vec<WorstPair>,
    /// Pairs that are one person and were missed, one of each way of missing in turn.
    pub missed_pairs: Vec<WorstPair>,
}

/// One pair that went wrong.
#[derive(Debug, Serialize)]
pub struct WorstPair {
    /// How.
    pub error: Error,
    /// The pair with its score.
    #[serde(flatten)]
    pub pair: Explanation,
}

impl Scores {
    fn of(pairs: Tally, members: &[Member], (review_pairs, review_right): (u64, u64)) -> Self {
        Self {
            pairs: pairs.rates(),
            review_pairs,
            review_right,
            recall_after_review: ratio(pairs.right + review_right, pairs.truly),
            clusters: measure::clusters(members).rates(),
        }
    }

    /// Whether there is anything to be right or wrong about.
    const fn says_something(&self) -> bool {
        self.pairs.truly + self.pairs.found > 0
    }
}

/// What is measured, before anything is said about how long it took.
#[derive(Debug)]
pub struct Measured {
    /// Double registration.
    pub entries: Scores,
    /// The same by kind.
    pub entries_by_kind: BTreeMap<&'static str, Rates>,
    /// Persons across kinds.
    pub persons: Scores,
    /// The same by roles, with parents.
    pub by_roles: BTreeMap<String, Rates>,
    /// Mothers and fathers.
    pub parents: Scores,
    /// What was missed, and how.
    pub missed: Missed,
    /// The curve.
    pub curve: Curve,
}

impl Measured {
    /// Measures what was found in a sample.
    #[must_use]
    pub fn of(sample: &Sample, links: &Links) -> Self {
        let entries = sample.entries(links);
        let by_kind = measure::pairs(&entries);
        let kind = |code: u8| Kind::from_code(code).map_or("", Kind::name);
        let everyone = measure::pairs(&sample.members(links, |_| true));
        let role = |code: u8| Role::from_code(code).unwrap_or(Role::Entry);
        let is_parent = |(a, b): (u8, u8)| !is_principal(role(a)) || !is_principal(role(b));
        let sum = |parents| everyone.iter().filter(|(roles, _)| is_parent(**roles) == parents).map(|(_, t)| *t).sum();
        let (of_persons, of_parents): (Tally, Tally) = (sum(false), sum(true));
        let same_role = everyone.iter().filter(|((a, b), _)| a == b && is_principal(role(*a)));
        let truly_in_one_role = same_role.map(|(_, tally)| tally.truly).sum();
        let scored = links.scored.iter().filter(|pair| sample.is_same_principal(pair));
        let scored = scored.filter_map(|pair| Some((pair.millibits, sample.truly_one(pair.a, pair.b)?)));
        Self {
            entries: Scores::of(by_kind.values().copied().sum(), &entries, sample.entries_in_review(links)),
            entries_by_kind: by_kind.iter().map(|((code, _), tally)| (kind(*code), tally.rates())).collect(),
            persons: Scores::of(
                of_persons,
                &sample.members(links, is_principal),
                sample.persons_in_review(links, |a, b| is_principal(a) && is_principal(b)),
            ),
            by_roles: everyone
                .iter()
                .map(|((a, b), tally)| (format!("{}-{}", role(*a).name(), role(*b).name()), tally.rates()))
                .collect(),
            parents: Scores::of(
                of_parents,
                &sample.members(links, |role| !is_principal(role)),
                sample.persons_in_review(links, |a, b| !is_principal(a) || !is_principal(b)),
            ),
            missed: worst::missed_by(sample, links, of_persons.truly - of_persons.right),
            curve: Curve::of(scored, truly_in_one_role),
        }
    }

    /// The scores that stand for the whole: of entries, unless the set has no two entries of one event.
    #[must_use]
    pub const fn headline(&self) -> (&'static str, &Scores) {
        if self.entries.says_something() { ("entries", &self.entries) } else { ("persons", &self.persons) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::sample::Zone;
    use super::super::sample::tests::{sample, scored};
    use super::*;

    #[test]
    fn entries_persons_and_parents_are_measured_apart() {
        let (sample, mut links) = sample(&[
            "1#child 1 1",
            "1#mother 9 9",
            "2#child 1 1",
            "2#mother 9 8",
            "3#deceased 1 3",
            "4#husband 1 1",
            "4#wife 4 4",
        ]);
        links.scored = vec![scored(&sample, "1#child", "3#deceased", 2, Zone::Review, false)];
        let measured = Measured::of(&sample, &links);
        assert_eq!(measured.entries.pairs.f1, Some(1.0));
        let persons = measured.persons;
        assert_eq!((persons.pairs.truly, persons.pairs.found, persons.pairs.right), (6, 3, 3));
        assert_eq!((persons.review_pairs, persons.recall_after_review), (1, Some(4.0 / 6.0)));
        assert_eq!((measured.parents.pairs.truly, measured.parents.pairs.found), (1, 0));
        assert_eq!(measured.by_roles["child-husband"].recall, Some(1.0));
        assert_eq!(measured.by_roles["husband-deceased"].recall, Some(0.0));
        assert_eq!((measured.missed.review, measured.missed.not_compared), (1, 2));
    }

    #[test]
    fn without_double_entries_persons_stand_for_the_whole() {
        let (sample, links) = sample(&["1#child 1 1", "2#deceased 1 1"]);
        let measured = Measured::of(&sample, &links);
        assert_eq!(measured.headline().0, "persons");
        assert_eq!(measured.headline().1.pairs.f1, Some(1.0));
    }
}
