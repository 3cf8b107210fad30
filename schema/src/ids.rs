//! Who and what: the identities that every room of the house agrees on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::place::Edition;

/// The text is not an identity of the expected form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} expected in the form {form}")]
pub struct IdError {
    what: &'static str,
    form: &'static str,
}

impl IdError {
    /// An error that names what was expected and in which form.
    #[must_use]
    pub const fn new(what: &'static str, form: &'static str) -> Self {
        Self { what, form }
    }
}

/// One enrolled provincial store: a province code in the edition of the catalogue it was enrolled under.
///
/// Codes were reused with another meaning on 1 July 2025, so `15@2008` (Yên Bái) and `15@2025` (Lào Cai) are two
/// origins. As a number it is `edition ordinal * 100 + code`, which keeps national keys at two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(u16);

impl Origin {
    /// The origin of a province code in an edition; `None` when the code has more than two digits.
    #[must_use]
    pub const fn new(edition: Edition, code: u8) -> Option<Self> {
        if code == 0 || code > 99 {
            return None;
        }
        Some(Self(edition.ordinal() as u16 * 100 + code as u16))
    }

    /// The origin with this stored number.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        let edition = Edition::from_ordinal(u8::try_from(number / 100).ok()?)?;
        Self::new(edition, u8::try_from(number % 100).ok()?)
    }

    /// The number that is stored and hashed.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The two-digit province code.
    #[must_use]
    pub const fn code(self) -> u8 {
        (self.0 % 100) as u8
    }

    /// The edition under which the code has its meaning.
    #[must_use]
    pub fn edition(self) -> Edition {
        let ordinal = u8::try_from(self.0 / 100).expect("an origin holds a one-digit edition ordinal");
        Edition::from_ordinal(ordinal).expect("an origin is only made from a known edition")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}@{}", self.code(), self.edition().label())
    }
}

impl FromStr for Origin {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "a province", form: "CODE@EDITION, for example 01@2008 or 15@2025" };
        let (code, edition) = text.trim().split_once('@').ok_or_else(|| error.clone())?;
        let edition = Edition::parse(edition).ok_or_else(|| error.clone())?;
        let digits = code.len() == 2 && code.bytes().all(|b| b.is_ascii_digit());
        let code = code.parse().ok().filter(|_| digits).ok_or_else(|| error.clone())?;
        Self::new(edition, code).ok_or(error)
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A record's key within its province: 63 bits, never zero, never given twice.
///
/// Two ranges share the 63 bits. Rows written by clerks' programs have a time-ordered key: 25 bits of 64-second ticks
/// since 2020 and 37 random bits. Rows of an imported file have bit 62 set, then 42 bits of the file's SHA-256 and a
/// 20-bit row number, so that importing the same file again, even into a restored store, names the same records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(i64);

/// Seconds in one tick of a time-ordered record key; 2^25 such ticks last until 2088.
const TICK_SECONDS: i64 = 64;
/// 2020-01-01T00:00:00Z, the zero of the ticks, in seconds of the Unix epoch.
const TICK_ZERO_UNIX_SECONDS: i64 = 1_577_836_800;
/// Random bits below the tick.
const RANDOM_BITS: u32 = 37;
/// Marks a key that was derived from an imported file.
const IMPORTED_BIT: i64 = 1 << 62;
/// Bits of the row number in an imported file: 1,048,576 rows is also the row limit of a workbook.
const ROW_BITS: u32 = 20;

impl RecordId {
    /// The key with this stored number; `None` for zero and below.
    #[must_use]
    pub const fn from_number(number: i64) -> Option<Self> {
        if number > 0 { Some(Self(number)) } else { None }
    }

    /// A time-ordered key for a row written at `unix_seconds`; `random` supplies the low bits.
    #[must_use]
    pub const fn at(unix_seconds: i64, random: u64) -> Self {
        let tick = (unix_seconds - TICK_ZERO_UNIX_SECONDS) / TICK_SECONDS;
        let tick = if tick < 1 { 1 } else { tick & ((1 << 25) - 1) };
        let low = (random & ((1 << RANDOM_BITS) - 1)).cast_signed();
        Self((tick << RANDOM_BITS) | low)
    }

