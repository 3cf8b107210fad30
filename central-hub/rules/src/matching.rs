//! Whether two participants are one person: a pure function of two records.
//!
//! A relation says that two participants are alike; what cannot be one person says [`apart`]. Name and date of birth
//! alone never prove anything here: five to eight in a hundred people share both with somebody, so a parent, a place,
//! a number or the act itself must agree as well.

use registry_schema::birth::Birth;
use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::name::PersonName;
use registry_schema::record::{Act, Participant};
use registry_schema::sex::Sex;

use crate::finding::Evidence;
use crate::reading::Entry;

/// How alike two participants are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// A human must look: something agrees that seldom agrees by chance, and something speaks against it.
    Possible,
    /// One person.
    Same,
}

/// Why two participants are held to be alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// How alike they are.
    pub likeness: Likeness,
    /// What counts when relations compete: the strongest is joined first.
    pub strength: u32,
    /// What agrees, in words.
    pub evidence: Vec<Evidence>,
}

/// Edits (insertions, deletions, exchanges, neighbours swapped) up to which two names may be one name with typos.
const TYPO_EDITS_MAX: usize = 2;
/// Strength of equal personal numbers.
const BY_NUMBER: u32 = 22_000;
/// Strength of one natural key with like content.
const BY_ENTRY: u32 = 15_000;
/// Strength of both spouses and the date of the marriage.
const BY_COUPLE: u32 = 12_000;
/// Strength of name, date of birth, sex and a parent, place or paper.
const BY_IDENTITY: u32 = 9_000;
/// Strength of a likeness that something contradicts.
const DOUBTFUL: u32 = 1_000;

/// A participant in its entry.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The entry.
    pub entry: Entry<'a>,
    /// The person as named there.
    pub person: &'a Participant,
}

/// Compares two participants; the same for `(a, b)` and `(b, a)`.
#[must_use]
pub fn compare(a: Part<'_>, b: Part<'_>) -> Option<Relation> {
    if a.entry.key == b.entry.key || sexes_differ(a.person.sex, b.person.sex) {
        return None;
    }
    if let (Some(one), Some(other)) = (a.person.personal_number, b.person.personal_number) {
        return if one == other { Some(by_number(a, b)) } else { None };
    }
    by_entry(a, b).or_else(|| by_couple(a, b)).or_else(|| by_identity(a, b))
}

/// What makes it impossible that two participants are one person; the same for `(a, b)` and `(b, a)`.
#[must_use]
pub fn apart(a: Part<'_>, b: Part<'_>) -> bool {
    if a.entry.key == b.entry.key || sexes_differ(a.person.sex, b.person.sex) {
        return true;
    }
    match (a.person.personal_number, b.person.personal_number) {
        (Some(one), Some(other)) => one != other,
        _ => !names_close(&a.person.name, &b.person.name),
    }
}

fn by_number(a: Part<'_>, b: Part<'_>) -> Relation {
    let name = names_agree(&a.person.name, &b.person.name) || names_close(&a.person.name, &b.person.name);
    let date = dates_agree(a.person.birth_date, b.person.birth_date);
    let number = Evidence::new("the personal numbers are equal", "số định danh cá nhân giống nhau");
    if name || date {
        let other = if name {
            Evidence::new("the names agree", "họ tên phù hợp")
        } else {
            Evidence::new("the dates of birth agree", "ngày sinh phù hợp")
        };
        return Relation { likeness: Likeness::Same, strength: BY_NUMBER, evidence: vec![number, other] };
    }
    let against = Evidence::new("names and dates of birth differ", "họ tên và ngày sinh khác nhau");
    Relation { likeness: Likeness::Possible, strength: DOUBTFUL, evidence: vec![number, against] }
}

/// One entry of one book, digitised twice: the entries agree, and so does the person but for typos.
fn by_entry(a: Part<'_>, b: Part<'_>) -> Option<Relation> {
    if a.person.role != b.person.role || !same_entry(a.entry, b.entry) {
        return None;
    }
    let evidence = vec![
        Evidence::new("office, book, year and number agree", "cơ quan, sổ, năm và số giống nhau"),
        Evidence::new("the names agree but for typing errors", "họ tên chỉ khác nhau do lỗi nhập liệu"),
    ];
    let same = alike(a.person, b.person);
    same.then_some(Relation { likeness: Likeness::Same, strength: BY_ENTRY, evidence })
}

