//! The head of a request: request line and header fields, read line by line as they arrive.
//! Called by `decode.rs`; `body.rs` reads trailers with the same grammar.
//! Keeps offsets into the connection's buffer only, so that reading a head allocates nothing.
//!
//! `httparse` does not serve here. It refuses versions other than 1.0 and 1.1, request lines
//! without one, and fields whose name has blanks or no colon, which upstream's parser takes; it
//! takes methods and URLs which that one refuses; and it starts over with every read.
//!
//! Upstream: `http_parser_execute` (ry/http-parser 1c3624a), header states.

use super::decode::{DecodeError, MAX_FIELDS, MAX_HEAD_BYTES};

/// A stretch of the head, as offsets from its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        // A head ends at MAX_HEAD_BYTES.
        Self { start: start as u32, end: end as u32 }
    }

    /// The bytes meant, given the head.
    pub(super) fn of(self, head: &[u8]) -> &[u8] {
        &head[self.start as usize..self.end as usize]
    }
}

/// The first line, without the parts nobody asks for: scheme, host, port and fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    pub(super) method: &'static str,
    pub(super) path: Span,
    pub(super) query: Span,
    pub(super) version: Version,
}

/// The digits after `HTTP/`; 0.9 when the request line has none. Each is at most 999.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Before the dot.
    pub major: u16,
    /// After the dot.
    pub minor: u16,
}

/// A head as far as it has arrived. [`Head::reset`] makes it ready for the next request.
#[derive(Debug, Default)]
pub(super) struct Head {
    line: Option<RequestLine>,
    /// Name and value of every field that has a colon, in order.
    pub(super) fields: Vec<(Span, Span)>,
    pub(super) known: Known,
    /// Where the line being awaited starts.
    line_start: usize,
    /// Up to where its end has been looked for.
    scanned: usize,
}

/// The fields that the decoder itself acts upon; the last of equal names counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) user_agent: Option<Span>,
    pub(super) libprocess_from: Option<Span>,
    pub(super) libprocess_cause: Option<Span>,
    pub(super) content_encoding: Option<Span>,
    pub(super) content_length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) upgrade: bool,
    asks_keep_alive: bool,
    asks_close: bool,
}

impl Head {
    /// Forgets the request read, keeping the room for its fields.
    pub(super) fn reset(&mut self) {
        let mut fields = std::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }

    /// Whether no byte of a request has been looked at, so that blank lines may be dropped.
    pub(super) fn is_fresh(&self) -> bool {
        self.scanned == 0
    }

    /// Reads on in `buf`, which starts with the head. Gives the request line and the length of
    /// the head once that is complete.
    pub(super) fn read(&mut self, buf: &[u8]) -> Result<Option<(RequestLine, usize)>, DecodeError> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &buf[self.scanned..]) else {
                self.scanned = buf.len();
                return self.check_unfinished(buf);
            };
            let end = self.scanned + end;
            let line = strip_cr(&buf[self.line_start..end]);
            let start = self.line_start;
            (self.line_start, self.scanned) = (end + 1, end + 1);
            if end >= MAX_HEAD_BYTES {
                return Err(DecodeError::HeadTooLong);
            }
            match self.line {
                None => self.line = Some(read_request_line(line)?),
                Some(request) if line.is_empty() => return Ok(Some((request, end + 1))),
                Some(_) => self.read_field(buf, start, line)?,
            }
        }
    }

    /// Whether another request may follow. Upstream: `http_should_keep_alive`.
    pub(super) fn keep_alive(&self, version: Version) -> bool {
        let is_default = version.major > 0 && version.minor > 0;
        if is_default { !self.known.asks_close } else { self.known.asks_keep_alive }
    }

    /// Refuses what no further byte can make a head, so that a stranger to HTTP is not kept
    /// waiting for the end of a line it will never send.
    fn check_unfinished<T>(&self, buf: &[u8]) -> Result<Option<T>, DecodeError> {
        if buf.len() > MAX_HEAD_BYTES {
            return Err(DecodeError::HeadTooLong);
        }
        let could_start = |method: &&str| match buf.get(..method.len()) {
            None => method.as_bytes().starts_with(buf),
            Some(word) => {
                word == method.as_bytes() && matches!(buf.get(method.len()), None | Some(b' '))
            }
        };
        if self.line.is_none() && !METHODS.iter().any(could_start) {
            return Err(DecodeError::Method);
        }
        Ok(None)
    }

    fn read_field(&mut self, buf: &[u8], start: usize, line: &[u8]) -> Result<(), DecodeError> {
        // A name without a colon; upstream accepts it, and glues it to the name that follows.
        let Some((name_len, value_at)) = split_field(line)? else { return Ok(()) };
        if self.fields.len() == MAX_FIELDS {
            return Err(DecodeError::TooManyFields);
        }
        let name = Span::new(start, start + name_len);
        let value = Span::new(start + value_at, start + line.len());
        self.fields.push((name, value));
        self.known.take(name.of(buf), value, value.of(buf))
    }
}

