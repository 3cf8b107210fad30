//! Which certificates were issued, and which were revoked: two files that only grow.

use serde::{Deserialize, Serialize};

use super::bearer::{Bearer, Certificate};
use super::folder::{Folder, PkiError};

const ISSUED: &str = "issued.jsonl";
const REVOKED: &str = "revoked.jsonl";

/// A certificate that the authority issued to somebody else; that of the hub itself is not noted, since nobody who calls
/// the hub asks for a list of what was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Its number, in hexadecimal.
    pub serial: String,
    /// Who bears it.
    pub bearer: Bearer,
    /// SHA-256 of its DER, in hexadecimal.
    pub fingerprint: String,
    /// When it was issued, in Unix milliseconds.
    pub issued_ms: i64,
    /// Until when it is valid, in Unix milliseconds.
    pub not_after_ms: i64,
    /// When and why it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revoked>,
}

/// A certificate that is valid no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Its number, in hexadecimal.
    pub serial: String,
    /// When, in Unix milliseconds.
    pub revoked_ms: i64,
    /// Why, in words.
    pub reason: String,
}

impl Issued {
    /// What is noted of a certificate.
    pub(super) fn of(certificate: &Certificate, issued_ms: i64) -> Self {
        Self {
            serial: certificate.serial.clone(),
            bearer: certificate.bearer.clone(),
            fingerprint: certificate.fingerprint.to_string(),
            issued_ms,
            not_after_ms: certificate.not_after_ms,
            revoked: None,
        }
    }
}

/// Notes that a certificate is issued, before it is handed out.
pub(super) fn note(folder: &Folder, issued: &Issued) -> Result<(), PkiError> {
    folder.append(ISSUED, &line(issued))
}

/// Notes that certificates are revoked.
pub(super) fn revoke(folder: &Folder, revoked: &[Revoked]) -> Result<(), PkiError> {
    revoked.iter().try_for_each(|revoked| folder.append(REVOKED, &line(revoked)))
}

/// Every certificate, oldest first, with what became of it.
pub(super) fn list(folder: &Folder) -> Result<Vec<Issued>, PkiError> {
    let mut issued: Vec<Issued> = lines(folder, ISSUED)?;
    for revoked in revocations(folder)? {
        let found = issued.iter_mut().find(|issued| issued.serial == revoked.serial && issued.revoked.is_none());
        if let Some(issued) = found {
            issued.revoked = Some(revoked);
        }
    }
    Ok(issued)
}

/// Every revocation, oldest first.
pub(super) fn revocations(folder: &Folder) -> Result<Vec<Revoked>, PkiError> {
    lines(folder, REVOKED)
}

fn line<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("text and numbers are JSON")
}

fn lines<T: serde::de::DeserializeOwned>(folder: &Folder, name: &str) -> Result<Vec<T>, PkiError> {
    let unreadable = |at: usize, error: &dyn std::fmt::Display| {
        let what = format!("line {} was altered ({error}); put the file back from a backup", at + 1);
        folder.content(name, &what)
    };
    let lines = folder.lines(name)?.into_iter().enumerate();
    lines.map(|(at, line)| serde_json::from_str(&line).map_err(|error| unreadable(at, &error))).collect()
}
