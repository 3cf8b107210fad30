//! One stream to the centre, from Hello to its end.

use std::collections::VecDeque;
use std::time::Duration;

use registry_proto::MESSAGE_BYTES_MAX;
use registry_proto::frame::{FRAME_RAW_BYTES_MAX, FrameSealer, take_within};
use registry_proto::sender::{Agent, Event, Sender, SenderError, Want};
use registry_proto::v1::sync_service_client::SyncServiceClient;
use registry_proto::v1::{self, StreamRequest, StreamResponse};
use registry_schema::digest::Hash256;
use registry_schema::ids::{Lane, Seq};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::inbox::Inbox;
use super::{Ending, Heads, KeptReceipt, Uplink, link};
use crate::change_log;
use crate::config::Access;
use crate::credentials::{Credentials, Folder};
use crate::error_chain::words;
use crate::identity::Token;
use crate::notices;
use crate::resync::{Desk, Resync};
use crate::store::state::{self, ConnectionReport, ConnectionState};
use crate::store::{Store, StoreError};

/// Messages that wait for the network beside the one being written. A live change waits behind them, so: one.
const OUTGOING_MAX: usize = 1;
/// How long the centre may take to answer Hello.
const WELCOME_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a stopping agent waits for the centre's last words.
const LAST_WORDS_WAIT_MAX: Duration = Duration::from_secs(2);
/// How often a stopping agent tries to write them down.
const LAST_WRITE_ATTEMPTS: usize = 5;

/// The agent's side of one stream.
pub(super) struct Session<'a> {
    uplink: &'a mut Uplink,
    sender: Sender,
    frames: FrameSealer,
    inbox: Inbox,
    credentials: Option<Credentials>,
    ack: Option<v1::NoticeAck>,
    is_ready: bool,
    started: Instant,
    /// Where the centre stood when the stream began.
    cursors: Heads,
    resync: Resync,
    /// What a comparison has to say.
    said: VecDeque<StreamRequest>,
}

