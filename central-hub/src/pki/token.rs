//! One-time tokens: a province that has no certificate yet shows one, once and soon.

use std::time::Duration;

use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::folder::{AUTHORITY, Folder, PkiError};

/// Where tokens wait; each file bears the SHA-256 of its token.
const TOKENS: &str = "tokens";
/// The longest life of a token, in hours: a long weekend.
pub const TOKEN_HOURS_MAX: u32 = 96;

/// What is handed to a province, over a way that is trusted: by hand, or sealed.
#[derive(Serialize, Deserialize)]
pub struct TokenFile {
    /// The province.
    pub province: Origin,
    /// Until when it can be spent, in Unix milliseconds.
    pub expires_ms: i64,
    /// The secret: 32 random bytes in hexadecimal.
    pub token: String,
    /// SHA-256 of the authority's certificate, to be compared over the telephone.
    pub authority_sha256: String,
    /// The authority's certificate in PEM: only a hub with a certificate of it gets to see the token.
    pub authority: String,
}

/// What the folder keeps of a token.
#[derive(Serialize, Deserialize)]
struct Waiting {
    province: Origin,
    expires_ms: i64,
}

impl TokenFile {
    /// Makes a token from 32 random bytes; it can be spent once, within `valid`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn make(
        folder: &Folder,
        province: Origin,
        random: [u8; 32],
        valid: Duration,
        now_ms: i64,
    ) -> Result<Self, PkiError> {
        let token = Hash256(random).to_string();
        let expires_ms = now_ms.saturating_add(i64::try_from(valid.as_millis()).unwrap_or(i64::MAX));
        let authority = folder.read(AUTHORITY)?;
        let waiting = serde_json::to_string(&Waiting { province, expires_ms }).expect("numbers and text are JSON");
        Folder::new(folder.file(TOKENS)).create()?;
        folder.write(&place(&token), waiting.as_bytes())?;
        let authority_sha256 = super::authority::fingerprint(&authority).ok_or_else(|| no_authority(folder))?;
        let authority = String::from_utf8(authority).map_err(|_| no_authority(folder))?;
        Ok(Self { province, expires_ms, token, authority_sha256, authority })
    }

    /// The file's text.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let head = "# Spent once by `sync-agent init --enrol FILE`. Whoever has this file becomes the province: hand it over sealed.\n";
        format!("{head}{}", toml::to_string(self).expect("numbers and text are TOML"))
    }
}

/// Spends a token: the province it was made for. A token that was shown is gone, whatever comes of it.
pub(super) fn spend(folder: &Folder, token: &str, now_ms: i64) -> Result<Origin, PkiError> {
    let refused =
        || PkiError::Refused("the token is unknown, spent, or too old; ask the centre for a new one".to_owned());
    let name = place(token);
    let content = folder.read(&name).map_err(|_| refused())?;
    // Of two that show the same token at once, one removes the file; it is gone for good before anything is issued.
    registry_secrets::remove(&folder.file(&name)).map_err(|_| refused())?;
    let waiting: Waiting = serde_json::from_slice(&content).map_err(|_| refused())?;
    if waiting.expires_ms <= now_ms { Err(refused()) } else { Ok(waiting.province) }
}

/// Whether some token can be spent now; those that are too old are removed.
pub(super) fn any_waits(folder: &Folder, now_ms: i64) -> bool {
    let Ok(entries) = std::fs::read_dir(folder.file(TOKENS)) else { return false };
    let waits = |path: std::path::PathBuf| {
        let waiting = std::fs::read(&path).ok().and_then(|content| serde_json::from_slice::<Waiting>(&content).ok());
        let is_open = waiting.is_some_and(|waiting| waiting.expires_ms > now_ms);
        if !is_open {
            // Whoever is writing it at this moment uses another name.
            let _ = std::fs::remove_file(&path);
        }
        is_open
    };
    let is_token = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "json");
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(is_token)
        .filter(|path| waits(path.clone()))
        .count()
        > 0
}

fn place(token: &str) -> String {
    format!("{TOKENS}/{}.json", Hash256(Sha256::digest(token.trim().as_bytes()).into()))
}

fn no_authority(folder: &Folder) -> PkiError {
    folder.content(AUTHORITY, "this is no certificate in PEM; run `central-hub pki init`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_spent_once_and_soon() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        super::super::Authority::init(&folder, &super::super::Settings::default(), "test", 0).unwrap();
        let origin = "01@2008".parse().unwrap();
        let make = |seed| TokenFile::make(&folder, origin, [seed; 32], Duration::from_secs(60), 1_000).unwrap();
        let file = make(1);
        let read: TokenFile = toml::from_str(&file.to_toml()).unwrap();
        assert!(any_waits(&folder, 2_000));
        assert_eq!(spend(&folder, &read.token, 2_000).unwrap(), origin);
        assert!(spend(&folder, &read.token, 2_000).is_err(), "it is spent");
        assert!(spend(&folder, "../../etc/passwd", 2_000).is_err());
        assert!(!any_waits(&folder, 2_000));
        assert!(spend(&folder, &make(2).token, 61_000).is_err(), "it is too old");
        assert!(spend(&folder, &make(3).token, 60_999).is_ok());
    }
}
