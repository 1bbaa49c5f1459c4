//! The connections that messages and requests travel on, whichever side has opened them.
//! Made by `net::listener` and `net::outgoing`, read and written by those who own them.
//! Never decodes and never knows who is at the other end.
//!
//! Upstream: `process::network::Socket`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddrV4;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

use crate::pid::Address;
use crate::simulation::Socket;
use crate::tls::{Accepted, Tls};

/// How much is read at a time, in bytes. Upstream: `80 * 1024` in `on_accept`.
const READ_BYTES: usize = 80 << 10;

/// After how much silence the system asks whether a peer is still there, so that one that went
/// without a word does not hold a connection for ever. Upstream never asks.
const SILENCE_MAX: Duration = Duration::from_secs(600);

/// How long the system waits for an answer before it asks again, nine times by default.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

thread_local! {
    /// Where the connections of a thread read to, one at a time: an idle one holds no memory.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// A connection to a peer.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Simulated(Socket),
}

impl Stream {
    /// Connects to a peer, encrypted if that is asked for.
    pub(crate) async fn connect(peer: Address, tls: Option<Tls>) -> io::Result<Self> {
        let peer = SocketAddrV4::from(peer);
        match tls {
            None => open(peer).await.map(Self::Tcp),
            Some(tls) => tls.connect_or_downgrade(peer).await.map(Self::accepted),
        }
    }

    /// A connection of either kind.
    pub(crate) fn accepted(accepted: Accepted) -> Self {
        match accepted {
            Accepted::Plain(stream) => Self::Tcp(stream),
            Accepted::Encrypted(stream) => Self::Tls(stream),
        }
    }

    /// Waits for bytes, shows them to `take` and gives their number, 0 at the end. While it waits
    /// it holds no memory; where it is dropped, nothing is lost.
    pub(crate) async fn read_with(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
        let mut read = |context: &mut Context<'_>, scratch: &mut Vec<u8>| {
            let mut buffer = ReadBuf::new(scratch);
            let polled = Pin::new(&mut *self).poll_read(context, &mut buffer);
            polled.map_ok(|()| {
                take(buffer.filled());
                buffer.filled().len()
            })
        };
        poll_fn(|context| SCRATCH.with_borrow_mut(|scratch| read(context, scratch))).await
    }
}

/// Opens a TCP connection, tuned for messages.
pub(crate) async fn open(peer: SocketAddrV4) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(peer).await?;
    tune(&stream);
    Ok(stream)
}

/// Nothing waits for more to be sent with it, and a peer that went without a word is noticed.
pub(crate) fn tune(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        crate::vlog!(1, "Failed to turn off the Nagle algorithm: {error}");
    }
    let keepalive = TcpKeepalive::new().with_time(SILENCE_MAX).with_interval(PROBE_INTERVAL);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        crate::vlog!(1, "Failed to have the peer probed: {error}");
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Simulated(socket) => Pin::new(socket).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Simulated(socket) => Pin::new(socket).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
            Stream::Simulated(socket) => Pin::new(socket).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Simulated(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}
