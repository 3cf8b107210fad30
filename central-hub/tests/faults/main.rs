//! What real servers and disks do to a nation: they stop, lose connections, give their place to another, and fill up.
//! A province streams meanwhile; in the end everything is there once.

#![allow(clippy::unwrap_used, reason = "a test ends where its world fails")]

#[path = "../pair/mod.rs"]
mod pair;
mod proxy;
mod server;

use std::sync::Arc;
use std::time::Duration;

use central_hub::{audit, rebuild};
use hub_rules::policy::Policy;
use hub_store::model::{Append, Appended};
use hub_store::postgres::Postgres;
use hub_store::{Journal as _, Lineage as _, NationalStore, StoreError, conformance};

use pair::Pair;
use proxy::Proxy;
use server::{Server, hand_over, url};

async fn open(url: &str) -> Postgres {
    Postgres::open(&url.parse().unwrap()).await.unwrap()
}

/// Every entry is in the nation once, and the registry is what its journal says.
async fn check_books<S: NationalStore + Clone + 'static>(pair: &Pair<S>, births: u64) {
    pair.check_equal().await;
    let scratch = tempfile::tempdir().unwrap();
    let anew = rebuild::verify(&pair.store, &Arc::new(Policy::default()), scratch.path(), |_| {}).await.unwrap();
    assert!(anew.equal, "{anew:?}");
    let audited = audit::audit(&pair.store, |_| {}).await.unwrap();
    assert!(audited.intact, "{:?}", audited.defects);
    let live = pair.store.cursors(pair.origin()).await.unwrap()[0].seq.0;
    assert_eq!(live, births, "every birth was sealed once and journaled once");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: `make faults` runs it"]
