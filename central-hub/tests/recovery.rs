//! The nation is lost, wholly or in part, and comes back: with real programs and real files.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use std::fs;
use std::path::{Path, PathBuf};

use nation::{Agent, Nation, wait_until};
use serde_json::Value;

/// Births as a clerk's program writes them; every tenth is not valid, and each stands in two provinces.
fn births(numbers: std::ops::Range<u32>, office: &str) -> String {
    let birth = |number: u32| {
        let (day, year, sex) = (1 + number % 28, 1990 + number % 30, if number % 10 == 9 { "x" } else { "1" });
        format!(
            "INSERT INTO births (number, book, registration_date, registration_type, authority, child_name, child_sex,
               child_birth_date, mother_name)
             VALUES ('{number}', '01/{year}', '05.12.{year}', '1', '{office}', 'Nguyễn Văn Hùng', '{sex}',
               '{day:02}.03.{year}', 'Lê Thị Mai');"
        )
    };
    format!("BEGIN;{}COMMIT;", numbers.map(birth).collect::<String>())
}

fn digest(nation: &Nation) -> Value {
    nation.hub_json(&["digest"])["national_digest"].clone()
}

/// What a province's screens show.
fn words(agent: &Agent) -> String {
    agent.sql("SELECT record_id, subject, outcome, rule FROM notices ORDER BY 1, 2")
}

fn wait_for_digest(nation: &Nation, expected: &Value) {
    wait_until("the nation is what it was", || digest(nation) == *expected);
}

fn backup(nation: &Nation, name: &str) -> PathBuf {
    let folder = nation.path(name);
    nation.hub_ok(&["backup", &folder.display().to_string()]);
    folder
}

fn exit_code(nation: &Nation, arguments: &[&str]) -> Option<i32> {
    nation.hub_command(arguments).output().expect("runs").status.code()
}

/// Two provinces with entries that are alike, streaming to a hub.
fn two_provinces(nation: &Nation) -> [Agent; 2] {
    let mut agents = ["01@2008", "79@2008"].map(|province| nation.enrol(province));
    agents[0].sql(&births(0..60, "01.00001"));
    agents[1].sql(&births(0..30, "79.00001"));
    agents.iter_mut().for_each(Agent::start);
    nation.settle(&[&agents[0], &agents[1]]);
    agents
}

/// The hub's store is gone.
fn lose_store(nation: &mut Nation) {
    nation.kill_hub();
    for file in ["national.db", "national.db-wal", "national.db-shm"] {
        let _ = fs::remove_file(nation.path(file));
    }
}

#[test]
fn a_backup_is_made_while_the_hub_serves_and_brings_the_nation_back() {
    let nation = Nation::new();
    let agents = two_provinces(&nation);
    let before = digest(&nation);
    let folder = backup(&nation, "first");
    let name = folder.display().to_string();
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).expect("reads")).expect("JSON");
    assert_eq!((&manifest["national_digest"], &manifest["changes_received"]), (&before, &90.into()), "{manifest}");

    // A backup of a hub that is busy is one point of it, whatever comes meanwhile.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..20).for_each(|part| drop(agents[0].sql(&births(100 + part * 20..120 + part * 20, "01.00001"))));
        });
        for number in 0..3 {
            let folder = backup(&nation, &format!("busy-{number}"));
            let drill = nation.hub_json(&["drill", &folder.display().to_string()]);
            assert_eq!((&drill["recovered"], &drill["defects"]), (&true.into(), &Value::Array(Vec::new())), "{drill}");
            assert_eq!(drill["national_digest"], drill["rebuild_digest"]);
        }
    });
    assert_eq!(exit_code(&nation, &["backup", &name]), Some(64), "nothing is overwritten");
    assert_eq!(exit_code(&nation, &["restore", &name]), Some(64), "the hub's store is there");
    assert_eq!(exit_code(&nation, &["drill", &nation.path("nowhere").display().to_string()]), Some(69));

    let elsewhere = format!("sqlite:{}", nation.path("elsewhere.db").display());
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_central-hub"));
        command.args(arguments).args(["--store", &elsewhere, "--output", "json"]).output().expect("runs")
    };
    assert!(run(&["restore", &name]).status.success());
    let restored: Value = serde_json::from_slice(&run(&["digest"]).stdout).expect("JSON");
    assert_eq!(restored["national_digest"], before);
    let acts = String::from_utf8(run(&["audit", "export"]).stdout).expect("text");
    assert!(acts.contains("\"backup\"") && acts.contains("\"restore\""), "{acts}");
    check_damage(&nation, &folder);
}

/// Permissions of a file or folder.
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("it is there").permissions()) & 0o777
}

