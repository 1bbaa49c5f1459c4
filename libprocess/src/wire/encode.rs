//! Bytes to send: messages, the short answers to messages, responses and their chunks.
//! Called by the owners of sockets; appends to their buffer.
//! Never looks at a clock: the date of an answer is handed in, see [`fmt_date`].
//!
//! Upstream: `MessageEncoder::encode`, `HttpResponseEncoder::encode`, `HttpProxy::stream` and the
//! table of `http::Status`.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, StatusCode, header};

use crate::pid::Upid;

/// Appends a message: one POST whose body, if any, is one chunk.
///
/// The order and the case of the header fields, and the blank after `Host:`, are what peers rely
/// on. Only the id of `to` is sent, raw.
pub fn encode_message(to: &Upid, name: &str, from: &Upid, body: &[u8], out: &mut BytesMut) {
    encode_message_head(to, name, from, out);
    encode_message_body(body, out);
}

/// Appends the beginning of a message: fields may follow ([`encode_field`]), then its body
/// ([`encode_message_body`]).
pub(crate) fn encode_message_head(to: &Upid, name: &str, from: &Upid, out: &mut BytesMut) {
    const FIXED_BYTES: usize = 256;
    out.reserve(FIXED_BYTES + to.id.len() + name.len() + 2 * from.id.len());
    // An empty id would leave two slashes.
    let slash = if to.id.is_empty() { "" } else { "/" };
    for text in ["POST ", slash, &to.id, "/", name, " HTTP/1.1\r\nUser-Agent: libprocess/"] {
        out.put_slice(text.as_bytes());
    }
    put_upid(from, out);
    out.put_slice(b"\r\nLibprocess-From: ");
    put_upid(from, out);
    out.put_slice(b"\r\nConnection: Keep-Alive\r\nHost: \r\n");
}

/// Appends one more field to the head of a message.
pub(crate) fn encode_field(name: &str, value: &dyn fmt::Display, out: &mut BytesMut) {
    write(out, format_args!("{name}: {value}\r\n"));
}

/// Appends the rest of a message: its body, if any, as one chunk.
pub(crate) fn encode_message_body(body: &[u8], out: &mut BytesMut) {
    if body.is_empty() {
        out.put_slice(b"\r\n");
        return;
    }
    out.put_slice(b"Transfer-Encoding: chunked\r\n\r\n");
    encode_chunk(body, out);
    encode_last_chunk(out);
}

/// As [`Upid`] is displayed, without the machinery of formatting: this is done for each message.
fn put_upid(upid: &Upid, out: &mut BytesMut) {
    out.put_slice(upid.id.as_bytes());
    let mut number = itoa::Buffer::new();
    let mut separator = b"@";
    for octet in upid.address.ip.octets() {
        out.put_slice(separator);
        out.put_slice(number.format(octet).as_bytes());
        separator = b".";
    }
    out.put_slice(b":");
    out.put_slice(number.format(upid.address.port).as_bytes());
}

/// Appends a request up to its body; a field that states the body's length is among the headers
/// only if the caller wants another one than `length` says.
///
/// Upstream: `http::internal::encode(const Request&)`.
pub fn encode_request_head(
    method: &str,
    target: &str,
    headers: &HeaderMap,
    length: Length,
    out: &mut BytesMut,
) {
    write(out, format_args!("{method} {target} HTTP/1.1\r\n"));
    encode_fields(headers, length, out);
}

/// What to say to a message that asks for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 202: the message is in the actor's mailbox.
    Accepted,
    /// 404: there is no such actor.
    NotFound,
}

/// Appends the answer to a message; `date` as of [`fmt_date`].
pub fn encode_answer(answer: Answer, date: &str, out: &mut BytesMut) {
    let status = match answer {
        Answer::Accepted => StatusCode::ACCEPTED,
        Answer::NotFound => StatusCode::NOT_FOUND,
    };
    encode_response_head(status, &HeaderMap::new(), Length::Known(0), date, out);
}

/// How a client finds the end of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// By its length in bytes, unless a Content-Length is among the headers already.
    Known(u64),
    /// By its last chunk; HTTP/1.0 is no exception.
    Chunked,
}

