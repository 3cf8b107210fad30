//! The code's own shape is a test: arrows between crates, length of functions and files, dead files, stray output.

#![allow(clippy::disallowed_methods, reason = "a test of the sources must read them")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lines of a function: it fits a screen.
const FUNCTION_LINES_MAX: usize = 70;
/// Lines of a file before its tests: it holds one idea.
const FILE_LINES_MAX: usize = 400;
/// Columns of a line, as in rustfmt.toml, with room for what rustfmt cannot break.
const LINE_COLUMNS_MAX: usize = 140;

/// Who may import whom; tests, benches and the practice country may import anything.
const ARROWS: &[(&str, &[&str])] = &[
    ("schema", &[]),
    ("proto", &["registry-schema"]),
    ("proto/secrets", &[]),
    ("central-hub/rules", &["registry-schema"]),
    ("central-hub/store", &["hub-rules", "registry-schema"]),
    ("sync-agent", &["failpoints", "registry-proto", "registry-schema", "registry-secrets"]),
    ("central-hub", &["failpoints", "hub-rules", "hub-store", "registry-proto", "registry-schema", "registry-secrets"]),
    ("fixtures", &["registry-schema"]),
    ("fixtures/failpoints", &[]),
];

/// Our own crates, as dependencies are named.
const OURS: &[&str] = &[
    "registry-schema",
    "registry-proto",
    "registry-secrets",
    "hub-rules",
    "hub-store",
    "sync-agent",
    "central-hub",
    "registry-fixtures",
    "failpoints",
];

/// Crates that know no clock, randomness, environment, files, threads or sockets.
const PURE: &[&str] = &["schema", "proto", "central-hub/rules"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust source of a crate, its tests and build script included.
fn sources(crate_folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(crate_folder).join("src"), root().join(crate_folder).join("tests")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.map(|entry| entry.expect("a readable folder").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

fn every_source() -> Vec<PathBuf> {
    ARROWS.iter().flat_map(|(folder, _)| sources(folder)).chain(sources("benches")).collect()
}

/// The part of a file before its tests.
fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text)
}

#[test]
fn arrows_point_one_way() {
    for (folder, allowed) in ARROWS {
        let manifest: toml::Table = toml::from_str(&read(&root().join(folder).join("Cargo.toml"))).expect("TOML");
        let dependencies = manifest["dependencies"].as_table().expect("a table");
        for name in dependencies.keys().filter(|name| OURS.contains(&name.as_str())) {
            assert!(allowed.contains(&name.as_str()), "{folder} must not depend on {name}");
        }
    }
}

#[test]
fn every_dependency_is_used_and_earns_a_sentence() {
    let workspace = read(&root().join("Cargo.toml"));
    let table = workspace.split("[workspace.dependencies]").nth(1).and_then(|rest| rest.split("\n[").next());
    for line in table.expect("a table").lines().filter(|line| line.contains(" = ") && !line.contains("path = ")) {
        assert!(line.contains(" # "), "no sentence beside: {line}");
        let name = line.split(' ').next().expect("a name");
        let used = ARROWS.iter().map(|(folder, _)| *folder).chain(["benches"]).any(|folder| {
            let manifest = read(&root().join(folder).join("Cargo.toml"));
            manifest.lines().any(|line| line.starts_with(&format!("{name}.")) || line.starts_with(&format!("{name} ")))
        });
        assert!(used, "nobody depends on {name}");
    }
}

#[test]
fn functions_fit_a_screen_and_files_hold_one_idea() {
    let mut offences = Vec::new();
    for path in every_source() {
        let text = read(&path);
        let body = before_tests(&text);
        let lines = body.lines().count();
        if lines > FILE_LINES_MAX {
            offences.push(format!("{}: {lines} lines; look for the seam", path.display()));
        }
        for (at, line) in text.lines().enumerate().filter(|(_, line)| line.chars().count() > LINE_COLUMNS_MAX) {
            offences.push(format!("{}:{}: {} columns", path.display(), at + 1, line.chars().count()));
        }
        for (at, length) in functions(body).into_iter().filter(|(_, length)| *length > FUNCTION_LINES_MAX) {
            offences.push(format!("{}:{at}: a function of {length} lines", path.display()));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// First line and length of each function, told by indentation.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_function = |line: &str| {
        let words = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let words = words.trim_start_matches("pub ").trim_start_matches("const ").trim_start_matches("async ");
        words.starts_with("fn ")
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let indentation = line.len() - line.trim_start().len();
        let close = format!("{}}}", " ".repeat(indentation));
        let end = lines[at..].iter().position(|line| **line == close || line.trim_end().ends_with("; }"));
        found.push((at + 1, end.map_or(1, |length| length + 1)));
    }
    found
}

#[test]
fn no_file_is_dead() {
    for (folder, _) in ARROWS {
        let files = sources(folder);
        let declared: BTreeSet<String> = files
            .iter()
            .flat_map(|path| read(path).lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| {
                let line = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
                let line = line.trim_start_matches("pub ").strip_prefix("mod ")?;
                Some(line.trim_end_matches(';').split(' ').next()?.to_owned())
            })
            .collect();
        for path in files.iter().filter(|path| path.starts_with(root().join(folder).join("src"))) {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            let name = if stem == "mod" {
                path.parent().and_then(Path::file_name).and_then(|n| n.to_str())
            } else {
                Some(stem)
            };
            let name = name.expect("a name");
            assert!(["lib", "main"].contains(&name) || declared.contains(name), "{} is in no module", path.display());
        }
    }
}

#[test]
fn pure_crates_are_told_the_time() {
    let forbidden = ["SystemTime::now", "Instant::now", "std::env::", "std::fs", "std::net", "thread::spawn", "rand::"];
    for path in
        PURE.iter().flat_map(|folder| sources(folder)).filter(|path| !path.to_string_lossy().contains("/tests/"))
    {
        for (at, line) in before_tests(&read(&path)).lines().enumerate().filter(|(_, line)| !line.contains("//")) {
            let found = forbidden.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}:{}: {found:?} in a pure crate", path.display(), at + 1);
        }
    }
}

#[test]
fn nothing_is_printed_on_the_way_and_nothing_is_left_to_do() {
    // In parts, so that this file is looked at like any other.
    let macros = ["println", "eprintln", "print", "dbg", "todo", "unimplemented"].map(|name| format!("{name}!"));
    let marks = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X")].map(str::to_owned);
    for path in every_source() {
        for (at, line) in read(&path).lines().enumerate() {
            let found = macros.iter().chain(&marks).find(|word| line.contains(word.as_str()));
            assert!(found.is_none(), "{}:{}: {found:?}", path.display(), at + 1);
        }
    }
}

#[test]
fn personal_data_is_exposed_only_where_it_must_be() {
    // The hub and the rules see names through types that hide them; these files print or compare on purpose.
    let mut exposed: BTreeMap<String, usize> = BTreeMap::new();
    for path in ["central-hub", "sync-agent", "proto"].iter().flat_map(|folder| sources(folder)) {
        if path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let count = before_tests(&read(&path)).matches(".expose()").count();
        if count > 0 {
            let name = path.strip_prefix(root()).expect("in the workspace").display().to_string();
            exposed.insert(name, count);
        }
    }
    let known = ["central-hub/src/identity.rs", "central-hub/src/cli/commands.rs", "sync-agent/src/identity.rs"];
    for name in exposed.keys() {
        assert!(known.contains(&name.as_str()), "{name} exposes what is hidden; may it?");
    }
}

/// Rows of the threat table that no test tries, and what stands there instead.
const UNTRIED: [&str; 2] = ["by hand", "by construction"];

/// The names of tests, each in front of the place where it stands: a file of tests, or a file with tests at its foot.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in every_source() {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let mut folders = path.ancestors().skip(1).filter_map(|folder| folder.file_name()?.to_str());
        let folder = folders.find(|name| *name != "src").expect("a folder");
        let place = if ["mod", "main", "lib", "tests"].contains(&stem) { folder } else { stem };
        let text = read(&path);
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let function = line.trim_start_matches("async ").strip_prefix("fn ");
            if let Some(name) =
                function.filter(|_| std::mem::take(&mut is_test)).and_then(|rest| rest.split('(').next())
            {
                found.insert(format!("{place}::{name}"));
            }
        }
    }
    found
}

