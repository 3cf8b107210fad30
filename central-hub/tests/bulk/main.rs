//! The bulk path on a real server: row by row it reaches the state of the daily path, and it is seen only when it is whole.

#[path = "../../store/tests/cluster/mod.rs"]
mod cluster;
mod place;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use central_hub::bulk::{self, Built, BulkError, Step, Watch};
use central_hub::reconcile::Reconciler;
use cluster::Database;
use hub_rules::islands::Cut;
use hub_rules::policy::{Policy, ruling};
use hub_rules::{Arrival, State};
use hub_store::conformance::World;
use hub_store::model::{Append, FrameEntry, Province, Queue, Watermark};
use hub_store::postgres::Postgres;
use hub_store::{Holdings as _, Journal as _, Registry as _};
use prost::Message as _;
use registry_fixtures::{Country, Noise, Params};
use registry_proto::frame::{Change, FrameSealer, SealedChange};
use registry_proto::position::Cursor;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::digest::Hash256;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field, Role};
use registry_schema::holdings::HoldingsKey;
use registry_schema::ids::{Epoch, Lane, Origin, RecordKey, Version};
use registry_schema::kind::{Kind, Status};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// Small worlds in the ordinary run; `HOTICH_SEEDS` asks for more.
const SEEDS: u64 = 8;
const EPOCH: Epoch = Epoch(3);
/// How long a test waits for something that takes a second on an idle machine, in seconds.
const PATIENCE_SECONDS: u64 = 60;

fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("HOTICH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(SEEDS)
}

/// Tables of the judgement, each row in words; when something was said or changed is no part of it.
const TABLES: [&str; 13] = [
    "SELECT queue, journal_id FROM watermark",
    "SELECT * FROM record",
    "SELECT * FROM past",
    // Pages and rows hold the same stands, and a stand that is in both counts twice.
    "SELECT block, origin, record_id, role FROM block UNION ALL
     SELECT ('x' || substr(stand, 1, 16))::bit(64)::bigint, ('x' || substr(stand, 17, 4))::bit(16)::int,
       ('x' || substr(stand, 21, 16))::bit(64)::bigint, ('x' || substr(stand, 37, 2))::bit(8)::int
     FROM (SELECT substr(encode(stands, 'hex'), at, 38) AS stand
           FROM block_page, generate_series(1, 2 * octet_length(stands), 38) AS at) AS paged",
    "SELECT * FROM void_block",
    "SELECT * FROM member",
    "SELECT finding_id, scope, certainty, rule, records, evidence, answer, chosen FROM finding",
    "SELECT * FROM finding_record",
    "SELECT * FROM verdict",
    "SELECT * FROM verdict_record",
    "SELECT * FROM digest",
    "SELECT * FROM tally WHERE count <> 0",
    "SELECT * FROM ruling",
];

struct Nation {
    database: Database,
    store: Postgres,
    lanes: Mutex<BTreeMap<Origin, (FrameSealer, Cursor)>>,
}

impl Nation {
    /// A nation that has heard of some arrivals and judged none of them.
    async fn of(arrivals: &[Arrival]) -> Self {
        let database = Database::create().await;
        let store = database.store().await;
        let nation = Self { database, store, lanes: Mutex::default() };
        nation.hear(arrivals).await;
        for origin in nation.origins() {
            let name = origin.to_string();
            let token_hash = Hash256([0; 32]);
            let province = Province { origin, name, token_hash, epoch: None, last_seen_ms: None, agent_version: None };
            nation.store.enrol(province, 0).await.expect("enrols");
            nation.store.holdings_key(origin, HoldingsKey::from_bytes([7; 32])).await.expect("a key");
        }
        nation.store.judge_under(ruling(&Policy::default())).await.expect("notes");
        nation
    }