impl<'a> Session<'a> {
    /// Opens a stream and works on it until it ends.
    pub(super) async fn run(uplink: &'a mut Uplink) -> Ending {
        let stop = uplink.stop.clone();
        let mut session = match Self::prepare(uplink).await {
            Ok(session) => session,
            Err(ending) => return ending,
        };
        let (outgoing, requests) = mpsc::channel(OUTGOING_MAX);
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => return Ending::Stopped,
            opened = session.open(&outgoing, requests) => opened,
        };
        let mut responses = match opened {
            Ok(responses) => responses,
            Err(ending) => return ending,
        };
        let ending = session.work(outgoing.clone(), &mut responses).await.unwrap_or_else(|ending| ending);
        if matches!(ending, Ending::Forked(_)) {
            part(outgoing, &mut responses).await;
        } else {
            drop(outgoing);
            session.close(&ending, &mut responses).await;
        }
        ending
    }

    /// Everything a stream begins with, read from the store at one point.
    async fn prepare(uplink: &'a mut Uplink) -> Result<Self, Ending> {
        let incarnation = uplink.incarnation;
        let read = |store: &mut Store| {
            let connection = store.connection();
            Ok((change_log::lanes(connection)?, state::notice_seq(connection)?, state::nation(connection)?))
        };
        let (lanes, notice_position, nation) = uplink.store.call(read).await?;
        let heads: Heads = lanes.into_iter().map(|(lane, state)| (lane, state.sealed)).collect();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let agent = Agent { origin: incarnation.origin, epoch: incarnation.epoch, version, notice_position, nation };
        let frames = FrameSealer::new(incarnation.origin, incarnation.epoch).map_err(|error| lost(&error))?;
        let sender = Sender::new(agent, &heads);
        let credentials = match &uplink.access {
            Access::Identity(folder) => {
                Some(Folder::new(folder).load().map_err(|error| Ending::Refused(error.to_string()))?)
            }
            Access::Token(_) => None,
        };
        let (inbox, started) = (Inbox::new(), Instant::now());
        let (resync, said) = (Resync::default(), VecDeque::new());
        Ok(Self {
            uplink,
            sender,
            frames,
            inbox,
            credentials,
            ack: None,
            is_ready: false,
            started,
            cursors: Heads::new(),
            resync,
            said,
        })
    }

    /// Connects, and says Hello on a new stream.
    async fn open(
        &self,
        outgoing: &mpsc::Sender<StreamRequest>,
        requests: mpsc::Receiver<StreamRequest>,
    ) -> Result<Streaming<StreamResponse>, Ending> {
        let mut request = Request::new(ReceiverStream::new(requests));
        if let Access::Token(file) = &self.uplink.access {
            let token = Token::load(file).map_err(|error| Ending::Refused(error.to_string()))?;
            token.present(self.uplink.incarnation.origin, request.metadata_mut());
        }
        let tls = self.credentials.as_ref().map(|credentials| credentials.tls.clone());
        let channel = link::connect(&self.uplink.connect, &self.uplink.hub, tls).await?;
        outgoing.send(self.sender.hello().into()).await.map_err(|error| lost(&error))?;
        let mut client = SyncServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
        match timeout(WELCOME_WAIT_MAX, client.stream(request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(link::failed(&status)),
            Err(_) => Err(silent()),
        }
    }

    /// Sends and receives until the stream ends. What is said first comes first: new heads before frames, so that a
    /// live change is seen before the next frame of a backlog is cut; answers before frames, since a frame waits for the
    /// store, and a clerk may wait for an answer.
    async fn work(
        &mut self,
        outgoing: mpsc::Sender<StreamRequest>,
        responses: &mut Streaming<StreamResponse>,
    ) -> Result<Ending, Ending> {
        let stop = self.uplink.stop.clone();
        let mut heads = self.uplink.heads.clone();
        heads.mark_changed();
        loop {
            let now_ms = self.now_ms();
            self.sender.tick(now_ms).map_err(|error| ended(&error))?;
            let want = self.sender.wants(now_ms);
            let due = self.inbox.due();
            let wake = self.sender.wake_at_ms(now_ms).map(|at_ms| self.started + Duration::from_millis(at_ms));
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(Ending::Stopped),
                () = sleep_until(due.unwrap_or(self.started)), if due.is_some() => self.write().await?,
                Ok(()) = heads.changed() => {
                    heads.borrow_and_update().iter().for_each(|(lane, seq)| self.sender.sealed(*lane, *seq));
                }
                response = responses.message(), if self.inbox.has_room() => {
                    if let Some(ending) = self.take(response).await? {
                        return Ok(ending);
                    }
                }
                Ok(permit) = outgoing.reserve(), if want.is_some() || self.ack.is_some() || !self.said.is_empty() => {
                    if let Some(request) = self.next_request(want).await? {
                        permit.send(request);
                    }
                }
                () = sleep_until(wake.unwrap_or(self.started)), if wake.is_some() => {}
                () = sleep_until(self.started + WELCOME_WAIT_MAX), if !self.is_ready => return Err(silent()),
            }
        }
    }

    async fn next_request(&mut self, want: Option<Want>) -> Result<Option<StreamRequest>, Ending> {
        if let Some(ack) = self.ack.take() {
            return Ok(Some(ack.into()));
        }
        if let Some(said) = self.said.pop_front() {
            return Ok(Some(said));
        }
        match want {
            Some(want) => Ok(self.frame(want).await?.map(StreamRequest::from)),
            None => Ok(None),
        }
    }

    /// Loads and makes the frame that the protocol asks for.
    async fn frame(&mut self, want: Want) -> Result<Option<v1::Frame>, Ending> {
        let Want { lane, from, changes_max } = want;
        let load = move |store: &mut Store| {
            let previous = store.chain_at(lane, from.0 - 1)?;
            let mut changes = change_log::load(store.connection(), lane, from, changes_max, FRAME_RAW_BYTES_MAX)?;
            changes.truncate(take_within(&changes));
            let root = store.walk_with(lane, &changes)?;
            Ok((previous, changes, root))
        };
        let (previous, changes, root) = self.uplink.store.call(load).await?;
        let (Some(previous), Some(last)) = (previous, changes.last()) else {
            return Err(StoreError::Damaged(format!("change {from} of lane {lane} is missing")).into());
        };
        if !self.sender.sent(want, last.seq, self.now_ms()) {
            return Ok(None);
        }
        let sealed = self.frames.seal(lane, &previous, &changes);
        let mut frame = sealed.map_err(|error| StoreError::Damaged(error.to_string()))?;
        if let Some(root) = root {
            frame.root = root.0.to_vec();
            frame.crc32 = registry_proto::frame::checksum(&frame);
        }
        if let Some(credentials) = &self.credentials {
            credentials.signing.sign_frame(self.uplink.incarnation.origin, &mut frame);
        }
        fail::fail_point!("agent.frame");
        Ok(Some(frame))
    }

    /// Takes one message of the centre in.
    async fn take(&mut self, response: Result<Option<StreamResponse>, Status>) -> Result<Option<Ending>, Ending> {
        let Some(response) = response.map_err(|status| link::failed(&status))? else {
            return Err(Ending::Lost("the centre closed the stream".to_owned()));
        };
        if let Some(v1::stream_response::Message::Received(received)) = &response.message {
            self.keep_receipt(received);
        }
        for event in self.sender.receive(response, self.now_ms()).map_err(|error| ended(&error))? {
            match event {
                Event::Nation { nation, notice_position } => {
                    let take_back =
                        move |store: &mut Store| notices::take_back(store.connection(), nation, notice_position);
                    self.uplink.store.call(take_back).await?;
                }
                Event::CursorAt { lane, seq, chain, applied } => self.compare(lane, seq, chain, applied).await?,
                Event::HoldingsKey(key) => {
                    self.uplink.store.call(move |store| store.take_holdings_key(&key)).await?;
                }
                Event::Resync(said) => {
                    let desk = Desk { store: &self.uplink.store, now_ms: (self.uplink.wall_ms)() };
                    self.said.extend(self.resync.take(desk, said).await?);
                }
                Event::Ready => {
                    let at = std::mem::take(&mut self.cursors);
                    self.uplink.store.call(move |store| store.move_holdings(&at)).await?;
                    self.uplink.pace.succeeded();
                    tracing::info!(hub = self.uplink.hub, "a stream to the centre is open");
                    self.is_ready = true;
                    let (state, since_ms) = (ConnectionState::Connected, (self.uplink.wall_ms)());
                    self.inbox.reported(ConnectionReport { state, since_ms, error: None });
                }
                Event::Received { lane, seq } => self.inbox.received(lane, seq),
                Event::Applied { lane, seq } => self.inbox.applied(lane, seq),
                Event::Notices(notices) => self.inbox.noticed(notices),
                Event::Goodbye { reason, detail, retry_after_ms } => {
                    let retry_after = Duration::from_millis(retry_after_ms);
                    return Ok(Some(Ending::Goodbye { reason, detail, retry_after }));
                }
            }
        }
        Ok(None)
    }

    /// Keeps what the centre signed: the proof that it took the changes.
    fn keep_receipt(&mut self, received: &v1::Received) {
        let Some(hub) = self.credentials.as_ref().and_then(|credentials| credentials.hub) else { return };
        let incarnation = self.uplink.incarnation;
        match hub.verify_received(incarnation.origin, incarnation.epoch, received) {
            Ok(receipt) => self.inbox.receipted(KeptReceipt::new(receipt, &received.signature)),
            Err(error) => tracing::warn!(%error, "an acknowledgement of the centre is no receipt"),
        }
    }

    /// Compares the centre's history of a lane with the store's own. A centre that came back from a backup stands where
    /// it stood once, and goes on from there.
    async fn compare(&mut self, lane: Lane, seq: Seq, chain: Hash256, applied: Seq) -> Result<(), Ending> {
        let compare = move |store: &mut Store| match store.chain_at(lane, seq.0)? {
            Some(own) if own == chain => change_log::go_back(store.connection(), lane, seq, applied).map(Some),
            _ => Ok(None),
        };
        let Some(lost) = self.uplink.store.call(compare).await? else {
            return Err(Ending::Forked(format!("lane {lane} differs at change {seq}")));
        };
        if lost > 0 {
            tracing::warn!(%lane, lost, "the centre has lost changes that it had acknowledged; they are sent again");
        }
        self.cursors.insert(lane, seq);
        self.inbox.received(lane, seq);
        Ok(())
    }

    /// Writes down what the centre said. A store that is only busy gets another try later.
    async fn write(&mut self) -> Result<(), Ending> {
        let now_ms = (self.uplink.wall_ms)();
        let words = self.inbox.take();
        let write = move |store: &mut Store| {
            let result = words.write(store, now_ms);
            Ok((words, result))
        };
        match self.uplink.store.call(write).await? {
            (_, Ok(position)) => self.ack = position.map(|seq| self.sender.notices_stored(seq)).or(self.ack.take()),
            (words, Err(error)) if error.passes() => {
                tracing::debug!(%error, "the centre's words are not written down yet");
                self.inbox.put_back(words);
            }
            (_, Err(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// Hears the centre out when the daemon stops, and writes down what was said last. The requests' side is closed by
    /// now, which tells the centre that nothing more comes.
    async fn close(&mut self, ending: &Ending, responses: &mut Streaming<StreamResponse>) {
        if matches!(ending, Ending::Stopped) {
            let hear = async { while let Ok(None) = self.take(responses.message().await).await {} };
            // Whatever is not heard now is said again on the next stream.
            let _late = timeout(LAST_WORDS_WAIT_MAX, hear).await;
        }
        for _ in 0..LAST_WRITE_ATTEMPTS {
            if self.inbox.due().is_none() || self.write().await.is_err() {
                break;
            }
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Tells the centre that histories differ, for its operators to read, and hears it close the stream.
async fn part(outgoing: mpsc::Sender<StreamRequest>, responses: &mut Streaming<StreamResponse>) {
    let parting = v1::Goodbye { reason: v1::GoodbyeReason::Forked.into(), ..v1::Goodbye::default() };
    let say_and_hear = async {
        if outgoing.send(parting.into()).await.is_ok() {
            while let Ok(Some(_)) = responses.message().await {}
        }
    };
    // Unheard, it is said again on the next stream.
    let _late = timeout(LAST_WORDS_WAIT_MAX, say_and_hear).await;
}

/// What an error of the protocol means.
fn ended(error: &SenderError) -> Ending {
    match error {
        SenderError::Restored { .. } => Ending::Forked(error.to_string()),
        SenderError::Protocol(_) | SenderError::Stuck { .. } => lost(error),
    }
}

fn silent() -> Ending {
    Ending::Lost(format!("the centre did not answer Hello within {} s", WELCOME_WAIT_MAX.as_secs()))
}

fn lost(error: &dyn std::error::Error) -> Ending {
    Ending::Lost(words(error))
}
