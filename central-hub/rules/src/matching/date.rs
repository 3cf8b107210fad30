//! Dates of birth and of events compared, with what is unknown of them.

use registry_schema::date::PartialDate;

use super::edition::Edition;
use super::level::{Criterion, Level};
use super::score::Score;
use super::token::one_digit_apart;

/// Days up to which two dates are near.
const NEAR_DAYS: i32 = 31;

/// How two dates agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Agreement {
    Equal,
    Swapped,
    FirstOfJanuary,
    Partial,
    Slip,
    TwoOfThree,
    Near,
    YearOnly,
    YearNear,
    Far,
}

/// Compares two dates; the same for `(a, b)` and `(b, a)`.
pub(crate) fn agreement(a: PartialDate, b: PartialDate) -> Agreement {
    if a == b {
        return if a.is_full() { Agreement::Equal } else { Agreement::Partial };
    }
    if !a.is_full() || !b.is_full() {
        return partial(a, b);
    }
    if a.swapped() == Some(b) {
        return Agreement::Swapped;
    }
    let same_year = a.year() == b.year();
    if same_year && (is_first_of_january(a) || is_first_of_january(b)) {
        return Agreement::FirstOfJanuary;
    }
    if one_digit_apart(&digits(a), &digits(b)) {
        return Agreement::Slip;
    }
    let equal = usize::from(same_year) + usize::from(a.month() == b.month()) + usize::from(a.day() == b.day());
    match equal {
        2 => Agreement::TwoOfThree,
        _ if days_between(a, b) <= NEAR_DAYS => Agreement::Near,
        _ if same_year => Agreement::YearOnly,
        _ if a.year().abs_diff(b.year()) == 1 => Agreement::YearNear,
        _ => Agreement::Far,
    }
}

/// At least one of the dates lacks its day.
fn partial(a: PartialDate, b: PartialDate) -> Agreement {
    let months_agree = match (a.month(), b.month()) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    match a.year().abs_diff(b.year()) {
        0 if months_agree => Agreement::Partial,
        0 => Agreement::YearOnly,
        1 => Agreement::YearNear,
        _ => Agreement::Far,
    }
}

fn is_first_of_january(date: PartialDate) -> bool {
    (date.day(), date.month()) == (Some(1), Some(1))
}

fn digits(date: PartialDate) -> [u8; 8] {
    let number = i64::from(date.day().unwrap_or(0)) * 1_000_000
        + i64::from(date.month().unwrap_or(0)) * 10_000
        + i64::from(date.year());
    let mut rest = number;
    let mut digits = [0; 8];
    for digit in digits.iter_mut().rev() {
        *digit = u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    digits
}

fn days_between(a: PartialDate, b: PartialDate) -> i32 {
    (a.earliest() - b.earliest()).get_days().abs()
}

/// Adds the comparison of two dates of birth to a score, and says how they agree.
pub(crate) fn compare_births(
    a: Option<PartialDate>,
    b: Option<PartialDate>,
    edition: &Edition,
    score: &mut Score,
) -> Option<Agreement> {
    let (a, b) = (a?, b?);
    let agreement = agreement(a, b);
    let year = edition.year_bits(a).min(edition.year_bits(b));
    let known = edition.date_bits(a).min(edition.date_bits(b));
    let (level, bits) = match agreement {
        Agreement::Equal => (Level::DateEqual, known),
        Agreement::Swapped => (Level::DateSwapped, year),
        Agreement::FirstOfJanuary => (Level::DateFirstOfJanuary, year),
        Agreement::Partial => (Level::DatePartial, known),
        Agreement::Slip => (Level::DateSlip, 0),
        Agreement::TwoOfThree => (Level::DateTwoOfThree, 0),
        Agreement::Near => (Level::DateNear, 0),
        Agreement::YearOnly => (Level::DateYearOnly, 0),
        Agreement::YearNear => (Level::DateYearNear, 0),
        Agreement::Far => (Level::DateFar, 0),
    };
    score.add(Criterion::BirthDate, level, bits, edition);
    Some(agreement)
}

/// Adds the comparison of the dates of two events to a score.
pub(crate) fn compare_events(a: Option<PartialDate>, b: Option<PartialDate>, edition: &Edition, score: &mut Score) {
    let (Some(a), Some(b)) = (a, b) else { return };
    let (level, bits) = match agreement(a, b) {
        Agreement::Equal => (Level::EventDateEqual, edition.date_bits(a)),
        Agreement::Partial => (Level::EventDateFits, edition.date_bits(a).min(edition.date_bits(b)) - 1_500),
        Agreement::Swapped | Agreement::Slip | Agreement::Near | Agreement::FirstOfJanuary | Agreement::TwoOfThree => {
            (Level::EventDateNear, 0)
        }
        Agreement::YearOnly | Agreement::YearNear | Agreement::Far => (Level::EventDateDiffers, 0),
    };
    score.add(Criterion::EventDate, level, bits, edition);
}

/// Adds the comparison of the years of birth of two parents or spouses to a score.
pub(crate) fn compare_kin(
    a: Option<PartialDate>,
    b: Option<PartialDate>,
    criterion: Criterion,
    edition: &Edition,
    score: &mut Score,
) {
    let (Some(a), Some(b)) = (a, b) else { return };
    if a.is_full() && a == b {
        score.add(criterion, Level::DateEqual, edition.date_bits(a), edition);
        return;
    }
    let level = match a.year().abs_diff(b.year()) {
        0 => Level::KinYearEqual,
        1 | 2 => Level::KinYearNear,
        3 => Level::KinYearThree,
        _ => Level::KinYearFar,
    };
    score.add(criterion, level, 0, edition);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, expected: Agreement) {
        let date = |text| PartialDate::parse(text).unwrap();
        assert_eq!(agreement(date(a), date(b)), expected, "{a} {b}");
        assert_eq!(agreement(date(b), date(a)), expected, "{b} {a}");
    }

    #[test]
    fn dates_agree_in_many_ways() {
        check("02.03.1990", "02.03.1990", Agreement::Equal);
        check("02.03.1990", "03.02.1990", Agreement::Swapped);
        check("02.03.1990", "01.01.1990", Agreement::FirstOfJanuary);
        check("02.03.1990", "1990", Agreement::Partial);
        check("02.03.1990", "03.1990", Agreement::Partial);
        check("1990", "1990", Agreement::Partial);
        check("02.03.1990", "12.03.1990", Agreement::Slip);
        check("02.03.1990", "02.03.1909", Agreement::Slip);
        check("02.03.1990", "02.03.1947", Agreement::TwoOfThree);
        check("02.03.1989", "02.03.1998", Agreement::Slip);
        check("02.03.1990", "02.11.1990", Agreement::TwoOfThree);
        check("30.03.1990", "04.04.1990", Agreement::Near);
        check("02.03.1990", "21.11.1990", Agreement::YearOnly);
        check("02.03.1990", "04.1990", Agreement::YearOnly);
        check("1990", "1991", Agreement::YearNear);
        check("02.03.1990", "21.11.1994", Agreement::Far);
    }
}
