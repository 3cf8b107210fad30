//! One person, two personal numbers: everything agrees but the number.
//!
//! Reason: a citizen has one personal identification number for life (Law on Citizen Identification 59/2014/QH13, art.
//! 12). It has no check digit, so a wrong digit goes unseen by itself; which of the two is right is known to the papers
//! only. Numbers that differ in more than a slip keep two people apart until somebody answers; where they are joined, by a
//! human or because the rest outweighs a slip, the numbers still wait to be mended.

use registry_schema::personal_number::PersonalNumber;

use super::scene::{Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::{Likeness, PRINCIPALS, Part, Relation, compare, names_agree};
use crate::node::Node;
use crate::verdict::Answer;

/// Finds people who bear two numbers.
pub(crate) fn find(scene: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for node in subject.parts.iter().map(Part::node) {
        let related = scene.relations.range((node, node)..).map(|(pair, _)| *pair);
        for (one, other) in related.take_while(|(one, _)| *one == node) {
            if let (Some(a), Some(b)) = (scene.parts.get(&one), scene.parts.get(&other)) {
                findings.extend(judge(scene, *a, *b));
            }
        }
    }
    findings
}

/// Whether nothing but their numbers keeps two participants apart.
pub(crate) fn conflict(a: Part<'_>, b: Part<'_>) -> bool {
    compare(a, b).is_some_and(|relation| relation.numbers_differ)
}

fn judge(scene: &Scene<'_>, a: Part<'_>, b: Part<'_>) -> Option<Finding> {
    let mut evidence = one_person(scene, a, b)?;
    evidence.push(Evidence::new("the personal numbers differ", "số định danh cá nhân khác nhau"));
    let records = vec![a.entry.key, b.entry.key];
    is_first(scene, a, b).then(|| Finding::new(Rule::TwoNumbersOnePerson, Certainty::Case, records, evidence))
}

/// Why two participants with two numbers are one person: by all they say, or by the word of an operator.
fn one_person(scene: &Scene<'_>, a: Part<'_>, b: Part<'_>) -> Option<Vec<Evidence>> {
    two_numbers(a, b)?;
    let said = scene.verdict_on(a.entry.key, b.entry.key).is_some_and(|verdict| verdict.answer == Answer::Same);
    if said && a.person.role == b.person.role && PRINCIPALS.contains(&a.person.role) {
        return Some(Relation::by_verdict().evidence());
    }
    // Twins agree in everything but the number and the name, and names a letter apart are two names.
    let named_alike = names_agree(&a.person.name, &b.person.name);
    let one = |it: &Relation| it.likeness == Likeness::Same || (it.numbers_differ && named_alike);
    compare(a, b).filter(one).map(|relation| relation.evidence())
}

fn two_numbers(a: Part<'_>, b: Part<'_>) -> Option<(PersonalNumber, PersonalNumber)> {
    let numbers = (a.person.personal_number?, b.person.personal_number?);
    (numbers.0 != numbers.1).then_some(numbers)
}

/// Whether no earlier pair of people in the two entries does the same: both spouses of a marriage may bear two numbers,
/// in two clusters, and the two entries are told once.
fn is_first(scene: &Scene<'_>, a: Part<'_>, b: Part<'_>) -> bool {
    let people = a.entry.record.participants().flat_map(|one| {
        let others = b.entry.record.participants();
        others.map(move |other| (Part { person: one, ..a }, Part { person: other, ..b }))
    });
    let pairs = people.filter(|(one, other)| one_person(scene, *one, *other).is_some());
    pairs.map(|(one, other)| roles(one, other)).min() == Some(roles(a, b))
}

fn roles(a: Part<'_>, b: Part<'_>) -> (Node, Node) {
    (a.node().min(b.node()), a.node().max(b.node()))
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const HUNG: &str = "deceased_name=Nguyễn Văn Hùng; deceased_sex=1; deceased_birth_date=02.03.1990; \
                        deceased_origin=Kim Liên, Nam Đàn, Nghệ An; event_date=04.05.2015";
    const TOGETHER: &str = "person 01/1#deceased 79/1#deceased";

    fn deaths(second: &str) -> String {
        format!(
            "01/1 death number=1; {HUNG}; deceased_personal_number=001090123456
             79/1 death number=9; {HUNG}; {second}"
        )
    }

    #[test]
    fn one_person_under_two_numbers_is_a_case_and_no_double_registration() {
        check(&deaths("deceased_personal_number=001090987650"), "case two_numbers_one_person 01/1 79/1");
    }

    #[test]
    fn whoever_joins_them_is_told_that_two_numbers_remain() {
        let twice = deaths("deceased_personal_number=001090987650");
        check(
            &format!("{twice}\nanswer two_numbers_one_person 01/1 79/1 same"),
            &format!(
                "case two_numbers_one_person 01/1 79/1 answered same
                 link double_registration 01/1 79/1
                 {TOGETHER}"
            ),
        );
        check(
            &format!("{twice}\nanswer two_numbers_one_person 01/1 79/1 different"),
            "case two_numbers_one_person 01/1 79/1 answered different",
        );
    }

    #[test]
    fn a_number_that_is_not_known_contradicts_nothing() {
        check(&deaths(""), &format!("link double_registration 01/1 79/1\n{TOGETHER}"));
    }

    #[test]
    fn two_people_with_two_numbers_are_none() {
        check(&deaths("deceased_personal_number=001085987650; deceased_birth_date=09.10.1985"), "");
        check(&deaths("deceased_personal_number=001090987650; deceased_name=Phạm Quốc Toản"), "");
    }

    #[test]
    fn twins_are_no_one_person_however_short_the_step_between_their_names() {
        let birth = "child_sex=1; child_birth_date=02.03.1990; mother_name=Lê Thị Mai; mother_birth_date=04.05.1965; \
                     father_name=Nguyễn Hoàng Tấn; father_birth_date=11.06.1960";
        for other in ["Nguyễn Văn Dũng", "Nguyễn Quốc Phong"] {
            check(
                &format!(
                    "01/1 birth number=1; child_name=Nguyễn Văn Hùng; child_personal_number=001090123456; {birth}
                     01/2 birth number=2; child_name={other}; child_personal_number=001090987650; {birth}"
                ),
                "person 01/1#father 01/2#father",
            );
        }
    }

    #[test]
    fn a_corrected_number_closes_the_case() {
        let twice = deaths("deceased_personal_number=001090987650");
        check(
            &format!("{twice}\n79/1 death deceased_personal_number=001090123456"),
            &format!("link double_registration 01/1 79/1\n{TOGETHER}"),
        );
    }

    #[test]
    fn two_spouses_with_two_numbers_each_are_told_once() {
        let couple = "husband_name=Bùi Văn Tám; wife_name=Lê Thị Tư; event_date=01.01.1990; \
                      husband_birth_date=02.03.1960; wife_birth_date=04.05.1962";
        check(
            &format!(
                "01/1 marriage {couple}; husband_personal_number=001060123456; wife_personal_number=001162000001
                 79/1 marriage {couple}; husband_personal_number=001060987650; wife_personal_number=001162987650"
            ),
            "case two_numbers_one_person 01/1 79/1",
        );
    }
}
