//! One stream of one province, from Hello to Goodbye.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::FuturesOrdered;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use hub_store::lineage::Heard;
use hub_store::model::{FrameEntry, Province};
use hub_store::{NationalStore, StoreError};
use prost::Message as _;
use registry_proto::convert::{self, Hello};
use registry_proto::position::Cursor;
use registry_proto::receiver::{Arrival, Receiver, Step};
use registry_proto::v1;
use registry_schema::holdings::HoldingsKey;
use registry_schema::ids::{Epoch, Lane, Seq};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::allowance::Allowance;
use super::comparing::Comparing;
use super::ending::{End, RETRY_MS, dispute, goodbye, sent_away, unavailable};
use super::evidence::Evidence;
use super::service::Hub;
use super::writer::Refusal;
use crate::admission::Admission;
use crate::door::Peer;
use crate::resync::{self, Prepared};

/// How long a caller may take to say Hello.
const HELLO_MS: u64 = 10_000;
/// How often a session looks for applied changes and notices when nobody wakes it: another process may have judged.
const LOOK_MS: u64 = 500;
/// Notices of one message; the next follow once these are stored.
const NOTICES_PER_MESSAGE: usize = 200;
/// Sums are made with the first session and stay.
const NO_SUMS: &str = "the centre has lost the sums of this province; come again";
type Outcome = (Lane, Seq, usize, usize, Result<(), Refusal>);

/// One stream of one province.
pub(super) struct Session<S> {
    hub: Arc<Hub<S>>,
    province: Province,
    allowance: Allowance,
    stop: CancellationToken,
    peer: Peer,
    evidence: Evidence,
    outbox: mpsc::Sender<Result<v1::StreamResponse, Status>>,
    journaling: FuturesOrdered<BoxFuture<'static, Outcome>>,
    told: BTreeMap<Lane, Seq>,
    notices_sent: u64,
    notices_stored: u64,
    comparing: Comparing<S>,
}

