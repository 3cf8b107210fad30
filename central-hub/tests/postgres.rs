//! Hubs as real processes around one PostgreSQL: one judges, another takes over, and every command works there.

#[path = "../store/tests/cluster/mod.rs"]
mod cluster;

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cluster::Database;
use hub_rules::finding::{FindingId, Rule};
use hub_rules::verdict::{Answer, Verdict};
use hub_store::model::{Append, Appended};
use hub_store::postgres::Postgres;
use hub_store::{Journal as _, Registry as _};
use registry_schema::clock::Hlc;

/// How long a hub may be gone before another one judges, in seconds.
const TAKEOVER_SECONDS: u64 = 10;
/// How long a test waits for something that takes milliseconds on an idle machine, in seconds.
const PATIENCE_SECONDS: u64 = 60;

/// A hub that is killed with this.
struct Hub(Child);

impl Hub {
    fn start(store: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
        command.args(["serve", "--insecure-loopback", "--store", store, "--listen", &format!("127.0.0.1:{port}")]);
        let hub = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the hub starts"));
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed().as_secs() < PATIENCE_SECONDS, "the hub does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        hub
    }

    /// Kills it as a power cut would.
    fn kill(mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("the hub is killed");
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Journals something to judge; answers how long it took to be judged.
async fn judged_after(store: &Postgres, number: u64) -> Duration {
    let verdict = Verdict {
        case: FindingId::of(Rule::SameKey, &[]),
        records: Vec::new(),
        answer: Answer::Wait,
        chosen: None,
        operator: "lan".to_owned(),
        clock: Hlc::from_number(number),
        reason: String::new(),
    };
    let appended = store.append(vec![Append::Verdict { verdict, received_ms: 0 }]).await.expect("appends");
    let [Appended::At(id)] = appended[..] else { panic!("a verdict is always taken") };
    let began = Instant::now();
    while store.digests().await.expect("reads").watermark.live < id {
        assert!(began.elapsed().as_secs() < PATIENCE_SECONDS, "entry {number} is not judged");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_takes_over_when_the_one_that_judges_is_killed() {
    let database = Database::create().await;
    let store = Postgres::open(&database.store_url()).await.expect("a fresh store");
    let mut judge = Hub::start(&database.url());
    for number in 1..4 {
        let next = Hub::start(&database.url());
        judged_after(&store, number * 2).await;
        judge.kill();
        let gone = judged_after(&store, number * 2 + 1).await;
        assert!(gone.as_secs() < TAKEOVER_SECONDS, "nobody judged for {gone:?}");
        judge = next;
    }
    let sums = store.digests().await.expect("reads").digests;
    assert_eq!(sums.section(hub_rules::digests::Section::Verdicts).count(), 6, "each verdict was judged once");
}

fn hub(store: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
    command.args(arguments).args(["--store", store]).output().expect("the command runs")
}

#[tokio::test]
async fn every_command_works_on_a_server() {
    let database = Database::create().await;
    let url = database.url();
    let folder = tempfile::tempdir().expect("a scratch folder");
    let token = folder.path().join("token").display().to_string();
    let absent = hub(&url, &["stats"]);
    assert_eq!(absent.status.code(), Some(69), "there is no store yet");
    let works = |arguments: &[&str]| {
        let output = hub(&url, arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    };
    works(&["provinces", "enrol", "01@2008", "--token-file", &token]);
    works(&["rebuild", "--apply"]);
    for command in ["stats", "provinces", "cases list", "digest", "completeness", "rebuild", "audit", "rules"] {
        works(&command.split(' ').collect::<Vec<&str>>());
    }
    for (command, code) in [("record show 01@2008/1", 69), ("person show P1", 69), ("cases show 00", 64)] {
        let output = hub(&url, &command.split(' ').collect::<Vec<&str>>());
        assert_eq!(output.status.code(), Some(code), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named_without_its_password() {
    let output = hub("postgres://hub:geheim@127.0.0.1:1/nation", &["stats"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("127.0.0.1:1/nation") && !said.contains("geheim"), "{said}");
}
