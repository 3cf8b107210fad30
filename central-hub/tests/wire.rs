//! Bad input at the hub's door: each has its answer, loses nothing, and blocks nobody else.

use central_hub::config::Quota;
use central_hub::identity::Token;
use central_hub::operator::provinces;
use central_hub::serve;
use hub_rules::policy::Policy;
use hub_store::sqlite::Sqlite;
use registry_proto::frame::{Change, FrameSealer, SealedChange, checksum};
use registry_proto::position::Cursor;
use registry_proto::v1::stream_response::Message;
use registry_proto::v1::sync_service_client::SyncServiceClient;
use registry_proto::v1::{Frame, GoodbyeReason, Hello, StreamRequest, StreamResponse};
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field, Role};
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Version};
use registry_schema::kind::{Kind, Status};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Streaming};

/// The epoch of the provinces' stores.
const EPOCH: u64 = 7;

/// A hub in this process, with its store.
struct Hub {
    _folder: tempfile::TempDir,
    store: Sqlite,
    address: String,
    stop: CancellationToken,
}

/// A stream of one province, and the frames it has to send.
struct Province {
    origin: Origin,
    requests: mpsc::Sender<StreamRequest>,
    responses: Streaming<StreamResponse>,
}

impl Hub {
    async fn start() -> Self {
        Self::with_quota(Quota::default()).await
    }

