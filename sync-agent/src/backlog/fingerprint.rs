//! What makes two imported rows the same: their content, and the how-manieth such row of its file each is.

use std::collections::HashMap;

use registry_schema::canonical;
use registry_schema::draft::Draft;
use registry_schema::kind::Status;
use sha2::{Digest as _, Sha256};

/// SHA-256 of a row's canonical bytes and of its occurrence in the file.
pub(super) type Fingerprint = [u8; 32];

/// How often each content came so far in one file.
///
/// About 40 bytes a row: 170 MB for the most rows that an import takes. Nothing is decided by the order of this map.
#[derive(Default)]
pub(super) struct Occurrences {
    seen: HashMap<[u8; 16], u32>,
}

impl Occurrences {
    /// The fingerprint of the next row with this content: two equal rows of one file are two entries, and the same two
    /// rows in another file are the same two entries.
    pub(super) fn fingerprint(&mut self, draft: &Draft) -> Fingerprint {
        let content = Sha256::new_with_prefix(canonical::encode(draft, Status::Active));
        let of = |occurrence: u32| -> Fingerprint {
            content.clone().chain_update(occurrence.to_be_bytes()).finalize().into()
        };
        let first = of(0);
        let mut content_key = [0; 16];
        content_key.copy_from_slice(&first[..16]);
        let count = self.seen.entry(content_key).or_insert(0);
        let fingerprint = if *count == 0 { first } else { of(*count) };
        *count += 1;
        fingerprint
    }
}
