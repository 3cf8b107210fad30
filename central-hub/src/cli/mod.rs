//! The command line: noun, verb; data on standard output, notices on standard error.

mod arguments;
mod commands;
mod output;
mod cases;
mod resync;
mod judged;
mod evaluate;
mod daemon;
mod pki;
mod office;
mod backup;

use std::process::ExitCode;

use clap::Parser as _;
use hub_store::StoreError;

use crate::config::ConfigError;
use crate::exit::Exit;
use crate::ruling::RulingError;
use arguments::Arguments;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    registry_schema::sensitive::hush_panics(|words| output::notice(&format!("error: {words}")));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(commands::run(arguments)));
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error);
            exit_of(&error).into()
        }
    }
}

/// Threads of the runtime: judging holds one for tens of milliseconds, the sessions need others meanwhile.
const WORKER_THREADS: usize = 4;

fn exit_of(error: &anyhow::Error) -> Exit {
    if let Some(error) = error.downcast_ref::<StoreError>() {
        return Exit::from(error);
    }
    if let Some(error) = error.downcast_ref::<crate::operator::cases::AnswerError>() {
        return cases::exit_of(error);
    }
    if let Some(error) = error.downcast_ref::<crate::operator::resync::WishError>() {
        return resync::exit_of(error);
    }
    if let Some(error) = error.downcast_ref::<evaluate::EvaluateError>() {
        return error.exit();
    }
    if let Some(error) = error.downcast_ref::<crate::office::OfficeError>() {
        return office::exit_of(error);
    }
    if let Some(error) = error.downcast_ref::<crate::backup::BackupError>() {
        return backup::exit_of(error);
    }
    if error.downcast_ref::<crate::pki::PkiError>().is_some() {
        return Exit::Config;
    }
    if error.downcast_ref::<ConfigError>().is_some() {
        return Exit::Config;
    }
    if let Some(error) = error.downcast_ref::<RulingError>() {
        return match error {
            RulingError::Differs { .. } => Exit::Config,
            RulingError::Store(error) => Exit::from(error),
        };
    }
    if error.downcast_ref::<registry_secrets::FileError>().is_some() {
        return Exit::Io;
    }
    if error.downcast_ref::<std::io::Error>().is_some() { Exit::Io } else { Exit::Failure }
}
