//! What the centre answered, kept beside the entries for clerks' screens: the newest word per entry and subject.

use registry_proto::v1::{self, NoticeOutcome};
use rusqlite::{Connection, Row, TransactionBehavior, params};
use serde::Serialize;
use serde_json::Value;

use crate::store::StoreError;
use crate::store::state;

/// A kept notice, as reports show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptNotice {
    /// The entry.
    pub record_id: i64,
    /// `entry`, or the identity of a finding.
    pub subject: String,
    /// The notice's place among the centre's words.
    pub notice_seq: i64,
    /// What became of it.
    pub outcome: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The other entries concerned, as PROVINCE/ID.
    pub others: Value,
    /// The message in English.
    pub english: String,
    /// The message in Vietnamese.
    pub vietnamese: String,
    /// Details for programs.
    pub detail: Value,
    /// When it came: RFC 3339, UTC.
    pub received_at: String,
}

/// The outcomes that notices can have, as the store and the command line name them.
pub const OUTCOMES: [&str; 6] = ["accepted", "rejected", "linked", "case", "resolved", "closed"];

/// Stores notices and the place they lead to; call it inside one transaction. A word that is older than the kept one
/// changes nothing, so a batch may come twice.
///
/// # Errors
/// The store could not be written.
pub fn keep(connection: &Connection, notices: &[v1::Notice], now_ms: u64) -> Result<u64, StoreError> {
    let mut position = state::notice_seq(connection)?;
    for notice in notices {
        upsert(connection, notice, now_ms)?;
        fail::fail_point!("agent.notice");
        position = position.max(notice.notice_seq);
    }
    state::set_notice_seq(connection, position)?;
    Ok(position)
}

/// Takes back what the centre said behind `position`: it came back from a backup, and says what still holds once more.
///
/// # Errors
/// The store could not be written.
pub fn take_back(connection: &mut Connection, nation: u64, position: u64) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    state::set_nation(&transaction, nation)?;
    if state::notice_seq(&transaction)? > position {
        transaction.execute("DELETE FROM notices WHERE notice_seq > ?1", [position.cast_signed()])?;
        state::set_notice_seq(&transaction, position)?;
    }
    Ok(transaction.commit()?)
}

fn upsert(connection: &Connection, notice: &v1::Notice, now_ms: u64) -> Result<(), StoreError> {
    let sql = "INSERT INTO notices (record_id, subject, notice_seq, outcome, rule, others, english, vietnamese, detail,
                   received_at)
               VALUES (?1, ?2, ?3, ?4, nullif(?5, ''), ?6, ?7, ?8, nullif(?9, ''),
                   strftime('%Y-%m-%dT%H:%M:%SZ', ?10 / 1000, 'unixepoch'))
               ON CONFLICT (record_id, subject) DO UPDATE SET notice_seq = excluded.notice_seq,
                   outcome = excluded.outcome, rule = excluded.rule, others = excluded.others,
                   english = excluded.english, vietnamese = excluded.vietnamese, detail = excluded.detail,
                   received_at = excluded.received_at
               WHERE excluded.notice_seq > notices.notice_seq";
    let others = (!notice.others.is_empty()).then(|| Value::from(notice.others.as_slice()).to_string());
    connection.prepare_cached(sql)?.execute(params![
        notice.record_id.cast_signed(),
        notice.subject,
        notice.notice_seq.cast_signed(),
        outcome_name(notice.outcome()),
        notice.rule,
        others,
        notice.english,
        notice.vietnamese,
        notice.detail_json,
        now_ms.cast_signed(),
    ])?;
    Ok(())
}

/// The outcome as the store names it. One of a later release reads as a case: somebody has to look at its words.
const fn outcome_name(outcome: NoticeOutcome) -> &'static str {
    match outcome {
        NoticeOutcome::Accepted => "accepted",
        NoticeOutcome::Rejected => "rejected",
        NoticeOutcome::Linked => "linked",
        NoticeOutcome::Unspecified | NoticeOutcome::Case => "case",
        NoticeOutcome::Resolved => "resolved",
        NoticeOutcome::Closed => "closed",
    }
}

