//! Reads the difference of two holdings out of the difference of their cells, whoever sent them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use thiserror::Error;

use super::CELLS_MAX;
use super::cell::{Block, Cell, Side};
use super::differences::Differences;
use super::estimate::{Estimate, Spread};
use super::item::{Indexes, Item};
use super::key::HoldingsKey;
use crate::ids::RecordId;

/// Steps of work (a hash, or a cell of an item) that a decoding may take for each cell it was given; honest cells need
/// less than two thirds of them (tested).
const STEPS_PER_CELL_MAX: u64 = 64;
/// Steps beyond those, for decodings of a few cells.
const STEPS_BASE: u64 = 1024;
/// Differences that cells can name, as a share of the cells: 2 for every 3 cells.
const CELLS_PER_DIFFERENCE_MIN: f64 = 1.5;
/// A request after one that did not suffice asks for at least this part of the cells held, beyond them.
const GROWTH_DIVISOR: usize = 8;
/// The least number of cells that is asked for.
const GROWTH_CELLS_MIN: usize = 16;

/// How far a decoding has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// The cells do not suffice: ask for those up to this number.
    NeedMore {
        /// Cells, counted from the first one, that are likely to suffice; more than were given.
        cells: usize,
    },
    /// Everything that differs is found, and every cell agrees.
    Done(Differences),
}

/// A decoding cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The block is empty, does not begin where the last one ended, or is of another moment. Ask for it again.
    #[error("cells of the same moment from index {expected} on were expected; ask for them again")]
    OutOfStep {
        /// Where the block should begin.
        expected: usize,
    },
    /// The cells are not those of two sets of records with one state each: the peer or a kept sketch is wrong.
    #[error("the cells contradict each other; compare buckets, and rebuild the sketches from the records")]
    Hostile,
    /// More differs than the cells that may be had can name.
    #[error("some {differences} states differ, more than the cells can name; compare buckets first")]
    TooMany {
        /// About how many states differ.
        differences: usize,
    },
}

/// A decoding in progress: takes differences of cells in order and bounds its work by their number.
///
/// An item is believed only if its keyed check fits and the cell is one of its own; no record has two states on one
/// side or one state on both; there are never more items than cells. So a hostile stream ends in an error, not in a loop.
#[derive(Debug)]
pub struct Decoder {
    key: HoldingsKey,
    cells_max: usize,
    /// The cells without what was found.
    cells: Vec<Cell>,
    /// How many of them are not empty.
    occupied: usize,
    /// Cells that may hold a lone item.
    ripe: Vec<usize>,
    found: BTreeMap<(RecordId, Side), u64>,
    placed: Vec<Placed>,
    /// The next cell of each placed item.
    upcoming: BinaryHeap<Reverse<(u64, usize)>>,
    spread: Option<(i64, Spread)>,
    steps: u64,
    refused: Option<DecodeError>,
}

/// An item that was found, and its cells that are still to come.
#[derive(Debug)]
struct Placed {
    item: Item,
    side: Side,
    check: u32,
    indexes: Indexes,
}

impl Decoder {
    /// A decoding that may ask for so many cells: those of the shorter sketch, [`CELLS_MAX`] at most.
    #[must_use]
    pub fn new(key: HoldingsKey, cells_max: usize) -> Self {
        Self {
            key,
            cells_max: cells_max.min(CELLS_MAX),
            cells: Vec::new(),
            occupied: 0,
            ripe: Vec::new(),
            found: BTreeMap::new(),
            placed: Vec::new(),
            upcoming: BinaryHeap::new(),
            spread: None,
            steps: 0,
            refused: None,
        }
    }

    /// How many cells it has taken.
    #[must_use]
    pub const fn cells(&self) -> usize {
        self.cells.len()
    }

