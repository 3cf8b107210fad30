//! What an open port has to bear, on real sockets of a real hub: silent, slow and hasty callers, and hollow frames. The
//! neighbours are served meanwhile, and the hub's memory stays where it was.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use h2::SendStream;
use h2::client::{ResponseFuture, SendRequest};
use nation::clerk::Clerk;
use nation::{Nation, resident_kib};
use prost::Message as _;
use registry_proto::frame::checksum;
use registry_proto::v1::{Codec, Frame, Hello, StreamRequest};
use registry_schema::digest::chain_start;
use registry_schema::ids::{Epoch, Lane};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tonic::codegen::Bytes;
use tonic::codegen::http::Request;

/// Callers of each kind.
const CALLERS: usize = 20;
/// Requests that one caller begins and takes back.
const RESETS: usize = 10_000;
/// How long the abuse goes on: longer than any patience of the hub.
const ABUSE: Duration = Duration::from_secs(14);
/// What a live entry may take meanwhile: far above what it takes alone, far below what waiting for a caller would be.
const LIVE_MAX: Duration = Duration::from_secs(2);
/// What the hub's memory may grow by, in kibibytes.
const GROWTH_KIB_MAX: u64 = 64 * 1024;
/// Requests that one caller has open at once, or would like to.
const STREAMS: u32 = 40;
/// Requests of one connection that the hub lets be open.
const STREAMS_MAX: usize = 4;
/// Pieces of 15 KiB of headers that never end.
const HEADER_PIECES: usize = 1_000;
/// Bytes of headers after which the hub has hung up, with what the sockets between hold.
const HEADER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a hollow frame unpacks to.
const BOMB_BYTES: usize = 1 << 30;

/// A caller who has the token of a province.
#[derive(Clone)]
struct Caller {
    address: SocketAddr,
    token: String,
}

impl Caller {
    fn enrolled(nation: &Nation, province: &str) -> Self {
        let file = nation.path("caller.token");
        nation.hub_ok(&["provinces", "enrol", province, "--token-file", &file.display().to_string()]);
        let token = std::fs::read_to_string(file).expect("a token").trim().to_owned();
        Self { address: nation.address(), token }
    }

    async fn connect(&self) -> SendRequest<Bytes> {
        let socket = TcpStream::connect(self.address).await.expect("connects");
        let (requests, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        tokio::spawn(connection);
        requests
    }

    /// Begins a stream, as an agent does.
    fn begin(&self, requests: &mut SendRequest<Bytes>) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let request = Request::post(format!("http://{}/registry.v1.SyncService/Stream", self.address))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-province", "48@2008")
            .header("authorization", format!("Bearer {}", self.token));
        requests.send_request(request.body(()).expect("a request"), false)
    }

    /// Says Hello, and then a message so slowly that it would take minutes; whether the stream ends.
    async fn trickle(self) -> bool {
        let mut requests = self.connect().await.ready().await.expect("ready");
        let (response, mut body) = self.begin(&mut requests).expect("begins");
        body.send_data(message(&hello().encode_to_vec()), false).expect("Hello");
        let mut answers = response.await.expect("an answer").into_body();
        body.send_data(Bytes::from_static(&[0, 0, 0, 3, 0xff]), false).expect("the head of a message");
        let began = Instant::now();
        while began.elapsed() < ABUSE {
            let _ = body.send_data(Bytes::from_static(b"x"), false);
            if let Ok(None | Some(Err(_))) = timeout(Duration::from_millis(200), answers.data()).await {
                return true;
            }
        }
        false
    }

    /// Begins requests and takes them back at once (CVE-2023-44487); how many went through until the hub hung up. Frame by
    /// frame, since a library would not even send what is taken back.
    async fn hurry(self) -> usize {
        let mut socket = TcpStream::connect(self.address).await.expect("connects");
        socket.write_all(&preface()).await.expect("writes");
        let head = head("/registry.v1.SyncService/Stream");
        for at in 0..RESETS {
            let stream = u32::try_from(2 * at + 1).expect("few");
            let request = [frame(1, 4, stream, &head), frame(3, 0, stream, &8_u32.to_be_bytes())].concat();
            if socket.write_all(&request).await.is_err() {
                return at;
            }
        }
        RESETS
    }
}

