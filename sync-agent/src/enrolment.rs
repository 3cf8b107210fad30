//! Getting a certificate: the first for a one-time token, each further one for the one before.

use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use registry_proto::v1::enrolment_service_client::EnrolmentServiceClient;
use registry_proto::v1::{self, EnrolRequest, RenewRequest};
use registry_schema::ids::Origin;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};

use crate::credentials::{CredentialsError, Folder};
use crate::error_chain::words;
use crate::uplink::{Connect, Reach, reach};

/// The largest token file, in bytes; most of it is the authority's certificate.
const TOKEN_FILE_BYTES_MAX: u64 = 64 * 1024;
/// How long the centre may take to answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How often the age of the certificate is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// How often at least, for certificates that live only minutes.
const LOOK_MIN: Duration = Duration::from_millis(200);

/// What the centre hands to a province; made by `central-hub pki enrol`.
#[derive(Deserialize)]
pub struct TokenFile {
    /// The province.
    pub province: Origin,
    token: String,
    authority: String,
}

impl TokenFile {
    /// Reads a token file.
    ///
    /// # Errors
    /// It cannot be read, is open to others, or is none.
    pub fn read(path: &Path) -> Result<Self, CredentialsError> {
        let content = registry_secrets::read_secret(path, TOKEN_FILE_BYTES_MAX)?;
        // The error of the parser would show the line, and with it the token.
        let what = || "this is no token file of `central-hub pki enrol`".to_owned();
        let text = std::str::from_utf8(&content).ok();
        text.and_then(|text| toml::from_str(text).ok())
            .ok_or_else(|| CredentialsError::Content { path: path.to_owned(), what: what() })
    }
}

/// Spends a token: makes the keys here, and keeps the certificate that the centre gives for them.
///
/// The token is shown only to a centre with a certificate of the authority that the token names.
///
/// # Errors
/// The centre cannot be reached or refuses, or the folder cannot be written.
pub async fn enrol(connect: &Connect, hub: &str, token: &TokenFile, folder: &Folder) -> Result<(), CredentialsError> {
    folder.prepare()?;
    let signing = folder.signing_key()?;
    let (key, request) = request()?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&token.authority));
    let request = EnrolRequest {
        token: token.token.clone(),
        signing_key: signing.public().0.to_vec(),
        signing_proof: signing.sign_request(&request),
        request,
    };
    let mut client = client(connect, hub, tls).await?;
    let given = answer(tokio::time::timeout(ANSWER_WAIT_MAX, client.enrol(request)).await)?;
    folder.keep_authority(&token.authority)?;
    folder.keep(&given, &key)
}

/// Renews the certificate in the last third of its life, for as long as the agent runs. Streams that are open go on with
/// the earlier one; every further stream is opened with what is in the folder.
pub async fn renew_in_time(
    connect: Connect,
    hub: String,
    folder: Folder,
    wall_ms: fn() -> u64,
    stop: CancellationToken,
) {
    let mut complained = false;
    while !stop.is_cancelled() {
        let wait = match folder.load() {
            Ok(credentials) => {
                let (from_ms, until_ms) = credentials.validity_ms;
                let third = (until_ms - from_ms) / 3;
                if wall_ms().cast_signed() > until_ms - third {
                    let renewed = renew(&connect, &hub, credentials.tls, &folder).await;
                    report(renewed, &mut complained);
                }
                let look = Duration::from_millis(u64::try_from(third / 20).unwrap_or_default());
                look.clamp(LOOK_MIN, LOOK)
            }
            // The uplink reports what is wrong with the folder.
            Err(_) => LOOK,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn report(renewed: Result<(), CredentialsError>, complained: &mut bool) {
    match renewed {
        Ok(()) => {
            tracing::info!("the certificate was renewed");
            *complained = false;
        }
        Err(error) if !*complained => {
            tracing::error!(%error, "the certificate cannot be renewed yet; trying again until it expires");
            *complained = true;
        }
        Err(_) => {}
    }
}

async fn renew(connect: &Connect, hub: &str, tls: ClientTlsConfig, folder: &Folder) -> Result<(), CredentialsError> {
    let (key, request) = request()?;
    let mut client = client(connect, hub, tls).await?;
    let given = answer(tokio::time::timeout(ANSWER_WAIT_MAX, client.renew(RenewRequest { request })).await)?;
    folder.keep(&given, &key)
}

/// A new key and the request for its certificate; who the bearer is, the centre says.
fn request() -> Result<(KeyPair, Vec<u8>), CredentialsError> {
    let key = KeyPair::generate()?;
    let request = CertificateParams::default().serialize_request(&key)?.der().to_vec();
    Ok((key, request))
}

async fn client(
    connect: &Connect,
    hub: &str,
    tls: ClientTlsConfig,
) -> Result<EnrolmentServiceClient<Channel>, CredentialsError> {
    match reach(connect, hub, Some(tls)).await {
        Reach::Made(channel) => Ok(EnrolmentServiceClient::new(channel)),
        Reach::Unusable(error) | Reach::Failed(error) => Err(CredentialsError::Refused(error)),
    }
}

type Answered = Result<Result<tonic::Response<v1::Credentials>, tonic::Status>, tokio::time::error::Elapsed>;

fn answer(answered: Answered) -> Result<v1::Credentials, CredentialsError> {
    match answered {
        Ok(Ok(given)) => Ok(given.into_inner()),
        Ok(Err(status)) if status.code() == tonic::Code::Unknown => Err(CredentialsError::Refused(words(&status))),
        Ok(Err(status)) => Err(CredentialsError::Refused(status.message().to_owned())),
        Err(_) => Err(CredentialsError::Refused("it did not answer within 30 s".to_owned())),
    }
}
