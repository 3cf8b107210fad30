//! One simulated nation: hosts, clerks, operators and administrators, driven step by step.

mod administrators;
mod certificates;
mod operators;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hub_rules::verdict::Verdict;
use hub_store::sqlite::Sqlite;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use registry_schema::ids::{Lane, Origin};
use sync_agent::change_log::LaneState;
use sync_agent::store::state;
use turmoil::{Builder, Sim};

use super::clerk::{Book, Clerk, Numbers};
use super::clock;
use super::hosts;
use super::plan::{Deed, Plan};
use super::stage::{AGENTS, COPY, HUBS, Stage, prompt_disk};

/// How long the network takes at most while nothing is wrong.
pub(crate) const LATENCY_MS: u64 = 20;
/// One step of the simulation.
const STEP: Duration = Duration::from_millis(20);
/// How often administrators look at the agents.
const LOOK_MS: i64 = 500;
/// The token of every province.
pub(crate) const TOKEN: [u8; 32] = [7; 32];

/// What came of a seed, as far as the driver has it.
pub(crate) struct World<'a> {
    sim: Sim<'a>,
    pub(crate) stage: Arc<Stage>,
    pub(crate) chance: ChaCha8Rng,
    pub(crate) provinces: usize,
    weather: ChaCha8Rng,
    pub(crate) books: Vec<Book>,
    pub(crate) clerks: Vec<Option<Clerk>>,
    numbers: Numbers,
    /// The national store, as an operator's command opens it.
    pub(crate) desk: Sqlite,
    /// What operators answered.
    pub(crate) verdicts: Vec<Verdict>,
    backups: Vec<Option<BTreeMap<i64, usize>>>,
    /// Whose store the copy is.
    copied: Option<usize>,
    disputed_ms: Vec<Option<i64>>,
    /// How far each agent's lanes were, after how many incidents.
    lanes: Vec<Option<(usize, BTreeMap<Lane, LaneState>)>>,
    epochs: u64,
    /// The comparison with each province that was asked for last.
    pub(crate) compared: [Option<i64>; AGENTS.len()],
    /// Where agents come with certificates.
    certificates: Option<certificates::Certificates>,
    links: [Link; AGENTS.len()],
}

/// The network between an agent and the hubs, as it is from step to step: the simulator's own chance is not used, since
/// it would depend on the order in which things are sent within a millisecond.
#[derive(Clone, Copy)]
struct Link {
    latency_ms: u64,
    /// In so many steps of a hundred nothing gets through.
    loss: u32,
    is_lost: bool,
}

