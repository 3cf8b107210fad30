//! The ledger of operators, and what must agree with it: answers in the journal, keys that are believed, and roles.

use std::collections::{BTreeMap, BTreeSet};

use hub_store::ledger::{Act, ActRow, Verb};
use hub_store::model::JournalId;
use hub_store::{NationalStore, StoreError};
use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;

use super::{AuditReport, KEYS, PROVINCES};

/// Acts of operators that are read at once.
const ACTS_AT_ONCE: usize = 1_000;

/// What the ledger says, as far as it was walked.
#[derive(Debug, Default)]
pub(super) struct Acts {
    last: Option<(u64, Hash256)>,
    /// An act is not as it was: what stands behind it says nothing.
    is_broken: bool,
    /// The verdicts that acts name.
    pub(super) answers: BTreeSet<Hash256>,
    /// The verdicts of the journal, and where they stand.
    pub(super) journaled: BTreeMap<Hash256, JournalId>,
    /// The keys that were believed, by province.
    keys: BTreeSet<(Origin, String)>,
    /// The last role that was given to each operator.
    roles: BTreeMap<String, String>,
}

impl Acts {
    /// Walks on through the ledger, up to its end or to the first act that is not as it was.
    pub(super) async fn walk<S: NationalStore>(
        &mut self,
        store: &S,
        report: &mut AuditReport,
    ) -> Result<(), StoreError> {
        while !self.is_broken {
            let page = self.page(store, report).await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                if let Err(reason) = row.check(self.last) {
                    report.blame(None, reason);
                    self.is_broken = true;
                    break;
                }
                report.acts = row.seq;
                report.acts_head = Some(row.hash.to_string());
                self.last = Some((row.seq, row.hash));
                self.note(&row.act);
            }
        }
        Ok(())
    }

    /// The next acts; where one of them cannot be read, those before it, one by one, and then none.
    async fn page<S: NationalStore>(&mut self, store: &S, report: &mut AuditReport) -> Result<Vec<ActRow>, StoreError> {
        let after = report.acts;
        let page = match store.acts(after, ACTS_AT_ONCE).await {
            Err(StoreError::Damaged { .. }) => store.acts(after, 1).await,
            page => page,
        };
        let page = report.read(None, &format!("act {} of the ledger", after + 1), page)?;
        self.is_broken |= page.is_none();
        Ok(page.unwrap_or_default())
    }

    fn note(&mut self, act: &Act) {
        match act.verb {
            Verb::Answer => self.answers.extend(act.answers()),
            Verb::Enrol | Verb::Trust => {
                let mut words = act.object.split(' ');
                if let (Some(origin), Some("key"), Some(key)) = (words.next(), words.next(), words.next())
                    && let Ok(origin) = origin.parse()
                {
                    self.keys.insert((origin, key.to_owned()));
                }
            }
            Verb::Grant => {
                if let Some((name, role)) = act.object.rsplit_once(' ') {
                    self.roles.insert(name.to_owned(), role.to_owned());
                }
            }
            _ => {}
        }
    }

    /// The answers of the journal are those of the ledger; those of `promised` were named before the journal was read.
    pub(super) fn check_answers(&self, promised: &BTreeSet<Hash256>, report: &mut AuditReport) {
        if self.is_broken {
            return;
        }
        for (answer, at) in self.journaled.iter().filter(|(answer, _)| !self.answers.contains(answer)) {
            let reason = format!("no act names the answer {answer}: it was altered, or nobody gave it");
            report.blame_entry(at.0, None, None, reason);
        }
        for answer in promised.iter().filter(|answer| !self.journaled.contains_key(answer)) {
            report.blame(None, format!("the answer {answer} was given, and is not in the journal"));
        }
    }

    /// The keys that are believed are those that acts name: a key more signs what its province never said, and a key
    /// less takes the evidence away. Whoever has entries or a key is a province that is known: else nobody asks how far its
    /// lanes were acknowledged.
    pub(super) async fn check_keys<S: NationalStore>(
        &self,
        store: &S,
        walked: &BTreeSet<Origin>,
        report: &mut AuditReport,
    ) -> Result<(), StoreError> {
        let mut origins: BTreeSet<Origin> = self.keys.iter().map(|(origin, _)| *origin).chain(walked.clone()).collect();
        if let Some(provinces) = report.read(None, PROVINCES, store.provinces().await)? {
            let known: BTreeSet<Origin> = provinces.into_iter().map(|province| province.origin).collect();
            for origin in origins.difference(&known) {
                report.blame(Some(*origin), "it has entries or keys, and is not in the list of provinces".to_owned());
            }
            origins.extend(known);
        }
        let (mut believed, mut unread) = (BTreeSet::new(), BTreeSet::new());
        for origin in origins {
            match report.read(Some(origin), KEYS, store.signers(origin).await)? {
                Some(signers) => {
                    believed.extend(signers.iter().map(|signer| (origin, signer.public_key.to_string())));
                }
                None => drop(unread.insert(origin)),
            }
        }
        if self.is_broken {
            return Ok(());
        }
        for (origin, key) in self.keys.difference(&believed).filter(|(origin, _)| !unread.contains(origin)) {
            report.blame(Some(*origin), format!("the key {key} was believed once, and is gone"));
        }
        for (origin, key) in believed.difference(&self.keys) {
            let remedy = "if it is the province's, note it with `central-hub pki trust`";
            report.blame(Some(*origin), format!("the key {key} is believed, and no act says so; {remedy}"));
        }
        Ok(())
    }

    /// Everybody has the role that was given last.
    pub(super) async fn check_roles<S: NationalStore>(
        &self,
        store: &S,
        report: &mut AuditReport,
    ) -> Result<(), StoreError> {
        let Some(grants) = report.read(None, "the roles of operators", store.grants().await)? else { return Ok(()) };
        let held: BTreeMap<String, String> = grants.into_iter().map(|grant| (grant.name, grant.role)).collect();
        if self.is_broken {
            return Ok(());
        }
        let names: BTreeSet<&String> = held.keys().chain(self.roles.keys()).collect();
        for name in names.into_iter().filter(|name| held.get(*name) != self.roles.get(*name)) {
            let word = |role: Option<&String>| role.map_or_else(|| "no role".to_owned(), |role| format!("`{role}`"));
            let (has, given) = (word(held.get(name)), word(self.roles.get(name)));
            let remedy = "give the right one with `central-hub operators grant`";
            report.blame(None, format!("operator {name} has {has}, and was given {given}; {remedy}"));
        }
        Ok(())
    }
}
