//! Links, cases and verdicts in SQLite.

use hub_rules::finding::{Certainty, Finding, FindingId, Rule};
use hub_rules::verdict::Verdict;
use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use registry_schema::kind::Kind;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use super::Sqlite;
use super::codec::{self, damaged};
use crate::model::{FindingCounts, FindingFilter, FindingRow, FindingState, PAGE_ROWS_MAX};
use crate::national::{Answer, Cases};

impl Cases for Sqlite {
    async fn findings(&self, filter: FindingFilter) -> Answer<Vec<FindingRow>> {
        self.reader.run(move |connection| read_findings(connection, &filter)).await
    }

    async fn finding(&self, id: FindingId) -> Answer<Option<FindingRow>> {
        self.reader.run(move |connection| read_finding(connection, id)).await
    }

    async fn finding_counts(&self) -> Answer<FindingCounts> {
        self.reader
            .run(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT certainty, rule, certainty = 2 AND (answer IS NULL OR answer = 'wait'), count(*)
                     FROM finding GROUP BY 1, 2, 3",
                )?;
                let rows = statement.query_map([], |row| {
                    let certainty = Certainty::from_number(row.get(0)?).ok_or_else(|| damaged("a certainty"))?;
                    let rule = Rule::parse(row.get_ref(1)?.as_str()?).ok_or_else(|| damaged("a rule's name"))?;
                    Ok(((certainty, rule, row.get(2)?), row.get::<_, i64>(3)?.cast_unsigned()))
                })?;
                rows.collect()
            })
            .await
    }

    async fn verdicts(&self, case: FindingId) -> Answer<Vec<Verdict>> {
        self.reader
            .run(move |connection| {
                let mut statement = connection.prepare_cached("SELECT body FROM verdict WHERE case_id = ?1")?;
                let rows = statement.query_map([case.0], verdict)?;
                let mut verdicts = rows.collect::<Result<Vec<Verdict>, _>>()?;
                verdicts.sort_by(|a, b| a.rank().cmp(&b.rank()));
                Ok(verdicts)
            })
            .await
    }

    async fn verdicts_with(&self, reason_prefix: String, after: Option<Hash256>, limit: usize) -> Answer<Vec<Verdict>> {
        self.reader
            .run(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT body FROM verdict
                     WHERE verdict_id > ?1 AND substr(json_extract(body, '$.reason'), 1, length(?2)) = ?2
                     ORDER BY verdict_id LIMIT ?3",
                )?;
                let after = after.map_or_else(Vec::new, |id| id.0.to_vec());
                let by = params![after, reason_prefix, i64::try_from(limit).unwrap_or(i64::MAX)];
                statement.query_map(by, verdict)?.collect()
            })
            .await
    }
}

fn read_finding(connection: &mut Connection, id: FindingId) -> rusqlite::Result<Option<FindingRow>> {
    let snapshot = connection.transaction()?;
    let query = format!("SELECT {} FROM finding WHERE finding_id = ?1", codec::FINDING_COLUMNS);
    let row = snapshot.prepare_cached(&query)?.query_row([id.0], finding_row).optional()?;
    let Some(mut row) = row else { return Ok(None) };
    let mut statement = snapshot.prepare_cached(
        "SELECT said_ms FROM notice WHERE origin = ?1 AND record_id = ?2 AND subject = ?3 ORDER BY notice_seq LIMIT 1",
    )?;
    for key in &row.finding.records {
        let by = params![key.origin.number(), key.id.number(), id.to_string()];
        let said: Option<i64> = statement.query_row(by, |row| row.get(0)).optional()?;
        row.first_said_ms = row.first_said_ms.into_iter().chain(said).min();
    }
    Ok(Some(row))
}

