//! Whoever can write into the database of the nation changes something behind everybody's back; the audit names it.

#[allow(dead_code, reason = "each test of a hub with certificates uses a part of it")]
mod fort;
#[path = "tampering/blame.rs"]
mod blame;

use std::ops::Range;

use central_hub::audit::{AuditReport, audit};
use central_hub::clock::now_ms;
use fort::{EPOCH, Fort, frames, key, origin};
use hub_rules::finding::FindingId;
use hub_rules::verdict::{Answer, Verdict};
use hub_store::ledger::{Act, Deed, Grant, Verb};
use hub_store::model::{Append, FrameEntry};
use hub_store::{Journal as _, Ledger as _, StoreError};
use prost::Message as _;
use registry_proto::frame::{Change, FrameSealer, SealedChange, checksum};
use registry_proto::signature::SigningKey;
use registry_proto::v1::Frame;
use registry_proto::v1::stream_response::Message;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::draft::Draft;
use registry_schema::ids::{Epoch, Lane, RecordId, Seq, Version};
use registry_schema::kind::{Kind, Status};
use rusqlite::{Connection, params};

/// Frames of each lane that is tampered with.
const FRAMES: u64 = 6;
/// Bytes of the fingerprint of a certificate in a frame, with its tag and length.
const CERTIFICATE_BYTES: usize = 34;
/// Answers of operators in the journal.
const ANSWERS: u64 = 3;
/// Acts of operators in the ledger: two enrolments, looks, a role, and one for each answer.
const ACTS: i64 = 12;
/// What is tampered with, and put back.
const TABLES: [&str; 7] = ["journal", "act", "signer", "cursor", "grants", "verdict", "province"];

/// A nation with something to tamper with, and an untouched copy of it beside it.
struct Scene {
    fort: Fort,
    database: Connection,
}

impl Scene {
    async fn new() -> Self {
        let fort = Fort::start().await;
        for (province, verb) in [("01@2008", Verb::Enrol), ("79@2008", Verb::Trust)] {
            let mut stream = fort.province(province).await;
            let signer = key(origin(province).number());
            for lane in [Lane::Live, Lane::Backlog] {
                for frame in frames(province, &signer, EPOCH, lane, FRAMES) {
                    stream.say(frame).await;
                    assert!(matches!(stream.hear().await, Message::Received(_)));
                }
            }
            fort.act(verb, &format!("{} key {}", origin(province), signer.public())).await;
        }
        for number in 3..ACTS - ANSWERS.cast_signed() {
            fort.act(Verb::Look, &format!("person P{number}")).await;
        }
        let gives = Some(Grant { name: "lan".to_owned(), role: "registrar".to_owned(), granted_ms: now_ms() });
        let deed = Deed { act: act_of(Verb::Grant, "lan registrar"), gives, under: Vec::new() };
        assert!(fort.store.perform(deed).await.expect("grants"));
        for number in 1..=ANSWERS {
            let verdict = verdict(number);
            fort.store.append(vec![Append::Verdict { verdict, received_ms: now_ms() }]).await.expect("appends");
        }
        fort.judged(ANSWERS).await;
        let database = Connection::open(fort.path().join("national.db")).expect("opens");
        database.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout");
        let copies = TABLES.map(|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM {table};")).concat();
        database.execute_batch(&copies).expect("copies");
        Self { fort, database }
    }

    /// What an audit says once something was done; then it is undone.
    async fn tamper(&self, what: &str, numbers: impl rusqlite::Params) -> Result<AuditReport, StoreError> {
        let rows = self.database.execute(what, numbers).expect(what);
        assert_eq!(rows, 1, "{what}");
        self.audit().await
    }

    /// What an audit says; then everything is as it was.
    async fn audit(&self) -> Result<AuditReport, StoreError> {
        let found = audit(&self.fort.store, |_| ()).await;
        let restored = TABLES
            .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table};"))
            .concat();
        self.database.execute_batch(&format!("BEGIN; {restored} COMMIT;")).expect("undone");
        found
    }

    /// Does something, after which the audit names these defects in their order, and no other.
    async fn check_all(&self, statements: &str, defects: &[&str]) {
        self.database.execute_batch(statements).expect(statements);
        let found = self.audit().await.expect("audits");
        assert_eq!(found.intact, defects.is_empty());
        assert_eq!(found.defects.len(), defects.len(), "{statements}: {found:?}");
        for (found, defect) in found.defects.iter().zip(defects) {
            assert!(found.reason.contains(defect), "{statements}: {found:?}");
        }
    }

    async fn check(&self, what: &str, numbers: impl rusqlite::Params, defect: &str) {
        let found = self.tamper(what, numbers).await.expect("audits");
        assert!(!found.intact && found.defects.iter().any(|found| found.reason.contains(defect)), "{what}: {found:?}");
    }
}

