//! The written shape of dates in one column of an imported file.

use super::{DateError, PartialDate};
use std::str::FromStr;

/// The longest pattern accepted, in characters: three parts and a few words between them.
const PATTERN_CHARS_MAX: usize = 40;

/// How dates are written in a file, as `dd/mm/yyyy`: one year of four digits, maybe a month, a day only with a month.
///
/// The letters d, m and y stand for digits, every other character for itself. Parts that touch, as in `yyyymmdd`, have
/// exactly as many digits as letters; other days and months have one digit or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatePattern {
    pieces: Vec<Piece>,
}

/// Why a text is not a date pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// More than 40 characters.
    #[error("the date pattern is longer than {PATTERN_CHARS_MAX} characters; write one such as dd/mm/yyyy")]
    TooLong,
    /// There is no `yyyy`.
    #[error("the date pattern has no yyyy; a date without its year cannot be read")]
    NoYear,
    /// A day without a month.
    #[error("the date pattern has a day but no month; add mm")]
    DayWithoutMonth,
    /// A part occurs twice.
    #[error("the date pattern has {letter} in two places")]
    Repeated {
        /// `d`, `m` or `y`.
        letter: char,
    },
    /// A year of other than four letters, or a day or month of other than one or two (two when it touches another part).
    #[error("the date pattern has {letters} letters {letter} in a row; write dd, mm and yyyy")]
    Width {
        /// `d`, `m` or `y`.
        letter: char,
        /// How many of it stand together.
        letters: usize,
    },
    /// A digit, which could not be told from the digits of the date.
    #[error("the date pattern has a digit; write the letters d, m and y for digits")]
    Digit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Day,
    Month,
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Literal(char),
    /// From `digits_min` to `digits_max` digits, as many as there are.
    Field {
        part: Part,
        digits_min: usize,
        digits_max: usize,
    },
}