#[test]
fn stores_and_backups_are_their_owners_and_no_key_is_in_them() {
    let nation = Nation::with_certificates(&[]);
    let _agents = two_provinces(&nation);
    let folder = backup(&nation, "backup");
    let again = format!("sqlite:{}", nation.path("again.db").display());
    let mut restore = std::process::Command::new(env!("CARGO_BIN_EXE_central-hub"));
    let restored = restore.arg("restore").arg(&folder).args(["--store", &again]).output().expect("runs");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    for (name, expected) in [
        ("national.db", 0o600),
        ("national.db-wal", 0o600),
        ("again.db", 0o600),
        ("backup", 0o700),
        ("backup/national.db", 0o600),
    ] {
        assert_eq!(mode(&nation.path(name)), expected, "{name}");
    }
    let copy = fs::read(folder.join("national.db")).expect("reads");
    for key in ["ca.key", "hub.key", "signing.key"] {
        let pem = fs::read_to_string(nation.path("pki").join(key)).expect("a key");
        let body: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let der = pem_bytes(&pem);
        let secret = &der[der.len() - 32..];
        assert!(!copy.windows(32).any(|bytes| bytes == secret), "{key}");
        assert!(!String::from_utf8_lossy(&copy).contains(body[0]), "{key}");
    }
}

/// What is in a PEM.
fn pem_bytes(text: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::PrivateKeyDer::from_pem_slice(text.as_bytes()).expect("a key").secret_der().to_vec()
}

/// Whatever of a backup is damaged, the drill says so and nothing comes of it.
fn check_damage(nation: &Nation, folder: &Path) {
    let (copy, manifest) = (folder.join("national.db"), folder.join("manifest.json"));
    let check = |file: &Path, change: &dyn Fn(&mut Vec<u8>)| {
        let whole = fs::read(file).expect("reads");
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(file, bytes).expect("writes");
        let name = folder.display().to_string();
        let drill = nation.hub_command(&["drill", &name]).output().expect("runs");
        let said = String::from_utf8_lossy(&drill.stdout).into_owned();
        assert_eq!(drill.status.code(), Some(65), "{said}{}", String::from_utf8_lossy(&drill.stderr));
        assert!(said.contains("NOT"), "{said}");
        let target = nation.path("nothing.db");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_central-hub"));
        command.args(["restore", &name, "--store", &format!("sqlite:{}", target.display())]);
        assert_eq!(command.output().expect("runs").status.code(), Some(65));
        assert!(!target.exists() && !nation.path("nothing.db.partial").exists());
        fs::write(file, whole).expect("writes");
    };
    check(&copy, &|bytes| bytes[20_000] ^= 1);
    check(&copy, &|bytes| bytes.truncate(bytes.len() - 8192));
    check(&manifest, &|bytes| bytes.truncate(40));
    check(&manifest, &|bytes| {
        *bytes = String::from_utf8_lossy(bytes).replace("sha256\": \"", "sha256\": \"0").into_bytes();
    });
}

#[test]
fn a_hub_that_came_back_from_a_backup_gets_again_what_it_lost() {
    let mut nation = Nation::new();
    let agents = two_provinces(&nation);
    let folder = backup(&nation, "backup");
    // What the backup does not have: entries, links between provinces, refusals, and a correction.
    agents[0].sql(&births(60..200, "01.00001"));
    agents[1].sql(&births(30..100, "79.00001"));
    agents[1].sql("UPDATE births SET child_sex = '1' WHERE number = '9'");
    nation.settle(&[&agents[0], &agents[1]]);
    wait_until("both are told everything", || {
        agents.iter().all(|agent| agent.sql("SELECT count(*) > 60 FROM notices WHERE outcome = 'linked'") == "1")
    });
    let (before, told) = (digest(&nation), agents.each_ref().map(words));
    lose_store(&mut nation);
    nation.hub_ok(&["restore", &folder.display().to_string()]);
    assert_ne!(digest(&nation), before);
    nation.start_hub();
    wait_for_digest(&nation, &before);
    nation.settle(&[&agents[0], &agents[1]]);
    for (agent, told) in agents.iter().zip(&told) {
        wait_until("the province's screens show what they showed", || words(agent) == *told);
        let log = fs::read_to_string(agent.path("agent.log")).expect("a log");
        assert!(log.contains("the centre has lost changes that it had acknowledged"), "{log}");
    }
    assert!(nation.hub_log().contains("words of a past that this nation lost"));
    nation.check_books();
}

#[test]
fn an_empty_hub_is_filled_by_its_provinces() {
    let mut nation = Nation::with_certificates(&[]);
    let mut agents = two_provinces(&nation);
    agents[0].sql("UPDATE births SET note = 'seen again' WHERE number < '30'");
    nation.settle(&[&agents[0], &agents[1]]);
    let (before, told) = (digest(&nation), agents.each_ref().map(words));
    lose_store(&mut nation);
    nation.start_hub();
    for (agent, province) in agents.iter_mut().zip(["01@2008", "79@2008"]) {
        agent.kill();
        let _ = fs::remove_file(agent.path("token"));
        nation.make_token(agent, province);
        let enrolled = agent.plain_command(&["enrol", &agent.path("token")]).output().expect("runs");
        assert!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
        agent.start();
    }
    wait_for_digest(&nation, &before);
    nation.settle(&[&agents[0], &agents[1]]);
    for (agent, told) in agents.iter().zip(&told) {
        wait_until("the province's screens show what they showed", || words(agent) == *told);
    }
    nation.check_books();
}