    /// How many states differ, as far as the counts tell.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        self.spread.as_ref().map_or(Estimate { differences: 0, cells: 0 }, |(_, spread)| spread.estimate())
    }

    /// Takes the next cells of the local sketch minus the other; cells beyond those it may ask for are not looked at.
    ///
    /// # Errors
    /// A block that is not the next, cells that contradict each other, or more differences than can be named. After the
    /// last two every further push fails likewise.
    pub fn push(&mut self, difference: &Block) -> Result<Progress, DecodeError> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        self.check_step(difference)?;
        self.note(difference);
        let progress = self.take(&difference.cells).and_then(|()| self.progress());
        self.refused = progress.as_ref().err().cloned();
        progress
    }

    fn check_step(&self, block: &Block) -> Result<(), DecodeError> {
        let moved = self.spread.as_ref().is_some_and(|(total, _)| *total != block.total);
        if moved || block.cells.is_empty() || block.start != self.cells.len() {
            return Err(DecodeError::OutOfStep { expected: self.cells.len() });
        }
        Ok(())
    }

    fn note(&mut self, block: &Block) {
        let (_, spread) = self.spread.get_or_insert_with(|| (block.total, Spread::new(block.total)));
        let counts = block.cells.iter().map(|cell| cell.count).chain(block.probes.iter().copied());
        spread.note(block.start, counts);
    }

    fn take(&mut self, cells: &[Cell]) -> Result<(), DecodeError> {
        for cell in cells.iter().take(self.cells_max.saturating_sub(self.cells.len())) {
            self.append(*cell)?;
        }
        while let Some(index) = self.ripe.pop() {
            self.spend(1)?;
            if let Some(placed) = self.lone_item(index)? {
                self.place(placed)?;
            }
        }
        Ok(())
    }

    /// Appends a cell without the items that are already found.
    fn append(&mut self, mut cell: Cell) -> Result<(), DecodeError> {
        let index = self.cells.len() as u64;
        let mut steps = 0;
        while let Some(mut first) = self.upcoming.peek_mut().filter(|first| first.0.0 == index) {
            let placed = &mut self.placed[first.0.1];
            cell.put(placed.item, placed.check, opposite(placed.side));
            placed.indexes.advance();
            first.0.0 = placed.indexes.peek();
            steps += 1;
        }
        self.occupied += usize::from(!cell.is_empty());
        self.ripe.extend(cell.side().map(|_| self.cells.len()));
        self.cells.push(cell);
        self.spend(steps)
    }

    /// The item of a cell that holds only one, as far as a keyed check and the item's own cells can tell.
    fn lone_item(&mut self, index: usize) -> Result<Option<Placed>, DecodeError> {
        let cell = self.cells[index];
        let (Some(side), Some(item)) = (cell.side(), cell.item()) else { return Ok(None) };
        let code = self.key.code(item);
        if code.check != cell.checks {
            return Ok(None);
        }
        let mut own = code.indexes();
        while own.peek() < index as u64 {
            self.spend(1)?;
            own.advance();
        }
        let placed = Placed { item, side, check: code.check, indexes: code.indexes() };
        Ok((own.peek() == index as u64).then_some(placed))
    }

    /// Takes an item that was found out of all its cells.
    fn place(&mut self, mut placed: Placed) -> Result<(), DecodeError> {
        let Item { record, prefix } = placed.item;
        let on_both_sides = self.found.get(&(record, opposite(placed.side))) == Some(&prefix);
        let twice = self.found.insert((record, placed.side), prefix).is_some();
        if on_both_sides || twice || self.placed.len() >= self.cells.len() {
            return Err(DecodeError::Hostile);
        }
        while placed.indexes.peek() < self.cells.len() as u64 {
            self.spend(1)?;
            let index = placed.indexes.peek() as usize;
            let cell = &mut self.cells[index];
            let before = usize::from(!cell.is_empty());
            cell.put(placed.item, placed.check, opposite(placed.side));
            self.occupied = self.occupied + usize::from(!cell.is_empty()) - before;
            self.ripe.extend(cell.side().map(|_| index));
            placed.indexes.advance();
        }
        self.upcoming.push(Reverse((placed.indexes.peek(), self.placed.len())));
        self.placed.push(placed);
        Ok(())
    }

    fn spend(&mut self, steps: u64) -> Result<(), DecodeError> {
        self.steps += steps;
        if self.steps > STEPS_BASE + STEPS_PER_CELL_MAX * self.cells.len() as u64 {
            return Err(DecodeError::Hostile);
        }
        Ok(())
    }

    /// What is to do after a push: the first cell holds every item, so when it is empty all cells must be.
    fn progress(&self) -> Result<Progress, DecodeError> {
        if self.cells.first().is_some_and(Cell::is_empty) {
            return self.finish().map(Progress::Done);
        }
        let estimate = self.estimate();
        let nameable = self.cells_max as f64 / CELLS_PER_DIFFERENCE_MIN;
        if self.cells.len() >= self.cells_max || estimate.differences as f64 > nameable {
            return Err(DecodeError::TooMany { differences: estimate.differences });
        }
        let growth = (self.cells.len() / GROWTH_DIVISOR).max(GROWTH_CELLS_MIN);
        let cells = estimate.cells.max(self.cells.len() + growth).min(self.cells_max);
        Ok(Progress::NeedMore { cells })
    }

    fn finish(&self) -> Result<Differences, DecodeError> {
        let mut differences = Differences::default();
        for ((record, side), prefix) in &self.found {
            let item = Item { record: *record, prefix: *prefix };
            match side {
                Side::Here => differences.only_here.push(item),
                Side::There => differences.only_there.push(item),
            }
        }
        let total = differences.only_here.len() as i64 - differences.only_there.len() as i64;
        let agreed = self.spread.as_ref().is_some_and(|(expected, _)| *expected == total);
        if self.occupied > 0 || !agreed { Err(DecodeError::Hostile) } else { Ok(differences) }
    }
}

const fn opposite(side: Side) -> Side {
    match side {
        Side::Here => Side::There,
        Side::There => Side::Here,
    }
}

#[cfg(test)]
mod tests;
