//! The registry in SQLite.

use hub_rules::digests::{Digests, Section};
use hub_rules::node::Node;
use hub_rules::reading::Standing;
use hub_rules::{Context, Plan, Request};
use registry_schema::ids::{Origin, PersonId, RecordId, RecordKey};
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{self, damaged};
use super::{Sqlite, commit, holdings, load};
use crate::model::{
    Applied, DigestView, EntryRow, JournalId, NoticeRow, PersonView, Queue, RecordCounts, RecordView, Watermark,
};
use crate::national::{Answer, Registry};

impl Registry for Sqlite {
    async fn load(&self, request: Request, mut context: Context) -> Answer<Context> {
        self.reader
            .run(move |connection| {
                load::load(connection, request, &mut context)?;
                Ok(context)
            })
            .await
    }

    async fn commit(&self, plan: Plan, applied: Applied) -> Answer<()> {
        self.writer.run(move |connection| commit::commit(connection, &plan, &applied)).await
    }

    async fn digests(&self) -> Answer<DigestView> {
        self.reader.run(read_digests).await
    }

    async fn record(&self, key: RecordKey) -> Answer<Option<RecordView>> {
        self.reader.run(move |connection| read_record(connection, key)).await
    }

    async fn entries(&self, after: Option<RecordKey>, limit: usize) -> Answer<Vec<EntryRow>> {
        self.reader.run(move |connection| read_entries(connection, after, limit)).await
    }

    async fn person(&self, which: Result<PersonId, Node>) -> Answer<Option<PersonView>> {
        self.reader.run(move |connection| read_person(connection, which)).await
    }

    async fn counts(&self) -> Answer<RecordCounts> {
        self.reader
            .run(|connection| {
                let mut statement =
                    connection.prepare_cached("SELECT origin, kind, standing, count FROM tally WHERE count <> 0")?;
                let rows = statement.query_map([], |row| {
                    Ok(((codec::origin(row.get(0)?)?, row.get(1)?, codec::standing(row.get(2)?)?), row.get(3)?))
                })?;
                rows.collect()
            })
            .await
    }

    async fn notices(&self, origin: Origin, after: u64, limit: usize) -> Answer<Vec<NoticeRow>> {
        self.reader.run(move |connection| read_notices(connection, origin, after, limit)).await
    }

    async fn judged_under(&self) -> Answer<Option<String>> {
        self.reader
            .run(|connection| connection.query_row("SELECT words FROM ruling", [], |row| row.get(0)).optional())
            .await
    }

    async fn judge_under(&self, ruling: String) -> Answer<()> {
        self.writer
            .run(move |connection| {
                connection.execute("INSERT OR REPLACE INTO ruling (only, words) VALUES (1, ?1)", [ruling])?;
                Ok(())
            })
            .await
    }

    async fn reset(&self) -> Answer<()> {
        self.writer
            .run(|connection| {
                let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                transaction.execute_batch(
                    "DELETE FROM record; DELETE FROM past; DELETE FROM block; DELETE FROM member; DELETE FROM finding;
                     DELETE FROM finding_record; DELETE FROM verdict; DELETE FROM verdict_record; DELETE FROM digest;
                     DELETE FROM tally; UPDATE watermark SET journal_id = 0;",
                )?;
                holdings::reset(&transaction)?;
                transaction.commit()
            })
            .await
    }
}

fn read_digests(connection: &mut Connection) -> rusqlite::Result<DigestView> {
    let snapshot = connection.transaction()?;
    let mut digests = Digests::default();
    for section in Section::ALL {
        digests.merge(section, commit::section_sum(&snapshot, section.name())?);
    }
    let judged = |queue: Queue| {
        let query = "SELECT journal_id FROM watermark WHERE queue = ?1";
        snapshot.query_row(query, [queue.number()], |row| row.get(0)).map(JournalId)
    };
    let watermark = Watermark { live: judged(Queue::Live)?, backlog: judged(Queue::Backlog)? };
    Ok(DigestView { digests, watermark })
}

