//! Dates as the books have them, known in full or only in part.

mod pattern;

pub use pattern::{DatePattern, PatternError};

use jiff::civil::Date;
use std::fmt;
use std::str::FromStr;

/// The earliest year of any date: a year has four digits.
pub const YEAR_MIN: i16 = 1000;
/// The earliest year that an entry may speak of: nobody whose entry is digitised today was born before it, so an earlier
/// year is a slip of the pen or a year of another calendar.
pub const REGISTERED_YEAR_MIN: i16 = 1800;
/// The latest year accepted: past the life of everyone registered now, and below the years of the Buddhist calendar,
/// which foreign papers carry.
pub const YEAR_MAX: i16 = 2200;

/// A real calendar date as far as it is known: a year from 1000 to 2200, maybe its month, maybe the day of that month.
///
/// Old entries often give only the month or the year. The order is by year, month and day, where an unknown part comes
/// before every known one; it is for sorting and says nothing about which event came first: see
/// [`PartialDate::definitely_before`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate {
    year: i16,
    /// 1 to 12, or 0 when unknown.
    month: u8,
    /// 1 to 31, or 0 when unknown; never known without the month.
    day: u8,
}

/// Why a text or three numbers are not a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Nothing was given, or zeros only: the date is not known at all.
    #[error("the date is empty; leave the field out when nothing of it is known")]
    Empty,
    /// None of the accepted shapes.
    #[error("the date cannot be read; write dd.mm.yyyy, mm.yyyy or yyyy")]
    Unreadable,
    /// The month does not have this day, as 31 February.
    #[error("there is no day {day} in month {month} of {year}; check the day")]
    NoSuchDay {
        /// The year given.
        year: i16,
        /// The month given, 1 to 12.
        month: u8,
        /// The day that the month does not have.
        day: u8,
    },
    /// The month is above 12; day and month may be exchanged.
    #[error("there is no month {month}; check whether day and month are exchanged")]
    NoSuchMonth {
        /// The month given.
        month: u8,
    },
    /// The year is before [`YEAR_MIN`], or in an entry before [`REGISTERED_YEAR_MIN`], or after [`YEAR_MAX`].
    #[error("the year {year} is not between {REGISTERED_YEAR_MIN} and {YEAR_MAX}")]
    YearOutOfRange {
        /// The year given.
        year: i16,
    },
    /// A day of an unknown month says nothing.
    #[error("the day is given without its month; give the month or leave out the day")]
    DayWithoutMonth,
}

impl DateError {
    /// The same message in Vietnamese, for the clerk who mends the entry.
    pub fn vietnamese(&self) -> String {
        match self {
            Self::Empty => "ngày để trống; bỏ trống cả mục nếu hoàn toàn không rõ".into(),
            Self::Unreadable => "không đọc được ngày; ghi theo dạng dd.mm.yyyy, mm.yyyy hoặc yyyy".into(),
            Self::NoSuchDay { year, month, day } => {
                format!("tháng {month} năm {year} không có ngày {day}; kiểm tra lại ngày")
            }
            Self::NoSuchMonth { month } => {
                format!("không có tháng {month}; kiểm tra xem ngày và tháng có bị đảo không")
            }
            Self::YearOutOfRange { year } => {
                format!("năm {year} không nằm trong khoảng {REGISTERED_YEAR_MIN} đến {YEAR_MAX}")
            }
            Self::DayWithoutMonth => "có ngày mà không có tháng; ghi thêm tháng hoặc bỏ ngày".into(),
        }
    }
}

