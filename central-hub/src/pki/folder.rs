//! The folder of certificates and keys.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;

use registry_proto::signature::SigningKey;
use registry_secrets::FileError;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// The authority's certificate; several in one file while one authority takes over from another.
pub(super) const AUTHORITY: &str = "ca.pem";
/// The authority's key; it may be kept on another machine.
pub(super) const AUTHORITY_KEY: &str = "ca.key";
/// The hub's certificate, followed by those that lead to the authority.
pub(super) const HUB: &str = "hub.pem";
/// The hub's key.
pub(super) const HUB_KEY: &str = "hub.key";
/// The key with which the hub signs receipts.
pub(super) const SIGNING_KEY: &str = "signing.key";
/// The certificates that were revoked.
pub(super) const REVOKED: &str = "crl.pem";
/// The files that handshakes depend on.
pub(crate) const OF_HANDSHAKES: [&str; 4] = [AUTHORITY, HUB, HUB_KEY, REVOKED];
/// Who writes in the folder holds the lock of this file.
const LOCK: &str = "pki.lock";
/// The largest file of the folder, in bytes; a revocation list of ten thousand certificates has half a megabyte.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The largest list of what was issued or revoked, in bytes: a million certificates, of which a country whose
/// certificates live for a day makes thirty-five thousand a year.
const LIST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why certificates cannot be used or made.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A file cannot be read or written, or a key is open to others.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not hold what it should.
    #[error("{path}: {what}", path = .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the remedy.
        what: String,
    },
    /// The request cannot be granted.
    #[error("{0}")]
    Refused(String),
    /// A certificate or list could not be made.
    #[error("a certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// A folder of certificates and keys; see the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at this path; nothing is read yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// A file of the folder.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.file(name).exists()
    }

    /// Makes the folder, for its owner only.
    pub(super) fn create(&self) -> Result<(), PkiError> {
        registry_secrets::create_folder(&self.path)?;
        let closed = std::fs::set_permissions(&self.path, Permissions::from_mode(0o700));
        Ok(closed.map_err(|error| FileError::system(&self.path, error))?)
    }

    /// Waits until nobody else writes in the folder; the lock ends with the file.
    pub(super) fn lock(&self) -> Result<File, PkiError> {
        let path = self.file(LOCK);
        let locked = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let locked = locked.and_then(|file| file.lock().map(|()| file));
        Ok(locked.map_err(|error| FileError::system(&path, error))?)
    }

    /// What a file holds.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, PkiError> {
        Ok(registry_secrets::read(&self.file(name), FILE_BYTES_MAX)?)
    }

    /// What a file holds that only its owner may read.
    pub(super) fn read_secret(&self, name: &str) -> Result<Vec<u8>, PkiError> {
        Ok(registry_secrets::read_secret(&self.file(name), FILE_BYTES_MAX)?)
    }

    /// Puts a file in its place, whole or not at all; only its owner may read it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), PkiError> {
        Ok(registry_secrets::replace(&self.file(name), content)?)
    }

    /// The lines of a list that only grows.
    pub(super) fn lines(&self, name: &str) -> Result<Vec<String>, PkiError> {
        Ok(registry_secrets::read_lines(&self.file(name), LIST_BYTES_MAX)?)
    }

    /// Adds a line to a list and makes it durable; the folder is locked.
    pub(super) fn append(&self, name: &str, line: &str) -> Result<(), PkiError> {
        Ok(registry_secrets::append_line(&self.file(name), line)?)
    }

    /// The certificates in a file, at least one.
    pub(super) fn certificates(&self, name: &str) -> Result<Vec<CertificateDer<'static>>, PkiError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.read(name)?).collect();
        let none = || self.content(name, "this is no certificate in PEM");
        found.ok().filter(|found| !found.is_empty()).ok_or_else(none)
    }

    /// The hub's certificate, and those that lead to the authority.
    pub(crate) fn hub_certificates(&self) -> Result<Vec<CertificateDer<'static>>, PkiError> {
        self.certificates(HUB)
    }

    /// The hub's private key.
    pub(crate) fn hub_key(&self) -> Result<PrivateKeyDer<'static>, PkiError> {
        self.key(HUB_KEY)
    }

    /// The key with which the hub signs receipts.
    ///
    /// # Errors
    /// There is none, or others may read it.
    pub fn signing_key(&self) -> Result<SigningKey, PkiError> {
        let key = self.key(SIGNING_KEY)?;
        SigningKey::from_pkcs8(key.secret_der()).map_err(|error| self.content(SIGNING_KEY, &error.to_string()))
    }

    fn key(&self, name: &str) -> Result<PrivateKeyDer<'static>, PkiError> {
        PrivateKeyDer::from_pem_slice(&self.read_secret(name)?)
            .map_err(|_| self.content(name, "this is no private key in PEM; write one, or run `central-hub pki init`"))
    }

    pub(crate) fn content(&self, name: &str, what: &str) -> PkiError {
        PkiError::Content { path: self.file(name), what: what.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_remedy() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path());
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        folder.write(SIGNING_KEY, key.as_bytes()).unwrap();
        folder.signing_key().unwrap();
        for mode in [0o640, 0o604, 0o660] {
            std::fs::set_permissions(folder.file(SIGNING_KEY), Permissions::from_mode(mode)).unwrap();
            let error = folder.signing_key().unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
        folder.write(SIGNING_KEY, b"no key").unwrap();
        assert!(matches!(folder.signing_key(), Err(PkiError::Content { .. })));
    }
}
