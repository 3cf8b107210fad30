//! Timeline: nobody dies twice.
//!
//! Reason: a death closes a civil status; only the revocation of a declared death reopens it (Civil Code 91/2015/QH13,
//! art. 73). Two deaths of one person on dates that cannot be one are a case; on one date they are a double registration.

use super::scene::{Person, Scene, Subject, pairs};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::dates_compatible;

/// Finds persons who die on two dates.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.persons.iter().flat_map(in_life).collect()
}

fn in_life(person: &Person<'_>) -> Vec<Finding> {
    let deaths = person.deaths();
    let twice = pairs(&deaths).filter(|((_, one), (_, other))| !dates_compatible(Some(*one), Some(*other)));
    twice
        .map(|((a, _), (b, _))| {
            let reason = Evidence::new("the dates of death differ", "ngày chết khác nhau");
            Finding::new(Rule::SecondDeath, Certainty::Case, vec![a.entry.key, b.entry.key], vec![reason])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const BA: &str =
        "deceased_name=Hồ Văn Ba; deceased_birth_date=02.03.1930; deceased_origin=Kim Liên, Nam Đàn, Nghệ An";

    #[test]
    fn two_deaths_on_two_dates_are_a_case() {
        check(
            &format!("40/1 death {BA}; event_date=01.01.1999\n01/1 death {BA}; event_date=05.05.2001"),
            "case second_death 01/1 40/1
             person 01/1#deceased 40/1#deceased",
        );
    }

    #[test]
    fn two_deaths_on_one_date_are_one_death_in_two_books() {
        check(
            &format!("40/1 death {BA}; event_date=01.01.1999\n01/1 death {BA}; event_date=1999"),
            "link double_registration 01/1 40/1
             person 01/1#deceased 40/1#deceased",
        );
    }

    #[test]
    fn a_revoked_death_reopens_the_person() {
        check(
            &format!(
                "40/1 death {BA}; event_date=01.01.1999; revoked_on=03.03.2000
                 01/1 death {BA}; event_date=05.05.2001"
            ),
            "person 01/1#deceased 40/1#deceased",
        );
    }
}
