//! What a workbook unpacks to, measured before any of it is held in memory.
//!
//! A workbook is a zip file of XML. A few kilobytes of it may unpack to gigabytes, and what its directory declares may be
//! a lie, so every part is unpacked once and thrown away. That costs about a second for a full sheet.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::error::ImportError;

/// The most bytes of the parts that are held in memory (shared texts, styles), unpacked.
const HELD_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most bytes of all sheets, unpacked: a full sheet of the widest layout has two gigabytes.
const SHEETS_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;
/// The most bytes that one byte may unpack to. Forms of one office shrink to between a tenth and a fortieth.
const RATIO_MAX: u64 = 200;
/// Parts up to this size may shrink as they like: a sheet of blank rows does.
const SMALL_BYTES: u64 = 1024 * 1024;
/// The most bytes from one tag to the next: a cell has at most 32,767 characters, of at most 4 bytes, written as entities.
const TEXT_BYTES_MAX: u64 = 512 * 1024;
/// The most parts of a workbook.
const PARTS_MAX: usize = 10_000;
/// Bytes that are looked at together.
const CHUNK_BYTES: usize = 64 * 1024;

/// Refuses a workbook that unpacks to more than any delivery does.
pub(super) fn check(path: &Path, file: &File) -> Result<(), ImportError> {
    let damaged = |what: String| ImportError::Damaged { path: path.to_owned(), what };
    let too_large = |max, unit| Err(ImportError::TooLarge { path: path.to_owned(), max, unit });
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    if archive.len() > PARTS_MAX {
        return too_large(PARTS_MAX as u64, "parts");
    }
    let (mut held, mut sheets) = (0, 0);
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|error| damaged(error.to_string()))?;
        let name = part.name().map_err(|error| damaged(error.to_string()))?.into_owned();
        let is_sheet = name.starts_with("xl/worksheets/");
        let is_xml = [".xml", ".rels"].iter().any(|end| name.ends_with(end));
        let packed = part.compressed_size().max(1);
        let (sum, max) = if is_sheet { (&mut sheets, SHEETS_BYTES_MAX) } else { (&mut held, HELD_BYTES_MAX) };
        let part_max = (max - *sum).min(packed.saturating_mul(RATIO_MAX).max(SMALL_BYTES));
        let measured = measure(part, part_max).map_err(|error| damaged(error.to_string()))?;
        if measured.bytes > part_max {
            return too_large(part_max, "bytes of unpacked text");
        }
        if is_xml && measured.text_bytes_max > TEXT_BYTES_MAX {
            return too_large(TEXT_BYTES_MAX, "bytes in one cell");
        }
        *sum += measured.bytes;
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Measured {
    bytes: u64,
    /// The longest run without the beginning of a tag.
    text_bytes_max: u64,
}

/// Reads a part to its end, or until it has more than `bytes_max`.
fn measure(mut part: impl Read, bytes_max: u64) -> std::io::Result<Measured> {
    let mut chunk = vec![0; CHUNK_BYTES];
    let (mut measured, mut run) = (Measured::default(), 0);
    while measured.bytes <= bytes_max {
        let read = part.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        measured.bytes += read as u64;
        for piece in chunk[..read].split_inclusive(|byte| *byte == b'<') {
            run += piece.len() as u64;
            measured.text_bytes_max = measured.text_bytes_max.max(run);
            if piece.ends_with(b"<") {
                run = 0;
            }
        }
    }
    Ok(measured)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write as _;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// A workbook of these parts: name, what is repeated, and how often.
    fn check_parts(parts: &[(&str, &[u8], usize)]) -> Result<(), String> {
        let mut file = tempfile::tempfile().unwrap();
        let mut writer = ZipWriter::new(&mut file);
        for (name, piece, times) in parts {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            (0..*times).for_each(|_| writer.write_all(piece).unwrap());
        }
        writer.finish().unwrap();
        check(Path::new("a.xlsx"), &file).map_err(|error| error.to_string())
    }

    #[test]
    fn bombs_are_refused_and_sheets_are_not() {
        let row = b"<row r=\"1\"><c t=\"inlineStr\"><is><t>Nguy</t></is></c></row>";
        let refused = |parts: &[(&str, &[u8], usize)], why: &str| {
            let error = check_parts(parts).unwrap_err();
            assert!(error.contains(why), "{error}");
        };
        refused(&[("xl/worksheets/sheet1.xml", &[b'<'; 65_536], 1_000)], "bytes of unpacked text");
        refused(&[("xl/sharedStrings.xml", &[b'<'; 65_536], 1_000)], "bytes of unpacked text");
        refused(&[("xl/worksheets/sheet1.xml", &[b'a'; 65_536], 10)], "bytes in one cell");
        refused(&[("xl/media/a.bin", &[b'a'; 65_536], 1_000)], "bytes of unpacked text");
        check_parts(&[("xl/worksheets/sheet1.xml", row, 1_000), ("xl/sharedStrings.xml", b"<sst/>", 1)]).unwrap();
        let damaged = tempfile::tempfile().unwrap();
        (&damaged).write_all(b"no zip").unwrap();
        assert!(matches!(check(Path::new("a.xlsx"), &damaged), Err(ImportError::Damaged { .. })));
    }

    #[test]
    fn a_directory_of_too_many_parts_is_refused_before_they_are_unpacked() {
        let names: Vec<String> = (0..=PARTS_MAX).map(|number| format!("xl/media/{number}")).collect();
        let parts: Vec<(&str, &[u8], usize)> = names.iter().map(|name| (name.as_str(), &b"a"[..], 1)).collect();
        assert!(check_parts(&parts).unwrap_err().contains("parts"));
        check_parts(&parts[1..]).unwrap();
    }

    #[test]
    fn a_run_is_measured_across_chunks() {
        let text = [vec![b'a'; CHUNK_BYTES + 5], b"<".to_vec(), vec![b'b'; 9]].concat();
        let expected = Measured { bytes: text.len() as u64, text_bytes_max: CHUNK_BYTES as u64 + 6 };
        assert_eq!(measure(text.as_slice(), u64::MAX).unwrap(), expected);
    }
}
