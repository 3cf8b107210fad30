//! Who calls: a province is who its certificate says it is.
//!
//! Programs of the hub's own machine may be let in without TLS; there a province is who its token says it is. A token is
//! 32 random bytes in hexadecimal, made at enrolment and shown once; the store keeps its SHA-256 only.

use std::collections::BTreeMap;
use std::sync::RwLock;

use hub_store::model::Province;
use registry_schema::digest::Hash256;
use registry_schema::ids::Origin;
use registry_schema::sensitive::Sensitive;
use sha2::{Digest as _, Sha256};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::pki::Bearer;

/// The header that names the province.
pub const PROVINCE_HEADER: &str = "x-province";

/// A province's secret.
pub struct Token(Sensitive<String>);

impl Token {
    /// A new token from 32 random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(Sensitive::new(Hash256(random).to_string()))
    }

    /// The token's text, for the one who hands it to the province.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the store keeps.
    #[must_use]
    pub fn hash(&self) -> Hash256 {
        hash(self.expose())
    }
}

fn hash(token: &str) -> Hash256 {
    Hash256(Sha256::digest(token.trim().as_bytes()).into())
}

/// The enrolled provinces, as the door knows them.
#[derive(Debug, Default)]
pub struct Roll {
    provinces: RwLock<BTreeMap<Origin, Province>>,
}

impl Roll {
    /// Replaces the roll by what the store says.
    pub fn replace(&self, provinces: Vec<Province>) {
        let provinces = provinces.into_iter().map(|province| (province.origin, province)).collect();
        *self.provinces.write().unwrap_or_else(std::sync::PoisonError::into_inner) = provinces;
    }

    /// The enrolled province that a genuine certificate names.
    ///
    /// # Errors
    /// It names an operator, or a province that is not enrolled.
    pub fn recognise(&self, bearer: &Bearer) -> Result<Province, Status> {
        let Bearer::Province(origin) = bearer else {
            return Err(Status::permission_denied("only the certificate of a province sends changes"));
        };
        let provinces = self.provinces.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        provinces.get(origin).cloned().ok_or_else(|| {
            Status::permission_denied(format!(
                "province {origin} is not enrolled here; `central-hub pki enrol {origin}` at the centre gives it a token"
            ))
        })
    }

    /// The enrolled province that a call without TLS comes from.
    ///
    /// # Errors
    /// A status that names what is missing or wrong, and the remedy. A wrong token and an unknown province are not told
    /// apart, so that nobody learns which provinces there are.
    pub fn authenticate(&self, headers: &MetadataMap) -> Result<Province, Status> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let origin = header(PROVINCE_HEADER)
            .and_then(|text| text.parse::<Origin>().ok())
            .ok_or_else(|| Status::unauthenticated("the header x-province must name the province, as 01@2008"))?;
        let token = header("authorization")
            .and_then(|text| text.strip_prefix("Bearer "))
            .ok_or_else(|| Status::unauthenticated("the header authorization must hold `Bearer TOKEN`"))?;
        let provinces = self.provinces.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let refused = || {
            Status::permission_denied(format!(
                "province {origin} is not enrolled here, or this is not its token; \
                 `central-hub provinces enrol {origin}` at the centre gives a new one"
            ))
        };
        let province = provinces.get(&origin).ok_or_else(refused)?;
        if province.token_hash == hash(token) { Ok(province.clone()) } else { Err(refused()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_of_the_province_opens_the_door() {
        let token = Token::new([7; 32]);
        let origin: Origin = "01@2008".parse().unwrap();
        let province = Province {
            origin,
            name: "Hà Nội".to_owned(),
            token_hash: token.hash(),
            epoch: None,
            last_seen_ms: None,
            agent_version: None,
        };
        let roll = Roll::default();
        roll.replace(vec![province]);
        let check = |province: &str, authorization: &str| {
            let mut headers = MetadataMap::new();
            headers.insert(PROVINCE_HEADER, province.parse().unwrap());
            headers.insert("authorization", authorization.parse().unwrap());
            roll.authenticate(&headers).map(|province| province.origin).map_err(|status| status.code())
        };
        let bearer = format!("Bearer {}", token.expose());
        assert_eq!(check("01@2008", &bearer), Ok(origin));
        assert_eq!(check("79@2008", &bearer), Err(tonic::Code::PermissionDenied));
        assert_eq!(check("01@2008", "Bearer 00"), Err(tonic::Code::PermissionDenied));
        assert_eq!(check("01@2008", token.expose()), Err(tonic::Code::Unauthenticated));
        assert_eq!(check("01", &bearer), Err(tonic::Code::Unauthenticated));
    }
}
