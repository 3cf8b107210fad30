//! A score in words: what counted for how much, line by line.

use serde::Serialize;

use super::level::Level;
use super::score::{Bar, Score, Sense};
use super::{Likeness, Relation};
use crate::finding::Evidence;

/// A score that a registrar can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waterfall {
    /// What the participants are compared as.
    pub sense: &'static str,
    /// Every line, in the order in which it was counted.
    pub lines: Vec<WaterfallLine>,
    /// The sum, in thousandths of a bit.
    pub total_millibits: i32,
    /// What bars a link, whatever the sum.
    pub bar: Option<Evidence>,
    /// Where the sum lands.
    pub zone: Zone,
}

/// One line of a waterfall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaterfallLine {
    /// What was compared, in English.
    pub criterion: &'static str,
    /// What it came to, in English.
    pub english: String,
    /// What it came to, in Vietnamese.
    pub vietnamese: String,
    /// What it counts, in thousandths of a bit.
    pub millibits: i32,
}

/// Where a score lands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Zone {
    /// Two people, or nothing to tell.
    None,
    /// Perhaps one life: kept as a candidate, and nobody is asked.
    Candidate,
    /// Perhaps one event: a human is asked.
    Manual,
    /// Linked without asking.
    Automatic,
}

impl Zone {
    /// Where a pair lands that is so alike.
    #[must_use]
    pub const fn of(likeness: Option<Likeness>) -> Self {
        match likeness {
            None => Self::None,
            Some(Likeness::Candidate) => Self::Candidate,
            Some(Likeness::Possible) => Self::Manual,
            Some(Likeness::Likely | Likeness::Same) => Self::Automatic,
        }
    }
}

impl Waterfall {
    /// A score in words, with what was made of it.
    #[must_use]
    pub fn of(score: &Score, relation: Option<&Relation>) -> Self {
        let lines = score.lines.iter().map(|line| {
            let words = |criterion: &str, level: &str| {
                if matches!(line.level, Level::PriorOneEvent | Level::PriorOneLife) {
                    level.to_owned()
                } else {
                    format!("{criterion}: {level}")
                }
            };
            WaterfallLine {
                criterion: line.criterion.english(),
                english: words(line.criterion.english(), line.level.english()),
                vietnamese: words(line.criterion.vietnamese(), line.level.vietnamese()),
                millibits: line.millibits,
            }
        });
        Self {
            sense: if score.sense == Sense::OneEvent { "one event" } else { "one life" },
            lines: lines.collect(),
            total_millibits: score.millibits,
            bar: score.bar.map(Bar::evidence),
            zone: Zone::of(relation.map(|relation| relation.likeness)),
        }
    }
}

impl Score {
    /// What a registrar is told about the pair: every line with what it counts, the weightiest first, and the sum.
    #[must_use]
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut lines: Vec<_> = self.lines.iter().skip(1).collect();
        lines.sort_by_key(|line| (std::cmp::Reverse(line.millibits.abs()), line.criterion, line.level));
        let mut evidence: Vec<Evidence> = lines
            .into_iter()
            .map(|line| {
                let bits = bits(line.millibits);
                Evidence {
                    english: format!("{}: {} ({bits})", line.criterion.english(), line.level.english()),
                    vietnamese: format!("{}: {} ({bits})", line.criterion.vietnamese(), line.level.vietnamese()),
                }
            })
            .collect();
        evidence.extend(self.bar.map(Bar::evidence));
        evidence.extend(self.doubtful.then(doubt));
        let sum = bits(self.millibits);
        evidence.push(Evidence { english: format!("sum {sum}"), vietnamese: format!("tổng {sum}") });
        evidence
    }
}

/// Why a human must look at a pair, however much agrees.
fn doubt() -> Evidence {
    Evidence::new(
        "siblings differ like this, or a parent or the date of birth is another: a human must look",
        "anh chị em có thể khác nhau như vậy, hoặc cha, mẹ hay ngày sinh khác nhau: cần cán bộ xem xét",
    )
}

/// A weight as people read it: `+12.3 bits`.
fn bits(millibits: i32) -> String {
    let tenths = (millibits.abs() + 50) / 100;
    let sign = if millibits < 0 { '-' } else { '+' };
    format!("{sign}{}.{} bit", tenths / 10, tenths % 10)
}

impl Bar {
    /// Why the two cannot be linked.
    #[must_use]
    pub fn evidence(self) -> Evidence {
        let (english, vietnamese) = match self {
            Self::OneEntry => ("both stand in one entry", "cả hai cùng ở trong một bản ghi"),
            Self::Strangers => (
                "nobody in the one entry bears the name of their counterpart in the other",
                "không ai trong bản ghi này mang tên của người cùng vai trong bản ghi kia",
            ),
            Self::TwoSexes => ("a man and a woman are two people", "một nam một nữ là hai người"),
            Self::TwoParents => ("the names are those of two people", "họ tên là của hai người"),
            Self::TwoNumbers => ("the personal numbers differ", "số định danh cá nhân khác nhau"),
            Self::TwoGivenNames => (
                "children of one parent with two given names are two people",
                "con cùng cha hoặc mẹ mà khác tên là hai người",
            ),
            Self::TwoBirths => (
                "children of the same parents, born on two dates, are two people",
                "con cùng cha mẹ mà khác ngày sinh là hai người",
            ),
            Self::TwoLives => (
                "two names or dates of birth, and no number or paper that joins them",
                "khác họ tên hoặc ngày sinh mà không có số định danh, giấy tờ nào chung",
            ),
            Self::NoSuchLife => {
                ("no life reaches from the one event to the other", "không thể cùng một đời người với các ngày này")
            }
        };
        Evidence::new(english, vietnamese)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_rounded_for_people() {
        for (millibits, expected) in [(12_345, "+12.3 bit"), (-49, "-0.0 bit"), (-1_950, "-2.0 bit"), (0, "+0.0 bit")] {
            assert_eq!(bits(millibits), expected);
        }
    }
}
