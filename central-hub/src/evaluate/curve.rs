//! Precision and recall at every threshold: what the score alone can tell, before persons are formed.

use std::collections::BTreeMap;

use serde::Serialize;

use super::measure::{Tally, ratio};

/// The step from one threshold to the next, in thousandths of a bit.
const STEP_MILLIBITS: i32 = 250;

/// Precision and recall by threshold, from the highest to the lowest; recall never falls.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Curve {
    /// The points.
    pub points: Vec<Point>,
}

/// What is linked at a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The threshold in bits: pairs of this score and above are linked.
    pub bits: f64,
    /// Right among linked.
    pub precision: f64,
    /// Linked among true.
    pub recall: f64,
}

impl Curve {
    /// The curve of pairs with their scores and whether they are true, where `truly` pairs are true in all, compared
    /// or not.
    #[must_use]
    pub fn of(pairs: impl Iterator<Item = (i32, bool)>, truly: u64) -> Self {
        let mut steps: BTreeMap<i32, Tally> = BTreeMap::new();
        for (millibits, right) in pairs {
            *steps.entry(millibits.div_euclid(STEP_MILLIBITS)).or_default() +=
                Tally { truly: 0, found: 1, right: u64::from(right) };
        }
        let mut sum = Tally::default();
        let mut points = Vec::with_capacity(steps.len());
        for (step, tally) in steps.into_iter().rev() {
            sum += tally;
            if let (Some(precision), Some(recall)) = (ratio(sum.right, sum.found), ratio(sum.right, truly)) {
                points.push(Point { bits: f64::from(step * STEP_MILLIBITS) / 1000.0, precision, recall });
            }
        }
        Self { points }
    }

    /// The point with the greatest harmonic mean of precision and recall; the highest threshold of equal ones.
    #[must_use]
    pub fn best(&self) -> Option<Point> {
        let points = self.points.iter().rev().copied();
        points.max_by(|a, b| a.f1().total_cmp(&b.f1()))
    }

    /// The points at whole bits, for reports.
    #[must_use]
    pub fn at_whole_bits(&self) -> Vec<Point> {
        let mut points = self.points.clone();
        points.retain(|point| point.bits.fract() == 0.0);
        points
    }
}

impl Point {
    /// The harmonic mean of precision and recall.
    #[must_use]
    pub fn f1(self) -> f64 {
        let sum = self.precision + self.recall;
        if sum > 0.0 { 2.0 * self.precision * self.recall / sum } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_example_worked_out_by_hand() {
        let pairs = [(9_000, true), (9_100, true), (6_000, false), (2_000, true), (-100, false)];
        let curve = Curve::of(pairs.into_iter(), 4);
        let point = |bits, precision, recall| Point { bits, precision, recall };
        let expected =
            [point(9.0, 1.0, 0.5), point(6.0, 2.0 / 3.0, 0.5), point(2.0, 0.75, 0.75), point(-0.25, 0.6, 0.75)];
        assert_eq!(curve.points, expected);
        assert_eq!(curve.best(), Some(expected[2]));
        assert_eq!(curve.at_whole_bits(), expected[..3]);
    }

    #[test]
    fn without_true_pairs_there_is_no_curve() {
        assert_eq!(Curve::of([(1, false)].into_iter(), 0).best(), None);
    }

    proptest! {
        #[test]
        fn each_point_is_what_counting_gives(pairs in prop::collection::vec((-9_000..40_000, any::<bool>()), 1..60)) {
            let truly = pairs.iter().filter(|pair| pair.1).count() as u64 + 1;
            for point in Curve::of(pairs.iter().copied(), truly).points {
                let linked: Vec<_> = pairs.iter().filter(|pair| f64::from(pair.0) >= point.bits * 1000.0).collect();
                let right = linked.iter().filter(|pair| pair.1).count() as f64;
                prop_assert_eq!(point.precision, right / linked.len() as f64);
                prop_assert_eq!(point.recall, right / truly as f64);
            }
        }
    }
}
