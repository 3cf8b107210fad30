//! Whom the authority of a folder vouches for, and whose certificates it has taken back.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientCertVerifierBuilder, WebPkiClientVerifier};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _};

use super::bearer::serial;
use super::folder::{AUTHORITY, Folder, PkiError, REVOKED};

/// What makes a certificate count: that it comes from the authority, and that no list in force takes it back. A list that
/// is damaged, empty or out of date lets nobody in.
pub(crate) struct Trust {
    verifier: ClientCertVerifierBuilder,
    /// The serial numbers that were taken back; `None` where there is no list at all.
    pub(crate) revoked: Option<BTreeSet<String>>,
}

impl Trust {
    /// Reads authorities and revocation lists.
    pub(crate) fn load(folder: &Folder, provider: &Arc<CryptoProvider>) -> Result<Self, PkiError> {
        let mut roots = RootCertStore::empty();
        for root in folder.certificates(AUTHORITY)? {
            roots.add(root).map_err(|error| folder.content(AUTHORITY, &error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        if !folder.has(REVOKED) {
            return Ok(Self { verifier, revoked: None });
        }
        let lists = lists(folder)?;
        let revoked = lists.iter().map(|list| serials(folder, list)).collect::<Result<Vec<_>, _>>()?;
        let verifier = verifier.with_crls(lists).enforce_revocation_expiration();
        Ok(Self { verifier, revoked: Some(revoked.into_iter().flatten().collect()) })
    }

    /// What looks at certificates in a handshake.
    pub(crate) fn verifier(&self, folder: &Folder) -> Result<Arc<dyn ClientCertVerifier>, PkiError> {
        self.verifier.clone().build().map_err(|error| folder.content(REVOKED, &error.to_string()))
    }

    /// The same, which also lets in who shows no certificate.
    pub(crate) fn lenient_verifier(&self, folder: &Folder) -> Result<Arc<dyn ClientCertVerifier>, PkiError> {
        let verifier = self.verifier.clone().allow_unauthenticated();
        verifier.build().map_err(|error| folder.content(REVOKED, &error.to_string()))
    }
}

/// The lists of the folder, at least one: half a file, or an empty one, must not pass for a list that names nobody.
fn lists(folder: &Folder) -> Result<Vec<CertificateRevocationListDer<'static>>, PkiError> {
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&folder.read(REVOKED)?).collect();
    let none = "this is no revocation list in PEM; run `central-hub pki renew`, or fetch the authority's";
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| folder.content(REVOKED, none))
}

fn serials(folder: &Folder, list: &[u8]) -> Result<Vec<String>, PkiError> {
    let (_, list) = CertificateRevocationList::from_der(list)
        .map_err(|_| folder.content(REVOKED, "the revocation list in it is damaged; fetch it again"))?;
    Ok(list.iter_revoked_certificates().map(|revoked| serial(revoked.raw_serial())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::authority::{Authority, Settings};
    use super::*;

    #[test]
    fn a_list_that_is_no_list_does_not_pass_for_one_that_names_nobody() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        let authority = Authority::init(&folder, &Settings::default(), "test", 0).unwrap();
        let bearer = "urn:hotich:province:01@2008".parse().unwrap();
        authority.issue_with_key(&bearer, 0).unwrap();
        let serials = authority.revoke("01@2008", "stolen", 0).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let load = || Trust::load(&folder, &provider).map(|trust| trust.revoked);
        assert_eq!(load().unwrap(), Some(serials.into_iter().collect()));
        let list = folder.read(REVOKED).unwrap();
        for spoiled in
            [&list[..0], &list[..list.len() / 2], b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"]
        {
            folder.write(REVOKED, spoiled).unwrap();
            assert!(load().unwrap_err().to_string().contains("crl.pem"));
        }
        std::fs::remove_file(folder.file(REVOKED)).unwrap();
        assert_eq!(load().unwrap(), None);
    }
}
