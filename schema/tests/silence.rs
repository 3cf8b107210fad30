//! Whoever prints an entry to look for a mistake prints nobody's name: in no form of an entry does `Debug` show what was
//! written, and no violation repeats it.

#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use registry_schema::canonical;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field, Protection};
use registry_schema::kind::{Kind, Status};
use registry_schema::layout;
use registry_schema::name::PersonName;
use registry_schema::personal_number::PersonalNumber;
use registry_schema::record::Record;

/// A name, and a text of a person, that no program says of itself.
const NAME: &str = "Zxqvanh Wkjtbinh";
/// A personal number: born in Hà Nội, a man, in 1990.
const NUMBER: &str = "001090048271";

fn check(what: &str, printed: &str) {
    let printed = printed.to_lowercase();
    for canary in ["zxqvanh", "wkjtbinh", "48271"] {
        assert!(!printed.contains(canary), "{what}: {canary} in {printed}");
    }
}

fn prints_nothing(what: &str, value: &impl Debug) {
    check(what, &format!("{value:?} {value:#?}"));
}

/// An entry in whose every field something about a person stands.
fn full(kind: Kind) -> Draft {
    layout::columns(kind).fold(Draft::new(kind), |draft, column| draft.with(column.field, NAME))
}

/// A valid entry that says as much about its people as it can.
fn valid(kind: Kind) -> Draft {
    layout::columns(kind).fold(Draft::new(kind), |draft, column| {
        let is_about_people = column.field.protection() != Protection::Public;
        match column.field.attribute().unwrap() {
            Attribute::Authority => draft.with(column.field, "01.00001"),
            Attribute::PersonalNumber => draft.with(column.field, NUMBER),
            Attribute::Name
            | Attribute::PaperNumber
            | Attribute::Origin
            | Attribute::Residence
            | Attribute::EventPlace => draft.with(column.field, NAME),
            Attribute::Ethnicity | Attribute::Cause if is_about_people => draft.with(column.field, NAME),
            _ => draft,
        }
    })
}

#[test]
fn an_entry_prints_nothing_of_what_it_says() {
    for kind in Kind::ALL {
        let draft = valid(kind);
        assert!(draft.get(Field::new(draft_role(kind), Attribute::Name)).is_some());
        prints_nothing("a draft", &full(kind));
        let record = Record::validate(&draft).unwrap();
        assert!(record.participants().count() > 0);
        prints_nothing("a record", &record);
        let bytes = canonical::encode(&draft, Status::Active);
        prints_nothing("what was decoded", &canonical::decode(&bytes).unwrap());
        prints_nothing("what cannot be decoded", &canonical::decode(&bytes[..bytes.len() - 1]));
    }
    prints_nothing("a name", &PersonName::parse(NAME).unwrap());
    prints_nothing("a number", &PersonalNumber::parse(NUMBER).unwrap());
}

fn draft_role(kind: Kind) -> registry_schema::field::Role {
    use registry_schema::field::Role;
    match kind {
        Kind::Birth => Role::Child,
        Kind::Marriage => Role::Husband,
        Kind::Death => Role::Deceased,
    }
}

#[test]
fn a_violation_repeats_nothing_of_what_is_wrong() {
    let mut count = 0;
    for kind in Kind::ALL {
        for bad in [NAME, NUMBER, "31.02.48271", "Zxqvanh \u{1} 48271", &"Wkjtbinh ".repeat(1_000)] {
            let draft = layout::columns(kind).fold(Draft::new(kind), |draft, column| draft.with(column.field, bad));
            for violation in Record::validate(&draft).unwrap_err() {
                prints_nothing("a violation", &violation);
                check("a violation in English", &violation.english());
                check("a violation in Vietnamese", &violation.vietnamese());
                count += 1;
            }
        }
    }
    assert!(count > 100, "{count} violations");
}
