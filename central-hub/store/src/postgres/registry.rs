//! The registry in PostgreSQL.

use hub_rules::digests::Digests;
use hub_rules::node::Node;
use hub_rules::reading::Standing;
use hub_rules::{Context, Plan, Request};
use rand::Rng as _;
use registry_schema::ids::{Origin, PersonId, RecordKey};
use tokio_postgres::Row;

use super::codec::{self, get, origin_number, small, text};
use super::commit::Committed;
use super::error::{Fault, Outcome};
use super::pool::{Connection, STATEMENT_TIMEOUT_MS};
use super::seat::Seat;
use super::{Aside, Postgres, commit, holdings, load, statements};
use crate::error::StoreError;
use crate::model::{
    Applied, DigestView, EntryRow, JournalId, NoticeRow, PersonView, Queue, RecordCounts, RecordView, Watermark,
};
use crate::national::{Answer, Registry};

/// Entries of one answer at most: what is asked for may be everything.
const ENTRIES_MAX: i64 = 10_000;

impl Registry for Postgres {
    async fn lead(&self) -> Answer<Option<u64>> {
        let settings = self.pool.settings();
        let term = self.seat.lock().await.take(settings).await;
        let term = term.map_err(|fault| fault.into_store_error(&settings.place))?;
        Ok(term.map(i64::cast_unsigned))
    }

    async fn load(&self, request: Request, mut context: Context) -> Answer<Context> {
        let wanted = &request;
        let loaded = self.pool.run(|connection, _| async move { load::read(&connection, wanted).await }).await?;
        let told = loaded.tell(request, &mut context);
        told.map_err(|fault| fault.into_store_error(&self.pool.settings().place))?;
        Ok(context)
    }

    async fn commit(&self, plan: Plan, applied: Applied) -> Answer<()> {
        let place = || self.pool.settings().place.clone();
        let term = self.seat.lock().await.term().ok_or_else(|| StoreError::Busy { place: place() })?;
        let commit_id = rand::rng().random();
        let (plan, applied) = (&plan, &applied);
        let committed = self.pool.run(|connection, tries| async move {
            commit::commit(&connection, (term, commit_id), tries == 0, plan, applied).await
        });
        match committed.await? {
            Committed::Done => Ok(()),
            Committed::Fenced => {
                *self.seat.lock().await = Seat::Away;
                Err(StoreError::Busy { place: place() })
            }
        }
    }

    async fn digests(&self) -> Answer<DigestView> {
        self.pool.run(|connection, _| async move { read_digests(&connection).await }).await
    }

    async fn record(&self, key: RecordKey) -> Answer<Option<RecordView>> {
        self.pool.run(|connection, _| async move { read_record(&connection, key).await }).await
    }

    async fn entries(&self, after: Option<RecordKey>, limit: usize) -> Answer<Vec<EntryRow>> {
        self.pool.run(|connection, _| async move { read_entries(&connection, after, limit).await }).await
    }

    async fn person(&self, which: Result<PersonId, Node>) -> Answer<Option<PersonView>> {
        self.pool.run(|connection, _| async move { read_person(&connection, which).await }).await
    }

    async fn counts(&self) -> Answer<RecordCounts> {
        const SQL: &str = "SELECT origin, kind, standing, count FROM tally WHERE count <> 0";
        let counts = self.pool.run(|connection, _| async move {
            let rows = connection.query(SQL, []).await?;
            let counts = rows
                .iter()
                .map(|row| Ok(((codec::origin(row, 0)?, small(row, 1)?, codec::standing(row, 2)?), get(row, 3)?)));
            counts.collect()
        });
        counts.await
    }

    async fn notices(&self, origin: Origin, after: u64, limit: usize) -> Answer<Vec<NoticeRow>> {
        self.pool.run(|connection, _| async move { read_notices(&connection, origin, after, limit).await }).await
    }

    async fn judged_under(&self) -> Answer<Option<String>> {
        let words = self.pool.run(|connection, _| async move {
            let rows = connection.query("SELECT words FROM ruling", []).await?;
            rows.first().map(|row| get(row, 0)).transpose()
        });
        words.await
    }

    async fn judge_under(&self, ruling: String) -> Answer<()> {
        const SQL: &str = "INSERT INTO ruling (one, words) VALUES (1, $1)
             ON CONFLICT (one) DO UPDATE SET words = excluded.words";
        let ruling = &text(&ruling);
        self.pool.run(|connection, _| async move { connection.query(SQL, [ruling]).await.map(drop) }).await
    }

    async fn reset(&self) -> Answer<()> {
        let place = self.pool.settings().place.clone();
        if self.lead().await?.is_none() {
            return Err(StoreError::Busy { place });
        }
        self.pool.run(|connection, _| async move { reset(&connection).await }).await
    }

    async fn aside(&self) -> Answer<Option<Aside>> {
        Aside::begin(self).await
    }
}

/// Forgets everything but the journal. Whoever judged until now judges no more.
async fn reset(connection: &Connection) -> Outcome<()> {
    connection
        .batch(&format!(
            "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {STATEMENT_TIMEOUT_MS};
             TRUNCATE record, past, block, block_page, void_block, member, finding, finding_record, verdict, verdict_record,
               digest, tally;
             UPDATE watermark SET journal_id = 0"
        ))
        .await?;
    holdings::reset(connection).await?;
    connection.batch("COMMIT").await
}

/// Begins a look at one state of the registry.
async fn begin(connection: &Connection) -> Outcome<()> {
    connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
}

