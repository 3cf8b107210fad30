//! Bytes from anybody: whatever reads them answers, and never panics.
//!
//! The generator is in `dice`; `make fuzz` runs it for longer, and on other seeds.

#![allow(clippy::unwrap_used)]

mod dice;

use prost::Message as _;
use registry_proto::convert::Hello;
use registry_proto::frame::{Change, FrameSealer, SealedChange, checksum, open};
use registry_proto::receiver::Receiver;
use registry_proto::v1;
use registry_schema::canonical;
use registry_schema::clock::Hlc;
use registry_schema::digest::chain_start;
use registry_schema::draft::Draft;
use registry_schema::field::{Attribute, Field, Role};
use registry_schema::holdings::{Block, Sketch};
use registry_schema::ids::{Epoch, Lane, Origin, RecordId, Seq, Version};
use registry_schema::kind::{Kind, Status};
use registry_schema::mapping::Mapping;
use registry_schema::record::Record;

/// What these readers look for.
const WORDS: [&[u8]; 8] = [
    b"\x28\xb5\x2f\xfd",
    b"\xff\xff\xff\xff",
    b"\x80\x80\x80\x80\x10",
    b"\0",
    b"\n[",
    b"= \"",
    b"\xed\xa0\x80",
    b"31.02.2020",
];

fn check(samples: &[Vec<u8>], read: impl FnMut(&[u8]) -> bool) {
    dice::check(samples, &WORDS, read);
}

fn origin() -> Origin {
    "01@2008".parse().unwrap()
}

fn entry(kind: Kind, name: &str) -> Vec<u8> {
    let draft = Draft::new(kind)
        .with(Field::entry(Attribute::Authority), "01.00001")
        .with(Field::entry(Attribute::Number), "12")
        .with(Field::entry(Attribute::RegistrationDate), "05.03.2020")
        .with(Field::new(Role::Deceased, Attribute::Name), name);
    canonical::encode(&draft, Status::Active)
}

fn frame(count: u64) -> v1::Frame {
    let mut chain = chain_start(origin(), Epoch(7), Lane::Live);
    let changes: Vec<SealedChange> = (1..=count)
        .map(|number| {
            let record_id = RecordId::from_number(number.cast_signed()).unwrap();
            let canonical = entry(Kind::Death, "Lê An");
            let change = Change { record_id, version: Version(1), clock: Hlc::from_number(number), canonical };
            let sealed = SealedChange::link(origin(), &chain, Seq(number), change);
            chain = sealed.chain;
            sealed
        })
        .collect();
    let start = chain_start(origin(), Epoch(7), Lane::Live);
    FrameSealer::new(origin(), Epoch(7)).unwrap().seal(Lane::Live, &start, &changes).unwrap()
}

#[test]
fn frames() {
    let samples = [1, 3, 40].map(|count| frame(count).encode_to_vec());
    check(&samples, |bytes| {
        let Ok(mut frame) = v1::Frame::decode(bytes) else { return false };
        // Whoever spoils a frame on purpose puts the right sum on it.
        frame.crc32 = checksum(&frame);
        let _ = Receiver::new(origin(), Epoch(7), &[]).receive(frame.clone());
        open(origin(), &frame).is_ok()
    });
}

#[test]
fn messages() {
    let hello = v1::Hello { province: "01@2008".to_owned(), epoch: 7, ..v1::Hello::default() };
    let heads = vec![v1::LaneHead { lane: 1, sealed_seq: 9 }];
    let samples: [v1::StreamRequest; 3] =
        [hello.clone().into(), v1::Hello { heads, ..hello }.into(), v1::NoticeAck { notice_position: 4 }.into()];
    check(&samples.map(|sample| sample.encode_to_vec()), |bytes| match v1::StreamRequest::decode(bytes) {
        Ok(v1::StreamRequest { message: Some(v1::stream_request::Message::Hello(hello)) }) => {
            Hello::try_from(hello).is_ok()
        }
        Ok(request) => request.message.is_some(),
        Err(_) => false,
    });
}

#[test]
fn entries() {
    let samples = [entry(Kind::Death, "Lê An"), entry(Kind::Birth, "Nguyễn Văn Hùng"), entry(Kind::Marriage, "")];
    check(&samples, |bytes| {
        let Ok((draft, status)) = canonical::decode(bytes) else { return false };
        let _ = Record::validate(&draft);
        assert_eq!(canonical::decode(&canonical::encode(&draft, status)).unwrap(), (draft, status));
        true
    });
}

#[test]
fn blocks_of_cells() {
    let sketch = Sketch::with_cells(64);
    let samples = [sketch.block(0..4).encode(), sketch.block(2..9).encode(), sketch.opening().encode()];
    check(&samples, |bytes| {
        let Ok(block) = Block::decode(bytes) else { return false };
        assert_eq!(block.encode(), bytes, "there is one form");
        true
    });
}

#[test]
fn mappings() {
    let text = include_str!("../../fixtures/mappings/deaths_fr.toml");
    check(&[text.as_bytes().to_vec()], |bytes| {
        std::str::from_utf8(bytes).is_ok_and(|text| Mapping::parse(text).is_ok())
    });
}
