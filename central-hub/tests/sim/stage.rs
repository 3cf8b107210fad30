//! What hosts, network and driver share: who is on duty, what is wrong at the moment, and what was seen.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use registry_proto::v1::{self, StreamRequest, StreamResponse, stream_request, stream_response};
use registry_schema::ids::Origin;
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;

use super::clock::{self, CLOCKS};
use super::events::Events;
use super::passes::{Identity, Pass, Passes};
use super::wire::Noise;

/// Hosts that may serve the nation, one after another.
pub(crate) const HUBS: [&str; 2] = ["hub-a", "hub-b"];
/// Hosts of agents; the last runs a copy of another's store.
pub(crate) const AGENTS: [&str; CLOCKS - 1] = ["ha-noi", "nghe-an", "sai-gon", "copy"];
/// The copy among them.
pub(crate) const COPY: usize = 3;

/// How long a simulated disk takes.
pub(crate) type Disk = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// What is wrong with the line to an agent.
pub(crate) struct LineState {
    /// Draws what happens to it: each line and each disk draws for itself, so that no order among them matters.
    pub(crate) chance: ChaCha8Rng,
    /// How often it was cut.
    pub(crate) cuts: u64,
    pub(crate) noise: Noise,
    /// Frames that came, oldest first.
    pub(crate) remembered: VecDeque<Vec<u8>>,
}

/// A program on a host.
#[derive(Default)]
pub(crate) struct Program {
    /// Whether it is to run.
    pub(crate) is_wanted: bool,
    /// Ends it gracefully, while it runs.
    pub(crate) stop: Option<CancellationToken>,
}

/// A disk.
pub(crate) struct DiskState {
    chance: ChaCha8Rng,
    pub(crate) is_slow: bool,
    /// How many more pages fit, when that is few.
    pub(crate) pages_left: Option<u32>,
}

/// The file of an agent's store.
pub(crate) fn store_name(agent: usize) -> String {
    format!("{}.db", AGENTS[agent])
}

/// A disk that takes no time.
pub(crate) fn prompt_disk() -> Disk {
    Arc::new(|| async {}.boxed())
}

impl LineState {
    fn new(seed: u64, agent: &str) -> Self {
        let own = seed ^ agent.bytes().map(u64::from).sum::<u64>() << 32;
        let chance = ChaCha8Rng::seed_from_u64(own);
        Self { chance, cuts: 0, noise: Noise::default(), remembered: VecDeque::new() }
    }
}

impl DiskState {
    fn new(seed: u64, machine: usize) -> Self {
        let chance = ChaCha8Rng::seed_from_u64(seed ^ (machine as u64 + 1) << 48);
        Self { chance, is_slow: false, pages_left: None }
    }

    /// How long it takes this time.
    fn take_ms(&mut self) -> u64 {
        if self.is_slow && self.chance.random_ratio(1, 4) {
            return self.chance.random_range(100..900);
        }
        self.chance.random_range(0..6_u64).saturating_sub(2)
    }
}

/// What hosts, network and driver share.
pub(crate) struct Stage {
    folder: PathBuf,
    origins: Mutex<Vec<Origin>>,
    events: Mutex<Events>,
    failure: Mutex<Option<String>>,
    callers: Mutex<BTreeMap<IpAddr, usize>>,
    /// Whether agents come with certificates; else they come with a token.
    pub(crate) shows_certificates: bool,
    pub(crate) passes: Passes,
    lines: Mutex<[LineState; AGENTS.len()]>,
    hubs: Mutex<[Program; HUBS.len()]>,
    agents: Mutex<[Program; AGENTS.len()]>,
    disks: Mutex<[DiskState; CLOCKS]>,
    /// Reads the national store as another process would.
    reader: Mutex<Connection>,
}

impl Stage {
    pub(crate) fn new(
        folder: &Path,
        origins: Vec<Origin>,
        seed: u64,
        shows_certificates: bool,
        keeps_lines: bool,
    ) -> Self {
        let reader = Connection::open(folder.join("national.db")).unwrap();
        Self {
            folder: folder.to_owned(),
            origins: Mutex::new(origins),
            events: Mutex::new(Events::new(keeps_lines)),
            failure: Mutex::default(),
            callers: Mutex::default(),
            shows_certificates,
            passes: Passes::default(),
            lines: Mutex::new(AGENTS.map(|agent| LineState::new(seed, agent))),
            hubs: Mutex::default(),
            agents: Mutex::default(),
            disks: Mutex::new(std::array::from_fn(|machine| DiskState::new(seed, machine))),
            reader: Mutex::new(reader),
        }
    }

