//! The national digest, section by section.

use std::collections::BTreeMap;

use hub_store::{NationalStore, StoreError};
use serde::Serialize;

/// The national digest.
#[derive(Debug, Serialize)]
pub struct DigestReport {
    /// One hash over all sections.
    pub national_digest: String,
    /// The sections: where two nations differ.
    pub sections: BTreeMap<&'static str, SectionReport>,
    /// Changes received and not judged: the digest does not speak of them.
    pub waiting: u64,
}

/// One section.
#[derive(Debug, Serialize)]
pub struct SectionReport {
    /// The sum of its rows, modulo 2^256.
    pub sum: String,
    /// Its number of rows.
    pub count: i64,
}

/// Reads the digest.
///
/// # Errors
/// The store cannot be read.
pub async fn digest<S: NationalStore>(store: &S) -> Result<DigestReport, StoreError> {
    let digests = store.digests().await?.digests;
    let (received, applied) = progress(store).await?;
    Ok(DigestReport {
        national_digest: digests.national().to_string(),
        sections: digests
            .iter()
            .map(|(section, sum)| (section.name(), SectionReport { sum: sum.to_string(), count: sum.count() }))
            .collect(),
        waiting: received - applied,
    })
}

/// Changes received and applied, over all provinces.
///
/// # Errors
/// The store cannot be read.
pub async fn progress<S: NationalStore>(store: &S) -> Result<(u64, u64), StoreError> {
    let (mut received, mut applied) = (0, 0);
    for province in store.provinces().await? {
        for cursor in store.cursors(province.origin).await? {
            received += cursor.seq.0;
            applied += cursor.applied.0;
        }
    }
    Ok((received, applied))
}
