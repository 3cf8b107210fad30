//! Messages that come too slowly end their stream.
//!
//! A message that has begun must come with at least a certain rate; between messages a stream may be silent for as long
//! as it likes. Time during which the hub itself does not read is not counted.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body as HttpBody, Frame};
use tokio::time::{Duration, Instant, Sleep, sleep_until};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;

use super::visit::Peer;

/// The least rate of a message under way: what the slowest line of an office gives.
const BYTES_PER_SECOND_MIN: u64 = 4 * 1024;
/// What every message may take besides.
const GRACE: Duration = Duration::from_secs(10);
/// In front of every message stand a flag and its length (gRPC over HTTP/2).
const HEAD_BYTES: usize = 5;

/// A service whose requests are counted and must come at a certain rate.
#[derive(Clone)]
pub struct Paced<S>(pub S);

impl<S: NamedService> NamedService for Paced<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Paced<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Here and not where it is answered: a request may be taken back before that.
        if let Some(peer) = request.extensions().get::<Peer>() {
            peer.note_use();
        }
        self.0.call(request.map(|body| Body::new(PacedBody::new(body, GRACE))))
    }
}

/// Where a stream of bytes stands among the messages in it.
#[derive(Debug, Default)]
struct Place {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    left: u64,
}

impl Place {
    /// Goes on by some bytes.
    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let passed = self.left.min(bytes.len() as u64);
                self.left -= passed;
                bytes = &bytes[passed as usize..];
                continue;
            }
            self.head[self.head_bytes] = bytes[0];
            self.head_bytes += 1;
            bytes = &bytes[1..];
            if self.head_bytes == HEAD_BYTES {
                let [_, length @ ..] = self.head;
                (self.left, self.head_bytes) = (u32::from_be_bytes(length).into(), 0);
            }
        }
    }

    const fn is_between_messages(&self) -> bool {
        self.left == 0 && self.head_bytes == 0
    }
}

struct PacedBody {
    body: Body,
    place: Place,
    deadline: Option<Pin<Box<Sleep>>>,
    grace: Duration,
}

impl PacedBody {
    fn new(body: Body, grace: Duration) -> Self {
        Self { body, place: Place::default(), deadline: None, grace }
    }

    fn pass(&mut self, bytes: &[u8]) {
        let is_under_way = !self.place.is_between_messages() && self.place.left > bytes.len() as u64;
        self.place.pass(bytes);
        if self.place.is_between_messages() {
            self.deadline = None;
            return;
        }
        let now = Instant::now();
        let is_late = |deadline: &Pin<Box<Sleep>>| deadline.deadline() <= now;
        if is_under_way && !self.deadline.as_ref().is_none_or(is_late) {
            return;
        }
        // Another message has begun in these bytes; or they were here in time, and the hub was late to look.
        let time = self.grace + Duration::from_millis(self.place.left * 1_000 / BYTES_PER_SECOND_MIN);
        self.deadline = Some(Box::pin(sleep_until(now + time)));
    }
}

impl HttpBody for PacedBody {
    type Data = tonic::codegen::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Status>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(bytes) = frame.data_ref() {
                    self.pass(bytes);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Pending => {
                let is_late = self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready());
                if is_late { Poll::Ready(Some(Err(too_slow()))) } else { Poll::Pending }
            }
            ended => ended,
        }
    }
}

fn too_slow() -> Status {
    Status::deadline_exceeded(format!("a message came slower than {BYTES_PER_SECOND_MIN} bytes a second"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&[u8]], is_between: bool) {
        let mut place = Place::default();
        pieces.iter().for_each(|piece| place.pass(piece));
        assert_eq!(place.is_between_messages(), is_between, "{pieces:?} {place:?}");
    }

    #[test]
    fn the_place_among_messages_does_not_depend_on_how_they_are_cut() {
        let two = [0, 0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0, 0];
        check(&[&two], true);
        check(&two.iter().map(std::slice::from_ref).collect::<Vec<_>>(), true);
        check(&[], true);
        for cut in (1..two.len()).filter(|cut| *cut != 7) {
            check(&[&two[..cut]], false);
            check(&[&two[..cut], &two[cut..]], true);
        }
    }

    #[tokio::test]
    async fn a_trickled_message_is_given_up_and_silence_between_messages_is_not() {
        let grace = Duration::from_millis(200);
        let (sender, bytes) = tokio::sync::mpsc::channel::<Result<Frame<tonic::codegen::Bytes>, Status>>(8);
        let stream = tokio_stream::wrappers::ReceiverStream::new(bytes);
        let mut body = PacedBody::new(Body::new(http_body_util::StreamBody::new(stream)), grace);
        let send = async |bytes: &'static [u8]| sender.send(Ok(Frame::data(bytes.into()))).await.unwrap();
        let mut next = async || std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        send(&[0, 0, 0, 0, 1, b'a']).await;
        assert!(next().await.unwrap().is_ok());
        let silence = tokio::time::timeout(grace * 2, next()).await;
        assert!(silence.is_err(), "nothing was under way");
        send(&[0, 0, 0, 0, 99]).await;
        assert!(next().await.unwrap().is_ok());
        let began = Instant::now();
        let ended = loop {
            tokio::select! {
                ended = next() => match ended.unwrap() {
                    Ok(_) => {}
                    Err(status) => break status,
                },
                () = tokio::time::sleep(grace / 8) => send(b"x").await,
            }
        };
        assert_eq!(ended.code(), tonic::Code::DeadlineExceeded);
        assert!((grace..grace * 4).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
