//! Some minutes of a nation's life with everything that can happen in it, while what it takes is watched: memory, open files,
//! write-ahead logs and lag must not grow.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
#[path = "../crash/books.rs"]
mod books;
#[allow(dead_code, reason = "each test of real programs uses a part of it")]
#[path = "../crash/clerks.rs"]
mod clerks;
#[path = "../../store/tests/cluster/mod.rs"]
mod cluster;
mod gauge;
#[allow(dead_code, reason = "each test of real programs uses a part of it")]
#[path = "../nation/mod.rs"]
mod nation;
#[path = "../faults/proxy.rs"]
mod proxy;

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use books::Books;
use clerks::Clerks;
use gauge::{Gauge, Sample};
use nation::patience::output;
use nation::{Agent, Nation, wait_until};
use proxy::Proxy;

/// The provinces and their offices.
const PROVINCES: [(&str, &str); 6] = [
    ("01@2008", "01.00001"),
    ("79@2008", "79.00001"),
    ("48@2008", "48.00001"),
    ("31@2008", "31.00001"),
    ("92@2008", "92.00001"),
    ("15@2008", "15.00001"),
];
/// Between two entries of a clerk.
const BEAT: Duration = Duration::from_millis(100);
/// How the hub's allocator is told to give back at once what is not used, so that what is resident is what is held: by
/// itself it waits some seconds, for it may be used again (jemalloc(3)).
const THRIFT: [(&str, &str); 1] = [("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0,narenas:1")];
/// Minutes, when nobody says how many.
const MINUTES: u64 = 3;
/// Rows of a file that is imported.
const FILE_ROWS: usize = 500;

struct Life {
    nation: Nation,
    agents: Vec<Agent>,
    clerks: Vec<Clerks>,
    proxy: Proxy,
    chance: StdRng,
    gauge: Gauge,
}

#[test]
#[ignore = "takes minutes: `make soak MINUTES=n` runs it"]
fn nothing_grows() {
    let minutes = std::env::var("HOTICH_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(MINUTES);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut nation = Nation::with_certificates(&[]);
    nation.kill_hub();
    nation.prepare_hub(THRIFT.map(|(name, value)| (name, value.to_owned())).into());
    nation.start_hub();
    let proxy = runtime.block_on(Proxy::start(nation.address().to_string()));
    nation.through(proxy.address.port());
    let mut agents: Vec<Agent> = PROVINCES.iter().map(|(province, _)| nation.enrol(province)).collect();
    agents.iter_mut().for_each(Agent::start);
    let offices = PROVINCES.iter().map(|(_, office)| office).zip(&agents).enumerate();
    let clerks =
        offices.map(|(seed, (office, agent))| Clerks::new(&agent.path("store.db"), office, seed as u64)).collect();
    let (chance, gauge) = (StdRng::seed_from_u64(1), Gauge::default());
    let mut life = Life { nation, agents, clerks, proxy, chance, gauge };
    let begun = Instant::now();
    let mut beat = 0_u64;
    while begun.elapsed() < Duration::from_secs(minutes * 60) {
        life.live(beat);
        std::thread::sleep(BEAT);
        beat += 1;
    }
    life.end(begun.elapsed());
}

impl Life {
    /// One beat: clerks write, and now and then something happens.
    fn live(&mut self, beat: u64) {
        self.clerks.iter_mut().for_each(|clerks| clerks.write(2));
        let whom = self.chance.random_range(0..self.agents.len());
        if beat.is_multiple_of(10) {
            self.sample();
        }
        match beat % 200 {
            20 | 120 => self.import(whom),
            50 | 100 | 150 => drop(self.proxy.cut()),
            70 | 170 => {
                self.agents[whom].kill();
                self.agents[whom].start();
            }
            90 => self.compare(whom),
            130 | 190 => self.answer(),
            _ => {}
        }
    }

    fn import(&mut self, whom: usize) {
        let folder = self.nation.path(PROVINCES[whom].0);
        let file = self.clerks[whom].backlog(&folder, FILE_ROWS);
        self.agents[whom].json(&["import", &file, "--kind", "death"]);
    }

    fn compare(&self, whom: usize) {
        let arguments = ["resync", "start", PROVINCES[whom].0, "--deep", "--operator", "lan", "--reason", "a habit"];
        // One may be open still.
        output(&mut self.nation.hub_command(&arguments));
    }

    /// An operator answers the first case that is open.
    fn answer(&self) {
        let list = self.nation.hub_json(&["cases", "list", "--open", "--limit", "1"]);
        let (Some(id), Some(rule)) = (list["findings"][0]["id"].as_str(), list["findings"][0]["rule"].as_str()) else {
            return;
        };
        let answer = if rule == "one_event" || rule == "double_registration" { "same" } else { "different" };
        let arguments = ["cases", "resolve", id, answer, "--operator", "lan", "--reason", "seen in the books"];
        output(&mut self.nation.hub_command(&arguments));
    }

    fn sample(&mut self) {
        let stats = self.nation.hub_json(&["stats"]);
        let written: usize = self.clerks.iter().map(Clerks::states).sum();
        let lag = written as i64 - stats["applied"].as_i64().unwrap_or_default();
        let bytes = |path: &str| std::fs::metadata(path).map_or(0, |file| file.len());
        let wal = |path: &str| bytes(&format!("{path}-wal"));
        let national = self.nation.path("national.db").display().to_string();
        self.gauge.add(Sample::new(
            self.nation.hub_process(),
            &self.agents.iter().filter_map(Agent::process).collect::<Vec<_>>(),
            (bytes(&national), wal(&national)),
            self.agents.iter().map(|agent| wal(&agent.path("store.db"))).max().unwrap_or_default(),
            lag.max(0).unsigned_abs(),
        ));
    }

    fn end(mut self, took: Duration) {
        for agent in &mut self.agents {
            if agent.is_dead() {
                agent.kill();
                agent.start();
            }
        }
        let states: usize = self.clerks.iter().map(Clerks::states).sum();
        wait_until("everything is applied", || {
            self.nation.hub_json(&["stats"])["applied"].as_u64() >= Some(states as u64)
        });
        self.nation.settle(&self.agents.iter().collect::<Vec<_>>());
        self.nation.check_books();
        for (clerks, (province, _)) in self.clerks.iter().zip(PROVINCES) {
            let origin = province.parse::<registry_schema::ids::Origin>().expect("a province");
            clerks.check(&Books::file(&self.nation.path("national.db")), origin.number());
        }
        let grown = self.gauge.write(took, states);
        assert!(grown.is_empty(), "{grown:?}");
    }
}
