//! One personal number, two people: the number agrees, and neither the names nor the dates of birth do.
//!
//! Reason: a personal identification number belongs to one citizen and is never given to another (Law on Citizen
//! Identification 59/2014/QH13, art. 12). It has no check digit, so a wrong digit can make it another's number; which of
//! the two entries is wrong is known to the books only.

use std::collections::BTreeMap;

use registry_schema::personal_number::PersonalNumber;

use super::scene::{Scene, Subject, pairs};
use crate::finding::{Certainty, Finding, Rule};
use crate::matching::{Likeness, Part, Relation, compare};

/// Bearers of one number up to which every pair is told. A number that was typed to fill the field stands in thousands
/// of entries; then each is told with its neighbour only, or the findings would grow with the square.
const BEARERS_PAIRED_MAX: usize = 12;

/// Finds people who bear the number of somebody else.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    let mut bearers: BTreeMap<PersonalNumber, Vec<Part<'_>>> = BTreeMap::new();
    for part in &subject.parts {
        if let Some(number) = part.person.personal_number {
            bearers.entry(number).or_default().push(*part);
        }
    }
    bearers.values().flat_map(|parts| among(parts)).collect()
}

/// Whether two participants bear one number, and nothing else agrees.
pub(crate) fn conflict(a: Part<'_>, b: Part<'_>) -> bool {
    contradicted(a, b).is_some()
}

/// What is found among the bearers of one number, who come in the order of their keys.
fn among(parts: &[Part<'_>]) -> Vec<Finding> {
    if parts.len() > BEARERS_PAIRED_MAX {
        return parts.windows(2).filter_map(|pair| judge(pair[0], pair[1])).collect();
    }
    pairs(parts).filter_map(|(a, b)| judge(a, b)).collect()
}

fn judge(a: Part<'_>, b: Part<'_>) -> Option<Finding> {
    let relation = contradicted(a, b)?;
    let records = vec![a.entry.key, b.entry.key];
    let first = is_first(a, b);
    first.then(|| Finding::new(Rule::OneNumberTwoPeople, Certainty::Case, records, relation.evidence()))
}

fn contradicted(a: Part<'_>, b: Part<'_>) -> Option<Relation> {
    let number = a.person.personal_number?;
    let relation = (b.person.personal_number == Some(number)).then(|| compare(a, b))??;
    (relation.likeness == Likeness::Possible).then_some(relation)
}

/// Whether no earlier pair of people in the two entries conflicts: both spouses of two marriages may, in two clusters,
/// and the two entries are told once.
fn is_first(a: Part<'_>, b: Part<'_>) -> bool {
    let people = a.entry.record.participants().flat_map(|one| {
        let others = b.entry.record.participants();
        others.map(move |other| (Part { person: one, ..a }, Part { person: other, ..b }))
    });
    let first = people.filter(|(one, other)| conflict(*one, *other)).map(|(one, other)| roles(one, other)).min();
    first == Some(roles(a, b))
}

fn roles(a: Part<'_>, b: Part<'_>) -> impl Ord {
    let (a, b) = if a.entry.key < b.entry.key { (a, b) } else { (b, a) };
    (a.person.role, b.person.role)
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const NUMBER: &str = "001090123456";

    fn births(second: &str) -> String {
        format!(
            "01/1 birth child_name=Hồ Văn Ba; child_birth_date=02.03.1990; child_personal_number={NUMBER}
             79/1 birth child_name={second}; child_personal_number={NUMBER}"
        )
    }

    #[test]
    fn two_people_under_one_number_are_one_case_until_someone_answers() {
        let stranger = births("Trần Quốc Toản; child_birth_date=07.08.1990");
        check(&stranger, "case one_number_two_people 01/1 79/1");
        check(
            &format!("{stranger}\nanswer one_number_two_people 01/1 79/1 different"),
            "case one_number_two_people 01/1 79/1 answered different",
        );
        check(
            &format!("{stranger}\nanswer one_number_two_people 01/1 79/1 same"),
            "case one_number_two_people 01/1 79/1 answered same
             link double_registration 01/1 79/1
             person 01/1#child 79/1#child",
        );
    }

    #[test]
    fn a_name_or_a_date_that_agrees_makes_it_one_person() {
        let one = "link double_registration 01/1 79/1\nperson 01/1#child 79/1#child";
        check(&births("Trần Quốc Toản; child_birth_date=1990"), one);
        check(&births("Hồ Văn Bá; child_birth_date=07.08.1990"), one);
    }

    #[test]
    fn a_corrected_number_closes_the_case() {
        let stranger = births("Trần Quốc Toản; child_birth_date=07.08.1990");
        check(&format!("{stranger}\n79/1 birth child_personal_number=001090123457"), "");
    }

    #[test]
    fn two_marriages_whose_spouses_all_conflict_are_told_once() {
        let couple = "husband_personal_number=001060123456; wife_personal_number=001162000001";
        check(
            &format!(
                "01/1 marriage husband_name=Bùi Văn Tám; wife_name=Lê Thị Tư; {couple}
                 79/1 marriage husband_name=Trần Quốc Toản; wife_name=Ngô Ánh Nguyệt; {couple}"
            ),
            "case one_number_two_people 01/1 79/1",
        );
    }

    #[test]
    fn a_man_and_a_woman_under_one_number_are_a_case_however_alike() {
        check(
            &format!(
                "01/1 birth child_name=Hồ Ba; child_sex=1; child_birth_date=02.03.1990; child_personal_number={NUMBER}
                 79/1 death deceased_name=Hồ Ba; deceased_sex=2; deceased_birth_date=1990; event_date=2020; \
                   deceased_personal_number={NUMBER}"
            ),
            "case one_number_two_people 01/1 79/1
             case number_contradiction 79/1",
        );
        check(
            "01/1 marriage husband_name=Bùi Văn Tám; wife_name=Lê Thị Tư; husband_personal_number=001060123456
             79/1 marriage husband_name=Trần Quốc Toản; wife_name=Ngô Ánh Nguyệt; wife_personal_number=001060123456",
            "case one_number_two_people 01/1 79/1
             case number_contradiction 79/1",
        );
    }

    #[test]
    fn a_mother_can_conflict_with_a_deceased() {
        check(
            "01/1 birth child_name=Hồ Văn Ba; mother_name=Lê Thị Mai; mother_personal_number=001162000001
             79/1 death deceased_name=Ngô Ánh Nguyệt; deceased_sex=2; deceased_personal_number=001162000001",
            "case one_number_two_people 01/1 79/1",
        );
    }

    #[test]
    fn a_number_that_fills_the_field_gives_a_case_an_entry_and_not_a_case_a_pair() {
        let given = "An Ba Cúc Dũng Én Giang Hạnh Ích Khoa Lan Mai Nga Oanh Phú Quân".split(' ');
        let entry = |(at, name): (i32, &str)| {
            let name = name.repeat(4);
            format!("01/{at} death deceased_name=Lê Văn {name}; deceased_personal_number={NUMBER}")
        };
        let script: Vec<String> = (1..).zip(given).map(entry).collect();
        let cases: Vec<String> =
            (1..15).map(|at| format!("case one_number_two_people 01/{at} 01/{}", at + 1)).collect();
        check(&script.join("\n"), &cases.join("\n"));
    }
}
