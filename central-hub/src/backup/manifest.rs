//! What a backup says of itself.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::Path;

use hub_store::sqlite::{SCHEMA, Sqlite};
use hub_store::{Journal as _, Registry as _};
use registry_schema::digest::Hash256;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BackupError, io_error};
use crate::operator::{digest, rfc3339};

/// The manifest in the folder of a backup.
const FILE: &str = "manifest.json";
/// The form of manifests that this program writes and reads.
const FORMAT: u32 = 1;
/// Bytes that are read at once.
const READ_BYTES: usize = 1024 * 1024;

/// What a backup holds. It speaks of the copy alone, and was read from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this manifest.
    pub format: u32,
    /// The release that wrote it.
    pub program: String,
    /// The version of the store's schema.
    pub schema: usize,
    /// When it was made, in Unix milliseconds.
    pub made_ms: i64,
    /// The same for people: RFC 3339, UTC.
    pub made_at: String,
    /// Bytes of the copy.
    pub bytes: u64,
    /// SHA-256 of the copy.
    pub sha256: String,
    /// The national digest as it stood.
    pub national_digest: String,
    /// The last entry of the journal that was judged, of the live queue.
    pub judged_live: i64,
    /// The same of the backlog.
    pub judged_backlog: i64,
    /// Changes in the journal.
    pub changes_received: u64,
    /// Changes of them in the registry.
    pub changes_applied: u64,
    /// Enrolled provinces.
    pub provinces: usize,
    /// What the registry was judged under.
    pub judged_under: Option<String>,
}

impl Manifest {
    /// What a copy holds.
    pub(super) async fn of(copy: &Path, made_ms: i64) -> Result<Self, BackupError> {
        let (bytes, sha256) = hash(copy, &mut io::sink())?;
        let store = Sqlite::open_copy(copy)?;
        let view = store.digests().await?;
        let (changes_received, changes_applied) = digest::progress(&store).await?;
        Ok(Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            schema: SCHEMA,
            made_ms,
            made_at: rfc3339(Some(made_ms)).unwrap_or_default(),
            bytes,
            sha256,
            national_digest: view.digests.national().to_string(),
            judged_live: view.watermark.live.0,
            judged_backlog: view.watermark.backlog.0,
            changes_received,
            changes_applied,
            provinces: store.provinces().await?.len(),
            judged_under: store.judged_under().await?,
        })
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// There is none, it cannot be read, or a later release wrote it.
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let place = folder.join(FILE);
        let text = fs::read_to_string(&place).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BackupError::Absent(folder.to_owned()),
            _ => io_error(&place, source),
        })?;
        let damaged = |what: String| BackupError::Damaged { place: place.clone(), what };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        let known = value["format"] == FORMAT && value["schema"].as_u64().is_none_or(|schema| schema <= SCHEMA as u64);
        if !known && value["format"].is_u64() {
            let what = format!("format {}, schema {}", value["format"], value["schema"]);
            return Err(BackupError::Newer { place, what });
        }
        serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
    }

    /// Writes the manifest, on disk when this returns.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let place = folder.join(FILE);
        let text = serde_json::to_string_pretty(self).expect("text and numbers are JSON") + "\n";
        let written = File::create_new(&place).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| io_error(&place, source))
    }
}

/// Reads a file to its end, writes it on, and answers its size and its SHA-256.
pub(super) fn hash(place: &Path, to: &mut impl Write) -> Result<(u64, String), BackupError> {
    let mut file = File::open(place).map_err(|source| io_error(place, source))?;
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; READ_BYTES]);
    loop {
        let read = file.read(&mut buffer).map_err(|source| io_error(place, source))?;
        if read == 0 {
            return Ok((bytes, Hash256(hasher.finalize().into()).to_string()));
        }
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(|source| io_error(place, source))?;
        bytes += read as u64;
    }
}