/// Appends a response up to its body; `date`, as of [`fmt_date`], replaces that of the headers.
pub fn encode_response_head(
    status: StatusCode,
    headers: &HeaderMap,
    length: Length,
    date: &str,
    out: &mut BytesMut,
) {
    let code = status.as_str();
    write(out, format_args!("HTTP/1.1 {code} {}\r\nDate: {date}\r\n", reason(status)));
    encode_fields(headers, length, out);
}

/// Appends the fields of a head, but for a date, and its end.
fn encode_fields(headers: &HeaderMap, length: Length, out: &mut BytesMut) {
    for (name, value) in headers {
        if name != header::DATE {
            write(out, format_args!("{}: ", Titled(name.as_str())));
            out.put_slice(value.as_bytes());
            out.put_slice(b"\r\n");
        }
    }
    match length {
        Length::Chunked => out.put_slice(b"Transfer-Encoding: chunked\r\n"),
        Length::Known(_) if headers.contains_key(header::CONTENT_LENGTH) => {}
        Length::Known(length) => write(out, format_args!("Content-Length: {length}\r\n")),
    }
    out.put_slice(b"\r\n");
}

/// Appends a chunk; nothing for no data, because that would end the body.
pub fn encode_chunk(data: &[u8], out: &mut BytesMut) {
    if data.is_empty() {
        return;
    }
    put_hexadecimal(data.len(), out);
    out.put_slice(b"\r\n");
    out.put_slice(data);
    out.put_slice(b"\r\n");
}

fn put_hexadecimal(number: usize, out: &mut BytesMut) {
    let digits = (usize::BITS - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.put_u8(b"0123456789abcdef"[number >> (4 * digit) & 0xf]);
    }
}

/// Appends the end of a chunked body.
pub fn encode_last_chunk(out: &mut BytesMut) {
    out.put_slice(b"0\r\n\r\n");
}

/// The date as HTTP writes it, such as `Fri, 20 Nov 2015 22:16:56 GMT`; it changes once a second.
pub fn fmt_date(now: SystemTime) -> String {
    httpdate::fmt_http_date(now)
}

/// The words after a status code. Upstream speaks of 2616 where `http` speaks of later RFCs.
fn reason(status: StatusCode) -> &'static str {
    match status.as_u16() {
        203 => "Non-Authoritative Information",
        408 => "Request Time-out",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        416 => "Requested range not satisfiable",
        504 => "Gateway Time-out",
        505 => "HTTP Version not supported",
        _ => status.canonical_reason().unwrap_or_default(),
    }
}

/// A field name in the case that upstream writes; `http` keeps lower case only.
struct Titled<'a>(&'a str);

impl fmt::Display for Titled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == header::WWW_AUTHENTICATE.as_str() {
            return f.write_str("WWW-Authenticate");
        }
        let mut starts_word = true;
        for c in self.0.chars() {
            f.write_char(if starts_word { c.to_ascii_uppercase() } else { c })?;
            starts_word = c == '-';
        }
        Ok(())
    }
}

