//! Links, cases and verdicts in SQLite.

use hub_rules::finding::{Certainty, FindingId, Rule};
use hub_rules::verdict::Verdict;
use registry_schema::ids::Origin;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Sqlite;
use super::codec::{self, damaged};
use crate::model::{FindingCounts, FindingFilter, FindingRow, PAGE_ROWS_MAX};
use crate::national::{Answer, Cases};

impl Cases for Sqlite {
    async fn findings(&self, filter: FindingFilter) -> Answer<Vec<FindingRow>> {
        self.reader.run(move |connection| read_findings(connection, &filter)).await
    }

    async fn finding(&self, id: FindingId) -> Answer<Option<FindingRow>> {
        self.reader
            .run(move |connection| {
                let query = format!("SELECT {} FROM finding WHERE finding_id = ?1", codec::FINDING_COLUMNS);
                connection.prepare_cached(&query)?.query_row([id.0], finding_row).optional()
            })
            .await
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
                let rows = statement.query_map([case.0], |row| {
                    serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|_| damaged("a verdict"))
                })?;
                let mut verdicts = rows.collect::<Result<Vec<Verdict>, _>>()?;
                verdicts.sort_by(|a, b| a.rank().cmp(&b.rank()));
                Ok(verdicts)
            })
            .await
    }
}

fn read_findings(connection: &mut Connection, filter: &FindingFilter) -> rusqlite::Result<Vec<FindingRow>> {
    let limit = if filter.limit == 0 { PAGE_ROWS_MAX } else { filter.limit.min(PAGE_ROWS_MAX) };
    let query = format!(
        "SELECT {} FROM finding
         WHERE (?1 IS NULL OR certainty = ?1) AND (?2 IS NULL OR rule = ?2)
           AND (NOT ?3 OR (certainty = 2 AND (answer IS NULL OR answer = 'wait')))
           AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(records) WHERE value LIKE ?4 || '/%'))
           AND (?5 IS NULL OR finding_id > ?5)
         ORDER BY finding_id LIMIT ?6",
        codec::FINDING_COLUMNS
    );
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map(
        params![
            filter.certainty.map(Certainty::number),
            filter.rule.map(Rule::name),
            filter.open_only,
            filter.origin.as_ref().map(Origin::to_string),
            filter.after.map(|id| id.0),
            i64::try_from(limit).unwrap_or(i64::MAX)
        ],
        finding_row,
    )?;
    rows.collect()
}

fn finding_row(row: &Row<'_>) -> rusqlite::Result<FindingRow> {
    Ok(FindingRow { finding: codec::finding(row)?, changed_ms: row.get(8)? })
}