/// What SQL can tell is asked of SQL; what the entries and the words of the evidence say is looked at row by row.
fn read_findings(connection: &mut Connection, filter: &FindingFilter) -> rusqlite::Result<Vec<FindingRow>> {
    let limit = if filter.limit == 0 { PAGE_ROWS_MAX } else { filter.limit.min(PAGE_ROWS_MAX) };
    let snapshot = connection.transaction()?;
    let (conditions, values) = conditions(filter);
    let columns = codec::FINDING_COLUMNS;
    let query = format!("SELECT {columns} FROM finding WHERE {conditions} ORDER BY finding_id");
    let mut statement = snapshot.prepare_cached(&query)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while found.len() < limit {
        let Some(row) = rows.next()? else { break };
        let row = finding_row(row)?;
        if says(&row.finding, &filter.evidence) && filter.kind.map_or(Ok(true), |kind| is_of(&snapshot, &row, kind))? {
            found.push(row);
        }
    }
    Ok(found)
}

/// Conditions and their values, in order; only what is set, so that an index can serve it.
fn conditions(filter: &FindingFilter) -> (String, Vec<Value>) {
    let mut conditions = vec!["TRUE".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut add = |condition: &str, value: &mut dyn Iterator<Item = Value>| {
        conditions.push(condition.to_owned());
        values.extend(value);
    };
    let once = |value: Value| std::iter::once(value);
    if let Some(certainty) = filter.certainty {
        add("certainty = ?", &mut once(i64::from(certainty.number()).into()));
    }
    if !filter.rules.is_empty() {
        let marks = vec!["?"; filter.rules.len()].join(", ");
        let names = &mut filter.rules.iter().map(|rule| Value::from(rule.name().to_owned()));
        add(&format!("rule IN ({marks})"), names);
    }
    match filter.state {
        Some(FindingState::Open) => {
            add("certainty = 2 AND (answer IS NULL OR answer = 'wait')", &mut std::iter::empty());
        }
        Some(FindingState::Answered) => add("answer <> 'wait'", &mut std::iter::empty()),
        Some(FindingState::Linked) => add("certainty = 1", &mut std::iter::empty()),
        None => {}
    }
    if let Some(origin) = filter.origin.as_ref().map(Origin::to_string) {
        let within = "EXISTS (SELECT 1 FROM json_each(records) WHERE value LIKE ? || '/%')";
        add(within, &mut once(origin.into()));
    }
    if !filter.records.is_empty() {
        let marks = vec!["(?, ?)"; filter.records.len()].join(", ");
        let of = format!("SELECT finding_id FROM finding_record WHERE (origin, record_id) IN (VALUES {marks})");
        let keys = filter.records.iter();
        let mut keys = keys.flat_map(|key| [i64::from(key.origin.number()).into(), key.id.number().into()]);
        add(&format!("finding_id IN ({of})"), &mut keys);
    }
    if let Some(since) = filter.since_ms {
        add("changed_ms >= ?", &mut once(since.into()));
    }
    if let Some(after) = filter.after {
        add("finding_id > ?", &mut once(after.0.to_vec().into()));
    }
    (conditions.join(" AND "), values)
}

/// Whether some reason of the finding says each of the texts.
fn says(finding: &Finding, texts: &[String]) -> bool {
    texts.iter().all(|text| {
        let text = text.to_lowercase();
        let says = |words: &str| words.to_lowercase().contains(&text);
        finding.evidence.iter().any(|reason| says(&reason.english) || says(&reason.vietnamese))
    })
}

/// Whether one of the entries of a finding is of this kind.
fn is_of(connection: &Connection, row: &FindingRow, kind: Kind) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT 1 FROM record WHERE origin = ?1 AND record_id = ?2 AND kind = ?3")?;
    for key in &row.finding.records {
        if statement.exists(params![key.origin.number(), key.id.number(), kind.code()])? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn finding_row(row: &Row<'_>) -> rusqlite::Result<FindingRow> {
    Ok(FindingRow { finding: codec::finding(row)?, changed_ms: row.get(8)?, first_said_ms: None })
}

fn verdict(row: &Row<'_>) -> rusqlite::Result<Verdict> {
    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|_| damaged("a verdict"))
}
