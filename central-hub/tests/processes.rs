//! Real programs, real files, real crashes.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use nation::{Agent, Nation, wait_until};
use serde_json::Value;

/// A birth as a clerk's program writes it, in plain SQL.
fn birth(number: u32, name: &str, sex: &str, office: &str) -> String {
    format!(
        "INSERT INTO births (number, book, registration_date, registration_type, authority, child_name, child_sex,
           child_birth_date, mother_name)
         VALUES ('{number}', '01/2020', '05.03.2020', '1', '{office}', '{name}', '{sex}', '01.03.2020', 'Lê Thị Mai');"
    )
}

fn count(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

#[test]
fn rows_of_the_plain_sqlite_shell_arrive_and_are_answered() {
    let nation = Nation::new();
    let mut hanoi = nation.enrol("01@2008");
    let mut saigon = nation.enrol("79@2008");
    hanoi.sql(&birth(1, "Nguyễn Văn Hùng", "1", "01.00001"));
    hanoi.sql(&birth(2, "Trần Thị Lan", "x", "01.00001"));
    saigon.sql(&birth(8, "NGUYEN VAN HUNG", "1", "79.00001"));
    hanoi.start();
    saigon.start();
    nation.settle(&[&hanoi, &saigon]);
    let stats = nation.hub_json(&["stats"]);
    assert_eq!((count(&stats["registered"]), count(&stats["rejected"])), (2, 1), "{stats}");
    assert_eq!(count(&stats["links"]["double_registration"]), 1, "{stats}");
    wait_until("both provinces are told", || {
        let told = |agent: &Agent| agent.sql("SELECT count(*) FROM notices WHERE outcome = 'linked'") == "1";
        told(&hanoi) && told(&saigon)
    });
    let rejected = hanoi.sql("SELECT english FROM notices WHERE outcome = 'rejected'");
    assert!(rejected.contains("sex of the child"), "{rejected}");
    hanoi.sql("UPDATE births SET child_sex = '2' WHERE number = '2'");
    nation.settle(&[&hanoi]);
    wait_until("the correction is accepted", || {
        hanoi
            .sql("SELECT group_concat(state, ',') FROM entry_states WHERE kind = 'birth' ORDER BY 1")
            .contains("accepted")
            && hanoi.sql("SELECT count(*) FROM notices WHERE outcome = 'rejected'") == "0"
    });
    assert_eq!(count(&nation.hub_json(&["stats"])["registered"]), 3);
    nation.check_books();
}

#[test]
fn a_case_is_answered_taken_back_and_told_to_the_provinces() {
    let nation = Nation::new();
    let mut hanoi = nation.enrol("01@2008");
    hanoi.sql(&birth(7, "Nguyễn Văn Hùng", "1", "01.00001"));
    hanoi.sql(&birth(7, "Trần Thị Lan", "2", "01.00001"));
    hanoi.start();
    nation.settle(&[&hanoi]);
    let list = nation.hub_json(&["cases", "list", "--open"]);
    let case = &list["findings"][0];
    assert_eq!(case["rule"], "same_key", "{list}");
    let id = case["id"].as_str().expect("an id");
    let told = |outcome: &str| hanoi.sql(&format!("SELECT count(*) FROM notices WHERE outcome = '{outcome}'")) == "2";
    wait_until("the province is told of the case", || told("case"));
    let resolve = |answer: &str| {
        nation.hub_ok(&["cases", "resolve", id, answer, "--operator", "lan", "--reason", "seen in the book"]);
    };
    resolve("different");
    wait_until("the province is told of the answer", || told("resolved"));
    assert_eq!(nation.hub_json(&["stats"])["cases_open"], serde_json::json!({}));
    resolve("wait");
    wait_until("the case is open again", || told("case"));
    let shown = nation.hub_json(&["cases", "show", id]);
    assert_eq!(shown["answers"].as_array().map(Vec::len), Some(2), "{shown}");
    nation.check_books();
}

#[test]
fn kill_nine_of_hub_and_agent_in_the_middle_loses_and_doubles_nothing() {
    const ROWS: usize = 30_000;
    let mut nation = Nation::new();
    let mut hanoi = nation.enrol("01@2008");
    let file = hanoi.path("backlog.csv");
    let mut csv = String::from("number,registration_date,authority,deceased_name,deceased_birth_date,event_date\n");
    for row in 0..ROWS {
        let (day, month, year) = (1 + row % 28, 1 + row / 28 % 12, 1920 + row % 60);
        csv.push_str(&format!(
            "{row},05.03.1999,01.00001,Lê Văn {},{day:02}.{month:02}.{year},{:02}.{:02}.{}\n",
            name(row),
            1 + row / 7 % 28,
            1 + row / 196 % 12,
            1960 + row / 2352
        ));
    }
    std::fs::write(&file, csv).expect("a file");
    hanoi.start();
    let mut import = hanoi.command(&["import", &file, "--kind", "death"]).spawn().expect("the import starts");
    let received = |nation: &Nation| count(&nation.hub_json(&["stats"])["received"]);
    for least in [2_000, 8_000] {
        wait_until("some changes came", || received(&nation) > least);
        if import.try_wait().expect("a child").is_none() {
            let _ = import.kill();
            let _ = import.wait();
            import = hanoi.command(&["import", &file, "--kind", "death"]).spawn().expect("the import goes on");
        }
        nation.kill_hub();
        hanoi.kill();
        nation.start_hub();
        hanoi.start();
    }
    assert!(import.wait().expect("ends").success());
    nation.settle(&[&hanoi]);
    let stats = nation.hub_json(&["stats"]);
    assert_eq!(count(&stats["records"]), i64::try_from(ROWS).expect("few"), "{stats}");
    assert_eq!(stats["received"], stats["records"], "nothing was sent twice under another number");
    let before = nation.hub_json(&["digest"])["national_digest"].clone();
    let again = hanoi.json(&["import", &file, "--kind", "death"]);
    assert_eq!((count(&again["imported"]), count(&again["absorbed"])), (0, 30_000), "{again}");
    nation.settle(&[&hanoi]);
    assert_eq!(nation.hub_json(&["digest"])["national_digest"], before);
    nation.check_books();
}

fn name(row: usize) -> String {
    const SYLLABLES: [&str; 8] = ["An", "Bình", "Cường", "Dũng", "Giang", "Hà", "Khoa", "Lâm"];
    format!("{} {}", SYLLABLES[row % 8], SYLLABLES[row / 8 % 8])
}

#[test]
fn a_store_that_went_back_and_was_written_on_is_refused_and_the_operators_read_of_it() {
    let nation = Nation::new();
    let mut hanoi = nation.enrol("01@2008");
    hanoi.sql(&birth(1, "Nguyễn Văn Hùng", "1", "01.00001"));
    hanoi.start();
    nation.settle(&[&hanoi]);
    let backup = hanoi.path("backup.db");
    hanoi.sql(&format!("VACUUM INTO '{backup}'"));
    hanoi.sql(&birth(2, "Trần Thị Lan", "2", "01.00001"));
    nation.settle(&[&hanoi]);
    hanoi.kill();
    ["", "-wal", "-shm"].iter().for_each(|end| drop(std::fs::remove_file(format!("{}{end}", hanoi.path("store.db")))));
    std::fs::copy(&backup, hanoi.path("store.db")).expect("an administrator's copy");
    // More is written than was lost, so that no count is short.
    hanoi.sql(&birth(3, "Lê An", "1", "01.00001"));
    hanoi.sql("UPDATE births SET note = 'first' WHERE number = '3'");
    hanoi.sql("UPDATE births SET note = 'second' WHERE number = '3'");
    hanoi.start();
    wait_until("the agent is told", || hanoi.json(&["status"])["connection"].to_string().contains("another history"));
    let list = || nation.hub_json(&["resync", "list"]);
    wait_until("the operators can read it", || list()[0]["who"] == "dispute");
    assert!(list()[0]["why"].to_string().contains("restored") && list()[0]["next"].to_string().contains("enrol"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(list().as_array().expect("a list").len(), 1, "it is written down once, however often the agent comes");
    assert_eq!(count(&nation.hub_json(&["stats"])["records"]), 2, "nothing of it is taken");
    hanoi.kill();
    assert!(hanoi.plain_command(&["init", "--new-epoch"]).status().expect("runs").success());
    nation.hub_ok(&["provinces", "enrol", "01@2008", "--token-file", &hanoi.path("token")]);
    hanoi.start();
    wait_until("the lost entry is back", || hanoi.sql("SELECT count(*) FROM births") == "3");
    nation.settle(&[&hanoi]);
    assert_eq!(count(&nation.hub_json(&["stats"])["records"]), 3);
    let number_3 = hanoi.sql("SELECT record_id FROM births WHERE number = '3'");
    let shown = nation.hub_json(&["record", "show", &format!("01@2008/{number_3}")]);
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(3), "its earlier states came too: {shown}");
    nation.check_books();
}

#[test]
fn strangers_and_copies_are_refused_in_words_and_block_nobody() {
    let nation = Nation::new();
    let mut hanoi = nation.enrol("01@2008");
    let mut stranger = nation.enrol("79@2008");
    std::fs::write(stranger.path("token"), "0".repeat(64)).expect("a token");
    hanoi.sql(&birth(1, "Nguyễn Văn Hùng", "1", "01.00001"));
    stranger.sql(&birth(1, "Trần Thị Lan", "2", "79.00001"));
    hanoi.start();
    stranger.start();
    nation.settle(&[&hanoi]);
    let connection = || stranger.json(&["status"])["connection"].to_string();
    wait_until("the stranger is told", || connection().contains("enrol"));
    assert_eq!(count(&nation.hub_json(&["stats"])["records"]), 1);

    // A second store for the same province: another epoch, until an operator enrols it again.
    hanoi.kill();
    for file in ["store.db", "store.db-wal", "store.db-shm", "agent.toml"] {
        let _ = std::fs::remove_file(hanoi.path(file));
    }
    nation.init(&hanoi, "01@2008");
    hanoi.sql(&birth(2, "Lê An", "1", "01.00001"));
    hanoi.start();
    wait_until("the copy is told", || hanoi.json(&["status"])["connection"].to_string().contains("epoch"));
    assert_eq!(count(&nation.hub_json(&["stats"])["records"]), 1);
    assert!(!nation.hub_log().contains("Hùng"), "no name in the log");
    nation.hub_ok(&["provinces", "enrol", "01@2008", "--token-file", &hanoi.path("token")]);
    hanoi.kill();
    hanoi.start();
    nation.settle(&[&hanoi]);
    assert_eq!(count(&nation.hub_json(&["stats"])["records"]), 2);
    nation.check_books();
}
