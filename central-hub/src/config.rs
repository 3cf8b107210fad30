//! What an operator decides about the daemon: a TOML file, overridden by the environment, overridden by flags.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use hub_rules::policy::{Policy, Setting};
use serde::{Deserialize, Serialize};

use crate::door::Entrance;
use crate::pki::Folder;

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

/// One source of settings: the file, or the flags with the environment behind them.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Layer {
    /// Where provincial agents connect [default: 127.0.0.1:7400]
    #[arg(long, env = "HOTICH_LISTEN", value_name = "ADDRESS:PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// Listen without TLS, for programs of this machine: for tests and trials
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insecure_loopback: Option<bool>,
    /// The folder of certificates and keys; on the command line it is --pki
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pki: Option<PathBuf>,
    /// Changes a second that one province may send in the backlog lane [default: 200000]
    #[arg(long, env = "HOTICH_BACKLOG_RECORDS_PER_SECOND", value_name = "RECORDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog_records_per_second: Option<u32>,
    /// Changes a second that one province may send in the live and repair lanes [default: 20000]
    #[arg(long, env = "HOTICH_LIVE_RECORDS_PER_SECOND", value_name = "RECORDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live_records_per_second: Option<u32>,
    /// Bytes a second that one province may send, all lanes together [default: 67108864]
    #[arg(long, env = "HOTICH_BYTES_PER_SECOND", value_name = "BYTES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u32>,
    /// What is logged, as in `info` or `central_hub=debug` [default: info]
    #[arg(long, env = "HOTICH_LOG", value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How log lines look [default: text]
    #[arg(long, env = "HOTICH_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,
    /// What becomes of the findings of single rules; only in the file, for it must outlive a command line
    #[arg(skip)]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, Setting>,
}

/// Settings that are complete and within their bounds.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where provincial agents connect.
    pub listen: SocketAddr,
    /// Whether it listens without TLS.
    pub insecure_loopback: bool,
    /// The folder of certificates and keys.
    pub pki: Option<PathBuf>,
    /// What one province may send.
    pub quota: Quota,
    /// What is logged.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// What becomes of findings.
    pub policy: Policy,
}

/// The configuration is wrong; the message names the place and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct ConfigError(anyhow::Error);

/// What one province may send.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Changes a second in the backlog lane.
    pub backlog_records_per_second: u32,
    /// Changes a second in the live and repair lanes.
    pub live_records_per_second: u32,
    /// Bytes a second in all lanes.
    pub bytes_per_second: u32,
}

/// The least rate that still lets a frame pass within a second.
pub const RECORDS_PER_SECOND_MIN: u32 = 10;
/// The least rate of bytes: a small frame a second.
pub const BYTES_PER_SECOND_MIN: u32 = 64 * 1024;

impl Default for Quota {
    fn default() -> Self {
        Self {
            backlog_records_per_second: 200_000,
            live_records_per_second: 20_000,
            bytes_per_second: 64 * 1024 * 1024,
        }
    }
}

impl Config {
    /// The settings of some flags over a file over the defaults.
    ///
    /// # Errors
    /// The file cannot be read or has a mistake (with line and caret), or a setting is out of its bounds.
    pub fn load(file: Option<&Path>, flags: Layer) -> Result<Self, ConfigError> {
        Self::read(file, flags).map_err(ConfigError)
    }

    fn read(file: Option<&Path>, flags: Layer) -> anyhow::Result<Self> {
        let file = file.map(read).transpose()?.unwrap_or_default();
        let quota = Quota::default();
        let config = Self {
            listen: flags.listen.or(file.listen).unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 7400))),
            insecure_loopback: flags.insecure_loopback.or(file.insecure_loopback).unwrap_or_default(),
            pki: flags.pki.or(file.pki),
            quota: Quota {
                backlog_records_per_second: flags
                    .backlog_records_per_second
                    .or(file.backlog_records_per_second)
                    .unwrap_or(quota.backlog_records_per_second),
                live_records_per_second: flags
                    .live_records_per_second
                    .or(file.live_records_per_second)
                    .unwrap_or(quota.live_records_per_second),
                bytes_per_second: flags.bytes_per_second.or(file.bytes_per_second).unwrap_or(quota.bytes_per_second),
            },
            log: flags.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            policy: Policy::parse(&file.rules).context("the table [rules]")?,
        };
        config.check()?;
        Ok(config)
    }

    /// What stands at the door.
    ///
    /// # Errors
    /// Neither certificates nor an explicit wish to go without are named, or both are, or the hub would listen to other
    /// machines without TLS.
    pub fn entrance(&self) -> Result<Entrance, ConfigError> {
        let wrong = |what: String| Err(ConfigError(anyhow::Error::msg(what)));
        match (&self.pki, self.insecure_loopback) {
            (Some(folder), false) => Ok(Entrance::Tls(Folder::new(folder))),
            (None, true) if self.listen.ip().is_loopback() => Ok(Entrance::Loopback),
            (None, true) => wrong(format!(
                "listen is {}: without TLS the hub listens on this machine only; name 127.0.0.1 or [::1]",
                self.listen
            )),
            (Some(_), true) => wrong("insecure_loopback and a folder of certificates exclude each other".to_owned()),
            (None, false) => wrong(
                "name the folder of certificates with --pki FOLDER (`central-hub pki init` makes one); for trials on \
                 this machine, --insecure-loopback goes without"
                    .to_owned(),
            ),
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        for (name, value, least) in [
            ("backlog_records_per_second", self.quota.backlog_records_per_second, RECORDS_PER_SECOND_MIN),
            ("live_records_per_second", self.quota.live_records_per_second, RECORDS_PER_SECOND_MIN),
            ("bytes_per_second", self.quota.bytes_per_second, BYTES_PER_SECOND_MIN),
        ] {
            if value < least {
                bail!("{name} is {value}: give at least {least}");
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> anyhow::Result<Layer> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{}: is not a configuration of the hub", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.toml");
        std::fs::write(&path, text).unwrap();
        let found = match Config::load(Some(&path), Layer::default()) {
            Ok(config) => match config.entrance() {
                Ok(_) => config.listen.to_string(),
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{found}");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        check("listen = \"127.0.0.1:9\"\ninsecure_loopback = true", "127.0.0.1:9");
        check("listen = \"0.0.0.0:9\"\npki = \"/etc/hotich/pki\"", "0.0.0.0:9");
        check("listen = \"127.0.0.1:9\"", "name the folder of certificates with --pki");
        check("insecure_loopback = true\npki = \"/etc/hotich/pki\"", "exclude each other");
        check("listn = \"127.0.0.1:9\"", "unknown field `listn`");
        check(
            "listen = \"0.0.0.0:7400\"\ninsecure_loopback = true",
            "without TLS the hub listens on this machine only",
        );
        check("bytes_per_second = 1", "at least 65536");
        check("[rules]\nsecond_dead = { treatment = \"ask\" }", "the table [rules]: there is no rule `second_dead`");
        check("[rules]\nsecond_death = { treatment = \"automatic\" }", "rule `second_death` can only ask");
        check("[rules]\nsecond_death = { treatment = \"maybe\" }", "unknown variant `maybe`");
        check("[rules.marriage_overlap]\nseverity = \"error\"\ntreatment = \"ask\"", "--pki");
    }
}
