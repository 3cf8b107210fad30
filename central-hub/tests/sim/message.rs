//! Where the frames of HTTP/2 and the messages of gRPC begin and end in a stream of bytes.

use prost::Message;

/// How every connection of HTTP/2 begins (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;
/// Length, type, flags and stream of a frame.
const HEAD_BYTES: usize = 9;
/// The type of frames that carry bodies.
const DATA: u8 = 0;
/// A flag and a length stand in front of every message (gRPC over HTTP/2).
const PREFIX_BYTES: usize = 5;

/// Cuts one direction of a connection into frames.
pub(crate) struct Splitter {
    buffer: Vec<u8>,
    preface_left: usize,
}

/// A whole frame.
pub(crate) struct Piece(Vec<u8>);

impl Splitter {
    /// The direction from the client begins with the preface.
    pub(crate) fn new(is_from_client: bool) -> Self {
        Self { buffer: Vec::new(), preface_left: if is_from_client { PREFACE_BYTES } else { 0 } }
    }

    /// Takes some bytes in, and gives out what is whole. The preface comes as a piece of its own.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.buffer.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        loop {
            let length = if self.preface_left > 0 {
                self.preface_left
            } else if self.buffer.len() < HEAD_BYTES {
                break;
            } else {
                HEAD_BYTES + u32::from_be_bytes([0, self.buffer[0], self.buffer[1], self.buffer[2]]) as usize
            };
            if self.buffer.len() < length {
                break;
            }
            let rest = self.buffer.split_off(length);
            pieces.push(Piece(std::mem::replace(&mut self.buffer, rest)));
            self.preface_left = 0;
        }
        pieces
    }
}

impl Piece {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The messages in the frame, if it carries whole ones and nothing else.
    pub(crate) fn messages<M: Message + Default>(&self) -> Option<Vec<M>> {
        if self.0.starts_with(b"PRI") || self.0[3] != DATA || self.0.len() == HEAD_BYTES {
            return None;
        }
        let (mut rest, mut messages) = (&self.0[HEAD_BYTES..], Vec::new());
        while !rest.is_empty() {
            let length = rest.get(1..PREFIX_BYTES)?.try_into().map(u32::from_be_bytes).ok()? as usize;
            let message = rest.get(PREFIX_BYTES..PREFIX_BYTES + length)?;
            messages.push(M::decode(message).ok()?);
            rest = &rest[PREFIX_BYTES + length..];
        }
        Some(messages)
    }

    /// The same frame with other messages in it.
    pub(crate) fn with(&self, messages: &[Vec<u8>]) -> Self {
        let mut bytes = self.0[..HEAD_BYTES].to_vec();
        for message in messages {
            bytes.push(0);
            bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(message);
        }
        let length = u32::try_from(bytes.len() - HEAD_BYTES).unwrap().to_be_bytes();
        bytes[..3].copy_from_slice(&length[1..]);
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use registry_proto::v1::{NoticeAck, StreamRequest};

    use super::*;

    #[test]
    fn pieces_do_not_depend_on_how_the_bytes_are_cut_and_can_be_made_anew() {
        let said: Vec<StreamRequest> = [3, 70_000].map(|notice_position| NoticeAck { notice_position }.into()).into();
        let encoded: Vec<Vec<u8>> = said.iter().map(Message::encode_to_vec).collect();
        let piece = Piece(vec![0, 0, 0, DATA, 1, 0, 0, 0, 7]).with(&encoded);
        let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", piece.bytes(), piece.bytes()].concat();
        for cut in 0..bytes.len() {
            let mut splitter = Splitter::new(true);
            let mut pieces = splitter.feed(&bytes[..cut]);
            pieces.extend(splitter.feed(&bytes[cut..]));
            assert_eq!(pieces.len(), 3, "cut at {cut}");
            assert_eq!(pieces.iter().flat_map(|piece| piece.bytes().to_vec()).collect::<Vec<_>>(), bytes);
            assert_eq!(pieces[1].messages::<StreamRequest>(), Some(said.clone()));
            assert_eq!(pieces[0].messages::<StreamRequest>(), None);
        }
    }
}