/// A frame of HTTP/2 (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// How a connection begins: the preface, and no wishes.
fn preface() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &frame(4, 0, 0, &[])].concat()
}

/// POST, http, and a path (RFC 7541: two indexed fields, then a literal one).
fn head(path: &str) -> Vec<u8> {
    [&[0x83, 0x86, 0x04, u8::try_from(path.len()).expect("short")], path.as_bytes()].concat()
}

/// Begins requests and goes on with none of them; how many of them the hub refused.
async fn many_streams(address: SocketAddr) -> usize {
    let mut socket = TcpStream::connect(address).await.expect("connects");
    // An enrolment is answered when it is whole, so each of them stays open.
    let head = head("/registry.v1.EnrolmentService/Enrol");
    let requests: Vec<u8> = (0..STREAMS).flat_map(|at| frame(1, 4, 2 * at + 1, &head)).collect();
    socket.write_all(&[preface(), requests].concat()).await.expect("writes");
    let mut refused = 0;
    let mut start = [0; 9];
    while let Ok(Ok(_)) = timeout(Duration::from_secs(1), socket.read_exact(&mut start)).await {
        let length = u32::from_be_bytes([0, start[0], start[1], start[2]]);
        let mut payload = vec![0; length as usize];
        socket.read_exact(&mut payload).await.expect("a whole frame");
        // RST_STREAM with REFUSED_STREAM (RFC 9113, 6.4 and 7).
        refused += usize::from(start[3] == 3 && payload == 7_u32.to_be_bytes());
    }
    refused
}

