//! What the journal hands to the judgement: states of records, and human verdicts.

use std::fmt;
use std::sync::Arc;

use registry_schema::clock::Hlc;
use registry_schema::digest::{Hash256, change_hash, content_hash};
use registry_schema::holdings::{Bucket, Held};
use registry_schema::ids::{RecordKey, Version};

use crate::verdict::Verdict;

/// One thing that arrived in the journal.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A province sent a state of one of its records.
    State(RecordKey, State),
    /// An operator answered a case.
    Verdict(Verdict),
}

/// One state of a record, as it was sealed by its province.
///
/// States of one record are ordered by version, then clock, then content hash: a total order that every hub computes
/// alike, whatever arrived first.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    /// Counted by the province from 1.
    pub version: Version,
    /// When the province sealed it.
    pub clock: Hlc,
    /// SHA-256 of `canonical`.
    pub content_hash: Hash256,
    /// The entry in canonical bytes.
    pub canonical: Arc<[u8]>,
}

/// The rank of a state among the states of its record.
pub type Rank = (Version, Hlc, Hash256);

impl State {
    /// A state with these canonical bytes.
    #[must_use]
    pub fn new(version: Version, clock: Hlc, canonical: impl Into<Arc<[u8]>>) -> Self {
        let canonical = canonical.into();
        Self { version, clock, content_hash: content_hash(&canonical), canonical }
    }

    /// Where the state stands among the states of its record.
    #[must_use]
    pub const fn rank(&self) -> Rank {
        (self.version, self.clock, self.content_hash)
    }

    /// The name under which a holding knows the state.
    #[must_use]
    pub fn held(&self) -> Held {
        let bucket = Bucket::of(&self.canonical);
        Held { version: self.version, clock: self.clock, content: self.content_hash, bucket }
    }

    /// The hash that stands for this state of this record.
    #[must_use]
    pub fn change_hash(&self, key: RecordKey) -> Hash256 {
        change_hash(key, self.version, self.clock, &self.content_hash)
    }
}

impl fmt::Debug for State {
    /// Shows which state it is, and nothing of what the entry says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("version", &self.version)
            .field("clock", &self.clock)
            .field("content_hash", &self.content_hash)
            .field("canonical_bytes", &self.canonical.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use registry_schema::canonical;
    use registry_schema::draft::Draft;
    use registry_schema::field::{Attribute, Field, Role};
    use registry_schema::kind::{Kind, Status};
    use registry_schema::record::Record;

    use super::*;
    use crate::matching::{Edition, Profile};

    /// What is printed of an entry holds none of its texts, neither as letters nor as bytes.
    fn check(what: &str, printed: &str) {
        assert!(!printed.to_lowercase().contains("zxqvanh"), "{what}: {printed}");
        assert!(!printed.contains("120, 113, 118"), "{what}: {printed}");
    }

    #[test]
    fn what_arrived_and_what_matching_sees_of_it_print_nobodys_name() {
        let person = |attribute| Field::new(Role::Deceased, attribute);
        let draft = [Attribute::Name, Attribute::PaperNumber, Attribute::Origin, Attribute::Residence]
            .into_iter()
            .fold(Draft::new(Kind::Death), |draft, attribute| draft.with(person(attribute), "Zxqvanh Wkjtbinh"))
            .with(Field::entry(Attribute::EventPlace), "Zxqvanh")
            .with(Field::entry(Attribute::Authority), "01.00001");
        let key: RecordKey = "01@2008/1".parse().unwrap();
        let state = State::new(Version(1), Hlc::default(), canonical::encode(&draft, Status::Active));
        check("a state", &format!("{state:?} {state:#?}"));
        check("an arrival", &format!("{:?}", Arrival::State(key, state)));
        let profile = Profile::of(key, &Record::validate(&draft).unwrap(), Edition::national());
        check("a profile", &format!("{profile:?}"));
    }
}