    async fn with_quota(quota: Quota) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let store = Sqlite::open(&folder.path().join("national.db")).expect("a fresh store");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        tokio::spawn(serve::serve(store.clone(), listener, quota, Policy::default(), stop.clone()));
        Self { _folder: folder, store, address, stop }
    }

    async fn enrol(&self, origin: &str) -> Token {
        let token = Token::new([1; 32]);
        let origin = origin.parse().expect("a province");
        provinces::enrol(&self.store, origin, None, &token, 0).await.expect("enrols");
        token
    }

    /// Opens a stream and says Hello.
    async fn open(&self, origin: &str, token: &str, hello: Hello) -> Result<Province, tonic::Status> {
        let mut client = SyncServiceClient::connect(self.address.clone()).await.expect("the hub listens");
        let (requests, queue) = mpsc::channel(64);
        requests.send(hello.into()).await.expect("queued");
        let mut request = Request::new(ReceiverStream::new(queue));
        let headers = request.metadata_mut();
        headers.insert("x-province", origin.parse().expect("a header"));
        headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        let responses = client.stream(request).await?.into_inner();
        Ok(Province { origin: origin.parse().expect("a province"), requests, responses })
    }

    async fn province(&self, origin: &str) -> Province {
        let token = self.enrol(origin).await;
        let mut province = self.open(origin, token.expose(), hello(origin)).await.expect("admitted");
        assert!(matches!(province.hear().await, Message::Welcome(_)));
        province
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Province {
    async fn say(&self, frame: Frame) {
        self.requests.send(frame.into()).await.expect("the hub listens");
    }

    /// The next message that is not about credit or applied changes.
    async fn hear(&mut self) -> Message {
        loop {
            let next = timeout(Duration::from_secs(10), self.responses.message()).await.expect("an answer in time");
            let message = next.expect("no error").expect("not the end").message.expect("a message");
            if !matches!(message, Message::Credit(_) | Message::Applied(_)) {
                return message;
            }
        }
    }

    /// The credit that is told for a frame: how far, and after which pause in milliseconds.
    async fn credit(&mut self) -> (u64, u64) {
        loop {
            let next = timeout(Duration::from_secs(10), self.responses.message()).await.expect("an answer in time");
            match next.expect("no error").expect("not the end").message.expect("a message") {
                Message::Credit(credit) => return (credit.through_seq, credit.retry_after_ms),
                Message::Goodbye(goodbye) => panic!("{goodbye:?}"),
                _ => {}
            }
        }
    }

    /// Sends a good frame and waits for its acknowledgement: the stream is alive.
    async fn check_alive(&mut self, frames: &[Frame], through: u64) {
        for frame in frames {
            self.say(frame.clone()).await;
        }
        loop {
            match self.hear().await {
                Message::Received(received) if received.seq == through => return,
                Message::Received(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Frames of one change each, from the start of the live lane; `bytes` of note make them as large as wanted.
    fn frames(&self, count: u64, bytes: usize) -> Vec<Frame> {
        self.frames_of(1, count, bytes)
    }

    /// Frames of so many changes each.
    fn frames_of(&self, changes: u64, count: u64, bytes: usize) -> Vec<Frame> {
        let mut sealer = FrameSealer::new(self.origin, Epoch(EPOCH)).expect("a sealer");
        let mut cursor = Cursor::start(self.origin, Epoch(EPOCH), Lane::Live);
        let mut seal = |number: u64| {
            let record_id = RecordId::from_number(number.cast_signed()).expect("positive");
            let canonical = entry(number, bytes);
            let change = Change { record_id, version: Version(1), clock: Hlc::from_number(number), canonical };
            let sealed = SealedChange::link(self.origin, &cursor.chain, cursor.seq.next(), change);
            cursor = Cursor { seq: sealed.seq, chain: sealed.chain, ..cursor };
            sealed
        };
        let mut previous = Cursor::start(self.origin, Epoch(EPOCH), Lane::Live).chain;
        (0..count)
            .map(|frame| {
                let sealed: Vec<_> = (1..=changes).map(|number| seal(frame * changes + number)).collect();
                let frame = sealer.seal(Lane::Live, &previous, &sealed).expect("fits");
                previous = sealed[sealed.len() - 1].chain;
                frame
            })
            .collect()
    }
}

fn entry(number: u64, bytes: usize) -> Vec<u8> {
    // Digits that do not compress well.
    let noise: String = (0..bytes as u64).map(|at| char::from(b'a' + (at * at * (number + 7) % 26) as u8)).collect();
    let draft = Draft::new(Kind::Death)
        .with(Field::entry(Attribute::Authority), "01.00001")
        .with(Field::entry(Attribute::Note), &noise)
        .with(Field::new(Role::Deceased, Attribute::Name), "Lê An");
    canonical::encode(&draft, Status::Active)
}

fn hello(origin: &str) -> Hello {
    Hello { province: origin.to_owned(), epoch: EPOCH, agent_version: "test".to_owned(), ..Hello::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_province_and_a_wrong_token_are_refused_with_the_remedy() {
    let hub = Hub::start().await;
    let token = hub.enrol("01@2008").await;
    for (origin, token) in [("79@2008", token.expose()), ("01@2008", "0000")] {
        let refused = hub.open(origin, token, hello(origin)).await.err().expect("refused");
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().contains("provinces enrol"), "{}", refused.message());
    }
    hub.open("01@2008", token.expose(), hello("01@2008")).await.expect("the right one is admitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_cannot_speak_for_another() {
    let hub = Hub::start().await;
    let token = hub.enrol("01@2008").await;
    hub.enrol("79@2008").await;
    let mut stream = hub.open("01@2008", token.expose(), hello("79@2008")).await.expect("a stream");
    let Message::Goodbye(goodbye) = stream.hear().await else { panic!("a goodbye") };
    assert_eq!(goodbye.reason(), GoodbyeReason::UnknownProvince);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_frame_and_a_gap_are_asked_for_again_and_nothing_is_lost() {
    let hub = Hub::start().await;
    let mut hanoi = hub.province("01@2008").await;
    let mut saigon = hub.province("79@2008").await;
    let frames = hanoi.frames(3, 10);
    hanoi.say(frames[2].clone()).await;
    let Message::Received(received) = hanoi.hear().await else { panic!("an answer") };
    assert!(received.resend && received.resend_from == 1, "{received:?}");
    hanoi.check_alive(&frames[..1], 1).await;
    let mut damaged = frames[1].clone();
    damaged.payload[20] ^= 0x10;
    hanoi.say(damaged).await;
    let Message::Received(received) = hanoi.hear().await else { panic!("an answer") };
    assert!(received.resend && received.reason.contains("CRC"), "{received:?}");
    let other = saigon.frames(1, 10);
    saigon.check_alive(&other, 1).await;
    hanoi.check_alive(&frames[1..], 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_does_not_continue_ends_the_stream_in_words() {
    let hub = Hub::start().await;
    let mut hanoi = hub.province("01@2008").await;
    let mut frames = hanoi.frames(2, 10);
    hanoi.check_alive(&frames[..1], 1).await;
    frames[1].previous_chain[0] ^= 1;
    frames[1].crc32 = checksum(&frames[1]);
    hanoi.say(frames[1].clone()).await;
    let Message::Goodbye(goodbye) = hanoi.hear().await else { panic!("a goodbye") };
    assert_eq!(goodbye.reason(), GoodbyeReason::Forked);
    assert!(goodbye.detail.contains("enrol it again"), "{}", goodbye.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_turns_provinces_away_for_a_while_and_keeps_what_was_acknowledged() {
    let hub = Hub::start().await;
    let mut hanoi = hub.province("01@2008").await;
    hub.store.limit_pages(80).await.expect("limits");
    let frames = hanoi.frames(400, 3_500);
    let mut acknowledged = 0;
    let mut turned_away = None;
    for frame in &frames {
        hanoi.say(frame.clone()).await;
        match hanoi.hear().await {
            Message::Received(received) => acknowledged = received.seq,
            Message::Goodbye(goodbye) => {
                turned_away = Some(goodbye);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let goodbye = turned_away.expect("the limit was reached");
    assert_eq!(goodbye.reason(), GoodbyeReason::StoreFull);
    assert!(goodbye.detail.contains("free space") && goodbye.retry_after_ms > 0, "{goodbye:?}");
    assert!(acknowledged > 0, "something was acknowledged before");
    hub.store.limit_pages(1_000_000).await.expect("limits");
    let token = hub.enrol("01@2008").await;
    let mut again =
        hub.open("01@2008", token.expose(), Hello { heads: heads(400), ..hello("01@2008") }).await.expect("a stream");
    let Message::Welcome(welcome) = again.hear().await else { panic!("a welcome") };
    assert_eq!(welcome.cursors.iter().map(|cursor| cursor.seq).max(), Some(acknowledged));
    let next = usize::try_from(acknowledged).expect("few");
    again.check_alive(&frames[next..next + 3], acknowledged + 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_faster_than_the_quota_is_told_how_long_to_wait() {
    let hub = Hub::with_quota(Quota { live_records_per_second: 10, ..Quota::default() }).await;
    let mut hanoi = hub.province("01@2008").await;
    let mut told = Vec::new();
    for frame in hanoi.frames_of(100, 26, 10) {
        hanoi.say(frame).await;
        told.push(hanoi.credit().await);
    }
    assert!(told[..20].iter().all(|(_, pause_ms)| *pause_ms == 0), "a burst has no pause: {told:?}");
    let (through, pause_ms) = told[25];
    assert!(through >= 10_000 + 2_000 && pause_ms > 1_000, "a hundred changes take ten seconds: {told:?}");
    assert!(pause_ms <= 60_000, "six hundred take sixty: {told:?}");
    let mut again = hub.open("01@2008", hub.enrol("01@2008").await.expose(), hello("01@2008")).await.expect("admitted");
    let told = again.hear().await;
    assert!(matches!(told, Message::Goodbye(_)), "a store that ends before the journal is refused: {told:?}");
    let (token, hello) = (hub.enrol("01@2008").await, Hello { heads: heads(2_600), ..hello("01@2008") });
    let mut again = hub.open("01@2008", token.expose(), hello).await.expect("admitted");
    let Message::Welcome(welcome) = again.hear().await else { panic!("a welcome") };
    let live = welcome.credits.iter().find(|credit| credit.lane == 1).expect("credit");
    assert!(live.retry_after_ms > 0 && live.through_seq == 2_600, "who comes back brings the debts along: {live:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_more_than_was_granted_is_sent_away_with_a_time_to_come_back() {
    let hub = Hub::with_quota(Quota { live_records_per_second: 10, ..Quota::default() }).await;
    let token = hub.enrol("01@2008").await;
    let mut hanoi = hub.open("01@2008", token.expose(), hello("01@2008")).await.expect("admitted");
    let Message::Welcome(welcome) = hanoi.hear().await else { panic!("a welcome") };
    let granted = welcome.credits.iter().find(|credit| credit.lane == 1).expect("credit").through_seq;
    let mut frame = hanoi.frames(1, 10).remove(0);
    frame.first_seq = granted + 1;
    frame.crc32 = checksum(&frame);
    hanoi.say(frame).await;
    let Message::Goodbye(goodbye) = hanoi.hear().await else { panic!("a goodbye") };
    assert_eq!(goodbye.reason(), GoodbyeReason::Overloaded);
    assert!(goodbye.retry_after_ms >= 1_000 && goodbye.detail.contains("wait for credit"), "{goodbye:?}");
}

fn heads(live: u64) -> Vec<registry_proto::v1::LaneHead> {
    vec![registry_proto::v1::LaneHead { lane: registry_proto::v1::Lane::Live.into(), sealed_seq: live }]
}
