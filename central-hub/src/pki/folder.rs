//! The folder of certificates and keys.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use registry_proto::signature::SigningKey;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
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
/// Who writes in the folder holds the lock of this file.
const LOCK: &str = "pki.lock";
/// The largest file of the folder, in bytes; a revocation list of ten thousand certificates has half a megabyte.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Access of the group and of others, which a secret must not have.
const FOREIGN_ACCESS: u32 = 0o077;
/// Access of others, which a secret that a service manager hands over must not have.
const STRANGERS_ACCESS: u32 = 0o007;
/// Where a service manager puts the secrets of a service (systemd.exec, `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Why certificates cannot be used or made.
#[derive(Debug, Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read or change a key.
    #[error(
        "{path} is open to others (mode {mode:03o}): run `chmod 600 {path}`, and if others have used this machine make a \
         new key",
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
        let made = std::fs::create_dir_all(&self.path)
            .and_then(|()| std::fs::set_permissions(&self.path, Permissions::from_mode(0o700)));
        made.map_err(|source| PkiError::File { path: self.path.clone(), source })
    }

    /// Waits until nobody else writes in the folder; the lock ends with the file.
    pub(super) fn lock(&self) -> Result<File, PkiError> {
        let path = self.file(LOCK);
        let locked = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let locked = locked.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| PkiError::File { path, source })
    }

    /// What a file holds.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, PkiError> {
        read(&self.file(name), false)
    }

    /// What a file holds that only its owner may read.
    pub(super) fn read_secret(&self, name: &str) -> Result<Vec<u8>, PkiError> {
        read(&self.file(name), true)
    }

    /// Puts a file in its place, whole or not at all; only its owner may read it.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), PkiError> {
        let path = self.file(name);
        replace(&path, content).map_err(|source| PkiError::File { path, source })
    }

    /// Adds a line to a file and makes it durable.
    pub(super) fn append(&self, name: &str, line: &str) -> Result<(), PkiError> {
        let path = self.file(name);
        let mut options = OpenOptions::new();
        let opened = options.create(true).append(true).mode(0o600).open(&path);
        let written = opened.and_then(|mut file| writeln!(file, "{line}").and_then(|()| file.sync_all()));
        written.map_err(|source| PkiError::File { path, source })
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

/// Reads a file that is not larger than any of ours.
pub(crate) fn read(path: &Path, is_secret: bool) -> Result<Vec<u8>, PkiError> {
    let failed = |source| PkiError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    let handed_over = std::env::var_os(CREDENTIALS).is_some_and(|folder| path.starts_with(folder));
    let foreign = if handed_over { STRANGERS_ACCESS } else { FOREIGN_ACCESS };
    if is_secret && mode & foreign != 0 {
        return Err(PkiError::Open { path: path.to_owned(), mode });
    }
    let mut content = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(PkiError::Content {
            path: path.to_owned(),
            what: "this is larger than any certificate".to_owned(),
        });
    }
    Ok(content)
}

/// Replaces a file by one that only its owner may read, in one step.
pub(crate) fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
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
