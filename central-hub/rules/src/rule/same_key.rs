//! One natural key, two entries: one entry digitised twice, or two people's entries under one number by mistake.
//!
//! Reason: numbers run from 1 and restart each year within a book (Circular 04/2020/TT-BTP on civil-status books), so
//! office, book, year and number name one entry. What agrees but for typing errors is one entry digitised twice, or the
//! entry and an extract of it, and is linked; what does not is a case for the office that can open the book.

use registry_schema::field::Role;

use super::extract_as_entry::extract_among;
use super::scene::{Scene, pairs};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::PRINCIPALS;
use crate::node::Node;
use crate::reading::Entry;
use crate::verdict::Answer;

/// Entries under one natural key up to which every pair is told. A book whose numbers were never entered puts thousands
/// under one key; then each entry is told with its neighbour only, or the findings would grow with the square.
const ENTRIES_PAIRED_MAX: usize = 12;

/// Judges the entries that bear one natural key, which come in the order of their keys.
pub(crate) fn find(scene: &Scene<'_>, entries: &[Entry<'_>]) -> Vec<Finding> {
    if entries.len() > ENTRIES_PAIRED_MAX {
        return entries.windows(2).map(|pair| judge(scene, pair[0], pair[1])).collect();
    }
    pairs(entries).map(|(a, b)| judge(scene, a, b)).collect()
}

fn judge(scene: &Scene<'_>, a: Entry<'_>, b: Entry<'_>) -> Finding {
    let records = vec![a.key, b.key];
    let said = scene.verdict_on(a.key, b.key).map(|verdict| verdict.answer);
    if said == Some(Answer::Same) || (same_people(scene, a, b) && said != Some(Answer::Different)) {
        let alike = Evidence::new("the people in both are the same", "những người trong hai bản ghi là một");
        let chosen = extract_among(a, b);
        let rule = if chosen.is_some() { Rule::ExtractAsEntry } else { Rule::DigitisedTwice };
        let certainty = scene.policy.certainty_of_link(rule, said);
        return Finding { chosen, ..Finding::new(rule, certainty, records, vec![one_key(), alike]) };
    }
    let differ = Evidence::new("the names or dates differ", "họ tên hoặc ngày tháng khác nhau");
    Finding::new(Rule::SameKey, Certainty::Case, records, vec![one_key(), differ])
}

/// Whether the people whom two entries are about are the same, role by role.
fn same_people(scene: &Scene<'_>, a: Entry<'_>, b: Entry<'_>) -> bool {
    let same = |role: &Role| match (a.record.participant(*role), b.record.participant(*role)) {
        (Some(_), Some(_)) => scene.same_or_alike(Node::new(a.key, *role), Node::new(b.key, *role)),
        (one, other) => one.is_none() && other.is_none(),
    };
    PRINCIPALS.iter().all(same)
}

fn one_key() -> Evidence {
    Evidence::new("office, book, year and number agree", "cơ quan, sổ, năm và số giống nhau")
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    #[test]
    fn one_entry_digitised_twice_with_a_typing_error_is_linked() {
        check(
            "01/1 death number=7; registration_date=05.03.1999; deceased_name=Trần Thị Lan; deceased_birth_date=1930
             01/2 death number=007; registration_date=05.03.1999; deceased_name=Trần Thị Lam; deceased_birth_date=1930",
            "link digitised_twice 01/1 01/2
             person 01/1#deceased 01/2#deceased",
        );
    }

    #[test]
    fn two_people_under_one_number_are_a_case_until_someone_answers() {
        let entries = "
            01/1 birth number=7; registration_date=05.03.1999; child_name=Trần Thị Lan; child_birth_date=01.03.1999
            01/2 birth number=7; registration_date=05.03.1999; child_name=Lê Văn Hùng; child_birth_date=02.03.1999";
        check(entries, "case same_key 01/1 01/2");
        check(&format!("{entries}\nanswer same_key 01/1 01/2 different"), "case same_key 01/1 01/2 answered different");
    }

    #[test]
    fn two_people_of_one_village_under_one_number_are_a_case_although_the_place_agrees() {
        let place = "deceased_sex=1; event_place=Kim Liên, Nam Đàn, Nghệ An; deceased_residence=Kim Liên, Nam Đàn, Nghệ An; \
                     number=7; registration_date=05.03.1999";
        check(
            &format!(
                "01/1 death deceased_name=Trần Văn Lan; deceased_birth_date=1930; event_date=01.03.1999; {place}
                 01/2 death deceased_name=Trần Quốc Hùng; deceased_birth_date=1951; event_date=03.03.1999; {place}"
            ),
            "case same_key 01/1 01/2",
        );
    }

    #[test]
    fn sisters_under_one_number_are_two_people_although_their_mother_is_one() {
        check(
            "01/1 birth number=7; registration_date=05.03.1999; child_name=Trần Thị Lan; mother_name=Lê Thị Mai
             01/2 birth number=7; registration_date=05.03.1999; child_name=Trần Thu Hương; mother_name=Lê Thị Mai",
            "case same_key 01/1 01/2",
        );
    }

    #[test]
    fn a_book_without_numbers_gives_a_case_an_entry_and_not_a_case_a_pair() {
        let given = "An Ba Cúc Dũng Én Giang Hạnh Ích Khoa Lan Mai Nga Oanh Phú Quân".split(' ');
        let entry = |(at, name): (i32, &str)| {
            format!("01/{at} death number=1; registration_date=1999; deceased_name=Lê Hoàng Văn {}", name.repeat(3))
        };
        let script: Vec<String> = (1..).zip(given).map(entry).collect();
        let cases: Vec<String> = (1..15).map(|at| format!("case same_key 01/{at} 01/{}", at + 1)).collect();
        check(&script.join("\n"), &cases.join("\n"));
    }

    #[test]
    fn the_same_number_of_another_year_office_or_kind_is_another_entry() {
        check(
            "01/1 birth number=7; registration_date=05.03.1999; child_name=Trần Thị Lan
             01/2 birth number=7; registration_date=05.03.2000; child_name=Lê Văn Hùng
             01/3 birth number=7; registration_date=05.03.1999; child_name=Lê Văn Hùng; authority=01.00002
             01/4 death number=7; registration_date=05.03.1999; deceased_name=Lê Văn Hùng",
            "",
        );
    }

    #[test]
    fn a_corrected_number_closes_the_case() {
        check(
            "01/1 birth number=7; registration_date=05.03.1999; child_name=Trần Thị Lan
             01/2 birth number=7; registration_date=05.03.1999; child_name=Lê Văn Hùng
             01/2 birth number=8",
            "",
        );
    }
}
