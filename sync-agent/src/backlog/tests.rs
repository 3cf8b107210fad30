//! Whole imports into a store of the reference schema.
#![allow(clippy::unwrap_used)]

mod decoding;
mod hostile;

use std::panic::AssertUnwindSafe;

use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use tempfile::TempDir;

use super::*;
use crate::store::tests::scratch;

const MAPPING: &str = "kind = \"death\"\ndelimiter = \";\"\ndate_pattern = \"dd/mm/yyyy\"\n[columns]\n\
    deceased_name = [\"NOM\", \"PRENOMS\"]\ndeceased_birth_date = \"NAISSANCE\"\ndeceased_origin = \"COMMUNE\"\n\
    deceased_sex = \"SEXE\"\n[constants]\nauthority = \"Sở Tư pháp\"\n[values.deceased_sex]\nM = \"1\"\nF = \"2\"\n";
const HEADINGS: &str = "NAISSANCE;COMMUNE;NOM;PRENOMS;SEXE\n";

struct Desk {
    folder: TempDir,
    store: Store,
    mapping: Option<PathBuf>,
    split: Option<(u32, u32)>,
    dry_run: bool,
}

impl Desk {
    fn new() -> Self {
        let (folder, store) = scratch();
        let mut desk = Self { folder, store, mapping: None, split: None, dry_run: false };
        desk.map(MAPPING);
        desk
    }

    fn map(&mut self, mapping: &str) {
        self.mapping = Some(self.file("mapping.toml", mapping));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn import_with(&mut self, name: &str, mut progress: impl FnMut(&Progress)) -> Result<ImportReport, ImportError> {
        let request = ImportRequest {
            path: self.path(name),
            kind: None,
            mapping: self.mapping.clone(),
            rejects: None,
            authority: None,
            dry_run: self.dry_run,
            split: self.split,
            now: &|| "2026-01-01T00:00:00Z".parse().unwrap(),
        };
        import(&mut self.store, &request, &mut progress)
    }

    fn import(&mut self, name: &str) -> ImportReport {
        self.import_with(name, |_| ()).unwrap()
    }

    /// Imports and compares (imported, absorbed, rejected) of the run.
    #[track_caller]
    fn check(&mut self, name: &str, expected: (u64, u64, u64)) -> ImportReport {
        let report = self.import(name);
        assert_eq!((report.imported, report.absorbed, report.rejected), expected, "{:?}", report.samples);
        report
    }

    #[track_caller]
    fn check_error(&mut self, name: &str, words: &[&str]) {
        let error = self.import_with(name, |_| ()).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} in {error}");
        }
        assert_eq!(self.deaths(), 0);
    }

    fn number(&self, query: &str) -> i64 {
        self.store.connection.query_row(query, [], |row| row.get(0)).unwrap()
    }

    fn deaths(&self) -> i64 {
        self.number("SELECT count(*) FROM deaths")
    }
}

/// A file of `count` deaths, where every tenth has a day that does not exist.
fn numbered(count: usize) -> String {
    let letters =
        |number: usize| -> String { number.to_string().bytes().map(|digit| char::from(digit + 49)).collect() };
    let date = |number| if number % 10 == 9 { "31/02/1950" } else { "01/02/1950" };
    let row = |number| format!("{};HANOI;NOM{};AN;M\n", date(number), letters(number));
    HEADINGS.to_owned() + &(0..count).map(row).collect::<String>()
}

#[test]
fn a_row_becomes_an_entry_as_the_mapping_says() {
    let mut desk = Desk::new();
    desk.file("a.csv", format!("{HEADINGS}00/05/1950;PARIS 14;O'NEIL;ANNE MARIE;F\n;\"LYON;\n3E\";ROY;;M\n"));
    desk.check("a.csv", (2, 0, 0));
    let row =
        "SELECT deceased_name || '|' || deceased_birth_date || '|' || deceased_origin || '|' || deceased_sex || '|'
        || authority || '|' || (record_id >> 62) || '|' || import_id FROM deaths ORDER BY record_id LIMIT 1";
    let row: String = desk.store.connection.query_row(row, [], |row| row.get(0)).unwrap();
    assert_eq!(row, "O'NEIL ANNE MARIE|05.1950|PARIS 14|2|Sở Tư pháp|1|1");
    assert_eq!(desk.number("SELECT count(*) FROM change_log WHERE backlog = 1 AND operation = 'insert'"), 2);
    assert_eq!(desk.number("SELECT count(*) FROM imports WHERE finished_at IS NOT NULL AND rows_done = 2"), 1);
}

