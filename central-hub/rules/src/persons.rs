//! Who is who inside a set of participants: clusters by likeness, persons by what remains after the cannot-links.

use std::collections::{BTreeMap, BTreeSet};

use registry_schema::ids::PersonId;

use crate::matching::{Likeness, Part, Relation};
use crate::node::{Membership, Node};

/// Participants of records in force, by node.
pub type Parts<'a> = BTreeMap<Node, Part<'a>>;
/// What is alike, by ordered pair of nodes.
pub type Relations = BTreeMap<(Node, Node), Relation>;

/// One cluster and the persons in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The least surrogate of the members.
    pub id: i64,
    /// The persons, each with its participants; ordered by person.
    pub persons: BTreeMap<PersonId, BTreeSet<Node>>,
}

/// Solves who is who among `parts`: a pure function of the parts and relations, in no particular order.
///
/// Relations of [`Likeness::Same`] are joined strongest first (ties by the nodes themselves), as in Kruskal's algorithm,
/// unless some pair across the two sides is kept `apart`. A person bears the surrogate of its oldest participant.
pub fn solve(parts: &Parts<'_>, relations: &Relations, apart: impl Fn(Node, Node) -> bool) -> Vec<Cluster> {
    let mut clusters = Groups::of(parts);
    let mut persons = Groups::of(parts);
    let mut edges: Vec<_> = relations.iter().collect();
    edges.sort_by_key(|(pair, relation)| (std::cmp::Reverse(relation.strength), **pair));
    for (pair, relation) in edges {
        clusters.join(pair.0, pair.1, |_, _| false);
        if relation.likeness == Likeness::Same {
            persons.join(pair.0, pair.1, &apart);
        }
    }
    clusters.members.values().map(|members| cluster(members, parts, &persons)).collect()
}

fn cluster(members: &BTreeSet<Node>, parts: &Parts<'_>, persons: &Groups) -> Cluster {
    let id = members.iter().map(|node| node.surrogate()).min().unwrap_or_default();
    let groups: BTreeSet<Node> = members.iter().map(|node| persons.head[node]).collect();
    let persons = groups
        .into_iter()
        .map(|head| {
            let nodes = persons.members[&head].clone();
            (PersonId(oldest(&nodes, parts).surrogate()), nodes)
        })
        .collect();
    Cluster { id, persons }
}

/// The participant whose entry was registered first.
fn oldest(nodes: &BTreeSet<Node>, parts: &Parts<'_>) -> Node {
    let age = |node: &&Node| (parts[*node].entry.age(), node.role);
    *nodes.iter().min_by_key(age).expect("a person has at least one participant")
}

impl Cluster {
    /// Where each participant belongs.
    pub fn memberships(&self) -> impl Iterator<Item = (Node, Membership)> + '_ {
        let several = self.persons.values().map(BTreeSet::len).sum::<usize>() > 1;
        let cluster = self.id;
        self.persons.iter().filter(move |_| several).flat_map(move |(person, nodes)| {
            nodes.iter().map(move |node| (*node, Membership { cluster, person: *person }))
        })
    }

    /// Every participant of the cluster.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.persons.values().flatten().copied()
    }
}

/// Disjoint sets with member lists; the smaller side moves.
struct Groups {
    head: BTreeMap<Node, Node>,
    members: BTreeMap<Node, BTreeSet<Node>>,
}

impl Groups {
    fn of(parts: &Parts<'_>) -> Self {
        Self {
            head: parts.keys().map(|node| (*node, *node)).collect(),
            members: parts.keys().map(|node| (*node, BTreeSet::from([*node]))).collect(),
        }
    }

    fn join(&mut self, a: Node, b: Node, apart: impl Fn(Node, Node) -> bool) {
        let (Some(&a), Some(&b)) = (self.head.get(&a), self.head.get(&b)) else { return };
        if a == b || self.members[&a].iter().any(|one| self.members[&b].iter().any(|other| apart(*one, *other))) {
            return;
        }
        let (stays, moves) = if self.members[&a].len() >= self.members[&b].len() { (a, b) } else { (b, a) };
        let moving = self.members.remove(&moves).expect("every head has members");
        for node in &moving {
            self.head.insert(*node, stays);
        }
        self.members.get_mut(&stays).expect("every head has members").extend(moving);
    }
}
