//! The answers of a server to plain requests, decoded as they arrive.
//! Called by the HTTP client, which feeds bytes and says which answers have a body. Its limits are
//! those of requests, but a body has none here: it is given in pieces.
//!
//! Upstream: `ResponseDecoder`, `StreamingResponseDecoder`.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::body::{Framing, Piece};
use super::decode::{DecodeError, MAX_HEAD_BYTES};

/// The most header fields in an answer.
const MAX_FIELDS: usize = 256;

/// What has arrived.
#[derive(Debug)]
pub enum Item {
    /// An answer begins.
    Head(Head),
    /// The next bytes of its body, never none.
    Data(Bytes),
    /// It ends.
    End,
}

/// An answer without its body.
#[derive(Debug)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The header fields; the last of equal names.
    pub headers: HeaderMap,
    /// Whether another answer may follow.
    pub keep_alive: bool,
}

/// Whether an answer has a body if its head allows one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// It has.
    Body,
    /// It has none: the answer to HEAD.
    HeadOnly,
}

/// Why the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// What came is no head of a response.
    #[error("Failed to decode response: {0}")]
    Head(#[from] httparse::Error),
    /// The head is longer than a head may be.
    #[error("Failed to decode response: header is longer than {MAX_HEAD_BYTES} bytes")]
    TooLong,
    /// The length is no number, or the chunks are none.
    #[error("Failed to decode response: {0}")]
    Body(#[from] DecodeError),
    /// The connection has ended within a response.
    #[error("failed to decode body: the connection ended before it did")]
    Truncated,
}

#[derive(Debug)]
enum State {
    Head,
    Framed(Framing),
    /// The body ends with the connection.
    ToEnd,
}

/// See the module.
#[derive(Debug)]
pub struct Decoder {
    buf: BytesMut,
    state: State,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { buf: BytesMut::new(), state: State::Head }
    }
}

impl Decoder {
    /// Where the bytes go that have been read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buf
    }

    /// Gives the next thing that has arrived, if it has.
    ///
    /// # Errors
    /// When it is no response; the decoder must not be used any more.
    pub fn decode(&mut self, expected: Expected) -> Result<Option<Item>, ResponseError> {
        match &mut self.state {
            State::Head => self.decode_head(expected),
            State::ToEnd if self.buf.is_empty() => Ok(None),
            State::ToEnd => Ok(Some(Item::Data(self.buf.split().freeze()))),
            State::Framed(framing) => Ok(match framing.next(&mut self.buf, u64::MAX)? {
                Piece::Data(data) => Some(Item::Data(data)),
                Piece::Later => None,
                Piece::End => {
                    self.state = State::Head;
                    Some(Item::End)
                }
            }),
        }
    }

    /// Says that nothing more will arrive; gives the end of a body that ends by that.
    ///
    /// # Errors
    /// If that is in the middle of a response.
    pub fn finish(&mut self) -> Result<Option<Item>, ResponseError> {
        match std::mem::replace(&mut self.state, State::Head) {
            State::Head if self.buf.is_empty() => Ok(None),
            State::ToEnd => Ok(Some(Item::End)),
            State::Head | State::Framed(_) => Err(ResponseError::Truncated),
        }
    }

    fn decode_head(&mut self, expected: Expected) -> Result<Option<Item>, ResponseError> {
        loop {
            let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut parsed = httparse::Response::new(&mut fields);
            let mut config = httparse::ParserConfig::default();
            config.allow_spaces_after_header_name_in_responses(true);
            let length = match config.parse_response(&mut parsed, &self.buf)? {
                httparse::Status::Complete(length) if length <= MAX_HEAD_BYTES => length,
                httparse::Status::Partial if self.buf.len() <= MAX_HEAD_BYTES => return Ok(None),
                _ => return Err(ResponseError::TooLong),
            };
            let head = read_head(&parsed)?;
            let framing = framing(&head, expected)?;
            self.buf.advance(length);
            // What precedes the answer proper, such as 100, is passed over.
            if !head.status.is_informational() {
                self.state = framing;
                return Ok(Some(Item::Head(head)));
            }
        }
    }
}