#[test]
fn equal_rows_of_a_file_are_kept_and_come_from_no_file_twice() {
    let mut desk = Desk::new();
    let (row, other) = ("01/02/1950;HUE;LE;AN;M\n", "01/02/1950;HUE;LE;BINH;M\n");
    desk.file("a.csv", format!("{HEADINGS}{row}{row}"));
    desk.check("a.csv", (2, 0, 0));
    let again = desk.check("a.csv", (0, 2, 0));
    assert_eq!((again.rows, again.resumed_at), (2, 0));
    desk.file("b.csv", format!("{HEADINGS}{row}{other}{row}{row}"));
    desk.check("b.csv", (2, 2, 0));
    assert_eq!(desk.deaths(), 4);
}

#[test]
fn a_mended_reject_file_is_imported_with_the_same_mapping() {
    let mut desk = Desk::new();
    desk.file("a.csv", format!("{HEADINGS}31/02/1950;=HUE;LE;AN;M\n01/03/1950;HUE;TRAN;BA;F\n"));
    let report = desk.check("a.csv", (1, 0, 1));
    assert_eq!((report.samples[0].line, report.reject_file), (2, Some(desk.path("a.csv.rejects.csv"))));
    let rejects = desk.text("a.csv.rejects.csv");
    assert!(rejects.contains("31/02/1950;'=HUE;LE;AN;M;2;") && rejects.contains("no day 31"), "{rejects}");
    desk.check("a.csv.rejects.csv", (0, 0, 1));
    desk.file("mended.csv", rejects.replace("31/02/1950", "28/02/1950"));
    let report = desk.check("mended.csv", (1, 0, 0));
    assert_eq!(report.reject_file, None);
    assert_eq!(desk.number("SELECT count(*) FROM deaths WHERE deceased_origin = '=HUE'"), 1);
}

#[test]
fn a_corrected_mapping_brings_in_what_was_rejected_and_nothing_twice() {
    let mut desk = Desk::new();
    desk.file("a.csv", format!("{HEADINGS}05/25/1950;HUE;LE;AN;M\n05/06/1950;HUE;TRAN;BA;F\n"));
    desk.check("a.csv", (1, 0, 1));
    desk.map(&MAPPING.replace("dd/mm", "mm/dd"));
    let report = desk.check("a.csv", (1, 1, 0));
    assert!(report.warnings[0].contains("rejects.csv.old-1"), "{:?}", report.warnings);
    assert_eq!(desk.deaths(), 2);
    desk.check("a.csv", (0, 2, 0));
    assert_eq!(desk.number("SELECT rows_imported FROM imports"), 2);
}

#[test]
fn an_import_that_was_killed_between_batches_goes_on_behind_them() {
    let mut desk = Desk::new();
    desk.file("a.csv", numbered(5_000));
    let killed = std::panic::catch_unwind(AssertUnwindSafe(|| {
        desk.import_with("a.csv", |progress| assert!(progress.rows < 4_000, "killed"))
    }));
    assert!(killed.is_err());
    assert_eq!(desk.number("SELECT rows_done FROM imports"), 4_000);
    let report = desk.check("a.csv", (900, 0, 100));
    assert_eq!((report.rows, report.resumed_at), (5_000, 4_000));
    assert_eq!(desk.text("a.csv.rejects.csv").lines().count(), 501);
    desk.check("a.csv", (0, 4_500, 500));
}

