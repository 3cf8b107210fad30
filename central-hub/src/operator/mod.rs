//! What operators see and do: reports as plain values, answers as arrivals in the journal.

pub mod provinces;
pub mod stats;
pub mod cases;
pub mod records;
pub mod person;
pub mod digest;
pub mod rules;
pub mod completeness;
pub mod resync;

use jiff::Timestamp;

/// A point in time as reports print it; `None` for one that never was.
#[must_use]
pub fn rfc3339(unix_ms: Option<i64>) -> Option<String> {
    Timestamp::from_millisecond(unix_ms?).ok().map(|time| format!("{time:.0}"))
}
