//! Whom to compare of what shares a block, and on how many processors.

use rayon::prelude::*;
use registry_schema::field::Role;

use crate::matching::Part;
use crate::node::Node;
use crate::reading::{Entry, Reading};

/// Comparisons or clusters that are worth waking another thread: some milliseconds of work.
const PARALLEL_MIN: usize = 1_000;

/// Whom to compare of what shares a block: two participants, or, for two entries, their people role by role.
pub(super) fn participants(a: Node, b: Node) -> impl Iterator<Item = (Node, Node)> {
    let (roles, two) = if a.role == Role::Entry { (&Role::ALL[1..], None) } else { (&[][..], Some((a, b))) };
    let of_role = move |role: &Role| (Node::new(a.key, *role), Node::new(b.key, *role));
    roles.iter().map(of_role).chain(two).map(|(one, other)| (one.min(other), one.max(other)))
}

/// A participant of a record in force.
pub(super) fn part(node: Node, reading: &Reading) -> Option<Part<'_>> {
    let (record, profile) = (reading.in_force()?, reading.profile()?);
    Some(Part { entry: Entry { key: node.key, record }, person: record.participant(node.role)?, profile })
}

/// Does the same to all, on every processor where that is worth it; the answers are in the order of the questions.
pub(super) fn on_all<T: Send, U: Send>(all: Vec<T>, work: impl Fn(T) -> U + Send + Sync) -> Vec<U> {
    if all.len() < PARALLEL_MIN { all.into_iter().map(work).collect() } else { all.into_par_iter().map(work).collect() }
}
