//! Nobody marries under age: each spouse is judged by the law in force when the marriage was registered.
//!
//! Reason: Law on Marriage and Family 52/2014/QH13, art. 8: a man must have completed 20 years and a woman 18. The laws
//! before it (1959, art. 6; 21-LCT/HĐNN7 of 1986, art. 5; 22/2000/QH10, art. 9) say "từ hai mươi tuổi" and "từ mười tám
//! tuổi", which is the 20th and the 18th year of life (Resolution 02/2000/NQ-HĐTP): 19 and 17 completed years. The
//! husband and the wife are two rules, for each is judged among their own entries.

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::marriage::Marriage;

use super::scene::{Person, Scene, Subject};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::Part;

/// The completed years that a law asks of the spouses.
struct Law {
    /// The first year, month and day on which it was in force.
    from: (i16, i8, i8),
    husband_years_min: i32,
    wife_years_min: i32,
}

/// The laws, the oldest first; each asks at least what the one before it asked. The bounds of 1959 were kept in 1986
/// and 2000.
const LAWS: [Law; 2] = [
    Law { from: (1960, 1, 13), husband_years_min: 19, wife_years_min: 17 },
    Law { from: (2015, 1, 1), husband_years_min: 20, wife_years_min: 18 },
];

/// Finds spouses who were certainly under age.
pub(crate) fn find(_: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.persons.iter().flat_map(in_life).collect()
}

/// An annulled marriage is over because it was found void; nothing is left to decide.
fn in_life(person: &Person<'_>) -> Vec<Finding> {
    let marriages = person.marriages().into_iter().filter(|(_, marriage)| marriage.annulled_on.is_none());
    marriages.filter_map(|(spouse, marriage)| judge(person, spouse, marriage)).collect()
}

/// Judges a spouse by the date of birth on the marriage entry, or else by the spouse's own birth entry.
fn judge(person: &Person<'_>, spouse: Part<'_>, marriage: &Marriage) -> Option<Finding> {
    let registered = spouse.entry.record.registration.date.or(marriage.date)?;
    let noted = spouse.person.birth_date.map(|born| (spouse, born));
    let (source, born) = noted.or_else(|| person.births().first().copied())?;
    let law = Law::on(registered)?;
    let (rule, years_min, reason) = match spouse.person.role {
        Role::Husband => (
            Rule::HusbandUnderAge,
            law.husband_years_min,
            Evidence::new(
                "the husband was younger than the law then allowed",
                "người chồng chưa đủ tuổi theo luật khi đó",
            ),
        ),
        _ => (
            Rule::WifeUnderAge,
            law.wife_years_min,
            Evidence::new("the wife was younger than the law then allowed", "người vợ chưa đủ tuổi theo luật khi đó"),
        ),
    };
    let (_, most) = born.whole_years_to(registered);
    let records = vec![spouse.entry.key, source.entry.key];
    (most < years_min).then(|| Finding::new(rule, Certainty::Case, records, vec![reason]))
}

impl Law {
    /// The law in force on a date; the laxer one where the date leaves two open.
    fn on(date: PartialDate) -> Option<&'static Self> {
        let day = date.earliest();
        LAWS.iter().rev().find(|law| law.from <= (day.year(), day.month(), day.day()))
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    fn marriage(spouses: &str, registered: &str) -> String {
        format!(
            "01/1 marriage husband_name=Bùi Văn Tám; wife_name=Lê Thị Tư; {spouses}; registration_date={registered}"
        )
    }

    fn accused(rule: &str, spouses: &str, registered: &str) {
        check(&marriage(spouses, registered), &format!("case {rule} 01/1"));
    }

    fn lawful(spouses: &str, registered: &str) {
        check(&marriage(spouses, registered), "");
    }

    #[test]
    fn since_2015_a_husband_has_completed_20_years_and_a_wife_18() {
        accused("husband_under_age", "husband_birth_date=06.05.1996", "05.05.2016");
        lawful("husband_birth_date=05.05.1996", "05.05.2016");
        accused("wife_under_age", "wife_birth_date=06.05.1998", "05.05.2016");
        lawful("wife_birth_date=05.05.1998", "05.05.2016");
    }

    #[test]
    fn before_2015_they_were_in_their_20th_and_18th_year() {
        for year in [1965, 1990, 2005, 2014] {
            accused("husband_under_age", &format!("husband_birth_date=06.05.{}", year - 19), &format!("05.05.{year}"));
            lawful(&format!("husband_birth_date=05.05.{}", year - 19), &format!("05.05.{year}"));
            accused("wife_under_age", &format!("wife_birth_date=06.05.{}", year - 17), &format!("05.05.{year}"));
            lawful(&format!("wife_birth_date=05.05.{}", year - 17), &format!("05.05.{year}"));
        }
    }

    #[test]
    fn the_law_changed_on_new_years_day_of_2015() {
        let between = "husband_birth_date=01.06.1995";
        lawful(between, "31.12.2014");
        accused("husband_under_age", between, "01.01.2015");
    }

    #[test]
    fn no_law_is_applied_to_what_came_before_it() {
        lawful("wife_birth_date=1950", "12.01.1960");
        accused("wife_under_age", "wife_birth_date=1950", "13.01.1960");
    }

    #[test]
    fn unknown_parts_of_dates_accuse_nobody() {
        lawful("husband_birth_date=1996", "05.05.2016");
        lawful("husband_birth_date=06.05.1996", "2016");
        accused("husband_under_age", "husband_birth_date=1997", "2016");
        lawful("", "05.05.2016");
    }

    #[test]
    fn the_day_of_registration_counts_and_not_the_day_on_which_they_came_together() {
        lawful("husband_birth_date=06.05.1996; event_date=05.05.2015", "06.05.2016");
    }

    #[test]
    fn two_spouses_under_age_are_two_cases_and_an_annulment_closes_both() {
        let young = "husband_birth_date=2000; wife_birth_date=2000";
        check(&marriage(young, "2016"), "case husband_under_age 01/1\ncase wife_under_age 01/1");
        lawful(&format!("{young}; annulled_on=2017"), "2016");
    }

    #[test]
    fn the_birth_entry_speaks_where_the_marriage_says_nothing() {
        let numbers = "wife_personal_number=001302000001";
        let birth = "79/1 birth child_name=Lê Thị Tư; child_personal_number=001302000001; child_birth_date=01.02.2002";
        let together = "person 01/1#wife 79/1#child";
        let unknown = marriage(numbers, "05.05.2016");
        check(&format!("{unknown}\n{birth}"), &format!("case wife_under_age 01/1 79/1\n{together}"));
        let noted = marriage(&format!("{numbers}; wife_birth_date=2002"), "05.05.2016");
        check(&format!("{noted}\n{birth}"), &format!("case wife_under_age 01/1\n{together}"));
    }
}
