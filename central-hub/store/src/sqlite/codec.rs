//! Between rows and values. A value that this program did not write there is reported as damage, never guessed.

use std::sync::Arc;

use hub_rules::State;
use hub_rules::finding::{Certainty, Finding, FindingId, Rule};
use hub_rules::node::{Membership, Node};
use hub_rules::reading::Standing;
use hub_rules::verdict::Answer as Verdictum;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::field::Role;
use registry_schema::ids::{Lane, Origin, PersonId, RecordId, RecordKey, Version};
use rusqlite::types::Type;
use rusqlite::{Error, ErrorCode, Row};

use crate::error::StoreError;

/// Sorts an error by what the caller can do.
pub(super) fn store_error(place: &str, error: Error) -> StoreError {
    let place = place.to_owned();
    match &error {
        Error::FromSqlConversionFailure(_, _, what) => return StoreError::Damaged { place, what: what.to_string() },
        // A column's type is kept; whether there is anything, and whether text is UTF-8, is up to whoever edits the file.
        Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) | Error::Utf8Error(..) => {
            return StoreError::Damaged { place, what: "a value in a row".to_owned() };
        }
        _ => {}
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { place },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { place },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { place },
        Some(ErrorCode::CannotOpen) => {
            let reason = "the file cannot be opened; check that its folder exists and may be written".to_owned();
            StoreError::Unusable { place, reason }
        }
        Some(ErrorCode::NotADatabase) => {
            let reason = "the file is not a database; name another one, or restore it from a backup".to_owned();
            StoreError::Unusable { place, reason }
        }
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { place, what: "the database file".to_owned() },
        _ => StoreError::Database { place, source: Box::new(error) },
    }
}

/// The error of a row that does not hold what it must.
pub(super) fn damaged(what: &'static str) -> Error {
    Error::FromSqlConversionFailure(0, Type::Null, what.into())
}

pub(super) fn origin(number: i64) -> rusqlite::Result<Origin> {
    u16::try_from(number).ok().and_then(Origin::from_number).ok_or_else(|| damaged("a province's number"))
}

pub(super) fn lane(number: i64) -> rusqlite::Result<Lane> {
    u8::try_from(number).ok().and_then(Lane::from_number).ok_or_else(|| damaged("a lane"))
}

pub(super) fn standing(number: i64) -> rusqlite::Result<Standing> {
    u8::try_from(number).ok().and_then(Standing::from_number).ok_or_else(|| damaged("a record's standing"))
}

pub(super) fn hash(bytes: &[u8]) -> rusqlite::Result<Hash256> {
    Hash256::from_slice(bytes).ok_or_else(|| damaged("a hash"))
}

/// Columns `at` and `at + 1`: province and record.
pub(super) fn key(row: &Row<'_>, at: usize) -> rusqlite::Result<RecordKey> {
    let id = RecordId::from_number(row.get(at + 1)?).ok_or_else(|| damaged("a record's key"))?;
    Ok(RecordKey { origin: origin(row.get(at)?)?, id })
}

/// Columns `at` to `at + 2`: province, record and role.
pub(super) fn node(row: &Row<'_>, at: usize) -> rusqlite::Result<Node> {
    let role = Role::from_code(row.get(at + 2)?).ok_or_else(|| damaged("a role"))?;
    Ok(Node::new(key(row, at)?, role))
}

/// Columns `at` and `at + 1`: cluster and person.
pub(super) fn membership(row: &Row<'_>, at: usize) -> rusqlite::Result<Membership> {
    Ok(Membership { cluster: row.get(at)?, person: PersonId(row.get(at + 1)?) })
}

/// Columns `at` to `at + 3`: version, clock, content hash and canonical bytes.
pub(super) fn state(row: &Row<'_>, at: usize) -> rusqlite::Result<State> {
    let canonical: Arc<[u8]> = Arc::from(row.get_ref(at + 3)?.as_blob()?);
    Ok(State {
        version: Version(row.get(at)?),
        clock: Hlc::from_number(row.get::<_, i64>(at + 1)?.cast_unsigned()),
        content_hash: hash(row.get_ref(at + 2)?.as_blob()?)?,
        canonical,
    })
}

/// The columns of a finding, in the order in which [`finding`] reads them.
pub(super) const FINDING_COLUMNS: &str =
    "finding.finding_id, finding.rule, certainty, scope, records, evidence, answer, chosen, changed_ms";

pub(super) fn finding(row: &Row<'_>) -> rusqlite::Result<Finding> {
    let text = |at: usize| row.get_ref(at)?.as_str().map_err(Error::from);
    let id: [u8; 16] = row.get(0)?;
    let chosen = row.get_ref(7)?.as_str_or_null()?.map(str::parse).transpose();
    Ok(Finding {
        id: FindingId(id),
        rule: Rule::parse(text(1)?).ok_or_else(|| damaged("a rule's name"))?,
        certainty: Certainty::from_number(row.get(2)?).ok_or_else(|| damaged("a certainty"))?,
        scope: row.get(3)?,
        records: serde_json::from_str(text(4)?).map_err(|_| damaged("the records of a finding"))?,
        evidence: serde_json::from_str(text(5)?).map_err(|_| damaged("the evidence of a finding"))?,
        answer: row
            .get_ref(6)?
            .as_str_or_null()?
            .map(|name| Verdictum::parse(name).ok_or_else(|| damaged("an answer")))
            .transpose()?,
        chosen: chosen.map_err(|_| damaged("a chosen record"))?,
    })
}

/// JSON of a value that always has one.
pub(super) fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}
