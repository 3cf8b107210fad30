//! The worst errors: what to look at first.

use std::collections::BTreeSet;

use serde::Serialize;

use super::sample::{Links, Sample, Scored, UNKNOWN, Zone, is_principal};

/// True pairs that are looked at in search of examples that were never scored; bounds the work on a truth in which one
/// person has thousands of entries.
const LOOKED_AT_MAX: usize = 1_000_000;

/// How a pair went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Error {
    /// Linked, and two people.
    False,
    /// One person, scored high enough, and kept apart: something forbids it, or a stronger link came first.
    KeptApart,
    /// One person, left to a human.
    Review,
    /// One person, scored too low.
    Low,
    /// One person, never compared, or scored below what is kept.
    NotCompared,
}

/// A pair that went wrong, by places in the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// How.
    pub error: Error,
    /// One participant.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// The score and where it lies, when it was kept.
    pub score: Option<(i32, Zone)>,
}

/// True pairs that were missed, by how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// Scored high enough, and kept apart.
    pub kept_apart: u64,
    /// Left to a human.
    pub review: u64,
    /// Scored too low.
    pub low: u64,
    /// Never compared, or scored below what is kept.
    pub not_compared: u64,
}

/// Counts the true pairs that were missed, `missed` of them in all, by how.
#[must_use]
pub fn missed_by(sample: &Sample, links: &Links, missed: u64) -> Missed {
    let mut by = Missed::default();
    for pair in links.scored.iter().filter(|pair| is_of_principals(sample, pair)) {
        match error_of(sample, pair) {
            Some(Error::KeptApart) => by.kept_apart += 1,
            Some(Error::Review) => by.review += 1,
            Some(Error::Low) => by.low += 1,
            _ => {}
        }
    }
    by.not_compared = missed.saturating_sub(by.kept_apart + by.review + by.low);
    by
}

/// The false pairs with the highest scores, at most `count`.
#[must_use]
pub fn false_pairs(sample: &Sample, links: &Links, count: usize) -> Vec<Wrong> {
    let mut wrong = scored(sample, links, |error| error == Error::False);
    wrong.truncate(count);
    wrong
}

/// Missed true pairs, at most `count`: one of each way of missing in turn, the highest score first.
#[must_use]
pub fn missed_pairs(sample: &Sample, links: &Links, count: usize) -> Vec<Wrong> {
    let scored = scored(sample, links, |error| error != Error::False);
    let of = |error| scored.iter().copied().filter(|wrong| wrong.error == error).take(count).collect::<Vec<_>>();
    let groups = [of(Error::KeptApart), of(Error::Review), of(Error::Low), not_compared(sample, links, &scored, count)];
    let turns = (0..count).flat_map(|turn| groups.iter().filter_map(move |group| group.get(turn)));
    turns.copied().take(count).collect()
}

/// The scored pairs that went wrong in a wanted way, the highest score first.
fn scored(sample: &Sample, links: &Links, wanted: impl Fn(Error) -> bool) -> Vec<Wrong> {
    let pairs = links.scored.iter().filter(|pair| is_of_principals(sample, pair));
    let mut found: Vec<Wrong> = pairs
        .filter_map(|pair| {
            let error = error_of(sample, pair).filter(|error| wanted(*error))?;
            Some(Wrong { error, a: pair.a, b: pair.b, score: Some((pair.millibits, pair.zone)) })
        })
        .collect();
    found.sort_unstable_by_key(|wrong| (std::cmp::Reverse(wrong.score), wrong.a, wrong.b));
    found
}

fn error_of(sample: &Sample, pair: &Scored) -> Option<Error> {
    match (sample.truly_one(pair.a, pair.b)?, pair.together, pair.zone) {
        (false, true, _) => Some(Error::False),
        (true, false, Zone::Automatic) => Some(Error::KeptApart),
        (true, false, Zone::Review) => Some(Error::Review),
        (true, false, Zone::Candidate) => Some(Error::Low),
        (true, true, _) | (false, false, _) => None,
    }
}

fn is_of_principals(sample: &Sample, pair: &Scored) -> bool {
    [pair.a, pair.b].iter().all(|place| is_principal(sample.nodes()[*place as usize].role))
}

/// True pairs without a score, in the order of persons.
fn not_compared(sample: &Sample, links: &Links, scored: &[Wrong], count: usize) -> Vec<Wrong> {
    let known: BTreeSet<(u32, u32)> = scored.iter().map(|wrong| (wrong.a, wrong.b)).collect();
    let mut by_person: Vec<(u32, u32)> = (0..).zip(sample.truth()).map(|(place, person)| (*person, place)).collect();
    by_person.retain(|(person, place)| *person != UNKNOWN && is_principal(sample.nodes()[*place as usize].role));
    by_person.sort_unstable();
    let pairs = by_person.chunk_by(|a, b| a.0 == b.0).flat_map(|person| {
        let others = move |at: usize| person[at + 1..].iter().map(move |other| (person[at].1, other.1));
        (0..person.len()).flat_map(others)
    });
    let wrong = pairs
        .take(LOOKED_AT_MAX)
        .filter(|(a, b)| links.found[*a as usize] != links.found[*b as usize] && !known.contains(&(*a, *b)));
    wrong.map(|(a, b)| Wrong { error: Error::NotCompared, a, b, score: None }).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sample::tests::{sample, scored};
    use super::*;

    fn example() -> (Sample, Links) {
        let lines = ["1#child 1 1", "2#child 1 2", "3#child 1 3", "4#child 1 4", "5#child 5 1", "6#child 5 6"];
        let (sample, mut links) = sample(&lines);
        links.scored = vec![
            scored(&sample, "1#child", "5#child", 9, Zone::Automatic, true),
            scored(&sample, "1#child", "2#child", 8, Zone::Automatic, false),
            scored(&sample, "1#child", "3#child", 3, Zone::Review, false),
            scored(&sample, "2#child", "3#child", 5, Zone::Review, false),
            scored(&sample, "1#child", "4#child", -2, Zone::Candidate, false),
            scored(&sample, "4#child", "5#child", 4, Zone::Review, false),
        ];
        (sample, links)
    }

    fn names(sample: &Sample, wrong: &[Wrong]) -> Vec<String> {
        let name = |place: u32| sample.nodes()[place as usize].key.id.to_string();
        wrong.iter().map(|wrong| format!("{:?} {}-{}", wrong.error, name(wrong.a), name(wrong.b))).collect()
    }

    #[test]
    fn missed_pairs_come_one_of_each_way_in_turn() {
        let (sample, links) = example();
        let missed = names(&sample, &missed_pairs(&sample, &links, 6));
        assert_eq!(
            missed,
            ["KeptApart 1-2", "Review 2-3", "Low 1-4", "NotCompared 2-4", "Review 1-3", "NotCompared 3-4"]
        );
        assert_eq!(missed_pairs(&sample, &links, 2).len(), 2);
    }

    #[test]
    fn false_pairs_and_ways_of_missing_are_counted() {
        let (sample, links) = example();
        assert_eq!(names(&sample, &false_pairs(&sample, &links, 6)), ["False 1-5"]);
        let by = Missed { kept_apart: 1, review: 2, low: 1, not_compared: 3 };
        assert_eq!(missed_by(&sample, &links, 7), by);
    }
}
