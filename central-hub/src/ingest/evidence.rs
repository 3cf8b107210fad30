//! What neither side can deny: frames are signed by their province, receipts by the hub.

use std::collections::BTreeSet;

use hub_store::model::Province;
use hub_store::{NationalStore, StoreError};
use registry_proto::signature::{PublicKey, SignatureError, SigningKey};
use registry_proto::v1;
use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Origin};
use tonic::Status;

use crate::door::{Entrance, Peer, Who};
use crate::pki::{Folder, PkiError};

/// With what the hub signs and issues; without a folder of certificates it does neither.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The key of receipts.
    signing: Option<std::sync::Arc<SigningKey>>,
    /// Where certificates are issued.
    pub(super) folder: Option<Folder>,
}

impl Keys {
    /// The keys of the folder at an entrance.
    ///
    /// # Errors
    /// The signing key is absent, open to others, or damaged.
    pub fn of(entrance: &Entrance) -> Result<Self, PkiError> {
        match entrance {
            Entrance::Loopback | Entrance::Other(_) => Ok(Self::default()),
            Entrance::Tls(folder) => {
                let signing = Some(std::sync::Arc::new(folder.signing_key()?));
                Ok(Self { signing, folder: Some(folder.clone()) })
            }
        }
    }

    /// The key that verifies receipts.
    pub(super) fn public(&self) -> Option<PublicKey> {
        self.signing.as_ref().map(|key| key.public())
    }
}

/// The evidence of one session.
pub(super) struct Evidence {
    origin: Origin,
    epoch: Epoch,
    /// The keys that may have signed the province's frames; none where nothing needs to be signed.
    signers: BTreeSet<PublicKey>,
    signing: Option<std::sync::Arc<SigningKey>>,
    /// SHA-256 of the certificate of the connection.
    certificate: Vec<u8>,
}

impl Evidence {
    /// What the store knows of a province's keys. Over TLS a province without a key cannot send.
    pub(super) async fn load<S: NationalStore>(
        store: &S,
        keys: &Keys,
        province: &Province,
        peer: &Peer,
    ) -> Result<Self, Status> {
        let origin = province.origin;
        let known = store.signers(origin).await.map_err(|error| unavailable(&error))?;
        let signers: BTreeSet<_> = known
            .iter()
            .filter(|signer| signer.retired_ms.is_none())
            .map(|signer| PublicKey(signer.public_key.0))
            .collect();
        let certificate = match &peer.who {
            Who::Bearer(certificate) => certificate.fingerprint.0.to_vec(),
            Who::Local | Who::Unknown => Vec::new(),
        };
        if !certificate.is_empty() && signers.is_empty() {
            return Err(Status::permission_denied(format!(
                "no key is known that signs for province {origin}; enrol it again, or `central-hub pki trust {origin}`"
            )));
        }
        Ok(Self {
            origin,
            epoch: province.epoch.unwrap_or(Epoch(0)),
            signers,
            signing: keys.signing.clone(),
            certificate,
        })
    }

    /// Which incarnation of the store receipts speak of.
    pub(super) const fn of_store(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// Whether a frame is signed by its province, and by which certificate it came; an answer for the province if not.
    pub(super) fn check(&self, frame: &mut v1::Frame) -> Result<(), String> {
        frame.certificate.clone_from(&self.certificate);
        if self.signers.is_empty() {
            return Ok(());
        }
        let verified = self.signers.iter().map(|signer| signer.verify_frame(self.origin, frame));
        let best = verified.reduce(|one, other| one.or(other)).unwrap_or(Err(SignatureError::Missing));
        best.map_err(|error| {
            format!(
                "the frame at {} cannot be taken: {error}; the province's key is the one in its identity folder",
                frame.first_seq
            )
        })
    }

    /// Makes an acknowledgement a receipt.
    pub(super) fn receipt(&self, mut received: v1::Received, now_ms: i64) -> v1::Received {
        if let Some(key) = &self.signing {
            key.sign_received(self.origin, self.epoch, now_ms.cast_unsigned(), &mut received);
        }
        received
    }
}

/// The key with these bytes, as the store keeps it.
pub(super) const fn stored(key: PublicKey) -> Hash256 {
    Hash256(key.0)
}

fn unavailable(error: &StoreError) -> Status {
    tracing::error!(%error, "the keys of a province cannot be read");
    Status::unavailable("the centre's store cannot be read at the moment; try again")
}
