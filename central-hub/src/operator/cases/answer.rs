//! Answers: which make sense, and how they become arrivals in the journal.

use hub_rules::finding::{Finding, FindingId};
use hub_rules::policy::standard;
use hub_rules::verdict::{Answer, Verdict};
use hub_store::model::{Append, JournalBody, Queue};
use hub_store::{NationalStore, StoreError};
use registry_schema::clock::Hlc;
use registry_schema::ids::RecordKey;
use thiserror::Error;

/// Journal that is searched for answers which are not judged yet, in bytes: the live queue is seldom longer than this,
/// and an answer further behind is only missed as the latest of its millisecond.
const UNJUDGED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a case was not answered.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// There is no such case, and nobody ever answered it.
    #[error("there is no case {0}, or what it found holds no more; `central-hub cases list` names those there are")]
    NoCase(FindingId),
    /// The case was answered once, and what it found holds no more.
    #[error(
        "case {0} is closed: what it found holds no more. Its last answer is kept; `central-hub cases undo {0}` takes \
         it back"
    )]
    Closed(FindingId),
    /// The answer needs a record of the case.
    #[error("the answer `{}` needs --record: one of {records}", .answer.name())]
    NeedsRecord {
        /// The answer.
        answer: Answer,
        /// The records of the case.
        records: String,
    },
    /// The case is about one entry, and the answer compares two.
    #[error("case {case} is about one entry, and `{}` speaks of two; answer keep, withdraw or wait", .answer.name())]
    OneEntry {
        /// The case.
        case: FindingId,
        /// The answer.
        answer: Answer,
    },
    /// The rule of the case cannot be answered so.
    #[error("`{}` answers no case of {rule}; answer {sensible}", .answer.name())]
    NotOfRule {
        /// The rule of the case.
        rule: &'static str,
        /// The answer.
        answer: Answer,
        /// The answers that make sense.
        sensible: String,
    },
    /// No answer stands that could be taken back.
    #[error("no answer to case {0} stands: there is nothing to take back")]
    NothingToUndo(FindingId),
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

/// Every answer that makes sense for a finding, with the record it singles out.
#[must_use]
pub fn sensible(finding: &Finding) -> Vec<(Answer, Option<RecordKey>)> {
    let answers = standard(finding.rule).answers.iter().filter(|answer| fits(finding, **answer));
    answers
        .flat_map(|answer| {
            let singled_out = if singles_out(*answer) { finding.records.as_slice() } else { &[] };
            let plain = (!singles_out(*answer)).then_some((*answer, None));
            singled_out.iter().map(|key| (*answer, Some(*key))).chain(plain)
        })
        .collect()
}

/// Whether an answer speaks of as many entries as the finding has.
fn fits(finding: &Finding, answer: Answer) -> bool {
    finding.records.len() > 1 || !matches!(answer, Answer::Same | Answer::Different | Answer::Replace)
}

/// Whether an answer is about one record of the case.
const fn singles_out(answer: Answer) -> bool {
    matches!(answer, Answer::Withdraw | Answer::Replace)
}

/// Journals an answer; the reconciler applies it like any other arrival. `wait` takes an answer back, also when what the
/// case found holds no more.
///
/// # Errors
/// No such case, a record that is missing or not of the case, or the store cannot be written.
pub async fn resolve<S: NationalStore>(store: &S, resolution: Resolution, now_ms: i64) -> Result<Verdict, AnswerError> {
    let (case, answer) = (resolution.case, resolution.answer);
    let said = said(store, case).await?;
    let records = match (store.finding(case).await?, said.last()) {
        (Some(row), _) => {
            check(&row.finding, answer, resolution.record)?;
            row.finding.records
        }
        (None, Some(last)) if answer == Answer::Wait => last.records.clone(),
        (None, Some(_)) => return Err(AnswerError::Closed(case)),
        (None, None) => return Err(AnswerError::NoCase(case)),
    };
    let verdict = verdict(&said, records, resolution, now_ms);
    append(store, vec![verdict.clone()], now_ms).await?;
    Ok(verdict)
}