async fn read_digests(connection: &Connection) -> Outcome<DigestView> {
    begin(connection).await?;
    let sums = connection.query(statements::SUMS, []).await?;
    let judged = connection.query("SELECT queue, journal_id FROM watermark ORDER BY queue", []).await?;
    connection.batch("COMMIT").await?;
    let mut digests = Digests::default();
    for (section, sum) in commit::section_sums(&sums)? {
        digests.merge(section, sum);
    }
    let mut watermark = Watermark::default();
    for row in &judged {
        let at = JournalId(get(row, 1)?);
        if small(row, 0)? == Queue::Live.number() { watermark.live = at } else { watermark.backlog = at }
    }
    Ok(DigestView { digests, watermark })
}

async fn read_record(connection: &Connection, key: RecordKey) -> Outcome<Option<RecordView>> {
    const PRESENT: &str =
        "SELECT version, clock, content_hash, canonical, standing FROM record WHERE origin = $1 AND record_id = $2";
    const PAST: &str = "SELECT version, clock, content_hash, canonical, valid FROM past
         WHERE origin = $1 AND record_id = $2 ORDER BY version, clock, content_hash";
    const MEMBERS: &str = "SELECT origin, record_id, role, cluster, person FROM member
         WHERE origin = $1 AND record_id = $2 ORDER BY role";
    const FINDINGS: &str = "SELECT finding_id, rule, certainty, scope, records, evidence, answer, chosen, changed_ms
         FROM finding_record JOIN finding USING (finding_id) WHERE origin = $1 AND record_id = $2 ORDER BY finding_id";
    let (origin, id) = (origin_number(key.origin), key.id.number());
    begin(connection).await?;
    let present = connection.query(PRESENT, [&origin, &id]).await?;
    let past = connection.query(PAST, [&origin, &id]).await?;
    let members = connection.query(MEMBERS, [&origin, &id]).await?;
    let findings = connection.query(FINDINGS, [&origin, &id]).await?;
    connection.batch("COMMIT").await?;
    let Some(row) = present.first() else { return Ok(None) };
    let past = past.iter().map(|row| Ok((codec::state(row, 0)?, get(row, 4)?)));
    let members = members.iter().map(|row| Ok((codec::node(row, 0)?, codec::membership(row, 3)?)));
    Ok(Some(RecordView {
        key,
        standing: codec::standing(row, 4)?,
        present: codec::state(row, 0)?,
        past: past.collect::<Outcome<_>>()?,
        members: members.collect::<Outcome<_>>()?,
        findings: findings.iter().map(codec::finding).collect::<Outcome<_>>()?,
    }))
}

async fn read_entries(connection: &Connection, after: Option<RecordKey>, limit: usize) -> Outcome<Vec<EntryRow>> {
    const SQL: &str = "SELECT origin, record_id, version, clock, content_hash, canonical FROM record
         WHERE (origin, record_id) > ($1, $2) AND standing = $3 ORDER BY origin, record_id LIMIT $4";
    let (origin, id) = after.map_or((0, 0), |key| (origin_number(key.origin), key.id.number()));
    let limit = i64::try_from(limit).unwrap_or(i64::MAX).min(ENTRIES_MAX);
    let rows = connection.query(SQL, [&origin, &id, &i16::from(Standing::Active.number()), &limit]).await?;
    rows.iter().map(|row| Ok((codec::key(row, 0)?, codec::state(row, 2)?))).collect()
}

async fn read_person(connection: &Connection, which: Result<PersonId, Node>) -> Outcome<Option<PersonView>> {
    const OF: &str = "SELECT person FROM member WHERE origin = $1 AND record_id = $2 AND role = $3";
    const NODES: &str = "SELECT origin, record_id, role FROM member WHERE person = $1 ORDER BY origin, record_id, role";
    begin(connection).await?;
    let person = match which {
        Ok(person) => person,
        Err(node) => {
            let by = (origin_number(node.key.origin), node.key.id.number(), i16::from(node.role.code()));
            let found = connection.query(OF, [&by.0, &by.1, &by.2]).await?;
            match found.first() {
                Some(row) => PersonId(get(row, 0)?),
                None => {
                    connection.batch("COMMIT").await?;
                    return Ok(Some((node.alone().person, vec![node])));
                }
            }
        }
    };
    let rows = connection.query(NODES, [&person.0]).await?;
    connection.batch("COMMIT").await?;
    let nodes = rows.iter().map(|row| codec::node(row, 0)).collect::<Outcome<Vec<Node>>>()?;
    Ok((!nodes.is_empty()).then_some((person, nodes)))
}

async fn read_notices(connection: &Connection, origin: Origin, after: u64, limit: usize) -> Outcome<Vec<NoticeRow>> {
    const SQL: &str =
        "SELECT notice_seq, record_id, subject, outcome, rule, others, english, vietnamese, detail FROM notice
         WHERE origin = $1 AND notice_seq > $2 ORDER BY notice_seq LIMIT $3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = connection.query(SQL, [&origin_number(origin), &after.cast_signed(), &limit]).await?;
    let notice = |row: &Row| {
        Ok(NoticeRow {
            seq: codec::unsigned(row, 0)?,
            record: codec::record_id(row, 1)?,
            subject: get(row, 2)?,
            outcome: get(row, 3)?,
            rule: get(row, 4)?,
            others: serde_json::from_str(get(row, 5)?).map_err(|_| Fault::Damaged("a notice"))?,
            english: get(row, 6)?,
            vietnamese: get(row, 7)?,
            detail: get(row, 8)?,
        })
    };
    rows.iter().map(notice).collect()
}
