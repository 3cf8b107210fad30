//! Cases: what waits for a human, entries side by side, and answers as arrivals.

use hub_rules::finding::FindingId;
use hub_rules::verdict::{Answer, Verdict};
use hub_store::model::{Append, FindingFilter, FindingRow};
use hub_store::{NationalStore, StoreError};
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::draft::Draft;
use registry_schema::field::Field;
use registry_schema::ids::RecordKey;
use serde::Serialize;
use thiserror::Error;

use super::records::FindingReport;
use super::rfc3339;

/// A page of links and cases.
#[derive(Debug, Serialize)]
pub struct FindingsReport {
    /// In the order of their ids.
    pub findings: Vec<FindingReport>,
    /// Where the next page begins; `None` on the last one.
    pub next: Option<FindingId>,
}

/// Reads a page.
///
/// # Errors
/// The store cannot be read.
pub async fn list<S: NationalStore>(store: &S, mut filter: FindingFilter) -> Result<FindingsReport, StoreError> {
    let limit = filter.limit;
    filter.limit += 1;
    let mut rows = store.findings(filter).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.finding.id);
    Ok(FindingsReport { findings: rows.into_iter().map(|row| FindingReport::from(row.finding)).collect(), next })
}

/// A case with its entries side by side. Holds personal data: for the screen of who asked.
#[derive(Debug, Serialize)]
pub struct CaseReport {
    /// The case.
    #[serde(flatten)]
    pub finding: FindingReport,
    /// What the rule found, in English.
    pub english: &'static str,
    /// What the rule found, in Vietnamese.
    pub vietnamese: &'static str,
    /// When it last changed.
    pub changed_at: Option<String>,
    /// Every field that one of the entries has, in the order of the book.
    pub fields: Vec<Comparison>,
    /// Every answer ever given, oldest first.
    pub answers: Vec<AnswerReport>,
}

/// A field in each of the entries of a case.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The field.
    pub field: String,
    /// What each entry says, in the order of the case's records.
    pub values: Vec<Option<String>>,
    /// Whether they say the same.
    pub equal: bool,
}

/// An answer.
#[derive(Debug, Serialize)]
pub struct AnswerReport {
    /// The answer.
    pub answer: Answer,
    /// The record it singles out.
    pub record: Option<RecordKey>,
    /// Who gave it.
    pub operator: String,
    /// When.
    pub at: Option<String>,
    /// Why.
    pub reason: String,
}

/// Reads a case.
///
/// # Errors
/// The store cannot be read.
pub async fn show<S: NationalStore>(store: &S, id: FindingId) -> Result<Option<CaseReport>, StoreError> {
    let Some(FindingRow { finding, changed_ms }) = store.finding(id).await? else { return Ok(None) };
    let mut drafts = Vec::new();
    for key in &finding.records {
        let view = store.record(*key).await?;
        let draft = view.and_then(|view| canonical::decode(&view.present.canonical).ok());
        drafts.push(draft.map(|(draft, _)| draft));
    }
    let answers = store.verdicts(id).await?.into_iter().map(answer).collect();
    Ok(Some(CaseReport {
        english: finding.rule.english(),
        vietnamese: finding.rule.vietnamese(),
        finding: FindingReport::from(finding),
        changed_at: rfc3339(Some(changed_ms)),
        fields: compare(&drafts),
        answers,
    }))
}

fn compare(drafts: &[Option<Draft>]) -> Vec<Comparison> {
    let mut fields: Vec<Field> =
        drafts.iter().flatten().flat_map(|draft| draft.iter().map(|(field, _)| field)).collect();
    fields.sort_unstable();
    fields.dedup();
    let comparison = |field: Field| {
        let values: Vec<Option<String>> =
            drafts.iter().map(|draft| draft.as_ref().and_then(|draft| draft.get(field)).map(str::to_owned)).collect();
        let equal = values.windows(2).all(|pair| pair[0] == pair[1]);
        Comparison { field: field.name(), values, equal }
    };
    fields.into_iter().map(comparison).collect()
}

fn answer(verdict: Verdict) -> AnswerReport {
    AnswerReport {
        answer: verdict.answer,
        record: verdict.chosen,
        operator: verdict.operator,
        at: rfc3339(i64::try_from(verdict.clock.unix_ms()).ok()),
        reason: verdict.reason,
    }
}

/// Why a case was not answered.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// There is no such case.
    #[error("there is no case {0}; `central-hub cases list` names them")]
    NoCase(FindingId),
    /// The answer needs a record of the case.
    #[error("the answer `{}` needs --record: one of {records}", .answer.name())]
    NeedsRecord {
        /// The answer.
        answer: Answer,
        /// The records of the case.
        records: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An answer to be given.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The case.
    pub case: FindingId,
    /// The answer.
    pub answer: Answer,
    /// The record that it singles out.
    pub record: Option<RecordKey>,
    /// Who decides.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// Journals an answer; the reconciler applies it like any other arrival, and `wait` takes it back.
///
/// # Errors
/// No such case, a record that is missing or not of the case, or the store cannot be written.
pub async fn resolve<S: NationalStore>(
    store: &S,
    resolution: Resolution,
    now_ms: i64,
) -> Result<Verdict, ResolveError> {
    let row = store.finding(resolution.case).await?.ok_or(ResolveError::NoCase(resolution.case))?;
    let records = row.finding.records;
    let needed = matches!(resolution.answer, Answer::Withdraw | Answer::Replace);
    let chosen = resolution.record.filter(|key| records.contains(key));
    if (needed || resolution.record.is_some()) && chosen.is_none() {
        let records: Vec<String> = records.iter().map(ToString::to_string).collect();
        return Err(ResolveError::NeedsRecord { answer: resolution.answer, records: records.join(", ") });
    }
    let last = store.verdicts(resolution.case).await?.last().map(|verdict| verdict.clock).unwrap_or_default();
    let verdict = Verdict {
        case: resolution.case,
        records,
        answer: resolution.answer,
        chosen,
        operator: resolution.operator,
        clock: Hlc::tick(last, now_ms.cast_unsigned()),
        reason: resolution.reason,
    };
    store.append(vec![Append::Verdict { verdict: verdict.clone(), received_ms: now_ms }]).await?;
    Ok(verdict)
}
