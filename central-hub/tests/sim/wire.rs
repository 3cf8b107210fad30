//! The network between agents and hub: what is done to it, and what is seen on it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use central_hub::door::Listener;
use futures::FutureExt as _;
use hyper_util::rt::TokioIo;
use prost::Message as _;
use rand::Rng as _;
use rand::seq::IteratorRandom as _;
use registry_proto::v1::{StreamRequest, StreamResponse, stream_request};
use sync_agent::uplink::Connect;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

use super::message::{Part, Piece, Splitter, shown};
use super::passes::Pass;
use super::stage::Stage;

/// Where a hub listens.
const PORT: u16 = 7400;
/// Bytes that are taken from the network at once.
const READ_BYTES: usize = 16 * 1024;
/// Frames that are remembered, to come again some time.
const REMEMBERED_MAX: usize = 16;

/// What is done to the frames of a province while it lasts; each is a chance in a hundred.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Noise {
    /// A bit of it is another.
    pub(crate) flip: u32,
    /// It comes twice.
    pub(crate) double: u32,
    /// It does not come.
    pub(crate) lose: u32,
    /// One that came long ago comes again.
    pub(crate) replay: u32,
    /// The line breaks in the middle of it, as a line under TLS does where a bit of it is another.
    pub(crate) tear: u32,
}

/// Connects an agent to the hub that is on duty.
pub(crate) fn connector(stage: Arc<Stage>, agent: usize) -> Connect {
    Arc::new(move |endpoint| {
        let stage = Arc::clone(&stage);
        let connect = tower::service_fn(move |_| reach(Arc::clone(&stage), agent).map(|made| made.map(TokioIo::new)));
        async move { endpoint.connect_with_connector(connect).await }.boxed()
    })
}

/// Makes a connection, and shows the certificate of the agent where there are any.
async fn reach(stage: Arc<Stage>, agent: usize) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((stage.hub_on_duty(), PORT)).await?;
    if stage.shows_certificates {
        stream.write_all(&shown(&stage.identity(agent).shown()?)).await?;
    }
    Ok(stream)
}

/// The listener of a hub.
pub(crate) struct Hall {
    listener: TcpListener,
    stage: Arc<Stage>,
}

impl Hall {
    pub(crate) async fn open(stage: Arc<Stage>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(("0.0.0.0", PORT)).await?, stage })
    }
}

impl Listener for Hall {
    type Stream = Line;

    async fn accept(&self) -> io::Result<(Line, SocketAddr)> {
        let (stream, address) = self.listener.accept().await?;
        let caller = self.stage.caller(address.ip());
        self.stage.note("connection", format_args!("of {caller}"));
        Ok((Line::new(stream, caller, Arc::clone(&self.stage)), address))
    }
}

/// The hub's end of a connection.
pub(crate) struct Line {
    stream: TcpStream,
    caller: usize,
    stage: Arc<Stage>,
    /// Connections that were made before a cut are cut.
    cuts: u64,
    epoch: u64,
    /// The certificate that was shown.
    pass: Option<Arc<Pass>>,
    inbound: Splitter,
    outbound: Splitter,
    ready: VecDeque<u8>,
}

impl Line {
    fn new(stream: TcpStream, caller: usize, stage: Arc<Stage>) -> Self {
        let cuts = stage.line(caller, |line| line.cuts);
        let first = if stage.shows_certificates { Part::Certificate } else { Part::Preface };
        let (inbound, outbound) = (Splitter::beginning_with(first), Splitter::beginning_with(Part::Frame));
        Self { stream, caller, stage, cuts, epoch: 0, pass: None, inbound, outbound, ready: VecDeque::new() }
    }

    fn check(&self) -> io::Result<()> {
        let is_whole = self.stage.line(self.caller, |line| line.cuts) == self.cuts;
        if is_whole { Ok(()) } else { Err(io::ErrorKind::ConnectionReset.into()) }
    }

    /// Lets a piece of what the agent says through, or what noise makes of it.
    fn hear(&mut self, piece: &Piece) -> io::Result<()> {
        if let Some(certificate) = piece.certificate() {
            self.pass = Some(self.stage.shown(self.caller, certificate));
        }
        let Some(messages) = piece.messages::<StreamRequest>() else {
            self.ready.extend(piece.bytes());
            return Ok(());
        };
        let mut passed = Vec::new();
        for message in messages {
            if let Some(stream_request::Message::Hello(hello)) = &message.message {
                self.epoch = hello.epoch;
                self.pass.iter().for_each(|pass| self.stage.let_in(pass));
            }
            self.stage.heard(self.caller, &message);
            self.disturb(&message, &mut passed)?;
        }
        self.ready.extend(piece.with(&passed).bytes());
        Ok(())
    }

    fn disturb(&self, message: &StreamRequest, passed: &mut Vec<Vec<u8>>) -> io::Result<()> {
        let mut bytes = message.encode_to_vec();
        let is_frame = matches!(message.message, Some(stream_request::Message::Frame(_)));
        let noise = self.stage.line(self.caller, |line| line.noise);
        let stage = &self.stage;
        let strikes = |of_hundred: u32| {
            is_frame && of_hundred > 0 && stage.line(self.caller, |line| line.chance.random_ratio(of_hundred, 100))
        };
        if strikes(noise.tear) {
            stage.note("torn", self.caller);
            stage.line(self.caller, |line| line.cuts += 1);
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if strikes(noise.replay)
            && let Some(old) = stage.line(self.caller, |line| line.remembered.iter().choose(&mut line.chance).cloned())
        {
            stage.note("replayed", self.caller);
            passed.push(old);
        }
        if is_frame {
            stage.line(self.caller, |line| {
                line.remembered.push_back(bytes.clone());
                line.remembered.truncate(REMEMBERED_MAX);
            });
        }
        if strikes(noise.lose) {
            stage.note("lost", self.caller);
            return Ok(());
        }
        if strikes(noise.double) {
            stage.note("doubled", self.caller);
            passed.push(bytes.clone());
        }
        if strikes(noise.flip) {
            stage.note("flipped", self.caller);
            let bit = stage.line(self.caller, |line| line.chance.random_range(0..bytes.len() * 8));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        passed.push(bytes);
        Ok(())
    }

    /// Looks at what the hub says.
    fn say(&mut self, bytes: &[u8]) {
        for piece in self.outbound.feed(bytes) {
            for message in piece.messages::<StreamResponse>().unwrap_or_default() {
                self.stage.said(self.caller, self.epoch, &message);
            }
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        loop {
            line.check()?;
            if !line.ready.is_empty() {
                let bytes: Vec<u8> = line.ready.drain(..line.ready.len().min(buffer.remaining())).collect();
                buffer.put_slice(&bytes);
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut line.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            for piece in line.inbound.feed(read.filled()) {
                line.hear(&piece)?;
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        line.check()?;
        let written = ready!(Pin::new(&mut line.stream).poll_write(context, bytes))?;
        line.say(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
