//! Where the frames of HTTP/2 and the messages of gRPC begin and end in a stream of bytes, and what is shown before them.

use prost::Message;

/// How every connection of HTTP/2 begins (RFC 9113, 3.4).
const PREFACE_BYTES: usize = 24;
/// In front of a certificate stands its length.
const LENGTH_BYTES: usize = 4;
/// Length, type, flags and stream of a frame.
const HEAD_BYTES: usize = 9;
/// The type of frames that carry bodies.
const DATA: u8 = 0;
/// A flag and a length stand in front of every message (gRPC over HTTP/2).
const PREFIX_BYTES: usize = 5;

/// Cuts one direction of a connection into pieces.
pub(crate) struct Splitter {
    buffer: Vec<u8>,
    next: Part,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// What a client shows of itself, before anything else.
    Certificate,
    /// How a client begins to speak.
    Preface,
    /// What everything else is made of.
    Frame,
}

/// A whole certificate, preface or frame.
pub(crate) struct Piece {
    part: Part,
    bytes: Vec<u8>,
}

/// A certificate as it is shown.
pub(crate) fn shown(certificate: &[u8]) -> Vec<u8> {
    let length = u32::try_from(certificate.len()).unwrap().to_be_bytes();
    [length.as_slice(), certificate].concat()
}

impl Splitter {
    /// A direction that begins with such a piece.
    pub(crate) fn beginning_with(next: Part) -> Self {
        Self { buffer: Vec::new(), next }
    }

    /// Takes some bytes in, and gives out what is whole.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.buffer.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        loop {
            let Some(length) = self.length().filter(|length| *length <= self.buffer.len()) else { return pieces };
            let rest = self.buffer.split_off(length);
            pieces.push(Piece { part: self.next, bytes: std::mem::replace(&mut self.buffer, rest) });
            self.next = if self.next == Part::Certificate { Part::Preface } else { Part::Frame };
        }
    }

    /// The length of the next piece, once it can be seen.
    fn length(&self) -> Option<usize> {
        match self.next {
            Part::Certificate => {
                let length = self.buffer.first_chunk::<LENGTH_BYTES>()?;
                Some(LENGTH_BYTES + u32::from_be_bytes(*length) as usize)
            }
            Part::Preface => Some(PREFACE_BYTES),
            Part::Frame => {
                let [first, second, third, ..] = *self.buffer.first_chunk::<HEAD_BYTES>()?;
                Some(HEAD_BYTES + u32::from_be_bytes([0, first, second, third]) as usize)
            }
        }
    }
}

impl Piece {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The certificate, if it is one.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        (self.part == Part::Certificate).then(|| &self.bytes[LENGTH_BYTES..])
    }

    /// The messages in the frame, if it carries whole ones and nothing else. What would be written in another way is a
    /// message of another kind, whatever it looks like.
    pub(crate) fn messages<M: Message + Default>(&self) -> Option<Vec<M>> {
        if self.part != Part::Frame || self.bytes[3] != DATA || self.bytes.len() == HEAD_BYTES {
            return None;
        }
        let (mut rest, mut messages) = (&self.bytes[HEAD_BYTES..], Vec::new());
        while !rest.is_empty() {
            let length = rest.get(1..PREFIX_BYTES)?.try_into().map(u32::from_be_bytes).ok()? as usize;
            let message = rest.get(PREFIX_BYTES..PREFIX_BYTES + length)?;
            messages.push(M::decode(message).ok().filter(|decoded| decoded.encode_to_vec() == message)?);
            rest = &rest[PREFIX_BYTES + length..];
        }
        Some(messages)
    }

    /// The same frame with other messages in it.
    pub(crate) fn with(&self, messages: &[Vec<u8>]) -> Self {
        let mut bytes = self.bytes[..HEAD_BYTES].to_vec();
        for message in messages {
            bytes.push(0);
            bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(message);
        }
        let length = u32::try_from(bytes.len() - HEAD_BYTES).unwrap().to_be_bytes();
        bytes[..3].copy_from_slice(&length[1..]);
        Self { part: Part::Frame, bytes }
    }
}

#[cfg(test)]
mod tests {
    use registry_proto::v1::{NoticeAck, RenewRequest, StreamRequest};

    use super::*;

    #[test]
    fn pieces_do_not_depend_on_how_the_bytes_are_cut_and_can_be_made_anew() {
        let said: Vec<StreamRequest> = [3, 70_000].map(|notice_position| NoticeAck { notice_position }.into()).into();
        let encoded: Vec<Vec<u8>> = said.iter().map(Message::encode_to_vec).collect();
        let piece = frame(&encoded);
        let bytes =
            [&shown(b"who"), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), piece.bytes(), piece.bytes()].concat();
        for cut in 0..bytes.len() {
            let mut splitter = Splitter::beginning_with(Part::Certificate);
            let mut pieces = splitter.feed(&bytes[..cut]);
            pieces.extend(splitter.feed(&bytes[cut..]));
            assert_eq!(pieces.len(), 4, "cut at {cut}");
            assert_eq!(pieces.iter().flat_map(|piece| piece.bytes().to_vec()).collect::<Vec<_>>(), bytes);
            assert_eq!(pieces[0].certificate(), Some(b"who".as_slice()));
            assert_eq!(pieces[2].messages::<StreamRequest>(), Some(said.clone()));
            assert!(pieces[..2].iter().all(|piece| piece.messages::<StreamRequest>().is_none()));
        }
    }

    #[test]
    fn what_only_looks_like_a_message_of_the_stream_is_none() {
        let other = RenewRequest { request: vec![0x48, 1] }.encode_to_vec();
        assert!(StreamRequest::decode(other.as_slice()).is_ok(), "a field that is not known is passed over");
        assert_eq!(frame(&[other]).messages::<StreamRequest>(), None);
    }

    fn frame(messages: &[Vec<u8>]) -> Piece {
        Piece { part: Part::Frame, bytes: vec![0, 0, 0, DATA, 1, 0, 0, 0, 7] }.with(messages)
    }
}