#[test]
fn every_threat_names_a_test_that_there_is() {
    let (text, tests) = (read(&root().join("docs/security.md")), tests());
    let table = text.split("## Threats").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("the table");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    assert!(rows.len() > 20, "{} threats", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, attack, _, tried] = cells.as_slice() else { panic!("not four columns: {row}") };
        let names: Vec<&str> = tried.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty() || UNTRIED.contains(tried), "no test tries: {attack}");
        for name in names {
            let (stem, is_cut) = name.strip_suffix("...").map_or((name, false), |stem| (stem, true));
            let mut known = tests.iter().filter(|test| *test == stem || is_cut && test.starts_with(stem));
            assert!(!stem.ends_with("::") && known.next().is_some(), "there is no test {name}: {attack}");
            assert!(known.next().is_none(), "several tests begin with {name}: {attack}");
        }
    }
}

#[test]
fn the_provincial_tables_have_the_fields_of_the_layouts() {
    let connection = rusqlite::Connection::open_in_memory().expect("opens");
    connection.execute_batch(registry_schema::sql::PROVINCE[0]).expect("the reference schema is SQL");
    for kind in registry_schema::kind::Kind::ALL {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)").expect("prepares");
        let columns = statement.query_map([kind.table()], |row| row.get::<_, String>(0)).expect("queries");
        let columns: Vec<String> = columns.map(|name| name.expect("a name")).collect();
        let fields = registry_schema::layout::columns(kind).map(|column| column.field.name());
        let expected: Vec<String> =
            ["record_id", "status", "import_id"].map(str::to_owned).into_iter().chain(fields).collect();
        assert_eq!(columns, expected, "{kind}");
    }
}