    /// Journals arrivals at once, each in a frame of its own.
    async fn hear(&self, arrivals: &[Arrival]) {
        let append = |arrival: &Arrival| match arrival {
            Arrival::Verdict(verdict) => Append::Verdict { verdict: verdict.clone(), received_ms: 0 },
            Arrival::State(key, state) => {
                let mut lanes = self.lanes.lock().expect("nobody panicked");
                let lane = lanes.entry(key.origin).or_insert_with(|| {
                    let sealer = FrameSealer::new(key.origin, EPOCH).expect("a sealer");
                    (sealer, Cursor::start(key.origin, EPOCH, Lane::Backlog))
                });
                Append::Frame(frame(*key, state, lane))
            }
        };
        self.store.append(arrivals.iter().map(append).collect()).await.expect("appends");
    }

    fn origins(&self) -> Vec<Origin> {
        self.lanes.lock().expect("nobody panicked").keys().copied().collect()
    }

    /// Whether everything that was journaled is judged.
    async fn is_judged(&self) -> bool {
        let after = self.store.digests().await.expect("reads").watermark;
        for queue in [Queue::Live, Queue::Backlog] {
            if !self.store.next(queue, after.of(queue), 1).await.expect("reads").is_empty() {
                return false;
            }
        }
        true
    }

    async fn judge_day_by_day(&self) {
        let mut reconciler = Reconciler::new(self.store.clone()).await.expect("starts");
        while reconciler.step().await.expect("judges").is_some() {}
    }

    async fn build(&self, cut: Cut, stop: CancellationToken) -> Result<Built, BulkError> {
        let scratch = tempfile::tempdir().expect("a scratch folder");
        let watch = Watch { progress: &|_, _| {}, stop };
        let built = bulk::build(&self.store, &Arc::default(), (Watermark::END, cut), scratch.path(), &watch).await?;
        Ok(built.expect("a server can have two registries"))
    }

    async fn judge_in_bulk(&self, cut: Cut) {
        let built = self.build(cut, CancellationToken::new()).await.expect("builds");
        let taken = built.aside.take_place(&built.applied, &ruling(&Policy::default())).await;
        taken.expect("takes its place").clear().await.expect("clears up");
        assert_eq!(self.schemas().await, 0);
    }

    /// How many schemas there are that nobody should see.
    async fn schemas(&self) -> i64 {
        let sql = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('hotich_old', 'hotich_aside')";
        self.database.client().await.query_one(sql, &[]).await.expect("reads").get(0)
    }

    /// Everything that was judged, in words.
    async fn rows(&self) -> Vec<String> {
        let client = self.database.client().await;
        let mut tables = Vec::new();
        for sql in TABLES {
            let sql = format!("SELECT coalesce(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM ({sql}) AS t");
            tables.push(client.query_one(&sql, &[]).await.expect("reads").get(0));
        }
        for origin in self.origins() {
            let (fence, holding) = self.store.holding(origin).await.expect("reads").expect("is kept");
            assert_eq!(fence.root, holding.root());
            tables.push(format!("{:?} {holding:?}", fence.cursors.iter().map(|at| at.applied).collect::<Vec<_>>()));
        }
        tables
    }
}

/// One state as the next frame of its province.
fn frame(key: RecordKey, state: &State, (sealer, cursor): &mut (FrameSealer, Cursor)) -> FrameEntry {
    let (record_id, version, clock, canonical) = (key.id, state.version, state.clock, state.canonical.to_vec());
    let change = Change { record_id, version, clock, canonical };
    let previous_chain = cursor.chain;
    let sealed = SealedChange::link(key.origin, &previous_chain, cursor.seq.next(), change);
    *cursor = Cursor { seq: sealed.seq, chain: sealed.chain, ..*cursor };
    let frame = sealer.seal(Lane::Backlog, &previous_chain, std::slice::from_ref(&sealed)).expect("fits a frame");
    FrameEntry {
        origin: key.origin,
        epoch: EPOCH,
        lane: Lane::Backlog,
        first_seq: sealed.seq,
        last_seq: sealed.seq,
        previous_chain,
        chain: sealed.chain,
        received_ms: 0,
        bytes: frame.encode_to_vec(),
    }
}

