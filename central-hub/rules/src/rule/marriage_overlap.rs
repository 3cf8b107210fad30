//! One open marriage at a time.
//!
//! Reason: a person who is married must not marry another (Law on Marriage and Family 52/2014/QH13, art. 5). Divorce,
//! annulment and the death of either spouse end a marriage. Only a certain overlap counts: not where dates are partial,
//! nor where a death is known that may be the first spouse's.

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::marriage::Marriage;

use super::scene::{Person, Scene, Subject, pairs};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::{Part, same_couple};
use crate::node::Node;

/// A marriage of a person, with the day on which it began.
type Begun<'a> = (Part<'a>, &'a Marriage, PartialDate);

/// Finds persons in two open marriages at once.
pub(crate) fn find(scene: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    subject.persons.iter().flat_map(|person| in_life(scene, person)).collect()
}

fn in_life(scene: &Scene<'_>, person: &Person<'_>) -> Vec<Finding> {
    let dated = person.marriages().into_iter().filter_map(|(part, act)| Some((part, act, act.date?)));
    let marriages: Vec<Begun<'_>> = dated.collect();
    let overlapping = pairs(&marriages).filter(|(a, b)| concerns(scene, *a, *b) && overlap(scene, *a, *b));
    overlapping
        .map(|((a, ..), (b, ..))| {
            let reason = Evidence::new(
                "the earlier marriage was not ended when the later one began",
                "cuộc hôn nhân trước chưa chấm dứt khi kết hôn lần sau",
            );
            Finding::new(Rule::MarriageOverlap, Certainty::Case, vec![a.entry.key, b.entry.key], vec![reason])
        })
        .collect()
}

/// The law speaks of another spouse: a couple whose marriage stands in two books was registered twice, whatever the dates.
fn concerns(scene: &Scene<'_>, a: Begun<'_>, b: Begun<'_>) -> bool {
    !scene.same_person(spouse(a.0), spouse(b.0)) && !same_couple(a.0.entry, b.0.entry)
}

/// The other spouse of a marriage.
pub(crate) fn spouse(part: Part<'_>) -> Node {
    Node::new(part.entry.key, if part.person.role == Role::Husband { Role::Wife } else { Role::Husband })
}

fn overlap(scene: &Scene<'_>, a: Begun<'_>, b: Begun<'_>) -> bool {
    let (earlier, later) = if a.2.definitely_before(b.2) {
        (a, b)
    } else if b.2.definitely_before(a.2) {
        (b, a)
    } else {
        return a.2.is_full() && a.2 == b.2;
    };
    let ended = earlier.1.ended_on().is_some_and(|end| !later.2.definitely_before(end));
    !ended && !widowed(scene, earlier.0, later.2)
}

/// Whether the other spouse of this marriage was dead, may have been, or was held to be, when the later one began. A marriage that
/// was entered between the declaration of a death and its revocation stands (Law 52/2014/QH13, art. 67).
fn widowed(scene: &Scene<'_>, part: Part<'_>, later: PartialDate) -> bool {
    let Some(spouse) = scene.person_of(spouse(part)) else { return false };
    let after = |died: PartialDate| !later.definitely_before(died);
    let declared = |(died, revoked): (PartialDate, PartialDate)| after(died) && !revoked.definitely_before(later);
    let died = spouse.died().map(|(_, died)| died).into_iter().chain(scene.may_have_died(self::spouse(part)));
    died.into_iter().any(after) || spouse.revoked_deaths().into_iter().any(declared)
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const TAM: &str = "husband_name=Bùi Văn Tám; husband_personal_number=001060123456";
    const TOGETHER: &str = "person 01/1#husband 79/1#husband";

    fn marriages(first_ends: &str) -> String {
        format!(
            "01/1 marriage {TAM}; wife_name=Lê Thị Tư; wife_personal_number=001162000001; event_date=01.01.1990; {first_ends}
             79/1 marriage {TAM}; wife_name=Ngô Thị Năm; event_date=01.01.2000"
        )
    }

    #[test]
    fn a_second_marriage_while_one_is_open_is_a_case() {
        check(&marriages(""), &format!("case marriage_overlap 01/1 79/1\n{TOGETHER}"));
    }

    #[test]
    fn a_divorce_before_the_second_marriage_clears_it_and_one_after_does_not() {
        check(&marriages("divorced_on=31.12.1999"), TOGETHER);
        check(&marriages("divorced_on=2005"), &format!("case marriage_overlap 01/1 79/1\n{TOGETHER}"));
    }

    #[test]
    fn the_death_of_the_first_spouse_clears_it_whenever_it_becomes_known() {
        check(
            &format!(
                "{}
                 40/1 death deceased_name=Lê Thị Tư; deceased_personal_number=001162000001; event_date=05.06.1998",
                marriages("")
            ),
            &format!("person 01/1#wife 40/1#deceased\n{TOGETHER}"),
        );
    }

    #[test]
    fn a_death_that_was_declared_and_revoked_clears_what_was_entered_in_between() {
        let declared = |revoked: &str| {
            format!(
                "{}
                 40/1 death deceased_name=Lê Thị Tư; deceased_personal_number=001162000001; event_date=05.06.1998; \
                   revoked_on={revoked}",
                marriages("")
            )
        };
        let wife = "person 01/1#wife 40/1#deceased";
        check(&declared("2003"), &format!("{wife}\n{TOGETHER}"));
        check(&declared("1999"), &format!("case marriage_overlap 01/1 79/1\n{wife}\n{TOGETHER}"));
    }

    #[test]
    fn a_death_that_may_be_the_first_spouses_leaves_the_overlap_in_doubt() {
        let second = marriages("").replace("wife_personal_number=001162000001", "wife_birth_date=05.06.1962");
        let possible = format!(
            "{second}
             40/1 death deceased_name=Lê Thị Tư; deceased_birth_date=05.06.1962; \
               deceased_sex=2; event_date=05.06.1998"
        );
        check(&second, &format!("case marriage_overlap 01/1 79/1\n{TOGETHER}"));
        check(&possible, TOGETHER);
    }

    #[test]
    fn a_couple_that_is_registered_twice_is_no_second_marriage() {
        let couple = format!("{TAM}; wife_name=Lê Thị Tư; wife_personal_number=001162000001");
        check(
            &format!("01/1 marriage {couple}; event_date=01.01.1990\n79/1 marriage {couple}; event_date=01.01.2000"),
            &format!("case double_registration 01/1 79/1\n{TOGETHER}\nperson 01/1#wife 79/1#wife"),
        );
    }
}
