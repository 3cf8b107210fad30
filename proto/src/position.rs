//! Where a change stands in what a store has to say.

use std::fmt;

use registry_schema::digest::{Hash256, chain_start};
use registry_schema::ids::{Epoch, Lane, Origin, Seq};

/// The greatest place in a lane: stores keep it as a signed 64-bit number.
pub const SEQ_MAX: Seq = Seq(i64::MAX as u64);

/// One place in one lane of one incarnation of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The incarnation of the store.
    pub epoch: Epoch,
    /// The lane.
    pub lane: Lane,
    /// The place in the lane.
    pub seq: Seq,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of epoch {:016x}", self.lane, self.seq, self.epoch.0)
    }
}

/// A place together with the lane's chain after it, which stands for everything up to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The incarnation of the store.
    pub epoch: Epoch,
    /// The lane.
    pub lane: Lane,
    /// The last change counted in; 0 before the first.
    pub seq: Seq,
    /// The lane's chain after that change.
    pub chain: Hash256,
}

impl Cursor {
    /// The cursor before the first change of a lane.
    #[must_use]
    pub fn start(origin: Origin, epoch: Epoch, lane: Lane) -> Self {
        Self { epoch, lane, seq: Seq(0), chain: chain_start(origin, epoch, lane) }
    }

    /// The cursor's place.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position { epoch: self.epoch, lane: self.lane, seq: self.seq }
    }
}
