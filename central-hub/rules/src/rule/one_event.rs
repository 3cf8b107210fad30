//! Two entries of one event: which of them are a pair, which rule tells of it, and what a human said.
//!
//! Each pair has exactly one rule, so that nobody is asked twice about it. Entries under one natural key are told among
//! the entries of that key (see `same_key`), all others in the cluster of their principals.

use registry_schema::field::Role;
use registry_schema::marriage::Marriage;
use registry_schema::record::Act;

use super::extract_as_entry::extract_among;
use super::foreign_note::notes_foreign_act;
use super::marriage_overlap::spouse;
use super::one_number_two_people;
use super::re_registration::re_registered;
use super::scene::{Scene, Subject, pairs};
use super::two_numbers_one_person;
use crate::finding::{Certainty, Evidence, Finding, Rule};
use crate::matching::{Likeness, PRINCIPALS, Part, dates_compatible, same_couple};
use crate::policy::{Policy, Treatment};
use crate::reading::Entry;
use crate::verdict::Answer;

/// The rule that tells of two entries of one event.
pub(crate) fn teller(a: Entry<'_>, b: Entry<'_>) -> Rule {
    if extract_among(a, b).is_some() {
        Rule::ExtractAsEntry
    } else if re_registered(a, b) {
        Rule::ReRegistration
    } else if notes_foreign_act(a, b) {
        Rule::ForeignNote
    } else {
        Rule::DoubleRegistration
    }
}

/// Finds pairs of entries that speak of one event under two natural keys; each is told by the rule for it.
pub(crate) fn find(scene: &Scene<'_>, subject: &Subject<'_>) -> Vec<Finding> {
    let principals: Vec<Part<'_>> = subject.principals().collect();
    let one_event = pairs(&principals)
        .filter(|(a, b)| may_be_one_event(*a, *b) || one_marriage(scene, *a, *b))
        .filter(|(a, b)| !one_key(a.entry, b.entry));
    one_event.filter_map(|(a, b)| judge(scene, teller(a.entry, b.entry), a, b)).collect()
}

/// Whether two people stay apart until somebody answers: their entries would be linked, and the policy says to ask.
pub(crate) fn held_apart(policy: &Policy, a: Part<'_>, b: Part<'_>) -> bool {
    let held = |rule| policy.treatment(rule) == Treatment::Ask;
    policy.asks_before_linking() && linked_by(a, b).is_some_and(held)
}

/// The rule that would link the entries of two people in one role.
fn linked_by(a: Part<'_>, b: Part<'_>) -> Option<Rule> {
    if a.person.role != b.person.role || !PRINCIPALS.contains(&a.person.role) {
        return None;
    }
    if one_key(a.entry, b.entry) {
        let extract = extract_among(a.entry, b.entry).is_some();
        return Some(if extract { Rule::ExtractAsEntry } else { Rule::DigitisedTwice });
    }
    may_be_one_event(a, b).then(|| teller(a.entry, b.entry))
}

/// Whether two entries bear one natural key.
pub(crate) fn one_key(a: Entry<'_>, b: Entry<'_>) -> bool {
    let natural = a.natural_key();
    natural.is_some() && natural == b.natural_key()
}

/// Whether two people of one role stand in acts that can be one event.
fn may_be_one_event(a: Part<'_>, b: Part<'_>) -> bool {
    let dates = dates_compatible(a.entry.record.event_date(), b.entry.record.event_date());
    match (a.person.role, b.person.role) {
        (Role::Child, Role::Child) => true,
        (Role::Deceased, Role::Deceased) => dates,
        (Role::Husband, Role::Husband) | (Role::Wife, Role::Wife) => dates && same_couple(a.entry, b.entry),
        _ => false,
    }
}

/// Whether two entries with two dates marry the same two people, and nothing ended the marriage in between: one marriage
/// all the same, for its date is that of the registration where no other is noted.
fn one_marriage(scene: &Scene<'_>, a: Part<'_>, b: Part<'_>) -> bool {
    let (Act::Marriage(one), Act::Marriage(other)) = (&a.entry.record.act, &b.entry.record.act) else { return false };
    let ended = |marriage: &Marriage, next: &Marriage| match (marriage.ended_on(), next.date) {
        (Some(end), Some(begun)) => !begun.definitely_before(end),
        _ => false,
    };
    scene.same_person(a.node(), b.node())
        && scene.same_person(spouse(a), spouse(b))
        && !ended(one, other)
        && !ended(other, one)
}

fn judge(scene: &Scene<'_>, rule: Rule, a: Part<'_>, b: Part<'_>) -> Option<Finding> {
    let records = vec![a.entry.key, b.entry.key];
    let nodes = (a.node(), b.node());
    let relation = scene.relations.get(&(nodes.0.min(nodes.1), nodes.0.max(nodes.1)));
    let evidence = relation.map_or_else(|| vec![by_a_third()], |relation| relation.evidence());
    let chosen = extract_among(a.entry, b.entry);
    let finding = |certainty| Finding { chosen, ..Finding::new(rule, certainty, records, evidence) };
    let said = scene.verdict_on(a.entry.key, b.entry.key);
    if scene.same_person(nodes.0, nodes.1) {
        let doubtful = rule == Rule::DoubleRegistration && !may_be_one_event(a, b);
        let asks = doubtful && said.is_none_or(|verdict| verdict.answer != Answer::Same);
        return Some(finding(if asks { Certainty::Case } else { Certainty::Link }));
    }
    let asks = relation.is_some_and(|relation| match relation.likeness {
        Likeness::Same => held_apart(scene.policy, a, b),
        Likeness::Possible => !about_numbers(a, b),
        _ => false,
    });
    let asked = finding(Certainty::Case);
    match said {
        // Whoever said so about another case of the two is not asked again here.
        Some(verdict) if verdict.answer == Answer::Different => (verdict.case == asked.id).then_some(asked),
        _ => asks.then_some(asked),
    }
}

/// Whether a number alone joins or parts two people: that is asked about as a number, not as an event.
fn about_numbers(a: Part<'_>, b: Part<'_>) -> bool {
    one_number_two_people::conflict(a, b) || two_numbers_one_person::conflict(a, b)
}

fn by_a_third() -> Evidence {
    Evidence::new("both agree with a third entry", "cả hai cùng phù hợp với một bản ghi thứ ba")
}
