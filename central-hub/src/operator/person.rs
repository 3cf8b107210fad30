//! One person: the entries they stand in, and the life that these tell.

use std::collections::{BTreeMap, BTreeSet};

use hub_rules::finding::Certainty;
use hub_rules::life::{Appearance, CivilStatus, Death, Event, Life, Turn, death, life};
use hub_rules::node::Node;
use hub_rules::reading::{Entry, Reading};
use hub_store::{NationalStore, StoreError};
use registry_schema::date::PartialDate;
use registry_schema::field::Role;
use registry_schema::ids::{PersonId, RecordKey};
use registry_schema::kind::Kind;
use serde::Serialize;

/// A national person: what is known of a life, oldest event first. Holds personal data: for the screen of who asked.
#[derive(Debug, Serialize)]
pub struct PersonReport {
    /// The person.
    pub person: PersonId,
    /// What the events leave the person as.
    pub civil_status: CivilStatus,
    /// What happened; what several entries say counts once.
    pub life: Vec<EventReport>,
    /// The entries the person stands in.
    pub entries: Vec<EntryReport>,
}

/// One event of a life.
#[derive(Debug, Serialize)]
pub struct EventReport {
    /// What happened.
    pub event: Turn,
    /// When, as far as it is known.
    pub date: Option<String>,
    /// The entries that say so.
    pub records: Vec<RecordKey>,
    /// The other spouse, as named on an entry of the marriage.
    pub spouse: Option<Node>,
}

/// One entry in which the person stands.
#[derive(Debug, Serialize)]
pub struct EntryReport {
    /// The record.
    pub record: RecordKey,
    /// The part in it.
    pub role: String,
    /// The kind of event.
    pub kind: Kind,
    /// When it happened, as far as it is known.
    pub date: Option<String>,
    /// The person's name as written there.
    pub name: String,
}

/// Reads a person, by id or by a participant of a record.
///
/// # Errors
/// The store cannot be read.
pub async fn person<S: NationalStore>(
    store: &S,
    which: Result<PersonId, Node>,
) -> Result<Option<PersonReport>, StoreError> {
    let Some((person, nodes)) = store.person(which).await? else { return Ok(None) };
    let own = Entries::load(store, nodes).await?;
    let mut deaths: BTreeMap<Node, Death> = BTreeMap::new();
    for spouse in own.spouses() {
        let Some((_, nodes)) = store.person(Err(spouse)).await? else { continue };
        let entries = Entries::load(store, nodes).await?;
        deaths.extend(entries.death().map(|death| (spouse, death)));
    }
    let life = own.life(|spouse| deaths.get(&spouse).copied());
    let entries = own.report();
    Ok((!entries.is_empty()).then(|| PersonReport {
        person,
        civil_status: life.status,
        life: life.events.into_iter().map(event).collect(),
        entries,
    }))
}

fn event(event: Event) -> EventReport {
    EventReport {
        event: event.turn,
        date: event.date.map(|date| date.to_string()),
        records: event.records,
        spouse: event.spouse,
    }
}

/// The entries in which one person stands, and which of them are linked.
struct Entries {
    parts: Vec<(Node, Reading)>,
    links: BTreeSet<(RecordKey, RecordKey)>,
}

impl Entries {
    async fn load<S: NationalStore>(store: &S, nodes: Vec<Node>) -> Result<Self, StoreError> {
        let (mut parts, mut links) = (Vec::new(), BTreeSet::new());
        for node in nodes {
            let Some(view) = store.record(node.key).await? else { continue };
            parts.push((node, Reading::of(node.key, view.present)));
            for finding in view.findings.iter().filter(|finding| finding.certainty == Certainty::Link) {
                links.extend(finding.records.iter().map(|other| (node.key, *other)));
            }
        }
        Ok(Self { parts, links })
    }

    fn parts(&self) -> Vec<Appearance<'_>> {
        let in_force = self.parts.iter().filter_map(|(node, reading)| Some((node, reading.in_force()?)));
        in_force
            .filter_map(|(node, record)| {
                let person = record.participant(node.role)?;
                Some(Appearance { entry: Entry { key: node.key, record }, person })
            })
            .collect()
    }

    /// The other spouse of each marriage of the person.
    fn spouses(&self) -> impl Iterator<Item = Node> + '_ {
        self.parts.iter().filter_map(|(node, _)| match node.role {
            Role::Husband => Some(Node::new(node.key, Role::Wife)),
            Role::Wife => Some(Node::new(node.key, Role::Husband)),
            _ => None,
        })
    }

    fn linked(&self, a: RecordKey, b: RecordKey) -> bool {
        self.links.contains(&(a, b))
    }

    fn death(&self) -> Option<Death> {
        death(&self.parts(), |a, b| self.linked(a, b))
    }

    fn life(&self, death_of: impl Fn(Node) -> Option<Death>) -> Life {
        life(&self.parts(), |a, b| self.linked(a, b), death_of)
    }

    fn report(&self) -> Vec<EntryReport> {
        let mut entries: Vec<_> = self.parts().into_iter().map(entry).collect();
        entries.sort_by_key(|(date, entry)| (*date, entry.record));
        entries.into_iter().map(|(_, entry)| entry).collect()
    }
}

fn entry(part: Appearance<'_>) -> (Option<PartialDate>, EntryReport) {
    let date = part.entry.record.event_date();
    let report = EntryReport {
        record: part.entry.key,
        role: part.person.role.name().to_owned(),
        kind: part.entry.record.kind(),
        date: date.map(|date| date.to_string()),
        name: part.person.name.as_written().to_owned(),
    };
    (date, report)
}
