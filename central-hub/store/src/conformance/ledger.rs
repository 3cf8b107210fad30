//! The ledger: acts are chained, keys replace one another, roles are given and taken.

use hub_rules::finding::FindingId;
use hub_rules::verdict::{Answer, Verdict};
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;

use super::journal::origin;
use crate::ledger::{Act, Deed, Grant, Signer, Verb};
use crate::model::Append;
use crate::national::NationalStore;

fn act(at_ms: i64) -> Act {
    let object = format!("01@2008/{at_ms}");
    Act { at_ms, who: "lan".to_owned(), verb: Verb::Look, object, reason: "thư số 12".to_owned() }
}

/// Acts come back in order and whole, each behind the one before, also when several write at once.
///
/// # Panics
/// They do not.
pub async fn acts_are_chained<S: NationalStore>(store: &S) {
    futures::future::join_all((1..=20).map(|at| store.note(act(at)))).await.into_iter().for_each(|noted| {
        noted.expect("notes");
    });
    let (mut last, mut after, mut seen) = (None, 0, std::collections::BTreeSet::new());
    loop {
        let page = store.acts(after, 7).await.expect("reads");
        let Some(end) = page.last().map(|row| row.seq) else { break };
        for row in page {
            row.check(last).expect("follows the one before");
            assert_eq!(row.act, act(row.act.at_ms));
            last = Some((row.seq, row.hash));
            seen.insert(row.act.at_ms);
        }
        after = end;
    }
    assert_eq!((seen.len(), after), (20, 20));
}

/// A verdict stands in the journal together with an act that names it, chained to whatever was noted before; of several
/// operators each has an act.
///
/// # Panics
/// It does not.
pub async fn answers_are_named_in_the_ledger<S: NationalStore>(store: &S) {
    store.note(act(1)).await.expect("notes");
    let verdict = |operator: &str, reason: &str| Verdict {
        case: FindingId([7; 16]),
        records: Vec::new(),
        answer: Answer::Keep,
        chosen: None,
        operator: operator.to_owned(),
        clock: Hlc::from_number(9),
        reason: reason.to_owned(),
    };
    let verdicts = [verdict("lan", "seen"), verdict("mai", "heard"), verdict("lan", "thư số 12")];
    let entries = verdicts.iter().map(|verdict| Append::Verdict { verdict: verdict.clone(), received_ms: 5 });
    store.append(entries.collect()).await.expect("appends");
    let acts = store.acts(0, 10).await.expect("reads");
    let mut last = None;
    for row in &acts {
        row.check(last).expect("follows the one before");
        last = Some((row.seq, row.hash));
    }
    let named: Vec<_> =
        acts[1..].iter().map(|row| (row.act.who.as_str(), row.act.answers().collect::<Vec<_>>())).collect();
    let expected = [("lan", vec![verdicts[0].id(), verdicts[2].id()]), ("mai", vec![verdicts[1].id()])];
    assert_eq!(named, expected);
}

/// A province has one key that signs; those before it stay.
///
/// # Panics
/// It has not.
pub async fn a_new_key_retires_the_old_one<S: NationalStore>(store: &S) {
    let signer = |seed: u8, enrolled_ms| Signer {
        origin: origin(),
        public_key: Hash256([seed; 32]),
        certificate: Hash256([9; 32]),
        enrolled_ms,
        retired_ms: None,
    };
    store.trust(signer(1, 10)).await.expect("trusts");
    store.trust(signer(2, 20)).await.expect("trusts");
    let expected = vec![Signer { retired_ms: Some(20), ..signer(1, 10) }, signer(2, 20)];
    assert_eq!(store.signers(origin()).await.expect("reads"), expected);
    store.trust(signer(2, 30)).await.expect("trusts again");
    assert_eq!(store.signers(origin()).await.expect("reads"), expected);
}

/// The last role that was given stands.
///
/// # Panics
/// Another one does.
pub async fn the_last_role_stands<S: NationalStore>(store: &S) {
    give(store, grant("mai", "viewer", 1)).await;
    give(store, grant("lan", "administrator", 2)).await;
    give(store, grant("mai", "none", 3)).await;
    let expected = vec![grant("lan", "administrator", 2), grant("mai", "none", 3)];
    assert_eq!(store.grants().await.expect("reads"), expected);
}

/// A deed is done whole while the roles stand under which it was decided, and not at all when one changed; the same one
/// again, because its answer was lost, is no other.
///
/// # Panics
/// It is not.
pub async fn a_deed_is_done_under_the_roles_it_was_decided_under<S: NationalStore>(store: &S) {
    let decided = |under: &[Grant], gives: Option<Grant>| Deed { act: act(7), gives, under: under.to_vec() };
    let before = [grant("lan", "administrator", 1), grant("mai", "administrator", 2)];
    let perform = async |deed: Deed| store.perform(deed).await.expect("performs");
    for given in before.clone() {
        give(store, given).await;
    }
    let takes = decided(&before, Some(grant("mai", "none", 3)));
    assert!(perform(takes.clone()).await);
    let stands = [grant("lan", "administrator", 1), grant("mai", "none", 3)];
    let gives = |name: &str, role: &str| Some(grant(name, role, 3));
    let late = [gives("lan", "none"), gives("mai", "viewer"), None].map(|gives| decided(&before, gives));
    let late = late.into_iter().chain([decided(&[], None)]);
    for deed in late {
        let acts = store.acts(0, 100).await.expect("reads").len();
        assert!(!perform(deed.clone()).await, "{deed:?}");
        assert_eq!(store.acts(0, 100).await.expect("reads").len(), acts, "nothing is noted: {deed:?}");
        assert_eq!(store.grants().await.expect("reads"), stands);
    }
    assert!(perform(takes).await, "it was done already");
    assert!(perform(decided(&stands, None)).await);
    assert_eq!(store.grants().await.expect("reads"), stands);
}

/// Of two who take each other's role at the same moment, one does.
///
/// # Panics
/// Both do, or neither.
pub async fn of_two_who_take_each_others_role_one_does<S: NationalStore>(store: &S) {
    /// Quarrels; the two begin within microseconds of one another.
    const ROUNDS: i64 = 100;
    for round in 0..ROUNDS {
        for name in ["lan", "mai"] {
            give(store, grant(name, "administrator", round)).await;
        }
        let under = store.grants().await.expect("reads");
        let taken = ["lan", "mai"].map(|name| {
            store.perform(Deed { act: act(round), gives: Some(grant(name, "none", round)), under: under.clone() })
        });
        let done =
            futures::future::join_all(taken).await.into_iter().filter(|done| *done.as_ref().expect("performs")).count();
        let left = store.grants().await.expect("reads").iter().filter(|grant| grant.role == "administrator").count();
        assert_eq!((done, left), (1, 1), "round {round}");
    }
}

fn grant(name: &str, role: &str, granted_ms: i64) -> Grant {
    Grant { name: name.to_owned(), role: role.to_owned(), granted_ms }
}

/// Gives a role, whoever has which.
async fn give<S: NationalStore>(store: &S, gives: Grant) {
    let under = store.grants().await.expect("reads");
    let deed = Deed { act: act(gives.granted_ms), gives: Some(gives), under };
    assert!(store.perform(deed).await.expect("performs"), "nobody else gives roles meanwhile");
}
