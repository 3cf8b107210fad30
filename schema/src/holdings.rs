//! What one province holds, as linear summaries that the province and the nation both keep up to date.
//!
//! Every state of a record has a [`Tag`], a keyed hash. [`Buckets`] sum the tags by kind and year and say whether two
//! holdings are equal; a [`Sketch`] of coded cells lets a [`Decoder`] name the few records that differ at the cost of
//! the difference, not of the holding (Yang, Gilad and Alizadeh, "Practical Rateless Set Reconciliation", SIGCOMM 2024).
//! Both are linear: a change is undone by the opposite change, in any order, so a summary can be wound back exactly to
//! any point of a change log.

mod key;
mod item;
mod wire;
mod buckets;
mod cell;
mod sketch;
mod estimate;
mod differences;
mod decoder;
mod held;

pub use self::buckets::{BUCKETS_MAX, Bucket, Buckets};
pub use self::cell::{Block, CELL_BYTES, Cell};
pub use self::decoder::{DecodeError, Decoder, Progress};
pub use self::differences::{Difference, Differences};
pub use self::estimate::Estimate;
pub use self::held::{Delta, Held, Holding};
pub use self::item::{Indexes, Item};
pub use self::key::{Code, HoldingsKey, KeyId, Tag};
pub use self::sketch::Sketch;
pub use self::wire::HoldingsError;

/// The way of summing and coding that is written today; summaries of different versions cannot be compared.
pub const HOLDINGS_VERSION: u8 = 1;
/// Cells that are kept: about 86 kB, enough to name some 2,700 differing states.
pub const SKETCH_CELLS: usize = 4096;
/// The most cells of one sketch or one decoding: 5.5 MB, some 190,000 differing states.
pub const CELLS_MAX: usize = 1 << 18;
/// Cells in a first message: they suffice for some 80 differing states.
pub const OPENING_CELLS: usize = 128;
/// Cells after those of a first message of which only the one-byte count is sent, to estimate how many states differ.
pub const OPENING_PROBES: usize = 256;

#[cfg(test)]
mod tests;
