//! A connection to a server: requests go out in the order in which they are sent, answers come
//! back in the same order, and the end fails what is still owed.
//! Called by `client`. Reading and writing are two halves of one task; what both need to know is
//! in [`Shared`].
//!
//! Neither awc nor hyper serves here: neither sends a request before the answer to the one before
//! it is there, nor is a connection something that one can hold, share and see the end of.
//!
//! Upstream: `process::http::Connection`, `internal::ConnectionProcess`.

use std::collections::VecDeque;
use std::net::SocketAddrV4;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, header};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot, watch};

use super::inflate::{Gathered, Inflater};
use super::{ClientError, Content, Delivery, Request};
use crate::http::pipe::{Reader, Writer, pipe};
use crate::http::{Body, Response};
use crate::net::stream::Stream;
use crate::runtime::Runtime;
use crate::tls::Tls;
use crate::wire::encode::{self, Length};
use crate::wire::response::{Decoder, Expected, Head, Item};

/// How much is read at a time.
const READ_BYTES: usize = 16 << 10;

type Answer = Result<Response, ClientError>;

/// A connection to a server; clones are the same one, which ends with the last of them.
#[derive(Clone, Debug)]
pub struct Connection {
    handle: Arc<Handle>,
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }
}

impl Eq for Connection {}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Outbound>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.end(&ClientError::Disconnected);
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    has_ended: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// Answers that are owed, in order.
    owed: VecDeque<Owed>,
    /// No further request may be sent.
    is_last_sent: bool,
}

#[derive(Debug)]
struct Owed {
    answer: oneshot::Sender<Answer>,
    delivery: Delivery,
    expected: Expected,
}

/// A request as it goes out.
#[derive(Debug)]
struct Outbound {
    /// The head, with the body that is held in memory.
    head: BytesMut,
    rest: Option<Reader>,
}

impl Connection {
    pub(super) async fn open(
        runtime: &Runtime,
        address: SocketAddrV4,
        tls: Option<(Tls, String)>,
    ) -> Result<Self, ClientError> {
        let (requests, outbound) = mpsc::unbounded_channel();
        let shared =
            Arc::new(Shared { state: Mutex::default(), has_ended: watch::Sender::new(false) });
        let (connected, connection) = oneshot::channel();
        let task = shared.clone();
        runtime.run(async move {
            let task = EndOnDrop(task);
            let stream = match tls {
                None => Stream::connect(address.into(), None).await,
                Some((tls, host)) => tls.connect(address, Some(&host)).await.map(Stream::Tls),
            };
            match stream {
                Err(error) => {
                    let why = crate::os::describe(&error);
                    // Nobody may be waiting any more.
                    drop(connected.send(Err(ClientError::Connect { address, why })));
                }
                Ok(stream) => {
                    if connected.send(Ok(())).is_ok() {
                        drive(stream, &task.0, outbound).await;
                    }
                }
            }
        });
        let handle = Arc::new(Handle { shared, requests });
        connection.await.unwrap_or(Err(ClientError::Disconnected))?;
        Ok(Self { handle })
    }

    /// Sends a request behind those that were sent before it, now, whether or not the answer is
    /// awaited. The connection ends with the answer if the request or the answer asks for that.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(
        &self,
        request: Request,
        delivery: Delivery,
    ) -> impl Future<Output = Answer> + Send + 'static {
        let answer = self.enqueue(request, delivery);
        async move { answer?.await.unwrap_or(Err(ClientError::Disconnected)) }
    }

    fn enqueue(
        &self,
        request: Request,
        delivery: Delivery,
    ) -> Result<oneshot::Receiver<Answer>, ClientError> {
        let head = encode(&request)?;
        let Shared { state, has_ended } = &*self.handle.shared;
        let mut state = state.lock();
        if *has_ended.borrow() {
            return Err(ClientError::Disconnected);
        }
        if state.is_last_sent {
            return Err(ClientError::Closing);
        }
        state.is_last_sent = !request.keep_alive;
        let (answer, answered) = oneshot::channel();
        let is_head = request.method == Method::HEAD;
        let expected = if is_head { Expected::HeadOnly } else { Expected::Body };
        state.owed.push_back(Owed { answer, delivery, expected });
        let rest = match request.body {
            Content::Bytes(_) => None,
            Content::Stream(reader) => Some(reader),
        };
        // The task may just have ended; then it fails what is owed.
        let _ = self.handle.requests.send(Outbound { head, rest });
        Ok(answered)
    }

    /// Ends the connection; what is owed fails.
    pub fn disconnect(&self) {
        self.handle.shared.end(&ClientError::Disconnected);
    }

    /// Completes when the connection has ended, from either side.
    pub fn disconnected(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut ended = self.handle.shared.has_ended.subscribe();
        async move {
            // An error is the end, too.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }
}

/// Ends the connection however its task does, be it with the runtime.
struct EndOnDrop(Arc<Shared>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end(&ClientError::Disconnected);
    }
}

