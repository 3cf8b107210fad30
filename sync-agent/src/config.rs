//! What an operator decides: a TOML file, overridden by the environment, overridden by flags.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use registry_schema::ids::Origin;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One source of settings: the file, or the flags with the environment behind them. Whatever it leaves out stands in
/// the source below it, or has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The provincial store, an SQLite file on a local disk
    #[arg(long, env = "HOTICH_STORE", value_name = "PATH")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<PathBuf>,
    /// The province the store belongs to, as CODE@EDITION, for example 01@2008
    #[arg(long, env = "HOTICH_PROVINCE", value_name = "CODE@EDITION")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub province: Option<Origin>,
    /// Where the centre listens, for example https://hub.example.vn:7400; without TLS on this machine only
    #[arg(long, env = "HOTICH_HUB", value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<String>,
    /// The folder with this agent's certificate and keys; `sync-agent enrol` makes it
    #[arg(long, env = "HOTICH_IDENTITY", value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<PathBuf>,
    /// The file with the token of a centre without TLS; only its owner may have access to it
    #[arg(long, env = "HOTICH_TOKEN_FILE", value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Milliseconds between two looks for new changes [default: 20]
    #[arg(long, env = "HOTICH_POLL_MS", value_name = "MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_ms: Option<u64>,
    /// The most changes that are sealed in one transaction [default: 2000]
    #[arg(long, env = "HOTICH_SEAL_BATCH_CHANGES", value_name = "CHANGES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal_batch_changes: Option<u64>,
    /// Milliseconds before the first new attempt to connect [default: 200]
    #[arg(long, env = "HOTICH_RECONNECT_MS_MIN", value_name = "MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_ms_min: Option<u64>,
    /// The most milliseconds between two attempts to connect [default: 30000]
    #[arg(long, env = "HOTICH_RECONNECT_MS_MAX", value_name = "MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect_ms_max: Option<u64>,
    /// What is logged, as in `info` or `sync_agent=debug` [default: info]
    #[arg(long, env = "HOTICH_LOG", value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, env = "HOTICH_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Settings that are complete and within their bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The provincial store.
    pub store: PathBuf,
    /// The province the store belongs to.
    pub province: Origin,
    /// Where the centre listens.
    pub hub: String,
    /// By what the centre knows the agent.
    pub access: Access,
    /// The daemon's pace.
    pub pace: PaceConfig,
    /// What is logged.
    pub log: LogConfig,
}

/// By what the centre knows an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// By its certificate: the folder with it, and with the key that signs frames.
    Identity(PathBuf),
    /// By the token in this file; on one machine, without TLS.
    Token(PathBuf),
}

/// How often and how much the daemon does at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceConfig {
    /// Milliseconds between two looks for new changes.
    pub poll_ms: u64,
    /// The most changes that are sealed in one transaction.
    pub seal_batch_changes: usize,
    /// Milliseconds before the first new attempt to connect.
    pub reconnect_ms_min: u64,
    /// The most milliseconds between two attempts to connect.
    pub reconnect_ms_max: u64,
}

impl Default for PaceConfig {
    fn default() -> Self {
        Self { poll_ms: 20, seal_batch_changes: 2_000, reconnect_ms_min: 200, reconnect_ms_max: 30_000 }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter in the manner of `tracing`.
    pub filter: String,
    /// How lines look.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {source}. Name the file with --config, or make it with `sync-agent init`", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, or has a setting that does not exist or has the wrong type.
    #[error("{path}: {message}", path = .path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line with a caret under the mistake.
        message: String,
    },
    /// A required setting stands nowhere.
    #[error("{name} is not set: write it into the configuration file, or give {flag} or {variable}")]
    Missing {
        /// The setting.
        name: &'static str,
        /// Its flag.
        flag: String,
        /// Its environment variable.
        variable: String,
    },
    /// A setting is out of its bounds.
    #[error("{name} is {found}: {expected}")]
    OutOfBounds {
        /// The setting.
        name: &'static str,
        /// What it says.
        found: String,
        /// What it may say.
        expected: String,
    },
}

