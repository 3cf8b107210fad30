//! Frames of the first release, as they stand in journals: every later release opens them.
#![allow(clippy::unwrap_used)]

use prost::Message as _;
use registry_proto::frame::{Change, FrameSealer, SealedChange, open};
use registry_proto::v1;
use registry_schema::clock::Hlc;
use registry_schema::digest::chain_start;
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Seq, Version};

const EPOCH: Epoch = Epoch(0x0102_0304_0506_0708);

/// One change as it is.
const PLAIN: &str = "\
    080211080706050403020118012001280130213dfdef002f4220dcb5dbcd95065fb50d37f7a682e5d653f6a8247345706f9260407b418936\
    e5cb4a20f353942ece31fb215303cc337d6730ac2bb5d827390ba41878c34d290bd6431262210a1f08808080808080808040100119000000\
    68e5cf8b012208616e20656e747279";
/// The same entry forty times, compressed.
const PACKED: &str = "\
    080211080706050403020118012028280230980c3d8af384bd4220dcb5dbcd95065fb50d37f7a682e5d653f6a8247345706f9260407b4189\
    36e5cb4a20b862cc13a7350faa016b62c3511642727628578ac7132180b2c9c3eade005c4862a70128b52ffd601805ed040044070a250880\
    4010011900000068e5cf8b01220e7468652073616d6520656e7472790a250881804010028203830484058506860787088809890a8a0b8b0c\
    8c0d8d0e8e0f8f10901191129213931494159516961797189819991a9a1b9b1c9c1d9d1e9e1f9f20a021a122a223a324a425a526a627a728\
    4fa811e00bedff06e037031128080160f857843e976841b4084d4416a18568b6a9a43f40b53635";

fn origin() -> Origin {
    "31@2025".parse().unwrap()
}

fn changes(contents: &[&str]) -> Vec<SealedChange> {
    let mut chain = chain_start(origin(), EPOCH, Lane::Repair);
    let link = |(at, content): (usize, &&str)| {
        let record_id = RecordId::from_number((1 << 62) + at as i64).unwrap();
        let (version, clock) = (Version(at as u32 + 1), Hlc::from_unix_ms(1_700_000_000_000));
        let change = Change { record_id, version, clock, canonical: content.as_bytes().to_vec() };
        let sealed = SealedChange::link(origin(), &chain, Seq(at as u64 + 1), change);
        chain = sealed.chain;
        sealed
    };
    contents.iter().enumerate().map(link).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn sealed(contents: &[&str]) -> v1::Frame {
    let start = chain_start(origin(), EPOCH, Lane::Repair);
    FrameSealer::new(origin(), EPOCH).unwrap().seal(Lane::Repair, &start, &changes(contents)).unwrap()
}

/// Opens a stored frame and finds the changes that were sealed in it.
fn check(golden: &str, codec: v1::Codec, contents: &[&str]) {
    let frame = v1::Frame::decode(bytes(golden).as_slice()).unwrap();
    assert_eq!(frame.codec(), codec);
    let opened = open(origin(), &frame).unwrap();
    assert_eq!((opened.lane, opened.epoch, opened.first_seq), (Lane::Repair, EPOCH, Seq(1)));
    let found = opened.changes.iter().map(|c| (c.record_id, c.version, c.clock, c.canonical.as_slice()));
    let changes = changes(contents);
    assert!(found.eq(changes.iter().map(|c| (c.record_id, c.version, c.clock, c.canonical.as_slice()))));
    assert_eq!(opened.chain, changes.last().unwrap().chain);
}

#[test]
fn a_plain_frame_of_release_1_opens_and_is_written_the_same() {
    check(PLAIN, v1::Codec::None, &["an entry"]);
    let hex: String = sealed(&["an entry"]).encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, PLAIN);
}

#[test]
fn a_compressed_frame_of_release_1_opens() {
    // What a compressor writes may differ from release to release; what it means may not.
    check(PACKED, v1::Codec::Zstd, &["the same entry"; 40]);
    assert_eq!(sealed(&["the same entry"; 40]).codec(), v1::Codec::Zstd);
}
