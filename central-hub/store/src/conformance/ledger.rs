//! The ledger: acts are chained, keys replace one another, roles are given and taken.

use hub_rules::finding::FindingId;
use hub_rules::verdict::{Answer, Verdict};
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;

use super::journal::origin;
use crate::ledger::{Act, Grant, Signer, Verb};
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
    let grant = |name: &str, role: &str, granted_ms| Grant { name: name.to_owned(), role: role.to_owned(), granted_ms };
    store.grant(grant("mai", "viewer", 1)).await.expect("grants");
    store.grant(grant("lan", "administrator", 2)).await.expect("grants");
    store.grant(grant("mai", "none", 3)).await.expect("grants");
    let expected = vec![grant("lan", "administrator", 2), grant("mai", "none", 3)];
    assert_eq!(store.grants().await.expect("reads"), expected);
}