/// An answer to a case that nobody found: what operators say is kept all the same.
fn verdict(number: u64) -> Verdict {
    Verdict {
        case: FindingId([7; 16]),
        records: Vec::new(),
        answer: Answer::Keep,
        chosen: None,
        operator: "lan".to_owned(),
        clock: Hlc::from_number(number),
        reason: "seen in the book".to_owned(),
    }
}

impl Fort {
    /// Waits until the hub has judged so many answers.
    async fn judged(&self, answers: u64) {
        let began = std::time::Instant::now();
        while hub_store::Cases::verdicts(&self.store, FindingId([7; 16])).await.expect("reads").len() as u64 != answers
        {
            assert!(began.elapsed().as_secs() < 20, "the answers are judged in time");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn act(&self, verb: Verb, object: &str) {
        self.store.note(act_of(verb, object)).await.expect("notes");
    }
}

fn act_of(verb: Verb, object: &str) -> Act {
    let (who, reason) = ("lan".to_owned(), "letter 9".to_owned());
    Act { at_ms: now_ms(), who, verb, object: object.to_owned(), reason }
}

/// Frames that are whole and in their place, put there by somebody who can compute everything but one thing.
async fn check_forged_frames(scene: &Scene) {
    let (province, own) = (origin("01@2008"), key(origin("01@2008").number()));
    let good = &frames("01@2008", &own, EPOCH, Lane::Live, FRAMES)[2];
    let replace = "UPDATE journal SET bytes = ?1, chain = ?2 WHERE lane = 1 AND first_seq = 3 AND origin = ?3";
    let put = async |frame: &Frame, defect: &str| {
        scene.check(replace, params![frame.encode_to_vec(), frame.chain, province.number()], defect).await;
    };
    let mut by_another = good.clone();
    key(7).sign_frame(province, &mut by_another);
    put(&by_another, "its signature is not by this key").await;
    let mut unsigned = Frame { signature: Vec::new(), ..good.clone() };
    unsigned.crc32 = checksum(&unsigned);
    put(&unsigned, "it is not signed").await;
    // A history that was never sent, signed with the province's own key.
    let other = Change {
        record_id: RecordId::from_number(3).expect("positive"),
        version: Version(1),
        clock: Hlc::from_number(99),
        canonical: canonical::encode(&Draft::new(Kind::Death), Status::Active),
    };
    let elsewhere = Hash256([5; 32]);
    let sealed = SealedChange::link(province, &elsewhere, Seq(3), other);
    let mut sealer = FrameSealer::new(province, EPOCH).expect("a sealer");
    let mut spliced = sealer.seal(Lane::Live, &elsewhere, &[sealed]).expect("fits");
    own.sign_frame(province, &mut spliced);
    put(&spliced, "does not continue the chain of the frame before").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_tampering_is_named() {
    let scene = Scene::new().await;
    let sound = audit(&scene.fort.store, |_| ()).await.expect("audits");
    assert!(sound.intact && sound.signed == 4 * FRAMES && sound.acts == ACTS.unsigned_abs(), "{sound:?}");
    let journal = "journal WHERE journal_id = (SELECT journal_id FROM journal WHERE lane = 1 AND first_seq";
    scene.check(&format!("DELETE FROM {journal} = 3)"), [], "changes 3 to 3 are missing").await;
    scene.check(&format!("DELETE FROM {journal} = {FRAMES})"), [], "and 6 was acknowledged").await;
    let hanoi = [origin("01@2008").number()];
    let update = |set: &str| {
        format!("UPDATE journal SET {set} WHERE journal_id = (SELECT min(journal_id) FROM journal WHERE first_seq = 3)")
    };
    scene.check(&update("chain = zeroblob(32)"), [], "not the one that was noted").await;
    scene.check(&update("bytes = substr(bytes, 1, length(bytes) - 1)"), [], "").await;
    scene.check(&update("bytes = (SELECT bytes FROM kept_journal WHERE first_seq = 4 LIMIT 1)"), [], "").await;
    scene.check(&update("lane = 2"), [], "not the one that was noted").await;
    scene.check(&update("last_seq = 99"), [], "not the one that was noted").await;
    scene.check(&update("epoch = epoch + 1"), [], "not the one that was noted").await;
    scene.check(&update("received_ms = 1"), [], "no key of its province is known").await;
    scene.check("UPDATE signer SET retired_ms = 1 WHERE origin = ?1", hanoi, "no key of its province is known").await;
    check_forged_frames(&scene).await;
    scene
        .check("UPDATE cursor SET chain = zeroblob(32) WHERE lane = 1 AND origin = ?1", hanoi, "was acknowledged")
        .await;
    scene.check("DELETE FROM act WHERE act_seq = 4", [], "act 5 stands where 4 should").await;
    scene.check("UPDATE act SET who = 'minh' WHERE act_seq = 4", [], "act 4 was altered").await;
    scene.check("UPDATE act SET previous = zeroblob(32) WHERE act_seq = 4", [], "does not continue").await;
    scene.check("DELETE FROM signer WHERE origin = ?1", hanoi, "was believed once, and is gone").await;
    scene.check("UPDATE signer SET public_key = zeroblob(32) WHERE origin = ?1", hanoi, "").await;
    scene
        .check(
            "INSERT INTO signer SELECT origin, zeroblob(32), certificate, 0, NULL FROM signer WHERE origin = ?1",
            hanoi,
            "is believed, and no act says so",
        )
        .await;
    scene.check("UPDATE grants SET role = 'administrator'", [], "and was given `registrar`").await;
    scene.check("DELETE FROM grants", [], "operator lan has no role").await;
    scene.check("INSERT INTO grants VALUES ('minh', 'administrator', 1)", [], "minh has `administrator`").await;
    let sound = audit(&scene.fort.store, |_| ()).await.expect("audits");
    assert!(sound.intact, "{sound:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_that_nobody_enrolled_is_named_whatever_it_signs() {
    let scene = Scene::new().await;
    let (danang, forger) = (origin("48@2008"), key(7));
    append(&scene.fort, "48@2008", &forger, (EPOCH, Lane::Live), 0..2).await;
    let insert = "INSERT INTO signer (origin, public_key, certificate, enrolled_ms) VALUES (?1, ?2, zeroblob(32), 1)";
    scene.database.execute(insert, params![danang.number(), forger.public().0]).expect("inserts");
    scene.check_all("", &["is not in the list of provinces", "is believed, and no act says so"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_begins_anew_in_each_epoch() {
    let fort = Fort::start().await;
    fort.enrol("01@2008").await;
    let signer = key(origin("01@2008").number());
    fort.act(Verb::Enrol, &format!("{} key {}", origin("01@2008"), signer.public())).await;
    let next = Epoch(EPOCH.0 + 1);
    append(&fort, "01@2008", &signer, (EPOCH, Lane::Live), 0..FRAMES).await;
    append(&fort, "01@2008", &signer, (next, Lane::Live), 0..FRAMES / 2).await;
    let sound = audit(&fort.store, |_| ()).await.expect("audits");
    assert!(sound.intact && sound.signed == FRAMES + FRAMES / 2, "{sound:?}");
    let database = Connection::open(fort.path().join("national.db")).expect("opens");
    database.execute("DELETE FROM journal WHERE epoch = ?1", [next.0.cast_signed()]).expect("deletes");
    let cut = audit(&fort.store, |_| ()).await.expect("audits");
    assert_eq!(cut.defects.len(), 1, "{cut:?}");
    assert!(cut.defects[0].reason.contains("ends at change 0, and 3 was acknowledged"), "{cut:?}");
}

/// Journals frames of a lane, counted from 0, without a session.
async fn append(fort: &Fort, province: &str, signer: &SigningKey, (epoch, lane): (Epoch, Lane), which: Range<u64>) {
    for frame in frames(province, signer, epoch, lane, which.end).into_iter().skip(which.start as usize) {
        let opened = registry_proto::frame::open(origin(province), &frame).expect("opens");
        let entry = FrameEntry {
            origin: origin(province),
            epoch,
            lane,
            first_seq: opened.first_seq,
            last_seq: opened.last_seq,
            previous_chain: opened.previous_chain,
            chain: opened.chain,
            received_ms: now_ms(),
            bytes: frame.encode_to_vec(),
        };
        fort.store.append(vec![Append::Frame(entry)]).await.expect("appends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_edited_everywhere_but_in_the_ledger_is_named() {
    let scene = Scene::new().await;
    let sound = audit(&scene.fort.store, |_| ()).await.expect("audits");
    assert!(sound.intact && sound.verdicts == ANSWERS, "{sound:?}");
    let edited = "CAST(replace(CAST(bytes AS TEXT), 'keep', 'withdraw') AS BLOB)";
    let one = "journal_id = (SELECT min(journal_id) FROM journal WHERE source = 2)";
    let check = async |statements: &str, defects: &[&str]| scene.check_all(statements, defects).await;
    let (other, lost) = ("no act names the answer", "was given, and is not in the journal");
    check(
        &format!(
            "UPDATE journal SET bytes = {edited} WHERE {one};
             UPDATE verdict SET body = replace(body, 'keep', 'withdraw');"
        ),
        &[other, lost],
    )
    .await;
    check(&format!("DELETE FROM journal WHERE {one}; DELETE FROM verdict;"), &[lost]).await;
    let copy = "INSERT INTO journal (source, queue, received_ms, bytes) SELECT source, queue, received_ms";
    check(&format!("{copy}, {edited} FROM journal WHERE {one}"), &[other]).await;
    check(&format!("{copy}, bytes FROM journal WHERE {one}"), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_while_an_audit_walks_is_no_defect() {
    let fort = Fort::start().await;
    let mut hanoi = fort.province("01@2008").await;
    let signer = key(origin("01@2008").number());
    fort.act(Verb::Enrol, &format!("{} key {}", origin("01@2008"), signer.public())).await;
    let (store, stop) = (fort.store.clone(), tokio_util::sync::CancellationToken::new());
    let stopped = stop.clone();
    let desk = tokio::spawn(async move {
        for number in 1.. {
            let verdict = verdict(number);
            store.append(vec![Append::Verdict { verdict, received_ms: now_ms() }]).await.expect("appends");
            if stopped.is_cancelled() {
                return number;
            }
        }
        0
    });
    let mut sent = frames("01@2008", &signer, EPOCH, Lane::Live, 100).into_iter();
    let mut answers = 0;
    for _ in 0..20 {
        for frame in sent.by_ref().take(5) {
            hanoi.say(frame).await;
            assert!(matches!(hanoi.hear().await, Message::Received(_)));
        }
        let found = audit(&fort.store, |_| ()).await.expect("audits");
        assert!(found.intact, "{found:?}");
        answers = found.verdicts;
    }
    stop.cancel();
    let given = desk.await.expect("ends");
    assert!(given > 20 && answers > 20, "{answers} of {given}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_what_it_signed_may_come_while_an_audit_walks() {
    let fort = Fort::start().await;
    fort.enrol("01@2008").await;
    let (first, next) = (key(origin("01@2008").number()), key(7));
    fort.act(Verb::Enrol, &format!("{} key {}", origin("01@2008"), first.public())).await;
    append(&fort, "01@2008", &first, (EPOCH, Lane::Live), 0..FRAMES).await;
    append(&fort, "01@2008", &first, (EPOCH, Lane::Backlog), 0..2).await;
    let mut pages = 0;
    let found = audit(&fort.store, |_| {
        pages += 1;
        // The live queue was walked, the backlog was not: more of it comes now, signed with a key that comes now.
        if pages == 1 {
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async {
                    fort.act(Verb::Enrol, &format!("{} key {}", origin("01@2008"), next.public())).await;
                    fort.trust("01@2008", &next).await;
                    append(&fort, "01@2008", &next, (EPOCH, Lane::Backlog), 2..FRAMES).await;
                });
            });
        }
    });
    let found = found.await.expect("audits");
    assert!(found.intact && found.signed == 2 * FRAMES, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_of_the_evidence_is_found() {
    let scene = Scene::new().await;
    let targets = [("journal", "journal_id", "bytes"), ("journal", "journal_id", "chain"), ("act", "act_seq", "hash")];
    let rows = [4 * FRAMES + ANSWERS, 4 * FRAMES, ACTS.unsigned_abs()];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for trial in 0..200_usize {
        let mut below = |end: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % end
        };
        let (table, id, column) = targets[trial % targets.len()];
        let row = below(rows[trial % targets.len()] as usize);
        let read = format!("SELECT {id}, {column} FROM {table} ORDER BY {id} LIMIT 1 OFFSET ?1");
        let (number, sound): (i64, Vec<u8>) =
            scene.database.query_row(&read, [row as i64], |row| Ok((row.get(0)?, row.get(1)?))).expect("reads");
        // The fingerprint of the certificate stands last: the hub's own note, over which nothing is computed.
        let note_bytes = if column == "bytes" && row < 4 * FRAMES as usize { CERTIFICATE_BYTES } else { 0 };
        let (bit, mut bytes) = (below((sound.len() - note_bytes) * 8), sound.clone());
        bytes[bit / 8] ^= 1 << (bit % 8);
        let update = format!("UPDATE {table} SET {column} = ?1 WHERE {id} = ?2");
        let found = scene.tamper(&update, params![&bytes, number]).await;
        // Capital letters in the numbers of an answer change nothing.
        let answer = |bytes: &[u8]| serde_json::from_slice::<Verdict>(bytes).ok();
        let says_the_same = column == "bytes" && answer(&sound).is_some() && answer(&sound) == answer(&bytes);
        assert!(says_the_same || !found.expect("audits").intact, "bit {bit} of {column} in row {number} of {table}");
    }
}
