//! Whoever can write into the database of the nation changes something behind everybody's back; the audit names it.

#[allow(dead_code, reason = "each test of a hub with certificates uses a part of it")]
mod fort;

use central_hub::audit::{AuditReport, audit};
use central_hub::clock::now_ms;
use fort::{EPOCH, Fort, frames, key, origin};
use hub_store::Ledger as _;
use hub_store::ledger::{Act, Verb};
use registry_proto::v1::stream_response::Message;
use registry_schema::ids::Lane;
use rusqlite::{Connection, params};

/// Frames of each lane that is tampered with.
const FRAMES: u64 = 6;
/// Bytes of the fingerprint of a certificate in a frame, with its tag and length.
const CERTIFICATE_BYTES: usize = 34;
/// Acts of operators in the ledger.
const ACTS: i64 = 8;

/// A nation with something to tamper with, and an untouched copy of it beside it.
struct Scene {
    fort: Fort,
    database: Connection,
}

impl Scene {
    async fn new() -> Self {
        let fort = Fort::start().await;
        for province in ["01@2008", "79@2008"] {
            let mut stream = fort.province(province).await;
            let signer = key(origin(province).number());
            for lane in [Lane::Live, Lane::Backlog] {
                for frame in frames(province, &signer, EPOCH, lane, FRAMES) {
                    stream.say(frame).await;
                    assert!(matches!(stream.hear().await, Message::Received(_)));
                }
            }
            fort.act(Verb::Enrol, &format!("{} key {}", origin(province), signer.public())).await;
        }
        for number in 2..ACTS {
            fort.act(Verb::Look, &format!("person P{number}")).await;
        }
        let database = Connection::open(fort.path().join("national.db")).expect("opens");
        database.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout");
        let copies = ["journal", "act", "signer", "cursor"]
            .map(|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM {table};"))
            .concat();
        database.execute_batch(&copies).expect("copies");
        Self { fort, database }
    }

    /// What an audit says once something was done; then it is undone.
    async fn tamper(&self, what: &str, numbers: impl rusqlite::Params) -> AuditReport {
        let rows = self.database.execute(what, numbers).expect(what);
        assert_eq!(rows, 1, "{what}");
        let found = audit(&self.fort.store, |_| ()).await.expect("audits");
        let restored = ["journal", "act", "signer", "cursor"]
            .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table};"))
            .concat();
        self.database.execute_batch(&format!("BEGIN; {restored} COMMIT;")).expect("undone");
        found
    }

    async fn check(&self, what: &str, numbers: impl rusqlite::Params, defect: &str) {
        let found = self.tamper(what, numbers).await;
        assert!(!found.intact && found.defects.iter().any(|found| found.reason.contains(defect)), "{what}: {found:?}");
    }
}

impl Fort {
    async fn act(&self, verb: Verb, object: &str) {
        let (who, reason) = ("lan".to_owned(), "letter 9".to_owned());
        self.store.note(Act { at_ms: now_ms(), who, verb, object: object.to_owned(), reason }).await.expect("notes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_tampering_is_named() {
    let scene = Scene::new().await;
    let sound = audit(&scene.fort.store, |_| ()).await.expect("audits");
    assert!(sound.intact && sound.signed == 4 * FRAMES && sound.acts == ACTS.unsigned_abs(), "{sound:?}");
    let journal = "journal WHERE journal_id = (SELECT journal_id FROM journal WHERE lane = 1 AND first_seq";
    scene.check(&format!("DELETE FROM {journal} = 3)"), [], "changes 3 to 3 are missing").await;
    scene.check(&format!("DELETE FROM {journal} = {FRAMES})"), [], "and 6 was acknowledged").await;
    let update = |set: &str| {
        format!("UPDATE journal SET {set} WHERE journal_id = (SELECT min(journal_id) FROM journal WHERE first_seq = 3)")
    };
    scene.check(&update("chain = zeroblob(32)"), [], "not the one that was noted").await;
    scene.check(&update("bytes = substr(bytes, 1, length(bytes) - 1)"), [], "").await;
    scene.check(&update("bytes = (SELECT bytes FROM kept_journal WHERE first_seq = 4 LIMIT 1)"), [], "").await;
    scene.check(&update("lane = 2"), [], "not the one that was noted").await;
    scene.check(&update("last_seq = 99"), [], "not the one that was noted").await;
    scene.check(&update("received_ms = 1"), [], "no key of its province is known").await;
    let hanoi = [origin("01@2008").number()];
    scene
        .check("UPDATE cursor SET chain = zeroblob(32) WHERE lane = 1 AND origin = ?1", hanoi, "was acknowledged")
        .await;
    scene.check("DELETE FROM act WHERE act_seq = 4", [], "act 5 stands where 4 should").await;
    scene.check("UPDATE act SET who = 'minh' WHERE act_seq = 4", [], "act 4 was altered").await;
    scene.check("UPDATE act SET previous = zeroblob(32) WHERE act_seq = 4", [], "does not continue").await;
    scene.check("DELETE FROM signer WHERE origin = ?1", hanoi, "was believed once, and is gone").await;
    scene.check("UPDATE signer SET public_key = zeroblob(32) WHERE origin = ?1", hanoi, "").await;
    let sound = audit(&scene.fort.store, |_| ()).await.expect("audits");
    assert!(sound.intact, "{sound:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_of_the_evidence_is_found() {
    let scene = Scene::new().await;
    let targets = [("journal", "journal_id", "bytes"), ("journal", "journal_id", "chain"), ("act", "act_seq", "hash")];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for trial in 0..200_usize {
        let mut below = |end: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize % end
        };
        let (table, id, column) = targets[trial % targets.len()];
        let row = below(if table == "act" { ACTS.unsigned_abs() as usize } else { 4 * FRAMES as usize });
        let read = format!("SELECT {id}, {column} FROM {table} ORDER BY {id} LIMIT 1 OFFSET ?1");
        let (number, mut bytes): (i64, Vec<u8>) =
            scene.database.query_row(&read, [row as i64], |row| Ok((row.get(0)?, row.get(1)?))).expect("reads");
        // The fingerprint of the certificate stands last: the hub's own note, over which nothing is computed.
        let note_bytes = if column == "bytes" { CERTIFICATE_BYTES } else { 0 };
        let bit = below((bytes.len() - note_bytes) * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let update = format!("UPDATE {table} SET {column} = ?1 WHERE {id} = ?2");
        let found = scene.tamper(&update, params![bytes, number]).await;
        assert!(!found.intact, "bit {bit} of {column} in row {number} of {table}");
    }
}
