//! Where a server is, from its URL, and how it is trusted.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::pool::Settings;
use crate::error::StoreError;
use crate::national::Answer;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a silent connection is trusted before it is asked for a sign of life.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// How long sent bytes may stay unacknowledged before the connection is given up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

/// The URL of a database, as `postgres://user@host/database`; its password is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    url: String,
    password: Option<String>,
    authority_file: Option<String>,
    encrypted: Option<bool>,
}

impl FromStr for PostgresUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut rest, mut authority_file, mut encrypted) = (Vec::new(), None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", file)) => authority_file = Some(file.to_owned()),
                Some(("sslmode", "disable")) => encrypted = Some(false),
                // Encryption without knowing to whom protects from nobody, so each of them means the last.
                Some(("sslmode", "require" | "verify-ca" | "verify-full")) => encrypted = Some(true),
                Some(("sslmode", _)) => return Err("sslmode is disable or verify-full".to_owned()),
                _ => rest.push(pair),
            }
        }
        let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let config = tokio_postgres::Config::from_str(&url)
            .map_err(|_| "a server is written postgres://USER@HOST:PORT/DATABASE".to_owned())?;
        if config.get_hosts().is_empty() {
            return Err("name the server: postgres://USER@HOST:PORT/DATABASE".to_owned());
        }
        Ok(Self { url, password: None, authority_file, encrypted })
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = tokio_postgres::Config::from_str(&self.url).map(|config| place(&config)).unwrap_or_default();
        write!(f, "{config}")
    }
}

impl PostgresUrl {
    /// The same with a password that does not stand in it; one that does stand in it goes before.
    #[must_use]
    pub fn with_password(self, password: Option<String>) -> Self {
        Self { password, ..self }
    }

    pub(super) fn settings(&self) -> Answer<Settings> {
        let unusable = |place: &str, reason: String| StoreError::Unusable { place: place.to_owned(), reason };
        let mut config = tokio_postgres::Config::from_str(&self.url)
            .map_err(|_| unusable("the store", "its URL cannot be read".to_owned()))?;
        let place = place(&config);
        if let Some(password) = self.password.as_ref().filter(|_| config.get_password().is_none()) {
            config.password(password);
        }
        let encrypted = self.encrypted.unwrap_or_else(|| !config.get_hosts().iter().all(is_here));
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        if config.get_hosts().len() > 1 {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config
            .application_name("hotich central-hub")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(KEEPALIVE_IDLE)
            .tcp_user_timeout(UNACKNOWLEDGED);
        let tls = tls(encrypted, self.authority_file.as_deref()).map_err(|reason| unusable(&place, reason))?;
        Ok(Settings { config, tls, place, schema: None })
    }
}

/// Server and database, without user and password.
fn place(config: &tokio_postgres::Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| {
        let port = config.get_ports().get(at).or(config.get_ports().first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(folder) => format!("{}:{port}", folder.display()),
        }
    });
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("postgres {}/{database}", hosts.collect::<Vec<_>>().join(","))
}

/// Whether a server is on this machine: nobody listens on the way.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

/// TLS that trusts the authorities of a file, or else those of this system.
fn tls(encrypted: bool, authority_file: Option<&str>) -> Result<MakeRustlsConnect, String> {
    let mut roots = RootCertStore::empty();
    match authority_file {
        Some(file) => {
            let read = |error| format!("{file}: the authority's certificate cannot be read ({error})");
            for certificate in CertificateDer::pem_file_iter(file).map_err(read)? {
                roots.add(certificate.map_err(read)?).map_err(|error| format!("{file}: {error}"))?;
            }
        }
        None if encrypted => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        None => {}
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_no_password() {
        let url: PostgresUrl = "postgres://hub:geheim@db.example:5433/nation?sslmode=verify-full".parse().unwrap();
        assert_eq!(format!("{url:?}"), "postgres db.example:5433/nation");
        assert!(url.encrypted.unwrap());
    }

    #[test]
    fn other_servers_are_spoken_to_in_secret() {
        let encrypted = |url: &str| {
            let settings = url.parse::<PostgresUrl>().unwrap().settings().unwrap();
            settings.config.get_ssl_mode() == SslMode::Require
        };
        assert!(encrypted("postgres://db.example/nation"));
        assert!(!encrypted("postgres://db.example/nation?sslmode=disable"));
        assert!(!encrypted("postgres://127.0.0.1/nation"));
        assert!(!encrypted("postgres:///nation?host=/run/postgresql"));
        assert!("postgres://db.example/nation?sslmode=prefer".parse::<PostgresUrl>().is_err());
        assert!("postgres:///nation".parse::<PostgresUrl>().is_err());
    }
}
