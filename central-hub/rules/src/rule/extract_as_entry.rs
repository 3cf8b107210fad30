//! Extract (trích lục): a paper that was printed from an entry, imported as if it were an entry of its own.
//!
//! Reason: an extract proves an entry and registers nothing (Law on Civil Status 60/2014/QH13, art. 4). It
//! is known by its own words, or because it repeats the place in the books of an office that another province keeps. It
//! is attached to the entry, which alone counts; nothing is held against either.

use registry_schema::ids::RecordKey;
use registry_schema::place::{Gazetteer, Place, ProvinceCode};
use registry_schema::record::Authority;

use super::one_event;
use crate::reading::Entry;

/// Which of two entries of one event is an extract; of two extracts the younger is attached to the older.
pub(crate) fn extract_among(a: Entry<'_>, b: Entry<'_>) -> Option<RecordKey> {
    let says = |entry: Entry<'_>| entry.record.registration.is_extract;
    let younger = if a.age() > b.age() { a } else { b };
    match (says(a), says(b)) {
        (true, true) => Some(younger.key),
        (true, false) => Some(a.key),
        (false, true) => Some(b.key),
        (false, false) if one_event::one_key(a, b) => match (kept_elsewhere(a), kept_elsewhere(b)) {
            (true, false) => Some(a.key),
            (false, true) => Some(b.key),
            _ => None,
        },
        (false, false) => None,
    }
}

/// Whether a province keeps an entry of an office that was never its own. Where provinces were merged, the books of all
/// of them are its own.
#[must_use]
pub fn kept_elsewhere(entry: Entry<'_>) -> bool {
    let Authority::Code(office) = entry.record.registration.authority else { return false };
    let (edition, list) = (entry.key.origin.edition(), Gazetteer::builtin());
    let keeper = ProvinceCode::new(entry.key.origin.code()).ok().map(|code| Place::province_of(edition, code));
    let known = |place: &Place| list.check(place).is_ok();
    office.province().is_some() && keeper.filter(known).is_some_and(|keeper| !list.same_province_later(office, keeper))
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const LAN: &str = "deceased_name=Trần Thị Lan; deceased_birth_date=02.03.1930; event_date=01.03.1999; \
                       deceased_origin=Kim Liên, Nam Đàn, Nghệ An";
    const TOGETHER: &str = "person 01/1#deceased 79/1#deceased";

    fn deaths(second: &str) -> String {
        format!(
            "01/1 death number=7; registration_date=05.03.1999; {LAN}
             79/1 death {second}; {LAN}"
        )
    }

    #[test]
    fn an_entry_that_repeats_the_books_of_another_province_is_an_extract() {
        let copied = deaths("authority=01.00001; number=7; registration_date=05.03.1999");
        check(&copied, &format!("link extract_as_entry 01/1 79/1\n{TOGETHER}"));
    }

    #[test]
    fn an_entry_that_says_so_is_an_extract() {
        for words in ["note=Trích lục khai tử của UBND xã", "book=Bản sao"] {
            let copied = deaths(&format!("number=9; registration_date=01.06.2003; {words}"));
            check(&copied, &format!("link extract_as_entry 01/1 79/1\n{TOGETHER}"));
        }
    }

    #[test]
    fn an_entry_from_which_an_extract_was_issued_is_registered_twice() {
        let twice = deaths("number=9; registration_date=01.06.2003; note=Đã cấp trích lục");
        check(&twice, &format!("link double_registration 01/1 79/1\n{TOGETHER}"));
    }

    #[test]
    fn an_extract_of_a_re_registration_is_an_extract() {
        let copied = deaths("number=9; registration_date=01.06.2003; registration_type=2; note=trích lục");
        check(&copied, &format!("link extract_as_entry 01/1 79/1\n{TOGETHER}"));
    }

    #[test]
    fn a_book_that_is_kept_by_its_own_province_was_digitised_twice() {
        check(
            &format!(
                "01/1 death number=7; registration_date=05.03.1999; {LAN}
                 01/2 death number=7; registration_date=05.03.1999; {LAN}"
            ),
            "link digitised_twice 01/1 01/2\nperson 01/1#deceased 01/2#deceased",
        );
    }

    #[test]
    fn another_person_under_a_copied_number_is_a_case() {
        check(
            &format!(
                "01/1 death number=7; registration_date=05.03.1999; {LAN}
                 79/1 death number=7; registration_date=05.03.1999; authority=01.00001; deceased_name=Lê Văn Hùng"
            ),
            "case same_key 01/1 79/1",
        );
    }

    #[test]
    fn a_human_can_take_the_extract_off() {
        let copied = deaths("number=9; registration_date=01.06.2003; note=trích lục");
        check(
            &format!("{copied}\nanswer extract_as_entry 01/1 79/1 different"),
            "case extract_as_entry 01/1 79/1 answered different",
        );
    }

    #[test]
    fn an_extract_of_nothing_that_is_known_is_told_nowhere() {
        check(&format!("79/1 death number=9; note=trích lục; {LAN}"), "");
    }
}
