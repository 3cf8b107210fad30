//! Who is who among a whole set at once, with the very functions that the incremental judgement uses.
//!
//! It serves to measure the judgement against a truth, and sets from elsewhere under an edition of their own.

use std::collections::{BTreeSet, HashMap};

use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::ids::RecordKey;
use registry_schema::record::Record;

use crate::keys;
use crate::matching::{Edition, Profile, Side, Thresholds, Waterfall, Zone, kept_apart, relate, score};
use crate::node::Node;
use crate::persons::{Edge, solve};
use crate::reading::Entry;

/// Entries as matching sees them, to be linked all at once.
#[derive(Debug)]
pub struct Linker {
    edition: Edition,
    profiles: Vec<Profile>,
    ages: Vec<(bool, Option<PartialDate>, RecordKey)>,
    places: HashMap<RecordKey, usize>,
}

/// Two participants that scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoredPair {
    /// The lesser participant.
    pub a: Node,
    /// The greater one.
    pub b: Node,
    /// The score.
    pub millibits: i32,
    /// Where it lands.
    pub zone: Zone,
    /// Whether both are one person in the end.
    pub together: bool,
}

/// Who is who.
#[derive(Debug)]
pub struct Linked {
    /// Every pair that was found alike, in the order of the participants.
    pub pairs: Vec<ScoredPair>,
    /// Persons of two or more participants.
    pub persons: Vec<Vec<Node>>,
    /// Pairs of entries that share a block: what was compared.
    pub candidates: u64,
}

impl Linker {
    /// A linker under an edition.
    #[must_use]
    pub fn new(edition: &Edition) -> Self {
        Self { edition: edition.clone(), profiles: Vec::new(), ages: Vec::new(), places: HashMap::new() }
    }

    /// Adds an entry; a compact profile of it is kept.
    pub fn push(&mut self, key: RecordKey, record: &Record) {
        self.places.insert(key, self.profiles.len());
        self.profiles.push(Profile::of(key, record, &self.edition));
        self.ages.push(Entry { key, record }.age());
    }

