//! Changes become a frame.

use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use thiserror::Error;

use super::{
    CHANGE_OVERHEAD_BYTES_MAX, FRAME_CHANGES_MAX, FRAME_RATIO_MAX, FRAME_RAW_BYTES_MAX, SealedChange, batch,
    chain_after, checksum,
};
use crate::convert::lane_number;
use crate::position::SEQ_MAX;
use crate::v1;

/// How hard Zstandard tries: its own default, which shrinks entries well at several hundred MB/s.
const ZSTD_LEVEL: i32 = 3;

/// The changes cannot become a frame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SealError {
    /// The caller took too many or none; `take_within` says how many fit.
    #[error(
        "{count} changes with {raw_bytes} bytes do not make a frame of 1 to {FRAME_CHANGES_MAX} changes \
         and at most {FRAME_RAW_BYTES_MAX} bytes; take fewer"
    )]
    Size {
        /// How many changes there are.
        count: usize,
        /// Their bytes before compression.
        raw_bytes: usize,
    },
    /// The change log contradicts itself; sending it would look like a forked store.
    #[error(
        "lane {lane}: the change log does not continue its own chain at {seq}; verify the store before it sends more"
    )]
    Torn {
        /// The lane.
        lane: Lane,
        /// The first place that does not follow.
        seq: Seq,
    },
    /// The compressor failed, for want of memory.
    #[error("a frame cannot be compressed: {0}; give this program more memory")]
    Compressor(String),
}

/// Makes the frames of one store, and keeps the compressor and its buffers from one to the next.
pub struct FrameSealer {
    origin: Origin,
    epoch: Epoch,
    compressor: zstd::bulk::Compressor<'static>,
    raw: Vec<u8>,
}

impl FrameSealer {
    /// A sealer for the store of this province and incarnation.
    ///
    /// # Errors
    /// There is no memory for a compressor.
    pub fn new(origin: Origin, epoch: Epoch) -> Result<Self, SealError> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(|e| SealError::Compressor(e.to_string()))?;
        Ok(Self { origin, epoch, compressor, raw: Vec::new() })
    }

    /// The frame of these changes; `previous_chain` is the lane's chain before the first of them.
    ///
    /// # Errors
    /// None or too many changes, or changes that do not follow one another.
    pub fn seal(
        &mut self,
        lane: Lane,
        previous_chain: &Hash256,
        changes: &[SealedChange],
    ) -> Result<v1::Frame, SealError> {
        let size = |raw_bytes| SealError::Size { count: changes.len(), raw_bytes };
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Err(size(0)) };
        if changes.len() > FRAME_CHANGES_MAX {
            return Err(size(changes.iter().map(bytes_at_most).sum()));
        }
        self.check_chain(lane, previous_chain, changes)?;
        batch::encode(changes, &mut self.raw);
        if self.raw.len() > FRAME_RAW_BYTES_MAX {
            return Err(size(self.raw.len()));
        }
        let (codec, payload) = self.compress()?;
        let mut frame = v1::Frame {
            lane: lane_number(lane),
            epoch: self.epoch.0,
            first_seq: first.seq.0,
            count: changes.len() as u32,
            codec: codec.into(),
            raw_bytes: self.raw.len() as u32,
            crc32: 0,
            previous_chain: previous_chain.0.to_vec(),
            chain: last.chain.0.to_vec(),
            signature: Vec::new(),
            root: Vec::new(),
            payload,
            certificate: Vec::new(),
        };
        frame.crc32 = checksum(&frame);
        Ok(frame)
    }

    /// A torn log is found here and not at the hub, where it would look like a fork.
    fn check_chain(&self, lane: Lane, previous: &Hash256, changes: &[SealedChange]) -> Result<(), SealError> {
        let (mut chain, mut seq) = (*previous, changes[0].seq);
        for change in changes {
            let (id, version, clock) = (change.record_id, change.version, change.clock);
            chain = chain_after(self.origin, &chain, id, version, clock, &change.content_hash);
            if change.seq != seq || seq < Seq(1) || seq >= SEQ_MAX || change.chain != chain {
                return Err(SealError::Torn { lane, seq: change.seq });
            }
            seq = seq.next();
        }
        Ok(())
    }

    /// The raw bytes compressed, or as they are when that is no gain or more gain than a receiver believes.
    fn compress(&mut self) -> Result<(v1::Codec, Vec<u8>), SealError> {
        let packed = self.compressor.compress(&self.raw).map_err(|e| SealError::Compressor(e.to_string()))?;
        let believable = packed.len() < self.raw.len() && self.raw.len() <= packed.len() * FRAME_RATIO_MAX;
        Ok(if believable { (v1::Codec::Zstd, packed) } else { (v1::Codec::None, self.raw.clone()) })
    }
}

/// How many of the queued changes fit one frame: at least one when there is one.
#[must_use]
pub fn take_within<'a>(changes: impl IntoIterator<Item = &'a SealedChange>) -> usize {
    let mut raw_bytes = 0;
    let fits = changes.into_iter().take(FRAME_CHANGES_MAX).take_while(|change| {
        raw_bytes += bytes_at_most(change);
        raw_bytes <= FRAME_RAW_BYTES_MAX || raw_bytes == bytes_at_most(change)
    });
    fits.count()
}

fn bytes_at_most(change: &SealedChange) -> usize {
    change.canonical.len() + CHANGE_OVERHEAD_BYTES_MAX
}
