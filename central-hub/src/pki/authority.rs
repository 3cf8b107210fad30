//! A small authority for pilots: issues, renews and revokes.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, RevokedCertParams,
    SanType, SerialNumber,
};
use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bearer::{Bearer, Certificate};
use super::folder::{AUTHORITY, AUTHORITY_KEY, Folder, HUB, HUB_KEY, PkiError, REVOKED, SIGNING_KEY};
use super::issued::{self, Issued, Revoked};
use super::token;

const SETTINGS: &str = "pki.toml";
/// How long the authority itself is valid, in hours: ten years.
const AUTHORITY_HOURS: u32 = 10 * 365 * 24;
/// How far back validity begins, in seconds: clocks of provinces may be a little slow.
const BACKDATED_SECONDS: i64 = 300;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// How long what the authority issues is valid, and where the hub is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Host names and addresses of the hub.
    pub names: Vec<String>,
    /// Hours for which a province's or an operator's certificate is valid; an agent renews after two thirds of them.
    pub bearer_hours: u32,
    /// Hours for which the hub's certificate is valid.
    pub hub_hours: u32,
    /// Hours after which a revocation list is too old; the hub makes a new one after half of them.
    pub revocation_hours: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        Self { names, bearer_hours: 30 * 24, hub_hours: 365 * 24, revocation_hours: 7 * 24 }
    }
}

/// An authority whose key is at hand.
pub struct Authority {
    folder: Folder,
    settings: Settings,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority, the hub's certificate and keys, and an empty revocation list.
    ///
    /// # Errors
    /// There is an authority already, or the folder cannot be written.
    pub fn init(folder: &Folder, settings: &Settings, name: &str, now_ms: i64) -> Result<Self, PkiError> {
        folder.create()?;
        let lock = folder.lock()?;
        if folder.has(AUTHORITY) {
            return Err(folder.content(AUTHORITY, "there is an authority here already; name another folder"));
        }
        let key = KeyPair::generate()?;
        let mut params = blank(&format!("hotich authority {name}"), AUTHORITY_HOURS, now_ms);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        folder.write(SETTINGS, toml::to_string(settings).expect("numbers and text are TOML").as_bytes())?;
        folder.write(AUTHORITY_KEY, key.serialize_pem().as_bytes())?;
        folder.write(SIGNING_KEY, KeyPair::generate_for(&PKCS_ED25519)?.serialize_pem().as_bytes())?;
        folder.write(AUTHORITY, certificate.pem().as_bytes())?;
        drop(lock);
        let authority = Self::open(folder)?;
        authority.issue_hub(now_ms)?;
        authority.renew_revocations(now_ms)?;
        Ok(authority)
    }

    /// The authority of a folder that has its key.
    ///
    /// # Errors
    /// The key is kept elsewhere, open to others, or damaged.
    pub fn open(folder: &Folder) -> Result<Self, PkiError> {
        if !folder.has(AUTHORITY_KEY) {
            let what = "the authority's key is not here: certificates are issued where it is kept";
            return Err(folder.content(AUTHORITY_KEY, what));
        }
        let text = |bytes| String::from_utf8(bytes).map_err(|_| folder.content(AUTHORITY, "this is no PEM"));
        let key = KeyPair::from_pem(&text(folder.read_secret(AUTHORITY_KEY)?)?)?;
        let issuer = Issuer::from_ca_cert_pem(&text(folder.read(AUTHORITY)?)?, key)?;
        let settings = toml::from_str(&text(folder.read(SETTINGS)?)?)
            .map_err(|error: toml::de::Error| folder.content(SETTINGS, &error.to_string()))?;
        Ok(Self { folder: folder.clone(), settings, issuer })
    }

