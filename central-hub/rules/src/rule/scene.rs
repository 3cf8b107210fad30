//! What a rule may look at: the entries and persons of the loaded clusters, and the verdicts about them.

use std::collections::BTreeMap;
use std::sync::Arc;

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::ids::{PersonId, RecordKey};
use registry_schema::marriage::Marriage;
use registry_schema::record::Act;

use crate::matching::{Likeness, Part};
use crate::node::Node;
use crate::persons::{Cluster, Parts, Relations};
use crate::policy::Policy;
use crate::verdict::{Answer, Verdict, standing_on_pair};

/// The people and relations that were loaded for a batch.
pub struct Scene<'a> {
    pub(crate) parts: &'a Parts<'a>,
    pub(crate) relations: &'a Relations,
    pub(crate) persons: BTreeMap<Node, PersonId>,
    pub(crate) nodes: BTreeMap<PersonId, Vec<Node>>,
    /// The deceased of each cluster, by the cluster's other participants.
    deceased: BTreeMap<Node, Arc<[Node]>>,
    pub(crate) verdicts: &'a BTreeMap<(RecordKey, RecordKey), Vec<&'a Verdict>>,
    pub(crate) policy: &'a Policy,
}

/// A person of a cluster: its participants, oldest entry first.
pub struct Person<'a> {
    /// The participants.
    pub parts: Vec<Part<'a>>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(
        parts: &'a Parts<'a>,
        relations: &'a Relations,
        clusters: &[Cluster],
        verdicts: &'a BTreeMap<(RecordKey, RecordKey), Vec<&'a Verdict>>,
        policy: &'a Policy,
    ) -> Self {
        let mut persons = BTreeMap::new();
        let mut nodes: BTreeMap<PersonId, Vec<Node>> = BTreeMap::new();
        for (person, members) in clusters.iter().flat_map(|cluster| &cluster.persons) {
            persons.extend(members.iter().map(|node| (*node, *person)));
            nodes.insert(*person, members.iter().copied().collect());
        }
        let deceased = clusters.iter().flat_map(deceased_beside).collect();
        Self { parts, relations, persons, nodes, deceased, verdicts, policy }
    }

    /// The persons of a cluster.
    pub fn persons(&self, cluster: &Cluster) -> Vec<Person<'a>> {
        cluster.persons.values().map(|nodes| self.person(nodes.iter().copied())).collect()
    }

    /// The person that this participant is.
    pub fn person_of(&self, node: Node) -> Option<Person<'a>> {
        let person = self.persons.get(&node)?;
        Some(self.person(self.nodes[person].iter().copied()))
    }

    /// The dates of deaths that may be this person's: alike, and not joined, for too little is known to say.
    #[must_use]
    pub fn may_have_died(&self, node: Node) -> Vec<PartialDate> {
        let person = self.persons.get(&node).and_then(|person| self.nodes.get(person)).into_iter().flatten();
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
        self.persons.get(&a).is_some_and(|person| self.persons.get(&b) == Some(person))
    }

    /// Whether two participants are one person, or would be if the policy did not hold them apart until somebody answers.
    #[must_use]
    pub fn same_or_alike(&self, a: Node, b: Node) -> bool {
        let alike = self.relations.get(&(a.min(b), a.max(b)));
        self.same_person(a, b) || alike.is_some_and(|relation| relation.likeness == Likeness::Same)
    }

    fn person(&self, nodes: impl Iterator<Item = Node>) -> Person<'a> {
        let mut parts: Vec<Part<'a>> = nodes.filter_map(|node| self.parts.get(&node).copied()).collect();
        parts.sort_by_key(|part| (part.entry.age(), part.person.role));
        Person { parts }
    }

    /// What a human said about two records, when it speaks about their being the same or not.
    #[must_use]
    pub fn verdict_on(&self, a: RecordKey, b: RecordKey) -> Option<&Verdict> {
        verdict_on(self.verdicts, a, b)
    }
}

/// For everybody in a cluster who is not a deceased, the deceased of the cluster.
fn deceased_beside(cluster: &Cluster) -> Vec<(Node, Arc<[Node]>)> {
    let (deceased, others): (Vec<Node>, Vec<Node>) = cluster.nodes().partition(|node| node.role == Role::Deceased);
    if deceased.is_empty() {
        return Vec::new();
    }
    let deceased: Arc<[Node]> = deceased.into();
    others.into_iter().map(|node| (node, Arc::clone(&deceased))).collect()
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
