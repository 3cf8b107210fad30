//! The plain questions that rules ask of two entries: whether names, dates and couples agree.

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::name::PersonName;
use registry_schema::record::Act;

use crate::reading::Entry;

/// Edits (insertions, deletions, exchanges, neighbours swapped) up to which two names may be one name with typos.
const TYPO_EDITS_MAX: usize = 2;

/// The people whom an act is about.
pub const PRINCIPALS: [Role; 4] = [Role::Child, Role::Husband, Role::Wife, Role::Deceased];

/// Whether two marriages name the same husband and the same wife.
#[must_use]
pub fn same_couple(a: Entry<'_>, b: Entry<'_>) -> bool {
    match (&a.record.act, &b.record.act) {
        (Act::Marriage(one), Act::Marriage(other)) => {
            names_close(&one.husband.name, &other.husband.name) && names_close(&one.wife.name, &other.wife.name)
        }
        _ => false,
    }
}

/// Whether two names are one name: equal in normal form, or equal without marks where one side has lost all of its.
#[must_use]
pub fn names_agree(a: &PersonName, b: &PersonName) -> bool {
    a.canonical() == b.canonical()
        || (!a.folded().is_empty() && a.folded() == b.folded() && (a.is_unmarked() || b.is_unmarked()))
}

/// Whether two names may be one name with typing errors.
#[must_use]
pub fn names_close(a: &PersonName, b: &PersonName) -> bool {
    names_agree(a, b) || strsim::osa_distance(a.folded(), b.folded()) <= TYPO_EDITS_MAX
}

/// Whether nothing in two dates contradicts: unknown parts agree with everything, day and month may be exchanged.
#[must_use]
pub fn dates_compatible(a: Option<PartialDate>, b: Option<PartialDate>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return true };
    let overlap = !a.definitely_before(b) && !b.definitely_before(a);
    overlap || a.swapped() == Some(b)
}