impl Shared {
    fn end(&self, error: &ClientError) {
        let mut state = self.state.lock();
        self.has_ended.send_replace(true);
        for owed in state.owed.drain(..) {
            // Nobody may want to know.
            let _ = owed.answer.send(Err(error.clone()));
        }
    }

    fn take_owed(&self) -> Option<Owed> {
        self.state.lock().owed.pop_front()
    }

    fn expected(&self) -> Option<Expected> {
        self.state.lock().owed.front().map(|owed| owed.expected)
    }

    /// The answer that has come is the last one: those behind it fail.
    fn end_pipeline(&self) {
        let mut state = self.state.lock();
        state.is_last_sent = true;
        for owed in state.owed.drain(..) {
            // Nobody may want to know.
            let _ = owed.answer.send(Err(ClientError::ClosedByServer));
        }
    }

    fn is_done(&self) -> bool {
        let state = self.state.lock();
        state.is_last_sent && state.owed.is_empty()
    }
}

/// A request up to its body, with that if it is held in memory.
fn encode(request: &Request) -> Result<BytesMut, ClientError> {
    let target = request.url.target();
    let host = match request.url.port {
        80 | 443 => request.url.host.clone(),
        port => format!("{}:{port}", request.url.host),
    };
    let is_bad = |text: &str| text.bytes().any(|byte| byte <= b' ' || byte == 0x7f);
    if is_bad(&target) || is_bad(&host) {
        return Err(ClientError::Target(request.url.to_string()));
    }
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 2);
    let host = HeaderValue::from_str(&host);
    headers.insert(header::HOST, host.map_err(|_| ClientError::Target(request.url.to_string()))?);
    if !request.keep_alive {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let framing = [header::HOST, header::CONNECTION, header::CONTENT_LENGTH];
    for (name, value) in &request.headers {
        if !framing.contains(name) && name != header::TRANSFER_ENCODING {
            headers.append(name, value.clone());
        }
    }
    let mut out = BytesMut::new();
    let length = match &request.body {
        Content::Bytes(bytes) => Length::Known(bytes.len() as u64),
        Content::Stream(_) => Length::Chunked,
    };
    encode::encode_request_head(request.method.as_str(), &target, &headers, length, &mut out);
    if let Content::Bytes(bytes) = &request.body {
        out.extend_from_slice(bytes);
    }
    Ok(out)
}

/// Serves a connection to its end.
async fn drive(
    stream: impl AsyncRead + AsyncWrite,
    shared: &Shared,
    outbound: mpsc::UnboundedReceiver<Outbound>,
) {
    let (read, write) = tokio::io::split(stream);
    let mut ended = shared.has_ended.subscribe();
    let error = tokio::select! {
        biased;
        // What it borrows is not kept: it would hold the lock.
        () = async { drop(ended.wait_for(|ended| *ended).await) } => ClientError::Disconnected,
        error = receive(read, shared) => error,
        error = transmit(write, outbound) => error,
    };
    shared.end(&error);
}

/// Writes requests until that fails.
async fn transmit(
    mut write: impl AsyncWrite + Unpin,
    mut outbound: mpsc::UnboundedReceiver<Outbound>,
) -> ClientError {
    while let Some(Outbound { head, rest }) = outbound.recv().await {
        if let Err(error) = send(&mut write, head, rest).await {
            return error;
        }
    }
    // Whoever could send is gone; the end of the connection is under way.
    std::future::pending().await
}

async fn send(
    write: &mut (impl AsyncWrite + Unpin),
    mut out: BytesMut,
    rest: Option<Reader>,
) -> Result<(), ClientError> {
    let broken = |error: std::io::Error| ClientError::Socket(crate::os::describe(&error));
    write.write_all(&out).await.map_err(broken)?;
    if let Some(mut reader) = rest {
        while let Some(chunk) = reader.read().await? {
            out.clear();
            encode::encode_chunk(&chunk, &mut out);
            write.write_all(&out).await.map_err(broken)?;
            write.flush().await.map_err(broken)?;
        }
        out.clear();
        encode::encode_last_chunk(&mut out);
        write.write_all(&out).await.map_err(broken)?;
    }
    write.flush().await.map_err(broken)
}

/// An answer whose body is still coming.
struct Coming {
    inflater: Inflater,
    sink: Sink,
    is_last: bool,
}

