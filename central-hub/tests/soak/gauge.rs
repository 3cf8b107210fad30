//! What the programs take, second by second, and whether it grows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

/// What may be added to the middle third's median, beside a tenth of it: noise of a machine that does other things too.
const SLACK: [(&str, u64); 7] = [
    ("hub_rss_kib", 8 * 1024),
    ("hub_files", 8),
    ("hub_wal_bytes", 16 * 1024 * 1024),
    ("agent_rss_kib", 4 * 1024),
    ("agent_files", 8),
    ("agent_wal_bytes", 16 * 1024 * 1024),
    ("lag_changes", 500),
];

/// One look; values in the order of [`SLACK`].
#[derive(Debug, Clone)]
pub(crate) struct Sample([u64; 7]);

impl Sample {
    pub(crate) fn new(hub: Option<u32>, agents: &[u32], hub_wal: u64, agent_wal: u64, lag: u64) -> Self {
        let of_hub = hub.map_or((0, 0), taken);
        let of_agents = agents.iter().map(|agent| taken(*agent));
        let greatest = of_agents.fold((0, 0), |most: (u64, u64), one| (most.0.max(one.0), most.1.max(one.1)));
        Self([of_hub.0, of_hub.1, hub_wal, greatest.0, greatest.1, agent_wal, lag])
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

    /// Writes the report, and names what has grown: whose median of the last third is more than a tenth, and the slack,
    /// above that of the middle third.
    pub(crate) fn write(&self, took: Duration, states: usize) -> Vec<String> {
        let third = self.0.len() / 3;
        let mut figures = BTreeMap::new();
        let mut grown = Vec::new();
        for (at, (name, slack)) in SLACK.iter().enumerate() {
            let values: Vec<u64> = self.0.iter().map(|sample| sample.0[at]).collect();
            let (first, middle, last) =
                (median(&values[..third]), median(&values[third..2 * third]), median(&values[2 * third..]));
            let most = values.iter().max().copied().unwrap_or_default();
            figures.insert(
                *name,
                json!({ "first": first, "middle": middle, "last": last, "most": most, "values": values }),
            );
            if last > middle + middle / 10 + slack {
                grown.push(format!("{name}: {middle} in the middle third, {last} in the last"));
            }
        }
        let report = json!({
            "seconds": took.as_secs(), "states": states, "samples": self.0.len(), "grown": grown, "figures": figures,
            "criterion": "median of the last third <= 1.1 x median of the middle third + slack",
            "slack": SLACK.iter().copied().collect::<BTreeMap<_, _>>(),
        });
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let folder = root.join("target/soak");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join("report.json"), format!("{report:#}\n")).expect("a report");
        grown
    }
}

fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}