async fn a_server_that_is_stopped_like_a_machine_loses_nothing() {
    let server = Server::start("");
    let pair = Pair::new(open(&server.url()).await).await;
    for stop in 0..4 {
        pair.births(stop * 500..stop * 500 + 500);
        tokio::time::sleep(Duration::from_millis(60 * u64::from(stop))).await;
        server.stop("immediate");
        server.resume();
    }
    check_books(&pair, 2_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: `make faults` runs it"]
async fn two_hundred_terminated_backends_lose_nothing() {
    const KILLS: i64 = 200;
    let server = Server::start("");
    let pair = Pair::new(open(&server.url()).await).await;
    let client = server.client().await;
    let (mut killed, mut written) = (0, 0);
    while killed < KILLS {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'hotich%'";
        let some: i64 = client.query_one(sql, &[]).await.unwrap().get(0);
        if some > 0 {
            pair.births(written..written + 20);
            written += 20;
        }
        killed += some;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    check_books(&pair, u64::from(written)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: `make faults` runs it"]
async fn two_hundred_cut_connections_lose_nothing() {
    const CUTS: usize = 200;
    let server = Server::start("");
    let proxy = Proxy::start(server.address()).await;
    let pair = Pair::new(open(&url(&proxy.address.to_string())).await).await;
    let (mut cut, mut written) = (0, 0);
    while cut < CUTS {
        let some = proxy.cut();
        if some > 0 {
            pair.births(written..written + 20);
            written += 20;
        }
        cut += some;
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    check_books(&pair, u64::from(written)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: `make faults` runs it"]
async fn a_promoted_replica_is_found_and_has_everything() {
    let primary = Server::start("");
    let replica = Server::replica_of(&primary);
    let client = primary.client().await;
    client.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let both = format!("{},{}", primary.address(), replica.address());
    let pair = Pair::new(open(&url(&both)).await).await;
    pair.births(0..500);
    pair.settle().await;
    pair.births(500..900);
    primary.stop("immediate");
    replica.promote();
    replica.client().await.batch_execute("ALTER SYSTEM RESET synchronous_standby_names; ").await.unwrap();
    replica.client().await.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    pair.births(900..1_000);
    check_books(&pair, 1_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half a minute: `make faults` runs it"]
async fn a_failover_that_lost_acknowledged_changes_gets_them_again() {
    let primary = Server::start("");
    let replica = Server::replica_of(&primary);
    let both = format!("{},{}", primary.address(), replica.address());
    let pair = Pair::new(open(&url(&both)).await).await;
    pair.births(0..300);
    pair.settle().await;
    // The replica hears nothing of what follows.
    let sql = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn";
    let at: String = primary.client().await.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get(0);
    let behind = replica.client().await;
    pair.wait("the replica follows", async || behind.query_one(sql, &[&at]).await.unwrap().get(0)).await;
    replica.stop("fast");
    pair.births(300..700);
    pair.settle().await;
    primary.stop("immediate");
    replica.resume();
    replica.promote();
    pair.store.begin_again(99, 1).await.unwrap();
    pair.births(700..720);
    pair.wait("the lost ones are there again", async || {
        pair.store.cursors(pair.origin()).await.is_ok_and(|cursors| cursors[0].applied.0 == 720)
    })
    .await;
    check_books(&pair, 720).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_refusals_of_the_server_are_tried_again() {
    let server = Server::start("");
    let store = open(&server.url()).await;
    let client = server.client().await;
    // A sequence keeps its value when a transaction is undone, so each refusal comes three times and no more.
    for (number, state) in ["40001", "40P01", "57P01", "53300", "25006", "25P02"].iter().enumerate() {
        let sql = format!(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 IF nextval('refusals_{number}') <= 3 THEN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END IF;
                 RETURN NEW; END $$;
             CREATE SEQUENCE refusals_{number};
             CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON journal FOR EACH ROW EXECUTE FUNCTION refuse()"
        );
        client.batch_execute(&sql).await.unwrap();
        let appended = store.append(vec![conformance::big_frame(number as u64)]).await.unwrap();
        assert!(matches!(appended[..], [Appended::At(_)]), "{state}: {appended:?}");
        let tried: i64 =
            client.query_one(&format!("SELECT last_value FROM refusals_{number}"), &[]).await.unwrap().get(0);
        assert_eq!(tried, 4, "{state}");
    }
    assert_eq!(store.cursors(conformance::origin()).await.unwrap()[0].seq.0, 6);
}

/// A certificate for a name by an authority, as PEM: the authority's, the server's, and the server's key.
fn certificates(name: &str) -> [String; 3] {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::from_ca_cert_pem(&authority.pem(), key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    [authority.pem(), server.pem(), key.serialize_pem()]
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_server_that_is_meant_is_believed() {
    let server = Server::start("");
    let [authority, certificate, key] = certificates("localhost");
    let [stranger, ..] = certificates("localhost");
    let file = |name: &str, text: &str| {
        let path = server.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        hand_over(&path);
        path.display().to_string()
    };
    let (good, wrong) = (file("ca.pem", &authority), file("stranger.pem", &stranger));
    let (certificate, key) = (file("server.pem", &certificate), file("server.key", &key));
    let client = server.client().await;
    for sql in [
        format!("ALTER SYSTEM SET ssl_cert_file = '{certificate}'"),
        format!("ALTER SYSTEM SET ssl_key_file = '{key}'"),
        "ALTER SYSTEM SET ssl = on".to_owned(),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        client.batch_execute(&sql).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let at = |host: &str, authority: &str| {
        let port = server.port;
        format!("postgres://hotich@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={authority}")
    };
    let store = open(&at("localhost", &good)).await;
    store.append(vec![conformance::big_frame(0)]).await.unwrap();
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
               WHERE ssl AND application_name LIKE 'hotich%'";
    assert!(client.query_one(sql, &[]).await.unwrap().get::<_, i64>(0) > 0, "it is spoken to in secret");
    for (host, authority) in [("localhost", &wrong), ("127.0.0.1", &good)] {
        match Postgres::open(&at(host, authority).parse().unwrap()).await {
            Err(StoreError::Unusable { reason, .. }) => assert!(reason.contains("certificate"), "{reason}"),
            other => panic!("{host} with {authority}: {:?}", other.err()),
        }
    }
}

/// A disk of a few megabytes, in memory.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        disk.resize(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        disk
    }

    fn resize(&self, options: &[&str]) {
        let mounted = std::process::Command::new("mount").args(options).arg(self.0.path()).status().unwrap();
        assert!(mounted.success(), "this test mounts a tmpfs, which only root may");
    }

    fn grow(&self, size: &str) {
        self.resize(&["-o", &format!("remount,size={size}")]);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// Appends until the store says that the disk is full; answers how much was taken.
async fn fill<S: NationalStore>(store: &S) -> u64 {
    for taken in 0..2_000 {
        match store.append(vec![conformance::big_frame(taken), big_verdict()]).await {
            Ok(_) => {}
            Err(refused) => {
                assert!(matches!(refused, StoreError::Full { .. }), "{refused}");
                assert!(refused.to_string().contains("free space"), "{refused}");
                return taken;
            }
        }
    }
    panic!("the disk was never full");
}

fn big_verdict() -> Append {
    let verdict = hub_rules::verdict::Verdict {
        case: hub_rules::finding::FindingId::of(hub_rules::finding::Rule::SameKey, &[]),
        records: Vec::new(),
        answer: hub_rules::verdict::Answer::Wait,
        chosen: None,
        operator: "lan".to_owned(),
        clock: registry_schema::clock::Hlc::from_number(1),
        reason: "seen in the book".to_owned(),
    };
    Append::Verdict { verdict, received_ms: 0 }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "mounts a tmpfs, which only root may: `make faults` runs it"]
async fn a_server_whose_disk_is_full_refuses_loses_nothing_and_goes_on() {
    let (server, disk) = (Server::start(""), SmallDisk::mount("24m"));
    let folder = disk.0.path().join("small");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(disk.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    hand_over(&folder);
    let client = server.client().await;
    client.batch_execute(&format!("CREATE TABLESPACE small LOCATION '{}'", folder.display())).await.unwrap();
    client.batch_execute("CREATE DATABASE nation TABLESPACE small").await.unwrap();
    let store = open(&format!("postgres://hotich@{}/nation", server.address())).await;
    let taken = fill(&store).await;
    assert_eq!(store.cursors(conformance::origin()).await.unwrap()[0].seq.0, taken, "no more and no less");
    disk.grow("200m");
    store.append(vec![conformance::big_frame(taken)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "mounts a tmpfs, which only root may: `make faults` runs it"]
async fn a_hub_whose_disk_is_full_keeps_its_provinces_waiting_and_goes_on() {
    let disk = SmallDisk::mount("2m");
    let store = hub_store::sqlite::Sqlite::open(&disk.0.path().join("national.db")).unwrap();
    let pair = Pair::new(store).await;
    let told = || sync_agent::status::read(pair.store_path(), 0).unwrap().connection.error;
    let mut written = 0;
    // The full disk stops the judge first, and then the journal, which takes less room.
    pair.wait("the province is told", async || {
        pair.births(written..written + 500);
        written += 500;
        told().is_some_and(|error| error.contains("disk is full"))
    })
    .await;
    disk.grow("400m");
    check_books(&pair, u64::from(written)).await;
}
