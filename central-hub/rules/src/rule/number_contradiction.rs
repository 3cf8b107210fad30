//! A personal number that denies what its own entry says: another sex, or another year of birth.
//!
//! Reason: the number is made of place, century with sex, and year of birth (Decree 137/2015/NĐ-CP, art. 13), so a
//! contradiction is a slip in one of the two. Everybody in the entry is judged, mothers and fathers too; the entry is told
//! once, by its principal.

use registry_schema::personal_number::NumberContradiction;
use registry_schema::record::Participant;

use super::scene::{Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::reading::Entry;

/// Finds entries in which somebody bears a number that speaks of somebody else.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.principals().filter_map(|part| judge(part.entry)).collect()
}

fn judge(entry: Entry<'_>) -> Option<Finding> {
    let reasons: Vec<Evidence> = entry.record.participants().filter_map(contradiction).collect();
    let records = vec![entry.key];
    (!reasons.is_empty()).then(|| Finding::new(Rule::NumberContradiction, Certainty::Case, records, reasons))
}

fn contradiction(person: &Participant) -> Option<Evidence> {
    let number = person.personal_number?;
    let (english, vietnamese) = match number.contradicts(person.sex, person.birth_date.as_ref())? {
        NumberContradiction::Sex => ("the other sex", "giới tính khác"),
        NumberContradiction::BirthYear => ("another year of birth", "năm sinh khác"),
    };
    Some(Evidence {
        english: format!("the personal number of the {} says {english}", person.role.name()),
        vietnamese: format!("số định danh cá nhân của {} chỉ {vietnamese}", person.role.vietnamese()),
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const NUMBER: &str = "001090123456";

    fn birth(sex: &str, date: &str) -> String {
        format!(
            "01/1 birth child_name=Hồ Văn Ba; child_sex={sex}; child_birth_date={date}; child_personal_number={NUMBER}"
        )
    }

    #[test]
    fn another_sex_or_another_year_is_a_case() {
        check(&birth("2", "02.03.1990"), "case number_contradiction 01/1");
        check(&birth("1", "02.03.1991"), "case number_contradiction 01/1");
        check(&birth("2", "1991"), "case number_contradiction 01/1");
    }

    #[test]
    fn a_number_that_agrees_or_is_not_denied_is_none() {
        check(&birth("1", "1990"), "");
        check(&birth("", ""), "");
    }

    #[test]
    fn a_parent_or_a_wife_is_judged_like_a_principal() {
        let birth = |parent: &str| format!("01/1 birth child_name=Hồ Văn Ba; {parent}");
        let accused = "case number_contradiction 01/1";
        check(&birth("mother_name=Lê Thị Mai; mother_personal_number=001062000001"), accused);
        check(&birth("mother_name=Lê Thị Mai; mother_personal_number=001162000001; mother_birth_date=1963"), accused);
        check(&birth("mother_name=Lê Thị Mai; mother_personal_number=001162000001; mother_birth_date=1962"), "");
        check(&birth("father_name=Hồ Văn Sáu; father_personal_number=001162000001"), accused);
        let couple = "01/1 marriage husband_name=Bùi Văn Tám; wife_name=Lê Thị Tư";
        check(&format!("{couple}; wife_personal_number=001062000001"), accused);
    }

    #[test]
    fn an_entry_with_two_contradictions_is_told_once() {
        check(
            "01/1 birth child_name=Hồ Văn Ba; child_sex=1; child_personal_number=001190123456; \
               mother_name=Lê Thị Mai; mother_personal_number=001062000001",
            "case number_contradiction 01/1",
        );
    }

    #[test]
    fn a_correction_closes_the_case() {
        check(&format!("{}\n01/1 birth child_birth_date=1990", birth("1", "1991")), "");
    }

    #[test]
    fn a_death_and_a_marriage_are_told_of_by_the_deceased_and_the_husband() {
        check(
            "01/1 death deceased_name=Hồ Văn Ba; deceased_birth_date=1960; deceased_personal_number=001061123456
             79/1 marriage husband_name=Bùi Văn Tám; husband_personal_number=001162000001; wife_name=Lê Thị Tư",
            "case number_contradiction 01/1\ncase number_contradiction 79/1",
        );
    }
}
