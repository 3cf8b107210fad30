//! Whether everything that is depended on may be, by `deny.toml`: its licences, where it comes from, and what there may be
//! only one of. `make deny` asks the tool that the file is written for; this needs nothing but Cargo.

#![allow(clippy::disallowed_methods, reason = "a test of what is depended on must read the files that say it")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

fn rules() -> toml::Table {
    read("deny.toml")
}

/// A file of the workspace's root.
fn read(name: &str) -> toml::Table {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    toml::from_str(&std::fs::read_to_string(file).expect(name)).expect("TOML")
}

fn texts<'a>(rules: &'a toml::Table, table: &str, list: &str) -> Vec<&'a str> {
    let list = rules[table][list].as_array().expect("a list");
    list.iter().map(|text| text.as_str().expect("a text")).collect()
}

/// A crate that is built for this machine with every feature.
struct Package {
    name: String,
    version: String,
    licence: String,
}

fn packages() -> Vec<Package> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["tree", "--workspace", "--all-features", "--locked", "--prefix", "none", "--no-dedupe"]);
    let told = command.args(["--format", "{p}|{l}"]).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let told = told.expect("cargo answers");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let lines: BTreeSet<String> = String::from_utf8(told.stdout).expect("text").lines().map(str::to_owned).collect();
    let package = |line: &String| {
        let (package, licence) = line.split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Package { name, version, licence: licence.trim_end_matches(" (*)").to_owned() })
    };
    lines.iter().filter_map(package).collect()
}

/// Whether one of the licences that may be chosen, with all that come along, is allowed.
fn is_allowed(licence: &str, allowed: &[&str]) -> bool {
    let licence = licence.replace('/', " OR ");
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for word in licence.replace('(', " ( ").replace(')', " ) ").split_whitespace() {
        match word {
            "(" => depth += 1,
            ")" => depth -= 1,
            "AND" if depth == 0 => parts.push(String::new()),
            word => {
                let part = parts.last_mut().expect("there is always one");
                part.push_str(if part.is_empty() { "" } else { " " });
                part.push_str(word);
            }
        }
    }
    let one_of = |part: &String| part.split(" OR ").any(|name| name.split(" AND ").all(|name| allowed.contains(&name)));
    parts.iter().all(one_of)
}

#[test]
fn what_is_depended_on_has_a_licence_that_is_allowed() {
    let rules = rules();
    let (licences, packages) = (texts(&rules, "licenses", "allow"), packages());
    assert!(packages.len() > 100, "only {} packages", packages.len());
    for Package { name, licence, .. } in &packages {
        assert!(is_allowed(licence, &licences), "{name}: {licence} is not allowed");
    }
}

#[test]
fn what_is_depended_on_comes_from_where_it_may() {
    let rules = rules();
    let registries = texts(&rules, "sources", "allow-registry");
    let locked = read("Cargo.lock");
    let packages = locked["package"].as_array().expect("a list");
    for (package, source) in packages.iter().filter_map(|package| Some((package, package.get("source")?.as_str()?))) {
        let known = registries.iter().any(|registry| source == format!("registry+{registry}"));
        assert!(known, "{} comes from {source}", package["name"]);
    }
}

#[test]
fn there_is_one_of_what_there_may_be_only_one_of_and_nothing_that_is_banned() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Package { name, version, .. } in packages() {
        versions.entry(name).or_default().insert(version);
    }
    let rules = rules();
    for ban in rules["bans"]["deny"].as_array().expect("a list") {
        let name = ban["crate"].as_str().expect("a name");
        let versions_max = usize::from(ban.get("deny-multiple-versions").is_some());
        let found = versions.get(name).cloned().unwrap_or_default();
        assert!(found.len() <= versions_max, "{name}: {found:?}");
        assert!(versions_max == 0 || found.len() == 1, "{name} is not there: nothing is looked at");
    }
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"];
    for (licence, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(licence, &allowed), expected, "{licence}");
    }
}
