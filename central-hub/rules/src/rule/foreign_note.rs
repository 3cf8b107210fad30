//! Note of a foreign act (ghi chú): an act that was registered abroad is recorded here as well.
//!
//! Reason: Law on Civil Status 60/2014/QH13, art. 3, has civil-status matters that were settled abroad recorded in the
//! book; the note confirms an event and is no second one. The note and the entry that it repeats are linked, and nothing
//! is held against either. Two notes of one act are a double registration like any other.

use registry_schema::record::RegistrationType;

use crate::reading::Entry;

/// Whether just one of two entries is the note of an act abroad.
pub(crate) fn notes_foreign_act(a: Entry<'_>, b: Entry<'_>) -> bool {
    let is_note = |entry: Entry<'_>| entry.record.registration.registration_type == RegistrationType::FromAbroad;
    is_note(a) != is_note(b)
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const COUPLE: &str = "husband_name=Trần Văn Nam; wife_name=Vũ Thị Hoà; event_date=05.05.2015";
    const TOGETHER: &str = "person 01/1#husband 79/8#husband\nperson 01/1#wife 79/8#wife";

    fn marriages(first: &str, second: &str) -> String {
        format!(
            "01/1 marriage number=3; registration_date=05.05.2015; {first}; {COUPLE}
             79/8 marriage number=4; registration_date=06.07.2016; {second}; {COUPLE}"
        )
    }

    #[test]
    fn a_note_of_a_foreign_act_is_linked_and_is_no_double_registration() {
        let linked = format!("link foreign_note 01/1 79/8\n{TOGETHER}");
        check(&marriages("registration_type=1", "registration_type=3; foreign_number=2015/77"), &linked);
        check(&marriages("registration_type=3", "registration_type=0"), &linked);
    }

    #[test]
    fn one_act_noted_at_two_offices_is_a_double_registration() {
        let linked = format!("link double_registration 01/1 79/8\n{TOGETHER}");
        check(&marriages("registration_type=3", "registration_type=3"), &linked);
    }

    #[test]
    fn a_re_registration_of_a_note_is_a_re_registration() {
        let linked = format!("link re_registration 01/1 79/8\n{TOGETHER}");
        check(&marriages("registration_type=3", "registration_type=2"), &linked);
    }

    #[test]
    fn a_note_that_was_corrected_to_a_first_registration_is_a_double_registration() {
        check(
            &format!("{}\n79/8 marriage registration_type=1", marriages("registration_type=1", "registration_type=3")),
            &format!("link double_registration 01/1 79/8\n{TOGETHER}"),
        );
    }
}
