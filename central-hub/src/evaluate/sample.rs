//! The participants of a set: who they truly are, and whom they were found to be.

use std::collections::BTreeSet;

use hub_rules::node::Node;
use registry_schema::field::Role;
use registry_schema::ids::RecordKey;
use registry_schema::kind::Kind;

use super::measure::Member;

/// The person of whom no truth is known.
pub const UNKNOWN: u32 = u32::MAX;

/// The participants of a set, sorted, each with its true person as far as the truth tells.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    nodes: Vec<Node>,
    truth: Vec<u32>,
}

/// Where a score lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Zone {
    /// Linked without asking anyone.
    Automatic,
    /// A human decides.
    Review,
    /// Kept as a possibility only.
    Candidate,
}

/// A pair of participants that was compared, by their places in the sample, the lesser first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scored {
    /// One.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// The score in thousandths of a bit.
    pub millibits: i32,
    /// Where it lies.
    pub zone: Zone,
    /// Whether both are one person in the end.
    pub together: bool,
}

/// What a linking found in a sample.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// Pairs worth a word.
    pub scored: Vec<Scored>,
    /// The person of each participant; numbers mean nothing beyond being equal or not.
    pub found: Vec<u32>,
    /// Pairs that were compared.
    pub candidates: u64,
}

/// The role whose person an entry is about; marriages have two.
#[must_use]
pub const fn is_principal(role: Role) -> bool {
    matches!(role, Role::Child | Role::Husband | Role::Wife | Role::Deceased)
}

/// The kind of entry in which a role stands.
#[must_use]
pub const fn kind_of(role: Role) -> Option<Kind> {
    match role {
        Role::Child | Role::Mother | Role::Father => Some(Kind::Birth),
        Role::Husband | Role::Wife => Some(Kind::Marriage),
        Role::Deceased => Some(Kind::Death),
        Role::Entry | Role::Declarant => None,
    }
}

impl Sample {
    /// A sample without any truth yet.
    #[must_use]
    pub fn new(mut nodes: Vec<Node>) -> Self {
        nodes.sort_unstable();
        nodes.dedup();
        let truth = vec![UNKNOWN; nodes.len()];
        Self { nodes, truth }
    }

    /// The participants, sorted.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The true person of each participant, or [`UNKNOWN`].
    #[must_use]
    pub fn truth(&self) -> &[u32] {
        &self.truth
    }

    /// The place of a participant.
    #[must_use]
    pub fn place(&self, node: Node) -> Option<u32> {
        let place = self.nodes.binary_search(&node).ok()?;
        u32::try_from(place).ok()
    }

    /// The participants of a record.
    #[must_use]
    pub fn of_record(&self, key: RecordKey) -> &[Node] {
        let start = self.nodes.partition_point(|node| node.key < key);
        let length = self.nodes[start..].partition_point(|node| node.key == key);
        &self.nodes[start..start + length]
    }

    /// Notes the true person of a participant; `false` when another person was noted before, which then stands.
    pub fn note(&mut self, place: u32, person: u32) -> bool {
        let known = &mut self.truth[place as usize];
        if *known == UNKNOWN {
            *known = person;
        }
        *known == person
    }

    /// Whether two participants are truly one person; `None` where the truth does not tell.
    #[must_use]
    pub fn truly_one(&self, a: u32, b: u32) -> Option<bool> {
        let (a, b) = (self.truth[a as usize], self.truth[b as usize]);
        (a != UNKNOWN && b != UNKNOWN).then_some(a == b)
    }

    /// The participants whose person is known, by role.
    #[must_use]
    pub fn members(&self, links: &Links, wanted: impl Fn(Role) -> bool) -> Vec<Member> {
        let all = self.nodes.iter().zip(&self.truth).zip(&links.found);
        all.filter(|((node, truth), _)| wanted(node.role) && **truth != UNKNOWN)
            .map(|((node, truth), found)| Member { class: node.role.code(), truth: *truth, found: *found })
            .collect()
    }

    /// The entries as members of events, by kind: two entries of a kind are one event when they are about one person,
    /// and two marriages when they are about the same two.
    #[must_use]
    pub fn entries(&self, links: &Links) -> Vec<Member> {
        let events = self.events(links);
        let (truths, founds): (Events, Events) = events.into_iter().map(|event| (event.truth, event.found)).unzip();
        let kinds: Vec<u8> = truths.iter().map(|event| event.0).collect();
        let members = kinds.into_iter().zip(numbered(truths)).zip(numbered(founds));
        members.map(|((class, truth), found)| Member { class, truth, found }).collect()
    }

    fn events(&self, links: &Links) -> Vec<EntryEvent> {
        let mut events = Vec::new();
        let mut start = 0;
        for record in self.nodes.chunk_by(|a, b| a.key == b.key) {
            let places = start..start + record.len();
            start = places.end;
            let (mut truth, mut found) = (Vec::new(), Vec::new());
            for place in places.filter(|place| is_principal(self.nodes[*place].role)) {
                truth.push(self.truth[place]);
                found.push(links.found[place]);
            }
            let kind = kind_of(record[0].role).map_or(0, Kind::code);
            if let Some(&first) = truth.first()
                && !truth.contains(&UNKNOWN)
            {
                let event = |persons: &[u32], first| (kind, first, persons.get(1).copied().unwrap_or(UNKNOWN));
                events.push(EntryEvent { truth: event(&truth, first), found: event(&found, found[0]) });
            }
        }
        events
    }

    /// Whether a pair is of two entries of one kind, and of their persons in the same role.
    #[must_use]
    pub fn is_same_principal(&self, pair: &Scored) -> bool {
        let (a, b) = (self.nodes[pair.a as usize].role, self.nodes[pair.b as usize].role);
        a == b && is_principal(a)
    }

