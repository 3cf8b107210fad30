//! A frame becomes changes again, or one reason why not.

use registry_schema::clock::Hlc;
use registry_schema::digest::{Hash256, content_hash};
use registry_schema::ids::{Epoch, Lane, Origin, Seq, Version};
use thiserror::Error;

use super::{
    FRAME_CHANGES_MAX, FRAME_PAYLOAD_BYTES_MAX, FRAME_RATIO_MAX, FRAME_RAW_BYTES_MAX, OpenedChange,
    SIGNATURE_BYTES_MAX, batch, chain_after, checksum,
};
use crate::convert::{self, WireError};
use crate::position::SEQ_MAX;
use crate::v1;

/// A frame cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The frame is not the one that was sent; ask for it again.
    #[error(
        "the frame was damaged on its way (its CRC-32 is {found:08x}, it announces {announced:08x}); send it again"
    )]
    Damaged {
        /// The sum of what arrived.
        found: u32,
        /// The sum it announces.
        announced: u32,
    },
    /// The frame uses something of a later release; stop until this program is upgraded.
    #[error("{what} {number} is not known to this release; upgrade this program")]
    Foreign {
        /// What is not known.
        what: &'static str,
        /// Its number.
        number: i32,
    },
    /// The frame arrived as it was sent and contradicts itself; the same would happen again, so stop.
    #[error("the frame at {first_seq} contradicts itself: {what}; verify the sending store and its program")]
    Broken {
        /// The place it announces.
        first_seq: u64,
        /// What is wrong.
        what: String,
    },
}

/// What a frame says about itself: intact and within every bound, its payload not yet looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The lane.
    pub lane: Lane,
    /// The incarnation of the store.
    pub epoch: Epoch,
    /// The place of the first change; at least 1.
    pub first_seq: Seq,
    /// The place of the last change.
    pub last_seq: Seq,
    /// How the payload is compressed.
    pub codec: v1::Codec,
    /// The lane's chain before the first change.
    pub previous_chain: Hash256,
    /// The lane's chain after the last change.
    pub chain: Hash256,
}

/// A frame whose changes were read and do lead from `previous_chain` to `chain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The lane.
    pub lane: Lane,
    /// The incarnation of the store.
    pub epoch: Epoch,
    /// The place of the first change; the others follow without gaps.
    pub first_seq: Seq,
    /// The place of the last change.
    pub last_seq: Seq,
    /// The changes in the order of their places.
    pub changes: Vec<OpenedChange>,
    /// The lane's chain before the first change.
    pub previous_chain: Hash256,
    /// The lane's chain after the last change.
    pub chain: Hash256,
}

/// Checks a frame's sum and every bound; costs one pass over its bytes and allocates nothing.
///
/// # Errors
/// The frame is damaged, foreign or broken.
pub fn header(frame: &v1::Frame) -> Result<Header, FrameError> {
    let found = checksum(frame);
    if found != frame.crc32 {
        return Err(FrameError::Damaged { found, announced: frame.crc32 });
    }
    // From here on the bytes are the sender's own, so whatever is wrong would be wrong again.
    let foreign = |what, number| FrameError::Foreign { what, number };
    let lane = convert::lane(frame.lane, "Frame.lane").map_err(|_| foreign("lane", frame.lane))?;
    let codec = v1::Codec::try_from(frame.codec).ok().filter(|codec| *codec != v1::Codec::Unspecified);
    let codec = codec.ok_or_else(|| foreign("codec", frame.codec))?;
    check_sizes(frame, codec).map_err(|what| broken(frame, what))?;
    let last_seq = frame.first_seq.saturating_add(u64::from(frame.count) - 1);
    if frame.first_seq == 0 || last_seq >= SEQ_MAX.0 {
        return Err(broken(frame, "its places are out of range"));
    }
    let hash = |bytes, field| convert::hash(bytes, field).map_err(|error| wrong(frame, &error));
    Ok(Header {
        lane,
        epoch: Epoch(frame.epoch),
        first_seq: Seq(frame.first_seq),
        last_seq: Seq(last_seq),
        codec,
        previous_chain: hash(&frame.previous_chain, "Frame.previous_chain")?,
        chain: hash(&frame.chain, "Frame.chain")?,
    })
}

/// Reads a frame's changes and recomputes the chain over them.
///
/// # Errors
/// The frame is damaged, foreign or broken.
pub fn open(origin: Origin, frame: &v1::Frame) -> Result<Opened, FrameError> {
    let header = header(frame)?;
    let changes = match header.codec {
        v1::Codec::Zstd => {
            let raw = zstd::bulk::decompress(&frame.payload, frame.raw_bytes as usize)
                .map_err(|_| broken(frame, "its payload cannot be decompressed"))?;
            if raw.len() != frame.raw_bytes as usize {
                return Err(broken(frame, "its payload is shorter than announced"));
            }
            batch::decode(&raw, frame.count as usize)
        }
        _ => batch::decode(&frame.payload, frame.count as usize),
    };
    let changes = changes.map_err(|what| broken(frame, what))?;
    let (changes, chain) = follow(origin, &header.previous_chain, changes).map_err(|error| wrong(frame, &error))?;
    if chain != header.chain {
        return Err(broken(frame, "its changes do not lead to the chain it announces"));
    }
    let Header { lane, epoch, first_seq, last_seq, previous_chain, .. } = header;
    Ok(Opened { lane, epoch, first_seq, last_seq, changes, previous_chain, chain })
}

/// The changes typed and hashed, and the chain that they make.
fn follow(
    origin: Origin,
    previous: &Hash256,
    changes: Vec<v1::Change>,
) -> Result<(Vec<OpenedChange>, Hash256), WireError> {
    let mut chain = *previous;
    let mut opened = Vec::with_capacity(changes.len());
    for change in changes {
        let record_id = convert::record_id(change.record_id, "Change.record_id")?;
        let (version, clock) = (Version(change.version), Hlc::from_number(change.clock));
        let content_hash = content_hash(&change.canonical);
        chain = chain_after(origin, &chain, record_id, version, clock, &content_hash);
        opened.push(OpenedChange { record_id, version, clock, canonical: change.canonical, content_hash });
    }
    Ok((opened, chain))
}

fn check_sizes(frame: &v1::Frame, codec: v1::Codec) -> Result<(), &'static str> {
    let raw_bytes = frame.raw_bytes as usize;
    if frame.count == 0 || frame.count as usize > FRAME_CHANGES_MAX {
        return Err("its number of changes is out of range");
    }
    if raw_bytes > FRAME_RAW_BYTES_MAX {
        return Err("it announces more bytes than a frame may hold");
    }
    if frame.payload.len() > FRAME_PAYLOAD_BYTES_MAX {
        return Err("its payload is longer than a frame's may be");
    }
    match codec {
        v1::Codec::Zstd if raw_bytes > frame.payload.len() * FRAME_RATIO_MAX => {
            return Err("its payload would grow more than entries do");
        }
        v1::Codec::None if raw_bytes != frame.payload.len() => {
            return Err("its payload is not as long as announced");
        }
        _ => {}
    }
    if !matches!(frame.root.len(), 0 | 32) {
        return Err("its root is no hash");
    }
    if frame.signature.len() > SIGNATURE_BYTES_MAX {
        return Err("its signature is longer than a signature can be");
    }
    Ok(())
}

fn broken(frame: &v1::Frame, what: impl Into<String>) -> FrameError {
    FrameError::Broken { first_seq: frame.first_seq, what: what.into() }
}

fn wrong(frame: &v1::Frame, error: &WireError) -> FrameError {
    broken(frame, format!("{}: {}", error.field, error.problem))
}