/// The states of a small country with more than ordinary noise.
fn country() -> Vec<Arrival> {
    let noise =
        Noise { double_birth: 120, double_marriage: 120, repeated_number: 60, digitised_twice: 60, ..Noise::default() };
    let params = Params { seed: 5, people: 400, provinces: 3, noise, ..Params::default() };
    let country = Country::generate(&params).expect("parameters within bounds");
    let mut arrivals = Vec::new();
    for entry in country.entries().expect("files can be written") {
        for (at, (draft, status)) in (1_u32..).zip(&entry.versions) {
            let clock = Hlc::from_unix_ms(1_000 + u64::from(at));
            arrivals.push(Arrival::State(entry.key, State::new(Version(at), clock, canonical::encode(draft, *status))));
        }
    }
    arrivals
}

/// One of the deaths of one day under one name, some of which are withdrawn later.
fn death(number: usize, name: &str, version: u32, status: Status) -> Arrival {
    let draft = Draft::new(Kind::Death)
        .with(Field::entry(Attribute::Authority), "01.00001")
        .with(Field::entry(Attribute::EventDate), "02.02.1968")
        .with(Field::new(Role::Deceased, Attribute::Name), name);
    let key = format!("01@2008/{number}").parse().expect("a key");
    let clock = Hlc::from_unix_ms(u64::from(version));
    Arrival::State(key, State::new(Version(version), clock, canonical::encode(&draft, status)))
}

async fn check(arrivals: &[Arrival], cut: Cut, what: &str) {
    let nation = Nation::of(arrivals).await;
    nation.judge_day_by_day().await;
    let stands = nation.rows().await;
    nation.judge_in_bulk(cut).await;
    for (before, after) in stands.iter().zip(nation.rows().await) {
        assert_eq!(*before, after, "{what}");
    }
    // The daily path goes on where the bulk path ended.
    let mut reconciler = Reconciler::new(nation.store.clone()).await.expect("starts");
    assert!(reconciler.step().await.expect("judges").is_none(), "{what}: something was left to judge");
}

