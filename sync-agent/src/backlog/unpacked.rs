//! What a workbook unpacks to, measured before any of it is held in memory.
//!
//! A workbook is a zip file of XML. A few kilobytes of it may unpack to gigabytes, and what its directory declares may be
//! a lie, so every part is unpacked once and thrown away. That costs about a second for a full sheet.

use std::io::{Read, Seek};
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
/// Where the texts of a workbook stand that several cells share.
const TEXTS: &str = "sharedStrings.xml";
/// The most tags of the shared texts, four for each: an empty one takes five bytes on disk and many in memory.
const TEXT_TAGS_MAX: u64 = 16 * 1024 * 1024;
/// The most tags of all other parts that are held: a workbook has at most 65,490 styles, of some ten tags each.
const HELD_TAGS_MAX: u64 = 1024 * 1024;
/// What stands in front of the number of texts for which the reader makes room before it reads one of them.
const PROMISE: &[u8] = b"uniqueCount";
/// The most parts of a workbook.
const PARTS_MAX: usize = 10_000;
/// Bytes that are looked at together.
const CHUNK_BYTES: usize = 64 * 1024;

/// Refuses a workbook that unpacks to more than any delivery does.
pub(super) fn check(path: &Path, file: impl Read + Seek) -> Result<(), ImportError> {
    let damaged = |what: String| ImportError::Damaged { path: path.to_owned(), what };
    let too_large = |max, unit| Err(ImportError::TooLarge { path: path.to_owned(), max, unit });
    let mut archive = ZipArchive::new(file).map_err(|error| damaged(error.to_string()))?;
    if archive.len() > PARTS_MAX {
        return too_large(PARTS_MAX as u64, "parts");
    }
    let (mut held, mut sheets, mut held_tags) = (0, 0, 0);
    let mut chunk = vec![0; CHUNK_BYTES];
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(|error| damaged(error.to_string()))?;
        let name = part.name().map_err(|error| damaged(error.to_string()))?.into_owned();
        let is_sheet = name.starts_with("xl/worksheets/");
        let is_xml = [".xml", ".rels"].iter().any(|end| name.ends_with(end));
        let packed = part.compressed_size().max(1);
        let (sum, max) = if is_sheet { (&mut sheets, SHEETS_BYTES_MAX) } else { (&mut held, HELD_BYTES_MAX) };
        let part_max = (max - *sum).min(packed.saturating_mul(RATIO_MAX).max(SMALL_BYTES));
        let measured = measure(part, part_max, &mut chunk).map_err(|error| damaged(error.to_string()))?;
        if measured.bytes > part_max {
            return too_large(part_max, "bytes of unpacked text");
        }
        if is_xml && measured.text_bytes_max > TEXT_BYTES_MAX {
            return too_large(TEXT_BYTES_MAX, "bytes in one cell");
        }
        *sum += measured.bytes;
        if is_xml && !is_sheet {
            let is_texts = name.ends_with(TEXTS);
            held_tags += if is_texts { 0 } else { measured.tags };
            let (tags, tags_max) = if is_texts { (measured.tags, TEXT_TAGS_MAX) } else { (held_tags, HELD_TAGS_MAX) };
            if tags > tags_max {
                return too_large(tags_max, "tags in texts or styles");
            }
            if measured.promised > measured.tags {
                return Err(damaged(format!("{name} announces {} texts and has not so many", measured.promised)));
            }
        }
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Measured {
    bytes: u64,
    /// The longest run without the beginning of a tag.
    text_bytes_max: u64,
    /// Beginnings of tags.
    tags: u64,
    /// The largest number of texts that are announced.
    promised: u64,
}

/// Finds the numbers behind [`PROMISE`], however the bytes are cut.
#[derive(Default)]
struct Promises {
    matched: usize,
    number: u64,
}

impl Promises {
    /// Goes on by some bytes; the largest number that was read to its end or to theirs.
    fn pass(&mut self, mut bytes: &[u8]) -> u64 {
        let mut most = 0;
        while let Some((byte, rest)) = bytes.split_first() {
            if self.matched == 0 {
                let Some(at) = bytes.iter().position(|byte| *byte == PROMISE[0]) else { break };
                (self.matched, bytes) = (1, &bytes[at + 1..]);
                continue;
            }
            if self.matched < PROMISE.len() {
                // No byte of the word but the first is its first one again.
                let is_next = *byte == PROMISE[self.matched];
                self.matched = if is_next { self.matched + 1 } else { usize::from(*byte == PROMISE[0]) };
                self.number = 0;
            } else if byte.is_ascii_digit() {
                self.number = self.number.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
                most = most.max(self.number);
            } else if self.number > 0 || !b" \t\r\n=\"'+".contains(byte) {
                self.matched = usize::from(*byte == PROMISE[0]);
            }
            bytes = rest;
        }
        most
    }
}

/// Reads a part to its end, or until it has more than `bytes_max`, chunk by chunk.
fn measure(mut part: impl Read, bytes_max: u64, chunk: &mut [u8]) -> std::io::Result<Measured> {
    let (mut measured, mut run, mut promises) = (Measured::default(), 0, Promises::default());
    while measured.bytes <= bytes_max {
        let read = part.read(chunk)?;
        if read == 0 {
            break;
        }
        measured.bytes += read as u64;
        measured.promised = measured.promised.max(promises.pass(&chunk[..read]));
        for piece in chunk[..read].split_inclusive(|byte| *byte == b'<') {
            run += piece.len() as u64;
            measured.text_bytes_max = measured.text_bytes_max.max(run);
            if piece.ends_with(b"<") {
                (run, measured.tags) = (0, measured.tags + 1);
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
        let styles = HELD_TAGS_MAX as usize / 256;
        refused(&[("xl/styles.xml", &b"<xf/>".repeat(256), styles + 1)], "tags in texts or styles");
        check_parts(&[("xl/styles.xml", &b"<xf/>".repeat(256), styles)]).unwrap();
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
    fn texts_are_bounded_by_their_tags() {
        // Gaps of any width, since what repeats itself is refused for shrinking too well.
        let gaps = (0..65_536_u64).map(|at| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62);
        let piece: String = gaps.map(|gap| format!("<si/>{}", &"   "[..gap as usize])).collect();
        let pieces = TEXT_TAGS_MAX as usize / 65_536;
        let texts = |pieces| check_parts(&[("xl/sharedStrings.xml", piece.as_bytes(), pieces)]);
        assert!(texts(pieces + 1).unwrap_err().contains("tags in texts or styles"));
        texts(pieces).unwrap();
    }

    #[test]
    fn parts_are_bounded_together_as_well() {
        let names: Vec<String> =
            (0..=HELD_BYTES_MAX / SMALL_BYTES).map(|number| format!("xl/media/{number}")).collect();
        let content = vec![b'a'; SMALL_BYTES as usize];
        let parts: Vec<(&str, &[u8], usize)> = names.iter().map(|name| (name.as_str(), &content[..], 1)).collect();
        assert!(check_parts(&parts).unwrap_err().contains("bytes of unpacked text"));
    }

    #[test]
    fn no_room_is_made_for_texts_that_are_only_announced() {
        let check = |text: &str, expected: Option<u64>| {
            let refused = check_parts(&[("xl/sharedStrings.xml", text.as_bytes(), 1)]).err();
            let expected = expected.map(|number| format!("announces {number} texts"));
            assert_eq!(refused.is_some(), expected.is_some(), "{text}: {refused:?}");
            assert!(refused.unwrap_or_default().contains(&expected.unwrap_or_default()), "{text}");
        };
        check("<sst uniqueCount=\"2\"><si/><si/></sst>", None);
        check("<sst count='9' uniqueCount='99999999999'><si/></sst>", Some(99_999_999_999));
        check("<x:sst uniqueCount =\n \"5\"><si/></x:sst>", Some(5));
        check("<sst uniqueuniqueCount=\"77\"><si/></sst>", Some(77));
        check("<sst uniqueCount=\"99999999999999999999999\"/>", Some(u64::MAX));
        let cut = [vec![b' '; CHUNK_BYTES - 20], b"<sst uniqueCount=\"12345\">".to_vec()].concat();
        assert_eq!(measure(cut.as_slice(), u64::MAX, &mut [0; CHUNK_BYTES]).unwrap().promised, 12_345);
    }

    #[test]
    fn a_run_is_measured_across_chunks() {
        let text = [vec![b'a'; CHUNK_BYTES + 5], b"<".to_vec(), vec![b'b'; 9]].concat();
        let (bytes, text_bytes_max) = (text.len() as u64, CHUNK_BYTES as u64 + 6);
        let expected = Measured { bytes, text_bytes_max, tags: 1, promised: 0 };
        assert_eq!(measure(text.as_slice(), u64::MAX, &mut [0; CHUNK_BYTES]).unwrap(), expected);
    }
}
