//! Who a certificate names.

use std::fmt;

use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// What stands in front of a province.
const PROVINCE: &str = "urn:hotich:province:";
/// What stands in front of an operator.
const OPERATOR: &str = "urn:hotich:operator:";
/// The longest name of an operator, in bytes.
const OPERATOR_BYTES_MAX: usize = 64;

/// Who a certificate names: its single URI among the alternative names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bearer {
    /// A province's agent.
    Province(Origin),
    /// A person at the centre.
    Operator(String),
}

/// What a certificate says; that it is genuine is another's business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Who bears it.
    pub bearer: Bearer,
    /// Its number at its authority, in hexadecimal.
    pub serial: String,
    /// SHA-256 of its DER.
    pub fingerprint: Hash256,
    /// From when it is valid, in Unix milliseconds.
    pub not_before_ms: i64,
    /// Until when it is valid, in Unix milliseconds.
    pub not_after_ms: i64,
}

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// It is none, or does not name exactly one bearer.
    pub fn parse(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| "this is no certificate".to_owned())?;
        let names =
            certificate.subject_alternative_name().map_err(|_| "its alternative names are damaged".to_owned())?;
        let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
        let uris: Vec<&str> =
            names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None }).collect();
        let [uri] = uris.as_slice() else {
            return Err(format!("it has {} URIs among its alternative names instead of one", uris.len()));
        };
        let validity = certificate.validity();
        Ok(Self {
            bearer: uri.parse()?,
            serial: serial(certificate.raw_serial()),
            fingerprint: Hash256(Sha256::digest(der).into()),
            not_before_ms: validity.not_before.timestamp() * 1_000,
            not_after_ms: validity.not_after.timestamp() * 1_000,
        })
    }

    /// Whether it counts at a moment, in Unix milliseconds.
    #[must_use]
    pub fn is_in_force(&self, now_ms: i64) -> bool {
        (self.not_before_ms..self.not_after_ms).contains(&now_ms)
    }
}

/// A serial number as it is written here: without leading zeros.
pub(super) fn serial(bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.trim_start_matches("00").to_owned()
}

impl std::str::FromStr for Bearer {
    type Err = String;

    fn from_str(uri: &str) -> Result<Self, String> {
        let unknown = || format!("its URI names neither a province nor an operator: write {PROVINCE}01@2008");
        if let Some(origin) = uri.strip_prefix(PROVINCE) {
            return origin.parse().map(Self::Province).map_err(|_| unknown());
        }
        let name = uri.strip_prefix(OPERATOR).ok_or_else(unknown)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        if name.is_empty() || name.len() > OPERATOR_BYTES_MAX || !name.bytes().all(plain) {
            return Err("an operator's name has 1 to 64 letters, digits and -_.@ of ASCII".to_owned());
        }
        Ok(Self::Operator(name.to_owned()))
    }
}

impl TryFrom<String> for Bearer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Bearer> for String {
    fn from(bearer: Bearer) -> Self {
        bearer.to_string()
    }
}

impl fmt::Display for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Province(origin) => write!(f, "{PROVINCE}{origin}"),
            Self::Operator(name) => write!(f, "{OPERATOR}{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(uris: &[&str], expected: Result<&str, &str>) {
        let mut params = rcgen::CertificateParams::default();
        let uri = |uri: &&str| rcgen::SanType::URI((*uri).try_into().unwrap());
        params.subject_alt_names = uris.iter().map(uri).collect();
        params.subject_alt_names.push(rcgen::SanType::DnsName("hub.example".try_into().unwrap()));
        let key = rcgen::KeyPair::generate().unwrap();
        let found = Certificate::parse(params.self_signed(&key).unwrap().der());
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found.bearer.to_string(), expected),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn a_certificate_counts_from_its_beginning_until_its_end() {
        let (bearer, fingerprint) = ("urn:hotich:province:01@2008".parse().unwrap(), Hash256([0; 32]));
        let certificate =
            Certificate { bearer, serial: "1".to_owned(), fingerprint, not_before_ms: 2_000, not_after_ms: 5_000 };
        let counts = [1_999, 2_000, 4_999, 5_000].map(|now_ms| certificate.is_in_force(now_ms));
        assert_eq!(counts, [false, true, true, false]);
    }

    #[test]
    fn a_certificate_names_one_bearer_or_nobody() {
        check(&["urn:hotich:province:01@2008"], Ok("urn:hotich:province:01@2008"));
        check(&["urn:hotich:operator:lan.nguyen"], Ok("urn:hotich:operator:lan.nguyen"));
        check(&["urn:hotich:province:01@2008", "urn:hotich:province:79@2008"], Err("2 URIs"));
        check(&["urn:hotich:province:01@2008", "https://example.com"], Err("2 URIs"));
        check(&[], Err("0 URIs"));
        check(&["urn:hotich:province:01"], Err("neither a province"));
        check(&["https://example.com"], Err("neither a province"));
        check(&["urn:hotich:operator:"], Err("1 to 64 letters"));
        check(&["urn:hotich:operator:a b"], Err("1 to 64 letters"));
    }
}
