//! Numbers and errors of the encoded summaries. Varints are LEB128 in their shortest form, signed ones in zigzag.

use thiserror::Error;

use super::HOLDINGS_VERSION;

/// Bytes are not a summary that this release can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HoldingsError {
    /// The first byte names a way of summing of another release.
    #[error("holdings version {0} is not known here; upgrade this program")]
    UnknownVersion(u8),
    /// A bucket is of a kind of another release.
    #[error("entry kind {0} is not known here; upgrade this program")]
    UnknownKind(u8),
    /// The bytes are damaged, or were written by a program that does not follow the form; ask for them again.
    #[error("not a summary of holdings at byte {at}: {what}")]
    Malformed {
        /// Offset in bytes.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
}

/// Bytes of a varint of 64 bits at most.
const VARINT_BYTES_MAX: u32 = 10;

pub(super) fn put_unsigned(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(super) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_unsigned(bytes, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Reads an encoded summary from its first byte to its last.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader behind the version byte.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, HoldingsError> {
        let mut reader = Self { bytes, at: 0 };
        match reader.array::<1>()? {
            [HOLDINGS_VERSION] => Ok(reader),
            [version] => Err(HoldingsError::UnknownVersion(version)),
        }
    }

    pub(super) const fn malformed(&self, what: &'static str) -> HoldingsError {
        HoldingsError::Malformed { at: self.at, what }
    }

    /// Bytes that are not yet read.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], HoldingsError> {
        let rest = &self.bytes[self.at..];
        let slice = rest.get(..length).ok_or_else(|| self.malformed("cut short"))?;
        self.at += length;
        Ok(slice)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], HoldingsError> {
        Ok(self.slice(N)?.try_into().expect("a slice of the length asked for"))
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, HoldingsError> {
        let mut number = 0_u64;
        for place in 0..VARINT_BYTES_MAX {
            let [byte] = self.array()?;
            let low = u64::from(byte & 0x7f);
            let shifted = low << (7 * place);
            if shifted >> (7 * place) != low || (place > 0 && byte == 0) {
                return Err(self.malformed("not a number in its shortest form"));
            }
            number |= shifted;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.malformed("not a number in its shortest form"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, HoldingsError> {
        let number = self.unsigned()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A number of things, no more than `max` of them.
    pub(super) fn count(&mut self, max: usize, what: &'static str) -> Result<usize, HoldingsError> {
        let number = self.unsigned()?;
        usize::try_from(number).ok().filter(|number| *number <= max).ok_or_else(|| self.malformed(what))
    }

    pub(super) fn finish(self) -> Result<(), HoldingsError> {
        if self.left() == 0 { Ok(()) } else { Err(self.malformed("more bytes than the summary has")) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_has_one_form() {
        for wrong in [&[HOLDINGS_VERSION, 0x80, 0][..], &[HOLDINGS_VERSION, 0x80], &[HOLDINGS_VERSION]] {
            assert!(Reader::open(wrong).unwrap().unsigned().is_err(), "{wrong:?}");
        }
        let mut too_great = vec![HOLDINGS_VERSION];
        too_great.extend([0xff; 9]);
        too_great.push(2);
        assert!(Reader::open(&too_great).unwrap().unsigned().is_err());
        assert_eq!(Reader::open(&[9]).err(), Some(HoldingsError::UnknownVersion(9)));
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_written(unsigned: u64, signed: i64) {
            let mut bytes = vec![HOLDINGS_VERSION];
            put_unsigned(&mut bytes, unsigned);
            put_signed(&mut bytes, signed);
            let mut reader = Reader::open(&bytes).unwrap();
            prop_assert_eq!(reader.unsigned().unwrap(), unsigned);
            prop_assert_eq!(reader.signed().unwrap(), signed);
            prop_assert!(reader.finish().is_ok());
        }
    }
}
