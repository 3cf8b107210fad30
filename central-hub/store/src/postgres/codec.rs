//! Between rows and values. A value that this program did not write there is reported as damage, never guessed.

use std::sync::Arc;

use hub_rules::State;
use hub_rules::finding::{Certainty, Finding, FindingId, Rule};
use hub_rules::node::{Membership, Node};
use hub_rules::reading::Standing;
use hub_rules::verdict::{Answer as Verdictum, Verdict};
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::field::Role;
use registry_schema::ids::{Lane, Origin, PersonId, RecordId, RecordKey, Version};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::error::{Fault, Outcome};

/// The value of a column.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, at: usize) -> Outcome<T> {
    row.try_get(at).map_err(|_| Fault::Damaged("a column"))
}

/// A small number of a column.
pub(super) fn small(row: &Row, at: usize) -> Outcome<u8> {
    u8::try_from(get::<i16>(row, at)?).map_err(|_| Fault::Damaged("a small number"))
}

/// An unsigned number, stored as the signed one with the same bits.
pub(super) fn unsigned(row: &Row, at: usize) -> Outcome<u64> {
    Ok(get::<i64>(row, at)?.cast_unsigned())
}

pub(super) fn origin(row: &Row, at: usize) -> Outcome<Origin> {
    let number = u16::try_from(get::<i16>(row, at)?).ok();
    number.and_then(Origin::from_number).ok_or(Fault::Damaged("a province's number"))
}

pub(super) fn lane(row: &Row, at: usize) -> Outcome<Lane> {
    Lane::from_number(small(row, at)?).ok_or(Fault::Damaged("a lane"))
}

pub(super) fn standing(row: &Row, at: usize) -> Outcome<Standing> {
    Standing::from_number(small(row, at)?).ok_or(Fault::Damaged("a record's standing"))
}

pub(super) fn hash(row: &Row, at: usize) -> Outcome<Hash256> {
    Hash256::from_slice(get(row, at)?).ok_or(Fault::Damaged("a hash"))
}

pub(super) fn record_id(row: &Row, at: usize) -> Outcome<RecordId> {
    RecordId::from_number(get(row, at)?).ok_or(Fault::Damaged("a record's key"))
}

/// Columns `at` and `at + 1`: province and record.
pub(super) fn key(row: &Row, at: usize) -> Outcome<RecordKey> {
    Ok(RecordKey { origin: origin(row, at)?, id: record_id(row, at + 1)? })
}

/// Columns `at` to `at + 2`: province, record and role.
pub(super) fn node(row: &Row, at: usize) -> Outcome<Node> {
    let role = Role::from_code(small(row, at + 2)?).ok_or(Fault::Damaged("a role"))?;
    Ok(Node::new(key(row, at)?, role))
}

/// Columns `at` and `at + 1`: cluster and person.
pub(super) fn membership(row: &Row, at: usize) -> Outcome<Membership> {
    Ok(Membership { cluster: get(row, at)?, person: PersonId(get(row, at + 1)?) })
}

/// Columns `at` to `at + 2`: version, clock and content hash.
pub(super) fn rank(row: &Row, at: usize) -> Outcome<(Version, Hlc, Hash256)> {
    let version = u32::try_from(get::<i64>(row, at)?).map_err(|_| Fault::Damaged("a version"))?;
    Ok((Version(version), Hlc::from_number(unsigned(row, at + 1)?), hash(row, at + 2)?))
}

/// Columns `at` to `at + 3`: version, clock, content hash and canonical bytes.
pub(super) fn state(row: &Row, at: usize) -> Outcome<State> {
    let (version, clock, content_hash) = rank(row, at)?;
    Ok(State { version, clock, content_hash, canonical: Arc::from(get::<&[u8]>(row, at + 3)?) })
}

/// The columns of a finding, in the order in which [`finding`] reads them.
pub(super) const FINDING_COLUMNS: &str =
    "finding.finding_id, finding.rule, certainty, scope, records, evidence, answer, chosen, changed_ms";

pub(super) fn finding(row: &Row) -> Outcome<Finding> {
    let id: [u8; 16] = get::<&[u8]>(row, 0)?.try_into().map_err(|_| Fault::Damaged("a finding's id"))?;
    let chosen = get::<Option<&str>>(row, 7)?.map(str::parse).transpose();
    let answer = get::<Option<&str>>(row, 6)?;
    Ok(Finding {
        id: FindingId(id),
        rule: Rule::parse(get(row, 1)?).ok_or(Fault::Damaged("a rule's name"))?,
        certainty: certainty(row, 2)?,
        scope: get(row, 3)?,
        records: keys(get(row, 4)?)?,
        evidence: serde_json::from_str(get(row, 5)?).map_err(|_| Fault::Damaged("the evidence of a finding"))?,
        answer: answer.map(|name| Verdictum::parse(name).ok_or(Fault::Damaged("an answer"))).transpose()?,
        chosen: chosen.map_err(|_| Fault::Damaged("a chosen record"))?,
    })
}

pub(super) fn certainty(row: &Row, at: usize) -> Outcome<Certainty> {
    Certainty::from_number(small(row, at)?).ok_or(Fault::Damaged("a certainty"))
}

/// The records of a finding.
pub(super) fn keys(json: &str) -> Outcome<Vec<RecordKey>> {
    serde_json::from_str(json).map_err(|_| Fault::Damaged("the records of a finding"))
}

/// Column 0: a verdict as JSON.
pub(super) fn verdict(row: &Row) -> Outcome<Verdict> {
    serde_json::from_str(get(row, 0)?).map_err(|_| Fault::Damaged("a verdict"))
}

/// JSON of a value that always has one.
pub(super) fn json<T: serde::Serialize>(value: &T) -> Outcome<String> {
    serde_json::to_string(value).map_err(|_| Fault::Damaged("a value without JSON"))
}

/// Text as the server takes it: of all characters it refuses the one with the number zero.
pub(super) fn text(words: &str) -> String {
    words.replace('\0', "\u{fffd}")
}

/// A province's number as it is stored.
pub(super) fn origin_number(origin: Origin) -> i16 {
    origin.number().cast_signed()
}

/// Province numbers and record numbers of some keys.
pub(super) fn columns<'k>(keys: impl IntoIterator<Item = &'k RecordKey>) -> (Vec<i16>, Vec<i64>) {
    keys.into_iter().map(|key| (origin_number(key.origin), key.id.number())).unzip()
}

/// Province numbers, record numbers and roles of some participants.
pub(super) fn node_columns(nodes: impl IntoIterator<Item = Node>) -> (Vec<i16>, Vec<i64>, Vec<i16>) {
    let mut columns = (Vec::new(), Vec::new(), Vec::new());
    for node in nodes {
        columns.0.push(origin_number(node.key.origin));
        columns.1.push(node.key.id.number());
        columns.2.push(i16::from(node.role.code()));
    }
    columns
}
