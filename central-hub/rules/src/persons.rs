//! Who is who inside a set of participants: clusters by likeness, persons by what remains after the cannot-links.

use std::collections::BTreeMap;

use registry_schema::field::Role;
use registry_schema::ids::PersonId;
use rustc_hash::FxHashMap;

use crate::matching::{Likeness, Part, Relation};
use crate::node::{Membership, Node};

/// Participants of records in force, by node; looked up, and never walked through.
pub type Parts<'a> = FxHashMap<Node, Part<'a>>;
/// What is alike, by ordered pair of nodes.
pub type Relations = BTreeMap<(Node, Node), Relation>;

/// By how much a person must be likelier than everybody else together: odds of 19 to 1, in thousandths of a bit.
const AHEAD_OF_RIVALS: i32 = 4_250;

/// Two participants that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// The ordered pair.
    pub pair: (Node, Node),
    /// How alike they are.
    pub likeness: Likeness,
    /// How strongly, in thousandths of a bit.
    pub strength: i32,
}

/// Participants who are connected by likeness, and the persons among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Of each person the participants, oldest first.
    pub persons: Vec<Vec<Node>>,
}

/// Solves who is who among `nodes`, who hold both ends of every edge: a pure function of nodes and edges, in no particular
/// order.
///
/// Edges of [`Likeness::Same`] are joined strongest first (ties by the nodes themselves), as in Kruskal's algorithm,
/// unless some pair across the two sides is kept `apart`, seen as `look` sees them. Then edges of [`Likeness::Likely`] join
/// the events of one life in the same way, unless somebody else is nearly as likely. A person bears the surrogate of its
/// participant with the least `age`.
pub fn solve<P, A: Ord>(
    nodes: impl IntoIterator<Item = Node>,
    edges: &[Edge],
    look: impl Fn(Node) -> P,
    apart: impl Fn(&P, &P) -> bool,
    age: impl Fn(Node) -> A,
) -> Vec<Cluster> {
    let mut related: Vec<Node> = edges.iter().flat_map(|edge| [edge.pair.0, edge.pair.1]).collect();
    related.sort_unstable();
    related.dedup();
    let links = links(&related, edges);
    let seen: Vec<P> = related.iter().copied().map(look).collect();
    let apart = |a: usize, b: usize| apart(&seen[a], &seen[b]);
    let (mut clusters, mut persons) = (Groups::of(related.len()), Groups::of(related.len()));
    for link in &links {
        clusters.join(link.pair, |_, _| false);
        if link.likeness == Likeness::Same {
            persons.join(link.pair, apart);
        }
    }
    let lives = Lives::of(&related, &links);
    for link in links.iter().filter(|link| link.likeness == Likeness::Likely) {
        if lives.is_ahead(link, &persons, &apart) {
            persons.join(link.pair, apart);
        }
    }
    let alone = nodes.into_iter().filter(|node| related.binary_search(node).is_err()).map(Cluster::of_one);
    let together = clusters.members.iter().filter(|members| !members.is_empty());
    alone.chain(together.map(|members| cluster(&related, members, &persons, &age))).collect()
}

/// An edge between participants by their numbers, which are in the order of the nodes.
struct Link {
    pair: (usize, usize),
    likeness: Likeness,
    strength: i32,
}

/// The edges, strongest first.
fn links(related: &[Node], edges: &[Edge]) -> Vec<Link> {
    let number = |node: Node| related.binary_search(&node).expect("every end of an edge is numbered");
    let link = |edge: &Edge| Link {
        pair: (number(edge.pair.0), number(edge.pair.1)),
        likeness: edge.likeness,
        strength: edge.strength,
    };
    let mut links: Vec<Link> = edges.iter().map(link).collect();
    links.sort_unstable_by_key(|link| (std::cmp::Reverse(link.strength), link.pair));
    links
}

fn cluster<A: Ord>(related: &[Node], members: &[usize], persons: &Groups, age: impl Fn(Node) -> A) -> Cluster {
    let mut heads: Vec<usize> = members.iter().map(|member| persons.head[*member]).collect();
    heads.sort_unstable();
    heads.dedup();
    let person = |head: usize| {
        let mut nodes: Vec<Node> = persons.members[head].iter().map(|member| related[*member]).collect();
        nodes.sort_by_key(|node| age(*node));
        nodes
    };
    Cluster { persons: heads.into_iter().map(person).collect() }
}

impl Cluster {
    /// Somebody who is like no other.
    fn of_one(node: Node) -> Self {
        Self { persons: vec![vec![node]] }
    }

