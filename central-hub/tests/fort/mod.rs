//! A hub with certificates in this process, and callers good and bad.

use std::path::Path;

use central_hub::config::Quota;
use central_hub::door::Entrance;
use central_hub::operator::provinces;
use central_hub::pki::{Authority, Bearer, Folder, Settings};
use central_hub::surroundings::Surroundings;
use central_hub::{clock, identity, serve};
use hub_rules::policy::Policy;
use hub_store::Ledger as _;
use hub_store::ledger::Signer;
use hub_store::sqlite::Sqlite;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use registry_proto::frame::{Change, FrameSealer, SealedChange};
use registry_proto::position::Cursor;
use registry_proto::signature::SigningKey;
use registry_proto::v1::stream_response::Message;
use registry_proto::v1::sync_service_client::SyncServiceClient;
use registry_proto::v1::{Frame, Hello, StreamRequest, StreamResponse};
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field, Role};
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Version};
use registry_schema::kind::{Kind, Status};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::{Duration, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Streaming};

/// The epoch of the provinces' stores.
pub(crate) const EPOCH: Epoch = Epoch(7);
/// PKCS #8 in front of the 32 bytes of an Ed25519 key (RFC 8410).
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A hub in this process, with its store and its certificates.
pub(crate) struct Fort {
    scratch: tempfile::TempDir,
    pub(crate) store: Sqlite,
    pub(crate) port: u16,
    _quota: watch::Sender<Quota>,
    stop: CancellationToken,
}

/// A stream that is open.
pub(crate) struct Stream {
    pub(crate) requests: mpsc::Sender<StreamRequest>,
    responses: Streaming<StreamResponse>,
}

/// The signing key of a seed; a province's is that of its number.
pub(crate) fn key(seed: u16) -> SigningKey {
    let seed = [seed.to_be_bytes(), seed.to_be_bytes()].concat().repeat(8);
    SigningKey::from_pkcs8(&[PKCS8_HEAD.as_slice(), &seed].concat()).expect("a key")
}

pub(crate) fn origin(text: &str) -> Origin {
    text.parse().expect("a province")
}

impl Fort {
    pub(crate) async fn start() -> Self {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let store = Sqlite::open(&scratch.path().join("national.db")).expect("a fresh store");
        let folder = Folder::new(scratch.path().join("pki"));
        Authority::init(&folder, &Settings::default(), "test", clock::now_ms()).expect("an authority");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (stop, (quota, quotas)) = (CancellationToken::new(), watch::channel(Quota::default()));
        let entrance = Entrance::Tls(folder);
        let (policy, surroundings) = (Policy::default(), Surroundings::default());
        let settings = serve::Settings { entrance, quota: quotas, policy, surroundings };
        tokio::spawn(serve::serve_at(store.clone(), listener, settings, stop.clone()));
        Self { scratch, store, port, _quota: quota, stop }
    }

