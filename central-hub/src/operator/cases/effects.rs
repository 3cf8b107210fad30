//! What answers would do: judged as the reconciler judges them, described, and never committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use hub_rules::finding::{Certainty, Finding, FindingId, Rule};
use hub_rules::plan::Refinding;
use hub_rules::policy::Policy;
use hub_rules::verdict::Verdict;
use hub_rules::{Arrival, Batch, Context, Node, Plan, decide};
use hub_store::{NationalStore, StoreError};
use registry_schema::ids::{Origin, RecordKey};
use serde::Serialize;

use crate::reconcile::gather;

/// How often a trial is begun again because the hub committed something while its context was read.
const ATTEMPTS_MAX: usize = 3;

/// What a plan would change, apart from keeping the verdict itself.
#[derive(Debug, Default, Serialize)]
pub struct Effects {
    /// People who become one, or several.
    pub people: Vec<PeopleChange>,
    /// Links and cases that come, go or are decided.
    pub findings: Vec<FindingChange>,
    /// Words that each province is sent.
    pub notices: BTreeMap<Origin, u64>,
}

/// The same participants as persons before and after.
#[derive(Debug, Serialize)]
pub struct PeopleChange {
    /// The persons before, each with the entries it stands in.
    pub before: Vec<Vec<Node>>,
    /// The persons after.
    pub after: Vec<Vec<Node>>,
}

/// A link or a case before and after; `None` where it is not there.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FindingChange {
    /// Its id.
    pub id: FindingId,
    /// Its rule.
    pub rule: Rule,
    /// Its records.
    pub records: Vec<RecordKey>,
    /// How it stood.
    pub before: Option<Stand>,
    /// How it would stand.
    pub after: Option<Stand>,
}

/// How a link or a case stands.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Stand {
    /// "open", "link", "answered keep", "link, answered same".
    pub state: String,
    /// The record that the answer singles out.
    pub record: Option<RecordKey>,
}

/// Effects in numbers: what can be added up.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Persons after who were several before.
    pub people_joined: u64,
    /// Persons before who are several after.
    pub people_parted: u64,
    /// Links and cases by rule and by how they stood and would stand, as "same_key: open -> answered keep".
    pub findings: BTreeMap<String, u64>,
    /// Words that each province is sent.
    pub notices: BTreeMap<Origin, u64>,
}

/// A context in which several answers can be tried one after the other.
pub struct Trial<'a, S> {
    store: &'a S,
    context: Context,
}

/// Judges verdicts against the registry as it stands, under the policy that it is judged under, and forgets the plan.
///
/// # Errors
/// The store cannot be read.
pub async fn trial<S: NationalStore>(
    store: &S,
    policy: &Arc<Policy>,
    verdicts: Vec<Verdict>,
) -> Result<Effects, StoreError> {
    Trial::new(store, policy, verdicts.clone()).await?.of(verdicts).await
}

impl<'a, S: NationalStore> Trial<'a, S> {
    /// Loads what these verdicts reach. Other answers to the same cases reach no further.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn new(store: &'a S, policy: &Arc<Policy>, verdicts: Vec<Verdict>) -> Result<Self, StoreError> {
        let batch = batch(verdicts);
        let mut at = store.digests().await?.watermark;
        let mut context = gather(store, &batch, Context::under(Arc::clone(policy))).await?;
        for _ in 1..ATTEMPTS_MAX {
            let now = store.digests().await?.watermark;
            if now == at {
                break;
            }
            at = now;
            context = gather(store, &batch, Context::under(Arc::clone(policy))).await?;
        }
        Ok(Self { store, context })
    }

    /// What these verdicts would do.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn of(&mut self, verdicts: Vec<Verdict>) -> Result<Effects, StoreError> {
        let batch = batch(verdicts);
        self.context = gather(self.store, &batch, std::mem::take(&mut self.context)).await?;
        Ok(Effects::of(&decide(&self.context, &batch), &self.context))
    }
}

fn batch(verdicts: Vec<Verdict>) -> Batch {
    verdicts.into_iter().map(Arrival::Verdict).collect()
}

impl Effects {
    fn of(plan: &Plan, context: &Context) -> Self {
        let people = plan.regroupings(context).into_iter();
        let people = people.map(|people| PeopleChange { before: people.before, after: people.after }).collect();
        let changes = plan.refindings(context).into_iter().filter_map(|change| describe(&change));
        let findings = changes.filter(|change| change.before != change.after).collect();
        let mut notices = BTreeMap::new();
        for notice in &plan.notices {
            *notices.entry(notice.key.origin).or_default() += 1;
        }
        Self { people, findings, notices }
    }

    /// Whether nobody would see a difference: no person changes, and no link or case stands otherwise than before.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.people.is_empty() && self.findings.is_empty()
    }

    /// The effects in numbers.
    #[must_use]
    pub fn sums(&self) -> Sums {
        let mut sums = Sums { notices: self.notices.clone(), ..Sums::default() };
        for people in &self.people {
            sums.people_joined += overlaps(&people.after, &people.before);
            sums.people_parted += overlaps(&people.before, &people.after);
        }
        for change in &self.findings {
            let state =
                |side: &Option<Stand>| side.as_ref().map_or_else(|| "nothing".to_owned(), |at| at.state.clone());
            let (before, after) = (state(&change.before), state(&change.after));
            *sums.findings.entry(format!("{}: {before} -> {after}", change.rule.name())).or_default() += 1;
        }
        sums
    }
}

impl Sums {
    /// Adds other sums.
    pub fn add(&mut self, other: Self) {
        self.people_joined += other.people_joined;
        self.people_parted += other.people_parted;
        other.findings.into_iter().for_each(|(what, count)| *self.findings.entry(what).or_default() += count);
        other.notices.into_iter().for_each(|(origin, count)| *self.notices.entry(origin).or_default() += count);
    }
}

/// Groups whose members stand in several of the other groups.
fn overlaps(groups: &[Vec<Node>], others: &[Vec<Node>]) -> u64 {
    let several =
        |group: &&Vec<Node>| others.iter().filter(|other| other.iter().any(|node| group.contains(node))).count() > 1;
    groups.iter().filter(several).count() as u64
}

fn describe(change: &Refinding<'_>) -> Option<FindingChange> {
    let any = change.after.or(change.before)?;
    Some(FindingChange {
        id: any.id,
        rule: any.rule,
        records: any.records.clone(),
        before: change.before.map(standing),
        after: change.after.map(standing),
    })
}

fn standing(finding: &Finding) -> Stand {
    let answer = finding.answer.filter(|answer| answer.closes());
    let record = finding.chosen.filter(|_| answer.is_some());
    let state = match (finding.certainty, answer) {
        (Certainty::Case, None) => "open".to_owned(),
        (Certainty::Case, Some(answer)) => format!("answered {}", answer.name()),
        (Certainty::Link, None) => "link".to_owned(),
        (Certainty::Link, Some(answer)) => format!("link, answered {}", answer.name()),
    };
    Stand { state, record }
}
