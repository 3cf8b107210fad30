//! The rules, one file each: the legal reason, one function, its tests. A rule sees one scope and nothing else. The four
//! that tell of two entries of one event share one function, `one_event::find`, which says which of them speaks.

pub mod resend;
pub mod correction;
pub mod same_key;
pub mod double_registration;
pub mod re_registration;
pub mod foreign_note;
pub mod extract_as_entry;
pub mod one_number_two_people;
pub mod two_numbers_one_person;
pub mod number_contradiction;
pub mod death_before_birth;
pub mod second_death;
pub mod age_at_death;
pub mod parent_age;
pub mod parent_after_death;
pub mod marriage_after_death;
pub mod marriage_overlap;
pub mod marriage_age;
pub mod authority_out_of_office;
pub mod number_gap;
mod one_event;
pub(crate) mod scene;

pub(crate) use one_event::held_apart;
pub use scene::{Person, Scene, Subject};

use crate::finding::Finding;
use crate::persons::Cluster;
use crate::reading::Entry;

/// Rules that look at one cluster of participants.
const CLUSTER_RULES: &[fn(&Scene<'_>, &Subject<'_>) -> Vec<Finding>] = &[
    // Double and re-registrations, notes of foreign acts, and extracts.
    one_event::find,
    one_number_two_people::find,
    two_numbers_one_person::find,
    number_contradiction::find,
    death_before_birth::find,
    second_death::find,
    age_at_death::find,
    parent_age::find,
    parent_after_death::find,
    marriage_after_death::find,
    marriage_overlap::find,
    marriage_age::find,
    authority_out_of_office::find,
];

/// Everything that is found in one cluster; the scope of each finding is the cluster.
#[must_use]
pub fn judge_cluster(scene: &Scene<'_>, cluster: &Cluster) -> Vec<Finding> {
    let subject = scene.subject(cluster);
    let findings = CLUSTER_RULES.iter().flat_map(|rule| rule(scene, &subject));
    findings.map(|finding| Finding { scope: cluster.id(), ..finding }).collect()
}

/// Everything that is found among the entries of one natural key; the scope of each finding is the key's block.
#[must_use]
pub fn judge_block(scene: &Scene<'_>, block: i64, entries: &[Entry<'_>]) -> Vec<Finding> {
    let findings = same_key::find(scene, entries).into_iter();
    findings.map(|finding| Finding { scope: block, ..finding }).collect()
}