    pub(crate) fn national(&self) -> PathBuf {
        self.folder.join("national.db")
    }

    pub(crate) fn provincial(&self, agent: usize) -> PathBuf {
        self.folder.join(store_name(agent))
    }

    /// What an agent shows and signs with: the copy of a store has what its original has.
    pub(crate) fn identity(&self, agent: usize) -> Identity {
        Identity::of(&self.folder, self.origin(agent))
    }

    /// A file that belongs to nobody.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The province of an agent.
    pub(crate) fn origin(&self, agent: usize) -> Origin {
        self.origins.lock().unwrap()[agent]
    }

    /// Says whose store the copy is.
    pub(crate) fn set_copy(&self, origin: Origin) {
        self.origins.lock().unwrap()[COPY] = origin;
    }

    pub(crate) fn note(&self, kind: &'static str, what: impl Display) {
        self.events.lock().unwrap().note(kind, what);
    }

    pub(crate) fn events<T>(&self, look: impl FnOnce(&Events) -> T) -> T {
        look(&self.events.lock().unwrap())
    }

    /// Something is wrong that never may be; the first such thing counts.
    pub(crate) fn fail(&self, what: String) {
        self.note("failure", &what);
        self.failure.lock().unwrap().get_or_insert(what);
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap().clone()
    }

    pub(crate) fn name_caller(&self, address: IpAddr, agent: usize) {
        self.callers.lock().unwrap().insert(address, agent);
    }

    pub(crate) fn caller(&self, address: IpAddr) -> usize {
        self.callers.lock().unwrap()[&address]
    }

    pub(crate) fn line<T>(&self, agent: usize, act: impl FnOnce(&mut LineState) -> T) -> T {
        act(&mut self.lines.lock().unwrap()[agent])
    }

    pub(crate) fn hub<T>(&self, hub: usize, act: impl FnOnce(&mut Program) -> T) -> T {
        act(&mut self.hubs.lock().unwrap()[hub])
    }

    pub(crate) fn agent<T>(&self, agent: usize, act: impl FnOnce(&mut Program) -> T) -> T {
        act(&mut self.agents.lock().unwrap()[agent])
    }