    /// Gives the hub a new key and certificate; a hub that runs takes them over within seconds.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn issue_hub(&self, now_ms: i64) -> Result<(), PkiError> {
        let _lock = self.folder.lock()?;
        let key = KeyPair::generate()?;
        let mut params = blank("hotich hub", self.settings.hub_hours, now_ms);
        params.subject_alt_names = CertificateParams::new(self.settings.names.clone())?.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        // Key and certificate are two files: a hub that reads between the two writes finds that they do not belong
        // together, keeps what it has and looks again.
        self.folder.write(HUB_KEY, key.serialize_pem().as_bytes())?;
        self.folder.write(HUB, certificate.pem().as_bytes())
    }

    /// Whether a certificate could be issued for a request.
    ///
    /// # Errors
    /// The request is damaged or was not made with its key.
    pub fn check(&self, request: &[u8]) -> Result<(), PkiError> {
        read_request(request).map(drop)
    }

    /// Issues a certificate for the key of a request; everything else in the request is passed over.
    ///
    /// # Errors
    /// The request is damaged or was not made with its key, or the folder cannot be written.
    pub fn issue(&self, bearer: &Bearer, request: &[u8], now_ms: i64) -> Result<Vec<u8>, PkiError> {
        let request = read_request(request)?;
        let _lock = self.folder.lock()?;
        self.sign(bearer, &request, now_ms)
    }

    /// Issues the certificate after one that its bearer shows.
    ///
    /// # Errors
    /// The one that is shown was revoked, also in this very moment: whoever holds a stolen key has no time to win. The
    /// request is damaged or was not made with its key, or the folder cannot be written.
    pub fn renew(&self, shown: &Certificate, request: &[u8], now_ms: i64) -> Result<Vec<u8>, PkiError> {
        let request = read_request(request)?;
        let _lock = self.folder.lock()?;
        if issued::revocations(&self.folder)?.iter().any(|revoked| revoked.serial == shown.serial) {
            return Err(PkiError::Refused("the certificate that is to be renewed was revoked".to_owned()));
        }
        self.sign(&shown.bearer, &request, now_ms)
    }

    /// Signs a certificate and notes it; the folder is locked.
    fn sign(
        &self,
        bearer: &Bearer,
        request: &CertificateSigningRequestParams,
        now_ms: i64,
    ) -> Result<Vec<u8>, PkiError> {
        let uri = bearer.to_string();
        let mut params = blank(&uri, self.settings.bearer_hours, now_ms);
        let uri = uri.try_into().map_err(|_| PkiError::Refused("a bearer is ASCII".to_owned()))?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&request.public_key, &self.issuer)?.der().to_vec();
        let parsed = Certificate::parse(&certificate).map_err(PkiError::Refused)?;
        issued::note(&self.folder, &Issued::of(&parsed, now_ms))?;
        Ok(certificate)
    }

    /// Issues a certificate with a key made here, in one PEM: for an operator.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn issue_with_key(&self, bearer: &Bearer, now_ms: i64) -> Result<String, PkiError> {
        let key = KeyPair::generate()?;
        let request = CertificateParams::default().serialize_request(&key)?;
        let certificate = self.issue(bearer, request.der(), now_ms)?;
        Ok(format!("{}{}", pem("CERTIFICATE", &certificate), key.serialize_pem()))
    }

    /// Spends a token: the province it was made for.
    ///
    /// # Errors
    /// It is unknown, spent, or too old.
    pub fn spend(&self, token: &str, now_ms: i64) -> Result<Origin, PkiError> {
        let _lock = self.folder.lock()?;
        token::spend(&self.folder, token, now_ms)
    }

    /// Revokes the certificates of a bearer, or the one with a serial number; says which. What was revoked before stays
    /// so, and stands on the list that is made: the same command again finishes one that was cut short.
    ///
    /// # Errors
    /// There is none, or the folder cannot be written.
    pub fn revoke(&self, who: &str, reason: &str, now_ms: i64) -> Result<Vec<String>, PkiError> {
        let lock = self.folder.lock()?;
        let is_meant = |issued: &Issued| {
            let bearer = issued.bearer.to_string();
            issued.serial == who || bearer == who || bearer.ends_with(&format!(":{who}"))
        };
        let meant: Vec<Issued> = issued::list(&self.folder)?.into_iter().filter(is_meant).collect();
        if meant.is_empty() {
            let what = format!("no certificate is {who}'s; `central-hub pki list` names those there are");
            return Err(PkiError::Refused(what));
        }
        let in_force = meant.iter().filter(|issued| issued.revoked.is_none());
        let revoked = in_force.map(|issued| Revoked {
            serial: issued.serial.clone(),
            revoked_ms: now_ms,
            reason: reason.to_owned(),
        });
        issued::revoke(&self.folder, &revoked.collect::<Vec<_>>())?;
        drop(lock);
        self.renew_revocations(now_ms)?;
        Ok(meant.into_iter().map(|issued| issued.serial).collect())
    }

    /// Makes the revocation list anew.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn renew_revocations(&self, now_ms: i64) -> Result<(), PkiError> {
        let _lock = self.folder.lock()?;
        let revoked = issued::revocations(&self.folder)?.into_iter().filter_map(|revoked| {
            Some(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&bytes(&revoked.serial)?),
                revocation_time: time(revoked.revoked_ms),
                reason_code: None,
                invalidity_date: None,
            })
        });
        let list = CertificateRevocationListParams {
            this_update: time(now_ms - BACKDATED_SECONDS * 1_000),
            next_update: time(now_ms + i64::from(self.settings.revocation_hours) * HOUR_MS),
            crl_number: SerialNumber::from_slice(&now_ms.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.folder.write(REVOKED, list.signed_by(&self.issuer)?.pem()?.as_bytes())
    }

    /// Every certificate that was issued to somebody else, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(folder: &Folder) -> Result<Vec<Issued>, PkiError> {
        issued::list(folder)
    }

    /// Whether some token can be spent at this moment.
    #[must_use]
    pub fn expects_somebody(folder: &Folder, now_ms: i64) -> bool {
        folder.has(AUTHORITY_KEY) && token::any_waits(folder, now_ms)
    }

    /// How long a revocation list may serve until the next one is made.
    #[must_use]
    pub fn revocation_interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.settings.revocation_hours) * 1_800)
    }
}