impl World<'_> {
    /// A nation of a seed, whose stores lie in a folder.
    pub(crate) fn new(
        folder: &Path,
        origins: &[Origin],
        seed: u64,
        shows_certificates: bool,
        keeps_lines: bool,
    ) -> Self {
        clock::begin(seed);
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let provinces = origins.len();
        let mut callers = origins.to_vec();
        callers.resize(AGENTS.len(), origins[0]);
        let stage = Arc::new(Stage::new(folder, callers, seed, shows_certificates, keeps_lines));
        let mut sim = Builder::new()
            .rng_seed(chance.random())
            .tick_duration(STEP)
            .simulation_duration(Duration::from_secs(100_000))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(20))
            .tcp_capacity(1 << 20)
            .build();
        for (number, name) in HUBS.iter().enumerate() {
            let stage = Arc::clone(&stage);
            sim.host(*name, move || hosts::hub(Arc::clone(&stage), number));
        }
        for (agent, name) in AGENTS.iter().enumerate() {
            let hosted = Arc::clone(&stage);
            sim.host(*name, move || hosts::agent(Arc::clone(&hosted), agent));
            stage.name_caller(sim.lookup(*name), agent);
        }
        stage.hub(0, |hub| hub.is_wanted = true);
        let mut clerks: Vec<Option<Clerk>> = Vec::new();
        clerks.resize_with(AGENTS.len(), || None);
        for (agent, clerk) in clerks.iter_mut().enumerate().take(provinces) {
            *clerk = Some(Clerk::open(&stage.provincial(agent), agent, stage.origin(agent).code()));
            stage.agent(agent, |program| program.is_wanted = true);
        }
        let desk = Sqlite::inline(&stage.national(), &prompt_disk()).unwrap();
        Self {
            sim,
            stage,
            chance,
            provinces,
            weather: ChaCha8Rng::seed_from_u64(seed ^ 0x0077_ea74),
            books: vec![Book::default(); AGENTS.len()],
            clerks,
            numbers: Numbers::default(),
            desk,
            verdicts: Vec::new(),
            backups: vec![None; AGENTS.len()],
            copied: None,
            disputed_ms: vec![None; AGENTS.len()],
            lanes: vec![None; AGENTS.len()],
            epochs: 1_000,
            compared: [None; AGENTS.len()],
            certificates: None,
            links: [Link { latency_ms: LATENCY_MS, loss: 0, is_lost: false }; AGENTS.len()],
        }
    }

    pub(crate) fn now_ms(&self) -> i64 {
        i64::try_from(self.sim.elapsed().as_millis()).unwrap()
    }

    /// Lives through a plan.
    pub(crate) fn live(&mut self, plan: Plan) {
        let mut deeds = plan.deeds.into_iter().peekable();
        while self.now_ms() < plan.end_ms && self.stage.failure().is_none() {
            while let Some((_, deed)) = deeds.next_if(|(at_ms, _)| *at_ms <= self.now_ms()) {
                self.carry_out(&deed);
            }
            self.step();
        }
    }

    /// One step of everything, and of the administrators now and then.
    pub(crate) fn step(&mut self) {
        self.move_weather();
        if let Err(error) = self.sim.step() {
            self.stage.fail(format!("a program ended in a panic or an error: {error}"));
        }
        self.stage.pass(self.sim.elapsed());
        self.stage.passes.look().into_iter().for_each(|what| self.stage.fail(what));
        if self.now_ms() % LOOK_MS == 0 {
            self.administer();
            self.hand_out_certificates();
        }
    }

    /// What the network does in the next step.
    fn move_weather(&mut self) {
        for (name, link) in AGENTS.iter().zip(&mut self.links) {
            let latency = Duration::from_millis(self.weather.random_range(1..=link.latency_ms));
            let is_lost = self.weather.random_ratio(link.loss, 100);
            for hub in HUBS {
                self.sim.set_link_latency(*name, hub, latency);
                match (link.is_lost, is_lost) {
                    (false, true) => self.sim.partition(*name, hub),
                    (true, false) => self.sim.repair(*name, hub),
                    _ => {}
                }
            }
            link.is_lost = is_lost;
        }
    }

    fn carry_out(&mut self, deed: &Deed) {
        self.stage.note("deed", format_args!("{deed:?}"));
        let stage = Arc::clone(&self.stage);
        match deed {
            Deed::Write(agent, count) => self.write(*agent, *count, false),
            Deed::Import(agent, count) => self.write(*agent, *count, true),
            Deed::Answer => self.answer(),
            Deed::TakeBack => self.take_back(),
            Deed::Compare(agent, deep) => self.compare(*agent, *deep),
            Deed::Partition(agent) => self.links[*agent].loss = 100,
            Deed::Repair(agent) => self.links[*agent].loss = 0,
            Deed::Hold(agent) => HUBS.iter().for_each(|hub| self.sim.hold(AGENTS[*agent], *hub)),
            Deed::Release(agent) => HUBS.iter().for_each(|hub| self.sim.release(AGENTS[*agent], *hub)),
            Deed::Loss(agent, of_hundred) => self.links[*agent].loss = *of_hundred,
            Deed::Latency(agent, ms) => self.links[*agent].latency_ms = *ms,
            Deed::Cut(agent) => stage.line(*agent, |line| line.cuts += 1),
            Deed::Noise(agent, noise) => stage.line(*agent, |line| line.noise = *noise),
            Deed::Skew(clock, ms) => clock::skew(*clock, *ms),
            Deed::Slow(machine, is_slow) => stage.disk_state(*machine, |disk| disk.is_slow = *is_slow),
            Deed::Full(machine, left) => stage.disk_state(*machine, |disk| disk.pages_left = *left),
            Deed::CrashHub => {
                HUBS.iter().enumerate().for_each(|(hub, name)| self.crash(name, |act| stage.hub(hub, act)));
            }
            Deed::StopHub => (0..HUBS.len()).for_each(|hub| stage.hub(hub, stop)),
            Deed::StartHub(hub) => self.start_hub(*hub),
            Deed::CrashAgent(agent) => self.crash(AGENTS[*agent], |act| stage.agent(*agent, act)),
            Deed::StopAgent(agent) => stage.agent(*agent, stop),
            Deed::StartAgent(agent) => stage.agent(*agent, |program| program.is_wanted = true),
            Deed::Backup(agent) => self.back_up(*agent),
            Deed::Restore(agent) => self.restore(*agent),
            Deed::Copy(agent) => self.copy(*agent),
            Deed::EndCopy => self.end_copy(),
            Deed::Forget(agent, is_forgotten) => self.forget(*agent, *is_forgotten),
        }
    }

    /// Kills whatever runs on a host, as a power cut would.
    fn crash(&mut self, host: &str, act: impl FnOnce(fn(&mut super::stage::Program))) {
        self.sim.crash(host);
        act(|program| *program = super::stage::Program::default());
        self.sim.bounce(host);
    }

    /// Puts a hub on duty once no hub serves any more: the embedded store has one writer.
    fn start_hub(&mut self, hub: usize) {
        let is_served = |hub: usize| self.stage.hub(hub, |hub| hub.is_wanted || hub.stop.is_some());
        if (0..HUBS.len()).any(is_served) {
            self.carry_out(&Deed::CrashHub);
        }
        self.stage.hub(hub, |hub| hub.is_wanted = true);
    }

    fn write(&mut self, agent: usize, count: usize, is_import: bool) {
        let Some(clerk) = &mut self.clerks[agent] else { return };
        let written = match is_import {
            true => clerk.import(&mut self.chance, &mut self.numbers, count),
            false => clerk.write(&mut self.chance, &mut self.numbers, count),
        };
        let written = match written {
            Ok(written) => written,
            Err(error) => return self.stage.fail(format!("a clerk of {} cannot write: {error}", AGENTS[agent])),
        };
        for (record, state) in written {
            self.stage.note("written", format_args!("{agent} {record} {}", state.mark));
            let whose = self.copied.filter(|_| agent == COPY);
            let story = self.books[whose.unwrap_or(agent)].stories.entry(record).or_default();
            match whose {
                Some(_) => drop(story.foreign.insert(state.mark)),
                None => story.states.push(state),
            }
        }
    }

    /// What the nation and its provinces have not settled with one another, in words.
    pub(crate) fn unsettled(&self) -> Option<String> {
        let disputed = (0..self.provinces).find(|agent| self.disputed_ms[*agent].is_some());
        if let Some(agent) = disputed {
            return Some(format!("{} is disputed", AGENTS[agent]));
        }
        let waiting = self.stage.waiting();
        if waiting > 0 {
            return Some(format!("{waiting} entries of the journal are not judged"));
        }
        (0..self.provinces).find_map(|agent| {
            let heard = state::notice_seq(self.clerks[agent].as_ref().unwrap().connection()).unwrap();
            let said = self.stage.words(agent);
            (heard != said).then(|| format!("{} has heard {heard} of {said} words", AGENTS[agent]))
        })
    }

    /// Mends everything that a plan left broken.
    pub(crate) fn mend(&mut self) {
        self.end_copy();
        self.remember_certificates();
        for agent in 0..self.provinces {
            for deed in [
                Deed::Repair(agent),
                Deed::Release(agent),
                Deed::Loss(agent, 0),
                Deed::Latency(agent, LATENCY_MS),
                Deed::Noise(agent, super::wire::Noise::default()),
                Deed::StartAgent(agent),
            ] {
                self.carry_out(&deed);
            }
        }
        for machine in 0..clock::CLOCKS {
            self.carry_out(&Deed::Slow(machine, false));
            self.carry_out(&Deed::Full(machine, None));
        }
        if !(0..HUBS.len()).any(|hub| self.stage.hub(hub, |hub| hub.is_wanted)) {
            self.carry_out(&Deed::StartHub(0));
        }
    }
}

fn stop(program: &mut super::stage::Program) {
    program.is_wanted = false;
    if let Some(stop) = &program.stop {
        stop.cancel();
    }
}