impl DatePattern {
    /// Reads a pattern, in any case of its letters.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        let letters: Vec<char> = pattern.trim().chars().map(|c| c.to_ascii_lowercase()).collect();
        if letters.len() > PATTERN_CHARS_MAX {
            return Err(PatternError::TooLong);
        }
        let runs: Vec<&[char]> = letters.chunk_by(|a, b| a == b && part_of(*a).is_some()).collect();
        let mut pieces = Vec::with_capacity(runs.len());
        for (index, run) in runs.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|i| runs.get(i));
            let touches = [before, runs.get(index + 1)].into_iter().flatten().any(|r| part_of(r[0]).is_some());
            pieces.push(piece(run, touches)?);
        }
        check_parts(&pieces)?;
        Ok(Self { pieces })
    }

    /// Reads a date written in this pattern, or one written `mm/yyyy` or `yyyy` because the rest is unknown.
    ///
    /// Zeros stand for an unknown day or month. A date that has the shape of the pattern but is not real is an error,
    /// never a reason to try another shape.
    pub fn read(&self, text: &str) -> Result<PartialDate, DateError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(DateError::Empty);
        }
        match self.matched(text) {
            Some((year, month, day)) => PartialDate::from_ymd(year, month, day),
            None if is_short_shape(text) => PartialDate::parse(text),
            None => Err(DateError::Unreadable),
        }
    }

    fn matched(&self, text: &str) -> Option<(i16, u8, u8)> {
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut rest = text;
        for piece in &self.pieces {
            match *piece {
                Piece::Literal(c) => rest = strip_ignoring_case(rest, c)?,
                Piece::Field { part, digits_min, digits_max } => {
                    let count = rest.bytes().take(digits_max).take_while(u8::is_ascii_digit).count();
                    let (digits, after) = rest.split_at_checked(count)?;
                    if count < digits_min {
                        return None;
                    }
                    match part {
                        Part::Year => year = i16::from_str(digits).ok()?,
                        Part::Month => month = u8::from_str(digits).ok()?,
                        Part::Day => day = u8::from_str(digits).ok()?,
                    }
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some((year, month, day))
    }
}

fn part_of(letter: char) -> Option<Part> {
    match letter {
        'd' => Some(Part::Day),
        'm' => Some(Part::Month),
        'y' => Some(Part::Year),
        _ => None,
    }
}

/// One piece from a run of equal letters; `touches` says that a neighbouring run is a part too.
fn piece(run: &[char], touches: bool) -> Result<Piece, PatternError> {
    let (letter, letters) = (run[0], run.len());
    let Some(part) = part_of(letter) else {
        return if letter.is_ascii_digit() { Err(PatternError::Digit) } else { Ok(Piece::Literal(letter)) };
    };
    let (digits_min, digits_max) = match (part, letters) {
        (Part::Year, 4) => (4, 4),
        (Part::Day | Part::Month, 2) if touches => (2, 2),
        (Part::Day | Part::Month, 1 | 2) if !touches => (1, 2),
        _ => return Err(PatternError::Width { letter, letters }),
    };
    Ok(Piece::Field { part, digits_min, digits_max })
}

fn check_parts(pieces: &[Piece]) -> Result<(), PatternError> {
    let count =
        |wanted: Part| pieces.iter().filter(|p| matches!(p, Piece::Field { part, .. } if *part == wanted)).count();
    for (part, letter) in [(Part::Day, 'd'), (Part::Month, 'm'), (Part::Year, 'y')] {
        if count(part) > 1 {
            return Err(PatternError::Repeated { letter });
        }
    }
    match (count(Part::Year), count(Part::Month), count(Part::Day)) {
        (0, ..) => Err(PatternError::NoYear),
        (_, 0, 1) => Err(PatternError::DayWithoutMonth),
        _ => Ok(()),
    }
}

fn strip_ignoring_case(text: &str, c: char) -> Option<&str> {
    let first = text.chars().next()?;
    (first.to_ascii_lowercase() == c).then(|| &text[first.len_utf8()..])
}

/// Whether the text has at most one separator, so that it cannot hold a day in an order other than the pattern's.
fn is_short_shape(text: &str) -> bool {
    text.chars().filter(|c| matches!(c, '.' | '/' | '-')).count() <= 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{DateError, DatePattern, PatternError};
    use crate::date::tests::any_date;
    use proptest::prelude::*;

    fn check(pattern: &str, text: &str, printed: &str) {
        let read = DatePattern::parse(pattern).unwrap().read(text);
        assert_eq!(read.map(|d| d.to_string()).as_deref(), Ok(printed), "{pattern} {text:?}");
    }

    fn check_error(pattern: &str, text: &str, expected: DateError) {
        assert_eq!(DatePattern::parse(pattern).unwrap().read(text), Err(expected), "{pattern} {text:?}");
    }

    fn check_pattern(pattern: &str, expected: PatternError) {
        assert_eq!(DatePattern::parse(pattern), Err(expected), "{pattern}");
    }

    #[test]
    fn dates_are_read_by_their_pattern() {
        check("dd/mm/yyyy", "01/05/1953", "01.05.1953");
        check("dd/mm/yyyy", "1/5/1953", "01.05.1953");
        check("mm/dd/yyyy", "05/01/1953", "01.05.1953");
        check("yyyymmdd", "19530501", "01.05.1953");
        check("YYYY-MM-DD", " 1953-05-01 ", "01.05.1953");
        check("dd mm yyyy", "01 05 1953", "01.05.1953");
        check("yyyy. t. m", "1953. T. 5", "05.1953");
        check("yyyymmdd", "19530500", "05.1953");
        check("dd/mm/yyyy", "00/00/1953", "1953");
        check("dd/mm/yyyy", "05/1953", "05.1953");
        check("mm/dd/yyyy", "5/1953", "05.1953");
        check("yyyymmdd", "1953", "1953");
    }

    #[test]
    fn other_shapes_are_refused() {
        check_error("dd/mm/yyyy", "", DateError::Empty);
        check_error("dd/mm/yyyy", "1953-05-01", DateError::Unreadable);
        check_error("dd/mm/yyyy", "01/05/1953 x", DateError::Unreadable);
        check_error("dd/mm/yyyy", "01.05.1953", DateError::Unreadable);
        check_error("yyyymmdd", "1953051", DateError::Unreadable);
        check_error("yyyymmdd", "1953٠٥٠١", DateError::Unreadable);
        check_error("mm/dd/yyyy", "25/12/1953", DateError::NoSuchMonth { month: 25 });
        check_error("dd/mm/yyyy", "31/02/1953", DateError::NoSuchDay { year: 1953, month: 2, day: 31 });
    }

    #[test]
    fn patterns_are_checked_once() {
        check_pattern("", PatternError::NoYear);
        check_pattern("dd/mm", PatternError::NoYear);
        check_pattern("dd/yyyy", PatternError::DayWithoutMonth);
        check_pattern("dd/mm/yy", PatternError::Width { letter: 'y', letters: 2 });
        check_pattern("dmyyyy", PatternError::Width { letter: 'd', letters: 1 });
        check_pattern("ddd/mm/yyyy", PatternError::Width { letter: 'd', letters: 3 });
        check_pattern("dd/dd/mm/yyyy", PatternError::Repeated { letter: 'd' });
        check_pattern("dd1mm/yyyy", PatternError::Digit);
        check_pattern(&"/".repeat(50), PatternError::TooLong);
    }

    proptest! {
        #[test]
        fn every_pattern_reads_what_it_describes(d in any_date(), solid: bool) {
            let (y, m, day) = (d.year(), d.month().unwrap_or(0), d.day().unwrap_or(0));
            let (pattern, text) = if solid {
                ("yyyymmdd", format!("{y:04}{m:02}{day:02}"))
            } else {
                ("m/d/yyyy", format!("{m}/{day}/{y}"))
            };
            prop_assert_eq!(DatePattern::parse(pattern).unwrap().read(&text), Ok(d));
        }

        #[test]
        fn no_text_makes_it_panic(pattern in "[dmy/. đ]{0,12}", text in "[0-9/. đ]{0,12}") {
            if let Ok(pattern) = DatePattern::parse(&pattern) {
                let _ = pattern.read(&text);
            }
        }
    }
}
