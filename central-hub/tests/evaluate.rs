//! `evaluate` and `explain` through the real program: a file from elsewhere, and a practice country in a store.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use hub_rules::{Arrival, State};
use hub_store::conformance;
use hub_store::sqlite::Sqlite;
use registry_fixtures::{Country, Params};
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::ids::Version;
use serde_json::Value;

const MAPPING: &str = r#"
kind = "birth"
date_pattern = "yyyy-mm-dd"
[columns]
child_name = "{family} {given}"
child_birth_date = "born"
child_sex = "sex"
child_origin = "village"
child_personal_number = "number"
mother_name = "mother"
[evaluate]
record_id = "id"
truth = "person"
group = "book"
"#;

/// Children with names of their own, every third of them in a second book that was typed in a TCVN3 font.
fn births() -> String {
    let families = ["Nguyễn", "Trần", "Lê", "Phạm"];
    let middles = ["Văn", "Đức", "Hữu", "Quang", "Xuân"];
    let givens = ["Hùng", "Dũng", "Tuấn", "Bình", "Khánh", "Phúc", "Long"];
    let villages = ["Kim Liên", "Hoàng Trù", "Nam Đàn"];
    let tcvn3 = |text: &str| {
        let table = [("ễ", "Ô"), ("ầ", "Ç"), ("ê", "ª"), ("ạ", "¹"), ("ă", "¨"), ("Đ", "§"), ("ứ", "ø"), ("ữ", "÷")];
        let rest = [
            ("â", "©"),
            ("ù", "ï"),
            ("ị", "Þ"),
            ("ũ", "ò"),
            ("ấ", "Ê"),
            ("ì", "×"),
            ("á", "¸"),
            ("ú", "ó"),
            ("à", "µ"),
        ];
        let letters = table.iter().chain(&rest);
        letters.fold(text.to_owned(), |text, (letter, byte)| text.replace(letter, byte))
    };
    let mut text = "id,book,family,given,born,sex,village,number,mother,person,unused\n".to_owned();
    for at in 0..140_usize {
        let family = families[at % 4];
        let given = format!("{} {}", middles[at % 5], givens[at % 7]);
        let born = format!("{}-{:02}-{:02}", 1990 + at % 20, at % 12 + 1, at % 28 + 1);
        let village = villages[at % 3];
        let mother = format!("{} Thị {}", families[at / 4 % 4], givens[at / 7 % 7]);
        let number = if at == 3 { "1234567" } else { "" };
        let _ = writeln!(text, "a{at},1,{family},{given},{born},Nam,{village},{number},{mother},p{at},x");
        if at % 3 == 0 {
            let born = if at == 6 { "1990-02-31" } else { &born };
            let given = if at == 9 { "Quang B9ình".to_owned() } else { given };
            let [family, given, village, mother] = [family, &given, village, &mother].map(tcvn3);
            let _ = writeln!(text, "b{at},2,{family},{given},{born},Nam,{village},,{mother},p{at},x");
        }
    }
    text + "c1,2,,,,,,,,p1,x\n"
}

