//! One answer to many cases: tried first, then journaled as one verdict a case, and taken back together.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use hub_rules::finding::{Finding, FindingId, Rule};
use hub_rules::policy::Policy;
use hub_rules::verdict::{Answer, Verdict};
use hub_store::model::FindingFilter;
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::Origin;
use serde::Serialize;

use super::answer::{Resolution, append, check, unjudged, verdict, with_unjudged};
use super::choice::{Choice, choose};
use super::effects::{Sums, trial};

/// Cases that are tried or journaled together: one transaction, one context, a few megabytes.
const CHUNK_CASES: usize = 200;
/// Cases that may be answered at once without being asked again: more than anybody has looked at one by one.
pub const CASES_UNASKED_MAX: u64 = 1_000;

/// Whether answers are tried or given.
#[derive(Debug, Clone)]
pub enum Mode {
    /// They are judged under this policy and forgotten.
    Try(Arc<Policy>),
    /// They are journaled.
    Journal,
}

/// The name of answers that were given together. It stands at the head of their reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchId(pub u32);

/// An answer to many cases.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Which cases.
    pub filter: FindingFilter,
    /// The most cases to answer.
    pub cases_max: u64,
    /// The answer.
    pub answer: Answer,
    /// The record that it singles out.
    pub choice: Option<Choice>,
    /// Who decides.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// What became of an answer to many cases.
#[derive(Debug, Serialize)]
pub struct BulkReport {
    /// Whether it was given; else it was tried.
    pub given: bool,
    /// The answer.
    pub answer: Answer,
    /// What the answers can be taken back by; for answers that take back, the answers taken back.
    pub batch: BatchId,
    /// Cases answered.
    pub cases: u64,
    /// Cases answered, by rule and provinces.
    pub groups: Vec<GroupReport>,
    /// Cases passed over, by reason.
    pub passed_over: BTreeMap<&'static str, u64>,
    /// What the answers would do; `None` when they were given. Answers are tried some hundreds at a time, each time
    /// against the registry as it stands: where two of these parts touch the same people, a change may count twice.
    pub effects: Option<Sums>,
}

/// Cases of one rule in the same provinces.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    /// The rule; `None` when what it found holds no more.
    pub rule: Option<Rule>,
    /// The provinces.
    pub provinces: Vec<Origin>,
    /// Cases.
    pub cases: u64,
}

/// How many cases a filter selects, counted up to `most`.
///
/// # Errors
/// The store cannot be read.
pub async fn count<S: NationalStore>(store: &S, filter: &FindingFilter, most: u64) -> Result<u64, StoreError> {
    let mut filter = filter.clone();
    let mut count = 0;
    while count < most {
        filter.limit = usize::try_from(most - count).unwrap_or(usize::MAX).min(hub_store::model::PAGE_ROWS_MAX);
        let rows = store.findings(filter.clone()).await?;
        count += rows.len() as u64;
        match rows.last() {
            Some(last) if rows.len() == filter.limit => filter.after = Some(last.finding.id),
            _ => break,
        }
    }
    Ok(count)
}

/// How many answers of a batch were given, judged or not, counted up to `most`.
///
/// # Errors
/// The store cannot be read.
pub async fn count_batch<S: NationalStore>(store: &S, batch: BatchId, most: u64) -> Result<u64, StoreError> {
    let limit = usize::try_from(most).unwrap_or(usize::MAX);
    let waiting = unjudged(store).await?;
    let waiting = waiting.iter().filter(|verdict| verdict.reason.starts_with(&batch.prefix())).count();
    let judged = store.verdicts_with(batch.prefix(), None, limit).await?.len();
    Ok((waiting.saturating_add(judged) as u64).min(most))
}

/// Gives one answer to every case of a selection, or tries it. `progress` hears how many were done.
///
/// # Errors
/// The store cannot be read or written; what was journaled before stays, and is taken back by the batch.
pub async fn resolve_all<S: NationalStore>(
    store: &S,
    selection: Selection,
    (batch, mode): (BatchId, Mode),
    now_ms: i64,
    mut progress: impl FnMut(u64),
) -> Result<BulkReport, StoreError> {
    let mut bulk = Bulk::new(store, mode, selection.answer, batch, now_ms);
    let waiting = unjudged(store).await?;
    let mut filter = selection.filter.clone();
    let mut left = selection.cases_max;
    loop {
        filter.limit = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK_CASES);
        let rows = if left == 0 { Vec::new() } else { store.findings(filter.clone()).await? };
        let Some(last) = rows.last().map(|row| row.finding.id) else { break };
        for row in rows {
            left -= 1;
            match resolution(store, &selection, batch, &row.finding).await? {
                Ok(resolution) => {
                    let said = with_unjudged(store, row.finding.id, &waiting).await?;
                    bulk.add(Some(row.finding.rule), verdict(&said, row.finding.records, resolution, now_ms));
                }
                Err(why) => bulk.pass_over(why),
            }
        }
        bulk.flush().await?;
        progress(bulk.cases);
        filter.after = Some(last);
    }
    Ok(bulk.report())
}