#[test]
fn an_import_that_failed_inside_a_batch_writes_no_row_and_no_reject_twice() {
    let mut desk = Desk::new();
    desk.file("a.csv", numbered(3_000) + "01/02/1950;HUE;LE;AN;M\n01/02/1950;HUE;LE;AN;M\n");
    desk.store
        .connection
        .execute_batch(
            "CREATE TRIGGER failing BEFORE INSERT ON deaths WHEN new.deceased_name LIKE 'NOMcfaa %'
         BEGIN SELECT RAISE(ABORT, 'power cut'); END;",
        )
        .unwrap();
    let error = desk.import_with("a.csv", |_| ()).unwrap_err();
    assert!(error.to_string().contains("province.db") && error.to_string().contains("power cut"), "{error}");
    assert_eq!((desk.number("SELECT rows_done FROM imports"), desk.deaths()), (2_000, 1_800));
    assert_eq!(desk.number("SELECT sealed_seq FROM lanes WHERE lane = 3"), 1_800);
    let torn = desk.text("a.csv.rejects.csv");
    assert_eq!(torn.lines().count(), 301);
    desk.store.connection.execute_batch("DROP TRIGGER failing").unwrap();
    desk.check("a.csv", (902, 0, 100));
    assert_eq!(desk.text("a.csv.rejects.csv"), torn);
    assert_eq!(desk.number("SELECT rows_imported + rows_rejected FROM imports"), 3_002);
}

#[test]
fn an_entry_is_sealed_when_it_is_committed_behind_what_waited_before_it() {
    let mut desk = Desk::new();
    let clerk = "INSERT INTO births (number) VALUES ('1'); UPDATE births SET number = '2'";
    desk.store.connection.execute_batch(clerk).unwrap();
    desk.file("a.csv", numbered(3_000));
    let waiting = "SELECT count(*) FROM change_log WHERE seq IS NULL";
    let path = desk.path("province.db");
    let other = rusqlite::Connection::open(path).unwrap();
    let look = |_: &Progress| assert_eq!(other.query_row(waiting, (), |row| row.get::<_, i64>(0)), Ok(0));
    desk.import_with("a.csv", look).unwrap();
    assert_eq!(desk.number("SELECT sum(sealed_seq) FROM lanes WHERE lane IN (1, 3)"), 2_702);
    assert_eq!(desk.store.seal(9, 0).unwrap().changes, 0, "nothing is left for the daemon");
    Store::open(&desk.path("province.db")).unwrap();
}

#[test]
fn a_key_that_another_entry_has_by_chance_is_replaced_by_a_new_one() {
    let mut desk = Desk::new();
    let path = desk.file("a.csv", format!("{HEADINGS}01/02/1950;HUE;LE;AN;M\n"));
    let sha256 = hash(&mut File::open(path).unwrap()).unwrap();
    let taken = registry_schema::ids::RecordId::imported(&sha256, 0).number();
    desk.store.connection.execute("INSERT INTO deaths (record_id, authority) VALUES (?1, 'HUE')", [taken]).unwrap();
    desk.check("a.csv", (1, 0, 0));
    let found = "SELECT count(*) FROM deaths JOIN import_ledger USING (record_id) WHERE deceased_name = 'LE AN'";
    assert_eq!((desk.number(found), desk.deaths()), (1, 2));
    desk.file("b.csv", format!("{HEADINGS}01/02/1950;HUE;LE;AN;M\n\n"));
    desk.check("b.csv", (0, 1, 0));
}

#[test]
fn the_parts_of_a_split_make_the_whole() {
    let mut desk = Desk::new();
    desk.map(MAPPING);
    let row = "01/02/1950;HUE;LE;AN;M\n";
    desk.file("a.csv", format!("{HEADINGS}{row}{row}{row}{row}"));
    for (part, imported) in [(1, 1), (2, 1), (3, 2)] {
        desk.split = Some((part, 3));
        let report = desk.check("a.csv", (imported, 0, 0));
        assert_eq!((report.rows, report.other_parts), (4, 4 - imported));
        let again = desk.check("a.csv", (0, imported, 0));
        assert_eq!((again.rows, again.other_parts), (4, 4 - imported));
    }
    desk.split = None;
    desk.check("a.csv", (0, 4, 0));
}

#[test]
fn a_dry_run_writes_nothing() {
    let mut desk = Desk::new();
    desk.file("a.csv", numbered(300));
    desk.dry_run = true;
    let report = desk.check("a.csv", (270, 0, 30));
    assert_eq!((report.samples.len(), report.samples[0].line, report.reject_file), (20, 11, None));
    assert!(!desk.path("a.csv.rejects.csv").exists());
    assert_eq!(desk.number("SELECT count(*) FROM imports") + desk.deaths(), 0);
}

