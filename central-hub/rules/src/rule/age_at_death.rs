//! Plausibility: from birth to death are at most 110 years.
//!
//! Reason: no law says so; it is the bound by which the LINKS project sorts out wrong links and wrong dates in Dutch
//! civil-status records. Beyond it stand slips of the century, and two people of one name taken for one.

use registry_schema::date::PartialDate;

use super::scene::{Person, Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::Part;

/// Completed years above which nobody is held to have lived.
const LIFE_YEARS_MAX: i32 = 110;

/// Finds deaths that end a life too long.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.persons.iter().flat_map(in_life).collect()
}

fn in_life(person: &Person<'_>) -> Vec<Finding> {
    let births = person.births();
    person.deaths().into_iter().flat_map(|(death, died)| of_death(death, died, &births)).collect()
}

/// A death whose own entry is at odds with itself is told alone, any other with each birth that is.
fn of_death(death: Part<'_>, died: PartialDate, births: &[(Part<'_>, PartialDate)]) -> Vec<Finding> {
    let alone = death.person.birth_date.and_then(|born| judge(death, died, death, born));
    match alone {
        Some(finding) => vec![finding],
        None => births.iter().filter_map(|(birth, born)| judge(death, died, *birth, *born)).collect(),
    }
}

fn judge(death: Part<'_>, died: PartialDate, birth: Part<'_>, born: PartialDate) -> Option<Finding> {
    let (least, _) = born.whole_years_to(died);
    let reason =
        Evidence::new("birth and death are more than 110 years apart", "ngày sinh và ngày chết cách nhau hơn 110 năm");
    (least > LIFE_YEARS_MAX).then(|| {
        let records = vec![death.entry.key, birth.entry.key];
        Finding::new(Rule::AgeAtDeath, Certainty::Case, records, vec![reason])
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const BA: &str = "deceased_name=Hồ Văn Ba; deceased_personal_number=001000123456";
    const TOGETHER: &str = "person 01/1#child 79/1#deceased";

    fn alone(born: &str, expected: &str) {
        check(
            &format!("01/1 death deceased_name=Hồ Văn Ba; deceased_birth_date={born}; event_date=02.03.2011"),
            expected,
        );
    }

    fn life(death: &str) -> String {
        format!(
            "01/1 birth child_name=Hồ Văn Ba; child_birth_date=02.03.1900; child_personal_number=001000123456
             79/1 death {BA}; {death}"
        )
    }

    #[test]
    fn only_a_life_that_certainly_passes_the_bound_is_a_case() {
        alone("02.03.1900", "case age_at_death 01/1");
        alone("03.03.1900", "");
        alone("1899", "case age_at_death 01/1");
        alone("1900", "");
    }

    #[test]
    fn a_birth_in_another_entry_is_told_with_the_death() {
        check(&life("event_date=02.03.2011"), &format!("case age_at_death 01/1 79/1\n{TOGETHER}"));
        check(&life("event_date=01.03.2011"), TOGETHER);
    }

    #[test]
    fn a_death_at_odds_with_itself_is_told_alone() {
        let both = life("event_date=02.03.2011; deceased_birth_date=1900");
        check(&both, &format!("case age_at_death 01/1 79/1\n{TOGETHER}"));
        let alone = life("event_date=02.03.2011; deceased_birth_date=02.03.1900");
        check(&alone, &format!("case age_at_death 79/1\n{TOGETHER}"));
    }

    #[test]
    fn a_revoked_death_ends_no_life() {
        check(&life("event_date=02.03.2011; revoked_on=2012"), TOGETHER);
    }

    #[test]
    fn the_birth_of_a_child_is_not_the_fathers_own() {
        let father = "father_name=Hồ Văn Ba; father_personal_number=001000123456; father_birth_date=1900";
        check(
            &format!(
                "01/1 birth child_name=Hồ Văn Sáu; child_birth_date=1920; {father}
                 79/1 death {BA}; event_date=2015"
            ),
            "person 01/1#father 79/1#deceased",
        );
    }
}