fn read_request(der: &[u8]) -> Result<CertificateSigningRequestParams, PkiError> {
    CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(der))
        .map_err(|_| PkiError::Refused("the certificate request is damaged, or not signed with its key".to_owned()))
}

/// SHA-256 of the first certificate of a PEM, in hexadecimal.
pub(super) fn fingerprint(pem: &[u8]) -> Option<String> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    Some(Hash256(Sha256::digest(&certificate).into()).to_string())
}

/// A certificate that says nothing yet but its name, its number and its time.
fn blank(name: &str, hours: u32, now_ms: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let mut serial: [u8; 16] = rand::random();
    // A serial number is positive, and has the same bytes wherever it is written.
    serial[0] = serial[0] & 0x3f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.not_before = time(now_ms - BACKDATED_SECONDS * 1_000);
    params.not_after = time(now_ms + i64::from(hours) * HOUR_MS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params
}

fn time(unix_ms: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(unix_ms).unwrap_or_default())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn pem(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_revoked_is_not_renewed() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        let authority = Authority::init(&folder, &Settings::default(), "test", 0).unwrap();
        let bearer: Bearer = "urn:hotich:province:01@2008".parse().unwrap();
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let shown = Certificate::parse(&authority.issue(&bearer, request.der(), 0).unwrap()).unwrap();
        let next = Certificate::parse(&authority.renew(&shown, request.der(), 1).unwrap()).unwrap();
        assert_eq!(next.bearer, bearer);
        assert_eq!(authority.revoke("01@2008", "stolen", 2).unwrap().len(), 2, "the renewed one as well");
        for revoked in [shown, next] {
            assert!(matches!(authority.renew(&revoked, request.der(), 3), Err(PkiError::Refused(_))));
        }
    }

    #[test]
    fn a_revocation_that_was_cut_short_is_finished_by_the_same_command() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        let authority = Authority::init(&folder, &Settings::default(), "test", 0).unwrap();
        authority.issue_with_key(&"urn:hotich:province:01@2008".parse().unwrap(), 0).unwrap();
        let before = folder.read(REVOKED).unwrap();
        let serials = authority.revoke("01@2008", "stolen", 1).unwrap();
        // The disk was full when the list was to be written.
        folder.write(REVOKED, &before).unwrap();
        assert_eq!(authority.revoke("01@2008", "stolen", 2).unwrap(), serials);
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let listed = super::super::Trust::load(&folder, &provider).unwrap().revoked.unwrap();
        assert!(serials.iter().all(|serial| listed.contains(serial)));
        assert_eq!(issued::revocations(&folder).unwrap().len(), 1, "it was revoked once");
        assert!(authority.revoke("79@2008", "stolen", 3).is_err());
    }

    #[test]
    fn a_write_that_the_power_cut_short_keeps_nobody_from_revoking() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        let authority = Authority::init(&folder, &Settings::default(), "test", 0).unwrap();
        let bearer: Bearer = "urn:hotich:province:01@2008".parse().unwrap();
        let request = CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap();
        let mut serials = Vec::new();
        for _ in 0..2 {
            let issued = Certificate::parse(&authority.issue(&bearer, request.der(), 0).unwrap()).unwrap();
            serials.push(issued.serial);
            let place = folder.file("issued.jsonl");
            let half = [std::fs::read(&place).unwrap(), b"{\"serial\":\"4".to_vec()].concat();
            std::fs::write(&place, half).unwrap();
        }
        assert_eq!(authority.revoke("01@2008", "stolen", 2).unwrap(), serials);
    }

    #[test]
    fn a_renewal_waits_for_a_revocation_that_is_under_way() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Folder::new(scratch.path().join("pki"));
        let authority = Authority::init(&folder, &Settings::default(), "test", 0).unwrap();
        let request = CertificateParams::default().serialize_request(&KeyPair::generate().unwrap()).unwrap();
        let bearer: Bearer = "urn:hotich:province:01@2008".parse().unwrap();
        let shown = Certificate::parse(&authority.issue(&bearer, request.der(), 0).unwrap()).unwrap();
        let revoking = folder.lock().unwrap();
        std::thread::scope(|scope| {
            let renewal = scope.spawn(|| authority.renew(&shown, request.der(), 1));
            // Long enough for a renewal that waits for nobody to be done.
            std::thread::sleep(Duration::from_millis(100));
            let revoked = Revoked { serial: shown.serial.clone(), revoked_ms: 1, reason: "stolen".to_owned() };
            issued::revoke(&folder, &[revoked]).unwrap();
            drop(revoking);
            assert!(matches!(renewal.join().unwrap(), Err(PkiError::Refused(_))));
        });
        assert_eq!(Authority::list(&folder).unwrap().len(), 1, "no other certificate is there");
    }
}