impl Layer {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// The file cannot be read or has a mistake; the message shows the line with a caret.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let invalid =
            |error: toml::de::Error| ConfigError::Invalid { path: path.to_owned(), message: error.to_string() };
        let mut layer: Self = toml::from_str(&text).map_err(invalid)?;
        let beside = path.parent().unwrap_or(Path::new(""));
        for relative in [&mut layer.store, &mut layer.token_file, &mut layer.identity].into_iter().flatten() {
            *relative = beside.join(&*relative);
        }
        Ok(layer)
    }

    /// These settings, and below them those of another source.
    #[must_use]
    pub fn over(self, lower: Self) -> Self {
        Self {
            store: self.store.or(lower.store),
            province: self.province.or(lower.province),
            hub: self.hub.or(lower.hub),
            identity: self.identity.or(lower.identity),
            token_file: self.token_file.or(lower.token_file),
            poll_ms: self.poll_ms.or(lower.poll_ms),
            seal_batch_changes: self.seal_batch_changes.or(lower.seal_batch_changes),
            reconnect_ms_min: self.reconnect_ms_min.or(lower.reconnect_ms_min),
            reconnect_ms_max: self.reconnect_ms_max.or(lower.reconnect_ms_max),
            log: self.log.or(lower.log),
            log_format: self.log_format.or(lower.log_format),
        }
    }

    /// Fills in the defaults and checks every bound.
    ///
    /// # Errors
    /// A required setting is missing, or one is out of its bounds.
    pub fn finish(self) -> Result<Config, ConfigError> {
        let (pace, log) = (PaceConfig::default(), LogConfig::default());
        let reconnect_ms_min = self.reconnect_ms_min.unwrap_or(pace.reconnect_ms_min);
        let reconnect_ms_max = self.reconnect_ms_max.unwrap_or(pace.reconnect_ms_max.max(reconnect_ms_min));
        let batch = self.seal_batch_changes.unwrap_or(pace.seal_batch_changes as u64);
        // Faster than a millisecond is a busy loop; slower than a minute is no longer a daemon.
        let poll_ms = within("poll_ms", self.poll_ms.unwrap_or(pace.poll_ms), 1, 60_000)?;
        // A transaction of sealing holds the store's lock: 20,000 changes are about a third of a second.
        let batch = within("seal_batch_changes", batch, 10, 20_000)?;
        let reconnect_ms_min = within("reconnect_ms_min", reconnect_ms_min, 10, 60_000)?;
        let reconnect_ms_max = within("reconnect_ms_max", reconnect_ms_max, reconnect_ms_min, 3_600_000)?;
        let (store, province) = (required("store", self.store)?, required("province", self.province)?);
        let hub = checked_hub(required("hub", self.hub)?)?;
        let access = if hub.starts_with(TLS) {
            Access::Identity(required("identity", self.identity)?)
        } else {
            Access::Token(required("token_file", self.token_file)?)
        };
        Ok(Config {
            store,
            province,
            hub,
            access,
            pace: PaceConfig { poll_ms, seal_batch_changes: batch as usize, reconnect_ms_min, reconnect_ms_max },
            log: LogConfig { filter: self.log.unwrap_or(log.filter), format: self.log_format.unwrap_or(log.format) },
        })
    }
}

impl Config {
    /// The settings as a file that [`Layer::read`] reads back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let (identity, token_file) = match &self.access {
            Access::Identity(folder) => (Some(folder.clone()), None),
            Access::Token(file) => (None, Some(file.clone())),
        };
        let layer = Layer {
            store: Some(self.store.clone()),
            province: Some(self.province),
            hub: Some(self.hub.clone()),
            identity,
            token_file,
            poll_ms: Some(self.pace.poll_ms),
            seal_batch_changes: Some(self.pace.seal_batch_changes as u64),
            reconnect_ms_min: Some(self.pace.reconnect_ms_min),
            reconnect_ms_max: Some(self.pace.reconnect_ms_max),
            log: Some(self.log.filter.clone()),
            log_format: Some(self.log.format),
        };
        let mut text =
            String::from("# Settings of the provincial agent; `sync-agent run --help` says what each means.\n");
        let settings = toml::to_string(&layer).expect("settings are numbers and UTF-8 text");
        write!(text, "{settings}").expect("text grows");
        text
    }
}

fn required<T>(name: &'static str, value: Option<T>) -> Result<T, ConfigError> {
    let flag = format!("--{}", name.replace('_', "-"));
    let variable = format!("HOTICH_{}", name.to_uppercase());
    value.ok_or(ConfigError::Missing { name, flag, variable })
}