fn read_record(connection: &mut Connection, key: RecordKey) -> rusqlite::Result<Option<RecordView>> {
    let snapshot = connection.transaction()?;
    let by = params![key.origin.number(), key.id.number()];
    let present = snapshot
        .prepare_cached(
            "SELECT version, clock, content_hash, canonical, standing FROM record WHERE origin = ?1 AND record_id = ?2",
        )?
        .query_row(by, |row| Ok((codec::state(row, 0)?, codec::standing(row.get(4)?)?)))
        .optional()?;
    let Some((present, standing)) = present else { return Ok(None) };
    let past = snapshot
        .prepare_cached(
            "SELECT version, clock, content_hash, canonical, valid FROM past WHERE origin = ?1 AND record_id = ?2
             ORDER BY version, clock, content_hash",
        )?
        .query_map(by, |row| Ok((codec::state(row, 0)?, row.get(4)?)))?
        .collect::<Result<_, _>>()?;
    let members = snapshot
        .prepare_cached(
            "SELECT origin, record_id, role, cluster, person FROM member WHERE origin = ?1 AND record_id = ?2",
        )?
        .query_map(by, |row| Ok((codec::node(row, 0)?, codec::membership(row, 3)?)))?
        .collect::<Result<_, _>>()?;
    let query = format!(
        "SELECT {} FROM finding_record JOIN finding USING (finding_id) WHERE origin = ?1 AND record_id = ?2",
        codec::FINDING_COLUMNS
    );
    let findings = snapshot.prepare_cached(&query)?.query_map(by, codec::finding)?.collect::<Result<_, _>>()?;
    Ok(Some(RecordView { key, standing, present, past, members, findings }))
}

fn read_entries(
    connection: &mut Connection,
    after: Option<RecordKey>,
    limit: usize,
) -> rusqlite::Result<Vec<EntryRow>> {
    let (origin, id) = after.map_or((0, 0), |key| (key.origin.number(), key.id.number()));
    connection
        .prepare_cached(
            "SELECT origin, record_id, version, clock, content_hash, canonical FROM record
             WHERE (origin, record_id) > (?1, ?2) AND standing = ?3 ORDER BY origin, record_id LIMIT ?4",
        )?
        .query_map(params![origin, id, Standing::Active.number(), i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((codec::key(row, 0)?, codec::state(row, 2)?))
        })?
        .collect()
}

fn read_person(connection: &mut Connection, which: Result<PersonId, Node>) -> rusqlite::Result<Option<PersonView>> {
    let snapshot = connection.transaction()?;
    let person = match which {
        Ok(person) => person,
        Err(node) => {
            let found = snapshot
                .prepare_cached("SELECT person FROM member WHERE origin = ?1 AND record_id = ?2 AND role = ?3")?
                .query_row(params![node.key.origin.number(), node.key.id.number(), node.role.code()], |row| row.get(0))
                .optional()?;
            match found {
                Some(person) => PersonId(person),
                None => return Ok(Some((node.alone().person, vec![node]))),
            }
        }
    };
    let nodes: Vec<Node> = snapshot
        .prepare_cached(
            "SELECT origin, record_id, role FROM member WHERE person = ?1 ORDER BY origin, record_id, role",
        )?
        .query_map([person.0], |row| codec::node(row, 0))?
        .collect::<Result<_, _>>()?;
    Ok((!nodes.is_empty()).then_some((person, nodes)))
}

fn read_notices(
    connection: &mut Connection,
    origin: Origin,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<NoticeRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT notice_seq, record_id, subject, outcome, rule, others, english, vietnamese, detail FROM notice
         WHERE origin = ?1 AND notice_seq > ?2 ORDER BY notice_seq LIMIT ?3",
    )?;
    let by = params![origin.number(), after.cast_signed(), i64::try_from(limit).unwrap_or(i64::MAX)];
    let rows = statement.query_map(by, |row| {
        Ok(NoticeRow {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            record: RecordId::from_number(row.get(1)?).ok_or_else(|| damaged("a record's key"))?,
            subject: row.get(2)?,
            outcome: row.get(3)?,
            rule: row.get(4)?,
            others: serde_json::from_str(row.get_ref(5)?.as_str()?).map_err(|_| damaged("a notice"))?,
            english: row.get(6)?,
            vietnamese: row.get(7)?,
            detail: row.get(8)?,
        })
    })?;
    rows.collect()
}
