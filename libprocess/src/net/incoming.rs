//! One accepted connection: messages into mailboxes, requests to the site, answers back in the
//! order of the requests.
//! Started by `net::listener`. Never ends an idle connection: the peer may have linked through
//! it and would take us for dead. Never answers what cannot be decoded: it closes.
//!
//! Upstream: `internal::decode_recv`, `ProcessManager::handle`, `HttpProxy`.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceResponse;
use bytes::BytesMut;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use crate::event::Message;
use crate::http::server::Site;
use crate::mailbox::AnyCell;
use crate::net::resolve::resolve;
use crate::net::stream::Stream;
use crate::pid::{Parsed, Upid};
use crate::runtime::engine::Pace;
use crate::runtime::{Runtime, WeakRuntime};
use crate::trace::{EventId, Outcome};
use crate::wire::decode::{Decoder, HttpRequest, Item, Message as Decoded, Reply};
use crate::wire::encode::{self, Answer, Length};

/// How many answers may be owed on one connection before no more of its requests are served: what
/// a client that does not read keeps in memory.
const OWED_MAX: usize = 64;

/// How much a client may send ahead while a stream is open to it, in bytes.
const AHEAD_BYTES_MAX: usize = 1 << 20;

/// How long a client that has closed its half still gets answers that are under way. Upstream
/// drops them at once, so that an answer is a matter of luck.
const HALF_CLOSED_GRACE: Duration = Duration::from_millis(100);

/// How long to read on after our half is closed, so that the peer sees an end and no reset.
const LINGER: Duration = Duration::from_secs(1);

/// An answer that is owed, in the order of the requests.
struct Owed {
    what: What,
    /// The connection ends with this answer.
    is_last: bool,
}

enum What {
    /// To a message.
    Answer(Answer),
    /// To a request that has been served; `None` where it cannot be.
    Ready(Option<ServiceResponse>),
    /// To a request that is being served.
    Response(Work),
}