    /// The key of row `row` (counted from 0) of a file with this SHA-256; rows past 2^20 run on into the next block.
    #[must_use]
    pub fn imported(file_sha256: &[u8; 32], row: u64) -> Self {
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&file_sha256[..8]);
        let file = u64::from_be_bytes(prefix) >> 22 << ROW_BITS;
        let low = file.wrapping_add(row) & (IMPORTED_BIT.cast_unsigned() - 1);
        Self(IMPORTED_BIT | low.cast_signed())
    }

    /// The number that is stored and hashed.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A record in the nation: the province that keeps it and its key there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey {
    /// The province whose store holds the record.
    pub origin: Origin,
    /// The record's key in that store.
    pub id: RecordId,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.origin, self.id)
    }
}

impl FromStr for RecordKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "a record", form: "PROVINCE/ID, for example 01@2008/123456789" };
        let (origin, id) = text.trim().split_once('/').ok_or_else(|| error.clone())?;
        let origin = origin.parse().map_err(|_| error.clone())?;
        let id = id.parse().ok().and_then(RecordId::from_number).ok_or(error)?;
        Ok(Self { origin, id })
    }
}

impl Serialize for RecordKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RecordKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A national person: 63 bits, derived from the oldest entry the person stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(pub i64);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", self.0)
    }
}

impl FromStr for PersonId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = text.trim().strip_prefix(['P', 'p']).and_then(|digits| digits.parse().ok());
        number.map(Self).ok_or(IdError { what: "a person", form: "P followed by digits" })
    }
}

impl Serialize for PersonId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One state of a record, counted from 1 by the province that keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(pub u32);

/// One incarnation of a provincial store; a restored or cloned store must take a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// The place of a change in its lane, counted from 1 without gaps; 0 means "before the first".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The place after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A stream of changes that counts for itself; the order of the variants is the order of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// What clerks do today.
    Live,
    /// What a resync found to differ.
    Repair,
    /// What is digitised from old books.
    Backlog,
}

impl Lane {
    /// Every lane, in the order of service.
    pub const ALL: [Self; 3] = [Self::Live, Self::Repair, Self::Backlog];

    /// The number that is stored, sent and hashed.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Live => 1,
            Self::Repair => 2,
            Self::Backlog => 3,
        }
    }

    /// The lane with this number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Live),
            2 => Some(Self::Repair),
            3 => Some(Self::Backlog),
            _ => None,
        }
    }

    /// The lane's name in stores, logs and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Repair => "repair",
            Self::Backlog => "backlog",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reused_code_makes_two_origins() {
        let old: Origin = "15@2008".parse().unwrap();
        let new: Origin = "15@2025".parse().unwrap();
        assert_ne!(old, new);
        assert_eq!((old.number(), new.number()), (115, 215));
        for wrong in ["15", "5@2008", "015@2008", "15@2020", "00@2008", "ab@2008"] {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rows_of_one_file_have_neighbouring_keys_and_clerks_rows_never_fall_among_them() {
        let sha = [0xff; 32];
        let first = RecordId::imported(&sha, 0).number();
        assert_eq!(RecordId::imported(&sha, 5).number() - first, 5);
        assert!(RecordId::imported(&[0; 32], 0).number() >= IMPORTED_BIT);
        assert!(RecordId::at(3_700_000_000, u64::MAX).number() < IMPORTED_BIT);
    }

    proptest! {
        #[test]
        fn record_keys_print_and_parse(code in 1_u8..=99, number in 1_i64..) {
            let origin = Origin::new(Edition::E2025, code).unwrap();
            let key = RecordKey { origin, id: RecordId::from_number(number).unwrap() };
            prop_assert_eq!(key.to_string().parse::<RecordKey>().unwrap(), key);
            prop_assert_eq!(Origin::from_number(origin.number()), Some(origin));
        }

        #[test]
        fn later_ticks_have_greater_keys(at in 1_600_000_000_i64..3_000_000_000, a: u64, b: u64) {
            prop_assert!(RecordId::at(at, a) < RecordId::at(at + TICK_SECONDS, b));
        }
    }
}