    /// The least surrogate of the participants.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.nodes().map(Node::surrogate).min().expect("a cluster has at least one participant")
    }

    /// Where each participant belongs; who is like no other belongs nowhere.
    #[must_use]
    pub fn memberships(&self) -> Vec<(Node, Membership)> {
        if self.nodes().nth(1).is_none() {
            return Vec::new();
        }
        let cluster = self.id();
        let memberships = self.persons.iter().flat_map(|nodes| {
            let person = PersonId(nodes[0].surrogate());
            nodes.iter().map(move |node| (*node, Membership { cluster, person }))
        });
        memberships.collect()
    }

    /// Every participant of the cluster.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + '_ {
        self.persons.iter().flatten().copied()
    }
}

/// The edges that may join the events of one life, by participant.
struct Lives<'a> {
    related: &'a [Node],
    of: Vec<Vec<&'a Link>>,
}

impl<'a> Lives<'a> {
    fn of(related: &'a [Node], links: &'a [Link]) -> Self {
        let mut of: Vec<Vec<&Link>> = vec![Vec::new(); related.len()];
        for link in links.iter().filter(|link| matches!(link.likeness, Likeness::Likely | Likeness::Candidate)) {
            of[link.pair.0].push(link);
            of[link.pair.1].push(link);
        }
        Self { related, of }
    }

    /// Whether the two persons that the edge would join are one life rather than either's with anybody else, or with
    /// somebody who stands in no book at all (whom the edge's own strength is measured against).
    fn is_ahead(&self, link: &Link, persons: &Groups, apart: &impl Fn(usize, usize) -> bool) -> bool {
        let (one, other) = (persons.head[link.pair.0], persons.head[link.pair.1]);
        if one == other || self.two_of_a_kind(link, &persons.members[one], &persons.members[other]) {
            return false;
        }
        let rivals = [(one, other), (other, one)].map(|(of, to)| self.rivals(of, to, persons, apart));
        rivals.into_iter().all(|strength| link.strength - strength >= AHEAD_OF_RIVALS)
    }

    /// How likely it is that `of` is anybody but `to`, as a sum of likelihoods in thousandths of a bit; nobody is 0.
    fn rivals(&self, of: usize, to: usize, persons: &Groups, apart: &impl Fn(usize, usize) -> bool) -> i32 {
        let mut best: BTreeMap<usize, i32> = BTreeMap::new();
        for (member, link) in persons.members[of].iter().flat_map(|member| self.at(*member).map(|link| (*member, link)))
        {
            let end = if link.pair.0 == member { link.pair.1 } else { link.pair.0 };
            let head = persons.head[end];
            let is_rival = || self.excludes(head, to, persons, apart) && !persons.any_apart(of, head, apart);
            if head == of || head == to || !is_rival() {
                continue;
            }
            let strength = best.entry(head).or_insert(link.strength);
            *strength = (*strength).max(link.strength);
        }
        best.values().fold(0, |sum, strength| add_likelihoods(sum, *strength))
    }

    /// Whether who is the one cannot be the other as well: each has a birth, something keeps them apart, or they are
    /// alike and yet nobody can say that they are one.
    fn excludes(&self, one: usize, other: usize, persons: &Groups, apart: &impl Fn(usize, usize) -> bool) -> bool {
        let is_born = |head: usize| self.any_as(Role::Child, &persons.members[head]);
        if (is_born(one) && is_born(other)) || persons.any_apart(one, other, apart) {
            return true;
        }
        let links = persons.members[one].iter().flat_map(|member| self.at(*member));
        let between = links.filter(|link| [link.pair.0, link.pair.1].iter().any(|end| persons.head[*end] == other));
        between.map(|link| link.likeness).max() == Some(Likeness::Candidate)
    }

    /// Whether joining two persons would give one life two births, or two deaths that are not alike themselves: entries of
    /// one event have been joined before.
    fn two_of_a_kind(&self, link: &Link, one: &[usize], other: &[usize]) -> bool {
        let both = |role| self.any_as(role, one) && self.any_as(role, other);
        let (a, b) = (self.related[link.pair.0], self.related[link.pair.1]);
        both(Role::Child) || (both(Role::Deceased) && a.role != b.role)
    }

    fn any_as(&self, role: Role, members: &[usize]) -> bool {
        members.iter().any(|member| self.related[*member].role == role)
    }

    fn at(&self, member: usize) -> impl Iterator<Item = &'a Link> + '_ {
        self.of[member].iter().copied()
    }
}

/// log2(2^a + 2^b) in thousandths, by a table: the judgement does no floating-point arithmetic.
fn add_likelihoods(a: i32, b: i32) -> i32 {
    /// log2(1 + 2^-d) for d = 0, 0.5, 1, ... bits, in thousandths.
    const SURPLUS: [i32; 12] = [1_000, 772, 585, 436, 322, 236, 170, 122, 87, 62, 44, 0];
    let step = usize::try_from(a.abs_diff(b) / 500).unwrap_or(usize::MAX);
    a.max(b) + SURPLUS[step.min(SURPLUS.len() - 1)]
}

/// Disjoint sets of numbers with member lists; the smaller side moves.
struct Groups {
    head: Vec<usize>,
    /// Of each head; nothing of any other number.
    members: Vec<Vec<usize>>,
}

