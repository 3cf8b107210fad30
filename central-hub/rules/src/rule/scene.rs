//! What a rule may look at: the entries and persons of the loaded clusters, and the verdicts about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::ids::RecordKey;
use registry_schema::marriage::Marriage;
use registry_schema::record::Act;
use rustc_hash::FxHashMap;

use crate::matching::{Likeness, Part};
use crate::node::Node;
use crate::persons::{Cluster, Parts, Relations};
use crate::policy::Policy;
use crate::verdict::{Answer, Verdict, standing_on_pair};

/// The people and relations that were loaded for a batch.
pub struct Scene<'a> {
    pub(crate) parts: &'a Parts<'a>,
    pub(crate) relations: &'a Relations,
    /// Of each participant everybody who is the same person, oldest first.
    persons: FxHashMap<Node, &'a [Node]>,
    /// The deceased of each cluster, by the cluster's other participants.
    deceased: FxHashMap<Node, Arc<[Node]>>,
    pub(crate) verdicts: &'a BTreeMap<(RecordKey, RecordKey), Vec<&'a Verdict>>,
    pub(crate) policy: &'a Policy,
}

/// One cluster as rules look at it: everybody in it, looked up once for all of them.
pub struct Subject<'a> {
    /// The participants, in order.
    pub(crate) parts: Vec<Part<'a>>,
    /// The persons.
    pub(crate) persons: Vec<Person<'a>>,
}

/// A person of a cluster: its participants, oldest entry first.
pub struct Person<'a> {
    /// The participants.
    pub parts: Vec<Part<'a>>,
}

impl<'a> Subject<'a> {
    /// The participants who are called upon for their entries: each act has one.
    pub(crate) fn principals(&self) -> impl Iterator<Item = Part<'a>> + '_ {
        let is_called = |role| matches!(role, Role::Child | Role::Deceased | Role::Husband);
        self.parts.iter().filter(move |part| is_called(part.person.role)).copied()
    }
}

impl<'a> Scene<'a> {
    pub(crate) fn new(
        parts: &'a Parts<'a>,
        relations: &'a Relations,
        clusters: &'a [Cluster],
        verdicts: &'a BTreeMap<(RecordKey, RecordKey), Vec<&'a Verdict>>,
        policy: &'a Policy,
    ) -> Self {
        let mut persons = FxHashMap::default();
        for person in clusters.iter().flat_map(|cluster| &cluster.persons) {
            persons.extend(person.iter().map(|node| (*node, person.as_slice())));
        }
        let deceased = clusters.iter().flat_map(deceased_beside).collect();
        Self { parts, relations, persons, deceased, verdicts, policy }
    }

    /// A cluster as rules look at it.
    #[must_use]
    pub fn subject(&self, cluster: &Cluster) -> Subject<'a> {
        let persons: Vec<Person<'a>> = cluster.persons.iter().map(|nodes| self.person(nodes)).collect();
        let mut parts: Vec<Part<'a>> = persons.iter().flat_map(|person| &person.parts).copied().collect();
        parts.sort_unstable_by_key(Part::node);
        Subject { parts, persons }
    }

    /// The person that this participant is.
    pub fn person_of(&self, node: Node) -> Option<Person<'a>> {
        self.persons.get(&node).map(|nodes| self.person(nodes))
    }

    /// The dates of deaths that may be this person's: alike, and not joined, for too little is known to say.
    #[must_use]
    pub fn may_have_died(&self, node: Node) -> Vec<PartialDate> {
        let person = self.persons.get(&node).into_iter().copied().flatten();
        person.flat_map(|node| self.deaths_like(*node)).collect()
    }

    fn deaths_like(&self, node: Node) -> impl Iterator<Item = PartialDate> + '_ {
        let deceased = self.deceased.get(&node).into_iter().flat_map(|nodes| nodes.iter());
        let related = deceased.filter(move |other| {
            let alike = self.relations.contains_key(&(node.min(**other), node.max(**other)));
            let denied = self.verdict_on(node.key, other.key).is_some_and(|said| said.answer == Answer::Different);
            alike && !denied
        });
        related.filter_map(|other| match &self.parts.get(other)?.entry.record.act {
            Act::Death(death) if death.revoked_on.is_none() => death.date,
            _ => None,
        })
    }

    /// Whether two participants are one person.
    #[must_use]
    pub fn same_person(&self, a: Node, b: Node) -> bool {
        self.persons.get(&a).is_some_and(|nodes| nodes.contains(&b))
    }

    /// Whether two participants are one person, or would be if the policy did not hold them apart until somebody answers.
    #[must_use]
    pub fn same_or_alike(&self, a: Node, b: Node) -> bool {
        let alike = self.relations.get(&(a.min(b), a.max(b)));
        self.same_person(a, b) || alike.is_some_and(|relation| relation.likeness == Likeness::Same)
    }

    fn person(&self, nodes: &[Node]) -> Person<'a> {
        Person { parts: nodes.iter().filter_map(|node| self.parts.get(node).copied()).collect() }
    }

    /// What a human said about two records, when it speaks about their being the same or not.
    #[must_use]
    pub fn verdict_on(&self, a: RecordKey, b: RecordKey) -> Option<&Verdict> {
        verdict_on(self.verdicts, a, b)
    }
}

