//! What the agent shows and believes: its certificate, the key that signs its frames, and the centre's.
//!
//! Everything is in one folder, and every secret in it was made on this machine. The certificate and its key are one file,
//! so that both are replaced in one step.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use registry_proto::signature::{PublicKey, SigningKey};
use registry_proto::v1;
use registry_schema::digest::Hash256;
use registry_secrets::FileError;
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
    /// A file cannot be read or written, or a key is open to others.
    #[error("{0}; `sync-agent enrol TOKENFILE` makes what the identity folder needs")]
    File(FileError),
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

impl From<FileError> for CredentialsError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
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
        let agent = self.read_secret(AGENT)?;
        let authority = self.read(AUTHORITY)?;
        let certificate =
            CertificateDer::from_pem_slice(&agent).map_err(|_| self.content(AGENT, "no certificate in PEM"))?;
        let (_, parsed) =
            X509Certificate::from_der(&certificate).map_err(|_| self.content(AGENT, "a damaged certificate"))?;
        let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
        let identity = Identity::from_pem(&agent, &agent);
        Ok(Credentials {
            tls: ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)).identity(identity),
            signing: Arc::new(self.signing_key()?),
            hub: self.hub_key()?,
            validity_ms: (from.timestamp() * 1_000, until.timestamp() * 1_000),
        })
    }

    /// The key that signs frames.
    pub(crate) fn signing_key(&self) -> Result<SigningKey, CredentialsError> {
        let no_key = || self.content(SIGNING_KEY, "no Ed25519 key in PKCS #8 and PEM");
        let key = PrivatePkcs8KeyDer::from_pem_slice(&self.read_secret(SIGNING_KEY)?).map_err(|_| no_key())?;
        SigningKey::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| no_key())
    }

    /// The key that verifies receipts. Only where there is no such file does the centre give none: a file that cannot be
    /// read must not turn the verification off.
    fn hub_key(&self) -> Result<Option<PublicKey>, CredentialsError> {
        let text = match self.read(HUB_KEY) {
            Ok(text) => text,
            Err(CredentialsError::File(error)) if error.is_absent() => return Ok(None),
            Err(error) => return Err(error),
        };
        let key = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse::<Hash256>().ok());
        let key = key.ok_or_else(|| self.content(HUB_KEY, "no key of 64 hexadecimal digits"))?;
        Ok(Some(PublicKey(key.0)))
    }

    /// Makes the folder and, unless there is one, the key that signs frames.
    pub(crate) fn prepare(&self) -> Result<(), CredentialsError> {
        registry_secrets::create_folder(&self.0)?;
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
        if !given.hub_signing_key.is_empty() {
            let damaged = || CredentialsError::Refused("the key of its receipts is damaged".to_owned());
            let hub = PublicKey::from_slice(&given.hub_signing_key).ok_or_else(damaged)?;
            self.write(HUB_KEY, format!("{hub}\n").as_bytes())?;
        }
        let certificates = given.certificates.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone())));
        let text: String = certificates.chain([key.serialize_pem()]).collect();
        self.write(AGENT, text.as_bytes())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, CredentialsError> {
        Ok(registry_secrets::read(&self.0.join(name), FILE_BYTES_MAX)?)
    }

    fn read_secret(&self, name: &str) -> Result<Vec<u8>, CredentialsError> {
        Ok(registry_secrets::read_secret(&self.0.join(name), FILE_BYTES_MAX)?)
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), CredentialsError> {
        Ok(registry_secrets::replace(&self.0.join(name), content)?)
    }

    fn content(&self, name: &str, what: &str) -> CredentialsError {
        CredentialsError::Content { path: self.0.join(name), what: what.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn given(key: &rcgen::KeyPair, hub_signing_key: Vec<u8>) -> v1::Credentials {
        let certificate = rcgen::CertificateParams::default().self_signed(key).unwrap();
        v1::Credentials { certificates: vec![certificate.der().to_vec()], hub_signing_key }
    }

    /// A folder in which everything is that an agent needs.
    fn enrolled() -> (tempfile::TempDir, Folder, rcgen::KeyPair) {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("identity"));
        folder.prepare().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let hub = folder.signing_key().unwrap().public();
        folder.keep_authority(&rcgen::CertificateParams::default().self_signed(&key).unwrap().pem()).unwrap();
        folder.keep(&given(&key, hub.0.to_vec()), &key).unwrap();
        (scratch, folder, key)
    }

    #[test]
    fn what_was_kept_is_what_is_shown_and_believed() {
        let (_scratch, folder, _) = enrolled();
        let loaded = folder.load().unwrap();
        assert_eq!(loaded.hub, Some(loaded.signing.public()));
        assert_eq!(folder.0.metadata().unwrap().permissions().mode() & 0o777, 0o700, "nobody else enters the folder");
        std::fs::remove_file(folder.0.join(HUB_KEY)).unwrap();
        assert_eq!(folder.load().unwrap().hub, None, "this centre gives no receipts");
    }

    #[test]
    fn receipts_are_verified_unless_there_is_no_key_for_that() {
        let (_scratch, folder, _) = enrolled();
        std::fs::remove_file(folder.0.join(HUB_KEY)).unwrap();
        std::fs::create_dir(folder.0.join(HUB_KEY)).unwrap();
        let unreadable = folder.load().unwrap_err().to_string();
        assert!(unreadable.contains(HUB_KEY), "{unreadable}");
    }

    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        for name in [AGENT, SIGNING_KEY] {
            let (_scratch, folder, _) = enrolled();
            std::fs::set_permissions(folder.0.join(name), std::fs::Permissions::from_mode(0o640)).unwrap();
            let error = folder.load().unwrap_err().to_string();
            assert!(error.contains("chmod 600") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn what_the_centre_gives_is_kept_only_when_it_is_whole_and_for_this_key() {
        let (_scratch, folder, key) = enrolled();
        let before = folder.read_secret(AGENT).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let nothing = v1::Credentials::default();
        let damaged = v1::Credentials { certificates: vec![vec![0x30]], ..v1::Credentials::default() };
        for bad in [nothing, damaged, given(&other, Vec::new()), given(&key, vec![1; 31])] {
            assert!(matches!(folder.keep(&bad, &key), Err(CredentialsError::Refused(_))), "{bad:?}");
        }
        assert_eq!(folder.read_secret(AGENT).unwrap(), before);
    }
}
