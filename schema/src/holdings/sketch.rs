//! A holding in coded cells, from which its difference to another holding can be read.

use std::ops::{AddAssign, Range, SubAssign};

use super::cell::{Block, Cell, Side};
use super::item::Item;
use super::key::HoldingsKey;
use super::wire::HoldingsError;
use super::{CELLS_MAX, OPENING_CELLS, OPENING_PROBES, SKETCH_CELLS};

/// The first cells of an endless row of coded cells: equal for equal sets of items, in whatever order they came about.
///
/// A shorter sketch is the beginning of a longer one of the same set, so sketches of different lengths can be added
/// and subtracted; the result has the shorter length.
#[derive(Clone, PartialEq, Eq)]
pub struct Sketch {
    total: i64,
    cells: Vec<Cell>,
}

impl Sketch {
    /// A sketch of nothing with so many cells, [`CELLS_MAX`] at most.
    #[must_use]
    pub fn with_cells(cells: usize) -> Self {
        Self { total: 0, cells: vec![Cell::default(); cells.min(CELLS_MAX)] }
    }

    /// How many cells there are.
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.cells.len()
    }

    /// How many items are in the set.
    #[must_use]
    pub const fn total(&self) -> i64 {
        self.total
    }

    /// Puts an item in.
    pub fn add(&mut self, item: Item, key: &HoldingsKey) {
        self.total = self.total.wrapping_add(1);
        self.put(item, key, Side::Here);
    }

    /// Takes an item out.
    pub fn remove(&mut self, item: Item, key: &HoldingsKey) {
        self.total = self.total.wrapping_sub(1);
        self.put(item, key, Side::There);
    }

    /// A first message: [`OPENING_CELLS`] cells, then the counts of [`OPENING_PROBES`] more.
    #[must_use]
    pub fn opening(&self) -> Block {
        let mut block = self.block(0..OPENING_CELLS);
        let probes = self.cells.iter().skip(OPENING_CELLS).take(OPENING_PROBES);
        block.probes = probes.map(|cell| cell.count).collect();
        block
    }

    /// The cells of a range, as far as the sketch has them.
    #[must_use]
    pub fn block(&self, range: Range<usize>) -> Block {
        let end = range.end.min(self.cells.len());
        let start = range.start.min(end);
        Block { start, total: self.total, cells: self.cells[start..end].to_vec(), probes: Vec::new() }
    }

    /// This holding's cells minus another's: what a [`super::Decoder`] takes. `None` when this sketch is too short.
    #[must_use]
    pub fn minus_block(&self, other: &Block) -> Option<Block> {
        let end = other.start.checked_add(other.cells.len())?;
        let here = self.cells.get(other.start..end)?;
        let probed = self.cells.get(end..end.checked_add(other.probes.len())?)?;
        let cells = here.iter().zip(&other.cells).map(|(here, there)| here.minus(*there)).collect();
        let probes = probed.iter().zip(&other.probes).map(|(here, there)| here.count.wrapping_sub(*there)).collect();
        Some(Block { start: other.start, total: self.total.wrapping_sub(other.total), cells, probes })
    }

    /// The stored form of the whole sketch: that of the block of all its cells.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.block(0..self.cells.len()).encode()
    }

    /// Reads the stored form back.
    ///
    /// # Errors
    /// Bytes of another release, or that are not a whole sketch in the one form.
    pub fn decode(bytes: &[u8]) -> Result<Self, HoldingsError> {
        let block = Block::decode(bytes)?;
        if block.start != 0 || !block.probes.is_empty() {
            return Err(HoldingsError::Malformed { at: 1, what: "part of a sketch where a whole one is expected" });
        }
        Ok(Self { total: block.total, cells: block.cells })
    }

    fn put(&mut self, item: Item, key: &HoldingsKey, side: Side) {
        let code = key.code(item);
        let length = self.cells.len() as u64;
        for index in code.indexes().take_while(|index| *index < length) {
            self.cells[index as usize].put(item, code.check, side);
        }
    }

    fn combine(&mut self, other: &Self, combine: impl Fn(Cell, Cell) -> Cell) {
        self.cells.truncate(other.cells.len());
        self.cells.iter_mut().zip(&other.cells).for_each(|(cell, other)| *cell = combine(*cell, *other));
    }
}

impl Default for Sketch {
    /// A sketch of nothing with the [`SKETCH_CELLS`] cells that are kept.
    fn default() -> Self {
        Self::with_cells(SKETCH_CELLS)
    }
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sketch({} items in {} cells)", self.total, self.cells.len())
    }
}

impl AddAssign<&Self> for Sketch {
    fn add_assign(&mut self, other: &Self) {
        self.total = self.total.wrapping_add(other.total);
        self.combine(other, Cell::plus);
    }
}

impl SubAssign<&Self> for Sketch {
    fn sub_assign(&mut self, other: &Self) {
        self.total = self.total.wrapping_sub(other.total);
        self.combine(other, Cell::minus);
    }
}
