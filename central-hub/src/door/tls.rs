//! What the hub shows and asks for in a handshake.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::{ClientCertVerifierBuilder, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use crate::pki::{Folder, PkiError};

/// The one protocol that is spoken inside.
const HTTP2: &[u8] = b"h2";

/// The settings of handshakes, made whole from the files of a folder.
pub(super) struct Made {
    /// For every handshake from now on. There are no session tickets: whoever comes back is looked at anew.
    pub(super) config: Arc<ServerConfig>,
    /// The same while a token waits to be spent: who has no certificate yet gets in, to enrol and for nothing else.
    pub(super) expecting: Arc<ServerConfig>,
    /// The certificates that were revoked.
    pub(super) revoked: BTreeSet<String>,
}

/// Makes the settings.
pub(super) fn make(folder: &Folder) -> Result<Made, PkiError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let unusable = |name: &str, error: &dyn std::fmt::Display| folder.content(name, &error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in certificates(folder, "ca.pem")? {
        roots.add(certificate).map_err(|error| unusable("ca.pem", &error))?;
    }
    let lists = lists(folder)?;
    let revoked = lists.iter().flat_map(|list| serials(list)).collect();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = if lists.is_empty() {
        tracing::warn!("there is no crl.pem: revoked certificates are not noticed");
        verifier
    } else {
        verifier.with_crls(lists).enforce_revocation_expiration()
    };
    let build = |verifier: ClientCertVerifierBuilder| {
        let verifier = verifier.build().map_err(|error| unusable("crl.pem", &error))?;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| unusable("hub.pem", &error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(certificates(folder, "hub.pem")?, folder.hub_key()?)
            .map_err(|error| unusable("hub.pem", &error))?;
        config.alpn_protocols = vec![HTTP2.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok::<_, PkiError>(Arc::new(config))
    };
    let (config, expecting) = (build(verifier.clone())?, build(verifier.allow_unauthenticated())?);
    Ok(Made { config, expecting, revoked })
}

fn certificates(folder: &Folder, name: &str) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&folder.read(name)?).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| folder.content(name, "this is no certificate in PEM"))
}

fn lists(folder: &Folder) -> Result<Vec<CertificateRevocationListDer<'static>>, PkiError> {
    if !folder.has("crl.pem") {
        return Ok(Vec::new());
    }
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&folder.read("crl.pem")?).collect();
    found.map_err(|_| folder.content("crl.pem", "this is no revocation list in PEM"))
}

fn serials(list: &[u8]) -> Vec<String> {
    let Ok((_, list)) = CertificateRevocationList::from_der(list) else { return Vec::new() };
    list.iter_revoked_certificates().map(|revoked| crate::pki::serial(revoked.raw_serial())).collect()
}