    /// The host to which agents connect.
    pub(crate) fn hub_on_duty(&self) -> &'static str {
        let hubs = self.hubs.lock().unwrap();
        HUBS[hubs.iter().position(|hub| hub.is_wanted).unwrap_or_default()]
    }

    pub(crate) fn disk_state<T>(&self, machine: usize, act: impl FnOnce(&mut DiskState) -> T) -> T {
        act(&mut self.disks.lock().unwrap()[machine])
    }

    /// The disk of a machine, which numbers as its clock does.
    pub(crate) fn disk(self: &Arc<Self>, machine: usize) -> Disk {
        let stage = Arc::clone(self);
        Arc::new(move || {
            let ms = stage.disk_state(machine, DiskState::take_ms);
            async move {
                if ms > 0 {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                }
            }
            .boxed()
        })
    }

    /// An agent shows a certificate.
    pub(crate) fn shown(&self, agent: usize, certificate: &[u8]) -> Arc<Pass> {
        let pass = self.passes.show(agent, certificate);
        if !pass.counted_when_shown() {
            self.note("barred", agent);
        }
        pass
    }

    /// The hub lets a certificate's bearer speak.
    pub(crate) fn let_in(&self, pass: &Pass) {
        if !pass.counted_when_shown() {
            self.fail("somebody was let in by a certificate that did not count".to_owned());
        }
    }

    /// An agent said something.
    pub(crate) fn heard(&self, agent: usize, message: &StreamRequest) {
        use stream_request::Message;
        match &message.message {
            Some(Message::Hello(hello)) => {
                self.note("hello", format_args!("{agent} epoch {} {:?}", hello.epoch, hello.heads));
            }
            Some(Message::Frame(frame)) => {
                let v1::Frame { lane, first_seq, count, crc32, .. } = frame;
                self.note("frame", format_args!("{agent} lane {lane} {first_seq}+{count} {crc32:08x}"));
            }
            Some(other) => self.note("asked", format_args!("{agent} {other:?}")),
            None => {}
        }
    }

    /// The hub said something to the agent whose store is of this epoch.
    pub(crate) fn said(&self, agent: usize, epoch: u64, message: &StreamResponse) {
        use stream_response::Message;
        match &message.message {
            Some(Message::Received(received)) => {
                let v1::Received { lane, seq, resend, .. } = received;
                self.note("received", format_args!("{agent} lane {lane} {seq} resend {resend}"));
                let journaled = self.journaled(agent, epoch, *lane);
                if *seq > journaled {
                    self.fail(format!("{} lane {lane}: {seq} is acknowledged, {journaled} is durable", AGENTS[agent]));
                }
            }
            Some(Message::Applied(v1::Applied { lane, seq, roots })) => {
                self.note("applied", format_args!("{agent} lane {lane} {seq} roots {roots}"));
                let (journaled, judged) = (self.journaled(agent, epoch, *lane), self.judged(agent, epoch, *lane));
                if *seq > journaled || *seq > judged {
                    self.fail(format!("{} lane {lane}: {seq} is called applied, {judged} is judged", AGENTS[agent]));
                }
            }
            Some(Message::Welcome(welcome)) => self.note("welcome", format_args!("{agent} {:?}", welcome.cursors)),
            Some(Message::NoticeBatch(batch)) => {
                self.note(
                    "notices",
                    format_args!("{agent} up to {:?}", batch.notices.last().map(|last| last.notice_seq)),
                );
            }
            Some(Message::Goodbye(goodbye)) => {
                self.note("goodbye", format_args!("{agent} {} {}", goodbye.reason().as_str_name(), goodbye.detail));
                if goodbye.detail.contains("has expired") {
                    self.note("expired", agent);
                }
            }
            Some(Message::ResyncOffer(offer)) => {
                self.note("offered", format_args!("{agent} {} {:?} {:?}", offer.resync_id, offer.applied, offer.root));
            }
            Some(_) | None => {}
        }
    }

    /// How far a lane is in the journal on disk.
    pub(crate) fn journaled(&self, agent: usize, epoch: u64, lane: i32) -> u64 {
        let sql = "SELECT coalesce(max(last_seq), 0) FROM journal
                   WHERE source = 1 AND origin = ?1 AND epoch = ?2 AND lane = ?3";
        self.ask(sql, agent, epoch, lane)
    }

    /// How far a lane is judged: its entries up to the watermark of their queue.
    fn judged(&self, agent: usize, epoch: u64, lane: i32) -> u64 {
        let sql = "SELECT coalesce(max(last_seq), 0) FROM journal JOIN watermark USING (queue)
                   WHERE source = 1 AND origin = ?1 AND epoch = ?2 AND lane = ?3 AND journal.journal_id <= watermark.journal_id";
        self.ask(sql, agent, epoch, lane)
    }

    /// Entries of the journal that wait to be judged.
    pub(crate) fn waiting(&self) -> u64 {
        let sql =
            "SELECT count(*) FROM journal JOIN watermark USING (queue) WHERE journal.journal_id > watermark.journal_id";
        self.reader.lock().unwrap().query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
    }

    /// The last word to a province.
    pub(crate) fn words(&self, agent: usize) -> u64 {
        let sql = "SELECT coalesce(max(notice_seq), 0) FROM notice WHERE origin = ?1";
        let origin = self.origin(agent).number();
        self.reader.lock().unwrap().query_row(sql, [origin], |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
    }

    fn ask(&self, sql: &str, agent: usize, epoch: u64, lane: i32) -> u64 {
        let reader = self.reader.lock().unwrap();
        let mut statement = reader.prepare_cached(sql).unwrap();
        let values = params![self.origin(agent).number(), epoch.cast_signed(), lane];
        statement.query_row(values, |row| row.get::<_, i64>(0)).unwrap().cast_unsigned()
    }

    /// Notes the time of the driver.
    pub(crate) fn pass(&self, elapsed: Duration) {
        clock::pass(i64::try_from(elapsed.as_millis()).unwrap());
    }
}
