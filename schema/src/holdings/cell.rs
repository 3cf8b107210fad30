//! Coded cells and the runs of them that travel.

use super::item::Item;
use super::wire::{self, HoldingsError, Reader};
use super::{CELLS_MAX, HOLDINGS_VERSION};
use crate::ids::RecordId;

/// Bytes of a cell, kept or sent.
pub const CELL_BYTES: usize = 21;

/// Which of two compared holdings a state is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// In the local one, from which the other was taken away.
    Here,
    /// In the other one.
    There,
}

/// The exclusive or of the items of one cell and of their checks, and their number modulo 256.
///
/// In the difference of two cells a lone item shows as a count of 1 (only here) or 255 (only there) and a fitting
/// check; for this the low bits of the count suffice. A mixture passes for an item once in 2^32, and is then found out
/// because it does not cancel, so that 32 bits of check suffice as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    records: u64,
    prefixes: u64,
    pub(super) checks: u32,
    pub(super) count: u8,
}

impl Cell {
    /// Whether nothing is in the cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Puts an item in, or takes it out when it counts on the other side.
    pub(super) const fn put(&mut self, item: Item, check: u32, side: Side) {
        self.records ^= item.record.number().cast_unsigned();
        self.prefixes ^= item.prefix;
        self.checks ^= check;
        self.count = match side {
            Side::Here => self.count.wrapping_add(1),
            Side::There => self.count.wrapping_sub(1),
        };
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self { count: self.count.wrapping_add(other.count), ..self.mixed(other) }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self { count: self.count.wrapping_sub(other.count), ..self.mixed(other) }
    }

    /// Whether the count is that of a lone item, and on which side.
    pub(super) const fn side(&self) -> Option<Side> {
        match self.count {
            1 => Some(Side::Here),
            u8::MAX => Some(Side::There),
            _ => None,
        }
    }

    /// What would be the item if there is only one in the cell.
    pub(super) fn item(&self) -> Option<Item> {
        let record = RecordId::from_number(self.records.cast_signed())?;
        Some(Item { record, prefix: self.prefixes })
    }

    const fn mixed(self, other: Self) -> Self {
        Self {
            records: self.records ^ other.records,
            prefixes: self.prefixes ^ other.prefixes,
            checks: self.checks ^ other.checks,
            count: self.count,
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.records.to_be_bytes());
        bytes.extend(self.prefixes.to_be_bytes());
        bytes.extend(self.checks.to_be_bytes());
        bytes.push(self.count);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, HoldingsError> {
        let records = u64::from_be_bytes(reader.array()?);
        let prefixes = u64::from_be_bytes(reader.array()?);
        let checks = u32::from_be_bytes(reader.array()?);
        let [count] = reader.array()?;
        Ok(Self { records, prefixes, checks, count })
    }
}

/// A run of cells of one sketch at one moment, with the number of items in the whole sketch.
///
/// The counts of some cells after the run may follow it: they help to estimate a difference at a byte apiece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub(super) start: usize,
    pub(super) total: i64,
    pub(super) cells: Vec<Cell>,
    pub(super) probes: Vec<u8>,
}

impl Block {
    /// The index of the first cell.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.start
    }

    /// How many cells it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has no cells.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The one byte form: version, start, number of cells, number of probes, number of items, cells, probes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.cells.len() * CELL_BYTES + self.probes.len());
        bytes.push(HOLDINGS_VERSION);
        for number in [self.start, self.cells.len(), self.probes.len()] {
            wire::put_unsigned(&mut bytes, number as u64);
        }
        wire::put_signed(&mut bytes, self.total);
        self.cells.iter().for_each(|cell| cell.encode(&mut bytes));
        bytes.extend(&self.probes);
        bytes
    }

    /// Reads the byte form back; refuses every other sequence of bytes before it takes memory for them.
    ///
    /// # Errors
    /// Bytes of another release, or that are not in the one form.
    pub fn decode(bytes: &[u8]) -> Result<Self, HoldingsError> {
        let mut reader = Reader::open(bytes)?;
        let start = reader.count(CELLS_MAX, "a start behind the last cell")?;
        let cells = reader.count(CELLS_MAX - start, "too many cells")?;
        let probes = reader.count(CELLS_MAX - start - cells, "too many probes")?;
        let total = reader.signed()?;
        if reader.left() != cells * CELL_BYTES + probes {
            return Err(reader.malformed("not as long as it says"));
        }
        let cells = (0..cells).map(|_| Cell::decode(&mut reader)).collect::<Result<_, _>>()?;
        let probes = reader.slice(probes)?.to_vec();
        reader.finish()?;
        Ok(Self { start, total, cells, probes })
    }
}
