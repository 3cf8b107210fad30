//! Imports of files from before Unicode.

use registry_schema::text::legacy::Legacy;

use super::*;

const MAPPING: &str = "kind = \"death\"\n[columns]\nnumber = \"so\"\nbook = \"quyen\"\nauthority = \"noi\"\n\
    deceased_name = \"ten\"\ndeceased_birth_date = \"sinh\"\ndeceased_sex = \"gioi\"\ndeceased_origin = \"que\"\n";
const HEADINGS: &str = "so,quyen,noi,ten,sinh,gioi,que\n";
/// TCVN3 taken for Latin-1.
const TCVN3: &str = "1,01,UBND x\u{b7} \u{a7}\u{ab}ng,Nguy\u{d4}n V\u{a8}n H\u{ef}ng,1950,Nam,Th\u{b8}i B\u{d7}nh\n\
    2,01,UBND x\u{b7} \u{a7}\u{ab}ng,L\u{aa} \u{a7}\u{f8}c H\u{ad}ng,1951,N\u{f7},H\u{b5} T\u{dc}nh\n";
/// VNI taken for Latin-1; the name of the last row is a name as it stands, too.
const VNI: &str = "1,02,UBND xaõ Ñoâng,Traàn Thò Böôûi,1950,Nöõ,Ñaø Naüng\n2,02,UBND xaõ Ñoâng,Hoà,1951,Nam,Hueá\n";
const UNICODE: &str = "1,03,UBND xã Đông,Hoàng Hoà,1950,Nam,Huế\n2,03,UBND xã Đông,Hoà,1951,Nam,\n";

