//! A frame is one contiguous range of changes of one lane: bounded, compressed, checked and chained.
//!
//! # The layout that `crc32` covers ("hotich frame 1")
//! Numbers are big endian; `signature`, `root` and `payload` have their length in front, in 4 bytes.
//! ```text
//! "hotich frame 1" lane:4 epoch:8 first_seq:8 count:4 codec:4 raw_bytes:4
//! previous_chain:32 chain:32 signature root payload
//! ```

mod batch;
mod open;
mod seal;

use std::fmt;

use registry_schema::clock::Hlc;
use registry_schema::digest::{Hash256, chain_next, change_hash, content_hash};
use registry_schema::ids::{Origin, RecordId, RecordKey, Seq, Version};

pub use open::{FrameError, Header, Opened, header, open};
pub use seal::{FrameSealer, SealError, take_within};

use crate::v1;

/// The most changes of one frame: a few milliseconds of work for either side, so that live changes never wait long.
pub const FRAME_CHANGES_MAX: usize = 2_000;
/// Changes of a frame that an agent sends in the backlog lane. The centre judges whole frames: this one takes it some tens of
/// milliseconds, and a live entry that comes meanwhile waits no longer.
pub const BACKLOG_FRAME_CHANGES: usize = 250;

/// The most bytes of a frame's changes before compression: what either side holds of one frame at once.
pub const FRAME_RAW_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most bytes of a frame's payload: a payload that compression would make longer is sent as it is.
pub const FRAME_PAYLOAD_BYTES_MAX: usize = FRAME_RAW_BYTES_MAX;

/// The most bytes that one byte of a payload may become. Entries shrink to between a tenth and a fourth; what shrinks
/// a hundredfold is sent as it is, so a small payload cannot make the other side allocate a large buffer.
pub const FRAME_RATIO_MAX: usize = 100;

/// The most bytes of a signature, whatever the algorithm.
pub const SIGNATURE_BYTES_MAX: usize = 512;

/// The most bytes that a change takes beside its canonical bytes: five tags, two lengths and three numbers.
pub const CHANGE_OVERHEAD_BYTES_MAX: usize = 40;

const _: () = assert!(FRAME_PAYLOAD_BYTES_MAX + 4096 < crate::MESSAGE_BYTES_MAX, "a frame fits one message");

/// A change that has its place and its link in the chain; `chain` is the lane's chain after it.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedChange {
    /// The place in the lane.
    pub seq: Seq,
    /// The entry.
    pub record_id: RecordId,
    /// Which of its states.
    pub version: Version,
    /// When the state was made.
    pub clock: Hlc,
    /// The state in canonical bytes.
    pub canonical: Vec<u8>,
    /// The hash of those bytes.
    pub content_hash: Hash256,
    /// The lane's chain after this change.
    pub chain: Hash256,
}

impl SealedChange {
    /// The change in its place: hashed, and linked to the lane's chain before it.
    #[must_use]
    pub fn link(origin: Origin, previous_chain: &Hash256, seq: Seq, change: Change) -> Self {
        let Change { record_id, version, clock, canonical } = change;
        let content_hash = content_hash(&canonical);
        let chain = chain_after(origin, previous_chain, record_id, version, clock, &content_hash);
        Self { seq, record_id, version, clock, canonical, content_hash, chain }
    }
}

impl fmt::Debug for SealedChange {
    /// Shows where the change belongs, and nothing of what the entry says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedChange({} record {} v{} {})", self.seq, self.record_id, self.version.0, self.chain)
    }
}

/// One new state of one entry, before it has a place.
#[derive(Clone, PartialEq, Eq)]
pub struct Change {
    /// The entry.
    pub record_id: RecordId,
    /// Which of its states.
    pub version: Version,
    /// When the state was made.
    pub clock: Hlc,
    /// The state in canonical bytes.
    pub canonical: Vec<u8>,
}

impl fmt::Debug for Change {
    /// Shows where the change belongs, and nothing of what the entry says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change(record {} v{}, {} bytes)", self.record_id, self.version.0, self.canonical.len())
    }
}

/// A change that came in a frame, with the hash that was computed from its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedChange {
    /// The entry.
    pub record_id: RecordId,
    /// Which of its states.
    pub version: Version,
    /// When the state was made.
    pub clock: Hlc,
    /// The state in canonical bytes; whether they are an entry is not the frame's business.
    pub canonical: Vec<u8>,
    /// The hash of those bytes.
    pub content_hash: Hash256,
}