impl Groups {
    fn of(count: usize) -> Self {
        Self { head: (0..count).collect(), members: (0..count).map(|number| vec![number]).collect() }
    }

    fn any_apart(&self, a: usize, b: usize, apart: impl Fn(usize, usize) -> bool) -> bool {
        self.members[a].iter().any(|one| self.members[b].iter().any(|other| apart(*one, *other)))
    }

    fn join(&mut self, pair: (usize, usize), apart: impl Fn(usize, usize) -> bool) {
        let (a, b) = (self.head[pair.0], self.head[pair.1]);
        if a == b || self.any_apart(a, b, apart) {
            return;
        }
        let (stays, moves) = if self.members[a].len() >= self.members[b].len() { (a, b) } else { (b, a) };
        let moving = std::mem::take(&mut self.members[moves]);
        moving.iter().for_each(|number| self.head[*number] = stays);
        self.members[stays].extend(moving);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn likelihoods_add_as_logarithms_do() {
        for (a, b) in [(0, 0), (5_000, 5_000), (4_000, 1_000), (0, -3_000), (12_345, -2_000)] {
            let exact = ((f64::from(a) / 1000.0).exp2() + (f64::from(b) / 1000.0).exp2()).log2() * 1000.0;
            assert!((f64::from(add_likelihoods(a, b)) - exact).abs() < 240.0, "{a} {b} {exact}");
            assert_eq!(add_likelihoods(a, b), add_likelihoods(b, a));
        }
    }

    fn node(number: i64) -> Node {
        let key = format!("01@2008/{number}").parse().unwrap();
        let role =
            if number < 10 { registry_schema::field::Role::Child } else { registry_schema::field::Role::Deceased };
        Node::new(key, role)
    }

    fn check(edges: &[(i64, i64, Likeness, i32)], expected: &[&[i64]]) {
        check_apart(edges, &[], expected);
    }

    fn check_apart(edges: &[(i64, i64, Likeness, i32)], apart: &[(i64, i64)], expected: &[&[i64]]) {
        let apart: BTreeSet<(Node, Node)> =
            apart.iter().flat_map(|(a, b)| [(node(*a), node(*b)), (node(*b), node(*a))]).collect();
        let edges: Vec<Edge> = edges
            .iter()
            .map(|(a, b, likeness, strength)| Edge {
                pair: (node(*a), node(*b)),
                likeness: *likeness,
                strength: *strength,
            })
            .collect();
        let nodes: BTreeSet<Node> = edges.iter().flat_map(|edge| [edge.pair.0, edge.pair.1]).collect();
        for edges in [edges.clone(), edges.iter().rev().copied().collect()] {
            let clusters = solve(nodes.clone(), &edges, |node| node, |a, b| apart.contains(&(*a, *b)), |node| node);
            let persons = clusters.into_iter().flat_map(|cluster| cluster.persons);
            let mut persons: Vec<Vec<Node>> = persons.filter(|nodes| nodes.len() > 1).collect();
            persons.sort();
            let expected: Vec<Vec<Node>> =
                expected.iter().map(|person| person.iter().map(|number| node(*number)).collect()).collect();
            assert_eq!(persons, expected);
        }
    }

    #[test]
    fn of_two_that_cannot_both_be_joined_the_stronger_is_and_of_equals_the_lesser_pair() {
        let apart = [(1, 3)];
        check_apart(&[(1, 2, Likeness::Same, 9_000), (2, 3, Likeness::Same, 8_999)], &apart, &[&[1, 2]]);
        check_apart(&[(1, 2, Likeness::Same, 8_999), (2, 3, Likeness::Same, 9_000)], &apart, &[&[2, 3]]);
        check_apart(&[(1, 2, Likeness::Same, 9_000), (2, 3, Likeness::Same, 9_000)], &apart, &[&[1, 2]]);
    }

    #[test]
    fn a_death_joins_the_birth_that_is_far_likelier_than_any_other() {
        check(&[(1, 11, Likeness::Likely, 12_000)], &[&[1, 11]]);
        check(&[(1, 11, Likeness::Likely, 12_000), (2, 11, Likeness::Likely, 7_000)], &[&[1, 11]]);
    }

    #[test]
    fn a_death_with_two_likely_births_joins_neither() {
        check(&[(1, 11, Likeness::Likely, 12_000), (2, 11, Likeness::Likely, 9_000)], &[]);
        check(&[(1, 11, Likeness::Likely, 5_000), (2, 11, Likeness::Candidate, 4_000)], &[]);
    }

    #[test]
    fn two_entries_of_one_birth_are_no_rivals() {
        let edges =
            [(1, 2, Likeness::Same, 20_000), (1, 11, Likeness::Likely, 12_000), (2, 11, Likeness::Likely, 12_000)];
        check(&edges, &[&[1, 2, 11]]);
    }
}
