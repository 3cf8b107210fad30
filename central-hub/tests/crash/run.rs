//! One run: two provinces with their clerks, a hub, and what is done to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

use super::books::Books;
use super::clerks::Clerks;
use super::nation::patience::output;
use super::nation::{Agent, Environment, Nation, wait_until};
use super::points::Way;

/// The provinces, their offices, and their numbers in the national store.
const PROVINCES: [(&str, &str); 2] = [("01@2008", "01.00001"), ("79@2008", "79.00001")];
/// How long an armed program may live while its clerks write.
const PATIENCE: Duration = Duration::from_secs(60);
/// A failpoint is passed up to so many times before it is the end.
const PASSED_MAX: u32 = 2;
/// Between two rounds of the clerks while something is waited for: what a kill costs is bounded, however long it takes.
const BEAT: Duration = Duration::from_millis(5);
/// Milliseconds that a random kill may be in coming.
const RANDOM_MS_MAX: u64 = 150;
/// Rows of one imported file: two transactions of the import and more.
const FILE_ROWS: usize = 120;

/// What came of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    /// Whether its store was on a server.
    pub(crate) on_server: bool,
    pub(crate) kills: usize,
    /// How often each failpoint ended a program.
    pub(crate) hits: BTreeMap<&'static str, usize>,
    /// Committed states of entries, each of which is in the nation once.
    pub(crate) states: usize,
    /// Changes that the hub acknowledged.
    pub(crate) acknowledged: i64,
    pub(crate) national_digest: String,
    /// What a hub that nobody killed makes of the same provinces.
    pub(crate) digest_without_kills: String,
    pub(crate) seconds: f64,
}

/// See the module.
pub(crate) struct Run {
    seed: u64,
    pub(crate) chance: StdRng,
    nation: Nation,
    books: Books,
    agents: [Agent; 2],
    clerks: [Clerks; 2],
    hits: BTreeMap<&'static str, usize>,
    kills: usize,
    /// The entry whose row disappeared last.
    lost: Option<i64>,
    begun: Instant,
}

impl Run {
    pub(crate) fn begin(seed: u64, on_server: bool) -> Self {
        let (nation, books) = if on_server {
            let books = Books::server();
            (Nation::on_server(books.url().expect("it is a server's")), books)
        } else {
            let nation = Nation::with_certificates(&[]);
            let books = Books::file(&nation.path("national.db"));
            (nation, books)
        };
        let mut agents = PROVINCES.map(|(province, _)| nation.enrol(province));
        let mut number = 0;
        let clerks = PROVINCES.map(|(_, office)| {
            number += 1;
            Clerks::new(&agents[number - 1].path("store.db"), office, seed * 2 + number as u64)
        });
        agents.iter_mut().for_each(Agent::start);
        let (chance, hits, begun) = (StdRng::seed_from_u64(seed), BTreeMap::new(), Instant::now());
        let mut run = Self { seed, chance, nation, books, agents, clerks, hits, kills: 0, lost: None, begun };
        for province in 0..PROVINCES.len() {
            run.import(province, &Vec::new());
        }
        wait_until("the first entries are there", || run.nation.hub_json(&["stats"])["applied"].as_i64() >= Some(240));
        run
    }

    /// Kills one of the programs, or all of them, at some moment.
    pub(crate) fn kill_at_random(&mut self) {
        let end = Instant::now() + Duration::from_millis(self.chance.random_range(0..RANDOM_MS_MAX));
        while Instant::now() < end {
            self.write(1);
            std::thread::sleep(BEAT);
        }
        let whom = self.chance.random_range(0..4);
        if whom == 0 || whom == 3 {
            self.nation.kill_hub();
        }
        for (number, agent) in self.agents.iter_mut().enumerate() {
            if whom == 3 || whom == number + 1 {
                agent.kill();
            }
        }
        self.write(4);
        self.kills += 1;
        self.revive();
    }

