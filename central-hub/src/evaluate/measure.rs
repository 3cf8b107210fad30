//! Precision and recall of a partition, counted and never enumerated.
//!
//! A partition of *n* members has up to *n²/2* pairs. They are counted from the contingency of the true and the found
//! clusters instead (a cluster of *c* members has *c(c-1)/2* pairs), so a million members take one sort.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a member belongs to, in truth and as found. Numbers of clusters mean nothing beyond being equal or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// A class that pairs are told apart by, below [`CLASSES`].
    pub class: u8,
    /// The true cluster.
    pub truth: u32,
    /// The cluster that was found.
    pub found: u32,
}

/// Classes of members: the codes of roles and of kinds stay below.
pub const CLASSES: usize = 8;

/// How many things there truly are, how many were found, and how many of those are right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// In truth.
    pub truly: u64,
    /// As found.
    pub found: u64,
    /// Both.
    pub right: u64,
}

/// A tally with its rates; a rate of nothing is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Rates {
    /// In truth.
    #[serde(rename = "true")]
    pub truly: u64,
    /// As found.
    pub found: u64,
    /// Both.
    pub right: u64,
    /// Right among found.
    pub precision: Option<f64>,
    /// Right among true.
    pub recall: Option<f64>,
    /// The harmonic mean of the two.
    pub f1: Option<f64>,
}

impl Tally {
    /// The rates of this tally.
    #[must_use]
    pub fn rates(self) -> Rates {
        Rates {
            truly: self.truly,
            found: self.found,
            right: self.right,
            precision: ratio(self.right, self.found),
            recall: ratio(self.right, self.truly),
            f1: ratio(2 * self.right, self.truly + self.found),
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.truly += other.truly;
        self.found += other.found;
        self.right += other.right;
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), |mut sum, tally| {
            sum += tally;
            sum
        })
    }
}

/// A part of a whole; absent when the whole is nothing.
#[must_use]
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Pairs of members by their two classes, the lesser first; only classes that have a true or a found pair.
#[must_use]
pub fn pairs(members: &[Member]) -> BTreeMap<(u8, u8), Tally> {
    let mut members = members.to_vec();
    let mut tallies = BTreeMap::new();
    members.sort_unstable_by_key(|member| (member.truth, member.found));
    for cluster in members.chunk_by(|a, b| a.truth == b.truth) {
        add_pairs(&mut tallies, cluster, |tally| &mut tally.truly);
        for shared in cluster.chunk_by(|a, b| a.found == b.found) {
            add_pairs(&mut tallies, shared, |tally| &mut tally.right);
        }
    }
    members.sort_unstable_by_key(|member| member.found);
    for cluster in members.chunk_by(|a, b| a.found == b.found) {
        add_pairs(&mut tallies, cluster, |tally| &mut tally.found);
    }
    tallies
}

fn add_pairs(tallies: &mut BTreeMap<(u8, u8), Tally>, cluster: &[Member], part: impl Fn(&mut Tally) -> &mut u64) {
    if cluster.len() < 2 {
        return;
    }
    let mut counts = [0_u64; CLASSES];
    cluster.iter().for_each(|member| counts[usize::from(member.class)] += 1);
    for (a, class_a) in (0..CLASSES).zip(0_u8..) {
        for (b, class_b) in (a..CLASSES).zip(class_a..) {
            let pairs = if a == b { counts[a] * counts[a].saturating_sub(1) / 2 } else { counts[a] * counts[b] };
            if pairs > 0 {
                *part(tallies.entry((class_a, class_b)).or_default()) += pairs;
            }
        }
    }
}

