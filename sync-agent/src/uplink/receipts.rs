//! What the centre signed, as the store keeps it: the last receipt of each lane, which covers everything before it.

use registry_proto::signature::Receipt;
use registry_schema::ids::Lane;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::store::{StoreError, state};

/// A receipt whose signature was verified when it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptReceipt {
    /// The lane.
    pub lane: Lane,
    /// The incarnation of the store, in hexadecimal.
    pub epoch: String,
    /// The last change that the centre has.
    pub seq: u64,
    /// The lane's chain after it, in hexadecimal.
    pub chain: String,
    /// When the centre signed, in Unix milliseconds.
    pub signed_ms: u64,
    /// The centre's signature, in hexadecimal.
    pub signature: String,
}

impl KeptReceipt {
    pub(super) fn new(receipt: Receipt, signature: &[u8]) -> Self {
        Self {
            lane: receipt.lane,
            epoch: format!("{:016x}", receipt.epoch.0),
            seq: receipt.seq.0,
            chain: receipt.chain.to_string(),
            signed_ms: receipt.signed_ms,
            signature: signature.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The last receipt of a lane.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn read(connection: &Connection, lane: Lane) -> Result<Option<Self>, StoreError> {
        let text = state::receipt(connection, lane)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(super) fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).expect("text and numbers are JSON");
        state::set_receipt(connection, self.lane, &text)
    }
}
