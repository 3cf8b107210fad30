//! PostgreSQL servers that a test may stop, cut off and promote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// How long a server may take for what takes a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// One server in a scratch folder. It trusts everybody on the loopback, for the seconds of a test.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
}

/// PostgreSQL refuses to be root.
fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

fn bin() -> PathBuf {
    let found = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    found.map(|path| path.join("bin")).filter(|path| path.join("initdb").exists()).max().unwrap_or_default()
}

/// Runs a program of the server as its user.
fn run(program: &str, arguments: &[&str]) -> Output {
    let program = bin().join(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    let output = command.args(arguments).current_dir("/").output().expect("PostgreSQL is installed: .ci/need postgres");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    output
}

/// Gives a file or folder to the server's user.
pub(crate) fn hand_over(path: &Path) {
    if is_root() {
        assert!(Command::new("chown").args(["-R", "postgres"]).arg(path).status().expect("runs").success());
    }
}

impl Server {
    /// A running server, with these lines in its configuration.
    pub(crate) fn start(lines: &str) -> Self {
        let server = Self { folder: scratch(), port: free_port() };
        run(
            "initdb",
            &[
                "--pgdata",
                &server.data(),
                "--username",
                "hotich",
                "--auth",
                "trust",
                "--no-sync",
                "--locale",
                "C",
                "--encoding",
                "UTF8",
            ],
        );
        server.configure(lines);
        server.resume();
        server
    }

    /// A copy of a running server that follows it.
    pub(crate) fn replica_of(primary: &Self) -> Self {
        let server = Self { folder: scratch(), port: free_port() };
        let port = primary.port.to_string();
        run(
            "pg_basebackup",
            &[
                "--pgdata",
                &server.data(),
                "--write-recovery-conf",
                "--checkpoint",
                "fast",
                "--host",
                "127.0.0.1",
                "--port",
                &port,
                "--username",
                "hotich",
                "--no-sync",
            ],
        );
        server.configure("");
        server.resume();
        server
    }

    fn configure(&self, lines: &str) {
        let file = Path::new(&self.data()).join("postgresql.auto.conf");
        let mut text = std::fs::read_to_string(&file).unwrap_or_default();
        let (port, folder) = (self.port, self.folder.path().display());
        text.push_str(&format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{folder}'\nshared_buffers = 32MB\n{lines}\n"
        ));
        std::fs::write(&file, text).expect("writes");
    }

    /// Starts it (again).
    pub(crate) fn resume(&self) {
        let log = self.folder.path().join("log").display().to_string();
        run("pg_ctl", &["--pgdata", &self.data(), "--log", &log, "--wait", "--silent", "start"]);
    }

    /// Stops it, `immediate` as a power cut would.
    pub(crate) fn stop(&self, mode: &str) {
        run("pg_ctl", &["--pgdata", &self.data(), "--mode", mode, "--wait", "--silent", "stop"]);
    }

    /// Makes a replica the one that may be written to.
    pub(crate) fn promote(&self) {
        run("pg_ctl", &["--pgdata", &self.data(), "--wait", "--silent", "promote"]);
    }

    pub(crate) fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        url(&self.address())
    }

    /// A plain connection to look and to do harm with.
    pub(crate) async fn client(&self) -> Client {
        let began = Instant::now();
        loop {
            match tokio_postgres::connect(&self.url(), NoTls).await {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return client;
                }
                Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = std::panic::catch_unwind(|| self.stop("immediate"));
    }
}

/// The URL of a nation on these servers.
pub(crate) fn url(addresses: &str) -> String {
    format!("postgres://hotich@{addresses}/postgres")
}

fn scratch() -> TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    hand_over(folder.path());
    folder
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
