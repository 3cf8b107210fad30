//! What can be said to the program.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hub_rules::finding::{FindingId, Rule};
use hub_rules::node::Node;
use hub_rules::verdict::Answer;
use registry_schema::ids::{Origin, PersonId, RecordKey};

use crate::config::Layer;
use crate::open::StoreUrl;

/// The hub of the national civil-status registry: takes in what provinces send, judges it, answers operators.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Examples:
  central-hub provinces enrol 01@2008 --store sqlite:national.db --token-file hanoi.token
  central-hub serve --store sqlite:national.db
  central-hub cases list --store sqlite:national.db --open --limit 5
  central-hub rebuild --store sqlite:national.db --output json

Exit codes: 0 done, 1 failed or a check found a difference, 64 wrong usage, 65 damaged data, 69 not there,
74 input or output failed, 75 busy: try again, 77 not permitted, 78 wrong configuration."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// The national store, as sqlite:PATH
    #[arg(long, global = true, env = "HOTICH_NATIONAL_STORE", value_name = "URL")]
    pub(super) store: Option<StoreUrl>,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value = "table", value_name = "FORMAT")]
    pub(super) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon: take in what provinces send and judge it
    #[command(after_help = "Example:\n  central-hub serve --store sqlite:national.db --listen 127.0.0.1:7400")]
    Serve {
        /// A configuration file (TOML)
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        layer: Layer,
    },
    /// How each province stands; enrol provinces
    Provinces {
        #[command(subcommand)]
        command: Option<ProvincesCommand>,
    },
    /// The nation in numbers
    Stats,
    /// What waits for a human, and answers
    Cases {
        #[command(subcommand)]
        command: CasesCommand,
    },
    /// Records
    Record {
        #[command(subcommand)]
        command: RecordCommand,
    },
    /// National persons
    Person {
        #[command(subcommand)]
        command: PersonCommand,
    },
    /// The national digest: equal digests mean equal registries
    Digest,
    /// Make the registry anew from the journal and compare; exit code 1 when they differ
    Rebuild {
        /// Put the new registry in the place of the old one (stop the daemon first)
        #[arg(long)]
        apply: bool,
    },
    /// Walk the journal and prove that it is what came in; exit code 1 when it is not
    Audit,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProvincesCommand {
    /// How each province stands
    List,
    /// Enrol a province, or give it a new token (its store may then come with a new epoch)
    #[command(
        after_help = "Example:\n  central-hub provinces enrol 01@2008 --store sqlite:national.db --token-file hanoi.token"
    )]
    Enrol {
        /// The province, as CODE@EDITION
        province: Origin,
        /// Its name [default: as in the catalogue]
        #[arg(long)]
        name: Option<String>,
        /// Where to write the token, readable by its owner only; hand it to the province
        #[arg(long, value_name = "FILE")]
        token_file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum CasesCommand {
    /// List cases (or links) by id
    #[command(after_help = "Example:\n  central-hub cases list --store sqlite:national.db --rule same_key --open")]
    List(ListArguments),
    /// Show one case: the entries side by side, why, and every answer
    Show {
        /// The case
        id: FindingId,
    },
    /// Answer a case; `wait` takes an answer back
    #[command(
        after_help = "Example:\n  central-hub cases resolve 8f…e1 withdraw --record 79@2008/42 --operator lan --reason 'book 3/1999 seen'"
    )]
    Resolve {
        /// The case
        id: FindingId,
        /// same, different, keep, withdraw, replace or wait
        #[arg(value_parser = answer)]
        answer: Answer,
        /// The record to withdraw, or that is replaced
        #[arg(long, value_name = "PROVINCE/ID")]
        record: Option<RecordKey>,
        /// Who decides
        #[arg(long, env = "HOTICH_OPERATOR")]
        operator: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// Links that rules are sure of, instead of cases
    #[arg(long)]
    pub(super) links: bool,
    /// Open cases only
    #[arg(long, conflicts_with = "links")]
    pub(super) open: bool,
    /// One rule only
    #[arg(long, value_parser = rule)]
    pub(super) rule: Option<Rule>,
    /// What concerns one province only
    #[arg(long, value_name = "CODE@EDITION")]
    pub(super) province: Option<Origin>,
    /// Rows of a page
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=9999))]
    pub(super) limit: u16,
    /// Begin behind this id
    #[arg(long, value_name = "ID")]
    pub(super) after: Option<FindingId>,
    /// Every page
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum RecordCommand {
    /// A record with its history, its people and what was found about it
    Show {
        /// The record, as PROVINCE/ID
        record: RecordKey,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PersonCommand {
    /// A person's life, from every entry they stand in
    Show {
        /// The person (P123), or a participant (PROVINCE/ID#role)
        #[arg(value_parser = person)]
        person: Who,
    },
}

/// A person by id, or by a participant.
#[derive(Debug, Clone)]
pub(super) struct Who(pub(super) Result<PersonId, Node>);

fn answer(text: &str) -> Result<Answer, String> {
    Answer::parse(text).ok_or_else(|| "write same, different, keep, withdraw, replace or wait".to_owned())
}

fn rule(text: &str) -> Result<Rule, String> {
    let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
    Rule::parse(text).ok_or_else(|| format!("the rules are {}", names.join(", ")))
}

fn person(text: &str) -> Result<Who, String> {
    if let Ok(person) = text.parse::<PersonId>() {
        return Ok(Who(Ok(person)));
    }
    match text.parse::<Node>() {
        Ok(node) if node.role != registry_schema::field::Role::Entry => Ok(Who(Err(node))),
        _ => Err("write P123, or PROVINCE/ID#role as in 01@2008/42#child".to_owned()),
    }
}
