//! Who holds a file with a certificate and its key.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::sign::CertifiedKey;

use super::bearer::{Bearer, Certificate};
use super::folder::{Folder, PkiError};
use super::trust::Trust;

/// The largest file with a certificate, those that lead to the authority, and the key, in bytes.
const IDENTITY_BYTES_MAX: u64 = 256 * 1024;

/// The bearer of the certificate in a file, which must be genuine, in force, and beside its key.
///
/// # Errors
/// It is not.
pub fn identify(file: &Path, folder: &Folder, now_ms: i64) -> Result<Bearer, PkiError> {
    let refused = |what: &dyn std::fmt::Display| PkiError::Refused(format!("{}: {what}", file.display()));
    let pem = registry_secrets::read_secret(file, IDENTITY_BYTES_MAX)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|_| refused(&"this is no certificate in PEM"))?;
    let Some((own, others)) = chain.split_first() else { return Err(refused(&"there is no certificate in it")) };
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| refused(&"there is no key in it"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    CertifiedKey::from_der(chain.clone(), key, &provider).map_err(|error| refused(&error))?;
    let verifier = Trust::load(folder, &provider)?.verifier(folder)?;
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
            registry_secrets::replace(&path, pem.as_bytes()).unwrap();
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
        let long = Settings { bearer_hours: 8_784, ..settings };
        let lasting = Authority::init(&Folder::new(scratch.path().join("lasting")), &long, "test", 0).unwrap();
        let lasting = (write("lasting.pem", &lasting.issue_with_key(&lan, 0).unwrap()), scratch.path().join("lasting"));
        let (lasting, its_folder) = (lasting.0, Folder::new(lasting.1));
        let week_ms = i64::from(long.revocation_hours) * HOUR_MS;
        assert_eq!(identify(&lasting, &its_folder, week_ms - 1_000).unwrap(), lan);
        assert!(identify(&lasting, &its_folder, week_ms + 1_000).is_err(), "nobody knows what was revoked since");
        authority.revoke("lan", "left", HOUR_MS).unwrap();
        refused(&file, HOUR_MS);
    }
}
