//! Timeline: nobody becomes a parent after their death.
//!
//! Reason: a mother lives at the birth of her child, and a child is held to be its father's if it is born within 300 days
//! after the end of the marriage (Law on Marriage and Family 52/2014/QH13, art. 88). A birth beyond that names a
//! namesake, or one of the dates is wrong.

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::record::Act;

use super::scene::{Person, Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::Part;

/// Days after the death of the father within which his child can be born.
const FATHER_DAYS_MAX: i64 = 300;

/// Finds births that name a parent who was dead.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.persons.iter().flat_map(in_life).collect()
}

fn in_life(person: &Person<'_>) -> Vec<Finding> {
    let Some((death, died)) = person.died() else { return Vec::new() };
    person.parts.iter().filter_map(|parent| judge(*parent, death, died)).collect()
}

fn judge(parent: Part<'_>, death: Part<'_>, died: PartialDate) -> Option<Finding> {
    let Act::Birth(birth) = &parent.entry.record.act else { return None };
    let born = birth.child.birth_date?;
    let (late, reason) = match parent.person.role {
        Role::Mother => (
            died.definitely_before(born),
            Evidence::new("the child is born after the death of the mother", "con sinh sau khi người mẹ đã chết"),
        ),
        Role::Father => (
            days_at_least(died, born) > FATHER_DAYS_MAX,
            Evidence::new(
                "the child is born more than 300 days after the death of the father",
                "con sinh sau khi người cha chết hơn 300 ngày",
            ),
        ),
        _ => return None,
    };
    let records = vec![death.entry.key, parent.entry.key];
    late.then(|| Finding::new(Rule::ParentAfterDeath, Certainty::Case, records, vec![reason]))
}

/// The least number of days from one date to another, whatever the unknown parts are.
fn days_at_least(from: PartialDate, to: PartialDate) -> i64 {
    i64::from(from.latest().until(to.earliest()).map_or(0, |span| span.get_days()))
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    fn life(role: &str, number: &str, born: &str, death: &str) -> String {
        format!(
            "01/1 birth child_name=Hồ Văn Tư; child_birth_date={born}; {role}_name=Hồ Ba; {role}_personal_number={number}
             79/1 death deceased_name=Hồ Ba; deceased_personal_number={number}; {death}"
        )
    }

    fn mother(born: &str, death: &str, accused: bool) {
        let case = if accused { "case parent_after_death 01/1 79/1" } else { "" };
        let script = life("mother", "001162000001", born, death);
        check(&script, &format!("{case}\nperson 01/1#mother 79/1#deceased"));
    }

    fn father(born: &str, death: &str, accused: bool) {
        let case = if accused { "case parent_after_death 01/1 79/1" } else { "" };
        let script = life("father", "001060123456", born, death);
        check(&script, &format!("{case}\nperson 01/1#father 79/1#deceased"));
    }

    #[test]
    fn a_mother_lives_on_the_day_of_the_birth() {
        mother("02.03.1990", "event_date=02.03.1990", false);
        mother("02.03.1990", "event_date=01.03.1990", true);
    }

    #[test]
    fn a_father_may_be_dead_for_three_hundred_days() {
        father("27.10.1990", "event_date=31.12.1989", false);
        father("28.10.1990", "event_date=31.12.1989", true);
    }

    #[test]
    fn unknown_parts_of_dates_accuse_nobody() {
        mother("1990", "event_date=1990", false);
        mother("1991", "event_date=1990", true);
        father("10.1991", "event_date=1990", false);
        father("11.1991", "event_date=1990", true);
        mother("", "event_date=1990", false);
    }

    #[test]
    fn a_revoked_death_ends_no_parenthood() {
        mother("1995", "event_date=1990; revoked_on=1996", false);
    }

    #[test]
    fn both_parents_of_one_child_are_two_cases() {
        check(
            "01/1 birth child_name=Hồ Văn Tư; child_birth_date=1990; mother_name=Lê Thị Sáu; \
               mother_personal_number=001162000001; father_name=Hồ Ba; father_personal_number=001060123456
             79/1 death deceased_name=Lê Thị Sáu; deceased_personal_number=001162000001; event_date=1985
             79/2 death deceased_name=Hồ Ba; deceased_personal_number=001060123456; event_date=1985",
            "case parent_after_death 01/1 79/1
             case parent_after_death 01/1 79/2
             person 01/1#father 79/2#deceased
             person 01/1#mother 79/1#deceased",
        );
    }
}
