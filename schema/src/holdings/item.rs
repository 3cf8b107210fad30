//! What a sketch is a set of, and where in the sketch it stands.

use super::key::Tag;
use crate::ids::RecordId;

/// One state of a record in 16 bytes: its key and the first eight bytes of its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The record in its province.
    pub record: RecordId,
    /// The first eight bytes of the tag, which tell one state of the record from another.
    pub prefix: u64,
}

impl Item {
    /// The item of a record's state.
    #[must_use]
    pub fn new(record: RecordId, tag: &Tag) -> Self {
        Self { record, prefix: tag.prefix() }
    }
}

/// The cells that hold an item: strictly ascending from 0, cell `i` with probability `2 / (i + 2)`, without end.
///
/// The gap after cell `i` is `ceil((i + 1.5) * (2^32 / sqrt(r + 1) - 1))`, with `r` the next 64 bits of splitmix64. Only
/// operations that IEEE 754 rounds exactly are used, so that every machine finds the same cells.
#[derive(Debug, Clone)]
pub struct Indexes {
    state: u64,
    next: u64,
}

/// The square root of the 2^64 values of a draw.
const ROOT_OF_DRAWS: f64 = 4_294_967_296.0;

impl Indexes {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed, next: 0 }
    }

    /// The cell that comes next, without moving on.
    #[must_use]
    pub const fn peek(&self) -> u64 {
        self.next
    }

    /// Goes on to the next cell.
    pub fn advance(&mut self) {
        let draw = splitmix64(&mut self.state) as f64;
        let gap = ((self.next as f64 + 1.5) * (ROOT_OF_DRAWS / (draw + 1.0).sqrt() - 1.0)).ceil();
        // The greatest draws round to a gap of zero, which would put an item into a cell twice, that is, not at all.
        self.next = self.next.saturating_add((gap as u64).max(1));
    }
}

impl Iterator for Indexes {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let index = self.next;
        self.advance();
        Some(index)
    }
}

/// One step of Steele, Lea and Flood's generator ("Fast Splittable Pseudorandom Number Generators", 2014).
pub(super) const fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_sequences_stay_what_they_are() {
        let first = |seed| Indexes::new(seed).take(12).collect::<Vec<_>>();
        assert_eq!(first(0), [0, 1, 3, 27, 28, 89, 157, 379, 432, 874, 896, 1424]);
        assert_eq!(first(0x0123_4567_89ab_cdef), [0, 4, 5, 14, 18, 278, 981, 1155, 1579, 1600, 4129, 4607]);
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut state = 1_234_567;
        assert_eq!(splitmix64(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(splitmix64(&mut state), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_cell_holds_the_share_of_items_that_the_estimate_counts_on() {
        let seeds = 20_000_u64;
        let mut holders = [0_u32; 200];
        for seed in 0..seeds {
            for index in Indexes::new(seed << 20).take_while(|index| *index < 200) {
                holders[index as usize] += 1;
            }
        }
        assert_eq!(u64::from(holders[0]), seeds);
        for (index, holders) in holders.into_iter().enumerate() {
            let expected = 2.0 * seeds as f64 / (index as f64 + 2.0);
            assert!((f64::from(holders) - expected).abs() < 5.0 * expected.sqrt(), "cell {index}: {holders}");
        }
    }

    #[test]
    fn the_greatest_draw_moves_on_as_well() {
        let mut greatest = Indexes { state: 0x3162_8af6_7b21_31ab, next: 8 };
        assert_eq!(splitmix64(&mut greatest.state.clone()), u64::MAX);
        greatest.advance();
        assert_eq!(greatest.peek(), 9);
    }

    #[test]
    fn a_sequence_ascends_and_saturates() {
        for seed in 0..1000 {
            let indexes: Vec<u64> = Indexes::new(seed).take(40).collect();
            assert!(indexes.windows(2).all(|pair| pair[0] < pair[1]));
        }
        let mut last = Indexes { state: 1, next: u64::MAX - 1 };
        last.advance();
        assert_eq!(last.peek(), u64::MAX);
    }
}
