//! A nation of real processes for tests: one hub, some agents, each killed when dropped.

pub(crate) mod clerk;
pub(crate) mod patience;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use patience::succeed;
pub(crate) use patience::wait_until;

/// A hub with its store in a scratch folder.
pub(crate) struct Nation {
    folder: TempDir,
    port: u16,
    /// The store, when it is not the embedded one in the folder.
    store: Option<String>,
    /// Where agents call the hub, when something stands between.
    door: Option<u16>,
    hub: Option<Child>,
    /// Whether the hub has certificates; else it listens without TLS.
    is_tls: bool,
    /// What the programs log.
    log: &'static str,
    /// Where a service manager puts the hub's secrets.
    pub(crate) credentials: Option<PathBuf>,
    /// The environment of the hub's next start.
    environment: Environment,
}

/// Variables for a program.
pub(crate) type Environment = Vec<(&'static str, String)>;

/// An agent with its store.
pub(crate) struct Agent {
    folder: PathBuf,
    child: Option<Child>,
    log: &'static str,
    /// Where a service manager puts the agent's secrets.
    pub(crate) credentials: Option<PathBuf>,
    /// The environment of its next start.
    environment: Environment,
}

impl Nation {
    /// A running hub with an empty store.
    pub(crate) fn new() -> Self {
        Self::start(false, &[], "info")
    }

    /// A running hub with certificates of its own authority; `options` are those of `pki init`.
    pub(crate) fn with_certificates(options: &[&str]) -> Self {
        Self::start(true, options, "info")
    }

    /// The same over a store on a server.
    pub(crate) fn on_server(url: String) -> Self {
        let mut nation = Self::not_started(false);
        nation.store = Some(url);
        nation.start_hub();
        nation
    }

    /// The same, and its programs say everything that they can say.
    pub(crate) fn talkative() -> Self {
        Self::start(true, &[], "trace")
    }

    /// A running hub without TLS under a configuration.
    pub(crate) fn configured(toml: &str) -> Self {
        let mut nation = Self::not_started(false);
        nation.configure(toml);
        nation.start_hub();
        nation
    }

    /// A hub that does not run yet.
    pub(crate) fn not_started(is_tls: bool) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        Self {
            folder,
            port: free_port(),
            store: None,
            door: None,
            hub: None,
            is_tls,
            log: "info",
            credentials: None,
            environment: Vec::new(),
        }
    }

    /// Writes the hub's configuration, which it reads when it starts and at SIGHUP.
    pub(crate) fn configure(&self, toml: &str) {
        std::fs::write(self.path("hub.toml"), toml).expect("a configuration");
    }

    fn start(is_tls: bool, options: &[&str], log: &'static str) -> Self {
        let mut nation = Self::not_started(is_tls);
        nation.log = log;
        if is_tls {
            let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
            succeed(command.args(["pki", "init", "--pki"]).arg(nation.path("pki")).args(options));
        }
        nation.start_hub();
        nation
    }

    /// Starts the hub (again).
    pub(crate) fn start_hub(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.path("hub.log")).expect("a log");
        let mut command = self.serve_command();
        command.env("HOTICH_LOG", self.log).envs(self.environment.drain(..)).stderr(log).stdout(Stdio::null());
        self.hub = Some(command.spawn().expect("the hub starts"));
        let address = self.address();
        wait_until("the hub listens", || std::net::TcpStream::connect(address).is_ok() || self.is_hub_dead());
    }

    /// Where the hub listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The hub's process.
    pub(crate) fn hub_id(&self) -> u32 {
        self.hub.as_ref().expect("it runs").id()
    }

    /// The command that runs the hub.
    pub(crate) fn serve_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
        command.args(["serve", "--store", &self.store(), "--listen", &format!("127.0.0.1:{}", self.port)]);
        if self.is_tls {
            command.arg("--pki").arg(self.path("pki"))
        } else {
            command.arg("--insecure-loopback")
        };
        if self.path("hub.toml").exists() {
            command.arg("--config").arg(self.path("hub.toml"));
        }
        if let Some(folder) = &self.credentials {
            command.env("CREDENTIALS_DIRECTORY", folder);
        }
        command
    }

    /// Gives the hub's next start some variables.
    pub(crate) fn prepare_hub(&mut self, environment: Environment) {
        self.environment = environment;
    }

    /// Agents that are enrolled from now on call the hub at this port.
    pub(crate) fn through(&mut self, door: u16) {
        self.door = Some(door);
    }

    /// Whether the hub has ended.
    pub(crate) fn is_hub_dead(&mut self) -> bool {
        self.hub.as_mut().is_none_or(|hub| hub.try_wait().expect("a child").is_some())
    }

    /// The hub's process.
    pub(crate) fn hub_process(&self) -> Option<u32> {
        self.hub.as_ref().map(Child::id)
    }

    /// Kills the hub as a power cut would.
    pub(crate) fn kill_hub(&mut self) {
        kill(&mut self.hub);
    }

    /// Enrols a province and gives it an agent that does not run yet.
    pub(crate) fn enrol(&self, province: &str) -> Agent {
        let agent = self.agent(province);
        self.make_token(&agent, province);
        self.init(&agent, province);
        agent
    }

    fn agent(&self, province: &str) -> Agent {
        let agent = Agent {
            folder: self.path(province),
            child: None,
            log: self.log,
            credentials: None,
            environment: Vec::new(),
        };
        std::fs::create_dir(&agent.folder).expect("a folder for the province");
        agent
    }

    /// An agent that does not run yet, whose certificate and keys came from elsewhere.
    pub(crate) fn agent_with_identity(&self, province: &str, identity: &Path) -> Agent {
        let agent = self.agent(province);
        let (store, hub) = (agent.path("store.db"), format!("https://{}", self.address()));
        let mut command = agent_command();
        command.args(["init", "--store", &store, "--province", province, "--hub", &hub]);
        command.args(["--config", &agent.path("agent.toml"), "--identity"]).arg(identity);
        succeed(&mut command);
        agent
    }

    /// Makes a token for a province, in the agent's folder.
    pub(crate) fn make_token(&self, agent: &Agent, province: &str) {
        let noun = if self.is_tls { "pki" } else { "provinces" };
        self.hub_ok(&[noun, "enrol", province, "--token-file", &agent.path("token")]);
    }

    /// Initialises an agent's store.
    pub(crate) fn init(&self, agent: &Agent, province: &str) {
        let port = self.door.unwrap_or(self.port);
        let hub = format!("{}://127.0.0.1:{port}", if self.is_tls { "https" } else { "http" });
        let (store, token, config) = (agent.path("store.db"), agent.path("token"), agent.path("agent.toml"));
        let mut command = agent_command();
        command.args(["init", "--store", &store, "--province", province, "--hub", &hub, "--config", &config]);
        if self.is_tls {
            command.args(["--enrol", &token, "--identity", &agent.path("identity")]);
        } else {
            command.args(["--token-file", &token]);
        }
        succeed(&mut command);
    }

    /// The JSON that a hub command prints.
    pub(crate) fn hub_json(&self, arguments: &[&str]) -> Value {
        let output = self.hub_ok(&[arguments, &["--output", "json"]].concat());
        serde_json::from_slice(&output.stdout).expect("the command prints JSON")
    }

    /// A hub command that must succeed.
    pub(crate) fn hub_ok(&self, arguments: &[&str]) -> Output {
        succeed(&mut self.hub_command(arguments))
    }

    /// A hub command on this nation's store and certificates.
    pub(crate) fn hub_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_central-hub"));
        command.args(arguments).args(["--store", &self.store()]).arg("--pki").arg(self.path("pki"));
        command
    }

    /// Waits until everything that these agents hold is applied.
    pub(crate) fn settle(&self, agents: &[&Agent]) {
        wait_until("everything is applied", || agents.iter().all(|agent| agent.is_settled()));
        wait_until("the hub has judged everything", || self.hub_json(&["stats"])["waiting"] == 0);
    }

    /// The registry equals what is made anew from the journal, and the journal is what came in.
    pub(crate) fn check_books(&self) {
        assert_eq!(self.hub_json(&["rebuild"])["equal"], true);
        assert_eq!(self.hub_json(&["audit"])["intact"], true);
    }

    /// What the hub wrote into its log.
    pub(crate) fn hub_log(&self) -> String {
        std::fs::read_to_string(self.path("hub.log")).expect("a log")
    }

    fn store(&self) -> String {
        self.store.clone().unwrap_or_else(|| format!("sqlite:{}", self.path("national.db").display()))
    }

    /// A file of the nation.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Agent {
    /// Starts the daemon.
    pub(crate) fn start(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.path("agent.log")).expect("a log");
        let mut command = agent_command();
        let command = command.args(["run", "--config", &self.path("agent.toml")]).stderr(log).stdout(Stdio::null());
        command.env("HOTICH_LOG", self.log).envs(self.environment.drain(..));
        if let Some(folder) = &self.credentials {
            command.env("CREDENTIALS_DIRECTORY", folder);
        }
        self.child = Some(command.env("HOTICH_RECONNECT_MS_MAX", "500").spawn().expect("the agent starts"));
    }

    /// Gives the daemon's next start some variables.
    pub(crate) fn prepare(&mut self, environment: Environment) {
        self.environment = environment;
    }

    /// Whether the daemon has ended.
    pub(crate) fn is_dead(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().expect("a child").is_some())
    }

    /// The daemon's process.
    pub(crate) fn process(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills the daemon as a power cut would.
    pub(crate) fn kill(&mut self) {
        kill(&mut self.child);
    }

    /// A file of the province.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Carries out SQL in the store with the plain `sqlite3` shell.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let output = succeed(Command::new("sqlite3").args(["-cmd", ".timeout 10000", &self.path("store.db"), sql]));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// The JSON that an agent command prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = succeed(&mut self.command(arguments));
        serde_json::from_slice(&output.stdout).expect("the command prints JSON")
    }

    /// An agent command with this store's configuration, that answers in JSON.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.plain_command(arguments);
        command.args(["--output", "json"]);
        command
    }

    /// An agent command with this store's configuration.
    pub(crate) fn plain_command(&self, arguments: &[&str]) -> Command {
        let mut command = agent_command();
        command.args(arguments).args(["--config", &self.path("agent.toml")]);
        command
    }

    fn is_settled(&self) -> bool {
        let status = self.json(&["status"]);
        let lanes = status["lanes"].as_array().expect("lanes");
        status["unsealed"] == 0 && lanes.iter().all(|lane| lane["sealed"] == lane["applied"])
    }
}

/// Kibibytes of memory that a process holds now, as the kernel counts (proc(5)).
pub(crate) fn resident_kib(process: u32) -> u64 {
    memory_kib(process, "VmRSS:").expect("the process runs")
}

/// A line of the kernel's about a process's memory; `None` once it has ended.
pub(crate) fn memory_kib(process: u32, line: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let found = status.lines().find_map(|found| found.strip_prefix(line))?;
    found.trim().trim_end_matches(" kB").parse().ok()
}

impl Drop for Nation {
    fn drop(&mut self) {
        kill(&mut self.hub);
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

fn kill(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The agent's program stands beside the hub's: `make test` builds both.
fn agent_command() -> Command {
    let hub = Path::new(env!("CARGO_BIN_EXE_central-hub"));
    let agent = hub.with_file_name("sync-agent");
    assert!(agent.exists(), "{} is not built: run `make test`, or `cargo build --bins` first", agent.display());
    Command::new(agent)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