impl Known {
    /// Notes the field if the decoder acts upon it.
    fn take(&mut self, name: &[u8], span: Span, value: &[u8]) -> Result<(), DecodeError> {
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        match name.len() {
            10 if is(b"user-agent") => self.user_agent = Some(span),
            15 if is(b"libprocess-from") => self.libprocess_from = Some(span),
            16 if is(b"libprocess-cause") => self.libprocess_cause = Some(span),
            16 if is(b"content-encoding") => self.content_encoding = Some(span),
            _ => self.take_framing(trim_end_blanks(name), value)?,
        }
        Ok(())
    }

    /// Notes the field if it frames the body or ends the connection.
    ///
    /// COMPAT: http-parser matches these names with blanks after them too, and their values as
    /// one word with blanks around it; held by `framing_fields_as_upstream`.
    fn take_framing(&mut self, name: &[u8], value: &[u8]) -> Result<(), DecodeError> {
        let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
        let says = |wanted: &[u8]| trim_end_blanks(value).eq_ignore_ascii_case(wanted);
        match name.len() {
            17 if is(b"transfer-encoding") => self.chunked |= says(b"chunked"),
            14 if is(b"content-length") && !value.is_empty() => {
                self.content_length = Some(read_length(value)?);
            }
            10 if is(b"connection") => self.take_connection(says(b"keep-alive"), says(b"close")),
            16 if is(b"proxy-connection") => {
                self.take_connection(says(b"keep-alive"), says(b"close"));
            }
            7 if is(b"upgrade") => self.upgrade |= !value.is_empty(),
            _ => {}
        }
        Ok(())
    }

    fn take_connection(&mut self, keep_alive: bool, close: bool) {
        self.asks_keep_alive |= keep_alive;
        self.asks_close |= close;
    }
}

/// Splits a line into the length of the field's name and where its value starts; nothing if
/// there is no colon.
pub(super) fn split_field(line: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let name_len = line.iter().position(|c| !is_token(*c));
    let Some(name_len) = name_len else { return Ok(None) };
    if name_len == 0 || line[name_len] != b':' {
        return Err(DecodeError::FieldName);
    }
    let value = &line[name_len + 1..];
    if memchr::memchr(b'\r', value).is_some() {
        return Err(DecodeError::LineEnd);
    }
    let blanks = value.iter().take_while(|c| **c == b' ').count();
    Ok(Some((name_len, name_len + 1 + blanks)))
}

/// The line without the carriage return that may end it.
pub(super) fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What upstream's parser takes; PATCH is not among them.
const METHODS: [&str; 23] = [
    "POST",
    "GET",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "COPY",
    "LOCK",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "UNLOCK",
    "REPORT",
    "MKACTIVITY",
    "CHECKOUT",
    "MERGE",
    "M-SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
];

fn read_request_line(line: &[u8]) -> Result<RequestLine, DecodeError> {
    let word_len = memchr::memchr(b' ', line).ok_or(DecodeError::Method)?;
    let word = &line[..word_len];
    let method = METHODS.into_iter().find(|method| method.as_bytes() == word);
    let method = method.ok_or(DecodeError::Method)?;
    let target_at = word_len + line[word_len..].iter().take_while(|c| **c == b' ').count();
    let target_len = memchr::memchr(b' ', &line[target_at..]);
    let target_end = target_len.map_or(line.len(), |len| target_at + len);
    let version = target_len.map(|_| read_version(&line[target_end..])).transpose()?;
    let (path, query) = read_target(line, target_at, target_end)?;
    if path.is_none() && version.is_none() {
        return Err(DecodeError::Version);
    }
    Ok(RequestLine {
        method,
        path: path.unwrap_or_default(),
        query,
        version: version.unwrap_or(Version { major: 0, minor: 9 }),
    })
}

