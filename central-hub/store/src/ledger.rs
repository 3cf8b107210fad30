//! What operators did and saw, who may do what, and whose signatures are believed.

use std::collections::BTreeMap;
use std::future::Future;

use hub_rules::verdict::Verdict;
use registry_schema::digest::{Hash256, hash_parts};
use registry_schema::ids::Origin;
use serde::{Deserialize, Serialize};

use crate::national::Answer;

/// What was done or seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Somebody looked at a record, a person or a case.
    Look,
    /// Somebody tried to do what their role does not allow.
    Refuse,
    /// A case was answered.
    Resolve,
    /// An answer was taken back.
    Undo,
    /// A comparison with a province was started or cancelled.
    Compare,
    /// A repair too large for one operator was agreed to.
    Approve,
    /// A province was enrolled.
    Enrol,
    /// A token was made for a province or a certificate for an operator.
    Issue,
    /// A certificate was revoked.
    Revoke,
    /// A signing key was believed by hand.
    Trust,
    /// A role was given or taken.
    Grant,
    /// The registry was made anew.
    Rebuild,
    /// The ledger was handed out.
    Export,
    /// The nation was copied.
    Backup,
    /// The nation came back from a backup.
    Restore,
    /// Answers were journaled; the store notes it with them, in one transaction.
    Answer,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 16] = [
        Self::Look,
        Self::Refuse,
        Self::Resolve,
        Self::Undo,
        Self::Compare,
        Self::Approve,
        Self::Enrol,
        Self::Issue,
        Self::Revoke,
        Self::Trust,
        Self::Grant,
        Self::Rebuild,
        Self::Export,
        Self::Backup,
        Self::Restore,
        Self::Answer,
    ];

    /// The stored word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Refuse => "refuse",
            Self::Resolve => "resolve",
            Self::Undo => "undo",
            Self::Compare => "compare",
            Self::Approve => "approve",
            Self::Enrol => "enrol",
            Self::Issue => "issue",
            Self::Revoke => "revoke",
            Self::Trust => "trust",
            Self::Grant => "grant",
            Self::Rebuild => "rebuild",
            Self::Export => "export",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Answer => "answer",
        }
    }

    /// The verb of a stored word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == word)
    }
}

/// Something that was done or seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// By whom.
    pub who: String,
    /// What.
    pub verb: Verb,
    /// To what: keys and numbers, no names of people.
    pub object: String,
    /// Why.
    pub reason: String,
}

impl Act {
    /// The acts that name these verdicts, one for each operator. Whoever alters, adds or takes out a verdict of the
    /// journal would have to alter the chain of acts as well.
    #[must_use]
    pub fn answering<'v>(verdicts: impl Iterator<Item = (&'v Verdict, i64)>) -> Vec<Self> {
        let mut by_operator: BTreeMap<&str, (i64, Vec<String>)> = BTreeMap::new();
        for (verdict, at_ms) in verdicts {
            let (_, names) = by_operator.entry(&verdict.operator).or_insert((at_ms, Vec::new()));
            names.push(verdict.id().to_string());
        }
        let act = |(who, (at_ms, names)): (&str, (i64, Vec<String>))| Self {
            at_ms,
            who: who.to_owned(),
            verb: Verb::Answer,
            object: names.join(" "),
            reason: String::new(),
        };
        by_operator.into_iter().map(act).collect()
    }

    /// The verdicts that an act names.
    pub fn answers(&self) -> impl Iterator<Item = Hash256> {
        let object = if self.verb == Verb::Answer { self.object.as_str() } else { "" };
        object.split(' ').filter_map(|name| name.parse().ok())
    }
}

/// An act in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActRow {
    /// Its number, counted from 1.
    pub seq: u64,
    /// What was done.
    #[serde(flatten)]
    pub act: Act,
    /// The hash of the act before; zeros before the first.
    #[serde(with = "hexadecimal")]
    pub previous: Hash256,
    /// The hash of this one.
    #[serde(with = "hexadecimal")]
    pub hash: Hash256,
}

impl ActRow {
    /// The act behind another one.
    #[must_use]
    pub fn after(last: Option<(u64, Hash256)>, act: Act) -> Self {
        let (seq, previous) = last.map_or((1, Hash256([0; 32])), |(seq, hash)| (seq + 1, hash));
        let hash = hash_of(seq, &act, &previous);
        Self { seq, act, previous, hash }
    }

    /// Whether the act follows another one unaltered; the words for a report if not.
    ///
    /// # Errors
    /// It was altered, or one before it was altered, taken out or put in.
    pub fn check(&self, last: Option<(u64, Hash256)>) -> Result<(), String> {
        let expected = Self::after(last, self.act.clone());
        if self.seq != expected.seq {
            return Err(format!("act {} stands where {} should", self.seq, expected.seq));
        }
        if self.previous != expected.previous {
            return Err(format!("act {} does not continue the one before it", self.seq));
        }
        if self.hash != expected.hash {
            return Err(format!("act {} was altered", self.seq));
        }
        Ok(())
    }
}