fn within(name: &'static str, value: u64, least: u64, most: u64) -> Result<u64, ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(ConfigError::OutOfBounds { name, found: value.to_string(), expected: format!("give {least} to {most}") })
}

/// An address with TLS begins so.
const TLS: &str = "https://";
/// Who may be spoken to without TLS: this machine.
const THIS_MACHINE: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

fn checked_hub(hub: String) -> Result<String, ConfigError> {
    let wrong =
        |expected: &str, hub| ConfigError::OutOfBounds { name: "hub", found: hub, expected: expected.to_owned() };
    let (is_tls, host) = match (hub.strip_prefix(TLS), hub.strip_prefix("http://")) {
        (Some(host), _) => (true, host),
        (_, Some(host)) => (false, host),
        _ => (true, ""),
    };
    if host.is_empty() || host.starts_with(['/', ':']) || host.contains(char::is_whitespace) {
        return Err(wrong("give https://HOST:PORT", hub));
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if !is_tls && !THIS_MACHINE.contains(&name) {
        return Err(wrong("give https://HOST:PORT; without TLS the centre is on this machine, as 127.0.0.1", hub));
    }
    Ok(hub)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LEAST: &str = "store = 'a.db'\nprovince = '01@2008'\nhub = 'http://127.0.0.1:1'\ntoken_file = '/t'\n";

    fn read(text: &str) -> Result<Layer, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        let mut layer = Layer::read(&path)?;
        layer.store = layer.store.map(|store| store.strip_prefix(folder.path()).unwrap().to_owned());
        Ok(layer)
    }

    fn check(lines: &str, expected: &str) {
        let message = read(&format!("{LEAST}{lines}")).and_then(Layer::finish).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn mistakes_are_shown_with_their_place_and_remedy() {
        check("pol_ms = 3", "line 5");
        check("pol_ms = 3", "^^^^^^");
        check("poll_ms = 'often'", "invalid type: string \"often\", expected u64");
        check("poll_ms = 0", "poll_ms is 0: give 1 to 60000");
        check("reconnect_ms_min = 5000\nreconnect_ms_max = 4000", "give 5000 to 3600000");
        check("seal_batch_changes = 1000000", "seal_batch_changes is 1000000");
        let message = read("store = 'a'").and_then(Layer::finish).unwrap_err().to_string();
        assert!(message.contains("--province or HOTICH_PROVINCE"), "{message}");
        for hub in ["http://h:1", "http://127.0.0.1.example:1", "h:1", "http://", "https://:80", "https://a b"] {
            let layer = Layer { hub: Some(hub.to_owned()), ..read(LEAST).unwrap() };
            assert!(matches!(layer.finish(), Err(ConfigError::OutOfBounds { name: "hub", .. })), "{hub}");
        }
    }

    #[test]
    fn over_tls_an_identity_is_needed_and_a_token_is_not() {
        let layer = Layer { hub: Some("https://h:1".to_owned()), ..read(LEAST).unwrap() };
        let message = layer.clone().finish().unwrap_err().to_string();
        assert!(message.contains("--identity or HOTICH_IDENTITY"), "{message}");
        let config = Layer { identity: Some("/i".into()), ..layer }.finish().unwrap();
        assert_eq!(config.access, Access::Identity("/i".into()));
        assert_eq!(read(&config.to_toml()).unwrap().finish().unwrap(), config);
    }

    #[test]
    fn a_flag_stands_above_the_file_and_the_file_above_the_default() {
        let file = read(&format!("{LEAST}poll_ms = 5\nlog = 'warn'")).unwrap();
        let flags = Layer { poll_ms: Some(7), ..Layer::default() };
        let config = flags.over(file).finish().unwrap();
        assert_eq!((config.pace.poll_ms, config.log.filter.as_str()), (7, "warn"));
        assert_eq!(config.pace.seal_batch_changes, PaceConfig::default().seal_batch_changes);
        assert_eq!(config.store, Path::new("a.db"));
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let config = read(LEAST).unwrap().finish().unwrap();
        assert_eq!(read(&config.to_toml()).unwrap().finish().unwrap(), config);
    }
}