/// Shows every kept notice, or those with one outcome, to `show`, in the order in which they came.
///
/// # Errors
/// The store could not be read, or `show` failed.
pub fn for_each<E: From<StoreError>>(
    connection: &Connection,
    outcome: Option<&str>,
    mut show: impl FnMut(KeptNotice) -> Result<(), E>,
) -> Result<(), E> {
    let sql = "SELECT record_id, subject, notice_seq, outcome, rule, others, english, vietnamese, detail, received_at
               FROM notices WHERE ?1 IS NULL OR outcome = ?1 ORDER BY notice_seq, record_id, subject";
    let mut statement = connection.prepare(sql).map_err(StoreError::from)?;
    let mut rows = statement.query([outcome]).map_err(StoreError::from)?;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        show(read(row).map_err(StoreError::from)?)?;
    }
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<KeptNotice> {
    Ok(KeptNotice {
        record_id: row.get(0)?,
        subject: row.get(1)?,
        notice_seq: row.get(2)?,
        outcome: row.get(3)?,
        rule: row.get(4)?,
        others: json(row, 5)?,
        english: row.get(6)?,
        vietnamese: row.get(7)?,
        detail: json(row, 8)?,
        received_at: row.get(9)?,
    })
}

fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::store::tests::scratch;

    fn notice(notice_seq: u64, record_id: u64, subject: &str, outcome: NoticeOutcome) -> v1::Notice {
        v1::Notice {
            notice_seq,
            record_id,
            subject: subject.to_owned(),
            outcome: outcome.into(),
            english: format!("word {notice_seq}"),
            ..v1::Notice::default()
        }
    }

    fn kept(connection: &Connection, outcome: Option<&str>) -> Vec<KeptNotice> {
        let mut found = Vec::new();
        for_each(connection, outcome, |notice| {
            found.push(notice);
            Ok::<_, StoreError>(())
        })
        .unwrap();
        found
    }

    #[test]
    fn a_notice_is_kept_whole() {
        let (_folder, mut store) = scratch();
        let connection = store.connection();
        let full = v1::Notice {
            rule: "double_registration".to_owned(),
            others: vec!["02@2008/7".to_owned()],
            detail_json: "{\"score\":3}".to_owned(),
            ..notice(4, 9, "F1", NoticeOutcome::Case)
        };
        assert_eq!(keep(connection, &[full], 1_700_000_000_123).unwrap(), 4);
        let found = kept(connection, Some("case")).remove(0);
        assert_eq!(found.rule.as_deref(), Some("double_registration"));
        assert_eq!(
            (found.others.to_string(), found.detail.to_string()),
            ("[\"02@2008/7\"]".into(), "{\"score\":3}".into())
        );
        assert_eq!(found.received_at, "2023-11-14T22:13:20Z");
        assert_eq!(kept(connection, Some("linked")), []);
    }

    #[test]
    fn every_outcome_is_one_that_the_store_takes() {
        let (_folder, mut store) = scratch();
        for outcome in (0..=9).map(|number| NoticeOutcome::try_from(number).unwrap_or_default()) {
            keep(store.connection(), &[notice(1, 9, outcome.as_str_name(), outcome)], 0).unwrap();
            assert!(OUTCOMES.contains(&outcome_name(outcome)));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_newest_word_stands_whatever_the_order(words in prop::collection::vec((1_u64..40, 1_u64..4, 0_u64..2), 1..30)) {
            let (_folder, mut store) = scratch();
            let connection = store.connection();
            let mut newest = std::collections::BTreeMap::new();
            for (seq, record_id, subject) in words {
                let position = keep(connection, &[notice(seq, record_id, &subject.to_string(), NoticeOutcome::Linked)], 0);
                let word: &mut u64 = newest.entry((record_id, subject)).or_default();
                *word = seq.max(*word);
                prop_assert!(position.unwrap() >= *word);
            }
            let mut expected: Vec<_> = newest.into_values().map(|seq| format!("word {seq}")).collect();
            let mut found: Vec<_> = kept(connection, None).into_iter().map(|notice| notice.english).collect();
            expected.sort();
            found.sort();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(state::notice_seq(connection).unwrap() > 0, true);
        }
    }
}
