//! What should identify an entry in its book: office as of the date, book type, year and number.

use crate::date::PartialDate;
use crate::digest::hash63;
use crate::ids::Origin;
use crate::kind::Kind;
use crate::place::{Edition, Place};
use crate::record::{Authority, Record};
use crate::text;

/// The place of an entry in the books: registering office (with the edition that gives its code a meaning), kind, year
/// and number. Two entries with one natural key are either one entry digitised twice or a typing error.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NaturalKey {
    authority: String,
    kind: Kind,
    year: i16,
    number: String,
}

impl NaturalKey {
    /// The natural key of a record, when office, year and number are all noted.
    ///
    /// The year is the registration year; numbers restart each year. Leading zeros and white space in the number do not
    /// count, and a year written behind the number ("12/2017") does not either. An office known only by name is an
    /// office of the province that keeps the record.
    #[must_use]
    pub fn of(record: &Record, origin: Origin) -> Option<Self> {
        let registration = &record.registration;
        let authority = match &registration.authority {
            Authority::Code(place) => place.to_string(),
            Authority::Name(name) => format!("{origin} {name}"),
        };
        let number = text::folded(registration.number.as_deref()?);
        let number = number.split(' ').find(|part| !part.is_empty())?.trim_start_matches('0').to_owned();
        if number.is_empty() {
            return None;
        }
        Some(Self { authority, kind: record.kind(), year: registration.date?.year(), number })
    }

    /// The registering office: its code with the edition, or the province with the office's name in words.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The kind of the book.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The year of the book.
    #[must_use]
    pub const fn year(&self) -> i16 {
        self.year
    }

    /// The number without leading zeros, as far as it is one: "12a" is no place in a count.
    #[must_use]
    pub fn counted_number(&self) -> Option<u32> {
        self.number.parse().ok()
    }

    /// The entry that a text such as `12/1987 01.00123` refers to: number, year and the code of the office as of that year.
    ///
    /// `None` for any other text, and for the year in which the codes changed.
    #[must_use]
    pub fn referred_to(text: &str, kind: Kind) -> Option<Self> {
        let (entry, office) = text.trim().split_once(' ')?;
        let (number, year) = entry.split_once('/')?;
        let year: i16 = year.parse().ok()?;
        let day = |month, day| PartialDate::from_ymd(year, month, day).ok().map(|date| Edition::on(date.earliest()));
        let edition = day(1, 1).filter(|edition| day(12, 31) == Some(*edition))?;
        let authority = Place::parse(office, edition).ok()?.to_string();
        let number = number.trim().trim_start_matches('0').to_owned();
        (!number.is_empty()).then_some(Self { authority, kind, year, number })
    }

    /// A stable hash for block keys.
    #[must_use]
    pub fn hash(&self) -> i64 {
        let kind = [self.kind.code()];
        hash63(
            "hotich natural key 1",
            &[self.authority.as_bytes(), &kind, &self.year.to_be_bytes(), self.number.as_bytes()],
        )
    }
}

impl std::fmt::Display for NaturalKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}/{}", self.authority, self.kind, self.number, self.year)
    }
}