impl PartialDate {
    /// Reads `dd.mm.yyyy`, `yyyy-mm-dd`, `mm.yyyy`, `yyyy-mm` or `yyyy`, with dots, slashes or hyphens.
    ///
    /// Day and month may have one digit, the year always has four. Zeros stand for an unknown day or month.
    pub fn parse(text: &str) -> Result<Self, DateError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(DateError::Empty);
        }
        let separator = text.chars().find(|c| matches!(c, '.' | '/' | '-')).unwrap_or('.');
        let mut parts = text.split(separator).map(str::trim);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(year), None, ..) => Self::from_parts(year, "0", "0"),
            (Some(a), Some(b), None, _) if a.len() == YEAR_DIGITS => Self::from_parts(a, b, "0"),
            (Some(a), Some(b), None, _) => Self::from_parts(b, a, "0"),
            (Some(a), Some(b), Some(c), None) if a.len() == YEAR_DIGITS => Self::from_parts(a, b, c),
            (Some(a), Some(b), Some(c), None) => Self::from_parts(c, b, a),
            _ => Err(DateError::Unreadable),
        }
    }

    /// Checks three numbers, where zero stands for an unknown month or day.
    pub fn from_ymd(year: i16, month: u8, day: u8) -> Result<Self, DateError> {
        if (year, month, day) == (0, 0, 0) {
            return Err(DateError::Empty);
        }
        if !(YEAR_MIN..=YEAR_MAX).contains(&year) {
            return Err(DateError::YearOutOfRange { year });
        }
        if month > 12 {
            return Err(DateError::NoSuchMonth { month });
        }
        if month == 0 && day != 0 {
            return Err(DateError::DayWithoutMonth);
        }
        if month != 0 && day > days_in(year, month) {
            return Err(DateError::NoSuchDay { year, month, day });
        }
        Ok(Self { year, month, day })
    }

    /// The year, always known.
    pub const fn year(self) -> i16 {
        self.year
    }

    /// The month, 1 to 12, if known.
    pub fn month(self) -> Option<u8> {
        (self.month != 0).then_some(self.month)
    }

    /// The day of the month, 1 to 31, if known.
    pub fn day(self) -> Option<u8> {
        (self.day != 0).then_some(self.day)
    }

    /// Whether year, month and day are all known.
    pub const fn is_full(self) -> bool {
        self.day != 0
    }

    /// The calendar date, if all of it is known.
    pub fn full(self) -> Option<Date> {
        self.is_full().then(|| self.earliest())
    }

    /// The first day that the date can mean.
    pub fn earliest(self) -> Date {
        civil(self.year, self.month.max(1), self.day.max(1))
    }

    /// The last day that the date can mean.
    pub fn latest(self) -> Date {
        match (self.month, self.day) {
            (0, _) => civil(self.year, 12, 31),
            (month, 0) => civil(self.year, month, days_in(self.year, month)),
            (month, day) => civil(self.year, month, day),
        }
    }

    /// Whether this date is before the other whatever the unknown parts are.
    pub fn definitely_before(self, other: Self) -> bool {
        self.latest() < other.earliest()
    }

    /// The least and the greatest number of completed years from this date to the other, as an age is counted.
    ///
    /// Negative when the other is earlier. Whoever was born on 29 February completes a year on 1 March of a common year.
    pub fn whole_years_to(self, other: Self) -> (i32, i32) {
        (completed_years(self.latest(), other.earliest()), completed_years(self.earliest(), other.latest()))
    }

    /// The date with day and month exchanged, if it is full and the exchange is a real date.
    pub fn swapped(self) -> Option<Self> {
        if !self.is_full() {
            return None;
        }
        Self::from_ymd(self.year, self.day, self.month).ok()
    }

    fn from_parts(year: &str, month: &str, day: &str) -> Result<Self, DateError> {
        if year.len() != YEAR_DIGITS {
            return Err(DateError::Unreadable);
        }
        Self::from_ymd(number(year)?, number(month)?, number(day)?)
    }
}

impl TryFrom<Date> for PartialDate {
    type Error = DateError;

    fn try_from(date: Date) -> Result<Self, DateError> {
        Self::from_ymd(date.year(), date.month().unsigned_abs(), date.day().unsigned_abs())
    }
}

/// Prints `dd.mm.yyyy`, `mm.yyyy` or `yyyy`, which [`PartialDate::parse`] reads back.
impl fmt::Display for PartialDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.day != 0 {
            write!(f, "{:02}.", self.day)?;
        }
        if self.month != 0 {
            write!(f, "{:02}.", self.month)?;
        }
        write!(f, "{:04}", self.year)
    }
}

/// Years are written in full: two digits would leave the century to a guess.
const YEAR_DIGITS: usize = 4;

/// A number of one digit up to the width of a year; day and month above 99 do not fit their type or do not exist.
fn number<N: FromStr>(digits: &str) -> Result<N, DateError> {
    if digits.len() > YEAR_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DateError::Unreadable);
    }
    digits.parse().map_err(|_| DateError::Unreadable)
}

fn days_in(year: i16, month: u8) -> u8 {
    civil(year, month, 1).days_in_month().unsigned_abs()
}

fn civil(year: i16, month: u8, day: u8) -> Date {
    let signed = |part: u8| i8::try_from(part).expect("months and days are below 32");
    Date::new(year, signed(month), signed(day)).expect("the invariant of PartialDate is a real date")
}

