//! A hub that journals into memory, and can be told to misbehave.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use registry_proto::convert::{self, Hello};
use registry_proto::frame::OpenedChange;
use registry_proto::position::Cursor;
use registry_proto::receiver::{Receiver, Step};
use registry_proto::v1::stream_request::Message;
use registry_proto::v1::sync_service_server::{SyncService, SyncServiceServer};
use registry_proto::v1::{self, StreamRequest, StreamResponse};
use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

pub(crate) const PROVINCE: &str = "01@2008";
pub(crate) const TOKEN: &str = "s3cret-t0ken";

/// What the hub does wrong.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    /// Cuts a stream when this many frames have come, after the last was journaled and before it is acknowledged.
    pub(crate) cut_after_frames: Option<usize>,
    /// Waits this long before each frame is journaled.
    pub(crate) pause_per_frame: Duration,
    /// Claims a history that the store does not have.
    pub(crate) foreign_history: bool,
    /// Lets in only agents with this token.
    pub(crate) token: Option<String>,
}

/// What has arrived.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    pub(crate) cursors: BTreeMap<Lane, Cursor>,
    pub(crate) changes: Vec<(Lane, OpenedChange)>,
    pub(crate) streams: usize,
    pub(crate) notice_positions: Vec<u64>,
    notices: Vec<v1::Notice>,
}

pub(crate) struct Hub {
    pub(crate) address: String,
    journal: Arc<Mutex<Journal>>,
    stop: CancellationToken,
}

impl Hub {
    pub(crate) async fn start(faults: impl FnOnce(&mut Faults)) -> Self {
        Self::serve("127.0.0.1:0".parse().unwrap(), faults).await
    }

    /// A hub at the address of one that has stopped.
    pub(crate) async fn start_at(address: &str) -> Self {
        Self::serve(address.trim_start_matches("http://").parse().unwrap(), |_| {}).await
    }

    async fn serve(at: SocketAddr, change: impl FnOnce(&mut Faults)) -> Self {
        let mut faults = Faults { token: Some(TOKEN.to_owned()), ..Faults::default() };
        change(&mut faults);
        let listener = TcpListener::bind(at).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (journal, stop) = (Arc::new(Mutex::new(Journal::default())), CancellationToken::new());
        let service = SyncServiceServer::new(Service { journal: journal.clone(), faults });
        let stopped = stop.clone().cancelled_owned();
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped));
        Self { address, journal, stop }
    }

    pub(crate) fn journal(&self) -> Journal {
        self.journal.lock().unwrap().clone()
    }

    pub(crate) fn stop(self) -> String {
        self.stop.cancel();
        self.address
    }
}

struct Service {
    journal: Arc<Mutex<Journal>>,
    faults: Faults,
}

type Answers = mpsc::Sender<Result<StreamResponse, Status>>;

#[tonic::async_trait]
impl SyncService for Service {
    type StreamStream = ReceiverStream<Result<StreamResponse, Status>>;

    async fn stream(&self, request: Request<Streaming<StreamRequest>>) -> Result<Response<Self::StreamStream>, Status> {
        let metadata = request.metadata();
        let expected = format!("Bearer {}", self.faults.token.as_deref().unwrap());
        if metadata.get("authorization").unwrap() != expected.as_str() {
            return Err(Status::unauthenticated("unknown token"));
        }
        assert_eq!(metadata.get("x-province").unwrap(), PROVINCE);
        let (answers, answered) = mpsc::channel(100);
        let (journal, faults) = (self.journal.clone(), self.faults.clone());
        tokio::spawn(converse(journal, faults, request.into_inner(), answers));
        Ok(Response::new(ReceiverStream::new(answered)))
    }
}

/// One stream from Hello to its end; `None` ends it.
async fn converse(
    journal: Arc<Mutex<Journal>>,
    faults: Faults,
    mut requests: Streaming<StreamRequest>,
    answers: Answers,
) -> Option<()> {
    let Message::Hello(hello) = requests.message().await.ok()??.message? else { panic!("no Hello") };
    let hello = Hello::try_from(hello).unwrap();
    let mut receiver = {
        let mut journal = journal.lock().unwrap();
        journal.streams += 1;
        journal.notice_positions.push(hello.notice_position);
        Receiver::new(hello.origin, hello.epoch, &journal.cursors.values().copied().collect::<Vec<_>>())
    };
    receiver.admit(&hello).unwrap();
    answers.send(Ok(welcome(&receiver, &hello, faults.foreign_history).into())).await.ok()?;
    let mut frames = 0;
    while let Some(request) = requests.message().await.ok()? {
        let Some(Message::Frame(frame)) = request.message else { continue };
        let step = receiver.receive(frame);
        let Step::Append(arrival) = step else { panic!("the agent sent what was not asked for: {step:?}") };
        tokio::time::sleep(faults.pause_per_frame).await;
        let opened = arrival.opened;
        let (lane, seq) = (opened.lane, opened.last_seq);
        let notices = append(&mut journal.lock().unwrap(), hello.origin, hello.epoch, opened);
        frames += 1;
        if faults.cut_after_frames == Some(frames) {
            let _ = answers.send(Err(Status::unavailable("the line is cut"))).await;
            return None;
        }
        answers.send(Ok(receiver.committed(lane, seq).into())).await.ok()?;
        answers.send(Ok(v1::Applied { lane: convert::lane_number(lane), seq: seq.0, roots: 0 }.into())).await.ok()?;
        answers.send(Ok(v1::NoticeBatch { notices }.into())).await.ok()?;
    }
    Some(())
}

fn welcome(receiver: &Receiver, hello: &Hello, foreign_history: bool) -> v1::Welcome {
    let mut cursors: Vec<_> = receiver.cursors().map(|cursor| convert::cursor_out(cursor, cursor.seq)).collect();
    if foreign_history {
        let cursor = Cursor { chain: Hash256([1; 32]), ..Cursor::start(hello.origin, hello.epoch, Lane::Live) };
        cursors[0] = convert::cursor_out(&cursor, Seq(0));
    }
    let credit = |lane| v1::Credit { lane: convert::lane_number(lane), through_seq: u64::MAX, retry_after_ms: 0 };
    v1::Welcome { cursors, credits: Lane::ALL.map(credit).into(), ..v1::Welcome::default() }
}

/// Journals a frame, and makes a notice for each of its changes.
fn append(
    journal: &mut Journal,
    origin: Origin,
    epoch: Epoch,
    opened: registry_proto::frame::Opened,
) -> Vec<v1::Notice> {
    let before = journal.cursors.get(&opened.lane).copied();
    let before = before.unwrap_or_else(|| Cursor::start(origin, epoch, opened.lane));
    assert_eq!((before.seq.next(), before.chain), (opened.first_seq, opened.previous_chain), "a gap in the journal");
    let after = Cursor { seq: opened.last_seq, chain: opened.chain, ..before };
    journal.cursors.insert(opened.lane, after);
    let mut notices = Vec::new();
    for change in opened.changes {
        // Not for every change of a backlog: one batch holds a thousand.
        if notices.len() < 900 {
            notices.push(v1::Notice {
                notice_seq: (journal.notices.len() + notices.len() + 1) as u64,
                record_id: change.record_id.number().cast_unsigned(),
                subject: "entry".to_owned(),
                outcome: v1::NoticeOutcome::Linked.into(),
                ..v1::Notice::default()
            });
        }
        journal.changes.push((opened.lane, change));
    }
    journal.notices.extend(notices.iter().cloned());
    notices
}
