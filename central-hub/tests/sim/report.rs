//! Many seeds in processes beside one another, and what came of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::seed::{self, Fresh};

/// Which share of the seeds a process runs: `NUMBER/SHARES/FIRST/COUNT`.
pub(crate) const SHARE: &str = "HOTICH_SIM_SHARE";

/// What came of some seeds.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) passed: u64,
    pub(crate) failed: Vec<Failed>,
    /// Each seed is simulated twice; this counts once.
    pub(crate) simulated_seconds: f64,
    pub(crate) seconds: f64,
    /// How often each kind of thing happened.
    pub(crate) events: BTreeMap<String, u64>,
}

/// A seed in which something was wrong.
#[derive(Serialize, Deserialize)]
pub(crate) struct Failed {
    pub(crate) seed: u64,
    pub(crate) what: String,
    /// Runs it again, and leaves everything that happened in `target/sim/`.
    pub(crate) again: String,
}

impl Report {
    /// Runs a seed twice and takes in what came of it.
    pub(crate) fn run(&mut self, fresh: &Fresh, number: u64) {
        let (first, second) = (seed::run(fresh, number, true, false), seed::run(fresh, number, false, false));
        let same = (first.hash == second.hash).then_some(());
        let what = first.failure.or_else(|| same.is_none().then(|| "two runs of it went two ways".to_owned()));
        self.simulated_seconds += first.simulated_ms as f64 / 1_000.0;
        for (kind, count) in first.counts {
            *self.events.entry(kind.to_owned()).or_default() += count;
        }
        match what {
            None => self.passed += 1,
            Some(what) => self.failed.push(Failed { seed: number, what, again: again(number) }),
        }
    }

    fn merge(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.simulated_seconds += other.simulated_seconds;
        for (kind, count) in other.events {
            *self.events.entry(kind).or_default() += count;
        }
    }
}

/// The command that runs a seed again.
fn again(seed: u64) -> String {
    format!("HOTICH_SEED={seed} cargo nextest run -p central-hub --test sim --run-ignored only one_seed --no-capture")
}

/// Where reports go.
pub(crate) fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target"), PathBuf::from);
    let folder = target.join("sim");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs seeds in as many processes as there are processors: what a simulation counts in its process must not be counted
/// by another one.
pub(crate) fn run(first: u64, count: u64) -> Report {
    let began = Instant::now();
    let shares = std::thread::available_parallelism().map_or(1, usize::from);
    let children: Vec<Child> = (0..shares).map(|share| start(&format!("{share}/{shares}/{first}/{count}"))).collect();
    let mut report = Report::default();
    for (share, mut child) in children.into_iter().enumerate() {
        let ended = child.wait().unwrap();
        assert!(ended.success(), "the process of share {share} ended: {ended}");
        let path = share_file(share);
        report.merge(serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap());
        std::fs::remove_file(path).unwrap();
    }
    report.failed.sort_by_key(|failed| failed.seed);
    report.seconds = began.elapsed().as_secs_f64();
    let json = serde_json::to_string_pretty(&report).unwrap();
    std::fs::write(folder().join("report.json"), json).unwrap();
    let summary = format!("{} passed, {} failed\n", report.passed, report.failed.len());
    std::fs::write(folder().join("summary.txt"), summary).unwrap();
    report
}

fn start(share: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "one_share", "--nocapture", "--test-threads", "1"]);
    command.env(SHARE, share).stdout(Stdio::null()).spawn().unwrap()
}

/// Runs the share of this process.
pub(crate) fn run_share(share: &str) {
    let numbers: Vec<u64> = share.split('/').map(|number| number.parse().unwrap()).collect();
    let [share, shares, first, count] = numbers[..] else { panic!("NUMBER/SHARES/FIRST/COUNT") };
    let (mut report, fresh) = (Report::default(), Fresh::new());
    (first..first + count).filter(|seed| seed % shares == share).for_each(|seed| report.run(&fresh, seed));
    std::fs::write(share_file(share as usize), serde_json::to_vec(&report).unwrap()).unwrap();
}

fn share_file(share: usize) -> PathBuf {
    folder().join(format!("share-{share}.json"))
}
