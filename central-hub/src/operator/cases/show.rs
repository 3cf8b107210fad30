//! One case: the entries side by side, what was said about it, and what each answer would do.

use std::sync::Arc;

use hub_rules::finding::{Finding, FindingId};
use hub_rules::plan::{FoundWord, Word};
use hub_rules::policy::{Policy, Severity, standard};
use hub_rules::reading::{Reading, Standing};
use hub_rules::verdict::{Answer, Verdict};
use hub_rules::words::words;
use hub_store::model::{FindingRow, RecordView};
use hub_store::{NationalStore, StoreError};
use registry_schema::canonical;
use registry_schema::ids::RecordKey;
use registry_schema::kind::Kind;
use registry_schema::natural_key::NaturalKey;
use serde::Serialize;

use super::answer::{Resolution, sensible, unjudged, verdict, with_unjudged};
use super::compare::{Comparison, compare};
use super::effects::{Effects, Trial};
use crate::operator::records::{FindingReport, WITHHELD, is_sensitive};
use crate::operator::rfc3339;

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
    /// The legal reason of the rule.
    pub basis: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// When a province was first told of it.
    pub opened_at: Option<String>,
    /// When it last changed.
    pub changed_at: Option<String>,
    /// The entries, in the order of the case's records.
    pub entries: Vec<EntryReport>,
    /// Every field that one of the entries has, in the order of the book.
    pub fields: Vec<Comparison>,
    /// What the keeper of each record reads about the case.
    pub told: Vec<ToldReport>,
    /// Every answer ever given, oldest first.
    pub answers: Vec<AnswerReport>,
    /// Every answer that makes sense, with what it would do; empty where nothing was tried.
    pub options: Vec<OptionReport>,
}

impl CaseReport {
    /// The same without what sensitive fields say; whether the entries agree in them stays.
    #[must_use]
    pub fn without_sensitive(mut self) -> Self {
        for field in self.fields.iter_mut().filter(|field| is_sensitive(&field.field)) {
            field.diff.clear();
            field.values.iter_mut().flatten().for_each(|value| WITHHELD.clone_into(value));
        }
        self
    }
}

/// An entry of a case.
#[derive(Debug, Serialize)]
pub struct EntryReport {
    /// Which record.
    pub record: RecordKey,
    /// Its kind, when it is known.
    pub kind: Option<Kind>,
    /// How it stands; `None` when the nation does not have it.
    pub standing: Option<Standing>,
    /// Its place in the books.
    pub natural_key: Option<String>,
    /// When its province sealed its present state.
    pub sealed_at: Option<String>,
}

/// What a province reads about one of its records.
#[derive(Debug, Serialize)]
pub struct ToldReport {
    /// The record.
    pub record: RecordKey,
    /// linked, case or resolved.
    pub outcome: &'static str,
    /// In English.
    pub english: String,
    /// In Vietnamese.
    pub vietnamese: String,
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
    /// Whether the hub has judged it; one that waits is judged within a second when the hub runs.
    pub judged: bool,
}

/// An answer that could be given.
#[derive(Debug, Serialize)]
pub struct OptionReport {
    /// The answer.
    pub answer: Answer,
    /// The record it singles out.
    pub record: Option<RecordKey>,
    /// Whether it changes nothing that anybody would see.
    pub nothing: bool,
    /// What it would do, apart from being kept.
    pub effects: Effects,
}

/// Reads a case, and tries every answer if the registry was judged under this policy.
///
/// # Errors
/// The store cannot be read.
pub async fn show<S: NationalStore>(
    store: &S,
    (policy, is_tried): (&Arc<Policy>, bool),
    id: FindingId,
    now_ms: i64,
) -> Result<Option<CaseReport>, StoreError> {
    let Some(FindingRow { finding, changed_ms, first_said_ms }) = store.finding(id).await? else { return Ok(None) };
    let mut views = Vec::new();
    for key in &finding.records {
        views.push((*key, store.record(*key).await?));
    }
    let draft = |view: &RecordView| canonical::decode(&view.present.canonical).ok().map(|(draft, _)| draft);
    let drafts: Vec<_> = views.iter().map(|(_, view)| view.as_ref().and_then(draft)).collect();
    let judged = store.verdicts(id).await?;
    let said = with_unjudged(store, id, &unjudged(store).await?).await?;
    let options = if is_tried { options(store, policy, &finding, &said, now_ms).await? } else { Vec::new() };
    Ok(Some(CaseReport {
        english: finding.rule.english(),
        vietnamese: finding.rule.vietnamese(),
        basis: standard(finding.rule).basis,
        severity: policy.severity(finding.rule),
        opened_at: rfc3339(first_said_ms),
        changed_at: rfc3339(Some(changed_ms)),
        fields: compare(&drafts),
        entries: views.into_iter().map(|(key, view)| entry(key, view)).collect(),
        told: finding.records.iter().map(|key| told(&finding, *key)).collect(),
        answers: said.into_iter().map(|verdict| answer(&judged, verdict)).collect(),
        options,
        finding: FindingReport::from(finding),
    }))
}

fn entry(record: RecordKey, view: Option<RecordView>) -> EntryReport {
    let Some(view) = view else {
        return EntryReport { record, kind: None, standing: None, natural_key: None, sealed_at: None };
    };
    let reading = Reading::of(record, view.present);
    let natural_key = reading.content.as_ref().ok().and_then(|(content, _)| NaturalKey::of(content, record.origin));
    EntryReport {
        record,
        kind: Kind::from_code(reading.kind_code()),
        standing: Some(view.standing),
        natural_key: natural_key.map(|key| key.to_string()),
        sealed_at: rfc3339(i64::try_from(reading.state.clock.unix_ms()).ok()),
    }
}

fn told(finding: &Finding, record: RecordKey) -> ToldReport {
    let words = words(&Word::Found(FoundWord::about(finding, record)));
    ToldReport { record, outcome: words.outcome, english: words.english, vietnamese: words.vietnamese }
}

fn answer(judged: &[Verdict], verdict: Verdict) -> AnswerReport {
    AnswerReport {
        judged: judged.contains(&verdict),
        answer: verdict.answer,
        record: verdict.chosen,
        operator: verdict.operator,
        at: rfc3339(i64::try_from(verdict.clock.unix_ms()).ok()),
        reason: verdict.reason,
    }
}

async fn options<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    finding: &Finding,
    said: &[Verdict],
    now_ms: i64,
) -> Result<Vec<OptionReport>, StoreError> {
    let said_so = |(answer, record): (Answer, Option<RecordKey>)| {
        let (operator, reason) = (String::new(), String::new());
        let resolution = Resolution { case: finding.id, answer, record, operator, reason };
        verdict(said, finding.records.clone(), resolution, now_ms)
    };
    let mut trial = Trial::new(store, policy, vec![said_so((Answer::Wait, None))]).await?;
    let mut options = Vec::new();
    for (answer, record) in sensible(finding) {
        let effects = trial.of(vec![said_so((answer, record))]).await?;
        options.push(OptionReport { answer, record, nothing: effects.is_nothing(), effects });
    }
    Ok(options)
}