    /// Pairs of entries of which somebody must say whether they are one event: how many, and how many of them are.
    #[must_use]
    pub fn entries_in_review(&self, links: &Links) -> (u64, u64) {
        let mut open = BTreeSet::new();
        for pair in links.scored.iter().filter(|pair| pair.zone == Zone::Review && self.is_same_principal(pair)) {
            let (a, b) = (self.nodes[pair.a as usize].key, self.nodes[pair.b as usize].key);
            let linked = self.about(a).zip(self.about(b)).all(|(a, b)| links.found[a] == links.found[b]);
            if !linked && self.about(a).chain(self.about(b)).all(|place| self.truth[place] != UNKNOWN) {
                let right = self.about(a).zip(self.about(b)).all(|(a, b)| self.truth[a] == self.truth[b]);
                open.insert((a.min(b), a.max(b), right));
            }
        }
        let right = open.iter().filter(|(_, _, right)| *right).count();
        (open.len() as u64, right as u64)
    }

    /// The places of those whom an entry is about.
    fn about(&self, key: RecordKey) -> impl Iterator<Item = usize> {
        let start = self.nodes.partition_point(|node| node.key < key);
        let nodes = self.nodes[start..].iter().take_while(move |node| node.key == key);
        nodes.zip(start..).filter(|(node, _)| is_principal(node.role)).map(|(_, place)| place)
    }

    /// Pairs of participants of which somebody must say whether they are one person: how many, and how many are.
    #[must_use]
    pub fn persons_in_review(&self, links: &Links, wanted: impl Fn(Role, Role) -> bool) -> (u64, u64) {
        let open = links.scored.iter().filter(|pair| {
            let roles = (self.nodes[pair.a as usize].role, self.nodes[pair.b as usize].role);
            pair.zone == Zone::Review && !pair.together && wanted(roles.0, roles.1)
        });
        open.filter_map(|pair| self.truly_one(pair.a, pair.b))
            .fold((0, 0), |(all, right), truly| (all + 1, right + u64::from(truly)))
    }
}

/// An event: the code of its kind, and whom it is about.
type Event = (u8, u32, u32);
type Events = Vec<Event>;

struct EntryEvent {
    truth: Event,
    found: Event,
}

/// Equal events get equal numbers.
fn numbered(events: Events) -> Vec<u32> {
    let mut distinct = events.clone();
    distinct.sort_unstable();
    distinct.dedup();
    events.into_iter().map(|event| distinct.partition_point(|other| *other < event) as u32).collect()
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::measure::{self, Tally};
    use super::*;

    /// A sample from lines such as `1#child 7 3`: a participant, its true person (`-` unknown) and the one found.
    pub(crate) fn sample(lines: &[&str]) -> (Sample, Links) {
        let mut rows: Vec<(Node, u32, u32)> = lines.iter().map(|line| row(line)).collect();
        rows.sort_unstable();
        let mut sample = Sample::new(rows.iter().map(|row| row.0).collect());
        for (place, (_, truth, _)) in (0..).zip(&rows) {
            sample.note(place, *truth);
        }
        let links = Links { found: rows.iter().map(|row| row.2).collect(), ..Links::default() };
        (sample, links)
    }

    fn row(line: &str) -> (Node, u32, u32) {
        let words: Vec<&str> = line.split(' ').collect();
        let node = format!("01@2008/{}", words[0]).parse().unwrap();
        (node, words[1].parse().unwrap_or(UNKNOWN), words[2].parse().unwrap())
    }

    pub(crate) fn scored(sample: &Sample, a: &str, b: &str, bits: i32, zone: Zone, together: bool) -> Scored {
        let place = |text: &str| sample.place(format!("01@2008/{text}").parse().unwrap()).unwrap();
        Scored { a: place(a), b: place(b), millibits: bits * 1000, zone, together }
    }

    fn entries(lines: &[&str]) -> Tally {
        let (sample, links) = sample(lines);
        measure::pairs(&sample.entries(&links)).into_values().sum()
    }

    #[test]
    fn entries_are_one_event_when_they_are_about_the_same_people() {
        let tally = |truly, found, right| Tally { truly, found, right };
        assert_eq!(entries(&["1#child 1 1", "2#child 1 1", "3#deceased 1 1"]), tally(1, 1, 1));
        let wedding = ["1#husband 1 1", "1#wife 2 2", "2#husband 1 1", "2#wife 2 3"];
        assert_eq!(entries(&wedding), tally(1, 0, 0));
        let second = ["1#husband 1 1", "1#wife 2 2", "2#husband 1 1", "2#wife 3 3"];
        assert_eq!(entries(&second), tally(0, 0, 0));
        assert_eq!(entries(&["1#child 1 1", "1#mother 5 5", "2#child 1 2", "2#mother 5 5"]), tally(1, 0, 0));
        assert_eq!(entries(&["1#child - 1", "2#child 1 1"]), tally(0, 0, 0));
    }

    #[test]
    fn a_marriage_waits_once_for_both_spouses() {
        let (sample, mut links) = sample(&["1#husband 1 1", "1#wife 2 2", "2#husband 1 3", "2#wife 2 4"]);
        links.scored = vec![
            scored(&sample, "1#husband", "2#husband", 3, Zone::Review, false),
            scored(&sample, "1#wife", "2#wife", 2, Zone::Review, false),
        ];
        assert_eq!(sample.entries_in_review(&links), (1, 1));
        assert_eq!(sample.persons_in_review(&links, |_, _| true), (2, 2));
    }
}
