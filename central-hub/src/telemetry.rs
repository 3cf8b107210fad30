//! Log lines on standard error, as text or JSON; they never hold what an entry says.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Sets up the log of this process.
///
/// # Errors
/// The filter has a mistake, or something else logs in this process already.
pub fn init(filter: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|_| anyhow::anyhow!("log filter {filter:?} cannot be read: give a level such as `info`"))?;
    let colour = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colour);
    let result = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    result.map_err(|error| anyhow::anyhow!("the log is set up already: {error}"))
}
