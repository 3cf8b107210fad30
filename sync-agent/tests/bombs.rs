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

/// A workbook with one sheet, one part of which is another.
fn workbook_with(path: &Path, part: &str, content: &str) {
    let relationship = |kind: &str, target: &str| {
        let kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        format!("<Relationships><Relationship Id=\"r1\" Type=\"{kinds}/{kind}\" Target=\"{target}\"/></Relationships>")
    };
    let (root, sheet) =
        (relationship("officeDocument", "xl/workbook.xml"), relationship("worksheet", "worksheets/sheet1.xml"));
    let parts = [
        ("[Content_Types].xml", "<Types/>"),
        ("_rels/.rels", root.as_str()),
        ("xl/_rels/workbook.xml.rels", sheet.as_str()),
        ("xl/workbook.xml", "<workbook><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"),
        ("xl/worksheets/sheet1.xml", "<worksheet><sheetData/></worksheet>"),
        ("xl/sharedStrings.xml", "<sst/>"),
        ("xl/styles.xml", "<styleSheet/>"),
    ];
    let mut writer = ZipWriter::new(File::create(path).unwrap());
    for (name, usual) in parts {
        // Not compressed: what shrinks too well is refused for that alone.
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, stored).unwrap();
        writer.write_all(if name == part { content } else { usual }.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
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

/// A folder with an agent's store, and what importing a small file takes there, in kibibytes.
fn desk() -> (tempfile::TempDir, u64) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let store = folder.join("hanoi.db").display().to_string();
    let token = folder.join("token").display().to_string();
    let init =
        ["init", "--store", &store, "--province", "01@2008", "--hub", "http://127.0.0.1:1", "--token-file", &token];
    assert!(agent(&init, folder).output().unwrap().status.success());
    let headings = "number,registration_date,authority,deceased_name\n1,05.03.1999,01.00001,Lê An\n";
    std::fs::write(folder.join("small.csv"), headings).unwrap();
    let (is_good, said, small_kib) = import(folder, "small.csv");
    assert!(is_good && small_kib > 0, "{said}");
    (scratch, small_kib)
}

#[test]
fn what_a_workbook_announces_or_is_full_of_takes_no_more_memory_than_its_bounds_say() {
    let (scratch, small_kib) = desk();
    let folder = scratch.path();
    let check = |part: &str, content: &str, words: &str, growth_kib_max: u64| {
        workbook_with(&folder.join("odd.xlsx"), part, content);
        let (is_good, said, kib) = import(folder, "odd.xlsx");
        assert!(!is_good && said.contains(words), "{part}: {said}");
        assert!(kib < small_kib + growth_kib_max, "{part}: {small_kib} and {kib} KiB");
    };
    let full = |head: &str, tag: &str, times: usize, foot: &str| format!("{head}{}{foot}", tag.repeat(times));
    let nothing = "have no headings";
    check("xl/sharedStrings.xml", "<sst/>", nothing, GROWTH_KIB_MAX);
    check("xl/sharedStrings.xml", "<sst uniqueCount=\"99999999999\"><si/></sst>", "announces", GROWTH_KIB_MAX);
    let texts = full("<sst>", "<si><t/></si>", 5_000_000, "</sst>");
    check("xl/sharedStrings.xml", &texts, nothing, 512 * 1024);
    let styles = full("<styleSheet><cellXfs>", "<xf/>", 1_000_000, "</cellXfs></styleSheet>");
    check("xl/styles.xml", &styles, nothing, 512 * 1024);
}

#[test]
fn workbooks_that_unpack_to_a_gigabyte_are_refused_in_little_memory() {
    let (scratch, small_kib) = desk();
    let folder = scratch.path();
    for part in ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml", "xl/media/picture.png"] {
        bomb(&folder.join("bomb.xlsx"), part);
        let (is_good, said, bomb_kib) = import(folder, "bomb.xlsx");
        assert!(!is_good && said.contains("bytes of unpacked text"), "{part}: {said}");
        assert!(bomb_kib < small_kib + GROWTH_KIB_MAX, "{part}: {small_kib} and {bomb_kib} KiB");
    }
}