fn hub(folder: &Path, arguments: &[&str]) -> Output {
    let program = Command::new(env!("CARGO_BIN_EXE_central-hub"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("HOTICH_NATIONAL_STORE")
        .output();
    program.expect("the program runs")
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = hub(folder, &[arguments, &["--output", "json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[track_caller]
fn check_error(folder: &Path, arguments: &[&str], exit: i32, words: &str) {
    let output = hub(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {error}");
    assert!(error.contains(words), "{arguments:?}: {error}");
}

fn elsewhere() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    write("births.csv", &births());
    write("births.toml", MAPPING);
    folder
}

const ELSEWHERE: [&str; 4] = ["--data", "births.csv", "--mapping", "births.toml"];

#[test]
fn a_file_from_elsewhere_is_measured() {
    let folder = elsewhere();
    let arguments = [&["evaluate"], &ELSEWHERE[..], &["--curve", "curve.svg", "--clusters", "clusters.csv"]].concat();
    let report = json(folder.path(), &arguments);
    for rate in ["precision", "recall", "f1", "cluster_precision", "cluster_recall", "cluster_f1"] {
        let value = report[rate].as_f64().unwrap_or(-1.0);
        assert!((0.9..=1.0).contains(&value), "{rate}: {value}");
    }
    for number in ["review_pairs", "candidates_per_record", "seconds", "peak_mb"] {
        assert!(report[number].is_number(), "{number}: {}", report[number]);
    }
    for nested in ["entries", "persons", "by_roles", "worst", "truth"] {
        assert!(report[nested].is_object(), "{nested}: {}", report[nested]);
    }
    assert_eq!((&report["measure"], &report["records"]), (&Value::from("entries"), &Value::from(188)));
    assert_eq!((&report["entries"]["true"], &report["truth"]["persons"]), (&Value::from(48), &Value::from(140)));
    let reading = &report["reading"];
    assert_eq!((&reading["rows"], &reading["unnamed"]), (&Value::from(188), &Value::from(1)));
    assert_eq!(reading["restored"]["tcvn3"], 48);
    assert_eq!(reading["changes"]["child_personal_number"]["moved"], 1);
    assert_eq!(reading["changes"]["child_birth_date"]["dropped"], 1);
    assert_eq!(reading["changes"]["child_name"]["cleaned"], 1);
    assert_eq!(reading["ignored_columns"], Value::from(vec!["unused"]));
    let missed: Vec<&Value> = report["worst"]["missed_pairs"].as_array().expect("a list").iter().collect();
    assert!(missed.iter().any(|pair| pair["a"] == "c1#child" || pair["b"] == "c1#child"), "{missed:?}");
    let clusters = std::fs::read_to_string(folder.path().join("clusters.csv")).expect("clusters");
    assert_eq!(clusters.lines().filter(|line| line.contains(",child,")).count(), 188);
    assert!(std::fs::read_to_string(folder.path().join("curve.svg")).expect("a curve").starts_with("<svg"));
}

#[test]
fn two_rows_are_explained_line_by_line() {
    let folder = elsewhere();
    let explanations = json(folder.path(), &[&["explain", "a0", "b0#child"], &ELSEWHERE[..]].concat());
    let explanation = &explanations[0];
    assert_eq!((&explanation["a"], &explanation["zone"]), (&Value::from("a0#child"), &Value::from("automatic")));
    let lines = explanation["lines"].as_array().expect("lines");
    let sum: f64 = lines.iter().filter_map(|line| line["bits"].as_f64()).sum();
    let bits = explanation["bits"].as_f64().expect("a score");
    assert!(lines.len() > 3 && (sum - bits).abs() < 1e-6, "{explanation}");
    let table = hub(folder.path(), &[&["explain", "a0", "a1"], &ELSEWHERE[..]].concat());
    assert!(String::from_utf8_lossy(&table.stdout).contains("a0#child and a1#child"));
}

#[test]
fn mistakes_are_named_with_their_place_and_remedy() {
    let folder = elsewhere();
    let (folder, with) = (folder.path(), |rest: &[&'static str]| [&["evaluate"], &ELSEWHERE[..], rest].concat());
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("a file");
    write("roles.csv", "record_id,role,person_id\na1,uncle,1\n");
    write("headings.csv", "id,person\na1,1\n");
    write("twice.csv", &format!("{}a1,1,Lê,An,,,,,,,\n", births()));
    write("other.csv", "id,name\n1,An\n");
    check_error(folder, &["evaluate", "--truth", "truth.csv"], 64, "--store");
    check_error(folder, &["evaluate", "--data", "births.csv"], 64, "--mapping");
    check_error(folder, &with(&["--truth", "absent.csv"]), 69, "absent.csv: the truth cannot be read");
    check_error(
        folder,
        &with(&["--truth", "headings.csv"]),
        65,
        "headings.csv, line 1: the column record_id is missing",
    );
    check_error(folder, &with(&["--truth", "roles.csv"]), 65, "the role uncle is not known");
    check_error(
        folder,
        &["evaluate", "--data", "other.csv", "--mapping", "births.toml"],
        78,
        "no column has the heading",
    );
    check_error(folder, &["evaluate", "--data", "twice.csv", "--mapping", "births.toml"], 65, "two rows are called a1");
    check_error(folder, &[&["explain", "a1", "z9"], &ELSEWHERE[..]].concat(), 69, "z9 is no record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_practice_country_is_measured_from_the_store() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let params = Params { seed: 5, people: 400, provinces: 2, ..Params::default() };
    let country = Country::generate(&params).expect("parameters within bounds");
    let store = Sqlite::open(&folder.path().join("national.db")).expect("a fresh store");
    let (mut truth, mut arrivals) = ("record_id,role,person_id\n".to_owned(), Vec::new());
    for entry in country.entries().expect("entries") {
        for (role, person) in &entry.people {
            let _ = writeln!(truth, "{},{},{person}", entry.key, role.name());
        }
        for ((draft, status), version) in entry.versions.iter().zip(1..) {
            let clock = Hlc::from_unix_ms(1_000 + u64::from(version));
            let state = State::new(Version(version), clock, canonical::encode(draft, *status));
            arrivals.push(Arrival::State(entry.key, state));
        }
    }
    conformance::play(&store, &[arrivals]).await;
    std::fs::write(folder.path().join("truth.csv"), truth).expect("a truth");
    let report = json(folder.path(), &["evaluate", "--store", "sqlite:national.db", "--truth", "truth.csv"]);
    let registered = json(folder.path(), &["stats", "--store", "sqlite:national.db"]);
    assert_eq!(report["records"], registered["active"]);
    assert_eq!(report["edition"], "national-1");
    assert!(report["entries"]["true"].as_u64() > Some(5), "{}", report["entries"]);
    let precision = report["precision"].as_f64().unwrap_or_default();
    assert!(precision > 0.9, "precision {precision}");
    let linked = &report["worst"]["missed_pairs"][0];
    let (a, b) = (linked["a"].as_str().expect("a name"), linked["b"].as_str().expect("a name"));
    let explained = json(folder.path(), &["explain", a, b, "--store", "sqlite:national.db"]);
    assert_eq!((&explained[0]["a"], &explained[0]["bits"]), (&linked["a"], &linked["bits"]));
}
