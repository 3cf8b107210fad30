//! A person as named on one record: the points that matching joins.

use registry_schema::digest::hash63;
use registry_schema::field::Role;
use registry_schema::ids::{PersonId, RecordKey};
use serde::Serialize;

/// A participant of a record, or (with [`Role::Entry`]) the record as an entry of its book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The record.
    pub key: RecordKey,
    /// The part in it.
    pub role: Role,
}

impl Node {
    /// The part of a record.
    #[must_use]
    pub const fn new(key: RecordKey, role: Role) -> Self {
        Self { key, role }
    }

    /// The number that names this participant for ever; a person bears the one of its oldest participant.
    #[must_use]
    pub fn surrogate(self) -> i64 {
        hash63(
            "hotich person 1",
            &[&self.key.origin.number().to_be_bytes(), &self.key.id.number().to_be_bytes(), &[self.role.code()]],
        )
    }

    /// The person and the cluster of a participant that is like no other.
    #[must_use]
    pub fn alone(self) -> Membership {
        let surrogate = self.surrogate();
        Membership { cluster: surrogate, person: PersonId(surrogate) }
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.key, self.role.name())
    }
}

impl std::str::FromStr for Node {
    type Err = registry_schema::ids::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, role) = text.split_once('#').unwrap_or((text, ""));
        Ok(Self { key: key.parse()?, role: Role::parse(role).unwrap_or(Role::Entry) })
    }
}

impl Serialize for Node {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a participant belongs.
///
/// A cluster holds every participant that is connected by likeness, whatever speaks against it; inside it, persons are
/// what remains connected once the cannot-links are respected. Participants that are like no other are not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The least surrogate of the cluster.
    pub cluster: i64,
    /// The national person.
    pub person: PersonId,
}
