//! The one byte form of an entry's state: what is hashed, signed, sent and kept.
//!
//! Form 1: `0x01` (digest version), kind code, status code, number of fields (varint), then each field in the order of
//! its code: code (2 bytes, big endian), length in bytes (varint), tidy UTF-8 text. Varints are LEB128 in their shortest
//! form. Nothing else has this form, so equal bytes mean equal entries and unequal bytes unequal ones.

use thiserror::Error;

use crate::draft::{Draft, FIELD_BYTES_MAX};
use crate::field::Field;
use crate::kind::{Kind, Status};

/// The form that is written today; the first byte of canonical bytes.
pub const DIGEST_VERSION: u8 = 1;
/// The most bytes of one state: 64 fields of moderate text; bounds what a reader takes before it looks.
pub const CANONICAL_BYTES_MAX: usize = 64 * 1024;

/// Bytes are not the canonical form of an entry this release can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CanonicalError {
    /// The first byte names a form of another release.
    #[error("digest version {0} is not known here; upgrade this program")]
    UnknownVersion(u8),
    /// The kind is one of another release.
    #[error("entry kind {0} is not known here; upgrade this program")]
    UnknownKind(u8),
    /// The bytes are damaged, or were written by a program that does not follow the form.
    #[error("not canonical at byte {at}: {what}")]
    Malformed {
        /// Offset in bytes.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

/// Writes the canonical bytes of an entry's state.
#[must_use]
pub fn encode(draft: &Draft, status: Status) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + draft.iter().map(|(_, value)| value.len() + 4).sum::<usize>());
    bytes.extend([DIGEST_VERSION, draft.kind().code(), status.code()]);
    put_varint(&mut bytes, draft.len());
    for (field, value) in draft.iter() {
        bytes.extend(field.code().to_be_bytes());
        put_varint(&mut bytes, value.len());
        bytes.extend(value.as_bytes());
    }
    bytes
}

/// Reads canonical bytes back; refuses every other sequence of bytes.
///
/// # Errors
/// Bytes of another release, or that are not in canonical form.
pub fn decode(bytes: &[u8]) -> Result<(Draft, Status), CanonicalError> {
    let mut reader = Reader { bytes, at: 0 };
    if bytes.len() > CANONICAL_BYTES_MAX {
        return Err(reader.malformed("longer than an entry can be"));
    }
    let version = reader.byte()?;
    if version != DIGEST_VERSION {
        return Err(CanonicalError::UnknownVersion(version));
    }
    let kind = reader.byte()?;
    let kind = Kind::from_code(kind).ok_or(CanonicalError::UnknownKind(kind))?;
    let status = reader.byte()?;
    let status = Status::from_code(status).ok_or_else(|| reader.malformed("unknown status"))?;
    let fields = reader.varint()?;
    // Each field has at least four bytes, whatever their number claims to be.
    let mut draft = Draft::with_room(kind, fields.min(bytes.len() / 4), bytes.len());
    let mut last = None;
    for _ in 0..fields {
        let field = Field::from_code(u16::from_be_bytes([reader.byte()?, reader.byte()?]));
        if last.is_some_and(|last| last >= field) {
            return Err(reader.malformed("fields out of order"));
        }
        last = Some(field);
        let value = reader.text()?;
        if !draft.append(field, value) {
            return Err(reader.malformed("text is not tidy"));
        }
    }
    if reader.at != bytes.len() {
        return Err(reader.malformed("bytes after the end"));
    }
    Ok((draft, status))
}

/// The text of one field of canonical bytes, found without reading the others. Bytes that are not canonical have none, or
/// what stands where the field would be.
#[must_use]
pub fn peek(bytes: &[u8], wanted: Field) -> Option<&str> {
    let mut reader = Reader { bytes, at: 3 };
    for _ in 0..reader.varint().ok()? {
        let code = u16::from_be_bytes([reader.byte().ok()?, reader.byte().ok()?]);
        let length = reader.varint().ok()?;
        let text = bytes.get(reader.at..reader.at + length)?;
        if code == wanted.code() {
            return std::str::from_utf8(text).ok();
        }
        reader.at += length;
    }
    None
}

