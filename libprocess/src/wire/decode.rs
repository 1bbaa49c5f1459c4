//! Everything that may arrive on an accepted connection, decoded as it comes: actor messages and
//! plain HTTP requests. Called by the owner of an accepted socket, which feeds bytes and acts on
//! the [`Item`]s, in order.
//! Never answers, never resolves names, never routes: it says which answer a message asks for,
//! and hands a sender with a host name back unresolved.
//!
//! Messages and requests are told apart once the head is complete, before the body. That is where
//! a streamed body would begin: `body.rs` gives its pieces as they come, and only the last step,
//! gathering them, is for whole bodies.
//!
//! Upstream: `DataDecoder`, and in process.cpp `libprocess(Request*)`, `parse(Request*)` and the
//! first half of `ProcessManager::handle`.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

pub use super::head::Version;

use super::body::{Body, Coding, Framing};
use super::head::{Head, RequestLine};
use super::memo::{Found, Memo};
use super::percent::{self, MalformedEscape};
use crate::pid::{Parsed, Upid};
use crate::trace::Passed;

/// The longest head, and the longest sum of trailers. Upstream: `HTTP_MAX_HEADER_SIZE`.
pub const MAX_HEAD_BYTES: usize = 80 * 1024;

/// The most header fields in a request. Upstream is bound by the length of the head only.
pub const MAX_FIELDS: usize = 1024;

/// The longest body, well beyond any message of a large cluster. Upstream has no limit.
pub const MAX_BODY_BYTES: u64 = 1 << 30;

/// The longest body after inflating. Upstream has no limit.
pub const MAX_INFLATED_BYTES: u64 = 64 << 20;

/// The room made for one read. Upstream: `80 * 1024` in `on_accept`.
const READ_BYTES: usize = 80 * 1024;

/// What arrived.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A message for a local actor.
    Message(Message),
    /// A message whose target cannot be decoded. It is not answered, and the connection goes on.
    BadTarget {
        /// The path as sent.
        path: String,
        /// The User-Agent as sent, empty if there was none.
        user_agent: String,
    },
    /// Anything else.
    Http(Box<HttpRequest>),
}

/// A message for a local actor.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The target's id, decoded; which address the sender had in mind is of no interest.
    pub to_id: Arc<str>,
    /// The name of the message, often a protobuf type; may be empty.
    pub name: Arc<str>,
    /// The sender as stated, empty if that is no pid.
    pub from: Parsed,
    /// The payload.
    pub body: Bytes,
    /// The event that sent it, as stated; upstream never says.
    pub cause: Option<Passed>,
    /// What the sender wants to hear.
    pub reply: Reply,
}

/// What the sender of a message wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing, and the connection stays open.
    Silent,
    /// 202 or 404, after which the connection is closed unless kept alive.
    Answer {
        /// Whether another request may follow.
        keep_alive: bool,
    },
}

/// A plain HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpRequest {
    /// The method, never PATCH.
    pub method: Method,
    /// The path as sent, without scheme, host, query and fragment; `*`, or empty if there was
    /// none, or else it starts with `/`.
    pub path: String,
    /// The query as sent, without the `?`; [`percent::decode_query`] never fails on it.
    pub query: String,
    /// The version of the request line.
    pub version: Version,
    /// The header fields; the last of equal names, as upstream keeps it.
    pub headers: HeaderMap,
    /// The body, inflated.
    pub body: Bytes,
    /// Whether another request may follow.
    pub keep_alive: bool,
}

/// Why the connection has to be closed: without an answer to what is wrong, after those to what
/// came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a method, or one upstream does not know, such as PATCH.
    #[error("unknown method")]
    Method,
    /// Not an absolute path, `*`, nor an URL; or a control, blank or non-ASCII byte within.
    #[error("malformed request target")]
    Target,
    /// Not `HTTP/` and two numbers of up to three digits.
    #[error("malformed HTTP version")]
    Version,
    /// A carriage return that no line feed follows.
    #[error("carriage return without line feed")]
    LineEnd,
    /// No name before a field's colon, or a byte that may not stand there.
    #[error("malformed header field name")]
    FieldName,
    /// More than [`MAX_HEAD_BYTES`] of header or of trailer.
    #[error("header is longer than {MAX_HEAD_BYTES} bytes")]
    HeadTooLong,
    /// More than [`MAX_FIELDS`].
    #[error("more than {MAX_FIELDS} header fields")]
    TooManyFields,
    /// Not a number.
    #[error("malformed Content-Length")]
    ContentLength,
    /// No hexadecimal number before a chunk, or a line too long around it.
    #[error("malformed chunk size")]
    ChunkSize,
    /// No line end after a chunk.
    #[error("chunk does not end with a line end")]
    ChunkEnd,
    /// More than [`MAX_BODY_BYTES`].
    #[error("body is longer than {MAX_BODY_BYTES} bytes")]
    BodyTooLong,
    /// Not a gzip stream, or a broken one.
    #[error("body is not a gzip stream")]
    Gzip,
    /// More than [`MAX_INFLATED_BYTES`].
    #[error("inflated body is longer than {MAX_INFLATED_BYTES} bytes")]
    InflatedTooLong,
    /// The query cannot be decoded.
    #[error("malformed query: {0}")]
    Query(#[from] MalformedEscape),
    /// A message without a path. Upstream ends with an exception.
    #[error("message without a path")]
    MessageWithoutPath,
    /// Bytes after a request that was the connection's last: because it said so, or because it
    /// asked for another protocol. In the latter case upstream fails a check and aborts.
    #[error("bytes after the last request")]
    AfterLast,
}

