//! The tables and statements of the PostgreSQL store stay within what Citus can spread over machines.
//!
//! Citus is not packaged for every system, so this looks at the SQL itself: at what Citus refuses or cannot keep.

use std::collections::{BTreeMap, BTreeSet};

use hub_store::postgres::Postgres;
use registry_schema::sql::NATIONAL_POSTGRES;

const CITUS: &str = include_str!("../../../schema/sql/national/citus.sql");
/// Tables that do not grow with the nation and stay on the coordinator.
const LOCAL: &[&str] = &[
    "province",
    "cursor",
    "journal_head",
    "judge",
    "watermark",
    "void_block",
    "digest",
    "tally",
    "ruling",
    "holding",
    "holding_checkpoint",
    "holding_tail",
    "resync",
    "act",
    "signer",
    "grants",
    "nation",
    "nation_end",
];

/// The migrations without comments, in lower case.
fn tables() -> String {
    let lines = NATIONAL_POSTGRES.iter().flat_map(|sql| sql.lines());
    lines.map(|line| line.split("--").next().unwrap_or_default().to_lowercase() + "\n").collect()
}

/// The column lists of every key of every table: primary keys and unique indexes.
fn keys(sql: &str) -> BTreeMap<String, Vec<BTreeSet<String>>> {
    let mut keys: BTreeMap<String, Vec<BTreeSet<String>>> = BTreeMap::new();
    for statement in sql.split(';').map(str::trim) {
        if let Some(table) = after(statement, "create table ") {
            let of = keys.entry(name(table)).or_default();
            let body = table.split_once('(').map_or("", |(_, body)| body);
            of.extend(after(body, "primary key (").map(columns));
            let alone = body.lines().find(|line| line.contains("primary key") && !line.contains("primary key ("));
            of.extend(alone.map(|line| BTreeSet::from([name(line.trim())])));
        }
        if let Some(index) = after(statement, "create unique index ") {
            let (table, list) = after(index, " on ").and_then(|on| on.split_once('(')).expect("an index has columns");
            keys.entry(name(table)).or_default().push(columns(list));
        }
    }
    keys
}

fn after<'s>(text: &'s str, word: &str) -> Option<&'s str> {
    text.find(word).map(|at| &text[at + word.len()..])
}

fn name(text: &str) -> String {
    text.trim().split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned()
}

fn columns(list: &str) -> BTreeSet<String> {
    list.split(')').next().unwrap_or_default().split(',').map(name).collect()
}

/// The distribution column of each distributed table; `None` for reference tables.
fn spread() -> BTreeMap<String, Option<String>> {
    let quoted = |line: &str| line.split('\'').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let of = |line: &str| {
        let words = quoted(line);
        match () {
            () if line.contains("create_distributed_table(") => Some((words[0].clone(), Some(words[1].clone()))),
            () if line.contains("create_reference_table(") => Some((words[0].clone(), None)),
            () => None,
        }
    };
    CITUS.lines().filter(|line| !line.starts_with("--")).filter_map(of).collect()
}

#[test]
fn every_table_has_its_place() {
    let placed: BTreeSet<String> = spread().into_keys().chain(LOCAL.iter().map(|name| (*name).to_owned())).collect();
    let there: BTreeSet<String> = keys(&tables()).into_keys().collect();
    assert!(there.len() > 15, "the tables were not found: {there:?}");
    assert_eq!(placed, there);
}

#[test]
fn every_key_of_a_distributed_table_has_its_distribution_column() {
    let keys = keys(&tables());
    for (table, column) in spread().into_iter().filter_map(|(table, column)| Some((table, column?))) {
        assert!(!keys[&table].is_empty(), "{table} has no key");
        for key in &keys[&table] {
            assert!(key.contains(&column), "{table}: the key {key:?} lacks {column}, so no machine can keep it");
        }
    }
}

#[test]
fn nothing_looks_beyond_one_machine() {
    let tables = tables();
    for word in ["references", "foreign key", "trigger", "serial", "sequence", "exclude using"] {
        assert!(!tables.contains(word), "the tables use {word:?}");
    }
}

#[test]
fn every_statement_of_the_hot_path_can_be_spread() {
    let statements = Postgres::hot_statements();
    assert!(statements.len() > 20, "the statements were not found");
    for (name, sql) in statements {
        let sql = sql.to_lowercase();
        for word in ["lateral", "declare ", "nextval", "for update", "lock table", "ctid", "with recursive"] {
            assert!(!sql.contains(word), "{name} uses {word:?}");
        }
    }
}

#[test]
fn no_statement_of_the_hot_path_joins_two_distributed_tables() {
    let distributed: BTreeSet<String> =
        spread().into_iter().filter_map(|(table, column)| column.map(|_| table)).collect();
    for (statement, sql) in Postgres::hot_statements() {
        let words: BTreeSet<String> = sql.split_whitespace().map(|word| name(word.trim_start_matches('('))).collect();
        let named: Vec<&String> = words.intersection(&distributed).collect();
        assert!(named.len() <= 1, "{statement} names {named:?}");
    }
}
