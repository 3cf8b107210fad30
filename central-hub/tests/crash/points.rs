//! Every failpoint, and what brings a program to it.

/// What must happen for a program to pass a failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The hub serves while clerks write.
    Hub,
    /// An agent runs while its clerks write.
    Agent,
    /// A row of the nation is lost, and a comparison finds it: in the hub.
    HubCompares,
    /// The same in the agent.
    AgentCompares,
    /// A file is imported.
    Import,
    /// The journal is audited.
    Audit,
    /// A backup is made.
    Backup,
    /// A backup is brought back.
    Restore,
}

/// Every failpoint of both programs: a new one is added here, and the run fails until it is.
pub(crate) const POINTS: [(&str, Way); 26] = [
    ("agent.capture", Way::Agent),
    ("agent.seal.before", Way::Agent),
    ("agent.seal.after", Way::Agent),
    ("agent.frame", Way::Agent),
    ("hub.welcome", Way::Hub),
    ("hub.journal.before", Way::Hub),
    ("hub.journal.after", Way::Hub),
    ("hub.ack", Way::Hub),
    ("agent.words.before", Way::Agent),
    ("agent.words.after", Way::Agent),
    ("hub.plan.before", Way::Hub),
    ("hub.plan.after", Way::Hub),
    ("hub.notices", Way::Hub),
    ("agent.notice", Way::Agent),
    ("agent.import.before", Way::Import),
    ("agent.import.after", Way::Import),
    ("hub.resync.running", Way::HubCompares),
    ("agent.resend.before", Way::AgentCompares),
    ("agent.resend.after", Way::AgentCompares),
    ("hub.mend.before", Way::HubCompares),
    ("hub.mend.after", Way::HubCompares),
    ("hub.resync.ended", Way::HubCompares),
    ("hub.audit", Way::Audit),
    ("hub.backup.copied", Way::Backup),
    ("hub.backup.written", Way::Backup),
    ("hub.restore.checked", Way::Restore),
];

/// Those that a hub over a server passes; backups are copies of files.
pub(crate) fn on_server() -> Vec<(&'static str, Way)> {
    POINTS.into_iter().filter(|(_, way)| matches!(way, Way::Hub | Way::HubCompares | Way::Audit)).collect()
}

/// The names of all failpoints in the sources, so that none is forgotten.
pub(crate) fn in_sources() -> std::collections::BTreeSet<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut folders =
        ["central-hub/src", "central-hub/store/src", "sync-agent/src"].map(|folder| root.join(folder)).to_vec();
    let mut names = std::collections::BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("reads").map(|entry| entry.expect("reads").path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("text");
            let found =
                text.split("fail_point!(\"").skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned));
            names.extend(found);
        }
    }
    names
}
