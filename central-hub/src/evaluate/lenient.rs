//! Making the best of a row from elsewhere: what breaks a rule of ours is mended or left out, the rest is kept.
//!
//! An import refuses a row with a broken field, so that a clerk mends it. A set that somebody published to measure
//! matching has nobody to mend it, and its broken fields are part of what is measured.

use std::collections::BTreeMap;

use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field};
use registry_schema::name::{NameError, PersonName};
use registry_schema::record::Record;
use registry_schema::text;
use registry_schema::violation::{Problem, Violation};
use serde::Serialize;

/// The registering office of rows that name none.
pub const AUTHORITY: &str = "unknown";
/// The name of people who have none: a text that every edition knows to stand where no name is known.
pub const NO_NAME: &str = "không rõ";

/// What became of the fields of a file, by field.
pub type Changes = BTreeMap<String, Change>;

/// What became of one field, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Left out: it breaks a rule and cannot be mended.
    pub dropped: u64,
    /// Kept without characters that no name has.
    pub cleaned: u64,
    /// A number that is not a personal number, kept as the number of another paper.
    pub moved: u64,
}

/// A valid record of whatever a draft has; `None` when something that it must have cannot be made up.
pub fn record(mut draft: Draft, broken_dates: &[Violation], changes: &mut Changes) -> Option<Record> {
    broken_dates.iter().for_each(|violation| change(changes, violation.field).dropped += 1);
    loop {
        let violations = match Record::validate_of_any_century(&draft) {
            Ok(record) => return Some(record),
            Err(violations) => violations,
        };
        for violation in violations {
            mend(&mut draft, &violation, changes)?;
        }
    }
}

fn change(changes: &mut Changes, field: Field) -> &mut Change {
    changes.entry(field.name()).or_default()
}

/// Mends one field, or leaves it out; `None` when nothing can be done. Each field is mended once and left out once, so
/// mending comes to an end.
fn mend(draft: &mut Draft, violation: &Violation, changes: &mut Changes) -> Option<()> {
    let field = violation.field;
    if violation.problem == Problem::Missing {
        let made_up = match field.attribute()? {
            Attribute::Authority => AUTHORITY,
            Attribute::Name => NO_NAME,
            _ => return None,
        };
        return draft.get(field).is_none().then(|| draft.set(field, made_up));
    }
    // Two violations of one field: the first has settled it.
    let Some(value) = draft.get(field).map(str::to_owned) else { return Some(()) };
    draft.set(field, "");
    let change = change(changes, field);
    match violation.problem {
        Problem::Name(NameError::ForbiddenCharacter { .. }) => {
            draft.set(field, &cleaned(&value));
            if draft.get(field).is_some() { change.cleaned += 1 } else { change.dropped += 1 }
        }
        Problem::PersonalNumber(_) => {
            let paper = field.role().map(|role| Field::new(role, Attribute::PaperNumber));
            match paper.filter(|paper| draft.get(*paper).is_none()) {
                Some(paper) => {
                    draft.set(paper, &value);
                    change.moved += 1;
                }
                None => change.dropped += 1,
            }
        }
        _ => change.dropped += 1,
    }
    Some(())
}

/// A name without the characters that no name has; punctuation between words leaves a space.
fn cleaned(name: &str) -> String {
    let mut name: Vec<char> = text::tidy(name).chars().collect();
    loop {
        let whole: String = name.iter().collect();
        match PersonName::parse(&whole) {
            Err(NameError::ForbiddenCharacter { position }) => {
                // Tidying the shorter text again may close a gap, so positions are of the text as it is now.
                name = text::tidy(&whole).chars().collect();
                let Some(found) = name.get(position - 1).copied() else { return String::new() };
                if found.is_ascii_punctuation() {
                    name[position - 1] = ' ';
                } else {
                    name.remove(position - 1);
                }
            }
            Ok(parsed) => return parsed.as_written().to_owned(),
            Err(_) => return String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use registry_schema::field::Role;
    use registry_schema::kind::Kind;

    use super::*;

    const NAME: Field = Field::new(Role::Deceased, Attribute::Name);
    const NUMBER: Field = Field::new(Role::Deceased, Attribute::PersonalNumber);
    const PAPER: Field = Field::new(Role::Deceased, Attribute::PaperNumber);
    const BORN: Field = Field::new(Role::Deceased, Attribute::BirthDate);

    fn death(fields: &[(Field, &str)]) -> (Option<Record>, Changes) {
        let mut draft = Draft::new(Kind::Death);
        fields.iter().for_each(|(field, value)| draft.set(*field, value));
        let mut changes = Changes::new();
        (record(draft, &[], &mut changes), changes)
    }

    fn check_name(written: &str, kept: Option<&str>) {
        let (record, _) = death(&[(NAME, written)]);
        let name = record.map(|record| record.participant(Role::Deceased).unwrap().name.as_written().to_owned());
        assert_eq!(name.as_deref(), kept, "{written:?}");
    }

    #[test]
    fn names_lose_what_no_name_has() {
        check_name("Lê Lợi", Some("Lê Lợi"));
        check_name("jo4hn sm1th", Some("john smth"));
        check_name("smith/jones (anna)", Some("smith jones anna"));
        check_name("4411", Some(NO_NAME));
        check_name("", Some(NO_NAME));
    }

    #[test]
    fn fields_are_mended_or_left_out_and_the_row_is_kept() {
        let authority = Field::entry(Attribute::Authority);
        let (record, changes) =
            death(&[(NAME, "An"), (NUMBER, "17-44"), (BORN, "31.02.1950"), (authority, "99.99999")]);
        let deceased = record.unwrap().participant(Role::Deceased).unwrap().clone();
        assert_eq!((deceased.birth_date, deceased.personal_number), (None, None));
        assert!(deceased.paper_number.is_some());
        let names: Vec<_> = changes.keys().map(String::as_str).collect();
        assert_eq!(names, ["authority", "deceased_birth_date", "deceased_personal_number"]);
        assert_eq!(changes["deceased_personal_number"], Change { moved: 1, ..Change::default() });
    }

    #[test]
    fn a_number_does_not_push_out_another_paper() {
        let (record, changes) = death(&[(NAME, "An"), (NUMBER, "1744"), (PAPER, "B 7")]);
        assert!(record.is_some());
        assert_eq!(changes["deceased_personal_number"].dropped, 1);
    }

    proptest! {
        #[test]
        fn whatever_is_written_mending_ends(name in "\\PC{0,12}", number in "\\PC{0,14}", born in "[0-9./]{0,10}",
            authority in "\\PC{0,10}", registered in "[0-9.]{0,10}", died in "[0-9.]{0,10}") {
            let entry = Field::entry;
            let (record, _) = death(&[(NAME, &name), (NUMBER, &number), (BORN, &born),
                (entry(Attribute::Authority), &authority), (entry(Attribute::RegistrationDate), &registered),
                (entry(Attribute::EventDate), &died)]);
            prop_assert!(record.is_some());
        }
    }
}
