//! The command line: `sync-agent init`, `enrol`, `run`, `status`, `import`, `notices`, `verify`, `quarantine` and `config`.

mod enrol;
mod error;
mod import;
mod init;
mod notices;
mod print;
mod quarantine;
mod run;
mod status;
mod verify;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Layer;
use crate::error_chain;
use crate::exit::Exit;
use error::CliError;

/// The configuration file that is read when none is named.
const CONFIG_FILE: &str = "agent.toml";

/// Takes civil-status entries from a provincial store to the national registry.
#[derive(Debug, Parser)]
#[command(name = "sync-agent", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  sync-agent init --store hanoi.db --province 01@2008 --hub https://hub.example.vn:7400 --identity identity \
    --enrol hanoi.toml
  sync-agent run --config agent.toml
  sync-agent import births-2009.xlsx --dry-run
  sync-agent status --output json
  sync-agent notices --outcome rejected

Exit codes: 0 done, 1 failed, 64 usage, 65 data, 69 unavailable, 74 input/output, 75 try again, 77 permission,
78 configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a store, or take over a file with the reference schema, and write the configuration
    #[command(after_help = init::EXAMPLES)]
    Init(init::InitArgs),
    /// Get a certificate for a store that is initialised: after the one before was revoked, or has expired
    Enrol(enrol::EnrolArgs),
    /// Seal what clerks write and send it to the centre, until SIGTERM or SIGINT
    #[command(after_help = run::EXAMPLES)]
    Run(run::RunArgs),
    /// Show how the store and its connection stand; works with the daemon up or down
    #[command(after_help = status::EXAMPLES)]
    Status(status::StatusArgs),
    /// Import a workbook or CSV file of old entries; the same command goes on after an interruption
    #[command(after_help = import::EXAMPLES)]
    Import(import::ImportArgs),
    /// List what the centre answered
    #[command(after_help = notices::EXAMPLES)]
    Notices(notices::NoticesArgs),
    /// Look at every row and at the kept sums, without changing anything
    #[command(after_help = verify::EXAMPLES)]
    Verify(verify::VerifyArgs),
    /// What a comparison with the centre set aside for a person
    #[command(after_help = quarantine::EXAMPLES)]
    Quarantine(quarantine::QuarantineArgs),
    /// Show the settings that are in force, as a configuration file
    Config(run::RunArgs),
}

/// How a command prints its result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file [default: agent.toml, if there is one]
    #[arg(long, env = "HOTICH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which store a command looks at.
#[derive(Debug, Args)]
struct StoreChoice {
    #[command(flatten)]
    file: ConfigFile,
    /// The provincial store, instead of the configured one
    #[arg(long, env = "HOTICH_STORE", value_name = "PATH")]
    store: Option<PathBuf>,
}

/// Carries out the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    registry_schema::sensitive::hush_panics(|words| drop(writeln!(std::io::stderr(), "sync-agent: {words}")));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            // A closed terminal does not change how the program ends.
            let _ = error.print();
            return exit.into();
        }
    };
    let result = match cli.command {
        Command::Init(args) => init::run(args),
        Command::Enrol(args) => enrol::run(args),
        Command::Run(args) => run::run(args),
        Command::Status(args) => status::run(&args),
        Command::Import(args) => import::run(args),
        Command::Notices(args) => notices::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Quarantine(args) => quarantine::run(args),
        Command::Config(args) => run::show_config(args),
    };
    match result {
        Ok(()) => Exit::Success.into(),
        Err(error) if error.is_closed_pipe() => Exit::Success.into(),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "sync-agent: {}", error_chain::words(&error));
            error.exit().into()
        }
    }
}

impl ConfigFile {
    /// The settings of the file, or none when no file was named and the usual one does not exist.
    fn read(&self) -> Result<Layer, CliError> {
        match &self.config {
            Some(path) => Ok(Layer::read(path)?),
            None if Path::new(CONFIG_FILE).exists() => Ok(Layer::read(Path::new(CONFIG_FILE))?),
            None => Ok(Layer::default()),
        }
    }
}

impl StoreChoice {
    /// The store's path; the rest of the configuration need not be complete.
    fn path(&self) -> Result<PathBuf, CliError> {
        let path = match &self.store {
            Some(path) => Some(path.clone()),
            None => self.file.read()?.store,
        };
        path.ok_or_else(|| CliError::Usage("no store: give --store PATH or --config FILE".to_owned()))
    }
}

/// The wall clock in Unix milliseconds.
fn wall_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    fn check(line: &str, is_accepted: bool) {
        assert_eq!(Cli::try_parse_from(line.split(' ')).is_ok(), is_accepted, "{line}");
    }

    #[test]
    fn what_is_meant_is_understood_and_the_rest_refused() {
        check("sync-agent run --config agent.toml --poll-ms 5 --log-format json", true);
        check("sync-agent run --poll-ms often", false);
        check("sync-agent init --store a.db --province 01@2008 --hub http://h:1 --token-file t", true);
        check("sync-agent init --store a.db --province Hanoi --hub http://h:1 --token-file t", false);
        check("sync-agent status --output json --store a.db", true);
        check("sync-agent status --output yaml", false);
        check("sync-agent import a.xlsx --kind birth --split 1/3 --dry-run", true);
        check("sync-agent import a.xlsx --kind KS --rejects r.csv --mapping m.toml --authority 01.00001", true);
        check("sync-agent import a.xlsx --split 4/3", false);
        check("sync-agent import a.xlsx --split 0/3", false);
        check("sync-agent notices --outcome case", true);
        check("sync-agent notices --outcome lost", false);
    }
}
