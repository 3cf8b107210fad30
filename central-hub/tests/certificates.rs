//! Real programs over TLS: enrolment, renewal, revocation, and the evidence that neither side can deny.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use std::time::{Duration, Instant};

use nation::{Agent, Nation, wait_until};
use serde_json::Value;

fn birth(number: u32, name: &str) -> String {
    format!(
        "INSERT INTO births (number, book, registration_date, registration_type, authority, child_name, child_sex,
           child_birth_date, mother_name)
         VALUES ('{number}', '01/2020', '05.03.2020', '1', '01.00001', '{name}', '1', '01.03.2020', 'Lê Thị Mai');"
    )
}

fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

/// What the agent last wrote down about its connection.
fn connection(agent: &Agent) -> String {
    agent.json(&["status"])["connection"].to_string()
}

#[test]
fn a_province_enrols_with_a_token_and_what_it_sends_and_gets_is_signed() {
    let nation = Nation::with_certificates(&[]);
    let mut hanoi = nation.enrol("01@2008");
    hanoi.sql(&birth(1, "Nguyễn Văn Hùng"));
    hanoi.start();
    nation.settle(&[&hanoi]);
    let audit = nation.hub_json(&["audit", "verify"]);
    assert_eq!((&audit["intact"], count(&audit["signed"]), count(&audit["unsigned"])), (&Value::Bool(true), 1, 0));
    wait_until("the receipt is kept", || {
        hanoi.sql("SELECT count(*) FROM store_state WHERE key = 'receipt_live'") == "1"
    });
    let receipt: Value =
        serde_json::from_str(&hanoi.sql("SELECT value FROM store_state WHERE key = 'receipt_live'")).expect("JSON");
    assert_eq!(hanoi.json(&["status"])["lanes"][0]["receipt"], receipt, "and shown");
    assert_eq!((count(&receipt["seq"]), receipt["signature"].as_str().map(str::len)), (1, Some(128)), "{receipt}");
    let acts = String::from_utf8(nation.hub_ok(&["audit", "export"]).stdout).expect("text");
    assert!(acts.contains("\"verb\":\"issue\"") && acts.contains("\"verb\":\"enrol\""), "{acts}");
    // The token is spent.
    let again = hanoi.plain_command(&["enrol", &hanoi.path("token")]).output().expect("runs");
    assert!(!again.status.success());

    // Somebody edits the journal: the frame is older than the key that signed it.
    let journal = rusqlite::Connection::open(nation.path("national.db")).expect("opens");
    journal.execute("UPDATE journal SET received_ms = 1 WHERE journal_id = 1", []).expect("edits");
    let audit = nation.hub_command(&["audit", "--output", "json"]).output().expect("runs");
    let audit: Value = serde_json::from_slice(&audit.stdout).expect("JSON");
    assert_eq!((&audit["intact"], count(&audit["defects"][0]["journal_id"])), (&Value::Bool(false), 1), "{audit}");
}

#[test]
fn a_revoked_certificate_ends_the_stream_within_seconds_and_a_new_enrolment_goes_on() {
    let nation = Nation::with_certificates(&[]);
    let mut hanoi = nation.enrol("01@2008");
    let mut saigon = nation.enrol("79@2008");
    hanoi.sql(&birth(1, "Nguyễn Văn Hùng"));
    hanoi.start();
    saigon.start();
    nation.settle(&[&hanoi, &saigon]);
    wait_until("both are connected", || {
        [&hanoi, &saigon].iter().all(|agent| connection(agent).contains("\"connected\""))
    });
    nation.hub_ok(&["pki", "revoke", "01@2008", "--reason", "the machine was stolen"]);
    let began = Instant::now();
    wait_until("the stream ended", || !connection(&hanoi).contains("\"connected\""));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    hanoi.sql(&birth(2, "Trần Văn An"));
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(count(&nation.hub_json(&["stats"])["records"]), 1, "nothing comes in after the revocation");
    assert!(connection(&saigon).contains("\"connected\""), "the neighbour goes on");
    let listed = nation.hub_json(&["pki", "list"]);
    assert_eq!(listed["certificates"][0]["revoked"]["reason"], "the machine was stolen", "{listed}");

    std::fs::remove_file(hanoi.path("token")).expect("the spent token goes");
    nation.make_token(&hanoi, "01@2008");
    let enrolled = hanoi.plain_command(&["enrol", &hanoi.path("token")]).output().expect("runs");
    assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    hanoi.kill();
    hanoi.start();
    nation.settle(&[&hanoi, &saigon]);
    assert_eq!(count(&nation.hub_json(&["stats"])["records"]), 2);
    nation.check_books();
}

