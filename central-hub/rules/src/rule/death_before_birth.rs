//! Timeline: nobody dies before they are born.
//!
//! Reason: the record layouts of the Ministry order the dates of one life; a death dated before the birth is a typing
//! error in one of the two, or two people taken for one.

use registry_schema::date::PartialDate;

use super::scene::{Person, Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::Part;

/// Finds deaths that are dated before the birth of the person.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.persons.iter().flat_map(in_life).collect()
}

fn in_life(person: &Person<'_>) -> Vec<Finding> {
    let (deaths, births) = (person.deaths(), person.births());
    let alone = deaths.iter().filter_map(|(death, died)| judge(*death, *died, *death, death.person.birth_date?));
    let against = deaths
        .iter()
        .flat_map(|(death, died)| births.iter().filter_map(|(birth, born)| judge(*death, *died, *birth, *born)));
    alone.chain(against).collect()
}

fn judge(death: Part<'_>, died: PartialDate, birth: Part<'_>, born: PartialDate) -> Option<Finding> {
    let reason = Evidence::new("the date of death precedes the date of birth", "ngày chết trước ngày sinh");
    died.definitely_before(born).then(|| {
        let records = vec![death.entry.key, birth.entry.key];
        Finding::new(Rule::DeathBeforeBirth, Certainty::Case, records, vec![reason])
    })
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const NUMBER: &str = "001090123456";

    #[test]
    fn a_death_dated_before_the_birth_in_another_entry_is_a_case() {
        check(
            &format!(
                "01/1 birth child_name=Hồ Văn Ba; child_birth_date=02.03.1990; child_personal_number={NUMBER}
                 79/1 death deceased_name=Hồ Văn Ba; event_date=01.03.1990; deceased_personal_number={NUMBER}"
            ),
            "case death_before_birth 01/1 79/1
             person 01/1#child 79/1#deceased",
        );
    }

    #[test]
    fn a_death_dated_before_its_own_date_of_birth_is_a_case() {
        check(
            "01/1 death deceased_name=Hồ Văn Ba; deceased_birth_date=1960; event_date=1959",
            "case death_before_birth 01/1",
        );
    }

    #[test]
    fn a_father_may_die_before_his_child_is_born() {
        check(
            &format!(
                "01/1 birth child_name=Hồ Văn Tư; child_birth_date=02.03.1990; father_name=Hồ Văn Ba; father_personal_number={NUMBER}
                 79/1 death deceased_name=Hồ Văn Ba; event_date=01.12.1989; deceased_personal_number={NUMBER}"
            ),
            "person 01/1#father 79/1#deceased",
        );
    }

    #[test]
    fn unknown_parts_of_dates_accuse_nobody() {
        check("01/1 death deceased_name=Hồ Văn Ba; deceased_birth_date=04.1960; event_date=1960", "");
    }
}