/// For everybody in a cluster who is not a deceased, the deceased of the cluster.
fn deceased_beside(cluster: &Cluster) -> Vec<(Node, Arc<[Node]>)> {
    let is_deceased = |node: &Node| node.role == Role::Deceased;
    if !cluster.nodes().any(|node| is_deceased(&node)) {
        return Vec::new();
    }
    let deceased: Arc<[Node]> = cluster.nodes().filter(is_deceased).collect();
    cluster.nodes().filter(|node| !is_deceased(node)).map(|node| (node, Arc::clone(&deceased))).collect()
}

/// The standing verdict about a pair of records.
pub(crate) fn verdict_on<'a>(
    verdicts: &BTreeMap<(RecordKey, RecordKey), Vec<&'a Verdict>>,
    a: RecordKey,
    b: RecordKey,
) -> Option<&'a Verdict> {
    standing_on_pair(verdicts.get(&(a.min(b), a.max(b)))?.iter().copied())
}

impl<'a> Person<'a> {
    /// The births of the person, each with its date. A birth in which the person is a parent is none of theirs.
    #[must_use]
    pub fn births(&self) -> Vec<(Part<'a>, PartialDate)> {
        let own = self.parts.iter().filter(|part| part.person.role == Role::Child);
        own.filter_map(|part| Some((*part, part.person.birth_date?))).collect()
    }

    /// The dated deaths of the person that were not revoked. A death that stands in two books on one day is one death:
    /// a revocation that is noted in one of the two revokes it.
    #[must_use]
    pub fn deaths(&self) -> Vec<(Part<'a>, PartialDate)> {
        let revoked = self.revoked_deaths();
        let is_revoked = |date: PartialDate| date.is_full() && revoked.iter().any(|(other, _)| *other == date);
        let standing = |part: &Part<'a>| match &part.entry.record.act {
            Act::Death(death) if death.revoked_on.is_none() => Some((*part, death.date.filter(|it| !is_revoked(*it))?)),
            _ => None,
        };
        self.parts.iter().filter_map(standing).collect()
    }

    /// The deaths of the person that were declared and revoked: when the person was held to have died, and until when.
    #[must_use]
    pub fn revoked_deaths(&self) -> Vec<(PartialDate, PartialDate)> {
        let revoked = |part: &Part<'a>| match &part.entry.record.act {
            Act::Death(death) => Some((death.date?, death.revoked_on?)),
            _ => None,
        };
        self.parts.iter().filter_map(revoked).collect()
    }

    /// The marriages of the person.
    #[must_use]
    pub fn marriages(&self) -> Vec<(Part<'a>, &'a Marriage)> {
        let married = |part: &Part<'a>| match &part.entry.record.act {
            Act::Marriage(marriage) => Some((*part, marriage)),
            _ => None,
        };
        self.parts.iter().filter_map(married).collect()
    }

    /// When the person died: the earliest of the deaths, with its entry.
    #[must_use]
    pub fn died(&self) -> Option<(Part<'a>, PartialDate)> {
        self.deaths().into_iter().min_by_key(|(part, date)| (*date, part.entry.key))
    }
}

/// Every pair of a list, each once, in the order of the list.
pub(crate) fn pairs<T: Copy>(items: &[T]) -> impl Iterator<Item = (T, T)> + '_ {
    items.iter().enumerate().flat_map(move |(at, one)| items[at + 1..].iter().map(move |other| (*one, *other)))
}
