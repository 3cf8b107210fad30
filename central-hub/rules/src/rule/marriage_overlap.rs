//! One open marriage at a time.
//!
//! Reason: a person who is married must not marry another (Law on Marriage and Family 52/2014/QH13, art. 5). Divorce,
//! annulment and the death of either spouse end a marriage. Where dates are partial, only a certain overlap counts.

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::marriage::Marriage;

use super::scene::{Person, Scene, pairs};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::{Part, dates_compatible, same_couple};
use crate::node::Node;
use crate::persons::Cluster;

/// A marriage of a person, with the day on which it began.
type Begun<'a> = (Part<'a>, &'a Marriage, PartialDate);

/// Finds persons in two open marriages at once.
pub(crate) fn find(scene: &Scene<'_>, cluster: &Cluster) -> Vec<Finding> {
    scene.persons(cluster).iter().flat_map(|person| in_life(scene, person)).collect()
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

/// Two entries of one marriage are no second marriage, and two marriages of one couple are told of the husband only.
fn concerns(scene: &Scene<'_>, a: Begun<'_>, b: Begun<'_>) -> bool {
    let same_spouse = scene.same_person(spouse(a.0), spouse(b.0));
    if (same_spouse || same_couple(a.0.entry, b.0.entry)) && dates_compatible(Some(a.2), Some(b.2)) {
        return false;
    }
    !same_spouse || a.0.person.role == Role::Husband
}

/// The other spouse of a marriage.
fn spouse(part: Part<'_>) -> Node {
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
    let ends = [earlier.1.ended_on(), spouse_died(scene, earlier.0)];
    !ends.into_iter().flatten().any(|end| !later.2.definitely_before(end))
}

/// When the other spouse of this marriage died, as far as the nation knows.
fn spouse_died(scene: &Scene<'_>, part: Part<'_>) -> Option<PartialDate> {
    scene.person_of(spouse(part))?.died().map(|(_, date)| date)
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
    fn a_couple_known_by_numbers_under_other_names_is_told_of_once() {
        check(
            "01/1 marriage husband_name=Bùi Văn Tám; husband_birth_date=1960; husband_personal_number=001060123456;
               wife_name=Lê Thị Tư; wife_birth_date=1962; wife_personal_number=001162000001; event_date=01.01.1990
             79/1 marriage husband_name=Trần Quốc Toản; husband_birth_date=1960; husband_personal_number=001060123456;
               wife_name=Phạm Ngọc Hoa; wife_birth_date=1962; wife_personal_number=001162000001; event_date=01.01.2000"
                .replace(";\n", "; ")
                .as_str(),
            &format!("case marriage_overlap 01/1 79/1\n{TOGETHER}\nperson 01/1#wife 79/1#wife"),
        );
    }

    #[test]
    fn a_couple_that_marries_again_without_divorce_is_told_of_once() {
        let couple = format!("{TAM}; wife_name=Lê Thị Tư; wife_personal_number=001162000001");
        check(
            &format!("01/1 marriage {couple}; event_date=01.01.1990\n79/1 marriage {couple}; event_date=01.01.2000"),
            &format!("case marriage_overlap 01/1 79/1\n{TOGETHER}\nperson 01/1#wife 79/1#wife"),
        );
    }
}
