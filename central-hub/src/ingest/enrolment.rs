//! How a province comes by its certificate, and by the next one.

use std::sync::Arc;

use hub_store::NationalStore;
use hub_store::ledger::{Act, Signer, Verb};
use registry_proto::signature::PublicKey;
use registry_proto::v1::enrolment_service_server::EnrolmentService;
use registry_proto::v1::{Credentials, EnrolRequest, RenewRequest};
use registry_schema::digest::Hash256;
use tonic::{Request, Response, Status};

use super::evidence::stored;
use super::service::{Hub, peer};
use crate::clock::now_ms;
use crate::door::Who;
use crate::identity::Token;
use crate::operator::provinces;
use crate::pki::{Authority, Bearer, Certificate, Folder, PkiError};

/// Who acts where no operator does.
const HUB: &str = "hub";

/// The service over a shared hub.
pub struct Enrolment<S>(pub Arc<Hub<S>>);

#[tonic::async_trait]
impl<S: NationalStore + 'static> EnrolmentService for Enrolment<S> {
    async fn enrol(&self, request: Request<EnrolRequest>) -> Result<Response<Credentials>, Status> {
        let folder = self.folder(&peer(&request)?.who)?;
        let request = request.into_inner();
        // Everything that the asker may mend is looked at before the token is spent.
        let key = PublicKey::from_slice(&request.signing_key)
            .filter(|key| key.verify_request(&request.request, &request.signing_proof).is_ok())
            .ok_or_else(|| Status::invalid_argument("the signing key is damaged, or not the asker's"))?;
        let now_ms = now_ms();
        let spent = blocking(move || {
            let authority = Authority::open(&folder)?;
            authority.check(&request.request)?;
            let origin = authority.spend(&request.token, now_ms)?;
            Ok((origin, authority.issue(&Bearer::Province(origin), &request.request, now_ms)?))
        });
        let (origin, certificate) = spent.await?;
        let store = &self.0.store;
        let enrolled = async {
            // Without TLS nobody comes in by this token: nobody knows it.
            provinces::enrol(store, origin, None, &Token::new(rand::random()), now_ms).await?;
            let fingerprint = Certificate::parse(&certificate).map_or(Hash256([0; 32]), |parsed| parsed.fingerprint);
            let signer = Signer {
                origin,
                public_key: stored(key),
                certificate: fingerprint,
                enrolled_ms: now_ms,
                retired_ms: None,
            };
            store.trust(signer).await?;
            let object = format!("{origin} key {key} certificate {fingerprint}");
            let act =
                Act { at_ms: now_ms, who: HUB.to_owned(), verb: Verb::Enrol, object, reason: "a token".to_owned() };
            store.note(act).await
        };
        enrolled.await.map_err(|error| {
            tracing::error!(%error, "a province cannot be enrolled");
            Status::unavailable("the centre's store cannot be written; ask the centre for a new token")
        })?;
        tracing::info!(province = %origin, "a province was enrolled");
        Ok(Response::new(self.credentials(certificate)))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<Credentials>, Status> {
        let who = peer(&request)?.who;
        let folder = self.folder(&who)?;
        let Who::Bearer(certificate) = who else {
            return Err(Status::unauthenticated("who renews shows the certificate that is to be renewed"));
        };
        let now_ms = now_ms();
        let half_time = certificate.not_before_ms.midpoint(certificate.not_after_ms);
        if now_ms < half_time {
            return Err(Status::failed_precondition("the certificate is renewed in the second half of its life"));
        }
        let request = request.into_inner().request;
        let shown = Arc::clone(&certificate);
        let issued = blocking(move || Authority::open(&folder)?.renew(&shown, &request, now_ms)).await?;
        tracing::info!(bearer = %certificate.bearer, "a certificate was renewed");
        Ok(Response::new(self.credentials(issued)))
    }
}

impl<S> Enrolment<S> {
    fn folder(&self, who: &Who) -> Result<Folder, Status> {
        match (who, &self.0.keys.folder) {
            (Who::Unknown | Who::Bearer(_), Some(folder)) => Ok(folder.clone()),
            _ => Err(Status::failed_precondition("certificates are given over TLS only")),
        }
    }

    fn credentials(&self, certificate: Vec<u8>) -> Credentials {
        let hub_signing_key = self.0.keys.public().map(|key| key.0.to_vec()).unwrap_or_default();
        Credentials { certificates: vec![certificate], hub_signing_key }
    }
}

/// Files and signatures are worked on beside the streams.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, PkiError> + Send + 'static) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Status::internal("the centre could not finish"))?.map_err(|error| match error {
        PkiError::Refused(what) => Status::permission_denied(what),
        error => {
            tracing::error!(%error, "a certificate cannot be issued");
            Status::unavailable("the centre cannot issue certificates at the moment; ask its operators")
        }
    })
}
