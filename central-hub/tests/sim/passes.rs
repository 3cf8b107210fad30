//! Certificates of a simulated nation. They are real, and shown in clear before anything else is said: there is no TLS here.
//! Whether one counts is for the hub's door to say; what it says is held against what was issued.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use central_hub::door::{Handshake, Shaken, Wire};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SanType};
use registry_proto::signature::{PublicKey, SigningKey};
use registry_schema::ids::Origin;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt as _;

use super::clock;

/// How long a connection may outlive its certificate: the hub looks at its clock every second and gives half a second to
/// part, and the driver looks at each step.
const GRACE_MS: i64 = 1_000 + 500 + 2 * 20;
/// No certificate's end.
const NEVER: i64 = i64::MAX;

/// Reads what is shown. That it is genuine needs no proof where nobody forges.
pub(crate) struct InClear;

impl Handshake for InClear {
    fn shake(&self, mut wire: Box<dyn Wire>) -> BoxFuture<'_, io::Result<Shaken>> {
        async move {
            let mut certificate = vec![0; wire.read_u32().await? as usize];
            wire.read_exact(&mut certificate).await?;
            Ok(Shaken { wire, certificate: Some(certificate) })
        }
        .boxed()
    }

    fn revoked(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }
}

/// The folder with what an agent of a province shows and signs with.
pub(crate) struct Identity(PathBuf);

impl Identity {
    pub(crate) fn of(folder: &Path, origin: Origin) -> Self {
        Self(folder.join(format!("identity-{origin}")))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes everything in it but a certificate that counts.
    pub(crate) fn make(&self) {
        std::fs::create_dir_all(&self.0).unwrap();
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let authority = CertificateParams::default().self_signed(&key).unwrap();
        std::fs::write(self.0.join("authority.pem"), authority.pem()).unwrap();
        registry_secrets::replace(&self.0.join("signing.key"), key.serialize_pem().as_bytes()).unwrap();
    }

    /// The same in another place.
    pub(crate) fn copy(&self, to: &Self) {
        std::fs::create_dir_all(&to.0).unwrap();
        for name in ["authority.pem", "signing.key"] {
            std::fs::copy(self.0.join(name), to.0.join(name)).unwrap();
        }
    }

    /// The key by which the hub knows the province's frames.
    pub(crate) fn signer(&self) -> PublicKey {
        let key = PrivatePkcs8KeyDer::from_pem_file(self.0.join("signing.key")).unwrap();
        SigningKey::from_pkcs8(key.secret_pkcs8_der()).unwrap().public()
    }

    /// Puts a certificate for some time in the place of the one before; answers its DER.
    pub(crate) fn certify(&self, origin: Origin, from_ms: i64, until_ms: i64) -> Vec<u8> {
        let key = KeyPair::from_pem(&std::fs::read_to_string(self.0.join("signing.key")).unwrap()).unwrap();
        let mut params = CertificateParams::default();
        let uri = format!("urn:hotich:province:{origin}");
        params.subject_alt_names = vec![SanType::URI(uri.as_str().try_into().unwrap())];
        (params.not_before, params.not_after) = (moment(from_ms), moment(until_ms));
        let certificate = params.self_signed(&key).unwrap();
        let text = certificate.pem() + &key.serialize_pem();
        registry_secrets::replace(&self.0.join("agent.pem"), text.as_bytes()).unwrap();
        certificate.der().to_vec()
    }

    /// What an agent with this folder shows now.
    pub(crate) fn shown(&self) -> io::Result<Vec<u8>> {
        let certificate = CertificateDer::from_pem_file(self.0.join("agent.pem")).map_err(io::Error::other)?;
        Ok(certificate.to_vec())
    }
}

fn moment(unix_ms: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::UNIX_EPOCH + Duration::from_millis(unix_ms.cast_unsigned())
}

/// What was issued, and who is inside by it.
#[derive(Default)]
pub(crate) struct Passes {
    /// From when to when each certificate counts.
    issued: Mutex<BTreeMap<Vec<u8>, (i64, i64)>>,
    inside: Mutex<Vec<Weak<Pass>>>,
}

/// A certificate that was shown on a connection.
pub(crate) struct Pass {
    caller: usize,
    until_ms: i64,
    counted_when_shown: bool,
    /// Since when it has ended by the centre's clock, in simulated milliseconds; a clock that went back takes that back.
    ended_ms: AtomicI64,
}

impl Passes {
    /// Notes what was issued.
    pub(crate) fn issue(&self, certificate: Vec<u8>, from_ms: i64, until_ms: i64) {
        self.issued.lock().unwrap().insert(certificate, (from_ms, until_ms));
    }

    /// A caller shows a certificate.
    pub(crate) fn show(&self, caller: usize, certificate: &[u8]) -> Arc<Pass> {
        let validity_ms = self.issued.lock().unwrap()[certificate];
        let counted_when_shown = (validity_ms.0..validity_ms.1).contains(&clock::centre_ms());
        let until_ms = validity_ms.1;
        let pass = Arc::new(Pass { caller, until_ms, counted_when_shown, ended_ms: AtomicI64::new(NEVER) });
        self.inside.lock().unwrap().push(Arc::downgrade(&pass));
        pass
    }

    /// Looks at everybody who is inside; what is wrong, in words.
    pub(crate) fn look(&self) -> Option<String> {
        let mut inside = self.inside.lock().unwrap();
        inside.retain(|pass| pass.strong_count() > 0);
        inside.iter().filter_map(Weak::upgrade).find_map(|pass| pass.look())
    }
}

impl Pass {
    /// Whether the door should let its bearer in.
    pub(crate) const fn counted_when_shown(&self) -> bool {
        self.counted_when_shown
    }

    fn look(&self) -> Option<String> {
        let now_ms = clock::elapsed_ms();
        if clock::centre_ms() < self.until_ms {
            self.ended_ms.store(NEVER, Ordering::Relaxed);
            return None;
        }
        let ended_ms = self.ended_ms.fetch_min(now_ms, Ordering::Relaxed).min(now_ms);
        let Self { caller, until_ms, .. } = self;
        (now_ms > ended_ms + GRACE_MS).then(|| format!("{caller} is inside by a certificate that ended at {until_ms}"))
    }
}