/// Takes back every answer of a batch that still stands, or tries it.
///
/// # Errors
/// The store cannot be read or written; what was taken back before stays taken back.
pub async fn undo_all<S: NationalStore>(
    store: &S,
    batch: BatchId,
    (operator, reason): (String, String),
    mode: Mode,
    now_ms: i64,
    mut progress: impl FnMut(u64),
) -> Result<BulkReport, StoreError> {
    let mut bulk = Bulk::new(store, mode, Answer::Wait, batch, now_ms);
    let waiting = unjudged(store).await?;
    let of_batch = |verdict: &&Verdict| verdict.reason.starts_with(&batch.prefix());
    let mut part: Vec<Verdict> = waiting.iter().filter(of_batch).cloned().collect();
    let mut seen: BTreeSet<FindingId> = BTreeSet::new();
    let mut after = None;
    loop {
        for given in std::mem::take(&mut part).into_iter().filter(|given| seen.insert(given.case)) {
            let said = with_unjudged(store, given.case, &waiting).await?;
            match said.last() {
                Some(last) if *last == given => {
                    let rule = store.finding(given.case).await?.map(|row| row.finding.rule);
                    let (operator, reason) = (operator.clone(), format!("undo of batch {batch}: {reason}"));
                    let resolution =
                        Resolution { case: given.case, answer: Answer::Wait, record: None, operator, reason };
                    bulk.add(rule, verdict(&said, given.records, resolution, now_ms));
                }
                Some(last) if last.answer.closes() => bulk.pass_over("answered again since"),
                _ => bulk.pass_over("taken back already"),
            }
        }
        bulk.flush().await?;
        progress(bulk.cases);
        part = store.verdicts_with(batch.prefix(), after, CHUNK_CASES).await?;
        let Some(last) = part.last() else { break };
        after = Some(last.id());
    }
    Ok(bulk.report())
}

/// Verdicts that are gathered, and then tried or journaled together.
struct Bulk<'a, S> {
    store: &'a S,
    mode: Mode,
    report: BulkReport,
    groups: BTreeMap<(Option<Rule>, Vec<Origin>), u64>,
    chunk: Vec<Verdict>,
    cases: u64,
    now_ms: i64,
}

impl<'a, S: NationalStore> Bulk<'a, S> {
    fn new(store: &'a S, mode: Mode, answer: Answer, batch: BatchId, now_ms: i64) -> Self {
        let passed_over = BTreeMap::new();
        let given = matches!(mode, Mode::Journal);
        let report = BulkReport { given, answer, batch, cases: 0, groups: Vec::new(), passed_over, effects: None };
        Self { store, mode, report, groups: BTreeMap::new(), chunk: Vec::new(), cases: 0, now_ms }
    }

    fn add(&mut self, rule: Option<Rule>, verdict: Verdict) {
        let provinces: BTreeSet<Origin> = verdict.records.iter().map(|key| key.origin).collect();
        *self.groups.entry((rule, provinces.into_iter().collect())).or_default() += 1;
        self.cases += 1;
        self.chunk.push(verdict);
    }

    fn pass_over(&mut self, why: &'static str) {
        *self.report.passed_over.entry(why).or_default() += 1;
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        while !self.chunk.is_empty() {
            let rest = self.chunk.split_off(self.chunk.len().min(CHUNK_CASES));
            let chunk = std::mem::replace(&mut self.chunk, rest);
            match &self.mode {
                Mode::Try(policy) => {
                    let sums = trial(self.store, policy, chunk).await?.sums();
                    self.report.effects.get_or_insert_default().add(sums);
                }
                Mode::Journal => append(self.store, chunk, self.now_ms).await?,
            }
        }
        Ok(())
    }

    fn report(self) -> BulkReport {
        let groups = self.groups.into_iter();
        let groups = groups.map(|((rule, provinces), cases)| GroupReport { rule, provinces, cases }).collect();
        BulkReport { cases: self.cases, groups, ..self.report }
    }
}

/// The answer to one of the cases, or why there is none.
async fn resolution<S: NationalStore>(
    store: &S,
    selection: &Selection,
    batch: BatchId,
    finding: &Finding,
) -> Result<Result<Resolution, &'static str>, StoreError> {
    let record = match selection.choice {
        Some(choice) => match choose(store, finding, choice).await? {
            Some(record) => Some(record),
            None => return Ok(Err("no one entry is the one to choose")),
        },
        None => None,
    };
    if check(finding, selection.answer, record).is_err() {
        return Ok(Err("the answer does not fit a case about one entry"));
    }
    let reason = format!("{}{}", batch.prefix(), selection.reason);
    let (answer, operator) = (selection.answer, selection.operator.clone());
    Ok(Ok(Resolution { case: finding.id, answer, record, operator, reason }))
}

impl BatchId {
    fn prefix(self) -> String {
        format!("[batch {self}] ")
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl FromStr for BatchId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = (text.len() == 8).then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or_else(|| "a batch is written as 8 hexadecimal digits".to_owned())
    }
}

impl Serialize for BatchId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
