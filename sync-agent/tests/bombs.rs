//! Files of some kilobytes that unpack to a gigabyte: the real program refuses them in little memory.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// What a part unpacks to.
const BOMB_BYTES: usize = 1 << 30;
/// What the program may take more for a bomb than for a small file, in kibibytes.
const GROWTH_KIB_MAX: u64 = 64 * 1024;

fn agent(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sync-agent"));
    command.args(arguments).args(["--config", &folder.join("agent.toml").display().to_string()]);
    command
}

/// Imports a file; how it ended, what it said, and the most memory it held, in kibibytes.
fn import(folder: &Path, name: &str) -> (bool, String, u64) {
    let path = folder.join(name).display().to_string();
    let said = File::create(folder.join("said")).unwrap();
    let mut command = agent(&["import", &path, "--kind", "death"], folder);
    let mut child = command.stdout(Stdio::null()).stderr(said).spawn().unwrap();
    let mut most_kib = 0;
    let ended = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most_kib = most_kib.max(kib.unwrap_or_default());
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    (ended.success(), std::fs::read_to_string(folder.join("said")).unwrap(), most_kib)
}

fn bomb(path: &Path, part: &str) {
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    writer.start_file(part, SimpleFileOptions::default()).unwrap();
    let chunk = [b'<'; 64 * 1024];
    for _ in 0..BOMB_BYTES / chunk.len() {
        writer.write_all(&chunk).unwrap();
    }
    writer.finish().unwrap();
    assert!(path.metadata().unwrap().len() < 4 * 1024 * 1024, "it is small on disk");
}

#[test]
fn workbooks_that_unpack_to_a_gigabyte_are_refused_in_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let store = folder.join("hanoi.db").display().to_string();
    let token = folder.join("token").display().to_string();
    let init =
        ["init", "--store", &store, "--province", "01@2008", "--hub", "http://127.0.0.1:1", "--token-file", &token];
    assert!(agent(&init, folder).output().unwrap().status.success());
    let headings = "number,registration_date,authority,deceased_name\n1,05.03.1999,01.00001,Lê An\n";
    std::fs::write(folder.join("small.csv"), headings).unwrap();
    let (is_good, said, small_kib) = import(folder, "small.csv");
    assert!(is_good && small_kib > 0, "{said}");
    for part in ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/media/picture.png"] {
        bomb(&folder.join("bomb.xlsx"), part);
        let (is_good, said, bomb_kib) = import(folder, "bomb.xlsx");
        assert!(!is_good && said.contains("bytes of unpacked text"), "{part}: {said}");
        assert!(bomb_kib < small_kib + GROWTH_KIB_MAX, "{part}: {small_kib} and {bomb_kib} KiB");
    }
}