/// Where a body goes.
enum Sink {
    Pipe(Writer),
    Memory(Box<(Gathered, Response, oneshot::Sender<Answer>)>),
}

/// Reads answers until the connection has served its purpose, and says why that is.
async fn receive(mut read: impl AsyncRead + Unpin, shared: &Shared) -> ClientError {
    let mut decoder = Decoder::default();
    let mut coming: Option<Coming> = None;
    loop {
        if let Err(error) = take_items(&mut decoder, &mut coming, shared).await {
            return fail(coming, error);
        }
        if coming.is_none() && shared.is_done() {
            return ClientError::Disconnected;
        }
        decoder.buffer().reserve(READ_BYTES);
        match read.read_buf(decoder.buffer()).await {
            Err(error) => {
                return fail(coming, ClientError::Socket(crate::os::describe(&error)));
            }
            Ok(0) => {
                let end = match decoder.finish() {
                    Ok(end) => end,
                    Err(error) => return fail(coming, error.into()),
                };
                if let (Some(_), Some(coming)) = (end, coming) {
                    coming.finish();
                }
                return ClientError::Disconnected;
            }
            Ok(_) if coming.is_none() && shared.expected().is_none() => {
                return ClientError::Unexpected;
            }
            Ok(_) => {}
        }
    }
}

/// Tells whoever waits for the rest of a body that it will not come.
fn fail(coming: Option<Coming>, error: ClientError) -> ClientError {
    match coming.map(|coming| coming.sink) {
        None => {}
        Some(Sink::Pipe(writer)) => drop(writer.fail(error.to_string())),
        // Nobody may want to know.
        Some(Sink::Memory(sink)) => drop(sink.2.send(Err(error.clone()))),
    }
    error
}

/// Acts on everything that has arrived.
async fn take_items(
    decoder: &mut Decoder,
    coming: &mut Option<Coming>,
    shared: &Shared,
) -> Result<(), ClientError> {
    let expected = |shared: &Shared| shared.expected().unwrap_or(Expected::Body);
    while let Some(item) = decoder.decode(expected(shared))? {
        match item {
            Item::Head(head) => {
                let owed = shared.take_owed().ok_or(ClientError::Unexpected)?;
                *coming = Some(Coming::begin(head, owed));
            }
            Item::Data(data) => {
                if let Some(coming) = coming {
                    coming.take(data).await?;
                }
            }
            Item::End => {
                let Some(done) = coming.take() else { continue };
                let is_last = done.is_last;
                done.finish();
                if is_last {
                    shared.end_pipeline();
                    return Err(ClientError::Disconnected);
                }
            }
        }
    }
    Ok(())
}

impl Coming {
    fn begin(head: Head, owed: Owed) -> Self {
        let Head { status, headers, keep_alive } = head;
        let coding = headers.get(header::CONTENT_ENCODING).and_then(|coding| coding.to_str().ok());
        let inflater = Inflater::of(coding);
        let response = |body| Response { status, headers, body };
        let sink = match owed.delivery {
            Delivery::Whole => {
                let (gathered, response) = (Gathered::default(), response(Body::Empty));
                Sink::Memory(Box::new((gathered, response, owed.answer)))
            }
            Delivery::Streamed => {
                let (writer, reader) = pipe();
                // Nobody may want to know: then the reader is closed.
                let _ = owed.answer.send(Ok(response(Body::Stream(reader))));
                Sink::Pipe(writer)
            }
        };
        Self { inflater, sink, is_last: !keep_alive }
    }

    async fn take(&mut self, data: Bytes) -> Result<(), ClientError> {
        let data = self.inflater.take(data)?;
        match &mut self.sink {
            Sink::Memory(sink) => Ok(sink.0.add(&data)?),
            Sink::Pipe(writer) => {
                let is_read = writer.write(data);
                writer.ready().await;
                is_read.then_some(()).ok_or(ClientError::Unread)
            }
        }
    }

    /// Ends the body as a whole one.
    fn finish(self) {
        let rest = self.inflater.finish().map_err(ClientError::from);
        match self.sink {
            Sink::Pipe(writer) => drop(match rest {
                Ok(rest) => writer.write(rest) & writer.close(),
                Err(error) => writer.fail(error.to_string()),
            }),
            Sink::Memory(sink) => {
                let (mut gathered, response, answer) = *sink;
                let whole = rest.and_then(|rest| Ok(gathered.add(&rest)?));
                // Nobody may want to know.
                let _ =
                    answer.send(whole.map(|()| Response {
                        body: Body::Bytes(gathered.into_bytes()),
                        ..response
                    }));
            }
        }
    }
}
