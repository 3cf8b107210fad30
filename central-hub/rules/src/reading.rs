//! A state with its content understood, as far as it can be.

use registry_schema::canonical;
use registry_schema::ids::RecordKey;
use registry_schema::kind::Status;
use registry_schema::natural_key::NaturalKey;
use registry_schema::record::Record;
use registry_schema::violation::ViolationReport;
use serde::{Deserialize, Serialize};

use crate::arrival::{Rank, State};
use crate::keys;
use crate::matching::{Edition, Profile};
use crate::node::Node;

/// How a record stands in the nation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Its present state is valid and in force.
    Active,
    /// Its present state says that it was withdrawn.
    Cancelled,
    /// No state of it was ever valid.
    Rejected,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 3] = [Self::Active, Self::Cancelled, Self::Rejected];

    /// The stored number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Active => 1,
            Self::Cancelled => 2,
            Self::Rejected => 3,
        }
    }

    /// The standing with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.number() == number)
    }

    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }
}

/// A state and what it says: a valid record, or the reasons why it is none.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The state as it arrived.
    pub state: State,
    /// What it says.
    pub content: Result<(Record, Status), Vec<ViolationReport>>,
    /// The record in force as matching sees it, worked out once.
    profile: Option<Box<Profile>>,
    blocks: Vec<(i64, Node)>,
}

impl Reading {
    /// Reads a state. This is the only place where the nation's judgement looks into canonical bytes.
    #[must_use]
    pub fn of(key: RecordKey, state: State) -> Self {
        let content: Result<(Record, Status), _> = match canonical::decode(&state.canonical) {
            Ok((draft, status)) => Record::validate(&draft)
                .map(|record| (record, status))
                .map_err(|violations| violations.iter().map(|violation| violation.report()).collect()),
            Err(error) => Err(vec![ViolationReport {
                field: "entry".to_owned(),
                english: format!("the entry cannot be read: {error}"),
                vietnamese: format!("không đọc được bản ghi: {error}"),
            }]),
        };
        let mut reading = Self { state, content, profile: None, blocks: Vec::new() };
        if let Some(record) = reading.in_force() {
            let edition = Edition::national();
            let profile = Profile::of(key, record, edition);
            reading.blocks = keys::of(&profile, edition);
            reading.profile = Some(Box::new(profile));
        }
        reading
    }

    /// Whether the state can be in force.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        self.content.is_ok()
    }

    /// The rank that decides which state is present: a valid one before any invalid one, then the later.
    #[must_use]
    pub const fn rank(&self) -> (bool, Rank) {
        (self.is_valid(), self.state.rank())
    }

    /// How the record stands while this is its present state.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        match &self.content {
            Ok((_, Status::Active)) => Standing::Active,
            Ok((_, Status::Cancelled)) => Standing::Cancelled,
            Err(_) => Standing::Rejected,
        }
    }

    /// The record, when it is in force: only such records are matched and judged against others.
    #[must_use]
    pub const fn in_force(&self) -> Option<&Record> {
        match &self.content {
            Ok((record, Status::Active)) => Some(record),
            _ => None,
        }
    }

    /// The kind's code, as far as the bytes tell; 0 when they do not.
    #[must_use]
    pub fn kind_code(&self) -> u8 {
        match &self.content {
            Ok((record, _)) => record.kind().code(),
            Err(_) => self.state.canonical.get(1).copied().unwrap_or(0),
        }
    }

    /// The block keys of the record in force, with the part of it that stands in each block.
    #[must_use]
    pub fn blocks(&self) -> &[(i64, Node)] {
        &self.blocks
    }

    /// The block of the natural key of the record in force.
    #[must_use]
    pub fn natural_block(&self) -> Option<i64> {
        self.profile.as_ref()?.natural
    }

    /// The record in force as matching sees it.
    #[must_use]
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_deref()
    }
}

/// A record in force with its key, as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The record's key.
    pub key: RecordKey,
    /// What it says.
    pub record: &'a Record,
}

impl Entry<'_> {
    /// Oldest first: by registration date (unknown dates last), then by key.
    #[must_use]
    pub fn age(&self) -> (bool, Option<registry_schema::date::PartialDate>, RecordKey) {
        let date = self.record.registration.date;
        (date.is_none(), date, self.key)
    }

    /// The natural key, when the entry has one.
    #[must_use]
    pub fn natural_key(&self) -> Option<NaturalKey> {
        NaturalKey::of(self.record, self.key.origin)
    }
}
