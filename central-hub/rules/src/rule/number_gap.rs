//! Completeness: a number that is missing in a book is an entry that never came.
//!
//! Reason: within the book of one office, kind and year numbers run from 1 without a gap (Circular 04/2020/TT-BTP on
//! civil-status books). A gap is no case, for nobody's entry is wrong; it is counted on demand, from what is there.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Numbers of one book, kept as runs: memory grows with the gaps and not with the entries.
///
/// Runs neither overlap nor touch, and begin at 1 or later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// First and last number of each run.
    runs: BTreeMap<u32, u32>,
    /// Entries under a number that was there already.
    repeated: u64,
}

impl Series {
    /// Notes a number, in any order; 0 is the number of no entry and is passed over.
    pub fn add(&mut self, number: u32) {
        if number == 0 {
            return;
        }
        let before = self.runs.range(..=number).next_back().map(|(first, last)| (*first, *last));
        if before.is_some_and(|(_, last)| last >= number) {
            self.repeated += 1;
            return;
        }
        let joined = before.filter(|(_, last)| *last == number - 1);
        let first = joined.map_or(number, |(first, _)| first);
        let next = number.checked_add(1).and_then(|next| self.runs.remove(&next));
        self.runs.insert(first, next.unwrap_or(number));
    }

    /// The missing runs below the greatest number, in order.
    pub fn gaps(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        let ends = std::iter::once(0).chain(self.runs.values().copied());
        ends.zip(self.runs.keys()).map(|(end, first)| end + 1..=first - 1).filter(|gap| !gap.is_empty())
    }

    /// The greatest number; 0 when there is none.
    #[must_use]
    pub fn greatest(&self) -> u32 {
        self.runs.last_key_value().map_or(0, |(_, last)| *last)
    }

    /// How many numbers are there.
    #[must_use]
    pub fn present(&self) -> u64 {
        self.runs.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// How many numbers are missing below the greatest.
    #[must_use]
    pub fn missing(&self) -> u64 {
        u64::from(self.greatest()) - self.present()
    }

    /// How many entries bear a number that another entry bears.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn series(numbers: &[u32]) -> Series {
        let mut series = Series::default();
        numbers.iter().for_each(|number| series.add(*number));
        series
    }

    fn check(numbers: &[u32], gaps: &[RangeInclusive<u32>]) {
        assert_eq!(series(numbers).gaps().collect::<Vec<_>>(), gaps, "{numbers:?}");
    }

    #[test]
    fn a_book_runs_from_one_without_a_gap() {
        check(&[], &[]);
        check(&[1, 2, 3], &[]);
        check(&[3, 1, 2], &[]);
        check(&[3], &[1..=2]);
        check(&[1, 5, 3], &[2..=2, 4..=4]);
        check(&[u32::MAX, 1], &[2..=u32::MAX - 1]);
        check(&[0], &[]);
    }

    #[test]
    fn a_number_that_comes_twice_fills_no_gap() {
        let twice = series(&[2, 2, 1, 4, 4]);
        assert_eq!((twice.greatest(), twice.present(), twice.missing(), twice.repeated()), (4, 3, 1, 2));
    }

    proptest! {
        #[test]
        fn gaps_are_what_is_missing_whatever_the_order(numbers in prop::collection::vec(1..60_u32, 0..80)) {
            let found = series(&numbers);
            let set: BTreeSet<u32> = numbers.iter().copied().collect();
            let greatest = set.last().copied().unwrap_or(0);
            let missing: Vec<u32> = (1..=greatest).filter(|number| !set.contains(number)).collect();
            prop_assert_eq!(found.gaps().flatten().collect::<Vec<_>>(), missing.clone());
            prop_assert_eq!(found.missing(), missing.len() as u64);
            prop_assert_eq!(found.present(), set.len() as u64);
            prop_assert_eq!(found.repeated(), (numbers.len() - set.len()) as u64);
            let backwards: Vec<u32> = numbers.iter().rev().copied().collect();
            prop_assert_eq!(series(&backwards), found.clone());
            prop_assert!(found.runs.len() as u64 <= found.missing() + 1, "a run a gap at most");
        }
    }
}