/// Whether two entries are one entry of one book: office, year and number agree, and nothing but typos differs in the
/// people whom the act is about.
#[must_use]
pub fn same_entry(a: Entry<'_>, b: Entry<'_>) -> bool {
    let (Some(one), Some(other)) = (a.natural_key(), b.natural_key()) else { return false };
    let principal = |role: &Role| match (a.record.participant(*role), b.record.participant(*role)) {
        (Some(one), Some(other)) => alike(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    one == other && PRINCIPALS.iter().all(principal) && dates_compatible(a.record.event_date(), b.record.event_date())
}

/// The people whom an act is about.
pub const PRINCIPALS: [Role; 4] = [Role::Child, Role::Husband, Role::Wife, Role::Deceased];

fn alike(a: &Participant, b: &Participant) -> bool {
    names_close(&a.name, &b.name) && dates_compatible(a.birth_date, b.birth_date)
}

/// One marriage: both names and the date of the marriage agree.
fn by_couple(a: Part<'_>, b: Part<'_>) -> Option<Relation> {
    if a.person.role != b.person.role || !same_couple(a.entry, b.entry) {
        return None;
    }
    let date = marriage_date(a.entry)?;
    let evidence = vec![
        Evidence::new("the names of both spouses agree", "họ tên của cả hai vợ chồng phù hợp"),
        Evidence::new("the dates of the marriage agree", "ngày kết hôn giống nhau"),
    ];
    let same = date.is_full()
        && marriage_date(b.entry) == Some(date)
        && dates_compatible(a.person.birth_date, b.person.birth_date);
    same.then_some(Relation { likeness: Likeness::Same, strength: BY_COUPLE, evidence })
}

/// Name, full date of birth and sex agree, and so does something that namesakes do not share.
fn by_identity(a: Part<'_>, b: Part<'_>) -> Option<Relation> {
    let date = a.person.birth_date.filter(|date| date.is_full())?;
    if b.person.birth_date != Some(date) || !names_agree(&a.person.name, &b.person.name) {
        return None;
    }
    let mut evidence = vec![
        Evidence::new("the full names agree", "họ tên đầy đủ phù hợp"),
        Evidence::new("the full dates of birth are equal", "ngày sinh đầy đủ giống nhau"),
    ];
    let (supports, contradicts) = match (birth_of(a), birth_of(b)) {
        (Some(one), Some(other)) => parents(one, other, &mut evidence),
        _ => (false, false),
    };
    let supports = supports || (!contradicts && place_or_paper(a, b, &mut evidence));
    match (supports, contradicts) {
        (true, false) => Some(Relation { likeness: Likeness::Same, strength: BY_IDENTITY, evidence }),
        (true, true) => Some(Relation { likeness: Likeness::Possible, strength: DOUBTFUL, evidence }),
        _ => None,
    }
}

/// Whether a parent agrees, and whether one contradicts.
fn parents(a: &Birth, b: &Birth, evidence: &mut Vec<Evidence>) -> (bool, bool) {
    let mut supports = false;
    let mut contradicts = false;
    let pairs = [
        (&a.mother, &b.mother, Evidence::new("the mothers' names agree", "họ tên mẹ phù hợp")),
        (&a.father, &b.father, Evidence::new("the fathers' names agree", "họ tên cha phù hợp")),
    ];
    for (one, other, reason) in pairs {
        let (Some(one), Some(other)) = (one, other) else { continue };
        if names_agree(&one.name, &other.name) {
            supports = true;
            evidence.push(reason);
        } else if !names_close(&one.name, &other.name) {
            contradicts = true;
            evidence.push(Evidence::new("a parent's name differs", "họ tên một bên cha mẹ khác nhau"));
        }
    }
    (supports, contradicts)
}

fn place_or_paper(a: Part<'_>, b: Part<'_>, evidence: &mut Vec<Evidence>) -> bool {
    let equal = |one: &Option<_>, other: &Option<_>| one.is_some() && one == other;
    let reasons = [
        (
            equal(&a.person.paper_number, &b.person.paper_number),
            Evidence::new("the identity papers have one number", "số giấy tờ tùy thân giống nhau"),
        ),
        (
            equal(&a.person.origin, &b.person.origin),
            Evidence::new("the places of origin are equal", "quê quán giống nhau"),
        ),
        (
            equal(&a.person.residence, &b.person.residence),
            Evidence::new("the places of residence are equal", "nơi cư trú giống nhau"),
        ),
        (same_day_of_death(a, b), Evidence::new("the dates of death are equal", "ngày chết giống nhau")),
    ];
    let found = reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason);
    let before = evidence.len();
    evidence.extend(found);
    evidence.len() > before
}

fn same_day_of_death(a: Part<'_>, b: Part<'_>) -> bool {
    let died = |part: Part<'_>| match &part.entry.record.act {
        Act::Death(death) => death.date.filter(|date| date.is_full()),
        _ => None,
    };
    died(a).is_some() && died(a) == died(b)
}

fn birth_of(part: Part<'_>) -> Option<&Birth> {
    match &part.entry.record.act {
        Act::Birth(birth) if part.person.role == Role::Child => Some(birth),
        _ => None,
    }
}

fn marriage_date(entry: Entry<'_>) -> Option<PartialDate> {
    match &entry.record.act {
        Act::Marriage(marriage) => marriage.date,
        _ => None,
    }
}

/// Whether two marriages name the same husband and the same wife.
#[must_use]
pub fn same_couple(a: Entry<'_>, b: Entry<'_>) -> bool {
    match (&a.record.act, &b.record.act) {
        (Act::Marriage(one), Act::Marriage(other)) => {
            names_agree(&one.husband.name, &other.husband.name) && names_agree(&one.wife.name, &other.wife.name)
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

fn dates_agree(a: Option<PartialDate>, b: Option<PartialDate>) -> bool {
    a.is_some() && b.is_some() && dates_compatible(a, b)
}

fn sexes_differ(a: Sex, b: Sex) -> bool {
    matches!((a, b), (Sex::Male, Sex::Female) | (Sex::Female, Sex::Male))
}