impl<S: NationalStore + 'static> Session<S> {
    pub(super) fn new(
        hub: Arc<Hub<S>>,
        province: Province,
        admission: Admission,
        (stop, peer): (CancellationToken, Peer),
        evidence: Evidence,
        outbox: mpsc::Sender<Result<v1::StreamResponse, Status>>,
    ) -> Self {
        let comparing = Comparing::new(Arc::clone(&hub), province.origin, Epoch(0), BTreeMap::new());
        Self {
            hub,
            province,
            allowance: Allowance::new(admission),
            stop,
            peer,
            evidence,
            outbox,
            journaling: FuturesOrdered::new(),
            told: BTreeMap::new(),
            notices_sent: 0,
            notices_stored: 0,
            comparing,
        }
    }

    pub(super) async fn run(mut self, mut inbox: Streaming<v1::StreamRequest>) {
        let origin = self.province.origin;
        let end = match self.open(&mut inbox).await {
            Ok(receiver) => {
                tracing::info!(province = %origin, "session begins");
                self.serve(receiver, &mut inbox).await
            }
            Err(end) => end,
        };
        match end {
            End::HungUp => tracing::info!(province = %origin, "session ends: the province hung up"),
            End::Goodbye(goodbye) => {
                tracing::info!(province = %origin, reason = goodbye.reason().as_str_name(), detail = goodbye.detail, "session ends");
                dispute(&self.hub, origin, &goodbye).await;
                let _ = self.outbox.send(Ok(goodbye.into())).await;
            }
        }
    }

    /// Hello, checks, Welcome.
    async fn open(&mut self, inbox: &mut Streaming<v1::StreamRequest>) -> Result<Receiver, End> {
        let hello = hello(inbox).await?;
        let origin = self.province.origin;
        let epoch = self.province.epoch.unwrap_or(hello.epoch);
        let cursors = self.hub.store.cursors(origin).await.map_err(|error| unavailable(&error))?;
        let positions: Vec<Cursor> =
            cursors.iter().map(|at| Cursor { epoch: at.epoch, lane: at.lane, seq: at.seq, chain: at.chain }).collect();
        let receiver = Receiver::new(origin, epoch, &positions);
        receiver.admit(&hello).map_err(End::Goodbye)?;
        self.evidence.of_store(hello.epoch);
        let seen = self.hub.store.seen(origin, hello.epoch, hello.agent_version, self.hub.now_ms()).await;
        if seen.map_err(|error| unavailable(&error))? != hello.epoch {
            let detail = "another store of this province came first; enrol the province again for this one";
            return Err(goodbye(v1::GoodbyeReason::WrongEpoch, detail, RETRY_MS));
        }
        fail::fail_point!("hub.welcome");
        let common = self.resume(hello.nation, hello.notice_position).await?;
        (self.notices_sent, self.notices_stored) = (common.position, common.position);
        let applied = |lane: Lane, epoch: Epoch| {
            cursors.iter().find(|at| at.lane == lane && at.epoch == epoch).map(|at| at.applied).unwrap_or_default()
        };
        let mut welcome = v1::Welcome {
            holdings_key: self.holdings_key().await?,
            nation: common.nation,
            notice_position: common.position,
            ..v1::Welcome::default()
        };
        let arrived = receiver.cursors().map(|cursor| (cursor.lane, cursor.seq)).collect();
        self.comparing = Comparing::new(Arc::clone(&self.hub), origin, hello.epoch, arrived);
        if self.province.epoch.is_none() && cursors.iter().any(|cursor| cursor.epoch != hello.epoch) {
            let why = "the province came with a new epoch";
            let begun = resync::begin_unasked(&self.hub.store, origin, why, self.hub.surroundings).await;
            begun.map_err(|error| unavailable(&error))?;
        }
        for cursor in receiver.cursors() {
            let applied = applied(cursor.lane, cursor.epoch);
            welcome.cursors.push(convert::cursor_out(cursor, applied));
            self.told.insert(cursor.lane, applied);
            welcome.credits.push(self.allowance.begin(cursor.lane, cursor.seq));
        }
        self.say(welcome).await?;
        Ok(receiver)
    }

    /// The key of the province's sums, made at its first session.
    async fn holdings_key(&mut self) -> Result<Vec<u8>, End> {
        let (origin, fresh) = (self.province.origin, HoldingsKey::from_bytes((self.hub.surroundings.random)()));
        let key = self.hub.store.holdings_key(origin, fresh).await.map_err(|error| unavailable(&error))?;
        Ok(key.secret_bytes().to_vec())
    }

    /// From which word on the hub goes on. A province that heard more than this nation said, heard it from a past that
    /// was lost with the hub's store, and takes it back.
    async fn resume(&mut self, nation: u64, position: u64) -> Result<Heard, End> {
        // Zero means that none is known.
        let (origin, fresh) = (self.province.origin, self.hub.surroundings.number() | 1);
        let common = self.hub.store.resume(origin, Heard { nation, position }, fresh).await;
        let common = common.map_err(|error| unavailable(&error))?;
        if common.position < position {
            let taken_back = position - common.position;
            tracing::warn!(province = %origin, taken_back, "words of a past that this nation lost are taken back");
        }
        Ok(common)
    }

    async fn serve(&mut self, mut receiver: Receiver, inbox: &mut Streaming<v1::StreamRequest>) -> End {
        let mut applied = self.hub.applied.resubscribe();
        let mut look = tokio::time::interval(Duration::from_millis(LOOK_MS));
        let mut peer = self.peer.clone();
        let mut quota = self.hub.quota.clone();
        loop {
            // What is on disk is acknowledged first. A province has few frames under way in each lane, so what it sends
            // cannot keep the news that come last here waiting for long.
            let step = tokio::select! {
                biased;
                () = self.stop.cancelled() => return self.stopped(),
                ending = peer.ended() => return sent_away(ending),
                Some(outcome) = self.journaling.next() => self.journaled(&mut receiver, outcome).await,
                request = inbox.message() => match request {
                    Ok(Some(request)) => self.hear(&mut receiver, request).await,
                    Ok(None) | Err(_) => return End::HungUp,
                },
                prepared = self.comparing.prepared() => self.offer(prepared).await,
                credit = self.allowance.settled() => self.say(credit).await,
                Ok(()) = quota.changed() => {
                    let credits = self.allowance.forgive().into_iter().map(v1::StreamResponse::from).collect();
                    self.say_all(credits).await
                }
                heard = applied.recv() => match heard {
                    Ok(()) | Err(RecvError::Lagged(_)) => self.look().await,
                    Err(RecvError::Closed) => return self.stopped(),
                },
                _ = look.tick() => self.look().await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn hear(&mut self, receiver: &mut Receiver, request: v1::StreamRequest) -> Result<(), End> {
        match request.message {
            Some(v1::stream_request::Message::Frame(frame)) => match self.granted(receiver, frame)? {
                Step::Append(mut arrival) => {
                    let checked = self.evidence.check(&mut arrival.frame);
                    checked.map_err(|what| goodbye(v1::GoodbyeReason::Protocol, &what, RETRY_MS))?;
                    self.comparing.arrived(&arrival.opened, &arrival.frame.root);
                    self.journal(*arrival).await;
                    Ok(())
                }
                Step::Again(received) => {
                    let received = self.evidence.receipt(received, self.hub.now_ms());
                    self.say(received).await
                }
                Step::Resend(received) => {
                    tracing::warn!(province = %self.province.origin, reason = received.reason, "frames are asked for again");
                    self.comparing.resent();
                    self.say(received).await
                }
                Step::Skip => Ok(()),
                Step::Refuse(goodbye) => Err(End::Goodbye(goodbye)),
            },
            Some(v1::stream_request::Message::NoticeAck(ack)) => {
                self.notices_stored = self.notices_stored.max(ack.notice_position.min(self.notices_sent));
                self.look().await
            }
            Some(v1::stream_request::Message::ResyncAsk(ask)) => {
                let answers = self.comparing.asked(ask).await.map_err(|error| unavailable(&error))?;
                self.say_all(answers).await
            }
            Some(v1::stream_request::Message::ResyncReport(report)) => {
                self.comparing.reported(report).await.map_err(|error| unavailable(&error))
            }
            Some(v1::stream_request::Message::Goodbye(parting)) if parting.reason() == v1::GoodbyeReason::Forked => {
                let detail = "the agent finds another history in its store than the centre has of it";
                Err(goodbye(v1::GoodbyeReason::Forked, detail, RETRY_MS))
            }
            Some(v1::stream_request::Message::Goodbye(_)) => Err(End::HungUp),
            Some(v1::stream_request::Message::Hello(_)) | None => {
                Err(goodbye(v1::GoodbyeReason::Protocol, "only frames and acknowledgements follow Hello", RETRY_MS))
            }
        }
    }

    /// Judges a frame that was granted.
    fn granted(&self, receiver: &mut Receiver, frame: v1::Frame) -> Result<Step, End> {
        self.allowance.check(&frame)?;
        Ok(receiver.receive(frame))
    }

    /// Hands a frame to the journal writer; the acknowledgement follows when it is on disk.
    async fn journal(&mut self, arrival: Arrival) {
        let opened = arrival.opened;
        let entry = FrameEntry {
            origin: self.province.origin,
            epoch: opened.epoch,
            lane: opened.lane,
            first_seq: opened.first_seq,
            last_seq: opened.last_seq,
            previous_chain: opened.previous_chain,
            chain: opened.chain,
            received_ms: self.hub.now_ms(),
            bytes: arrival.frame.encode_to_vec(),
        };
        let (lane, seq, changes, bytes) = (opened.lane, opened.last_seq, opened.changes.len(), entry.bytes.len());
        let answer = self.hub.journal.append(entry).await;
        let outcome = async move {
            let ended = || Err(Refusal::Store("the centre is shutting down".to_owned()));
            (lane, seq, changes, bytes, answer.await.unwrap_or_else(|_| ended()))
        };
        self.journaling.push_back(outcome.boxed());
    }

    async fn journaled(&mut self, receiver: &mut Receiver, outcome: Outcome) -> Result<(), End> {
        let (lane, seq, changes, bytes, result) = outcome;
        match result {
            Ok(()) => {
                fail::fail_point!("hub.ack");
                let received = self.evidence.receipt(receiver.committed(lane, seq), self.hub.now_ms());
                self.say(received).await?;
                let credit = self.allowance.charge(lane, changes, bytes);
                self.say(credit).await
            }
            Err(Refusal::Outrun) => {
                Err(goodbye(v1::GoodbyeReason::Superseded, "another session of this province went on", RETRY_MS))
            }
            Err(Refusal::Store(reason)) => Err(goodbye(v1::GoodbyeReason::StoreFull, &reason, RETRY_MS)),
        }
    }

    /// Tells the province what was applied since, and what there is to say about its entries.
    async fn look(&mut self) -> Result<(), End> {
        let fence = self.hub.store.fence(self.province.origin).await.map_err(|error| unavailable(&error))?;
        let Some(fence) = fence else { return Err(goodbye(v1::GoodbyeReason::Overloaded, NO_SUMS, RETRY_MS)) };
        let roots = self.comparing.agreement(&fence).await.map_err(|error| unavailable(&error))?.into();
        // How far an epoch came that was given up is no news of this one.
        let epoch = self.comparing.epoch();
        for cursor in fence.cursors.into_iter().filter(|cursor| cursor.epoch == epoch) {
            let told = self.told.entry(cursor.lane).or_default();
            if cursor.applied > *told {
                *told = cursor.applied;
                self.say(v1::Applied { lane: convert::lane_number(cursor.lane), seq: cursor.applied.0, roots }).await?;
            }
        }
        self.comparing.look().await.map_err(|error| unavailable(&error))?;
        if self.notices_sent > self.notices_stored {
            return Ok(());
        }
        let notices = self.hub.store.notices(self.province.origin, self.notices_sent, NOTICES_PER_MESSAGE).await;
        let notices = notices.map_err(|error| unavailable(&error))?;
        if let Some(last) = notices.last() {
            self.notices_sent = last.seq;
            fail::fail_point!("hub.notices");
            self.say(v1::NoticeBatch { notices: notices.into_iter().map(notice).collect() }).await?;
        }
        Ok(())
    }

    async fn offer(&mut self, prepared: Result<Option<Prepared>, StoreError>) -> Result<(), End> {
        match prepared.map_err(|error| unavailable(&error))? {
            Some(prepared) => {
                let offer = self.comparing.offer(prepared).await.map_err(|error| unavailable(&error))?;
                self.say_all(offer).await
            }
            None => Ok(()),
        }
    }

    async fn say_all(&mut self, messages: Vec<v1::StreamResponse>) -> Result<(), End> {
        for message in messages {
            self.say(message).await?;
        }
        Ok(())
    }

    fn stopped(&self) -> End {
        if self.hub.stop.is_cancelled() {
            goodbye(v1::GoodbyeReason::ShuttingDown, "the centre is shutting down", 1_000)
        } else {
            goodbye(v1::GoodbyeReason::Superseded, "a new session of this province took over", RETRY_MS)
        }
    }

    /// Sends a message; waits while the province is slow to read.
    fn say<M>(&self, message: M) -> impl Future<Output = Result<(), End>> + Send + use<S, M>
    where
        M: Into<v1::StreamResponse>,
    {
        let (outbox, message) = (self.outbox.clone(), message.into());
        async move { outbox.send(Ok(message)).await.map_err(|_| End::HungUp) }
    }
}

async fn hello(inbox: &mut Streaming<v1::StreamRequest>) -> Result<Hello, End> {
    let first = timeout(Duration::from_millis(HELLO_MS), inbox.message()).await;
    let message = match first {
        Ok(Ok(Some(request))) => request.message,
        Ok(_) => return Err(End::HungUp),
        Err(_) => return Err(goodbye(v1::GoodbyeReason::Protocol, "Hello did not come within ten seconds", RETRY_MS)),
    };
    let Some(v1::stream_request::Message::Hello(hello)) = message else {
        return Err(goodbye(v1::GoodbyeReason::Protocol, "the first message must be Hello", RETRY_MS));
    };
    Hello::try_from(hello).map_err(|error| goodbye(v1::GoodbyeReason::Protocol, &error.to_string(), RETRY_MS))
}

fn notice(row: hub_store::model::NoticeRow) -> v1::Notice {
    let outcome = match row.outcome.as_str() {
        "accepted" => v1::NoticeOutcome::Accepted,
        "rejected" => v1::NoticeOutcome::Rejected,
        "linked" => v1::NoticeOutcome::Linked,
        "case" => v1::NoticeOutcome::Case,
        "resolved" => v1::NoticeOutcome::Resolved,
        "closed" => v1::NoticeOutcome::Closed,
        _ => v1::NoticeOutcome::Unspecified,
    };
    v1::Notice {
        notice_seq: row.seq,
        record_id: row.record.number().cast_unsigned(),
        subject: row.subject,
        outcome: outcome.into(),
        rule: row.rule.unwrap_or_default(),
        others: row.others.iter().map(ToString::to_string).collect(),
        english: row.english,
        vietnamese: row.vietnamese,
        detail_json: row.detail,
    }
}
