//! Who said it: Ed25519 signatures of frames and of receipts.
//!
//! A checksum finds line noise; anybody can compute it. A signature is made with a key that never leaves its machine, so
//! a province cannot deny what it sent, and the centre cannot deny what it took.
//!
//! # The layouts that are signed
//! Numbers are big endian; `root` has its length in front, in 1 byte.
//! ```text
//! "hotich frame signature 1" province:2 lane:4 epoch:8 first_seq:8 count:4 previous_chain:32 chain:32 root
//! "hotich receipt 1" province:2 lane:4 epoch:8 seq:8 chain:32 signed_ms:8
//! "hotich enrolment 1" request
//! ```
//! The chain stands for the payload: it is recomputed from the changes when a frame is opened.

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use registry_schema::digest::Hash256;
use registry_schema::ids::{Epoch, Lane, Origin, Seq};
use thiserror::Error;

use crate::convert::lane_number;
use crate::frame::checksum;
use crate::v1;

/// A key that signs; it is never shown.
pub struct SigningKey(Ed25519KeyPair);

/// The public half of a [`SigningKey`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// The key or the signature is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The bytes are no Ed25519 key in PKCS #8.
    #[error("this is no Ed25519 key in PKCS #8")]
    NoKey,
    /// There is no signature.
    #[error("it is not signed")]
    Missing,
    /// The signature was made with another key, or of something else.
    #[error("its signature is not by this key, or of something else")]
    Wrong,
}

/// What a receipt says: the lane is durable up to `seq`, and this was its chain there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Whose lane.
    pub origin: Origin,
    /// The incarnation of the store.
    pub epoch: Epoch,
    /// The lane.
    pub lane: Lane,
    /// The last durable change.
    pub seq: Seq,
    /// The lane's chain after it.
    pub chain: Hash256,
    /// When the centre signed, in Unix milliseconds.
    pub signed_ms: u64,
}

impl SigningKey {
    /// The key in these bytes (PKCS #8, DER).
    ///
    /// # Errors
    /// They are no such key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SignatureError> {
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self).map_err(|_| SignatureError::NoKey)
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let bytes = self.0.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes");
        PublicKey(bytes)
    }

    /// Signs a frame that is complete but for its signature, and renews its checksum.
    pub fn sign_frame(&self, origin: Origin, frame: &mut v1::Frame) {
        frame.signature = self.sign(&frame_bytes(origin, frame));
        frame.crc32 = checksum(frame);
    }

    /// Makes an acknowledgement a receipt. It must bear the lane's chain.
    pub fn sign_received(&self, origin: Origin, epoch: Epoch, signed_ms: u64, received: &mut v1::Received) {
        received.signed_ms = signed_ms;
        if let Some(receipt) = receipt(origin, epoch, received) {
            received.signature = self.sign(&receipt.bytes());
        }
    }

    /// Signs a certificate request: the proof that the asker has this key.
    #[must_use]
    pub fn sign_request(&self, request: &[u8]) -> Vec<u8> {
        self.sign(&request_bytes(request))
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.public())
    }
}

impl PublicKey {
    /// The key with these bytes; `None` unless there are exactly 32.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Whether the frame was signed with this key for this province.
    ///
    /// # Errors
    /// It was not, or not at all.
    pub fn verify_frame(&self, origin: Origin, frame: &v1::Frame) -> Result<(), SignatureError> {
        self.verify(&frame_bytes(origin, frame), &frame.signature)
    }

    /// Whether the acknowledgement is a receipt of this key: what it says.
    ///
    /// # Errors
    /// It is none.
    pub fn verify_received(
        &self,
        origin: Origin,
        epoch: Epoch,
        received: &v1::Received,
    ) -> Result<Receipt, SignatureError> {
        let receipt = receipt(origin, epoch, received).ok_or(SignatureError::Missing)?;
        self.verify(&receipt.bytes(), &received.signature).map(|()| receipt)
    }

    /// Whether a certificate request was signed with this key.
    ///
    /// # Errors
    /// It was not.
    pub fn verify_request(&self, request: &[u8], proof: &[u8]) -> Result<(), SignatureError> {
        self.verify(&request_bytes(request), proof)
    }

    fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        if signature.is_empty() {
            return Err(SignatureError::Missing);
        }
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, signature).map_err(|_| SignatureError::Wrong)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Hash256(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Receipt {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"hotich receipt 1".to_vec();
        bytes.extend_from_slice(&self.origin.number().to_be_bytes());
        bytes.extend_from_slice(&lane_number(self.lane).to_be_bytes());
        bytes.extend_from_slice(&self.epoch.0.to_be_bytes());
        bytes.extend_from_slice(&self.seq.0.to_be_bytes());
        bytes.extend_from_slice(self.chain.as_bytes());
        bytes.extend_from_slice(&self.signed_ms.to_be_bytes());
        bytes
    }
}

