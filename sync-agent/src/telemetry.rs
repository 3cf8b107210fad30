//! Log lines on standard error, as text or JSON; they never hold what an entry says.

use std::io::{IsTerminal as _, stderr};

use thiserror::Error;
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// The log cannot be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter has a mistake.
    #[error("log filter {0:?} cannot be read: give a level such as `info`, or `sync_agent=debug`")]
    Filter(String),
    /// Something else logs in this process already.
    #[error("the log is set up already")]
    Twice,
}

/// Sets up the log of this process.
///
/// # Errors
/// The filter has a mistake, or the log is set up already.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|_| TelemetryError::Filter(config.filter.clone()))?;
    let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colour);
    let result = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    result.map_err(|_| TelemetryError::Twice)
}