/// Decodes one connection. See the module.
#[derive(Debug, Default)]
pub struct Decoder {
    buf: BytesMut,
    head: Head,
    memo: Memo,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Body {
        subject: Item,
        body: Body,
        last: bool,
    },
    Ended,
    Failed(DecodeError),
}

impl Decoder {
    /// A decoder for a fresh connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what was read.
    pub fn feed(&mut self, data: &[u8]) {
        self.buf.extend_from_slice(data);
    }

    /// The buffer to append to by reading into it, with room for a good read. What it holds
    /// already has not been decoded and must stay.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.buf.reserve(READ_BYTES);
        &mut self.buf
    }

    /// Whether nothing has arrived that has not been given out: the end of the connection would
    /// cut nothing off.
    pub fn is_idle(&self) -> bool {
        self.buf.is_empty() && !matches!(self.state, State::Body { .. })
    }

    /// Gives the next item out of what was fed, nothing if that takes more bytes.
    ///
    /// # Errors
    /// [`DecodeError`] once and for all: every later call gives the same.
    pub fn decode(&mut self) -> Result<Option<Item>, DecodeError> {
        let decoded = self.advance();
        if let Err(error) = decoded {
            self.state = State::Failed(error);
            self.buf = BytesMut::new();
            self.memo = Memo::default();
        }
        decoded
    }

    fn advance(&mut self) -> Result<Option<Item>, DecodeError> {
        loop {
            match &mut self.state {
                State::Head => {
                    if !self.read_head()? {
                        return Ok(None);
                    }
                }
                State::Body { body, .. } => {
                    let Some(body) = body.read(&mut self.buf)? else { return Ok(None) };
                    return Ok(self.finish(body));
                }
                State::Ended if self.buf.is_empty() => return Ok(None),
                State::Ended => return Err(DecodeError::AfterLast),
                State::Failed(error) => return Err(*error),
            }
        }
    }

    /// Reads on in the head; says whether it is complete.
    fn read_head(&mut self) -> Result<bool, DecodeError> {
        if self.head.is_fresh() {
            let line_ends = self.buf.iter().take_while(|c| matches!(c, b'\r' | b'\n')).count();
            self.buf.advance(line_ends);
        }
        if self.buf.is_empty() {
            return Ok(false);
        }
        if self.head.is_fresh()
            && let Some(Found { len, subject, body, last }) = self.memo.find(&self.buf)
        {
            self.state = State::Body { subject, body, last };
            self.buf.advance(len);
            return Ok(true);
        }
        let Some((line, len)) = self.head.read(&self.buf)? else { return Ok(false) };
        self.state = interpret(&self.head, line, &self.buf[..len])?;
        if let State::Body { subject, body, last } = &self.state {
            self.memo.keep(&self.buf[..len], subject, body, *last);
        }
        self.buf.advance(len);
        self.head.reset();
        Ok(true)
    }

    /// Leaves the body, giving out the item it belongs to.
    fn finish(&mut self, whole: Bytes) -> Option<Item> {
        let state = std::mem::take(&mut self.state);
        let State::Body { mut subject, last, .. } = state else { return None };
        match &mut subject {
            Item::Message(message) => message.body = whole,
            Item::Http(request) => request.take_body(whole),
            Item::BadTarget { .. } => {}
        }
        if last {
            self.state = State::Ended;
        }
        Some(subject)
    }
}

