//! Who holds a file with a certificate and its key.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;

use super::bearer::{Bearer, Certificate};
use super::folder::{AUTHORITY, Folder, PkiError, REVOKED, read};

/// The bearer of the certificate in a file, which must be genuine, in force, and beside its key.
///
/// # Errors
/// It is not.
pub fn identify(file: &Path, folder: &Folder, now_ms: i64) -> Result<Bearer, PkiError> {
    let refused = |what: &dyn std::fmt::Display| PkiError::Refused(format!("{}: {what}", file.display()));
    let pem = read(file, true)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|_| refused(&"this is no certificate in PEM"))?;
    let Some((own, others)) = chain.split_first() else { return Err(refused(&"there is no certificate in it")) };
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| refused(&"there is no key in it"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    CertifiedKey::from_der(chain.clone(), key, &provider).map_err(|error| refused(&error))?;
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&folder.read(AUTHORITY)?) {
        let root = root.map_err(|_| folder.content(AUTHORITY, "this is no certificate in PEM"))?;
        roots.add(root).map_err(|error| folder.content(AUTHORITY, &error.to_string()))?;
    }
    let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if folder.has(REVOKED) {
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&folder.read(REVOKED)?).collect();
        let lists = lists.map_err(|_| folder.content(REVOKED, "this is no revocation list in PEM"))?;
        verifier = verifier.with_crls(lists);
    }
    let verifier = verifier.build().map_err(|error| folder.content(REVOKED, &error.to_string()))?;
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_millis(u64::try_from(now_ms).unwrap_or_default()));
    verifier.verify_client_cert(own, others, now).map_err(|error| refused(&error))?;
    Ok(Certificate::parse(own).map_err(|what| refused(&what))?.bearer)
}

#[cfg(test)]
mod tests {
    use super::super::authority::{Authority, Settings};
    use super::*;

    /// An hour in milliseconds.
    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn an_operator_is_who_the_certificate_names_while_it_is_in_force() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        let settings = Settings { bearer_hours: 2, ..Settings::default() };
        let authority = Authority::init(&folder, &settings, "test", 0).unwrap();
        let lan = Bearer::Operator("lan".to_owned());
        let write = |name: &str, pem: &str| {
            let path = scratch.path().join(name);
            super::super::folder::replace(&path, pem.as_bytes()).unwrap();
            path
        };
        let own = authority.issue_with_key(&lan, 0).unwrap();
        let file = write("lan.pem", &own);
        let refused = |file: &Path, now_ms| assert!(identify(file, &folder, now_ms).is_err(), "{}", file.display());
        assert_eq!(identify(&file, &folder, HOUR_MS).unwrap(), lan);
        refused(&file, 3 * HOUR_MS);
        let other = authority.issue_with_key(&lan, 0).unwrap();
        let (certificate, _) = own.split_at(own.find("-----BEGIN PRIVATE").unwrap());
        let (_, key) = other.split_at(other.find("-----BEGIN PRIVATE").unwrap());
        refused(&write("stolen.pem", &format!("{certificate}{key}")), HOUR_MS);
        refused(&write("keyless.pem", certificate), HOUR_MS);
        let strange = Folder::new(scratch.path().join("strange"));
        let strange = Authority::init(&strange, &settings, "test", 0).unwrap();
        refused(&write("strange.pem", &strange.issue_with_key(&lan, 0).unwrap()), HOUR_MS);
        authority.revoke("lan", "left", HOUR_MS).unwrap();
        refused(&file, HOUR_MS);
    }
}