impl fmt::Debug for OpenedChange {
    /// Shows where the change belongs, and nothing of what the entry says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedChange(record {} v{} {})", self.record_id, self.version.0, self.content_hash)
    }
}

/// The CRC-32 of every field of a frame but `crc32` itself. Whoever sets `signature` or `root` after sealing sets
/// `crc32` to this again.
#[must_use]
pub fn checksum(frame: &v1::Frame) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(b"hotich frame 1");
    crc.update(&frame.lane.to_be_bytes());
    crc.update(&frame.epoch.to_be_bytes());
    crc.update(&frame.first_seq.to_be_bytes());
    crc.update(&frame.count.to_be_bytes());
    crc.update(&frame.codec.to_be_bytes());
    crc.update(&frame.raw_bytes.to_be_bytes());
    crc.update(&frame.previous_chain);
    crc.update(&frame.chain);
    for part in [&frame.signature, &frame.root, &frame.payload] {
        // A message is far below 4 GiB; a longer part would only make the sum a different one.
        crc.update(&(part.len() as u32).to_be_bytes());
        crc.update(part);
    }
    crc.finalize()
}

/// The lane's chain after one more change.
fn chain_after(
    origin: Origin,
    previous: &Hash256,
    id: RecordId,
    version: Version,
    clock: Hlc,
    content: &Hash256,
) -> Hash256 {
    chain_next(previous, &change_hash(RecordKey { origin, id }, version, clock, content))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use registry_schema::digest::chain_start;
    use registry_schema::ids::{Epoch, Lane};

    use super::*;

    const EPOCH: Epoch = Epoch(7);

    fn origin() -> Origin {
        "01@2008".parse().unwrap()
    }

    fn start() -> Hash256 {
        chain_start(origin(), EPOCH, Lane::Live)
    }

    fn linked(contents: &[Vec<u8>]) -> Vec<SealedChange> {
        let mut chain = start();
        let link = |(at, canonical): (usize, &Vec<u8>)| {
            let record_id = RecordId::from_number(at as i64 + 1).unwrap();
            let (version, clock, canonical) = (Version(1), Hlc::from_number(at as u64), canonical.clone());
            let change = Change { record_id, version, clock, canonical };
            let sealed = SealedChange::link(origin(), &chain, Seq(at as u64 + 1), change);
            chain = sealed.chain;
            sealed
        };
        contents.iter().enumerate().map(link).collect()
    }

    fn sealed(changes: &[SealedChange]) -> Result<v1::Frame, SealError> {
        FrameSealer::new(origin(), EPOCH).unwrap().seal(Lane::Live, &start(), changes)
    }

    fn three() -> v1::Frame {
        sealed(&linked(&[b"one".repeat(20), b"two".repeat(20), b"three".to_vec()])).unwrap()
    }

    /// The error of a good frame that was changed by its sender, so that its sum is right.
    fn check(change: impl FnOnce(&mut v1::Frame), expect: &str) {
        let mut frame = three();
        change(&mut frame);
        frame.crc32 = checksum(&frame);
        let error = open(origin(), &frame).unwrap_err();
        let kind = match &error {
            FrameError::Damaged { .. } => "damaged",
            FrameError::Foreign { .. } => "foreign",
            FrameError::Broken { .. } => "broken",
        };
        let shown = format!("{kind}: {error}");
        assert!(shown.contains(expect), "{shown}\nshould contain {expect}");
    }

    /// A batch of one change with this key, uncompressed.
    fn one_change(frame: &mut v1::Frame, record_id: u64) {
        let changes = vec![v1::Change { record_id, ..v1::Change::default() }];
        frame.payload = prost::Message::encode_to_vec(&v1::ChangeBatch { changes });
        (frame.codec, frame.count, frame.raw_bytes) = (v1::Codec::None.into(), 1, frame.payload.len() as u32);
    }

    #[test]
    fn what_contradicts_itself_is_broken() {
        check(|frame| frame.count = 0, "broken: the frame at 1 contradicts itself: its number of changes");
        check(|frame| frame.count = 2_001, "broken: the frame at 1 contradicts itself: its number of changes");
        check(|frame| frame.count = 2, "more changes than announced");
        check(|frame| frame.count = 4, "fewer changes than announced");
        check(|frame| frame.first_seq = 0, "out of range");
        check(|frame| frame.first_seq = u64::MAX, "out of range");
        check(|frame| frame.first_seq = SEQ_END - 2, "out of range");
        check(|frame| frame.raw_bytes = FRAME_RAW_BYTES_MAX as u32 + 1, "more bytes than a frame may hold");
        check(|frame| frame.payload.resize(FRAME_PAYLOAD_BYTES_MAX + 1, 0), "longer than a frame's may be");
        check(|frame| frame.raw_bytes = frame.payload.len() as u32 * 100 + 1, "grow more than entries do");
        check(|frame| frame.raw_bytes -= 1, "cannot be decompressed");
        check(|frame| frame.raw_bytes += 1, "shorter than announced");
        check(|frame| frame.payload.truncate(9), "cannot be decompressed");
        check(|frame| frame.codec = v1::Codec::None.into(), "not as long as announced");
        check(|frame| frame.previous_chain.clear(), "Frame.previous_chain: 0 bytes instead of 32");
        check(|frame| frame.chain.push(0), "Frame.chain: 33 bytes instead of 32");
        check(|frame| frame.root = vec![0; 31], "root is no hash");
        check(|frame| frame.signature = vec![0; 513], "longer than a signature");
        check(|frame| frame.chain[0] ^= 1, "do not lead to the chain");
        check(|frame| frame.previous_chain[0] ^= 1, "do not lead to the chain");
        check(|frame| one_change(frame, 0), "Change.record_id: 0 is not a record key");
        check(|frame| one_change(frame, 1 << 63), "is not a record key");
        check(|frame| one_change(frame, 1), "do not lead to the chain");
        check(
            |frame| {
                one_change(frame, 1);
                frame.payload[0] = 0x12;
            },
            "no batch of changes",
        );
        check(
            |frame| {
                one_change(frame, 1);
                frame.payload[1] = 0x7f;
            },
            "a change in the payload cannot be read",
        );
    }

    const SEQ_END: u64 = i64::MAX as u64;

    #[test]
    fn what_is_of_a_later_release_is_foreign() {
        check(|frame| frame.lane = 0, "foreign: lane 0");
        check(|frame| frame.lane = 9, "foreign: lane 9");
        check(|frame| frame.codec = 0, "foreign: codec 0");
        check(|frame| frame.codec = 3, "foreign: codec 3");
    }

    #[test]
    fn a_signature_and_a_root_may_be_added() {
        let mut frame = three();
        (frame.signature, frame.root) = (vec![1; 64], vec![2; 32]);
        assert!(matches!(open(origin(), &frame), Err(FrameError::Damaged { .. })));
        frame.crc32 = checksum(&frame);
        assert_eq!(open(origin(), &frame).unwrap().changes.len(), 3);
    }

    #[test]
    fn another_provinces_changes_do_not_open() {
        let error = open("01@2025".parse().unwrap(), &three()).unwrap_err();
        assert!(matches!(error, FrameError::Broken { .. }), "{error}");
    }

    #[test]
    fn a_torn_log_is_found_at_home() {
        let good = linked(&[b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
        let check = |change: fn(&mut Vec<SealedChange>), seq: u64| {
            let mut changes = good.clone();
            change(&mut changes);
            assert_eq!(sealed(&changes), Err(SealError::Torn { lane: Lane::Live, seq: Seq(seq) }));
        };
        check(|changes| drop(changes.remove(1)), 3);
        check(|changes| drop(changes.remove(0)), 2);
        check(|changes| changes[1].version = Version(2), 2);
        check(|changes| changes[2].chain = changes[1].chain, 3);
        check(|changes| changes[0].seq = Seq(0), 0);
        assert_eq!(sealed(&[]), Err(SealError::Size { count: 0, raw_bytes: 0 }));
    }

    #[test]
    fn frames_are_filled_to_their_bounds_and_no_further() {
        let small = linked(&vec![b"x".to_vec(); FRAME_CHANGES_MAX + 1]);
        assert_eq!(take_within(&small), FRAME_CHANGES_MAX);
        assert!(matches!(sealed(&small), Err(SealError::Size { count: 2_001, .. })));
        assert!(sealed(&small[..FRAME_CHANGES_MAX]).is_ok());

        let large = linked(&vec![vec![0; 600_000]; 5]);
        assert_eq!(take_within(&large), 3);
        let frame = sealed(&large[..3]).unwrap();
        assert_eq!(frame.codec(), v1::Codec::None, "what shrinks beyond belief is sent as it is");
        assert_eq!(open(origin(), &frame).unwrap().changes.len(), 3);
        assert!(matches!(sealed(&large[..4]), Err(SealError::Size { count: 4, .. })));

        let huge = linked(&[vec![0; FRAME_RAW_BYTES_MAX]]);
        assert_eq!((take_within(&huge), take_within(&[])), (1, 0));
        assert!(matches!(sealed(&huge), Err(SealError::Size { count: 1, .. })));
    }

    fn any_contents() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let text = "[a-f ]{0,80}".prop_map(String::into_bytes);
        prop::collection::vec(prop_oneof![text, prop::collection::vec(any::<u8>(), 0..60)], 1..20)
    }

    proptest! {
        #[test]
        fn seal_and_open_invert(contents in any_contents()) {
            let changes = linked(&contents);
            let frame = sealed(&changes).unwrap();
            let opened = open(origin(), &frame).unwrap();
            prop_assert_eq!((opened.lane, opened.epoch), (Lane::Live, EPOCH));
            prop_assert_eq!((opened.first_seq, opened.last_seq), (Seq(1), changes.last().unwrap().seq));
            prop_assert_eq!((opened.previous_chain, opened.chain), (start(), changes.last().unwrap().chain));
            for (came, sent) in opened.changes.iter().zip(&changes) {
                prop_assert_eq!((came.record_id, came.version, came.clock), (sent.record_id, sent.version, sent.clock));
                prop_assert_eq!((&came.canonical, came.content_hash), (&sent.canonical, sent.content_hash));
            }
            prop_assert_eq!(opened.changes.len(), changes.len());
        }

        #[test]
        fn the_payload_is_the_batch_of_the_proto_file(contents in any_contents()) {
            let changes = linked(&contents);
            let mut raw = Vec::new();
            batch::encode(&changes, &mut raw);
            prop_assert!(raw.len() <= changes.iter().map(|c| c.canonical.len() + CHANGE_OVERHEAD_BYTES_MAX).sum());
            let read = <v1::ChangeBatch as prost::Message>::decode(raw.as_slice()).unwrap();
            prop_assert_eq!(read.changes, batch::decode(&raw, changes.len()).unwrap());
        }

        #[test]
        fn any_flipped_bit_is_damage(contents in any_contents(), at: prop::sample::Index, bit in 0..8_u8) {
            let frame = sealed(&linked(&contents)).unwrap();
            let mut bytes = prost::Message::encode_to_vec(&frame);
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            if let Ok(flipped) = <v1::Frame as prost::Message>::decode(bytes.as_slice()) && flipped != frame {
                let error = open(origin(), &flipped).unwrap_err();
                prop_assert!(matches!(error, FrameError::Damaged { .. }), "{}", error);
            }
        }

        #[test]
        fn no_senders_bytes_make_it_panic(
            contents in any_contents(), at: prop::sample::Index, put in prop::collection::vec(any::<u8>(), 0..9),
            numbers in (any::<i32>(), any::<u64>(), any::<u32>(), any::<u32>()), which in 0..16_u8,
        ) {
            let mut frame = sealed(&linked(&contents)).unwrap();
            let at = at.index(frame.payload.len());
            frame.payload.splice(at..(at + put.len()).min(frame.payload.len()), put);
            if which & 1 != 0 { frame.codec = numbers.0 & 3; }
            if which & 2 != 0 { frame.first_seq = numbers.1; }
            if which & 4 != 0 { frame.count = numbers.2 % 2_100; }
            if which & 8 != 0 { frame.raw_bytes = numbers.3 % 10_000; }
            frame.crc32 = checksum(&frame);
            // Whatever it says, it says without a panic; what opens has kept its promises.
            if let Ok(opened) = open(origin(), &frame) {
                prop_assert_eq!(opened.last_seq.0 - opened.first_seq.0 + 1, opened.changes.len() as u64);
            }
        }
    }
}