fn hash_of(seq: u64, act: &Act, previous: &Hash256) -> Hash256 {
    let parts: [&[u8]; 7] = [
        previous.as_bytes(),
        &seq.to_be_bytes(),
        &act.at_ms.to_be_bytes(),
        act.who.as_bytes(),
        act.verb.name().as_bytes(),
        act.object.as_bytes(),
        act.reason.as_bytes(),
    ];
    hash_parts("hotich act 1", &parts)
}

/// A key that may sign a province's frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Whose frames.
    pub origin: Origin,
    /// The Ed25519 key.
    pub public_key: Hash256,
    /// SHA-256 of the certificate it was enrolled with; zeros when it was believed by hand.
    pub certificate: Hash256,
    /// Since when, in Unix milliseconds.
    pub enrolled_ms: i64,
    /// Until when; `None` for the key that signs now.
    pub retired_ms: Option<i64>,
}

/// What an operator may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The operator.
    pub name: String,
    /// The role's name; `none` for one who may do nothing any more.
    pub role: String,
    /// Since when, in Unix milliseconds.
    pub granted_ms: i64,
}

/// What an operator is about to do, decided under roles that must still stand when it is done.
#[derive(Debug, Clone)]
pub struct Deed {
    /// What is noted.
    pub act: Act,
    /// The role that is given with it.
    pub gives: Option<Grant>,
    /// Everybody's role, as [`Ledger::grants`] told it to whoever decided.
    pub under: Vec<Grant>,
}

impl Deed {
    /// Whether it may be done where these roles stand: those it was decided under, or those that it left behind itself
    /// when the answer was lost and it is tried again.
    pub(crate) fn stands_under(&self, roles: &[Grant]) -> bool {
        let is_behind = |given: &Grant| {
            let others = roles.iter().filter(|grant| grant.name != given.name);
            roles.contains(given) && others.eq(self.under.iter().filter(|grant| grant.name != given.name))
        };
        roles == self.under || self.gives.as_ref().is_some_and(is_behind)
    }
}

/// The part of a store that is about people at the centre and about trust.
pub trait Ledger: Send + Sync {
    /// Adds an act of the hub itself, which depends on nobody's role, to the chain; it is on disk when this returns.
    fn note(&self, act: Act) -> impl Future<Output = Answer<ActRow>> + Send;
    /// Acts behind `after`, in order, at most `limit`.
    fn acts(&self, after: u64, limit: usize) -> impl Future<Output = Answer<Vec<ActRow>>> + Send;
    /// Believes a key from now on, and retires the earlier ones of its province.
    fn trust(&self, signer: Signer) -> impl Future<Output = Answer<()>> + Send;
    /// Every key of a province, also those that are retired.
    fn signers(&self, origin: Origin) -> impl Future<Output = Answer<Vec<Signer>>> + Send;
    /// Adds an act to the chain and gives the role that it gives, in one transaction that is on disk when this returns;
    /// `false`, and nothing is done, where somebody's role is no longer the one under which the deed was decided.
    fn perform(&self, deed: Deed) -> impl Future<Output = Answer<bool>> + Send;
    /// Every operator who was ever given a role, by name.
    fn grants(&self) -> impl Future<Output = Answer<Vec<Grant>>> + Send;
}

mod hexadecimal {
    use registry_schema::digest::Hash256;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &Hash256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(hash)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash256, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> Vec<ActRow> {
        let mut rows: Vec<ActRow> = Vec::new();
        for at in 0..length {
            let act = Act {
                at_ms: at.cast_signed(),
                who: "lan".to_owned(),
                verb: Verb::Look,
                object: format!("P{at}"),
                reason: "a letter".to_owned(),
            };
            rows.push(ActRow::after(rows.last().map(|row| (row.seq, row.hash)), act));
        }
        rows
    }

    fn is_sound(rows: &[ActRow]) -> bool {
        let mut last = None;
        rows.iter().all(|row| row.check(last.replace((row.seq, row.hash))).is_ok())
    }

    #[test]
    fn what_is_altered_taken_out_or_put_in_is_noticed() {
        assert!(is_sound(&chain(9)));
        let check = |change: fn(&mut Vec<ActRow>)| {
            let mut rows = chain(9);
            change(&mut rows);
            assert!(!is_sound(&rows));
        };
        check(|rows| rows[3].act.who = "mai".to_owned());
        check(|rows| rows[3].act.reason.clear());
        check(|rows| rows[3].act.at_ms += 1);
        check(|rows| drop(rows.remove(3)));
        check(|rows| drop(rows.remove(0)));
        check(|rows| rows.swap(3, 4));
        check(|rows| {
            let forged = Act { object: "P99".to_owned(), ..rows[3].act.clone() };
            rows[3] = ActRow::after(Some((rows[2].seq, rows[2].hash)), forged);
        });
    }

    #[test]
    fn words_and_verbs_are_one() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(verb.name()), Some(verb));
            assert_eq!(serde_json::to_value(verb).unwrap(), verb.name());
        }
        let row = chain(2).pop().unwrap();
        let read: ActRow = serde_json::from_str(&serde_json::to_string(&row).unwrap()).unwrap();
        assert_eq!(read, row);
    }
}
