//! What can be said to the program.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hub_rules::node::Node;
use registry_schema::ids::{Origin, PersonId, RecordKey};
use registry_schema::kind::Kind;

use super::backup::{BackupArguments, DrillArguments, RestoreArguments};
use super::cases::CasesCommand;
use super::evaluate::{EvaluateArguments, ExplainArguments};
use super::office::{AuditCommand, OperatorsCommand};
use super::pki::PkiCommand;
use super::resync::ResyncCommand;
use crate::config::Layer;
use crate::open::StoreUrl;

/// The hub of the national civil-status registry: takes in what provinces send, judges it, answers operators.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "Examples:
  central-hub pki enrol 01@2008 --store sqlite:national.db --pki pki --token-file hanoi.toml
  central-hub pki init --pki pki --name hub.example.vn
  central-hub serve --store sqlite:national.db --pki pki
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
    /// The national store, as sqlite:PATH or postgres://USER@HOST/DATABASE (its password also from PGPASSWORD)
    #[arg(long, global = true, env = "HOTICH_NATIONAL_STORE", hide_env_values = true, value_name = "URL")]
    pub(super) store: Option<StoreUrl>,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value = "table", value_name = "FORMAT")]
    pub(super) output: Output,
    /// The hub's configuration (TOML); its table [rules] is part of what a registry is judged under
    #[arg(long, global = true, env = "HOTICH_HUB_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The folder of certificates and keys, see `central-hub pki`
    #[arg(long, global = true, env = "HOTICH_PKI", value_name = "FOLDER")]
    pub(super) pki: Option<PathBuf>,
    /// Act as the operator whose certificate and key are in this file, instead of as the user of this machine
    #[arg(long = "as", global = true, env = "HOTICH_AS", value_name = "FILE")]
    pub(super) identity: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people
    Table,
    /// For programs
    Json,
    /// For spreadsheets; where there is one table
    Csv,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon: take in what provinces send and judge it
    #[command(after_help = "Example:\n  central-hub serve --store sqlite:national.db --pki pki --listen 0.0.0.0:7400")]
    Serve {
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
    /// Compare provinces with the nation, and repair what differs
    Resync {
        #[command(subcommand)]
        command: ResyncCommand,
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
    /// Every rule: its legal reason, how grave its findings are, and who decides about them
    Rules,
    /// Numbers that are missing in the books
    #[command(
        after_help = "Example:\n  central-hub completeness --store sqlite:national.db --province 01@2008 --kind birth --output csv"
    )]
    Completeness(CompletenessArguments),
    /// Make the registry anew from the journal and compare; exit code 1 when they differ
    Rebuild {
        /// Put the new registry in the place of the old one (stop the daemon first)
        #[arg(long)]
        apply: bool,
    },
    /// Walk the journal and prove that it is what came in, as its provinces signed it; exit code 1 when it is not
    Audit {
        #[command(subcommand)]
        command: Option<AuditCommand>,
    },
    /// Copy the embedded store into a new folder, while the hub serves
    #[command(after_help = "Example:\n  central-hub backup /run/backup/2026-11-23 --store sqlite:national.db")]
    Backup(BackupArguments),
    /// Bring the nation back from a backup, as a new store; or make a server known that came back by its own means
    #[command(after_help = "Examples:
  central-hub restore /run/backup/2026-11-23 --store sqlite:national.db
  central-hub restore --store postgres://hub@db.example/nation")]
    Restore(RestoreArguments),
    /// Try out whether a backup would bring the nation back; exit code 1 when not, 65 when it is damaged
    #[command(after_help = "Examples:
  central-hub drill /run/backup/2026-11-23
  central-hub drill --store postgres://hub@drill.example/nation --output json")]
    Drill(DrillArguments),
    /// Certificates: a small authority for pilots, enrolment, revocation
    Pki {
        #[command(subcommand)]
        command: PkiCommand,
    },
    /// Who may do what
    Operators {
        #[command(subcommand)]
        command: Option<OperatorsCommand>,
    },
    /// Measure how well records are linked whose truth is known: those of the store, or a file from elsewhere
    #[command(after_help = "Examples:
  central-hub evaluate --store sqlite:national.db --truth truth.csv --curve curve.svg
  central-hub evaluate --data febrl3.csv --mapping febrl3.toml --worst 20 --output json")]
    Evaluate(EvaluateArguments),
    /// Say why two participants are one person or not: what counts for how much
    #[command(after_help = "Examples:
  central-hub explain 01@2008/42#child 79@2008/7#child --store sqlite:national.db
  central-hub explain rec-7-org rec-7-dup-0 --data febrl3.csv --mapping febrl3.toml")]
    Explain(ExplainArguments),
}

#[derive(Debug, Args)]
pub(super) struct CompletenessArguments {
    /// Books that one province keeps only
    #[arg(long, value_name = "CODE@EDITION")]
    pub(super) province: Option<Origin>,
    /// One kind only: birth, marriage or death
    #[arg(long, value_parser = kind)]
    pub(super) kind: Option<Kind>,
    /// One year of registration only
    #[arg(long)]
    pub(super) year: Option<i16>,
    /// Books in which nothing is amiss, too
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProvincesCommand {
    /// How each province stands
    List,
    /// Give a province a token for a hub without TLS (its store may then come with a new epoch); see `pki enrol`
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
pub(super) enum RecordCommand {
    /// A record with its history, its people and what was found about it
    Show {
        /// The record, as PROVINCE/ID
        record: RecordKey,
        /// Why it is looked at; written down
        #[arg(long, default_value = "", value_name = "REASON")]
        why: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PersonCommand {
    /// A person's life, from every entry they stand in
    Show {
        /// The person (P123), or a participant (PROVINCE/ID#role)
        #[arg(value_parser = person)]
        person: Who,
        /// Why they are looked at; written down
        #[arg(long, default_value = "", value_name = "REASON")]
        why: String,
    },
}

/// A person by id, or by a participant.
#[derive(Debug, Clone)]
pub(super) struct Who(pub(super) Result<PersonId, Node>);

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| "write birth, marriage or death".to_owned())
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
