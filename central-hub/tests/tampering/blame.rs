//! An edit is blamed for what it did, and for nothing else; what cannot be read hides nothing.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_a_defect_and_the_audit_goes_on() {
    let scene = Scene::new().await;
    let answer = "journal_id = (SELECT min(journal_id) FROM journal WHERE source = 2)";
    let frame = "journal_id = (SELECT max(journal_id) FROM journal WHERE lane = 1 AND source = 1)";
    let promoted = "UPDATE grants SET role = 'administrator'";
    let last = "and was given `registrar`";
    let lost = "was given, and is not in the journal";
    let unread = "an answer of the journal cannot be read";
    scene
        .check_all(&format!("UPDATE journal SET bytes = x'7b' WHERE {answer}; {promoted}"), &[unread, lost, last])
        .await;
    let (unread, end) = ("a frame of the journal cannot be read", "and 6 was acknowledged");
    scene.check_all(&format!("UPDATE journal SET chain = x'00' WHERE {frame}; {promoted}"), &[unread, end, last]).await;
    scene.check_all(&format!("UPDATE journal SET lane = 99 WHERE {frame}"), &[unread, end]).await;
    // Behind an act that cannot be read the ledger says nothing about roles, keys and answers.
    let unread = "act 4 of the ledger cannot be read";
    scene.check_all(&format!("UPDATE act SET verb = 'steal' WHERE act_seq = 4; {promoted}"), &[unread]).await;
    scene.check_all("UPDATE act SET hash = x'00' WHERE act_seq = 4", &[unread]).await;
    let hanoi = origin("01@2008").number();
    let keys = format!("UPDATE signer SET public_key = x'00' WHERE origin = {hanoi}; {promoted}");
    scene.check_all(&keys, &["its keys cannot be read", last]).await;
    let ends = format!("UPDATE cursor SET chain = x'00' WHERE origin = {hanoi} AND lane = 1; {promoted}");
    scene.check_all(&ends, &["how far its lanes were acknowledged cannot be read", last]).await;
    scene.check_all("UPDATE grants SET role = CAST(x'ff' AS TEXT)", &["the roles of operators cannot be read"]).await;
    let provinces = format!("UPDATE province SET token_hash = x'00' WHERE origin = {hanoi}; {promoted}");
    scene.check_all(&provinces, &["the list of provinces cannot be read", last]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_edit_is_blamed_for_itself_only() {
    let scene = Scene::new().await;
    let (hanoi, saigon) = (origin("01@2008").number(), origin("79@2008").number());
    // The first acts name the keys, the last ones roles and answers: behind a broken one nothing is known of any.
    scene.check_all("UPDATE act SET who = 'minh' WHERE act_seq = 1", &["act 1 was altered"]).await;
    scene.check_all("UPDATE act SET who = 'minh' WHERE act_seq = 4", &["act 4 was altered"]).await;
    let believed = "is believed, and no act says so";
    let another_key = "INSERT INTO signer SELECT origin, zeroblob(32), certificate, 0, NULL FROM signer WHERE origin";
    scene.check_all(&format!("{another_key} = {hanoi}"), &[believed]).await;
    let unlisted = "is not in the list of provinces";
    scene.check_all(&format!("DELETE FROM province WHERE origin = {saigon}"), &[unlisted]).await;
    let (danang, key) = (origin("48@2008").number(), "zeroblob(32)");
    let province =
        format!("INSERT INTO province (origin, name, token_hash, enrolled_ms) VALUES ({danang}, '', {key}, 1)");
    let signer =
        format!("INSERT INTO signer (origin, public_key, certificate, enrolled_ms) VALUES ({danang}, {key}, {key}, 1)");
    scene.check_all(&format!("{province}; {signer}"), &[believed]).await;
    scene
        .check_all(
            "DELETE FROM province; DELETE FROM signer; DELETE FROM journal WHERE source = 1",
            &[unlisted, unlisted, "was believed once, and is gone", "was believed once, and is gone"],
        )
        .await;
}