fn put_varint(bytes: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    const fn malformed(&self, what: &'static str) -> CanonicalError {
        CanonicalError::Malformed { at: self.at, what }
    }

    fn byte(&mut self) -> Result<u8, CanonicalError> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.malformed("ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    /// A varint of at most three bytes: enough for any length inside [`CANONICAL_BYTES_MAX`].
    fn varint(&mut self) -> Result<usize, CanonicalError> {
        let mut value = 0;
        for shift in [0, 7, 14] {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let shortest = shift == 0 || byte != 0;
                return if shortest { Ok(value) } else { Err(self.malformed("a length in a longer form than needed")) };
            }
        }
        Err(self.malformed("a length that is too long"))
    }

    fn text(&mut self) -> Result<&'a str, CanonicalError> {
        let length = self.varint()?;
        if length > FIELD_BYTES_MAX + 4 {
            return Err(self.malformed("a text longer than a field can be"));
        }
        let end = self.at + length;
        let bytes = self.bytes.get(self.at..end).ok_or_else(|| self.malformed("ends too early"))?;
        let value = std::str::from_utf8(bytes).map_err(|_| self.malformed("not UTF-8"))?;
        self.at = end;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::field::{Attribute, Role};

    fn any_draft() -> impl Strategy<Value = (Draft, Status)> {
        let value = prop_oneof!["[a-zA-Zàáảãạăằđêôơưỳ .,0-9]{0,40}", "\\PC{0,200}"];
        let fields = prop::collection::vec((0_usize..60, 0_usize..8, value), 0..30);
        (prop::sample::select(Kind::ALL.as_slice()), any::<bool>(), fields).prop_map(|(kind, active, fields)| {
            let mut draft = Draft::new(kind);
            for (attribute, role, value) in fields {
                let attribute = Attribute::ALL[attribute % Attribute::ALL.len()];
                draft.set(Field::new(Role::ALL[role], attribute), &value);
            }
            (draft, if active { Status::Active } else { Status::Cancelled })
        })
    }

    #[test]
    fn golden_bytes_of_form_1() {
        let draft = Draft::new(Kind::Death)
            .with(Field::new(Role::Deceased, Attribute::Name), "Lê Lợi")
            .with(Field::entry(Attribute::Number), "7");
        let golden = b"\x01\x03\x01\x02\x00\x01\x017\x06\x65\x09L\xc3\xaa L\xe1\xbb\xa3i";
        assert_eq!(encode(&draft, Status::Active), golden);
        assert_eq!(decode(golden).unwrap(), (draft, Status::Active));
    }

    #[test]
    fn other_forms_are_refused() {
        for (bytes, what) in [
            (&b""[..], "ends too early"),
            (b"\x01\x03\x01\x01\x00\x01\x01", "ends too early"),
            (b"\x01\x03\x01\x00\x00", "bytes after the end"),
            (b"\x01\x03\x01\x02\x00\x02\x01a\x00\x01\x01a", "fields out of order"),
            (b"\x01\x03\x01\x01\x00\x01\x02a ", "text is not tidy"),
            (b"\x01\x03\x01\x01\x00\x01\x81\x00a", "a length in a longer form than needed"),
        ] {
            assert!(matches!(decode(bytes), Err(CanonicalError::Malformed { what: w, .. }) if w == what), "{what}");
        }
        assert_eq!(decode(b"\x02"), Err(CanonicalError::UnknownVersion(2)));
        assert_eq!(decode(b"\x01\x63\x01\x00"), Err(CanonicalError::UnknownKind(0x63)));
    }

    proptest! {
        #[test]
        fn encode_and_decode_invert((draft, status) in any_draft()) {
            let bytes = encode(&draft, status);
            prop_assert_eq!(decode(&bytes), Ok((draft, status)));
        }

        #[test]
        fn different_entries_have_different_bytes(a in any_draft(), b in any_draft()) {
            prop_assert_eq!(a == b, encode(&a.0, a.1) == encode(&b.0, b.1));
        }

        #[test]
        fn whatever_is_accepted_is_the_canonical_form(mut bytes in any_draft().prop_map(|(d, s)| encode(&d, s)),
            at: prop::sample::Index, flip in 1_u8..) {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok((draft, status)) = decode(&bytes) {
                prop_assert_eq!(encode(&draft, status), bytes);
            }
        }
    }
}
