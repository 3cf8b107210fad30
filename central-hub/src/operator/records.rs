//! One record with its history.

use hub_rules::finding::{Evidence, FindingId, Rule};
use hub_rules::node::Node;
use hub_rules::reading::{Reading, Standing};
use hub_rules::verdict::Answer;
use hub_store::model::RecordView;
use hub_store::{NationalStore, StoreError};
use registry_schema::canonical;
use registry_schema::field::{Field, Protection, Role};
use registry_schema::ids::{PersonId, RecordKey};
use registry_schema::kind::Kind;
use registry_schema::natural_key::NaturalKey;
use registry_schema::violation::ViolationReport;
use serde::Serialize;

use super::rfc3339;

/// A record as an operator sees it. Holds personal data: for the screen of who asked, not for logs.
#[derive(Debug, Serialize)]
pub struct RecordReport {
    /// Which record.
    pub record: RecordKey,
    /// Its kind, when it is known.
    pub kind: Option<Kind>,
    /// How it stands.
    pub standing: Standing,
    /// Its place in the books.
    pub natural_key: Option<String>,
    /// The fields of its present state.
    pub fields: Vec<FieldReport>,
    /// What is wrong with its present state.
    pub violations: Vec<ViolationReport>,
    /// Every state, oldest first.
    pub versions: Vec<VersionReport>,
    /// Its people.
    pub participants: Vec<ParticipantReport>,
    /// Links and cases that concern it.
    pub findings: Vec<FindingReport>,
}

/// What is shown in the place of a sensitive value to whom may not see it.
pub(in crate::operator) const WITHHELD: &str = "(withheld: sensitive)";

/// Whether the field of this name is shown only to whom was given sensitive fields.
pub(in crate::operator) fn is_sensitive(field: &str) -> bool {
    Field::parse(field).is_none_or(|field| field.protection() == Protection::Sensitive)
}

impl RecordReport {
    /// The same without what sensitive fields say; that they say something stays.
    #[must_use]
    pub fn without_sensitive(mut self) -> Self {
        for field in self.fields.iter_mut().filter(|field| is_sensitive(&field.field)) {
            WITHHELD.clone_into(&mut field.value);
        }
        self
    }
}

/// One field.
#[derive(Debug, Serialize)]
pub struct FieldReport {
    /// Its name.
    pub field: String,
    /// What it says.
    pub value: String,
}

/// One state.
#[derive(Debug, Serialize)]
pub struct VersionReport {
    /// The version.
    pub version: u32,
    /// When its province sealed it.
    pub sealed_at: Option<String>,
    /// SHA-256 of its canonical bytes.
    pub content_hash: String,
    /// Whether it is valid.
    pub valid: bool,
    /// Whether it is the present one.
    pub present: bool,
}

/// One participant and the national person it belongs to.
#[derive(Debug, Serialize)]
pub struct ParticipantReport {
    /// The part in the record.
    pub role: String,
    /// The national person.
    pub person: PersonId,
}

/// A link or a case, in short.
#[derive(Debug, Serialize)]
pub struct FindingReport {
    /// Its id.
    pub id: FindingId,
    /// Its rule.
    pub rule: Rule,
    /// link or case.
    pub certainty: hub_rules::finding::Certainty,
    /// Whether a human must still decide.
    pub open: bool,
    /// The records concerned.
    pub records: Vec<RecordKey>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What a human answered.
    pub answer: Option<Answer>,
}

impl From<hub_rules::finding::Finding> for FindingReport {
    fn from(finding: hub_rules::finding::Finding) -> Self {
        Self {
            id: finding.id,
            rule: finding.rule,
            certainty: finding.certainty,
            open: finding.is_open(),
            records: finding.records,
            evidence: finding.evidence,
            answer: finding.answer,
        }
    }
}

/// Reads a record.
///
/// # Errors
/// The store cannot be read.
pub async fn record<S: NationalStore>(store: &S, key: RecordKey) -> Result<Option<RecordReport>, StoreError> {
    Ok(store.record(key).await?.map(report))
}

fn report(view: RecordView) -> RecordReport {
    let fields = canonical::decode(&view.present.canonical).map(|(draft, _)| {
        draft.iter().map(|(field, value)| FieldReport { field: field.name(), value: value.to_owned() }).collect()
    });
    let reading = Reading::of(view.key, view.present.clone());
    let participants = reading.content.as_ref().map(|(record, _)| participants(&view, record)).unwrap_or_default();
    let natural_key = reading.content.as_ref().ok().and_then(|(record, _)| NaturalKey::of(record, view.key.origin));
    let mut versions: Vec<VersionReport> =
        view.past.iter().map(|(state, valid)| version(state, *valid, false)).collect();
    versions.push(version(&view.present, reading.is_valid(), true));
    versions.sort_by_key(|version| (version.version, version.present));
    RecordReport {
        record: view.key,
        kind: Kind::from_code(reading.kind_code()),
        standing: view.standing,
        natural_key: natural_key.map(|key| key.to_string()),
        fields: fields.unwrap_or_default(),
        violations: reading.content.err().unwrap_or_default(),
        versions,
        participants,
        findings: view.findings.into_iter().map(FindingReport::from).collect(),
    }
}

fn participants(view: &RecordView, record: &registry_schema::record::Record) -> Vec<ParticipantReport> {
    let person = |role: Role| {
        let node = Node::new(view.key, role);
        let known = view.members.iter().find(|(member, _)| *member == node);
        known.map_or_else(|| node.alone().person, |(_, membership)| membership.person)
    };
    record
        .participants()
        .map(|part| ParticipantReport { role: part.role.name().to_owned(), person: person(part.role) })
        .collect()
}

fn version(state: &hub_rules::State, valid: bool, present: bool) -> VersionReport {
    VersionReport {
        version: state.version.0,
        sealed_at: rfc3339(i64::try_from(state.clock.unix_ms()).ok()),
        content_hash: state.content_hash.to_string(),
        valid,
        present,
    }
}
