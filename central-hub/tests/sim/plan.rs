//! What happens when, drawn from the seed before anything runs.

use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;

use super::clock::{CENTRE, CLOCKS};
use super::wire::Noise;

/// The longest time of trouble; then everything is mended and must come to rest.
const TROUBLE_MS_MAX: i64 = 16_000;
const DAY_MS: i64 = 86_400_000;

/// Something that the driver does.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// Clerks of a province write so many states in one transaction.
    Write(usize, usize),
    /// A book of so many entries is imported.
    Import(usize, usize),
    /// An operator answers a case, or takes an answer back.
    Answer,
    TakeBack,
    /// An operator has a province compared; a deep comparison looks at every row.
    Compare(usize, bool),
    /// Nothing gets through between a province and the hubs; then it does again.
    Partition(usize),
    Repair(usize),
    /// Everything waits on the way, and then comes at once.
    Hold(usize),
    Release(usize),
    /// What is sent is lost now and then, for so many steps of a hundred.
    Loss(usize, u32),
    /// What is sent takes up to so many milliseconds.
    Latency(usize, u64),
    /// Every connection of a province breaks.
    Cut(usize),
    Noise(usize, Noise),
    /// A clock is wrong by so much from now on.
    Skew(usize, i64),
    Slow(usize, bool),
    /// A disk has only so many pages left, or room again.
    Full(usize, Option<u32>),
    /// The hub on duty dies, or is told to stop; later one of the hubs takes up the duty.
    CrashHub,
    StopHub,
    StartHub(usize),
    CrashAgent(usize),
    StopAgent(usize),
    StartAgent(usize),
    /// The store of a province is backed up; goes back to its backup; is copied and the copy runs as well.
    Backup(usize),
    Restore(usize),
    Copy(usize),
    EndCopy,
    /// A province's administrator forgets about its certificate, or thinks of it again.
    Forget(usize, bool),
}

/// Kinds of trouble; each seed has its own selection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Network,
    Frames,
    Hubs,
    Agents,
    Clocks,
    Disks,
    Stores,
}

const TROUBLES: &[Trouble] = &[
    Trouble::Network,
    Trouble::Frames,
    Trouble::Hubs,
    Trouble::Agents,
    Trouble::Clocks,
    Trouble::Disks,
    Trouble::Stores,
];

/// Deeds with their times, in order, and when trouble ends.
pub(crate) struct Plan {
    pub(crate) deeds: Vec<(i64, Deed)>,
    pub(crate) end_ms: i64,
}

impl Plan {
    pub(crate) fn draw(chance: &mut ChaCha8Rng, provinces: usize) -> Self {
        let end_ms = chance.random_range(4_000..TROUBLE_MS_MAX);
        let mut plan = Self { deeds: Vec::new(), end_ms };
        for province in 0..provinces {
            plan.work(chance, province);
        }
        plan.operators(chance, provinces);
        let appetite: Vec<Trouble> = TROUBLES.iter().copied().filter(|_| chance.random_ratio(1, 2)).collect();
        for _ in 0..chance.random_range(2..12) {
            if let Some(trouble) = appetite.choose(chance) {
                plan.trouble(chance, *trouble, provinces);
            }
        }
        plan.deeds.sort_by_key(|(at_ms, _)| *at_ms);
        plan
    }

    /// Certificates that are forgotten about; drawn apart, so that nothing else depends on whether there are any.
    pub(crate) fn forget(&mut self, chance: &mut ChaCha8Rng, provinces: usize) {
        for _ in 0..chance.random_range(1..4) {
            let (at_ms, province) = (self.moment(chance), chance.random_range(0..provinces));
            self.at(at_ms, Deed::Forget(province, true));
            self.at(at_ms + chance.random_range(2_000..10_000), Deed::Forget(province, false));
        }
        self.deeds.sort_by_key(|(at_ms, _)| *at_ms);
    }

    fn at(&mut self, at_ms: i64, deed: Deed) {
        self.deeds.push((at_ms, deed));
    }

    fn moment(&self, chance: &mut ChaCha8Rng) -> i64 {
        chance.random_range(200..self.end_ms)
    }

    fn work(&mut self, chance: &mut ChaCha8Rng, province: usize) {
        for _ in 0..chance.random_range(4..16) {
            let (at_ms, count) = (self.moment(chance), chance.random_range(1..6));
            self.at(at_ms, Deed::Write(province, count));
        }
        if chance.random_ratio(1, 3) {
            let (at_ms, count) = (self.moment(chance), chance.random_range(8..40));
            self.at(at_ms, Deed::Import(province, count));
        }
    }

