//! Links, cases and verdicts in PostgreSQL.

use hub_rules::finding::{Finding, FindingId, Rule};
use hub_rules::verdict::Verdict;
use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::Postgres;
use super::codec::{self, columns, get};
use super::error::{Fault, Outcome};
use super::pool::Connection;
use crate::model::{FindingCounts, FindingFilter, FindingRow, FindingState, PAGE_ROWS_MAX};
use crate::national::{Answer, Cases};

/// Rows that are looked at together where the last word about a row is not SQL's.
const LOOK_ROWS: usize = 1_000;

impl Cases for Postgres {
    async fn findings(&self, filter: FindingFilter) -> Answer<Vec<FindingRow>> {
        let filter = &filter;
        self.pool.run(|connection, _| async move { read_findings(&connection, filter).await }).await
    }

    async fn finding(&self, id: FindingId) -> Answer<Option<FindingRow>> {
        self.pool.run(|connection, _| async move { read_finding(&connection, id).await }).await
    }

    async fn finding_counts(&self) -> Answer<FindingCounts> {
        const SQL: &str = "SELECT certainty, rule, certainty = 2 AND (answer IS NULL OR answer = 'wait'), count(*)
             FROM finding GROUP BY 1, 2, 3";
        let counts = self.pool.run(|connection, _| async move {
            let rows = connection.query(SQL, []).await?;
            let counts = rows.iter().map(|row| {
                let rule = Rule::parse(get(row, 1)?).ok_or(Fault::Damaged("a rule's name"))?;
                Ok(((codec::certainty(row, 0)?, rule, get(row, 2)?), codec::unsigned(row, 3)?))
            });
            counts.collect()
        });
        counts.await
    }

    async fn verdicts(&self, case: FindingId) -> Answer<Vec<Verdict>> {
        let verdicts = self.pool.run(|connection, _| async move {
            let rows = connection.query("SELECT body FROM verdict WHERE case_id = $1", [&&case.0[..]]).await?;
            rows.iter().map(codec::verdict).collect::<Outcome<Vec<Verdict>>>()
        });
        let mut verdicts = verdicts.await?;
        verdicts.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Ok(verdicts)
    }

    async fn verdicts_with(&self, reason_prefix: String, after: Option<Hash256>, limit: usize) -> Answer<Vec<Verdict>> {
        let prefix = reason_prefix.as_str();
        self.pool.run(|connection, _| async move { read_verdicts_with(&connection, prefix, after, limit).await }).await
    }
}

/// The reason stands in the verdict's JSON, which is read here: the server's JSON does not take every text.
async fn read_verdicts_with(
    connection: &Connection,
    reason_prefix: &str,
    after: Option<Hash256>,
    limit: usize,
) -> Outcome<Vec<Verdict>> {
    const SQL: &str = "SELECT body, verdict_id FROM verdict WHERE verdict_id > $1 ORDER BY verdict_id LIMIT $2";
    let rows_max = i64::try_from(LOOK_ROWS).unwrap_or(i64::MAX);
    let mut last = after.map_or_else(Vec::new, |id| id.0.to_vec());
    let mut found = Vec::new();
    while found.len() < limit {
        let rows = connection.query(SQL, [&last, &rows_max]).await?;
        for row in &rows {
            let verdict = codec::verdict(row)?;
            if found.len() < limit && verdict.reason.starts_with(reason_prefix) {
                found.push(verdict);
            }
        }
        match rows.last() {
            Some(row) if rows.len() == LOOK_ROWS => last = get(row, 1)?,
            _ => break,
        }
    }
    Ok(found)
}

async fn read_finding(connection: &Connection, id: FindingId) -> Outcome<Option<FindingRow>> {
    const SAID: &str = "SELECT min(said_ms) FROM unnest($1::smallint[], $2::bigint[]) AS k (origin, record_id)
         JOIN notice USING (origin, record_id) WHERE subject = $3";
    connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let query = format!("SELECT {} FROM finding WHERE finding_id = $1", codec::FINDING_COLUMNS);
    let rows = connection.query_once(&query, &[&&id.0[..]]).await?;
    let mut row = rows.first().map(finding_row).transpose()?;
    if let Some(row) = &mut row {
        let (origins, ids) = columns(&row.finding.records);
        let said = connection.query(SAID, [&origins, &ids, &id.to_string()]).await?;
        row.first_said_ms = said.first().map(|row| get(row, 0)).transpose()?.flatten();
    }
    connection.batch("COMMIT").await?;
    Ok(row)
}