/// Clusters of two or more members; a found one is right when it has exactly the members of a true one.
#[must_use]
pub fn clusters(members: &[Member]) -> Tally {
    let mut by_truth: Vec<(u32, u32)> = members.iter().map(|member| (member.truth, member.found)).collect();
    by_truth.sort_unstable();
    let size = |truth: u32| {
        by_truth.partition_point(|member| member.0 <= truth) - by_truth.partition_point(|member| member.0 < truth)
    };
    let mut by_found: Vec<(u32, u32)> = by_truth.iter().map(|(truth, found)| (*found, *truth)).collect();
    by_found.sort_unstable();
    let mut tally = Tally {
        truly: by_truth.chunk_by(|a, b| a.0 == b.0).filter(|cluster| cluster.len() > 1).count() as u64,
        ..Tally::default()
    };
    for cluster in by_found.chunk_by(|a, b| a.0 == b.0).filter(|cluster| cluster.len() > 1) {
        let truth = cluster[0].1;
        let is_one = cluster.iter().all(|member| member.1 == truth);
        tally.found += 1;
        tally.right += u64::from(is_one && size(truth) == cluster.len());
    }
    tally
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn members(rows: &[(u8, u32, u32)]) -> Vec<Member> {
        rows.iter().map(|(class, truth, found)| Member { class: *class, truth: *truth, found: *found }).collect()
    }

    #[track_caller]
    fn check(rows: &[(u8, u32, u32)], pairs_expected: (u64, u64, u64), clusters_expected: (u64, u64, u64)) {
        let as_tuple = |tally: Tally| (tally.truly, tally.found, tally.right);
        let all: Tally = pairs(&members(rows)).into_values().sum();
        assert_eq!(as_tuple(all), pairs_expected, "pairs of {rows:?}");
        assert_eq!(as_tuple(clusters(&members(rows))), clusters_expected, "clusters of {rows:?}");
    }

    #[test]
    fn examples_worked_out_by_hand() {
        check(&[], (0, 0, 0), (0, 0, 0));
        check(&[(1, 1, 1), (1, 2, 2)], (0, 0, 0), (0, 0, 0));
        check(&[(1, 1, 5), (1, 1, 5), (1, 1, 5)], (3, 3, 3), (1, 1, 1));
        check(&[(1, 1, 5), (1, 1, 5), (1, 1, 6)], (3, 1, 1), (1, 1, 0));
        check(&[(1, 1, 5), (1, 2, 5), (1, 2, 5)], (1, 3, 1), (1, 1, 0));
        check(&[(1, 1, 5), (1, 1, 5), (1, 2, 6), (1, 2, 6), (1, 3, 6)], (2, 4, 2), (2, 2, 1));
    }

    #[test]
    fn pairs_are_told_apart_by_their_classes() {
        let rows = members(&[(1, 1, 1), (4, 1, 1), (6, 1, 2), (1, 2, 2)]);
        let tally = |truly, found, right| Tally { truly, found, right };
        let expected = [((1, 4), tally(1, 1, 1)), ((1, 6), tally(1, 1, 0)), ((4, 6), tally(1, 0, 0))];
        assert_eq!(pairs(&rows), BTreeMap::from(expected));
    }

    #[test]
    fn a_rate_of_nothing_is_absent() {
        let nothing_found = Tally { truly: 4, found: 0, right: 0 }.rates();
        assert_eq!((nothing_found.precision, nothing_found.recall, nothing_found.f1), (None, Some(0.0), Some(0.0)));
        let half = Tally { truly: 4, found: 2, right: 2 }.rates();
        assert_eq!((half.precision, half.recall), (Some(1.0), Some(0.5)));
        assert!((half.f1.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    }

    fn any_members() -> impl Strategy<Value = Vec<Member>> {
        let member = (0..8_u8, 0..6_u32, 0..6_u32);
        prop::collection::vec(member, 0..40).prop_map(|rows| members(&rows))
    }

    proptest! {
        #[test]
        fn contingency_counts_what_enumeration_counts(members in any_members()) {
            let mut expected: BTreeMap<(u8, u8), Tally> = BTreeMap::new();
            for (at, a) in members.iter().enumerate() {
                for b in &members[at + 1..] {
                    let (truly, found) = (a.truth == b.truth, a.found == b.found);
                    if truly || found {
                        let right = u64::from(truly && found);
                        *expected.entry((a.class.min(b.class), a.class.max(b.class))).or_default() +=
                            Tally { truly: truly.into(), found: found.into(), right };
                    }
                }
            }
            prop_assert_eq!(pairs(&members), expected);
        }

        #[test]
        fn exact_clusters_are_those_with_the_same_members(members in any_members()) {
            let by = |key: fn(&Member) -> u32| -> std::collections::BTreeSet<Vec<usize>> {
                let mut clusters: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
                members.iter().enumerate().for_each(|(at, member)| clusters.entry(key(member)).or_default().push(at));
                clusters.into_values().filter(|cluster| cluster.len() > 1).collect()
            };
            let (truly, found) = (by(|member| member.truth), by(|member| member.found));
            let right = truly.intersection(&found).count() as u64;
            let expected = Tally { truly: truly.len() as u64, found: found.len() as u64, right };
            prop_assert_eq!(clusters(&members), expected);
        }
    }
}