fn desk(content: impl AsRef<[u8]>) -> Desk {
    let mut desk = Desk::new();
    desk.map(MAPPING);
    desk.file("a.csv", content);
    desk
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// What the store has of each entry, in the order of the file.
fn entries(desk: &Desk, column: &str) -> Vec<String> {
    let query = format!("SELECT coalesce({column}, '') FROM deaths ORDER BY book, number");
    let mut statement = desk.store.connection.prepare(&query).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn tcvn3_that_became_utf_8_is_unicode_in_the_store() {
    let mut desk = desk(format!("{HEADINGS}{TCVN3}"));
    let report = desk.check("a.csv", (2, 0, 0));
    assert_eq!(report.decoded, [Decoded { legacy: Legacy::Tcvn3, rows: 2, books: 1 }]);
    assert_eq!(report.warnings, ["2 rows of 1 book were written in TCVN3 and decoded"]);
    assert_eq!(entries(&desk, "deceased_name"), ["Nguyễn Văn Hùng", "Lê Đức Hưng"]);
    assert_eq!(entries(&desk, "deceased_origin"), ["Thái Bình", "Hà Tĩnh"]);
    assert_eq!(entries(&desk, "deceased_sex || authority"), ["NamUBND xã Đông", "NữUBND xã Đông"]);
    desk.check("a.csv", (0, 2, 0));
    desk.file("b.csv", format!("{HEADINGS}1,01,UBND xã Đông,Nguyễn Văn Hùng,1950,Nam,Thái Bình\n"));
    assert_eq!(desk.check("b.csv", (0, 1, 0)).decoded, []);
}

#[test]
fn every_book_is_decoded_from_its_own_form() {
    let mut desk = desk(format!("{HEADINGS}{TCVN3}{VNI}{UNICODE}"));
    let report = desk.check("a.csv", (6, 0, 0));
    let of = |legacy| Decoded { legacy, rows: 2, books: 1 };
    assert_eq!(report.decoded, [of(Legacy::Tcvn3), of(Legacy::Vni)]);
    let names = ["Nguyễn Văn Hùng", "Lê Đức Hưng", "Trần Thị Bưởi", "Hồ", "Hoàng Hoà", "Hoà"];
    assert_eq!(entries(&desk, "deceased_name"), names);
}

#[test]
fn a_file_without_books_is_decoded_as_one() {
    let mut desk = desk(format!("{HEADINGS}{VNI}"));
    desk.map(&MAPPING.replace("book = \"quyen\"\n", ""));
    let report = desk.check("a.csv", (2, 0, 0));
    assert_eq!(report.warnings, ["2 rows were written in VNI and decoded"]);
    assert_eq!(entries(&desk, "deceased_name"), ["Trần Thị Bưởi", "Hồ"]);
}

#[test]
fn the_parts_of_a_split_are_decoded_as_the_whole_is() {
    let mut desk = desk(format!("{HEADINGS}{VNI}"));
    for part in [1, 2] {
        desk.split = Some((part, 2));
        assert_eq!(desk.check("a.csv", (1, 0, 0)).decoded[0].rows, 1);
    }
    assert_eq!(entries(&desk, "deceased_name"), ["Trần Thị Bưởi", "Hồ"]);
}

#[test]
fn a_form_that_the_mapping_names_needs_no_vote() {
    let mut desk = desk(latin1(&format!("{HEADINGS}3,04,UBND,H\u{ef}ng,1950,Nam,\n")));
    desk.map(&format!("encoding = \"tcvn3\"\n{MAPPING}"));
    desk.check("a.csv", (1, 0, 0));
    desk.file("b.csv", format!("{HEADINGS}4,04,UBND,Hoà,1950,Nam,\n"));
    desk.map(&format!("legacy_text = \"vni\"\n{MAPPING}"));
    desk.check("b.csv", (1, 0, 0));
    desk.file("c.csv", format!("{HEADINGS}5,04,UBND,Nguyeenx Hungf,1950,Nam,James\n"));
    desk.map(&format!("encoding = \"telex\"\n{MAPPING}"));
    desk.check("c.csv", (1, 0, 0));
    desk.file("d.csv", format!("{HEADINGS}6,04,UBND,Traàn,1950,Nam,\n"));
    desk.map(&format!("legacy_text = \"none\"\n{MAPPING}"));
    assert_eq!(desk.check("d.csv", (1, 0, 0)).decoded, []);
    assert_eq!(entries(&desk, "deceased_name"), ["Hùng", "Hồ", "Nguyễn Hùng", "Traàn"]);
    assert_eq!(entries(&desk, "deceased_origin")[2], "James");
}

#[test]
fn rejects_are_decoded_once() {
    let mut desk = desk(format!("{HEADINGS}{VNI}3,02,UBND xaõ Ñoâng,Hoà,31.02.1950,Nam,Hueá\n"));
    desk.map(&format!("legacy_text = \"vni\"\n{MAPPING}"));
    desk.check("a.csv", (2, 0, 1));
    let rejects = desk.text("a.csv.rejects.csv");
    assert!(rejects.contains("\n3,02,UBND xã Đông,Hồ,31.02.1950,Nam,Huế,4,"), "{rejects}");
    desk.file("mended.csv", rejects.replace("31.02", "28.02").replace("Hồ", "Hoà"));
    assert_eq!(desk.check("mended.csv", (1, 0, 0)).decoded, []);
    assert_eq!(entries(&desk, "deceased_name"), ["Trần Thị Bưởi", "Hồ", "Hoà"]);
}

#[test]
fn a_workbook_of_the_ministry_is_decoded_without_a_mapping() {
    let mut desk = Desk::new();
    desk.mapping = None;
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    let rows = [
        ["so", "quyenSo", "noiDangKy", "nktHoTen", "nktNgaySinh", "nktNoiChet"],
        ["1", "01", "UBND xaõ Ñoâng", "Nguyeãn Vaên Huøng", "1950", "Vónh Long"],
        ["2", "01", "UBND xaõ Ñoâng", "Hoà", "1951", "K’Breâp"],
    ];
    for (line, row) in (0..).zip(rows) {
        sheet.write_row(line, 0, row).unwrap();
    }
    workbook.save(desk.path("kt.xlsx")).unwrap();
    let report = desk.check("kt.xlsx", (2, 0, 0));
    assert_eq!(report.decoded, [Decoded { legacy: Legacy::Vni, rows: 2, books: 1 }]);
    assert_eq!(entries(&desk, "deceased_name"), ["Nguyễn Văn Hùng", "Hồ"]);
    assert_eq!(entries(&desk, "event_place"), ["Vĩnh Long", "K’Brêp"]);
}