/// Finds path and query in the target between the two offsets. There is no path in `http://h`.
fn read_target(line: &[u8], start: usize, end: usize) -> Result<(Option<Span>, Span), DecodeError> {
    let target = &line[start..end];
    let path_at = match target.first().ok_or(DecodeError::Target)? {
        b'/' | b'*' => start,
        _ => match read_authority(target).ok_or(DecodeError::Target)? {
            len if len == target.len() => return Ok((None, Span::default())),
            len => start + len,
        },
    };
    if !line[path_at..end].iter().all(u8::is_ascii_graphic) {
        return Err(DecodeError::Target);
    }
    let without_fragment = memchr::memchr(b'#', &line[path_at..end]);
    let end = without_fragment.map_or(end, |len| path_at + len);
    let Some(path_len) = memchr::memchr(b'?', &line[path_at..end]) else {
        return Ok((Some(Span::new(path_at, end)), Span::default()));
    };
    let path_end = path_at + path_len;
    let marks = line[path_end..end].iter().take_while(|c| **c == b'?').count();
    Ok((Some(Span::new(path_at, path_end)), Span::new(path_end + marks, end)))
}

/// The length of `scheme://host:port` or `host.domain:port`, up to a slash or the end.
fn read_authority(target: &[u8]) -> Option<usize> {
    let letters = target.iter().take_while(|c| c.is_ascii_alphabetic()).count();
    let host_at = match target.get(letters)? {
        _ if letters == 0 => return None,
        b':' => target[letters..].starts_with(b"://").then_some(letters + 3)?,
        b'.' | b'0'..=b'9' => letters,
        _ => return None,
    };
    let is_host = |c: &&u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-');
    let host_end = host_at + target[host_at..].iter().take_while(is_host).count();
    let digits = |at: usize| target[at..].iter().take_while(|c| c.is_ascii_digit()).count();
    let end = match target.get(host_end) {
        Some(b':') => host_end + 1 + digits(host_end + 1),
        _ => host_end,
    };
    matches!(target.get(end), None | Some(b'/')).then_some(end)
}

/// Reads what follows the target, blanks first.
fn read_version(text: &[u8]) -> Result<Version, DecodeError> {
    let blanks = text.iter().take_while(|c| **c == b' ').count();
    let digits = text[blanks..].strip_prefix(b"HTTP/").ok_or(DecodeError::Version)?;
    let dot = memchr::memchr(b'.', digits).ok_or(DecodeError::Version)?;
    let major = read_number(&digits[..dot])?;
    if digits[0] == b'0' {
        return Err(DecodeError::Version);
    }
    Ok(Version { major, minor: read_number(&digits[dot + 1..])? })
}

fn read_number(digits: &[u8]) -> Result<u16, DecodeError> {
    if digits.is_empty() {
        return Err(DecodeError::Version);
    }
    digits.iter().try_fold(0, |value, c| match c {
        b'0'..=b'9' if value <= 99 => Ok(value * 10 + u16::from(c - b'0')),
        _ => Err(DecodeError::Version),
    })
}

/// Reads a Content-Length.
///
/// COMPAT: http-parser skips blanks between the digits; held by `framing_fields_as_upstream`.
fn read_length(value: &[u8]) -> Result<u64, DecodeError> {
    value.iter().filter(|c| **c != b' ').try_fold(0u64, |length, c| match c {
        b'0'..=b'9' => Ok(length.saturating_mul(10).saturating_add(u64::from(c - b'0'))),
        _ => Err(DecodeError::ContentLength),
    })
}

fn trim_end_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().rev().take_while(|c| **c == b' ').count();
    &text[..text.len() - blanks]
}

/// Whether the byte may stand in a field's name.
///
/// COMPAT: http-parser takes blanks, slashes and double quotes for token characters; held by
/// `odd_fields_are_left_out`.
fn is_token(c: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut c = 0;
        while c < 128 {
            table[c] = (c as u8).is_ascii_alphanumeric();
            c += 1;
        }
        let others = b" !\"#$%&'*+-./^_`|~";
        let mut at = 0;
        while at < others.len() {
            table[others[at] as usize] = true;
            at += 1;
        }
        table
    };
    TABLE[usize::from(c)]
}
