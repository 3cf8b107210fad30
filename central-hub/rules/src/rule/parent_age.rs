//! Plausibility: a mother is 12 to 60 years older than her child, a father at least 12.
//!
//! Reason: no law says so; these are the bounds by which the LINKS project sorts out wrong links and wrong dates in
//! Dutch civil-status records. What lies outside is far more often a slip in one of the dates than a rare birth.

use registry_schema::birth::Birth;
use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::record::{Act, Participant};

use super::scene::{Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};

/// Completed years below which nobody is held to be a parent.
const PARENT_YEARS_MIN: i32 = 12;
/// Completed years above which nobody is held to have given birth.
const MOTHER_YEARS_MAX: i32 = 60;

/// Finds births whose parents are too young or too old; each is told by the child.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    let children = subject.parts.iter().filter(|part| part.person.role == Role::Child);
    let births = children.filter_map(|part| match &part.entry.record.act {
        Act::Birth(birth) => Some((part.entry.key, implausible(birth))),
        _ => None,
    });
    births
        .filter(|(_, reasons)| !reasons.is_empty())
        .map(|(key, reasons)| Finding::new(Rule::ParentAge, Certainty::Case, vec![key], reasons))
        .collect()
}

/// Everything that speaks against the dates of one birth.
fn implausible(birth: &Birth) -> Vec<Evidence> {
    let Some(born) = birth.child.birth_date else { return Vec::new() };
    let mother = years(birth.mother.as_ref(), born);
    let father = years(birth.father.as_ref(), born);
    let young = |years: Option<(i32, i32)>| years.is_some_and(|(_, most)| most < PARENT_YEARS_MIN);
    let old = |years: Option<(i32, i32)>| years.is_some_and(|(least, _)| least > MOTHER_YEARS_MAX);
    let reasons = [
        (young(mother), Evidence::new("the mother is too young for the child", "người mẹ quá trẻ so với con")),
        (old(mother), Evidence::new("the mother is too old for the child", "người mẹ quá lớn tuổi so với con")),
        (young(father), Evidence::new("the father is too young for the child", "người cha quá trẻ so với con")),
    ];
    reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

/// The least and the most completed years of a parent at the birth.
fn years(parent: Option<&Participant>, born: PartialDate) -> Option<(i32, i32)> {
    Some(parent?.birth_date?.whole_years_to(born))
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    fn birth(mother: &str, father: &str) -> String {
        format!(
            "01/1 birth child_name=Hồ Văn Ba; child_birth_date=02.03.1990; mother_name=Lê Thị Mai;
             mother_birth_date={mother}; father_name=Hồ Văn Sáu; father_birth_date={father}"
        )
        .replace('\n', "")
    }

    fn accused(mother: &str, father: &str) {
        check(&birth(mother, father), "case parent_age 01/1");
    }

    fn plausible(mother: &str, father: &str) {
        check(&birth(mother, father), "");
    }

    #[test]
    fn a_parent_under_twelve_is_a_case_and_one_of_twelve_is_none() {
        accused("03.03.1978", "");
        plausible("02.03.1978", "");
        accused("", "03.03.1978");
        plausible("", "02.03.1978");
    }

    #[test]
    fn a_mother_over_sixty_is_a_case_and_a_father_is_none() {
        accused("02.03.1929", "");
        plausible("03.03.1929", "");
        plausible("", "1900");
    }

    #[test]
    fn two_implausible_parents_are_told_of_once() {
        accused("1995", "1995");
    }

    #[test]
    fn unknown_parts_of_dates_accuse_nobody() {
        plausible("1978", "1978");
        plausible("1929", "");
        plausible("", "");
    }

    #[test]
    fn a_corrected_date_closes_the_case() {
        check(&format!("{}\n01/1 birth mother_birth_date=1969", birth("1996", "1960")), "");
    }
}