/// A task that ends with whoever waits for it.
struct Work(JoinHandle<Option<ServiceResponse>>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The most messages that wait here for others to the same actor.
const MAIL_MAX: usize = 64;

/// Messages that came together for one actor, on their way into its mailbox.
#[derive(Default)]
struct Mail {
    to: Option<(Arc<str>, Arc<dyn AnyCell>)>,
    /// With the events in their senders' processes that sent them.
    messages: Vec<(EventId, Message)>,
}

impl Mail {
    /// Turns to the actor of that id; false if there is none.
    fn is_for(&mut self, id: &Arc<str>, runtime: &Runtime) -> bool {
        if self.to.as_ref().is_some_and(|(current, _)| current == id) {
            return true;
        }
        self.deliver();
        self.to = runtime.cell(id).map(|cell| (id.clone(), cell));
        self.to.is_some()
    }

    fn add(&mut self, message: Message, cause: EventId) {
        self.messages.push((cause, message));
        if self.messages.len() == MAIL_MAX {
            self.deliver();
        }
    }

    fn deliver(&mut self) {
        if let Some((_, cell)) = &self.to
            && !self.messages.is_empty()
        {
            cell.deliver_all(&mut self.messages);
        }
    }
}

/// Why a connection ends.
enum End {
    /// Everything that was owed has been sent.
    Done,
    /// The peer is gone; nothing more can be or need be sent.
    Gone,
}

struct Connection {
    pace: Pace,
    stream: Stream,
    peer: SocketAddr,
    runtime: WeakRuntime,
    site: Rc<Site>,
    decoder: Decoder,
    owed: VecDeque<Owed>,
    out: BytesMut,
    /// More may be decoded of what has been read, as soon as fewer answers are owed.
    held_back: bool,
    /// How long the peer may pause within a request or an answer.
    patience: Duration,
    /// Nothing more is read: what came cannot be decoded, or was the last request.
    deaf: bool,
    /// The last sender that came by name, and what it was resolved to.
    sender: Option<(Parsed, Upid)>,
}

/// Serves a connection until it ends.
pub(crate) async fn serve(stream: Stream, peer: SocketAddr, runtime: WeakRuntime, site: Rc<Site>) {
    let Some(alive) = runtime.upgrade() else { return };
    let (pace, patience) = (alive.engine().pace(), alive.stalled_connection());
    drop(alive);
    let mut connection = Connection {
        pace,
        patience,
        held_back: false,
        stream,
        peer,
        runtime,
        site,
        decoder: Decoder::new(),
        owed: VecDeque::new(),
        out: BytesMut::new(),
        deaf: false,
        sender: None,
    };
    if let End::Done = connection.run().await {
        connection.linger().await;
    }
}

impl Connection {
    async fn run(&mut self) -> End {
        loop {
            if self.send_ready().await.is_err() {
                return End::Gone;
            }
            if self.held_back && self.has_room() {
                self.handle_items().await;
                continue;
            }
            if self.deaf && self.owed.is_empty() {
                return End::Done;
            }
            let hears = !self.deaf && self.has_room();
            let patience = if self.decoder.is_idle() { None } else { Some(self.patience) };
            let read = self.stream.read_with(|bytes| self.decoder.feed(bytes));
            tokio::select! {
                biased;
                response = next_response(&mut self.owed), if !self.owed.is_empty() => {
                    let is_last = self.owed.pop_front().is_none_or(|owed| owed.is_last);
                    if let Err(end) = self.send_response(response, is_last).await {
                        return end;
                    }
                    // What came while a stream was open has waited for this.
                    self.handle_items().await;
                }
                read = within(&self.pace, patience, read), if hears => match read {
                    Some(Ok(1..)) => self.handle_items().await,
                    Some(Ok(0) | Err(_)) => return self.half_closed().await,
                    None => {
                        self.stalled("a request");
                        return End::Gone;
                    }
                },
            }
        }
    }

    fn has_room(&self) -> bool {
        self.owed.len() < OWED_MAX
    }

    /// The peer has taken too long: it is not waited for any more.
    fn stalled(&self, what: &str) -> ErrorKind {
        let patience = stout::duration::display(self.patience);
        tracing::warn!("Closing the connection from {}: {what} stalled for {patience}", self.peer);
        ErrorKind::TimedOut
    }

    /// Acts on everything that is complete, as long as not too many answers are owed.
    async fn handle_items(&mut self) {
        // Who has seen a message arrive, in a filter, may settle until it has been handled.
        let _busy = self.runtime.upgrade().map(|runtime| runtime.busy());
        let mut mail = Mail::default();
        self.held_back = false;
        while !self.deaf {
            if !self.has_room() {
                self.held_back = true;
                break;
            }
            match self.decoder.decode() {
                Ok(None) => break,
                Ok(Some(Item::Message(message))) => {
                    let from = match self.resolved(&message.from) {
                        Some(from) => from,
                        None => {
                            mail.deliver();
                            self.resolve(&message.from).await
                        }
                    };
                    self.handle_message(message, from, &mut mail);
                }
                Ok(Some(Item::Http(request))) => {
                    mail.deliver();
                    self.handle_request(*request);
                }
                Ok(Some(Item::BadTarget { path, user_agent })) => crate::vlog!(
                    1,
                    "Failed to handle libprocess message: POST {path} (User-Agent: {user_agent})"
                ),
                Err(error) => {
                    crate::vlog!(1, "Decoder error while receiving from {}: {error}", self.peer);
                    self.deaf = true;
                }
            }
        }
        mail.deliver();
    }

    fn handle_message(&mut self, message: Decoded, from: Upid, mail: &mut Mail) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        let Decoded { name, body, reply, .. } = message;
        let cause = message.cause.map_or(EventId::NONE, |passed| runtime.tracer().heed(passed));
        let to = Upid::new(message.to_id, runtime.address());
        crate::vlog!(2, "Parsed message name '{name}' for {to} from {from}");
        let message = Message { from, name: name.into(), body };
        let answer = if !mail.is_for(&to.id, &runtime) {
            crate::vlog!(
                1,
                "Failed to handle libprocess message to /{}/{}: not found",
                to.id,
                message.name
            );
            runtime.lose(&message, &to, Outcome::NoActor, cause);
            Answer::NotFound
        } else {
            crate::vlog!(2, "Accepted libprocess message to /{}/{}", to.id, message.name);
            if runtime.traffic().admits(&message, &to) {
                mail.add(message, cause);
            } else {
                runtime.lose(&message, &to, Outcome::Filtered, cause);
            }
            Answer::Accepted
        };
        if let Reply::Answer { keep_alive } = reply {
            self.deaf |= !keep_alive;
            self.owed.push_back(Owed { what: What::Answer(answer), is_last: !keep_alive });
        }
    }

    /// The sender, unless a name service has to be asked: a host name is looked up once as long
    /// as it stays the same.
    fn resolved(&self, from: &Parsed) -> Option<Upid> {
        match (from, &self.sender) {
            (Parsed::Upid(upid), _) => Some(upid.clone()),
            (named, Some((last, upid))) if last == named => Some(upid.clone()),
            _ => None,
        }
    }

    async fn resolve(&mut self, from: &Parsed) -> Upid {
        let upid = resolve(from.clone()).await;
        self.sender = Some((from.clone(), upid.clone()));
        upid
    }

    fn handle_request(&mut self, request: HttpRequest) {
        let is_last = !request.keep_alive;
        self.deaf |= is_last;
        let mut call = self.site.call(request, self.peer);
        // Begun here and now: a message behind it must not overtake it.
        let begun = (&mut call).now_or_never();
        let what = match begun {
            Some(response) => What::Ready(response),
            None => What::Response(Work(actix::spawn(call))),
        };
        self.owed.push_back(Owed { what, is_last });
    }

    /// Sends the answers at the head of the queue that need no waiting.
    async fn send_ready(&mut self) -> std::io::Result<()> {
        let mut date = None;
        while let Some(Owed { what: What::Answer(answer), .. }) = self.owed.front() {
            let date = date.get_or_insert_with(|| encode::fmt_date(SystemTime::now()));
            encode::encode_answer(*answer, date, &mut self.out);
            self.owed.pop_front();
        }
        self.flush().await
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        while !self.out.is_empty() {
            let write = self.stream.write_buf(&mut self.out);
            match self.pace.limit(self.patience, write).await {
                Some(Ok(0)) => return Err(ErrorKind::WriteZero.into()),
                Some(written) => drop(written?),
                None => return Err(self.stalled("an answer").into()),
            }
        }
        self.out = BytesMut::new();
        // What is encrypted may wait for room in the system.
        let flushed = self.pace.limit(self.patience, self.stream.flush()).await;
        flushed.unwrap_or_else(|| Err(self.stalled("an answer").into()))
    }

    /// Sends a response; an error is the end of the connection.
    async fn send_response(
        &mut self,
        response: Option<ServiceResponse>,
        is_last: bool,
    ) -> Result<(), End> {
        let date = encode::fmt_date(SystemTime::now());
        let Some(response) = response else {
            let (status, none) = (StatusCode::BAD_REQUEST, HeaderMap::new());
            encode::encode_response_head(status, &none, Length::Known(0), &date, &mut self.out);
            self.deaf |= is_last;
            return self.flush().await.map_err(|_| End::Gone);
        };
        let (status, headers) = head(&response);
        let closes = headers.get("connection").is_some_and(|value| value == "close");
        let body = response.into_body();
        let length = match body.size() {
            BodySize::None => Length::Known(0),
            BodySize::Sized(size) => Length::Known(size),
            BodySize::Stream => Length::Chunked,
        };
        encode::encode_response_head(status, &headers, length, &date, &mut self.out);
        self.send_body(body, length).await?;
        self.flush().await.map_err(|_| End::Gone)?;
        if is_last || closes {
            self.owed.clear();
            self.deaf = true;
        }
        Ok(())
    }

    async fn send_body(&mut self, body: impl MessageBody, length: Length) -> Result<(), End> {
        let mut body = pin!(body);
        let mut missing = match length {
            Length::Known(length) => length,
            Length::Chunked => {
                crate::vlog!(3, "Starting \"chunked\" streaming");
                // The head goes out before the first chunk is there.
                self.flush().await.map_err(|_| End::Gone)?;
                0
            }
        };
        loop {
            let piece = tokio::select! {
                piece = poll_fn(|cx| body.as_mut().poll_next(cx)) => piece,
                end = self.watch_peer(), if length == Length::Chunked => return Err(end),
            };
            match piece {
                None => break,
                Some(Err(_)) => return Err(End::Gone),
                Some(Ok(bytes)) if length == Length::Chunked => {
                    encode::encode_chunk(&bytes, &mut self.out);
                }
                Some(Ok(bytes)) => {
                    let part = bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                    missing -= part as u64;
                    self.out.extend_from_slice(&bytes[..part]);
                }
            }
            self.flush().await.map_err(|_| End::Gone)?;
        }
        match length {
            Length::Chunked => encode::encode_last_chunk(&mut self.out),
            // Fewer bytes than announced: only an end of the connection tells the client.
            Length::Known(_) if missing > 0 => return Err(End::Gone),
            Length::Known(_) => {}
        }
        Ok(())
    }

    /// Notices that the client of an open stream has gone. Requests that it sends meanwhile are
    /// held back until the stream has ended.
    async fn watch_peer(&mut self) -> End {
        let mut ahead = 0;
        while ahead <= AHEAD_BYTES_MAX {
            match self.stream.read_with(|bytes| self.decoder.feed(bytes)).await {
                Ok(count @ 1..) => ahead += count,
                Ok(0) | Err(_) => break,
            }
        }
        End::Gone
    }

    /// The client will send nothing more: it gets what is all but ready, the rest is dropped and
    /// those who work on it learn of that.
    async fn half_closed(&mut self) -> End {
        self.deaf = true;
        let pace = self.pace.clone();
        let rest = async {
            while !self.owed.is_empty() {
                if self.send_ready().await.is_err() {
                    return End::Gone;
                }
                if self.owed.is_empty() {
                    break;
                }
                let response = next_response(&mut self.owed).await;
                self.owed.pop_front();
                if let Err(end) = self.send_response(response, false).await {
                    return end;
                }
            }
            End::Done
        };
        pace.limit(HALF_CLOSED_GRACE, rest).await.unwrap_or(End::Done)
    }

    /// Ends our half and waits a little for the peer to end its own.
    async fn linger(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let pace = self.pace.clone();
        let drained = async { while let Ok(1..) = self.stream.read_with(|_| {}).await {} };
        // A peer that keeps sending is cut off.
        let _ = pace.limit(LINGER, drained).await;
    }
}

/// The outcome of `future`, unless that takes longer than a limit, if there is one.
async fn within<T>(
    pace: &Pace,
    limit: Option<Duration>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match limit {
        None => Some(future.await),
        Some(limit) => pace.limit(limit, future).await,
    }
}

/// Waits for the response at the head of the queue; a handler that ended badly gives none.
async fn next_response(owed: &mut VecDeque<Owed>) -> Option<ServiceResponse> {
    match owed.front_mut().map(|owed| &mut owed.what) {
        Some(What::Response(work)) => (&mut work.0).await.ok().flatten(),
        Some(What::Ready(response)) => response.take(),
        Some(What::Answer(_)) | None => None,
    }
}

fn head(response: &ServiceResponse) -> (StatusCode, HeaderMap) {
    let status = StatusCode::from_u16(response.status().as_u16());
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers() {
        let name = HeaderName::from_bytes(name.as_str().as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    (status.unwrap_or_default(), headers)
}