#[test]
fn a_cell_of_forty_megabytes_is_rejected_and_the_next_rows_go_on() {
    let mut desk = Desk::new();
    let row = "01/02/1950;HUE;LE;AN;M\n";
    desk.file("a.csv", format!("{HEADINGS}01/02/1950;{};LE;AN;M\n{row}", "x".repeat(40_000_000)));
    let report = desk.check("a.csv", (1, 0, 1));
    assert!(report.samples[0].english.contains("262144 bytes on 1 line(s)"), "{:?}", report.samples);
    assert!(std::fs::metadata(desk.path("a.csv.rejects.csv")).unwrap().len() < 300_000);
    desk.file("b.csv", format!("{HEADINGS}01/02/1950;\"HUE;LE;AN;M\n{}", row.repeat(20_000)));
    let report = desk.check("b.csv", (0, 0, 1));
    assert!(report.samples[0].english.contains("quotation mark"), "{:?}", report.samples);
}

#[test]
fn cells_in_the_wrong_column_are_not_taken_for_data() {
    let mut desk = Desk::new();
    desk.file("a.csv", format!("{HEADINGS}01/02/1950;HUE;LE;AN;M;M\n01/02/1950;HUE;LE\n01/02/1950;HUE;LE;AN;M;;\n"));
    let report = desk.check("a.csv", (1, 0, 2));
    assert!(report.samples[1].english.contains("3 cells where the headings have 5"), "{:?}", report.samples);
}

#[test]
fn another_encoding_is_read_or_named() {
    let mut desk = Desk::new();
    let text = format!("{HEADINGS}01/02/1950;HUẾ;LÊ;ĐÀO;F\n01/02/1950;HUE;LE;AN;M\n");
    desk.file("latin.csv", [HEADINGS.as_bytes(), b"01/02/1950;NAN\xc7Y;L\xca;AN;F\n01/02/1950;HUE;LE;AN;M\n"].concat());
    let report = desk.check("latin.csv", (1, 0, 1));
    assert!(report.samples[0].english.contains("column 2: some bytes are not UTF-8"), "{:?}", report.samples);
    assert!(report.warnings[0].starts_with("1 of 2 rows"), "{:?}", report.warnings);
    desk.map(&MAPPING.replacen("[columns]", "encoding = \"windows-1258\"\n[columns]", 1));
    desk.check("latin.csv", (1, 1, 0));
    assert_eq!(
        desk.number("SELECT count(*) FROM deaths WHERE deceased_name = 'LÊ AN' AND deceased_origin = 'NANÇY'"),
        1
    );
    desk.file("utf8.csv", &text);
    let report = desk.check("utf8.csv", (0, 1, 1));
    assert!(report.samples[0].english.contains("the text is UTF-8"), "{:?}", report.samples);
    let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    desk.file("utf16.csv", wide);
    desk.check("utf16.csv", (1, 1, 0));
    assert_eq!(desk.number("SELECT count(*) FROM deaths WHERE deceased_name = 'LÊ ĐÀO'"), 1);
}

#[test]
fn a_file_without_its_headings_is_refused_with_those_it_has() {
    let mut desk = Desk::new();
    desk.file("a.csv", "A;B;NOM\n1;2;3\n");
    desk.check_error("a.csv", &["a.csv", "no column has the heading PRENOMS", "A | B | NOM"]);
    desk.map("kind = \"death\"\n[columns]\nchild_name = \"A\"\n");
    desk.check_error("a.csv", &["mapping.toml", "line 3", "child_name"]);
    desk.mapping = None;
    desk.check_error("a.csv", &["--mapping"]);
    desk.file("b.csv", "so,quyenSo,noiDangKy\n1,2,3\n");
    desk.check_error("b.csv", &["--kind"]);
    desk.check_error("none.csv", &["none.csv", "check the path"]);
    desk.file("old.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1");
    desk.check_error("old.xlsx", &["save it as .xlsx"]);
}

#[test]
fn a_file_without_a_heading_row_is_read_by_places_and_so_are_its_rejects() {
    let mut desk = Desk::new();
    desk.map(
        "kind = \"death\"\nhas_header = false\n[columns]\ndeceased_name = 2\ndeceased_birth_date = 1\nauthority = 3\n",
    );
    desk.file("a.csv", "01.02.1950,LE AN,HUE\n31.02.1950,LE BA,HUE\n");
    desk.check("a.csv", (1, 0, 1));
    desk.file("b.csv", desk.text("a.csv.rejects.csv").replace("31.02", "21.02"));
    desk.check("b.csv", (1, 0, 0));
}