fn completed_years(from: Date, to: Date) -> i32 {
    let years = i32::from(to.year()) - i32::from(from.year());
    let anniversary_is_ahead = (to.month(), to.day()) < (from.month(), from.day());
    years - i32::from(anniversary_is_ahead)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{DateError, PartialDate, YEAR_MAX, YEAR_MIN};
    use jiff::civil::date;
    use proptest::prelude::*;

    fn read(text: &str) -> PartialDate {
        PartialDate::parse(text).unwrap()
    }

    fn check(text: &str, printed: &str) {
        assert_eq!(PartialDate::parse(text).map(|d| d.to_string()).as_deref(), Ok(printed), "{text:?}");
    }

    fn check_error(text: &str, expected: DateError) {
        assert_eq!(PartialDate::parse(text), Err(expected), "{text:?}");
    }

    fn check_years(from: &str, to: &str, expected: (i32, i32)) {
        assert_eq!(read(from).whole_years_to(read(to)), expected, "{from} to {to}");
    }

    #[test]
    fn every_usual_shape_is_read() {
        check("01.05.1953", "01.05.1953");
        check(" 1/5/1953 ", "01.05.1953");
        check("01-05-1953", "01.05.1953");
        check("1953-05-01", "01.05.1953");
        check("05.1953", "05.1953");
        check("5/1953", "05.1953");
        check("1953-05", "05.1953");
        check("1953", "1953");
        check("00/00/1953", "1953");
        check("00.05.1951", "05.1951");
        check("1953-00-00", "1953");
        check("29.02.2024", "29.02.2024");
    }

    #[test]
    fn what_is_not_a_date_is_refused() {
        check_error("  ", DateError::Empty);
        check_error("00/00/0000", DateError::Empty);
        check_error("31.02.1990", DateError::NoSuchDay { year: 1990, month: 2, day: 31 });
        check_error("29.02.1900", DateError::NoSuchDay { year: 1900, month: 2, day: 29 });
        check_error("05/25/1990", DateError::NoSuchMonth { month: 25 });
        check_error("0999", DateError::YearOutOfRange { year: 999 });
        check_error("01.01.2568", DateError::YearOutOfRange { year: 2568 });
        check_error("05.00.1990", DateError::DayWithoutMonth);
        for text in [
            "1.5.53",
            "53",
            "1.5-1953",
            "1.5.1953.",
            "+1.5.1953",
            "1.5.+953",
            "..1953",
            "1.500.1953",
            "ngày 1",
            "١.٥.١٩٥٣",
        ] {
            check_error(text, DateError::Unreadable);
        }
    }

    #[test]
    fn unknown_parts_span_days() {
        let (year, month, day) = (read("1953"), read("02.1952"), read("10.02.1952"));
        assert_eq!((year.earliest(), year.latest()), (date(1953, 1, 1), date(1953, 12, 31)));
        assert_eq!((month.earliest(), month.latest()), (date(1952, 2, 1), date(1952, 2, 29)));
        assert_eq!((month.full(), day.full()), (None, Some(date(1952, 2, 10))));
        assert_eq!((month.month(), month.day(), year.month()), (Some(2), None, None));
        assert!(day.definitely_before(year) && !day.definitely_before(month) && !month.definitely_before(day));
    }

    #[test]
    fn ages_are_completed_years() {
        check_years("10.05.2000", "09.05.2018", (17, 17));
        check_years("10.05.2000", "10.05.2018", (18, 18));
        check_years("2000", "10.05.2018", (17, 18));
        check_years("2000", "2018", (17, 18));
        check_years("05.2000", "09.05.2018", (17, 18));
        check_years("29.02.2000", "28.02.2018", (17, 17));
        check_years("29.02.2000", "01.03.2018", (18, 18));
        check_years("10.05.2000", "10.04.2000", (-1, -1));
    }

    #[test]
    fn only_full_dates_can_be_swapped() {
        assert_eq!(read("03.12.1990").swapped(), Some(read("12.03.1990")));
        assert_eq!(read("13.12.1990").swapped(), None);
        assert_eq!(read("12.1990").swapped(), None);
    }

    pub(super) fn any_date() -> impl Strategy<Value = PartialDate> {
        let real = |(y, m, d): (i16, u8, u8)| PartialDate::from_ymd(y, m, d).ok();
        (YEAR_MIN..=YEAR_MAX, 0..=12_u8, 0..=31_u8).prop_filter_map("not a real date", real)
    }

    proptest! {
        #[test]
        fn printed_dates_read_back(d in any_date()) {
            prop_assert_eq!(PartialDate::parse(&d.to_string()), Ok(d));
            prop_assert_eq!(PartialDate::from_ymd(d.year(), d.month().unwrap_or(0), d.day().unwrap_or(0)), Ok(d));
        }

        #[test]
        fn spans_are_ordered(a in any_date(), b in any_date()) {
            prop_assert!(a.earliest() <= a.latest());
            prop_assert_eq!(a.is_full(), a.earliest() == a.latest());
            let (least, greatest) = a.whole_years_to(b);
            prop_assert!(least <= greatest);
            prop_assert!(!(a.definitely_before(b) && b.definitely_before(a)));
            if a.definitely_before(b) {
                prop_assert!(a < b && least >= 0);
            }
        }

        #[test]
        fn a_swap_undoes_itself(d in any_date()) {
            if let Some(swapped) = d.swapped() {
                prop_assert_eq!(swapped.swapped(), Some(d));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9./ -]{0,14}|\\PC{0,12}") {
            if let Ok(d) = PartialDate::parse(&text) {
                prop_assert!((YEAR_MIN..=YEAR_MAX).contains(&d.year()));
            }
        }
    }
}