    /// Kills a program where it passes a failpoint.
    pub(crate) fn kill_at(&mut self, (name, way): (&'static str, Way)) {
        let province = self.chance.random_range(0..PROVINCES.len());
        let hit = self.nation.path("hit");
        let armed = |nth: u32| {
            let hit = hit.display().to_string();
            Environment::from([("HOTICH_FAILPOINTS", format!("{name}={nth}")), ("HOTICH_FAILPOINTS_HIT", hit)])
        };
        let nth = self.chance.random_range(1..=PASSED_MAX);
        match way {
            Way::Hub => self.arm_hub(armed(nth)),
            Way::HubCompares => {
                self.lose_a_row();
                self.arm_hub(armed(1));
                self.compare();
            }
            Way::Agent => self.arm_agent(province, armed(nth)),
            Way::AgentCompares => {
                self.lose_a_row();
                self.arm_agent(0, armed(1));
                self.compare();
            }
            Way::Import => self.import(province, &armed(1)),
            Way::Audit => self.command(&["audit"], &armed(1)),
            Way::Backup => self.back_up(&armed(1)),
            Way::Restore => self.restore(&armed(1)),
        }
        self.await_end(name, way, province);
        std::fs::remove_file(&hit).expect("it was there");
        *self.hits.entry(name).or_default() += 1;
        self.kills += 1;
        self.write(4);
        self.revive();
        wait_until("the lost row is mended", || self.lost.is_none_or(|lost| self.is_in_the_nation(lost)));
    }

    /// Lets clerks write until the armed program has come to its end at the failpoint.
    fn await_end(&mut self, name: &str, way: Way, province: usize) {
        let began = Instant::now();
        loop {
            let is_dead = match way {
                Way::Hub | Way::HubCompares => self.nation.is_hub_dead(),
                Way::Agent => self.agents[province].is_dead(),
                Way::AgentCompares => self.agents[0].is_dead(),
                Way::Import | Way::Audit | Way::Backup | Way::Restore => true,
            };
            // The hit is written a moment before the end.
            let is_hit = self.nation.path("hit").exists();
            let logs = self.nation.path("");
            match (is_hit, is_dead) {
                (true, true) => return,
                (false, true) => panic!("the program ended before it passed {name}; logs are in {}", logs.display()),
                _ => assert!(began.elapsed() < PATIENCE, "nobody passed {name}; logs are in {}", logs.display()),
            }
            self.write(1);
            std::thread::sleep(BEAT);
        }
    }

    fn arm_hub(&mut self, environment: Environment) {
        self.nation.kill_hub();
        self.nation.prepare_hub(environment);
        self.nation.start_hub();
    }

    fn arm_agent(&mut self, province: usize, environment: Environment) {
        self.agents[province].kill();
        self.agents[province].prepare(environment);
        self.agents[province].start();
    }

    /// Whoever is dead lives again, and is not armed.
    fn revive(&mut self) {
        if self.nation.is_hub_dead() {
            self.nation.kill_hub();
            self.nation.start_hub();
        }
        for agent in &mut self.agents {
            if agent.is_dead() {
                agent.kill();
                agent.start();
            }
        }
    }

    fn write(&mut self, steps: usize) {
        self.clerks.iter_mut().for_each(|clerks| clerks.write(steps));
    }

    /// Imports a new file; one that was killed goes on where it was.
    fn import(&mut self, province: usize, environment: &Environment) {
        let file = self.clerks[province].backlog(&self.nation.path(PROVINCES[province].0), FILE_ROWS);
        let agent = &self.agents[province];
        let import = || agent.command(&["import", &file, "--kind", "death"]);
        if !environment.is_empty() {
            is_killed(&output(import().envs(environment.clone())));
        }
        let done = output(&mut import());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// A row disappears from the nation's database, of an entry that its province touches no more. The other province has the
    /// same death and corrects it meanwhile: it is judged without the row first, and with it once that is mended.
    fn lose_a_row(&mut self) {
        let row = self.chance.random_range(0..FILE_ROWS);
        let sql = format!("SELECT record_id FROM deaths WHERE import_id = 1 AND number = '{row}'");
        let lost: i64 = self.agents[0].sql(&sql).parse().expect("a key");
        self.books.execute(&format!("DELETE FROM record WHERE origin = {} AND record_id = {lost}", origin(0)));
        self.lost = Some(lost);
        self.clerks[1].correct_imported(row);
    }

    fn is_in_the_nation(&self, record: i64) -> bool {
        let origin = origin(0);
        self.books.number(&format!("SELECT count(*) FROM record WHERE origin = {origin} AND record_id = {record}")) == 1
    }

    /// Asks for a comparison that looks at every row, unless one is open.
    fn compare(&self) {
        let arguments = ["resync", "start", PROVINCES[0].0, "--deep", "--operator", "lan", "--reason", "a row is lost"];
        output(&mut self.nation.hub_command(&arguments));
    }

    fn command(&self, arguments: &[&str], environment: &Environment) {
        is_killed(&output(self.nation.hub_command(arguments).envs(environment.clone())));
        self.nation.hub_ok(arguments);
    }

    fn back_up(&mut self, environment: &Environment) {
        let folder = self.nation.path(&format!("backup-{}", self.kills));
        let name = folder.display().to_string();
        is_killed(&output(self.nation.hub_command(&["backup", &name]).envs(environment.clone())));
        assert!(!folder.exists(), "what is not whole does not look like a backup");
        std::fs::remove_dir_all(format!("{name}.partial")).expect("the killed one left it behind");
        self.nation.hub_ok(&["backup", &name]);
        let drill = self.nation.hub_json(&["drill", &name]);
        assert_eq!(drill["recovered"], true, "{drill}");
    }

    fn restore(&mut self, environment: &Environment) {
        let name = self.nation.path(&format!("backup-{}", self.kills)).display().to_string();
        self.nation.hub_ok(&["backup", &name]);
        let target = self.nation.path(&format!("restored-{}.db", self.kills));
        let restore = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
            command.args(["restore", &name, "--store", &format!("sqlite:{}", target.display())]);
            command
        };
        is_killed(&output(restore().envs(environment.clone())));
        assert!(!target.exists(), "what is not whole does not look like a store");
        std::fs::remove_file(PathBuf::from(format!("{}.partial", target.display()))).expect("it was left behind");
        assert!(output(&mut restore()).status.success());
    }

    /// Lets everything settle, and takes stock.
    pub(crate) fn end(mut self) -> Report {
        self.revive();
        self.nation.settle(&[&self.agents[0], &self.agents[1]]);
        if self.books.url().is_some() {
            // On a server only who judges may judge anew.
            self.nation.kill_hub();
            let rebuild = || output(&mut self.nation.hub_command(&["rebuild"]));
            wait_until("the judge's seat is free", || rebuild().status.success());
        }
        self.nation.check_books();
        for (number, clerks) in self.clerks.iter().enumerate() {
            clerks.check(&self.books, origin(number));
        }
        let digest = |nation: &Nation| nation.hub_json(&["digest"])["national_digest"].as_str().map(str::to_owned);
        let acknowledged = self.nation.hub_json(&["stats"])["received"].as_i64().unwrap_or_default();
        let (seed, kills, hits) = (self.seed, self.kills, std::mem::take(&mut self.hits));
        let report = Report {
            seed,
            on_server: self.books.url().is_some(),
            kills,
            hits,
            states: self.clerks.iter().map(Clerks::states).sum(),
            acknowledged,
            national_digest: digest(&self.nation).unwrap_or_default(),
            digest_without_kills: digest(&self.without_kills()).expect("a digest"),
            seconds: self.begun.elapsed().as_secs_f64(),
        };
        assert_eq!(report.national_digest, report.digest_without_kills);
        assert!(acknowledged >= i64::try_from(report.states).expect("few"), "{report:?}");
        report
    }

    /// Another nation, to which the same provinces stream what they hold, and nobody is killed.
    fn without_kills(&mut self) -> Nation {
        let calm = Nation::new();
        let mut agents = PROVINCES.map(|(province, _)| calm.enrol(province));
        for (agent, from) in agents.iter_mut().zip(&mut self.agents) {
            from.kill();
            let store = agent.path("store.db");
            ["", "-wal", "-shm"].iter().for_each(|suffix| drop(std::fs::remove_file(format!("{store}{suffix}"))));
            from.sql(&format!("VACUUM INTO '{store}'"));
            agent.start();
        }
        wait_until("the calm hub has everything", || calm.hub_json(&["stats"])["received"].as_i64() > Some(0));
        calm.settle(&[&agents[0], &agents[1]]);
        calm
    }
}

fn origin(province: usize) -> u16 {
    PROVINCES[province].0.parse::<registry_schema::ids::Origin>().expect("a province").number()
}

fn is_killed(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(9), "{said}");
}
