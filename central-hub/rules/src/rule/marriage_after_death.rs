//! Timeline: nobody marries after their death.
//!
//! Reason: a marriage is registered in the presence of both parties (Law on Civil Status 60/2014/QH13, art. 18).

use super::scene::{Person, Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};

/// Finds marriages that begin after a spouse's death.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.persons.iter().flat_map(in_life).collect()
}

fn in_life(person: &Person<'_>) -> Vec<Finding> {
    let Some((death, died)) = person.died() else { return Vec::new() };
    let marriages = person.marriages().into_iter();
    let late = marriages.filter(|(_, marriage)| marriage.date.is_some_and(|begun| died.definitely_before(begun)));
    late.map(|(marriage, _)| {
        let reason = Evidence::new("the marriage begins after the date of death", "ngày kết hôn sau ngày chết");
        let records = vec![death.entry.key, marriage.entry.key];
        Finding::new(Rule::MarriageAfterDeath, Certainty::Case, records, vec![reason])
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const NUMBER: &str = "001060123456";

    fn life(died: &str, married: &str) -> String {
        format!(
            "01/1 death deceased_name=Bùi Văn Tám; deceased_personal_number={NUMBER}; event_date={died}
             79/1 marriage husband_name=Bùi Văn Tám; husband_personal_number={NUMBER}; wife_name=Lê Thị Tư; event_date={married}"
        )
    }

    #[test]
    fn a_marriage_after_the_death_is_a_case() {
        check(
            &life("01.01.2010", "02.01.2010"),
            "case marriage_after_death 01/1 79/1
             person 01/1#deceased 79/1#husband",
        );
    }

    #[test]
    fn a_marriage_on_the_day_or_before_is_none() {
        check(&life("01.01.2010", "01.01.2010"), "person 01/1#deceased 79/1#husband");
        check(&life("2010", "12.2010"), "person 01/1#deceased 79/1#husband");
    }
}