    /// How many entries were added.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.profiles.len()
    }

    /// Whether none was.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    /// The edition under which the entries are compared.
    #[must_use]
    pub const fn edition(&self) -> &Edition {
        &self.edition
    }

    /// Of a hundred people, how many bear a family name and a given name that the edition knows; fillers do not count.
    #[must_use]
    pub fn names_known_percent(&self) -> usize {
        let people = self.profiles.iter().flat_map(|profile| &profile.people).filter_map(|person| person.name.as_ref());
        let known =
            people.clone().filter(|name| name.given().known && name.family().is_some_and(|family| family.known));
        known.count() * 100 / people.count().max(1)
    }

    /// Moves the thresholds, to see what others would give.
    pub const fn set_thresholds(&mut self, thresholds: Thresholds) {
        self.edition.thresholds = thresholds;
    }

    /// Estimates frequencies and weights from the entries themselves, for sets that no frozen edition speaks of.
    pub fn fit(&mut self) {
        self.edition.fit_frequencies(&mut self.profiles);
        for _ in 0..FIT_ROUNDS {
            let linked = self.link(|_, _| {});
            let together = || linked.pairs.iter().filter(|pair| pair.together);
            let scores: Vec<_> = together().filter_map(|pair| self.score(pair.a, pair.b)).collect();
            let mut edition = self.edition.clone();
            edition.fit_weights(&scores, &self.profiles);
            edition.fit_variants(together().filter_map(|pair| Some((self.side(pair.a)?, self.side(pair.b)?))));
            self.edition = edition;
        }
    }

    /// Compares everything that shares a block and solves who is who; `progress` hears of pairs done, and of how many.
    pub fn link(&self, mut progress: impl FnMut(usize, usize)) -> Linked {
        let (pairs, candidates) = self.candidate_pairs();
        let mut edges = Vec::new();
        let mut scored = Vec::new();
        for (done, pair) in pairs.iter().enumerate() {
            if done % PAIRS_PER_NEWS == 0 {
                progress(done, pairs.len());
            }
            let (a, b) = pair.nodes(&self.profiles);
            let (Some(one), Some(other)) = (self.side(a), self.side(b)) else { continue };
            if let Some(relation) = relate(one, other, &self.edition) {
                let pair = (a.min(b), a.max(b));
                edges.push(Edge { pair, likeness: relation.likeness, strength: relation.strength });
                let zone = Zone::of(Some(relation.likeness));
                let millibits = relation.score.map_or(relation.strength, |score| score.millibits);
                scored.push(ScoredPair { a: pair.0, b: pair.1, millibits, zone, together: false });
            }
        }
        let persons = self.solve(&edges);
        let mut person_of = HashMap::new();
        for (number, nodes) in persons.iter().enumerate() {
            person_of.extend(nodes.iter().map(|node| (*node, number)));
        }
        for pair in &mut scored {
            let person = person_of.get(&pair.a);
            pair.together = person.is_some() && person == person_of.get(&pair.b);
        }
        scored.sort_unstable_by_key(|pair| (pair.a, pair.b));
        Linked { pairs: scored, persons, candidates }
    }

    /// The score of two participants in words, whether they share a block or not.
    #[must_use]
    pub fn explain(&self, a: Node, b: Node) -> Option<Waterfall> {
        let (one, other) = (self.side(a)?, self.side(b)?);
        Some(Waterfall::of(&score(one, other, &self.edition), relate(one, other, &self.edition).as_ref()))
    }

    fn score(&self, a: Node, b: Node) -> Option<crate::matching::Score> {
        Some(score(self.side(a)?, self.side(b)?, &self.edition))
    }

    fn solve(&self, edges: &[Edge]) -> Vec<Vec<Node>> {
        let nodes: BTreeSet<Node> = edges.iter().flat_map(|edge| [edge.pair.0, edge.pair.1]).collect();
        let apart = |a: &Option<Side<'_>>, b: &Option<Side<'_>>| match (a, b) {
            (Some(a), Some(b)) => kept_apart(*a, *b, &self.edition),
            _ => true,
        };
        let age = |node: Node| (self.ages[self.places[&node.key]], node.role);
        let clusters = solve(nodes, edges, |node| self.side(node), apart, age);
        let persons = clusters.into_iter().flat_map(|cluster| cluster.persons);
        persons.filter(|nodes| nodes.len() > 1).collect()
    }

    fn side(&self, node: Node) -> Option<Side<'_>> {
        Side::new(&self.profiles[*self.places.get(&node.key)?], node.role)
    }

    /// Every pair of participants whose entries share a block, and how many pairs of entries that are.
    fn candidate_pairs(&self) -> (Vec<Pair>, u64) {
        let mut blocks: Vec<(i64, u32, Role)> = Vec::new();
        for (at, profile) in (0_u32..).zip(&self.profiles) {
            blocks.extend(keys::of(profile, &self.edition).into_iter().map(|(block, node)| (block, at, node.role)));
        }
        blocks.sort_unstable_by_key(|(block, at, role)| (*block, *at, role.code()));
        let mut pairs = Vec::new();
        for block in blocks.chunk_by(|one, other| one.0 == other.0) {
            for (at, one) in block.iter().enumerate() {
                block[at + 1..].iter().for_each(|other| self.pair(one, other, &mut pairs));
            }
            if pairs.len() > PAIRS_PER_SWEEP {
                pairs.sort_unstable();
                pairs.dedup();
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        let candidates = pairs.chunk_by(|one, other| one.entries() == other.entries()).count() as u64;
        (pairs, candidates)
    }

    fn pair(&self, one: &(i64, u32, Role), other: &(i64, u32, Role), pairs: &mut Vec<Pair>) {
        if one.1 == other.1 {
            return;
        }
        match (one.2, other.2) {
            (Role::Entry, Role::Entry) => {
                let roles = self.profiles[one.1 as usize].roles();
                let both = roles.filter(|role| self.profiles[other.1 as usize].person(*role).is_some());
                pairs.extend(both.map(|role| Pair::new((one.1, role), (other.1, role))));
            }
            (Role::Entry, _) | (_, Role::Entry) => {}
            (role, of) => pairs.push(Pair::new((one.1, role), (other.1, of))),
        }
    }
}

/// Pairs between two words to whoever waits.
const PAIRS_PER_NEWS: usize = 1 << 16;
/// Pairs after which those that were found in several blocks are dropped, to bound memory: 256 MB.
const PAIRS_PER_SWEEP: usize = 1 << 24;
/// How often weights are estimated again; they hardly move after the second time.
const FIT_ROUNDS: usize = 2;

/// Two participants by the places of their entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    entries: (u32, u32),
    roles: (u8, u8),
}

impl Pair {
    fn new(a: (u32, Role), b: (u32, Role)) -> Self {
        let (a, b) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        Self { entries: (a.0, b.0), roles: (a.1.code(), b.1.code()) }
    }

    const fn entries(&self) -> (u32, u32) {
        self.entries
    }

    fn nodes(&self, profiles: &[Profile]) -> (Node, Node) {
        let node = |at: u32, code| Node::new(profiles[at as usize].key, Role::from_code(code).unwrap_or(Role::Entry));
        (node(self.entries.0, self.roles.0), node(self.entries.1, self.roles.1))
    }
}