/// Sends headers that never end (CVE-2024-27316); how many bytes went through until the hub hung up.
async fn endless_headers(address: SocketAddr) -> usize {
    let mut socket = TcpStream::connect(address).await.expect("connects");
    let field = [&[0, 1, b'a', 100][..], &[b'b'; 100]].concat();
    let fields = field.repeat(150);
    let begun = frame(1, 0, 1, &head("/registry.v1.EnrolmentService/Enrol"));
    socket.write_all(&[preface(), begun].concat()).await.expect("writes");
    for at in 0..HEADER_PIECES {
        if socket.write_all(&frame(9, 0, 1, &fields)).await.is_err() {
            return at * fields.len();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    HEADER_PIECES * fields.len()
}

/// Whether a caller who begins a connection and says no more is sent away in time.
async fn half_preface(address: SocketAddr) -> bool {
    let mut socket = TcpStream::connect(address).await.expect("connects");
    socket.write_all(b"PRI * HTTP/2").await.expect("writes");
    matches!(timeout(ABUSE, socket.read(&mut [0; 64])).await, Ok(Ok(0) | Err(_)))
}

fn hello() -> StreamRequest {
    let hello =
        Hello { province: "48@2008".to_owned(), epoch: 7, agent_version: "test".to_owned(), ..Hello::default() };
    hello.into()
}

/// A message of gRPC: no compression, its length, itself.
fn message(bytes: &[u8]) -> Bytes {
    let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
    [&[0], &length[..], bytes].concat().into()
}

/// A frame of a few kilobytes that says it has two megabytes, and unpacks to a gigabyte.
fn bomb() -> Frame {
    let origin = "48@2008".parse().expect("a province");
    let start = chain_start(origin, Epoch(7), Lane::Live).0.to_vec();
    let payload =
        zstd::stream::encode_all(std::io::Read::take(std::io::repeat(0), BOMB_BYTES as u64), 3).expect("packs");
    assert!(payload.len() < 256 * 1024, "{}", payload.len());
    let (raw_bytes, chain) = (2 * 1024 * 1024, vec![0; 32]);
    let mut frame = Frame {
        lane: 1,
        epoch: 7,
        first_seq: 1,
        count: 1,
        codec: Codec::Zstd.into(),
        raw_bytes,
        previous_chain: start,
        chain,
        payload,
        ..Frame::default()
    };
    frame.crc32 = checksum(&frame);
    frame
}

#[test]
fn silent_slow_and_hasty_callers_cost_the_neighbours_nothing() {
    let nation = Nation::new();
    let mut hanoi = nation.enrol("01@2008");
    let mut clerk = Clerk::new(&hanoi);
    hanoi.start();
    clerk.write();
    let caller = Caller::enrolled(&nation, "48@2008");
    let before_kib = resident_kib(nation.hub_id());
    let runtime = Runtime::new().expect("a runtime");
    let silent: Vec<_> = (0..CALLERS).map(|_| runtime.spawn(half_preface(caller.address))).collect();
    let slow = runtime.spawn(caller.clone().trickle());
    let hasty: Vec<_> = (0..4).map(|_| runtime.spawn(caller.clone().hurry())).collect();
    let (began, mut slowest, mut resident_kib_max, mut written) = (Instant::now(), Duration::ZERO, 0, 0);
    while began.elapsed() < ABUSE {
        slowest = slowest.max(clerk.write());
        resident_kib_max = resident_kib_max.max(resident_kib(nation.hub_id()));
        written += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    runtime.block_on(async {
        for caller in silent {
            assert!(caller.await.expect("ends"), "half a preface holds its socket");
        }
        assert!(slow.await.expect("ends"), "a trickled message holds its stream");
        for caller in hasty {
            let resets = caller.await.expect("ends");
            assert!(resets < RESETS, "{resets} requests were taken back");
        }
    });
    assert!(written > 20 && slowest < LIVE_MAX, "{written} entries, the slowest in {slowest:?}");
    let growth_kib = resident_kib_max.saturating_sub(before_kib);
    assert!(growth_kib < GROWTH_KIB_MAX, "{growth_kib} KiB");
}

#[test]
fn many_streams_are_refused_and_endless_headers_end_the_connection() {
    let nation = Nation::new();
    let before_kib = resident_kib(nation.hub_id());
    Runtime::new().expect("a runtime").block_on(async {
        assert_eq!(many_streams(nation.address()).await, STREAMS as usize - STREAMS_MAX);
        let bytes = endless_headers(nation.address()).await;
        assert!(bytes < HEADER_BYTES_MAX, "{bytes} bytes of headers were taken");
    });
    let growth_kib = nation::memory_kib(nation.hub_id(), "VmHWM:").expect("it runs") - before_kib;
    assert!(growth_kib < GROWTH_KIB_MAX, "{growth_kib} KiB");
}

#[test]
fn a_frame_that_unpacks_to_a_gigabyte_is_refused_in_little_memory() {
    let nation = Nation::new();
    let caller = Caller::enrolled(&nation, "48@2008");
    let (before_kib, bomb) = (resident_kib(nation.hub_id()), message(&StreamRequest::from(bomb()).encode_to_vec()));
    Runtime::new().expect("a runtime").block_on(async {
        let mut requests = caller.connect().await.ready().await.expect("ready");
        let (response, mut body) = caller.begin(&mut requests).expect("begins");
        body.send_data(message(&hello().encode_to_vec()), false).expect("Hello");
        let mut answers = response.await.expect("an answer").into_body();
        for _ in 0..10 {
            body.send_data(bomb.clone(), false).expect("a bomb");
        }
        let mut said = Vec::new();
        while let Ok(Some(Ok(bytes))) = timeout(Duration::from_secs(2), answers.data()).await {
            let _ = answers.flow_control().release_capacity(bytes.len());
            said.extend_from_slice(&bytes);
        }
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("decompress") || said.contains("bytes"), "{said}");
    });
    let most_kib = nation::memory_kib(nation.hub_id(), "VmHWM:").expect("it runs");
    assert!(most_kib - before_kib < GROWTH_KIB_MAX, "from {before_kib} to {most_kib} KiB");
    assert_eq!(nation.hub_json(&["stats"])["received"], 0);
}