/// What SQL can tell is asked of SQL; what the words of the evidence say is looked at row by row.
async fn read_findings(connection: &Connection, filter: &FindingFilter) -> Outcome<Vec<FindingRow>> {
    let limit = if filter.limit == 0 { PAGE_ROWS_MAX } else { filter.limit.min(PAGE_ROWS_MAX) };
    let look_rows = if filter.evidence.is_empty() { limit } else { LOOK_ROWS };
    connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let (mut found, mut filter) = (Vec::new(), filter.clone());
    while found.len() < limit {
        let rows = look(connection, &filter, look_rows).await?;
        let is_last = rows.len() < look_rows;
        filter.after = rows.last().map(|row| row.finding.id).or(filter.after);
        found.extend(rows.into_iter().filter(|row| says(&row.finding, &filter.evidence)));
        if is_last {
            break;
        }
    }
    connection.batch("COMMIT").await?;
    found.truncate(limit);
    Ok(found)
}

async fn look(connection: &Connection, filter: &FindingFilter, rows_max: usize) -> Outcome<Vec<FindingRow>> {
    let (conditions, values) = conditions(filter);
    let columns = codec::FINDING_COLUMNS;
    let query = format!("SELECT {columns} FROM finding WHERE {conditions} ORDER BY finding_id LIMIT {rows_max}");
    let by: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value.as_ref() as &(dyn ToSql + Sync)).collect();
    connection.query_once(&query, &by).await?.iter().map(finding_row).collect()
}

type Value = Box<dyn ToSql + Send + Sync>;

/// Conditions and their values, in order; only what is set, so that an index can serve it.
fn conditions(filter: &FindingFilter) -> (String, Vec<Value>) {
    const OF: &str = "EXISTS (SELECT 1 FROM finding_record AS of JOIN record USING (origin, record_id)
         WHERE of.finding_id = finding.finding_id AND kind = #)";
    let mut conditions = vec!["TRUE".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut add = |condition: &str, new: Vec<Value>| {
        let mut condition = condition.to_owned();
        for value in new {
            values.push(value);
            condition = condition.replacen('#', &format!("${}", values.len()), 1);
        }
        conditions.push(condition);
    };
    if let Some(certainty) = filter.certainty {
        add("certainty = #", vec![Box::new(i16::from(certainty.number()))]);
    }
    if !filter.rules.is_empty() {
        let names: Vec<&str> = filter.rules.iter().map(|rule| rule.name()).collect();
        add("rule = ANY (#::text[])", vec![Box::new(names)]);
    }
    match filter.state {
        Some(FindingState::Open) => add("certainty = 2 AND (answer IS NULL OR answer = 'wait')", vec![]),
        Some(FindingState::Answered) => add("answer <> 'wait'", vec![]),
        Some(FindingState::Linked) => add("certainty = 1", vec![]),
        None => {}
    }
    if let Some(origin) = filter.origin.as_ref().map(Origin::to_string) {
        add("strpos(records, '\"' || #::text || '/') > 0", vec![Box::new(origin)]);
    }
    if let Some(kind) = filter.kind {
        add(OF, vec![Box::new(i16::from(kind.code()))]);
    }
    if !filter.records.is_empty() {
        let (origins, ids) = columns(&filter.records);
        let of = "finding_id IN (SELECT finding_id FROM unnest(#::smallint[], #::bigint[]) AS k (origin, record_id)
             JOIN finding_record USING (origin, record_id))";
        add(of, vec![Box::new(origins), Box::new(ids)]);
    }
    if let Some(since) = filter.since_ms {
        add("changed_ms >= #", vec![Box::new(since)]);
    }
    if let Some(after) = filter.after {
        add("finding_id > #", vec![Box::new(after.0.to_vec())]);
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

fn finding_row(row: &Row) -> Outcome<FindingRow> {
    Ok(FindingRow { finding: codec::finding(row)?, changed_ms: get(row, 8)?, first_said_ms: None })
}