fn write(out: &mut BytesMut, text: fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a buffer takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pid::Address;
    use std::time::Duration;

    fn check(encode: impl FnOnce(&mut BytesMut), expected: &str) {
        let mut out = BytesMut::new();
        encode(&mut out);
        assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
    }

    fn upid(id: &str) -> Upid {
        Upid::new(id, Address::new([127, 0, 0, 1].into(), 15050))
    }

    const DATE: &str = "Fri, 20 Nov 2015 22:16:56 GMT";

    #[test]
    fn message_without_body() {
        let expected = "POST /peer(1)/PING HTTP/1.1\r\n\
                        User-Agent: libprocess/master@127.0.0.1:15050\r\n\
                        Libprocess-From: master@127.0.0.1:15050\r\n\
                        Connection: Keep-Alive\r\nHost: \r\n\r\n";
        assert_eq!(expected.len(), 151);
        check(|out| encode_message(&upid("peer(1)"), "PING", &upid("master"), b"", out), expected);
    }

    #[test]
    fn message_with_body_is_one_chunk() {
        check(
            |out| {
                let body = b"twenty bytes of body";
                encode_message(&upid("peer(1)"), "mesos.internal.Foo", &upid("master"), body, out);
            },
            "POST /peer(1)/mesos.internal.Foo HTTP/1.1\r\n\
             User-Agent: libprocess/master@127.0.0.1:15050\r\n\
             Libprocess-From: master@127.0.0.1:15050\r\n\
             Connection: Keep-Alive\r\nHost: \r\nTransfer-Encoding: chunked\r\n\r\n\
             14\r\ntwenty bytes of body\r\n0\r\n\r\n",
        );
    }

    #[test]
    fn message_without_target_id_or_sender() {
        check(
            |out| encode_message(&upid(""), "x", &Upid::empty(), b"", out),
            "POST /x HTTP/1.1\r\nUser-Agent: libprocess/@0.0.0.0:0\r\n\
             Libprocess-From: @0.0.0.0:0\r\nConnection: Keep-Alive\r\nHost: \r\n\r\n",
        );
    }

    #[test]
    fn answers_to_messages() {
        check(
            |out| {
                encode_answer(Answer::Accepted, DATE, out);
                encode_answer(Answer::NotFound, DATE, out);
            },
            "HTTP/1.1 202 Accepted\r\nDate: Fri, 20 Nov 2015 22:16:56 GMT\r\n\
             Content-Length: 0\r\n\r\n\
             HTTP/1.1 404 Not Found\r\nDate: Fri, 20 Nov 2015 22:16:56 GMT\r\n\
             Content-Length: 0\r\n\r\n",
        );
    }

    #[test]
    fn response_head_states_date_first_and_length_last() {
        let mut headers = HeaderMap::new();
        headers.insert("www-authenticate", "Basic realm=\"mesos\"".parse().unwrap());
        headers.insert("content-type", "text/plain".parse().unwrap());
        headers.insert("date", "some other".parse().unwrap());
        check(
            |out| {
                let length = Length::Known(7);
                encode_response_head(StatusCode::UNAUTHORIZED, &headers, length, DATE, out);
            },
            "HTTP/1.1 401 Unauthorized\r\nDate: Fri, 20 Nov 2015 22:16:56 GMT\r\n\
             WWW-Authenticate: Basic realm=\"mesos\"\r\nContent-Type: text/plain\r\n\
             Content-Length: 7\r\n\r\n",
        );
    }

    #[test]
    fn response_head_keeps_the_length_of_the_headers() {
        let mut headers = HeaderMap::new();
        headers.insert("content-length", "3".parse().unwrap());
        check(
            |out| encode_response_head(StatusCode::OK, &headers, Length::Known(7), DATE, out),
            "HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2015 22:16:56 GMT\r\nContent-Length: 3\r\n\r\n",
        );
    }

    #[test]
    fn stream_of_chunks() {
        check(
            |out| {
                encode_response_head(StatusCode::OK, &HeaderMap::new(), Length::Chunked, DATE, out);
                for data in ["hello", "", "seventeen letters"] {
                    encode_chunk(data.as_bytes(), out);
                }
                encode_last_chunk(out);
            },
            "HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2015 22:16:56 GMT\r\n\
             Transfer-Encoding: chunked\r\n\r\n\
             5\r\nhello\r\n11\r\nseventeen letters\r\n0\r\n\r\n",
        );
    }

    #[test]
    fn odd_reasons() {
        let check = |code: u16, expected: &str| {
            assert_eq!(reason(StatusCode::from_u16(code).unwrap()), expected, "{code}");
        };
        check(203, "Non-Authoritative Information");
        check(307, "Temporary Redirect");
        check(408, "Request Time-out");
        check(413, "Request Entity Too Large");
        check(414, "Request-URI Too Large");
        check(416, "Requested range not satisfiable");
        check(503, "Service Unavailable");
        check(504, "Gateway Time-out");
        check(505, "HTTP Version not supported");
    }

    #[test]
    fn sizes_of_chunks() {
        let check = |number, expected: &str| check(|out| put_hexadecimal(number, out), expected);
        check(0, "0");
        check(15, "f");
        check(16, "10");
        check(0x9abc, "9abc");
        check(usize::MAX, "ffffffffffffffff");
    }

    #[test]
    fn dates_as_rfc_1123() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_448_057_816);
        assert_eq!(fmt_date(time), DATE);
    }
}