    pub(crate) fn folder(&self) -> Folder {
        Folder::new(self.scratch.path().join("pki"))
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder().file(name)).expect("a file of the folder")
    }

    pub(crate) fn authority(&self) -> Authority {
        Authority::open(&self.folder()).expect("the authority")
    }

    /// Enrols a province by hand: its certificate with its key.
    pub(crate) async fn enrol(&self, province: &str) -> String {
        let (origin, now_ms) = (origin(province), clock::now_ms());
        provinces::enrol(&self.store, origin, None, &identity::Token::new([1; 32]), now_ms).await.expect("enrols");
        self.trust(province, &key(origin.number())).await;
        self.authority().issue_with_key(&Bearer::Province(origin), now_ms).expect("a certificate")
    }

    /// Believes a province's signing key, and no other from now on.
    pub(crate) async fn trust(&self, province: &str, key: &SigningKey) {
        let (origin, public_key, enrolled_ms) = (origin(province), Hash256(key.public().0), clock::now_ms());
        let signer = Signer { origin, public_key, certificate: Hash256([0; 32]), enrolled_ms, retired_ms: None };
        self.store.trust(signer).await.expect("trusts");
    }

    /// A certificate with these URIs and this use, made with the authority's own key.
    pub(crate) fn forge(
        &self,
        uris: &[&str],
        usage: ExtendedKeyUsagePurpose,
        change: impl FnOnce(&mut CertificateParams),
    ) -> String {
        let authority_key = KeyPair::from_pem(&self.file("ca.key")).expect("the key");
        let issuer = Issuer::from_ca_cert_pem(&self.file("ca.pem"), authority_key).expect("the issuer");
        let mut params = CertificateParams::default();
        params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("ASCII"))).collect();
        params.extended_key_usages = vec![usage];
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        format!("{}{}", certificate.pem(), key.serialize_pem())
    }

    pub(crate) fn tls(&self, identity: Option<&str>) -> ClientTlsConfig {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.file("ca.pem")));
        identity.map_or(tls.clone(), |pem| tls.identity(Identity::from_pem(pem, pem)))
    }

    pub(crate) async fn channel(&self, identity: Option<&str>) -> Result<tonic::transport::Channel, String> {
        let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{}", self.port)).expect("an address");
        let endpoint = endpoint.tls_config(self.tls(identity)).map_err(|error| error.to_string())?;
        endpoint.connect().await.map_err(|error| error.to_string())
    }

    /// Opens a stream with a certificate and says Hello as a province.
    pub(crate) async fn open(&self, identity: Option<&str>, province: &str) -> Result<Stream, String> {
        let mut client = SyncServiceClient::new(self.channel(identity).await?);
        let (requests, queue) = mpsc::channel(64);
        let heads = vec![registry_proto::v1::LaneHead { lane: 1, sealed_seq: 1_000 }];
        let hello = Hello {
            province: province.to_owned(),
            epoch: EPOCH.0,
            agent_version: "test".to_owned(),
            heads,
            ..Hello::default()
        };
        requests.send(hello.into()).await.expect("queued");
        let responses = timeout(Duration::from_secs(10), client.stream(Request::new(ReceiverStream::new(queue)))).await;
        let responses = responses.map_err(|_| "no answer")?.map_err(|status| status.to_string())?;
        Ok(Stream { requests, responses: responses.into_inner() })
    }

    /// A province that was let in, and welcomed.
    pub(crate) async fn province(&self, province: &str) -> Stream {
        let identity = self.enrol(province).await;
        let mut stream = self.open(Some(&identity), province).await.expect("let in");
        assert!(matches!(stream.hear().await, Message::Welcome(_)));
        stream
    }

    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }
}

impl Drop for Fort {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Stream {
    pub(crate) async fn say(&self, frame: Frame) {
        self.requests.send(frame.into()).await.expect("the hub listens");
    }

    /// The next message that is not about credit or applied changes.
    pub(crate) async fn hear(&mut self) -> Message {
        loop {
            let next = timeout(Duration::from_secs(10), self.responses.message()).await.expect("an answer in time");
            let message = next.expect("no error").expect("not the end").message.expect("a message");
            if !matches!(message, Message::Credit(_) | Message::Applied(_) | Message::NoticeBatch(_)) {
                return message;
            }
        }
    }
}

/// Signed frames of one change each, from the start of a lane.
pub(crate) fn frames(province: &str, signer: &SigningKey, epoch: Epoch, lane: Lane, count: u64) -> Vec<Frame> {
    let origin = origin(province);
    let mut sealer = FrameSealer::new(origin, epoch).expect("a sealer");
    let mut cursor = Cursor::start(origin, epoch, lane);
    (1..=count)
        .map(|number| {
            let record_id = RecordId::from_number(number.cast_signed()).expect("positive");
            let draft = Draft::new(Kind::Death)
                .with(Field::entry(Attribute::Authority), "01.00001")
                .with(Field::new(Role::Deceased, Attribute::Name), "Lê An");
            let canonical = canonical::encode(&draft, Status::Active);
            let change = Change { record_id, version: Version(1), clock: Hlc::from_number(number), canonical };
            let sealed = SealedChange::link(origin, &cursor.chain, cursor.seq.next(), change);
            let mut frame = sealer.seal(lane, &cursor.chain, std::slice::from_ref(&sealed)).expect("fits");
            cursor = Cursor { seq: sealed.seq, chain: sealed.chain, ..cursor };
            signer.sign_frame(origin, &mut frame);
            frame
        })
        .collect()
}
