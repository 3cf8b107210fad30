//! What the hub shows and asks for in a handshake.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;

use crate::pki::{Folder, PkiError, Trust};

/// The one protocol that is spoken inside.
const HTTP2: &[u8] = b"h2";

/// The settings of handshakes, made whole from the files of a folder.
pub(super) struct Made {
    /// For every handshake from now on. There are no session tickets: whoever comes back is looked at anew.
    pub(super) config: Arc<ServerConfig>,
    /// The same while a token waits to be spent: who has no certificate yet gets in, to enrol and for nothing else.
    pub(super) expecting: Arc<ServerConfig>,
    /// The certificates that were revoked; `None` where there is no list of them.
    pub(super) revoked: Option<BTreeSet<String>>,
}

/// Makes the settings.
pub(super) fn make(folder: &Folder) -> Result<Made, PkiError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let unusable = |error: rustls::Error| folder.content("hub.pem", &error.to_string());
    let trust = Trust::load(folder, &provider)?;
    let build = |verifier: Arc<dyn ClientCertVerifier>| {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(folder.hub_certificates()?, folder.hub_key()?)
            .map_err(unusable)?;
        config.alpn_protocols = vec![HTTP2.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok::<_, PkiError>(Arc::new(config))
    };
    let (config, expecting) = (build(trust.verifier(folder)?)?, build(trust.lenient_verifier(folder)?)?);
    Ok(Made { config, expecting, revoked: trust.revoked })
}
