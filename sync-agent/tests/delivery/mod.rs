//! A delivery that is good, and what its readers look for: a generator puts the one into the other.

use std::io::{Cursor, Write as _};
use std::sync::Once;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Two entries of deaths, the second of which has a date that is none.
pub(crate) const CSV: &str = "number,registration_date,authority,deceased_name,deceased_birth_date,event_date\n\
    1,05.03.1999,01.00001,Lê An,01.02.1930,03.03.1999\n2,05.03.1999,01.00001,\"Trần, Bình\",1930,never\n";
/// What readers of CSV look for, and what spreadsheets, databases and shells would.
pub(crate) const CSV_WORDS: [&[u8]; 20] = [
    b"\"",
    b"\"\"",
    b"\",\"",
    b"\r\n",
    b"\r",
    b";",
    b"\t",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"=1+1",
    b"'=1",
    b"31.02.2020",
    b"00.00.0000",
    b"9999999999999999999999",
    b"number,registration_date,authority,deceased_name,line,reasons_en,reasons_vi\n",
    b"');DROP TABLE deaths;--",
    "Nguyễn".as_bytes(),
    "Nguy\u{1ec5}n\u{301}\u{202e}".as_bytes(),
];
/// What readers of workbooks look for.
pub(crate) const XML_WORDS: [&[u8]; 20] = [
    b"<",
    b">",
    b"</c>",
    b"<row r=\"1\">",
    b"<row r=\"4294967296\">",
    b" r=\"XFD1048576\"",
    b" r=\"A0\"",
    b" r=\"\"",
    b" t=\"s\"",
    b" t=\"inlineStr\"",
    b" t=\"e\"",
    b"<v>-1</v>",
    b"<v>1e308</v>",
    b"<v>99999999999</v>",
    b"&amp;",
    b"&#x110000;",
    b"<!DOCTYPE a [<!ENTITY b \"b\">]>",
    b"<![CDATA[",
    b"<si><t>",
    b"count=\"4294967295\"",
];

/// Where the sheet of the workbook stands.
pub(crate) const SHEET: &str = "xl/worksheets/sheet1.xml";
/// The same two entries as a workbook, part by part, by name: every way in which a cell says what is in it, and nothing that
/// no reader looks at.
pub(crate) const WORKBOOK: [(&str, &str); 6] = [
    (
        SHEET,
        "<worksheet><dimension ref=\"A1:F3\"/><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c>\
         <c r=\"B1\" t=\"s\"><v>1</v></c><c r=\"C1\" t=\"s\"><v>2</v></c><c r=\"D1\" t=\"s\"><v>3</v></c>\
         <c r=\"E1\" t=\"s\"><v>4</v></c><c r=\"F1\" t=\"str\"><v>event_date</v></c></row>\
         <row r=\"2\"><c r=\"A2\"><v>1</v></c><c r=\"B2\" s=\"1\"><v>36224</v></c><c r=\"C2\" t=\"s\"><v>5</v></c>\
         <c r=\"D2\" t=\"inlineStr\"><is><t>Lê An</t></is></c><c r=\"E2\" s=\"1\"><v>10990</v></c>\
         <c r=\"F2\" t=\"d\"><v>1999-03-03T00:00:00</v></c></row>\
         <row r=\"3\"><c r=\"A3\"><v>2</v></c><c r=\"C3\" t=\"s\"><v>5</v></c><c r=\"D3\"><f>A1</f><v>1.5</v></c>\
         <c r=\"E3\" t=\"e\"><v>#REF!</v></c><c r=\"F3\" t=\"b\"><v>1</v></c></row></sheetData></worksheet>",
    ),
    (
        "xl/sharedStrings.xml",
        "<sst count=\"6\" uniqueCount=\"6\"><si><t>number</t></si><si><t>registration_date</t></si>\
         <si><t>authority</t></si><si><r><t>deceased</t></r><r><t>_name</t></r></si><si><t>deceased_birth_date</t></si>\
         <si><t>01.00001</t></si></sst>",
    ),
    (
        "xl/styles.xml",
        "<styleSheet><numFmts count=\"1\"><numFmt numFmtId=\"164\" formatCode=\"dd/mm/yyyy\"/></numFmts>\
         <cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"164\"/></cellXfs></styleSheet>",
    ),
    (
        "xl/workbook.xml",
        "<workbook xmlns:r=\"r\"><workbookPr date1904=\"0\"/><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"r1\"/></sheets>\
         </workbook>",
    ),
    (
        "xl/_rels/workbook.xml.rels",
        "<Relationships><Relationship Id=\"r1\" Target=\"worksheets/sheet1.xml\" \
         Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\"/></Relationships>",
    ),
    (
        "_rels/.rels",
        "<Relationships><Relationship Id=\"r1\" Target=\"xl/workbook.xml\" \
         Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\"/></Relationships>",
    ),
];

/// The contents of the parts.
pub(crate) fn contents() -> Vec<Vec<u8>> {
    WORKBOOK.iter().map(|(_, content)| content.as_bytes().to_vec()).collect()
}

/// The workbook with one of its parts, by its place in [`WORKBOOK`], replaced.
pub(crate) fn workbook_with(which: usize, content: &[u8]) -> Vec<u8> {
    let parts = WORKBOOK.iter().enumerate();
    packed(
        parts.map(|(at, (name, good))| (*name, if at == which { content } else { good.as_bytes() })),
        CompressionMethod::Stored,
    )
}

/// The whole workbook, stored and deflated.
pub(crate) fn workbooks() -> Vec<Vec<u8>> {
    let parts = || WORKBOOK.iter().map(|(name, content)| (*name, content.as_bytes()));
    [CompressionMethod::Stored, CompressionMethod::Deflated].map(|method| packed(parts(), method)).into()
}

/// A zip file of these parts.
pub(crate) fn packed<'a>(parts: impl Iterator<Item = (&'a str, &'a [u8])>, method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in parts {
        writer.start_file(name, options).expect("a name that a zip file takes");
        writer.write_all(content).expect("memory takes it");
    }
    writer.finish().expect("memory takes it").into_inner()
}

/// The reader of workbooks panics over many of these files, which the import catches: nobody needs to read of it.
pub(crate) fn hush_the_reader() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.location().is_none_or(|place| !place.file().contains("calamine")) {
                usual(panic);
            }
        }));
    });
}