fn receipt(origin: Origin, epoch: Epoch, received: &v1::Received) -> Option<Receipt> {
    let lane = crate::convert::lane(received.lane, "Received.lane").ok()?;
    let chain = Hash256::from_slice(&received.chain)?;
    Some(Receipt { origin, epoch, lane, seq: Seq(received.seq), chain, signed_ms: received.signed_ms })
}

fn frame_bytes(origin: Origin, frame: &v1::Frame) -> Vec<u8> {
    let mut bytes = b"hotich frame signature 1".to_vec();
    bytes.extend_from_slice(&origin.number().to_be_bytes());
    bytes.extend_from_slice(&frame.lane.to_be_bytes());
    bytes.extend_from_slice(&frame.epoch.to_be_bytes());
    bytes.extend_from_slice(&frame.first_seq.to_be_bytes());
    bytes.extend_from_slice(&frame.count.to_be_bytes());
    bytes.extend_from_slice(&frame.previous_chain);
    bytes.extend_from_slice(&frame.chain);
    // A root has 0 or 32 bytes; a longer one is refused when the frame is opened.
    bytes.push(frame.root.len() as u8);
    bytes.extend_from_slice(&frame.root);
    bytes
}

fn request_bytes(request: &[u8]) -> Vec<u8> {
    [b"hotich enrolment 1".as_slice(), request].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// PKCS #8 in front of the 32 bytes of an Ed25519 key (RFC 8410).
    const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_pkcs8(&[PKCS8_HEAD.as_slice(), &[seed; 32]].concat()).unwrap()
    }

    fn origin() -> Origin {
        "01@2008".parse().unwrap()
    }

    fn frame() -> v1::Frame {
        v1::Frame {
            lane: 1,
            epoch: 7,
            first_seq: 3,
            count: 2,
            previous_chain: vec![1; 32],
            chain: vec![2; 32],
            root: vec![3; 32],
            ..v1::Frame::default()
        }
    }

    /// A signed frame that was changed afterwards does not verify.
    fn check(change: impl FnOnce(&mut v1::Frame)) {
        let mut frame = frame();
        key(1).sign_frame(origin(), &mut frame);
        key(1).public().verify_frame(origin(), &frame).unwrap();
        assert_eq!(frame.crc32, checksum(&frame));
        change(&mut frame);
        assert!(key(1).public().verify_frame(origin(), &frame).is_err(), "{frame:?}");
    }

    #[test]
    fn whatever_of_a_frame_means_something_is_signed() {
        check(|frame| frame.lane = 3);
        check(|frame| frame.epoch += 1);
        check(|frame| frame.first_seq += 1);
        check(|frame| frame.count += 1);
        check(|frame| frame.previous_chain[31] ^= 1);
        check(|frame| frame.chain[0] ^= 1);
        check(|frame| frame.root.clear());
        check(|frame| frame.signature[63] ^= 1);
        check(|frame| frame.signature.clear());
        check(|frame| key(2).sign_frame(origin(), frame));
        check(|frame| key(1).sign_frame("01@2025".parse().unwrap(), frame));
    }

    #[test]
    fn a_receipt_speaks_of_one_place_of_one_store() {
        let mut received = v1::Received { lane: 1, seq: 9, chain: vec![4; 32], ..v1::Received::default() };
        key(1).sign_received(origin(), Epoch(7), 1_000, &mut received);
        let verified =
            |origin, epoch, received: &v1::Received| key(1).public().verify_received(origin, Epoch(epoch), received);
        let receipt = verified(origin(), 7, &received).unwrap();
        assert_eq!((receipt.seq, receipt.signed_ms, receipt.chain), (Seq(9), 1_000, Hash256([4; 32])));
        assert_eq!(verified(origin(), 8, &received), Err(SignatureError::Wrong));
        assert_eq!(verified("79@2008".parse().unwrap(), 7, &received), Err(SignatureError::Wrong));
        let later = v1::Received { seq: 10, ..received.clone() };
        assert_eq!(verified(origin(), 7, &later), Err(SignatureError::Wrong));
        let bare = v1::Received { signature: Vec::new(), ..received };
        assert_eq!(verified(origin(), 7, &bare), Err(SignatureError::Missing));
    }

    #[test]
    fn a_key_is_shown_by_its_public_half_only() {
        assert!(matches!(SigningKey::from_pkcs8(b"no key"), Err(SignatureError::NoKey)));
        let (key, public) = (key(1), key(1).public().to_string());
        assert_eq!(format!("{key:?}"), format!("SigningKey({public})"));
        assert!(key.public().verify_request(b"request", &key.sign_request(b"request")).is_ok());
        assert!(key.public().verify_request(b"other", &key.sign_request(b"request")).is_err());
    }
}