/// Decides what a complete head begins.
fn interpret(head: &Head, line: RequestLine, bytes: &[u8]) -> Result<State, DecodeError> {
    let known = &head.known;
    let keep_alive = head.keep_alive(line.version);
    percent::check(line.query.of(bytes))?;
    let subject = match classify(head, line, bytes) {
        Some(sender) => read_message(&sender, line.path.of(bytes), keep_alive)?,
        None => Item::Http(Box::new(read_http(head, line, bytes)?)),
    };
    // What follows such a request is no longer HTTP.
    let hands_over = known.upgrade || line.method == "CONNECT";
    let framing = if hands_over { Framing::Length(0) } else { Framing::of(known)? };
    let coding = match known.content_encoding {
        Some(value) if value.of(bytes) == b"gzip" => Coding::Gzip,
        _ => Coding::Identity,
    };
    Ok(State::Body { subject, body: Body::new(framing, coding), last: hands_over || !keep_alive })
}

/// The head fields that make a request a message.
struct Sender<'a> {
    libprocess_from: Option<&'a [u8]>,
    libprocess_cause: Option<&'a [u8]>,
    user_agent: &'a [u8],
}

const AGENT: &[u8] = b"libprocess/";

/// Tells messages from other requests.
fn classify<'a>(head: &Head, line: RequestLine, bytes: &'a [u8]) -> Option<Sender<'a>> {
    let libprocess_from = head.known.libprocess_from.map(|span| span.of(bytes));
    let user_agent = head.known.user_agent.map_or(&b""[..], |span| span.of(bytes));
    let is_message =
        line.method == "POST" && (libprocess_from.is_some() || user_agent.starts_with(AGENT));
    let libprocess_cause = head.known.libprocess_cause.map(|span| span.of(bytes));
    is_message.then_some(Sender { libprocess_from, libprocess_cause, user_agent })
}

fn read_message(sender: &Sender<'_>, path: &[u8], keep_alive: bool) -> Result<Item, DecodeError> {
    let rest = path.get(1..).ok_or(DecodeError::MessageWithoutPath)?;
    let id_len = memchr::memchr(b'/', rest).unwrap_or(rest.len());
    let Ok(to_id) = percent::decode(&rest[..id_len]) else {
        return Ok(Item::BadTarget { path: text(path), user_agent: text(sender.user_agent) });
    };
    let name = rest.get(id_len + 1..).unwrap_or_default();
    Ok(Item::Message(Message {
        to_id: String::from_utf8_lossy(&to_id).into(),
        name: String::from_utf8_lossy(name).into(),
        from: sender.pid(),
        cause: sender.libprocess_cause.and_then(Passed::parse),
        body: Bytes::new(),
        reply: sender.reply(keep_alive),
    }))
}

impl Sender<'_> {
    /// The sender's pid. One that cannot be read is the empty pid, and no error.
    fn pid(&self) -> Parsed {
        let stated = self.libprocess_from.unwrap_or_else(|| &self.user_agent[AGENT.len()..]);
        std::str::from_utf8(stated)
            .ok()
            .and_then(|stated| Upid::parse(stated).ok())
            .unwrap_or_else(|| Parsed::Upid(Upid::empty()))
    }

    /// Peers older than 0.19 choke on answers; they are known by what is anywhere in their
    /// User-Agent, whereas classification looks at its start.
    fn reply(&self, keep_alive: bool) -> Reply {
        match memchr::memmem::find(self.user_agent, AGENT) {
            Some(_) => Reply::Silent,
            None => Reply::Answer { keep_alive },
        }
    }
}

fn read_http(head: &Head, line: RequestLine, bytes: &[u8]) -> Result<HttpRequest, DecodeError> {
    let mut headers = HeaderMap::with_capacity(head.fields.len());
    for (name, value) in &head.fields {
        let name = HeaderName::from_bytes(name.of(bytes));
        let value = HeaderValue::from_bytes(value.of(bytes));
        // What `http` does not take, nobody asks for: a name with blanks, a value with controls.
        let (Ok(name), Ok(value)) = (name, value) else { continue };
        headers.insert(name, value);
    }
    Ok(HttpRequest {
        method: Method::from_bytes(line.method.as_bytes()).map_err(|_| DecodeError::Method)?,
        path: text(line.path.of(bytes)),
        query: text(line.query.of(bytes)),
        version: line.version,
        headers,
        body: Bytes::new(),
        keep_alive: head.keep_alive(line.version),
    })
}

impl HttpRequest {
    /// Attaches the body. Upstream restates the length of an inflated one.
    fn take_body(&mut self, body: Bytes) {
        if self.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip") {
            self.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        self.body = body;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
