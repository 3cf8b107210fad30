//! The agent's half of a comparison: what to ask next, until everything that differs is named.
//!
//! The hub speaks of one place of the lanes, and the agent brings its own holding at exactly that place. All decoding is
//! the agent's work, so an agent cannot make the hub toil. A comparison holds no changes and waits for nothing.

mod said;

use registry_schema::digest::SetSum;
use registry_schema::holdings::{
    Block, Bucket, Buckets, CELLS_MAX, DecodeError, Decoder, Differences, Holding, HoldingsKey, OPENING_CELLS, Progress,
};

use crate::v1;
pub use said::{Offer, Places, Said, buckets_in};

/// The most cells of one block: 2.7 MB, so that a block is one message.
pub const BLOCK_CELLS_MAX: usize = 1 << 17;
/// The most records of one question for states.
pub const RECORDS_ASKED_MAX: usize = 2_000;
/// The most bytes of canonical states in one answer, beside which the rest of a message is small.
pub const STATES_BYTES_MAX: usize = 1024 * 1024;
/// The most records that an offer wants to have sent again: 80 kB of keys.
pub const WANTED_MAX: usize = 10_000;
/// The most differing states that one finer comparison is made for; [`CELLS_MAX`] cells name more, because an estimate may
/// be low.
const WIDE_DIFFERENCES_MAX: usize = 120_000;
/// Cells asked for beyond seven for every four differences that were estimated, for the same reason.
const WIDE_SLACK: usize = 1_024;

/// What to do next in a comparison.
#[derive(Debug)]
pub enum Step {
    /// Send this, and wait for the answer.
    Ask(v1::resync_ask::Question),
    /// Both sides hold the same.
    Equal,
    /// Everything that differs in the corners of the offer.
    Found(Differences),
    /// The comparison cannot go on; why, in English.
    Failed(String),
}

/// A comparison in progress; see the module.
#[derive(Debug)]
pub struct Comparison {
    offer: Offer,
    holding: Holding,
    decoder: Decoder,
    /// About how many states differ, once that is known.
    differences: usize,
    /// The question for a finer comparison left corners out.
    is_partial: bool,
}

impl Comparison {
    /// Begins with an offer and the agent's own holding at its place, of the same corners and with as many cells.
    #[must_use]
    pub fn begin(offer: Offer, key: HoldingsKey, holding: Holding) -> (Self, Step) {
        let cells = offer.cells.min(holding.sketch.cells());
        let is_equal = holding.root() == offer.root;
        let decoder = Decoder::new(key, cells);
        let comparison = Self { offer, holding, decoder, differences: 0, is_partial: false };
        let step = if is_equal { Step::Equal } else { Step::Ask(cells_from(0, OPENING_CELLS)) };
        (comparison, step)
    }

    /// What is compared.
    #[must_use]
    pub const fn offer(&self) -> &Offer {
        &self.offer
    }

    /// Whether the last question for a finer comparison left corners out, which are to be compared after it.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.is_partial
    }

    /// Takes some cells.
    pub fn block(&mut self, block: &Block) -> Step {
        let Some(difference) = self.holding.sketch.minus_block(block) else {
            return Step::Failed("the hub sent cells that nobody asked for".to_owned());
        };
        match self.decoder.push(&difference) {
            Ok(Progress::Done(differences)) => Step::Found(differences),
            Ok(Progress::NeedMore { cells }) => {
                let start = self.decoder.cells();
                Step::Ask(cells_from(start, cells.min(start + BLOCK_CELLS_MAX)))
            }
            Err(DecodeError::TooMany { differences }) => {
                self.differences = differences;
                Step::Ask(v1::resync_ask::Question::Buckets(true))
            }
            Err(error @ (DecodeError::OutOfStep { .. } | DecodeError::Hostile)) => Step::Failed(error.to_string()),
        }
    }

    /// Takes the hub's sums, and asks for as fine a comparison as it takes, of the corners that differ.
    pub fn buckets(&mut self, theirs: &Buckets) -> Step {
        let differing = self.holding.buckets.differing(theirs);
        if differing.is_empty() {
            return Step::Failed("the sums are equal and the cells are not; rebuild the sums of both sides".to_owned());
        }
        let states = |bucket: &Bucket| {
            let count = |buckets: &Buckets| usize::try_from(buckets.get(*bucket).count()).unwrap_or(0);
            count(&self.holding.buckets) + count(theirs)
        };
        let (mut corners, mut bound) = (Vec::new(), 0_usize);
        let few = self.differences <= WIDE_DIFFERENCES_MAX;
        for bucket in &differing {
            let with = bound.saturating_add(states(bucket));
            if !few && !corners.is_empty() && with > WIDE_DIFFERENCES_MAX {
                break;
            }
            corners.push(*bucket);
            bound = with;
        }
        self.is_partial = corners.len() < differing.len();
        // The finer comparison estimates from the same counts, so it must not find its cells too few for that.
        let differences = if few { self.differences } else { bound };
        let cells = (differences + differences * 3 / 4 + WIDE_SLACK).min(CELLS_MAX);
        let wide = v1::ResyncWide { cells: cells as u32, of: corners.into_iter().map(said::bucket_out).collect() };
        Step::Ask(v1::resync_ask::Question::Wide(wide))
    }
}

/// The corners of a holding and its cells that an offer names, out of sums and cells of more: for the sums alone.
#[must_use]
pub fn root_of(buckets: &Buckets, of: &[Bucket]) -> SetSum {
    if of.is_empty() {
        return buckets.root();
    }
    of.iter().fold(SetSum::default(), |mut sum, bucket| {
        sum.merge(buckets.get(*bucket));
        sum
    })
}

const fn cells_from(start: usize, end: usize) -> v1::resync_ask::Question {
    v1::resync_ask::Question::Cells(v1::ResyncCells { start: start as u32, end: end as u32 })
}

#[cfg(test)]
mod tests;