#[tokio::test(flavor = "multi_thread")]
async fn small_worlds_are_the_same_however_finely_they_are_cut() {
    for seed in seeds() {
        let at = u32::try_from(seed).expect("few seeds");
        let cut = Cut { island_records_max: 1 + at % 5, batch_records: 1 + at % 7 };
        check(&World::new(seed).arrivals, cut, &format!("seed {seed}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_country_is_the_same_in_one_batch_and_in_many() {
    let arrivals = country();
    assert!(arrivals.len() > 500, "a country worth judging");
    for cut in [Cut { island_records_max: 12, batch_records: 30 }, Cut::default()] {
        check(&arrivals, cut, &format!("{cut:?}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_and_leaves_after_bulk_does_so_as_on_any_day() {
    let (mut early, mut late): (Vec<Arrival>, Vec<Arrival>) = (Vec::new(), Vec::new());
    for (at, arrival) in country().into_iter().enumerate() {
        if at % 2 == 0 { early.push(arrival) } else { late.push(arrival) }
    }
    // A crowd that is judged at once and loses most of itself, and one that becomes a crowd later and loses as much.
    let (crowd, growing) = ("Nguyễn Thị Thảo Nhi Vy", "Đặng Vũ Hoài Thiên Ân");
    early.extend((1..=70).map(|number| death(number, crowd, 1, Status::Active)));
    early.extend((101..=140).map(|number| death(number, growing, 1, Status::Active)));
    late.extend((141..=170).map(|number| death(number, growing, 1, Status::Active)));
    let leave = |name, numbers: RangeInclusive<usize>| {
        numbers.map(move |number| death(number, name, 2, Status::Cancelled)).collect::<Vec<Arrival>>()
    };
    let parts = [late, leave(crowd, 5..=70), leave(growing, 103..=168)];
    let mut nations = [Nation::of(&early).await, Nation::of(&early).await];
    nations[0].judge_in_bulk(Cut::default()).await;
    nations[1].judge_day_by_day().await;
    for (number, part) in parts.iter().enumerate() {
        let mut rows = Vec::new();
        for nation in &mut nations {
            nation.hear(part).await;
            nation.judge_day_by_day().await;
            rows.push(nation.rows().await);
        }
        assert_eq!(rows[0], rows[1], "after part {number}");
    }
    let pages = "SELECT count(*) FROM block_page";
    let pages: i64 = nations[0].database.client().await.query_one(pages, &[]).await.expect("reads").get(0);
    assert!(pages > 100, "what was judged at once stands in {pages} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_interrupted_is_seen_by_nobody_and_begun_anew() {
    let nation = Nation::of(&country()).await;
    nation.judge_day_by_day().await;
    let stands = nation.rows().await;
    let (stop, told) = (CancellationToken::new(), AtomicU64::new(0));
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let cut = Cut { island_records_max: 12, batch_records: 30 };
    let stopping = stop.clone();
    let progress = move |step, _| {
        if step == Step::Judge && told.fetch_add(1, Ordering::Relaxed) == 3 {
            stopping.cancel();
        }
    };
    let watch = Watch { progress: &progress, stop };
    let end = (Watermark::END, cut);
    let built = bulk::build(&nation.store, &Arc::default(), end, scratch.path(), &watch).await;
    assert!(matches!(built, Err(BulkError::Interrupted)), "it ended");
    assert_eq!(nation.rows().await, stands);
    nation.judge_in_bulk(cut).await;
    assert_eq!(nation.rows().await, stands);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_backlog_is_judged_in_bulk_by_itself_and_the_daily_path_goes_on() {
    const TABLE: &str = "SELECT 'record'::regclass::oid::bigint";
    let arrivals = country();
    let (late, early) = (&arrivals[..40], &arrivals[40..]);
    let nation = Nation::of(early).await;
    let client = nation.database.client().await;
    let stood: i64 = client.query_one(TABLE, &[]).await.expect("asks").get(0);
    let (journaled, hears) = watch::channel(0);
    let (applied, mut told) = broadcast::channel(1);
    let stop = CancellationToken::new();
    let reconciler = Reconciler::new(nation.store.clone()).await.expect("starts").in_bulk_from(100);
    let running = tokio::spawn(reconciler.run(hears, applied, stop.clone()));
    tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), told.recv()).await.expect("in time").expect("judges");
    let stands: i64 = client.query_one(TABLE, &[]).await.expect("asks").get(0);
    assert_ne!(stood, stands, "a registry that was built aside stands now");
    nation.hear(late).await;
    journaled.send_replace(1);
    while !nation.is_judged().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    running.await.expect("ends");
    let twin = Nation::of(&[early, late].concat()).await;
    twin.judge_day_by_day().await;
    assert_eq!(
        nation.store.digests().await.expect("reads").digests,
        twin.store.digests().await.expect("reads").digests
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_to_come_is_judged_in_small_batches() {
    let arrivals = country();
    let nation = Nation::of(&arrivals[..1]).await;
    let (journaled, hears) = watch::channel(0);
    let (applied, mut told) = broadcast::channel(arrivals.len());
    let stop = CancellationToken::new();
    let reconciler = Reconciler::new(nation.store.clone()).await.expect("starts");
    let running = tokio::spawn(reconciler.run(hears, applied, stop.clone()));
    tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), told.recv()).await.expect("in time").expect("judges");
    nation.hear(&arrivals[1..]).await;
    journaled.send_replace(1);
    while !nation.is_judged().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    running.await.expect("ends");
    let batches = std::iter::from_fn(|| told.try_recv().ok()).count();
    assert!(batches * 200 >= arrivals.len() - 1, "{} states in {batches} batches", arrivals.len());
}