#[test]
fn a_role_is_needed_and_every_look_leaves_its_reason() {
    let nation = Nation::with_certificates(&[]);
    let file = nation.path("lan.pem").display().to_string();
    nation.hub_ok(&["pki", "operator", "lan", "--file", &file]);
    nation.hub_ok(&["operators", "grant", "lan", "administrator", "--reason", "decision 12"]);
    let code = |arguments: &[&str]| nation.hub_command(arguments).output().expect("runs").status.code();
    let look = ["person", "show", "P1", "--why", "letter 9"];
    assert_eq!(code(&look), Some(77), "the user of this machine has no role");
    assert_eq!(code(&[&look[..], &["--as", &file]].concat()), Some(69), "there is no such person");
    assert_eq!(code(&["person", "show", "P1", "--as", &file]), Some(64), "no reason was given");
    nation.hub_ok(&["pki", "revoke", "lan", "--reason", "left", "--as", &file]);
    assert_eq!(code(&[&look[..], &["--as", &file]].concat()), Some(77), "the certificate was revoked");
    let store = rusqlite::Connection::open(nation.path("national.db")).expect("opens");
    let mut acts = store.prepare("SELECT who || ' ' || verb || ' ' || object || ' ' || reason FROM act").expect("SQL");
    let acts: Vec<String> =
        acts.query_map([], |row| row.get(0)).expect("reads").collect::<Result<_, _>>().expect("text");
    assert!(acts.contains(&"lan look person P1 letter 9".to_owned()), "{acts:?}");
    assert!(acts.iter().any(|act| act.ends_with(" refuse look person P1 letter 9")), "{acts:?}");
}

#[test]
fn sensitive_fields_are_shown_to_whom_they_were_given() {
    let nation = Nation::with_certificates(&[]);
    let mut hanoi = nation.enrol("01@2008");
    let (boy, girl) = ((1, "Nguyễn Văn Hùng", "1", "Zxqkinh"), (2, "Trần Thị Lan", "2", "Zxqtay"));
    for (id, name, sex, ethnicity) in [boy, girl] {
        hanoi.sql(&format!(
            "INSERT INTO births (record_id, number, book, registration_date, registration_type, authority, child_name,
                 child_sex, child_birth_date, child_ethnicity, mother_name)
             VALUES ({id}, '7', '01/2020', '05.03.2020', '1', '01.00001', '{name}', '{sex}', '01.03.2020', '{ethnicity}',
                 'Lê Thị Mai')"
        ));
    }
    hanoi.start();
    nation.settle(&[&hanoi]);
    let file = nation.path("lan.pem").display().to_string();
    nation.hub_ok(&["pki", "operator", "lan", "--file", &file]);
    let case = nation.hub_json(&["cases", "list", "--open"])["findings"][0]["id"].to_string();
    let case = case.trim_matches('"');
    let said = |arguments: &[&str]| {
        let output = nation.hub_ok(&[arguments, &["--as", &file, "--why", "letter 9"]].concat());
        String::from_utf8(output.stdout).expect("text")
    };
    let looks = [&["record", "show", "01@2008/1"][..], &["cases", "show", case]];
    let grant = |more: &[&str]| {
        nation
            .hub_ok(&[&["operators", "grant", "lan", "administrator", "--reason", "x", "--as", &file], more].concat());
    };
    grant(&[]);
    for look in looks {
        let said = said(look);
        assert!(
            said.contains("withheld: sensitive") && !said.contains("Zxq") && said.contains("Nguyễn Văn Hùng"),
            "{said}"
        );
    }
    grant(&["--sensitive"]);
    for look in looks {
        assert!(said(look).contains("Zxqkinh"));
    }
    let explain = ["explain", "01@2008/1#child", "01@2008/2#child", "--as", &file];
    let code = |arguments: &[&str]| nation.hub_command(arguments).output().expect("runs").status.code();
    assert_eq!(code(&explain), Some(64), "no reason was given");
    assert_eq!(code(&[&explain[..], &["--why", "letter 9"]].concat()), Some(0));
    assert_eq!(code(&[&explain[..3], &["--why", "x"]].concat()), Some(77), "the user of this machine has no role");
}

/// A certificate of the nation's own authority for a province, most of whose life is over.
fn old_certificate(nation: &Nation, uri: &str) -> String {
    let file = |name: &str| std::fs::read_to_string(nation.path("pki").join(name)).expect("a file of the folder");
    let authority = rcgen::KeyPair::from_pem(&file("ca.key")).expect("the key");
    let issuer = rcgen::Issuer::from_ca_cert_pem(&file("ca.pem"), authority).expect("the issuer");
    let day = Duration::from_secs(86_400);
    let mut params = rcgen::CertificateParams::default();
    params.not_before = time::OffsetDateTime::now_utc() - day * 20;
    params.not_after = time::OffsetDateTime::now_utc() + day;
    params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().expect("ASCII"))];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let key = rcgen::KeyPair::generate().expect("a key");
    format!("{}{}", params.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
}

#[test]
fn an_old_certificate_is_renewed_while_the_agent_runs() {
    let nation = Nation::with_certificates(&[]);
    let mut hanoi = nation.enrol("01@2008");
    let place = hanoi.path("identity/agent.pem");
    let old = old_certificate(&nation, "urn:hotich:province:01@2008");
    std::fs::write(&place, &old).expect("a file that is there keeps its mode");
    let issued = |nation: &Nation| nation.hub_json(&["pki", "list"])["certificates"].as_array().map(Vec::len);
    assert_eq!(issued(&nation), Some(1));
    hanoi.start();
    wait_until("the certificate is renewed", || std::fs::read_to_string(&place).expect("a file") != old);
    assert_eq!(issued(&nation), Some(2));
    hanoi.sql(&birth(1, "Nguyễn Văn Hùng"));
    nation.settle(&[&hanoi]);
    std::thread::sleep(Duration::from_millis(1_000));
    assert_eq!(issued(&nation), Some(2), "a young certificate is not renewed again");
    let key = std::fs::metadata(&place).expect("a file").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&key) & 0o777, 0o600);
}