#[test]
fn names_of_fields_are_headings_too() {
    let mut desk = Desk::new();
    desk.mapping = None;
    desk.file("a.csv", "number;authority;deceased_name;extra\r\n7;UBND xã A, huyện B;Lê Lợi;x\r\n\r\n8;UBND;;\r\n");
    let report = desk.check("a.csv", (1, 0, 1));
    assert_eq!(
        (report.kind, report.ignored_columns, report.samples[0].line),
        (Kind::Death, vec!["extra".to_owned()], 4)
    );
}

/// A workbook with a title, headings of the Ministry and `count` births.
fn births(path: &Path, count: u32) {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write(0, 0, "SỔ ĐĂNG KÝ KHAI SINH").unwrap();
    let headings = ["so", "ngayDangKy", "noiDangKy", "nksHoTen", "nksGioiTinh", "nksNgaySinh", "cotLa", "meHoTen"];
    for (column, heading) in (0..).zip(headings) {
        sheet.write(2, column, heading).unwrap();
    }
    let date = Format::new().set_num_format("dd/mm/yyyy");
    for row in 3..3 + count {
        sheet.write(row, 0, row - 2).unwrap();
        sheet.write_with_format(row, 1, ExcelDateTime::from_ymd(2001, 2, 3).unwrap(), &date).unwrap();
        sheet.write(row, 2, "UBND xã Đông").unwrap();
        sheet.write(row, 3, "Nguyễn Văn Hùng").unwrap();
        sheet.write(row, 4, if row == 4 { 9 } else { 1 }).unwrap();
        sheet.write(row, 5, "2.2001").unwrap();
        sheet.write(row, 7, "Trần Thị Hòa").unwrap();
        sheet.write(row, 9, "ghi chú bên lề").unwrap();
    }
    workbook.add_worksheet().set_name("Hướng dẫn").unwrap();
    workbook.save(path).unwrap();
}

#[test]
fn a_workbook_of_the_ministry_needs_no_mapping() {
    let mut desk = Desk::new();
    desk.mapping = None;
    births(&desk.path("ks.xlsx"), 3);
    let report = desk.check("ks.xlsx", (2, 0, 1));
    assert_eq!((report.kind, report.ignored_columns), (Kind::Birth, vec!["cotLa".to_owned()]));
    assert!(report.warnings[0].contains("Hướng dẫn"), "{:?}", report.warnings);
    let first = "SELECT count(*) FROM births WHERE number = '1' AND registration_date = '03.02.2001'
        AND child_birth_date = '2.2001' AND mother_name = 'Trần Thị Hòa' AND child_sex = '1'";
    assert_eq!(desk.number(first), 1);
    let rejects = desk.text("ks.xlsx.rejects.csv");
    assert!(rejects.contains("\n2,03.02.2001,UBND xã Đông,"), "{rejects}");
    desk.file("mended.csv", rejects.replace(",9,2.2001", ",2,2.2001"));
    desk.check("mended.csv", (1, 0, 0));
    desk.check("ks.xlsx", (0, 2, 1));
}

#[test]
fn a_workbook_that_was_cut_is_refused_and_must_come_again() {
    let mut desk = Desk::new();
    desk.mapping = None;
    births(&desk.path("ks.xlsx"), 300);
    let whole = std::fs::read(desk.path("ks.xlsx")).unwrap();
    for kept in [0, 100, whole.len() / 2, whole.len() - 30] {
        desk.file("cut.xlsx", &whole[..kept]);
        desk.check_error("cut.xlsx", &["cut.xlsx", "delivered again"]);
        assert_eq!(desk.number("SELECT count(*) FROM births"), 0);
    }
    let mut spoilt = whole;
    let middle = spoilt.len() / 3;
    spoilt[middle..middle + 40].fill(0xff);
    desk.file("spoilt.xlsx", spoilt);
    desk.check_error("spoilt.xlsx", &["spoilt.xlsx", "delivered again"]);
}
