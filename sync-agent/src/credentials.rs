//! What the agent shows and believes: its certificate, the key that signs its frames, and the centre's.
//!
//! Everything is in one folder, and every secret in it was made on this machine. The certificate and its key are one file,
//! so that both are replaced in one step.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use registry_proto::signature::{PublicKey, SigningKey};
use registry_proto::v1;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use thiserror::Error;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The certificate, those that lead to the authority, and the key.
const AGENT: &str = "agent.pem";
/// The authority that the centre's certificate must come from.
const AUTHORITY: &str = "authority.pem";
/// The key that signs frames.
const SIGNING_KEY: &str = "signing.key";
/// The key that verifies the centre's receipts, in hexadecimal.
const HUB_KEY: &str = "hub.pub";
/// The largest of these files, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Access of the group and of others, which a secret must not have.
const FOREIGN_ACCESS: u32 = 0o077;
/// Access of others, which a secret that a service manager hands over must not have.
const STRANGERS_ACCESS: u32 = 0o007;
/// Where a service manager puts the secrets of a service (systemd.exec, `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What the agent shows and believes, as it stood in its folder a moment ago.
#[derive(Clone)]
pub struct Credentials {
    /// For connections to the centre.
    pub tls: ClientTlsConfig,
    /// Signs frames.
    pub signing: Arc<SigningKey>,
    /// Verifies receipts; `None` where the centre gives none.
    pub hub: Option<PublicKey>,
    /// From when to when the certificate is valid, in Unix milliseconds.
    pub validity_ms: (i64, i64),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials(signing {})", self.signing.public())
    }
}

/// The credentials cannot be used.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// A file cannot be read or written.
    #[error("{path}: {source}. `sync-agent enrol TOKENFILE` makes the identity folder", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read or change a key.
    #[error(
        "{path} is open to others (mode {mode:03o}): run `chmod 600 {path}`, and if others have used this machine enrol \
         again",
        path = .path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("{path}: {what}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Keys or requests cannot be made.
    #[error("a key cannot be made: {0}")]
    Make(#[from] rcgen::Error),
    /// The centre did not give a certificate.
    #[error("the centre gives no certificate: {0}")]
    Refused(String),
}

/// A folder of credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path; nothing is read yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Reads everything anew, so that a certificate is replaced without a restart.
    ///
    /// # Errors
    /// A file is absent, open to others, or damaged.
    pub fn load(&self) -> Result<Credentials, CredentialsError> {
        let agent = self.read(AGENT, true)?;
        let authority = self.read(AUTHORITY, false)?;
        let certificate =
            CertificateDer::from_pem_slice(&agent).map_err(|_| self.content(AGENT, "no certificate in PEM"))?;
        let (_, parsed) =
            X509Certificate::from_der(&certificate).map_err(|_| self.content(AGENT, "a damaged certificate"))?;
        let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
        let hub = match self.read(HUB_KEY, false) {
            Ok(text) => {
                Some(hexadecimal(&text).ok_or_else(|| self.content(HUB_KEY, "no key of 64 hexadecimal digits"))?)
            }
            Err(CredentialsError::File { .. }) => None,
            Err(error) => return Err(error),
        };
        let identity = Identity::from_pem(&agent, &agent);
        Ok(Credentials {
            tls: ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)).identity(identity),
            signing: Arc::new(self.signing_key()?),
            hub,
            validity_ms: (from.timestamp() * 1_000, until.timestamp() * 1_000),
        })
    }

    /// The key that signs frames.
    pub(crate) fn signing_key(&self) -> Result<SigningKey, CredentialsError> {
        let no_key = || self.content(SIGNING_KEY, "no Ed25519 key in PKCS #8 and PEM");
        let key = PrivatePkcs8KeyDer::from_pem_slice(&self.read(SIGNING_KEY, true)?).map_err(|_| no_key())?;
        SigningKey::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| no_key())
    }

    /// Makes the folder and, unless there is one, the key that signs frames.
    pub(crate) fn prepare(&self) -> Result<(), CredentialsError> {
        let failed = |source| CredentialsError::File { path: self.0.clone(), source };
        std::fs::DirBuilder::new().recursive(true).create(&self.0).map_err(failed)?;
        if !self.0.join(SIGNING_KEY).exists() {
            let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
            self.write(SIGNING_KEY, key.serialize_pem().as_bytes())?;
        }
        Ok(())
    }

    /// Keeps the authority that a token names.
    pub(crate) fn keep_authority(&self, pem: &str) -> Result<(), CredentialsError> {
        self.write(AUTHORITY, pem.as_bytes())
    }

    /// Keeps a certificate that the centre gave for a key; whatever is damaged is not kept.
    pub(crate) fn keep(&self, given: &v1::Credentials, key: &rcgen::KeyPair) -> Result<(), CredentialsError> {
        let Some(own) = given.certificates.first() else {
            return Err(CredentialsError::Refused("its answer holds no certificate".to_owned()));
        };
        let is_for_key = X509Certificate::from_der(own)
            .is_ok_and(|(_, own)| own.public_key().subject_public_key.data.as_ref() == key.public_key_raw());
        if !is_for_key {
            return Err(CredentialsError::Refused("its certificate is damaged, or for another key".to_owned()));
        }
        if let Some(hub) = PublicKey::from_slice(&given.hub_signing_key) {
            self.write(HUB_KEY, format!("{hub}\n").as_bytes())?;
        }
        let certificates = given.certificates.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone())));
        let text: String = certificates.chain([key.serialize_pem()]).collect();
        self.write(AGENT, text.as_bytes())
    }

    fn read(&self, name: &str, is_secret: bool) -> Result<Vec<u8>, CredentialsError> {
        let path = self.0.join(name);
        let failed = |source| CredentialsError::File { path: path.clone(), source };
        let file = File::open(&path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.mode() & 0o777;
        let handed_over = std::env::var_os(CREDENTIALS).is_some_and(|folder| path.starts_with(folder));
        let foreign = if handed_over { STRANGERS_ACCESS } else { FOREIGN_ACCESS };
        if is_secret && mode & foreign != 0 {
            return Err(CredentialsError::Open { path, mode });
        }
        let mut content = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut content).map_err(failed)?;
        Ok(content)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), CredentialsError> {
        let path = self.0.join(name);
        replace(&path, content).map_err(|source| CredentialsError::File { path, source })
    }

    fn content(&self, name: &str, what: &str) -> CredentialsError {
        CredentialsError::Content { path: self.0.join(name), what: what.to_owned() }
    }
}

/// Replaces a file by one that only its owner may read, in one step.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

fn hexadecimal(text: &[u8]) -> Option<PublicKey> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let byte = |at: usize| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
    PublicKey::from_slice(&bytes.filter(|_| text.len() == 64)?)
}
