//! More than the hub admits: live entries go first, memory stays flat, and nobody is dropped without a word.
//!
//! A few seconds of it are in the ordinary tests; `make overload SECONDS=60` runs it for longer and writes a report.

#[allow(dead_code, reason = "each test of real programs uses a part of it")]
mod nation;

use std::time::{Duration, Instant};

use nation::clerk::Clerk;
use nation::{Nation, resident_kib, wait_until};
use serde_json::{Value, json};

/// Backlog changes a second that each province may send.
const ADMITTED_PER_SECOND: u64 = 500;
/// How much more than that each province has to send.
const TIMES: u64 = 10;
/// What every province may send before it hears that it must wait: a burst, and the frames that are under way.
const AHEAD: u64 = 5 * 2_000;
/// How long the ordinary test lasts, in seconds.
const ORDINARY_SECONDS: u64 = 6;
/// Provinces with a backlog.
const PROVINCES: [&str; 3] = ["79@2008", "48@2008", "31@2008"];
/// Time between two entries of the clerk.
const BETWEEN: Duration = Duration::from_millis(50);
/// What the hub may hold, whatever comes, in kibibytes: its page caches take a good half of it.
const RESIDENT_KIB_MAX: u64 = 400 * 1024;
/// What a live entry may take in one of a hundred cases on a machine that runs other tests beside: a batch of the backlog
/// is judged before it. What it takes in earnest is in the report.
const LIVE_MS_MAX: u64 = 3_000;

/// What a clerk saw in one stretch of time.
#[derive(Default)]
struct Stretch {
    /// From each commit of the clerk until the entry is applied in the nation.
    milliseconds: Vec<u64>,
    resident_kib_max: u64,
    resident_kib_end: u64,
}

impl Stretch {
    /// Lets the clerk write for some seconds.
    fn watch(clerk: &mut Clerk, hub: u32, seconds: u64) -> Self {
        let mut stretch = Self::default();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(seconds) {
            stretch.milliseconds.push(u64::try_from(clerk.write().as_millis()).expect("short"));
            stretch.resident_kib_end = resident_kib(hub);
            stretch.resident_kib_max = stretch.resident_kib_max.max(stretch.resident_kib_end);
            std::thread::sleep(BETWEEN);
        }
        stretch.milliseconds.sort_unstable();
        stretch
    }

    fn quantile(&self, hundredths: usize) -> u64 {
        self.milliseconds[(self.milliseconds.len() - 1) * hundredths / 100]
    }

    fn report(&self) -> Value {
        json!({
            "entries": self.milliseconds.len(),
            "commit_to_applied_p50_ms": self.quantile(50),
            "commit_to_applied_p99_ms": self.quantile(99),
            "commit_to_applied_max_ms": self.milliseconds.last(),
            "hub_resident_kib_max": self.resident_kib_max,
            "hub_resident_kib_end": self.resident_kib_end,
        })
    }
}

#[test]
fn ten_times_what_is_admitted_slows_down_the_backlog_and_nobody_else() {
    let long = std::env::var("HOTICH_OVERLOAD_SECONDS").ok().and_then(|seconds| seconds.parse::<u64>().ok());
    let seconds = long.unwrap_or(ORDINARY_SECONDS);
    let nation = Nation::configured(&format!("backlog_records_per_second = {ADMITTED_PER_SECOND}"));
    let (mut hanoi, hub) = (nation.enrol("01@2008"), nation.hub_id());
    let mut clerk = Clerk::new(&hanoi);
    hanoi.start();
    clerk.write();
    let before = Stretch::watch(&mut clerk, hub, seconds.div_ceil(4));
    let mut others: Vec<_> = PROVINCES.iter().map(|province| nation.enrol(province)).collect();
    let watchers: Vec<Clerk> = others.iter().map(Clerk::new).collect();
    watchers.iter().for_each(|watcher| watcher.fill_backlog(TIMES * ADMITTED_PER_SECOND * seconds));
    let began = Instant::now();
    others.iter_mut().for_each(nation::Agent::start);
    let received = || watchers.iter().map(Clerk::backlog_received).collect::<Vec<_>>();
    wait_until("all send", || received().iter().all(|changes| *changes > 0));
    let during = Stretch::watch(&mut clerk, hub, seconds);
    let (received, admitted) = (received(), (ADMITTED_PER_SECOND as f64 * began.elapsed().as_secs_f64()) as u64);
    others.iter_mut().for_each(nation::Agent::kill);
    let after = Stretch::watch(&mut clerk, hub, seconds.div_ceil(4));

    let report = json!({
        "seconds": seconds,
        "provinces": PROVINCES.len(),
        "admitted_per_second_each": ADMITTED_PER_SECOND,
        "times_as_much_waiting": TIMES,
        "admitted_each": admitted,
        "received": received,
        "goodput_least": received.iter().min().map(|changes| *changes as f64 / admitted.max(1) as f64),
        "live": { "before": before.report(), "during": during.report(), "after": after.report() },
    });
    if let Some(path) = std::env::var_os("HOTICH_OVERLOAD_REPORT") {
        std::fs::write(path, serde_json::to_string_pretty(&report).expect("JSON")).expect("a report");
    }
    assert!(during.milliseconds.len() > 1 && during.quantile(99) < LIVE_MS_MAX, "live entries wait: {report}");
    assert!(received.iter().all(|changes| *changes <= admitted + AHEAD), "more came than was admitted: {report}");
    assert!(received.iter().all(|changes| *changes * 10 >= admitted * 9), "less came than was admitted: {report}");
    let resident_kib_max = during.resident_kib_max.max(after.resident_kib_max);
    assert!(resident_kib_max <= RESIDENT_KIB_MAX, "{report}");
}
