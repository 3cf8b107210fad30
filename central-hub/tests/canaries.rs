//! Names and numbers of people that must appear in no log, no error and no report of numbers, whatever happens.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use std::process::Command;

use nation::{Nation, wait_until};

/// The people of the test: no syllable of theirs is a word of either language or of a program.
const FAMILIES: [&str; 4] = ["Zxqvanh", "Wkjtbinh", "Fqzcuong", "Jwxdung"];
/// Each has a personal number that begins so.
const NUMBER: &str = "0010990";

fn number(at: usize) -> String {
    format!("{NUMBER}{at:05}")
}

fn birth(at: usize, name: &str, sex: &str, date: &str) -> String {
    format!(
        "INSERT INTO births (number, book, registration_date, registration_type, authority, child_name, child_sex,
           child_birth_date, child_personal_number, mother_name, mother_personal_number)
         VALUES ('{at}', '01/2020', '05.03.2020', '1', '01.00001', '{name}', '{sex}', '{date}', '{}', 'Lê {name}', '{}');",
        number(at),
        number(at + 500)
    )
}

#[test]
fn no_name_or_number_of_anybody_is_in_what_the_programs_say() {
    let mut nation = Nation::talkative();
    let mut hanoi = nation.enrol("01@2008");
    let mut saigon = nation.enrol("79@2008");
    hanoi.start();
    saigon.start();
    for (at, family) in FAMILIES.iter().cycle().take(40).enumerate() {
        // Good ones, ones with mistakes of every kind, twice the same, and one key for two.
        let (sex, date) = [("1", "01.03.2020"), ("x", "01.03.2020"), ("2", "31.02.2020"), ("1", "never")][at / 4 % 4];
        hanoi.sql(&birth(at / 2, &format!("Nguyễn {family}"), sex, date));
        saigon.sql(&birth(at, &format!("NGUYEN {}", family.to_uppercase()), sex, date));
    }
    let mut said = String::new();
    let mut say = |command: &mut Command| {
        let output = command.output().expect("runs");
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    };
    let file = hanoi.path("backlog.csv");
    let mut csv =
        String::from("number,registration_date,authority,deceased_name,deceased_personal_number,event_date\n");
    for (at, family) in FAMILIES.iter().cycle().take(50).enumerate() {
        csv.push_str(&format!("{at},\"05.03.1999\",01.00001,=Lê {family},{},{at}.{at}.1960\n", number(at)));
    }
    csv.push_str("1,\"no end of a quotation, Zxqvanh 001099000001\n");
    std::fs::write(&file, &csv).expect("a file");
    say(&mut hanoi.command(&["import", &file, "--kind", "death"]));
    say(&mut hanoi.command(&["import", &file, "--kind", "birth", "--dry-run"]));
    std::fs::write(hanoi.path("backlog.xlsx"), &csv).expect("a file");
    say(&mut hanoi.command(&["import", &hanoi.path("backlog.xlsx")]));
    nation.kill_hub();
    hanoi.kill();
    nation.start_hub();
    hanoi.start();
    nation.settle(&[&hanoi, &saigon]);
    wait_until("the provinces are told", || hanoi.sql("SELECT count(*) > 0 FROM notices") == "1");
    for arguments in [&["stats"][..], &["provinces"], &["audit"], &["digest"], &["audit", "export"], &["rebuild"]] {
        say(&mut nation.hub_command(arguments));
    }
    say(&mut nation.hub_command(&["person", "show", "P0"]));
    say(&mut hanoi.plain_command(&["status"]));
    let stats = nation.hub_json(&["stats"]);
    let count = |name: &str| stats[name].as_i64().unwrap_or_default();
    assert!(count("records") > 60 && count("rejected") > 10, "enough happened: {stats}");
    nation.kill_hub();
    said.push_str(&nation.hub_log());
    for agent in [&hanoi, &saigon] {
        said.push_str(&std::fs::read_to_string(agent.path("agent.log")).expect("a log"));
    }
    assert!(said.len() > 100_000 && said.contains("TRACE"), "the programs said everything: {} bytes", said.len());
    let lower = said.to_lowercase();
    for canary in FAMILIES.map(str::to_lowercase).iter().map(String::as_str).chain([NUMBER]) {
        let at = lower.find(canary);
        let around =
            at.map(|at| lower[..at].chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect::<String>());
        assert!(at.is_none(), "{canary} behind ...{}", around.unwrap_or_default());
    }
}