/// Takes back the answer that stands: `wait`, where there is something to take back.
///
/// # Errors
/// No answer stands, or the store cannot be written.
pub async fn undo<S: NationalStore>(
    store: &S,
    case: FindingId,
    operator: String,
    reason: String,
    now_ms: i64,
) -> Result<Verdict, AnswerError> {
    match said(store, case).await?.last() {
        Some(last) if last.answer.closes() => {
            resolve(store, Resolution { case, answer: Answer::Wait, record: None, operator, reason }, now_ms).await
        }
        None if store.finding(case).await?.is_none() => Err(AnswerError::NoCase(case)),
        _ => Err(AnswerError::NothingToUndo(case)),
    }
}

/// Whether an answer fits a finding.
pub(super) fn check(finding: &Finding, answer: Answer, record: Option<RecordKey>) -> Result<(), AnswerError> {
    if !fits(finding, answer) {
        return Err(AnswerError::OneEntry { case: finding.id, answer });
    }
    let answers = standard(finding.rule).answers;
    if !answers.contains(&answer) {
        let sensible: Vec<&str> = answers.iter().map(|answer| answer.name()).collect();
        return Err(AnswerError::NotOfRule { rule: finding.rule.name(), answer, sensible: sensible.join(", ") });
    }
    let known = record.is_none_or(|key| finding.records.contains(&key));
    if !known || (singles_out(answer) && record.is_none()) {
        let records: Vec<String> = finding.records.iter().map(ToString::to_string).collect();
        return Err(AnswerError::NeedsRecord { answer, records: records.join(", ") });
    }
    Ok(())
}

/// Every verdict about a case, oldest first: those that were judged, and those that wait for it.
pub(super) async fn said<S: NationalStore>(store: &S, case: FindingId) -> Result<Vec<Verdict>, StoreError> {
    let waiting = unjudged(store).await?;
    with_unjudged(store, case, &waiting).await
}

/// Every verdict about a case, when those that wait to be judged are known.
pub(super) async fn with_unjudged<S: NationalStore>(
    store: &S,
    case: FindingId,
    waiting: &[Verdict],
) -> Result<Vec<Verdict>, StoreError> {
    let mut said = store.verdicts(case).await?;
    said.extend(waiting.iter().filter(|verdict| verdict.case == case).cloned());
    said.sort_by(|a, b| a.rank().cmp(&b.rank()));
    said.dedup();
    Ok(said)
}

/// Verdicts that were journaled and are not judged yet.
pub(super) async fn unjudged<S: NationalStore>(store: &S) -> Result<Vec<Verdict>, StoreError> {
    let judged = store.digests().await?.watermark.live;
    let entries = store.next(Queue::Live, judged, UNJUDGED_BYTES_MAX).await?;
    let verdict = |body: JournalBody| match body {
        JournalBody::Verdict(verdict) => Some(verdict),
        JournalBody::Frame { .. } | JournalBody::Damaged(_) => None,
    };
    Ok(entries.into_iter().filter_map(|entry| verdict(entry.body)).collect())
}

/// The verdict of a resolution, later than everything that was said about the case.
pub(super) fn verdict(said: &[Verdict], records: Vec<RecordKey>, resolution: Resolution, now_ms: i64) -> Verdict {
    let last = said.last().map(|verdict| verdict.clock).unwrap_or_default();
    Verdict {
        case: resolution.case,
        records,
        answer: resolution.answer,
        chosen: resolution.record,
        operator: resolution.operator,
        clock: Hlc::tick(last, now_ms.cast_unsigned()),
        reason: resolution.reason,
    }
}

/// Journals verdicts in one transaction.
pub(super) async fn append<S: NationalStore>(
    store: &S,
    verdicts: Vec<Verdict>,
    received_ms: i64,
) -> Result<(), StoreError> {
    let entries = verdicts.into_iter().map(|verdict| Append::Verdict { verdict, received_ms }).collect();
    store.append(entries).await.map(|_| ())
}
