//! What the programs take, second by second, and whether it grows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hub_store::sqlite::CACHE_KIB;
use serde_json::json;

/// How much the median of the last third of a figure may be.
enum Bound {
    /// A tenth more than the median of the middle third, and so much: noise of a machine that does other things too.
    Tenth(u64),
    /// What it was when the hub had just begun, in KiB, the pages of its store that it may keep, and so much for the work at
    /// hand. The writer and the scanner keep what they touched, each at most the whole file or its cache; the reader gives
    /// everything up at each commit of the writer, so within milliseconds.
    Pages(u64),
    /// Anything: it grows with what clerks write.
    Any,
}

/// Connections that keep pages.
const KEEPERS: u64 = 2;

/// What is watched.
const FIGURES: [(&str, Bound); 8] = [
    ("hub_rss_kib", Bound::Pages(16 * 1024)),
    ("hub_files", Bound::Tenth(8)),
    ("hub_wal_bytes", Bound::Tenth(16 * 1024 * 1024)),
    ("agent_rss_kib", Bound::Tenth(4 * 1024)),
    ("agent_files", Bound::Tenth(8)),
    ("agent_wal_bytes", Bound::Tenth(16 * 1024 * 1024)),
    ("lag_changes", Bound::Tenth(500)),
    (DATABASE, Bound::Any),
];
const DATABASE: &str = "hub_database_kib";

/// One look; values in the order of [`FIGURES`].
#[derive(Debug, Clone)]
pub(crate) struct Sample([u64; FIGURES.len()]);

impl Sample {
    pub(crate) fn new(
        hub: Option<u32>,
        agents: &[u32],
        (database, hub_wal): (u64, u64),
        agent_wal: u64,
        lag: u64,
    ) -> Self {
        let of_hub = hub.map_or((0, 0), taken);
        let of_agents = agents.iter().map(|agent| taken(*agent));
        let greatest = of_agents.fold((0, 0), |most: (u64, u64), one| (most.0.max(one.0), most.1.max(one.1)));
        Self([of_hub.0, of_hub.1, hub_wal, greatest.0, greatest.1, agent_wal, lag, database / 1024])
    }
}

/// Resident memory in KiB and open files of a process (proc(5)).
fn taken(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, Iterator::count);
    (rss.unwrap_or_default(), files as u64)
}

/// Every look so far.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Vec<Sample>);

impl Gauge {
    pub(crate) fn add(&mut self, sample: Sample) {
        self.0.push(sample);
    }

    /// Writes the report, and names what has grown by more than it may.
    pub(crate) fn write(&self, took: Duration, states: usize) -> Vec<String> {
        let mut figures = BTreeMap::new();
        let mut grown = Vec::new();
        for (at, (name, bound)) in FIGURES.iter().enumerate() {
            let [first, middle, last] = self.thirds(at);
            let values: Vec<u64> = self.0.iter().map(|sample| sample.0[at]).collect();
            let bound = self.greatest(bound, values.first().copied().unwrap_or_default(), middle);
            let most = values.iter().max().copied().unwrap_or_default();
            let figure = json!({
                "first": first, "middle": middle, "last": last, "bound": bound, "most": most, "values": values,
            });
            figures.insert(*name, figure);
            if let Some(bound) = bound.filter(|bound| last > *bound) {
                grown
                    .push(format!("{name}: {middle} in the middle third, {last} in the last, and not {bound} at most"));
            }
        }
        let report = json!({
            "seconds": took.as_secs(), "states": states, "samples": self.0.len(), "grown": grown, "figures": figures,
            "criterion": "median of the last third <= bound",
        });
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let folder = root.join("target/soak");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("report.json"), format!("{report:#}\n")).expect("a report");
        grown
    }

    /// The medians of a figure in each third.
    fn thirds(&self, figure: usize) -> [u64; 3] {
        let third = self.0.len() / 3;
        let parts = [&self.0[..third], &self.0[third..2 * third], &self.0[2 * third..]];
        parts.map(|part| median(&part.iter().map(|sample| sample.0[figure]).collect::<Vec<_>>()))
    }

    /// How much a figure may be in the last third; `None` when it may be anything.
    fn greatest(&self, bound: &Bound, begun: u64, middle: u64) -> Option<u64> {
        match bound {
            Bound::Tenth(slack) => Some(middle + middle / 10 + slack),
            Bound::Pages(slack) => {
                let database = FIGURES.iter().position(|(name, _)| *name == DATABASE).expect("it is in the list");
                let [.., pages] = self.thirds(database);
                Some(begun + KEEPERS * pages.min(CACHE_KIB.unsigned_abs().into()) + slack)
            }
            Bound::Any => None,
        }
    }
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