    fn operators(&mut self, chance: &mut ChaCha8Rng, provinces: usize) {
        for _ in 0..chance.random_range(0..6) {
            let at_ms = self.moment(chance);
            self.at(at_ms, if chance.random_ratio(1, 4) { Deed::TakeBack } else { Deed::Answer });
        }
        for _ in 0..chance.random_range(0..3) {
            let at_ms = self.moment(chance);
            self.at(at_ms, Deed::Compare(chance.random_range(0..provinces), chance.random()));
        }
    }

    fn trouble(&mut self, chance: &mut ChaCha8Rng, trouble: Trouble, provinces: usize) {
        let at_ms = self.moment(chance);
        let until_ms = at_ms + chance.random_range(50..6_000);
        let province = chance.random_range(0..provinces);
        match trouble {
            Trouble::Network => self.network(chance, province, at_ms, until_ms),
            Trouble::Frames => {
                let mut some = || if chance.random_ratio(2, 5) { chance.random_range(5..60) } else { 0 };
                let noise = Noise { flip: some(), double: some(), lose: some(), replay: some(), tear: some() };
                self.at(at_ms, Deed::Noise(province, noise));
                self.at(until_ms, Deed::Noise(province, Noise::default()));
            }
            Trouble::Hubs => {
                self.drag(chance, CENTRE, at_ms);
                self.at(at_ms, if chance.random_ratio(2, 3) { Deed::CrashHub } else { Deed::StopHub });
                self.at(until_ms, Deed::StartHub(chance.random_range(0..2)));
            }
            Trouble::Agents => {
                self.drag(chance, province + 1, at_ms);
                let is_crash = chance.random_ratio(2, 3);
                self.at(at_ms, if is_crash { Deed::CrashAgent(province) } else { Deed::StopAgent(province) });
                self.at(until_ms, Deed::StartAgent(province));
            }
            Trouble::Clocks => {
                let bound_ms = *[2_000, 600_000, 40 * DAY_MS, 2_000 * DAY_MS].choose(chance).unwrap();
                let (clock, ms) = (chance.random_range(0..CLOCKS), chance.random_range(-bound_ms..bound_ms));
                self.at(at_ms, Deed::Skew(clock, ms));
                if chance.random() {
                    self.at(until_ms, Deed::Skew(clock, 0));
                }
            }
            Trouble::Disks => {
                let machine = chance.random_range(0..=provinces);
                if chance.random() {
                    self.at(at_ms, Deed::Slow(machine, true));
                    self.at(until_ms, Deed::Slow(machine, false));
                } else {
                    self.at(at_ms, Deed::Full(machine, Some(chance.random_range(0..12))));
                    self.at(until_ms, Deed::Full(machine, None));
                }
            }
            Trouble::Stores => self.stores(chance, province, at_ms, until_ms),
        }
    }

    /// A disk is slow around a crash, most of the time: so it comes between two pieces of work.
    fn drag(&mut self, chance: &mut ChaCha8Rng, machine: usize, at_ms: i64) {
        if chance.random_ratio(2, 3) {
            self.at(at_ms - chance.random_range(100..2_000), Deed::Slow(machine, true));
            self.at(at_ms, Deed::Slow(machine, false));
        }
    }

    fn network(&mut self, chance: &mut ChaCha8Rng, province: usize, at_ms: i64, until_ms: i64) {
        let (begin, end) = match chance.random_range(0..5) {
            0 => (Deed::Partition(province), Deed::Repair(province)),
            1 => (Deed::Hold(province), Deed::Release(province)),
            2 => (Deed::Loss(province, chance.random_range(1..30)), Deed::Loss(province, 0)),
            3 => (
                Deed::Latency(province, chance.random_range(50..3_000)),
                Deed::Latency(province, super::world::LATENCY_MS),
            ),
            _ => (Deed::Cut(province), Deed::Cut(province)),
        };
        self.at(at_ms, begin);
        self.at(until_ms, end);
    }

    fn stores(&mut self, chance: &mut ChaCha8Rng, province: usize, at_ms: i64, until_ms: i64) {
        if chance.random() {
            self.at(at_ms, Deed::Backup(province));
            self.at(until_ms, Deed::Restore(province));
            self.at(until_ms + 200, Deed::Write(province, 3));
        } else {
            self.at(at_ms, Deed::Copy(province));
            for _ in 0..chance.random_range(0..4) {
                let write_ms = chance.random_range(at_ms..until_ms);
                self.at(write_ms, Deed::Write(super::stage::COPY, chance.random_range(1..4)));
                self.at(write_ms, Deed::Write(province, 2));
            }
            self.at(until_ms, Deed::EndCopy);
        }
    }
}
