//! Double registration: one event stands in two books.
//!
//! Reason: an event is registered at exactly one authority, and a second registration of it is void (Law on Civil Status
//! 60/2014/QH13, art. 5). The entries are linked and the event counts once; which of the two is withdrawn is decided by
//! people. A pair that may be one event, but has something against it, becomes a case; where nothing but a personal number
//! speaks for it, `one_number_two_people` asks instead.

use registry_schema::field::Role;
use registry_schema::record::RegistrationType;

use super::foreign_note::notes_foreign_act;
use super::one_number_two_people::conflict;
use super::scene::{Scene, pairs};
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::{Likeness, Part, dates_compatible, same_couple};
use crate::node::Node;
use crate::persons::Cluster;
use crate::reading::Entry;
use crate::verdict::Answer;

/// Finds events that were registered twice.
pub(crate) fn find(scene: &Scene<'_>, cluster: &Cluster) -> Vec<Finding> {
    events_twice(scene, cluster, Rule::DoubleRegistration, |a, b| !re_registered(a, b) && !notes_foreign_act(a, b))
}

/// Whether the younger of two entries says that it re-registers an older one.
pub(crate) fn re_registered(a: Entry<'_>, b: Entry<'_>) -> bool {
    let younger = if a.age() > b.age() { a } else { b };
    younger.record.registration.registration_type == RegistrationType::ReRegistration
}

/// Pairs of entries that speak of one event under two natural keys, and that `concerns` picks.
pub(crate) fn events_twice(
    scene: &Scene<'_>,
    cluster: &Cluster,
    rule: Rule,
    concerns: impl Fn(Entry<'_>, Entry<'_>) -> bool,
) -> Vec<Finding> {
    let principals: Vec<Part<'_>> = cluster
        .nodes()
        .filter(|node| matches!(node.role, Role::Child | Role::Deceased | Role::Husband))
        .filter_map(|node| scene.parts.get(&node).copied())
        .collect();
    let one_event = pairs(&principals).filter(|(a, b)| {
        let natural = a.entry.natural_key();
        let other_book = natural.is_none() || natural != b.entry.natural_key();
        other_book && may_be_one_event(*a, *b) && concerns(a.entry, b.entry)
    });
    one_event.filter_map(|(a, b)| judge(scene, rule, a, b)).collect()
}

/// Whether two principals stand in acts that can be one event.
fn may_be_one_event(a: Part<'_>, b: Part<'_>) -> bool {
    let dates = dates_compatible(a.entry.record.event_date(), b.entry.record.event_date());
    match (a.person.role, b.person.role) {
        (Role::Child, Role::Child) => true,
        (Role::Deceased, Role::Deceased) => dates,
        (Role::Husband, Role::Husband) => dates && same_couple(a.entry, b.entry),
        _ => false,
    }
}

fn judge(scene: &Scene<'_>, rule: Rule, a: Part<'_>, b: Part<'_>) -> Option<Finding> {
    let records = vec![a.entry.key, b.entry.key];
    let nodes = (Node::new(a.entry.key, a.person.role), Node::new(b.entry.key, b.person.role));
    let relation = scene.relations.get(&(nodes.0.min(nodes.1), nodes.0.max(nodes.1)));
    let evidence = relation.map_or_else(|| vec![by_a_third()], |relation| relation.evidence.clone());
    let together = scene.same_person(nodes.0, nodes.1);
    // What only a number joins is asked about as a number, not as an event.
    let possible = relation.is_some_and(|relation| relation.likeness == Likeness::Possible);
    let doubtful = possible && !conflict(a, b);
    let finding = |certainty| Finding::new(rule, certainty, records, evidence);
    if together {
        return Some(finding(Certainty::Link));
    }
    let asked = finding(Certainty::Case);
    match scene.verdict_on(a.entry.key, b.entry.key) {
        // Whoever said so about another case of the two is not asked again here.
        Some(verdict) if verdict.answer == Answer::Different => (verdict.case == asked.id).then_some(asked),
        _ => doubtful.then_some(asked),
    }
}

fn by_a_third() -> Evidence {
    Evidence::new("both agree with a third entry", "cả hai cùng phù hợp với một bản ghi thứ ba")
}

#[cfg(test)]
mod tests {
    use crate::scenario::check;

    const HUNG: &str = "child_name=Nguyễn Văn Hùng; child_sex=1; child_birth_date=02.03.1990; mother_name=Lê Thị Mai";

    #[test]
    fn one_birth_in_two_provinces_is_linked_whatever_the_keyboard() {
        check(
            &format!(
                "01/1 birth number=1; registration_date=05.03.1990; {HUNG}
                 79/1 birth number=9; registration_date=01.06.1990; {}",
                HUNG.replace("Nguyễn Văn Hùng", "NGUYEN VAN HUNG")
            ),
            "link double_registration 01/1 79/1
             person 01/1#child 79/1#child",
        );
    }

    #[test]
    fn namesakes_born_on_one_day_stay_two_people() {
        check(&format!("01/1 birth {HUNG}\n79/1 birth {}", HUNG.replace("Lê Thị Mai", "Phạm Thị Hoa")), "");
    }

    #[test]
    fn twins_stay_two_people() {
        check(&format!("01/1 birth number=1; {HUNG}\n01/2 birth number=2; {}", HUNG.replace("Hùng", "Dũng")), "");
    }

    #[test]
    fn a_human_can_part_what_was_linked_and_take_it_back() {
        let twice = format!("01/1 birth {HUNG}\n79/1 birth {HUNG}");
        check(
            &format!("{twice}\nanswer double_registration 01/1 79/1 different"),
            "case double_registration 01/1 79/1 answered different",
        );
        check(
            &format!(
                "{twice}
                 answer double_registration 01/1 79/1 different
                 answer double_registration 01/1 79/1 wait"
            ),
            "link double_registration 01/1 79/1 answered wait
             person 01/1#child 79/1#child",
        );
    }

    #[test]
    fn one_parent_agrees_and_the_other_does_not_is_a_case() {
        check(
            &format!("01/1 birth {HUNG}; father_name=Nguyễn Văn An\n79/1 birth {HUNG}; father_name=Trần Quốc Toản"),
            "case double_registration 01/1 79/1",
        );
    }

    #[test]
    fn a_human_can_join_what_no_rule_would() {
        check(
            &format!(
                "01/1 birth {HUNG}; father_name=Nguyễn Văn An
                 79/1 birth {HUNG}; father_name=Trần Quốc Toản
                 answer double_registration 01/1 79/1 same"
            ),
            "link double_registration 01/1 79/1 answered same
             person 01/1#child 79/1#child",
        );
    }

    #[test]
    fn one_marriage_in_two_books_is_linked() {
        let couple = "husband_name=Trần Văn Nam; wife_name=Vũ Thị Hoà; event_date=05.05.2015";
        check(
            &format!("01/1 marriage number=3; {couple}\n79/8 marriage number=4; {}", couple.replace("Hoà", "Hòa")),
            "link double_registration 01/1 79/8
             person 01/1#husband 79/8#husband
             person 01/1#wife 79/8#wife",
        );
    }

    #[test]
    fn a_withdrawn_entry_is_out_of_it() {
        check(&format!("01/1 birth {HUNG}\n79/1 birth {HUNG}\n79/1 cancel"), "");
    }
}