fn read_head(parsed: &httparse::Response<'_, '_>) -> Result<Head, ResponseError> {
    let code = parsed.code.unwrap_or_default();
    let status = StatusCode::from_u16(code).map_err(|_| httparse::Error::Status)?;
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) {
            headers.insert(name, value);
        }
    }
    let connection = headers.get(header::CONNECTION).map(HeaderValue::as_bytes);
    let says = |word: &[u8]| connection.is_some_and(|value| value.eq_ignore_ascii_case(word));
    let keep_alive = if parsed.version == Some(0) { says(b"keep-alive") } else { !says(b"close") };
    Ok(Head { status, headers, keep_alive })
}

/// How the body of an answer ends.
fn framing(head: &Head, expected: Expected) -> Result<State, DecodeError> {
    let has_none = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none || expected == Expected::HeadOnly {
        return Ok(State::Framed(Framing::Length(0)));
    }
    let text = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let coding = text(header::TRANSFER_ENCODING).and_then(|codings| codings.rsplit(',').next());
    if coding.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked")) {
        return Ok(State::Framed(Framing::ChunkLine { total: 0 }));
    }
    match head.headers.get(header::CONTENT_LENGTH) {
        None => Ok(State::ToEnd),
        Some(length) => {
            let length = length.to_str().ok().and_then(|length| length.trim().parse().ok());
            Ok(State::Framed(Framing::Length(length.ok_or(DecodeError::ContentLength)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a connection with these bytes gives, as text, fed whole and byte by byte.
    fn check(bytes: &str, expected: &[&str]) {
        for step in [bytes.len(), 1] {
            let mut decoder = Decoder::default();
            let mut items: Vec<String> = Vec::new();
            let mut note = |item: Item| match item {
                Item::Head(head) => items.push(format!("{} {}", head.status, head.keep_alive)),
                Item::Data(data) => {
                    let data = String::from_utf8_lossy(&data);
                    match items.last_mut().filter(|last| last.starts_with('+')) {
                        Some(last) => last.push_str(&data),
                        None => items.push(format!("+{data}")),
                    }
                }
                Item::End => items.push("end".to_owned()),
            };
            let mut decode = |decoder: &mut Decoder| -> Result<(), ResponseError> {
                for piece in bytes.as_bytes().chunks(step.max(1)) {
                    decoder.buffer().extend_from_slice(piece);
                    while let Some(item) = decoder.decode(Expected::Body)? {
                        note(item);
                    }
                }
                decoder.finish().map(|end| end.into_iter().for_each(&mut note))
            };
            if let Err(error) = decode(&mut decoder) {
                items.push(error.to_string());
            }
            assert_eq!(items, expected, "{bytes:?} by {step}");
        }
    }

    #[test]
    fn decoder_test_response() {
        let head = "HTTP/1.1 200 OK\r\nDate: Fri, 31 Dec 1999 23:59:59 GMT\r\n\
                    Content-Type: text/plain\r\n";
        check(&format!("{head}Content-Length: 2\r\n\r\nhi"), &["200 OK true", "+hi", "end"]);
        check(
            &format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"),
            &["200 OK true", "+hi!", "end"],
        );
        check("HTTP/1.1 304 Not Modified\r\n\r\n", &["304 Not Modified true", "end"]);
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            &["204 No Content true", "end"],
        );
    }

    #[test]
    fn a_response_without_a_length_ends_with_the_connection() {
        check("HTTP/1.0 200 OK\r\n\r\nall of it", &["200 OK false", "+all of it", "end"]);
        check("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall", &["200 OK false", "+all", "end"]);
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        let truncated = "failed to decode body: the connection ended before it did";
        check("HTTP/1.1 200 O", &[truncated]);
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1", &["200 OK true", "+1", truncated]);
        check("nonsense\r\n\r\n", &["Failed to decode response: invalid HTTP version"]);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            &["Failed to decode response: malformed Content-Length"],
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx",
            &["200 OK true", "Failed to decode response: malformed chunk size"],
        );
    }

    #[test]
    fn the_answer_to_head_has_no_body() {
        let mut decoder = Decoder::default();
        decoder.buffer().extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        assert!(matches!(decoder.decode(Expected::HeadOnly), Ok(Some(Item::Head(_)))));
        assert!(matches!(decoder.decode(Expected::HeadOnly), Ok(Some(Item::End))));
    }
}
