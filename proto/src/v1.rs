//! Version 1 of the wire: the types, client and server generated from `registry/v1/*.proto`.

use std::fmt;

pub use generated::*;

// The generator's manner is its own; the comments come from the .proto file.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::needless_pass_by_value, clippy::too_many_lines)]
#[allow(clippy::semicolon_if_nothing_returned, clippy::cloned_instead_of_copied, clippy::uninlined_format_args)]
mod generated {
    tonic::include_proto!("registry.v1");
}

impl fmt::Debug for Change {
    /// Shows where the change belongs, and nothing of what the entry says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("record_id", &self.record_id)
            .field("version", &self.version)
            .field("clock", &self.clock)
            .field("canonical_bytes", &self.canonical.len())
            .finish()
    }
}

impl fmt::Debug for Welcome {
    /// Shows where the hub stands, and nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Welcome")
            .field("cursors", &self.cursors)
            .field("credits", &self.credits)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Frame {
    /// Shows the place and the size of the frame, and nothing of its payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("lane", &self.lane)
            .field("epoch", &self.epoch)
            .field("first_seq", &self.first_seq)
            .field("count", &self.count)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Notice {
    /// Shows the place and the kind of the notice; its words may name people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notice")
            .field("notice_seq", &self.notice_seq)
            .field("record_id", &self.record_id)
            .field("outcome", &self.outcome)
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for EnrolRequest {
    /// Shows that somebody asks, and nothing of the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolRequest").field("request_bytes", &self.request.len()).finish_non_exhaustive()
    }
}

/// Lets each message become the envelope that carries it.
macro_rules! carried {
    ($($message:ident in $envelope:ident::$module:ident),* $(,)?) => {$(
        impl From<$message> for $envelope {
            fn from(message: $message) -> Self {
                Self { message: Some($module::Message::$message(message)) }
            }
        }
    )*};
}

carried! {
    Hello in StreamRequest::stream_request,
    Frame in StreamRequest::stream_request,
    NoticeAck in StreamRequest::stream_request,
    Goodbye in StreamRequest::stream_request,
    Welcome in StreamResponse::stream_response,
    Received in StreamResponse::stream_response,
    Applied in StreamResponse::stream_response,
    Credit in StreamResponse::stream_response,
    NoticeBatch in StreamResponse::stream_response,
    Goodbye in StreamResponse::stream_response,
    ResyncAsk in StreamRequest::stream_request,
    ResyncReport in StreamRequest::stream_request,
    ResyncOffer in StreamResponse::stream_response,
    ResyncBlock in StreamResponse::stream_response,
    ResyncBuckets in StreamResponse::stream_response,
    ResyncStates in StreamResponse::stream_response,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_what_an_entry_says() {
        let secret = "Nguyễn Văn Hùng";
        let change = Change { canonical: secret.into(), ..Change::default() };
        let frame = Frame { payload: secret.into(), ..Frame::default() };
        let notice = Notice { english: secret.into(), detail_json: secret.into(), ..Notice::default() };
        let shown = format!(
            "{:?} {:?} {:?}",
            ChangeBatch { changes: vec![change] },
            StreamRequest::from(frame),
            StreamResponse::from(NoticeBatch { notices: vec![notice] }),
        );
        assert!(!shown.contains("Nguy") && !shown.contains("78, 103"), "{shown}");
        assert!(shown.contains("canonical_bytes: 19") && shown.contains("payload_bytes: 19"), "{shown}");
    }
}
