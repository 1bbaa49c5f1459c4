//! The body of a request: told apart from what follows it, put together, inflated.
//! Called by `decode.rs`. A body that arrives in one piece is a slice of the read buffer;
//! otherwise each byte is copied once.
//! Never looks into the bytes. [`Framing::next`] gives the pieces as they come, which is what a
//! handler of streamed bodies needs; [`Body`] merely gathers them.
//!
//! Upstream: `http_parser_execute`, body states; `DataDecoder::on_body`, `gzip::decompress`.

use std::io::Read;

use bytes::{Buf, Bytes, BytesMut};

use super::decode::{DecodeError, MAX_BODY_BYTES, MAX_HEAD_BYTES, MAX_INFLATED_BYTES};
use super::head::{Known, split_field, strip_cr};

/// The longest line that announces a chunk, extensions included.
const MAX_CHUNK_LINE_BYTES: usize = 4096;

/// How much room is made for a body ahead of its bytes, whatever length was announced.
const MAX_RESERVED_BYTES: u64 = 1 << 20;

/// Where a body ends, and how much of it is to come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    /// So many bytes up to the end.
    Length(u64),
    /// The line that announces a chunk.
    ChunkLine { total: u64 },
    /// So many bytes up to the end of the chunk.
    ChunkData { left: u64, total: u64 },
    /// The line end after a chunk.
    ChunkEnd { total: u64 },
    /// The fields after the last chunk.
    Trailers { read: usize },
}

/// What can be said of a body at this point.
#[derive(Debug)]
pub(super) enum Piece {
    /// The next bytes, never none.
    Data(Bytes),
    /// More has to arrive first.
    Later,
    /// That was all.
    End,
}

impl Framing {
    /// The framing that a head announces.
    pub(super) fn of(known: &Known) -> Result<Self, DecodeError> {
        if known.chunked {
            return Ok(Self::ChunkLine { total: 0 });
        }
        let length = known.content_length.unwrap_or(0);
        if length > MAX_BODY_BYTES {
            Err(DecodeError::BodyTooLong)
        } else {
            Ok(Self::Length(length))
        }
    }

    /// How many more bytes of data are certain to come.
    fn announced(&self) -> u64 {
        match *self {
            Self::Length(left) | Self::ChunkData { left, .. } => left,
            Self::ChunkLine { .. } | Self::ChunkEnd { .. } | Self::Trailers { .. } => 0,
        }
    }

    /// Takes the next piece off the front of `buf`, of chunks that are `max` bytes in all at most.
    pub(super) fn next(&mut self, buf: &mut BytesMut, max: u64) -> Result<Piece, DecodeError> {
        loop {
            match *self {
                Self::Length(0) => return Ok(Piece::End),
                Self::Length(ref mut left) => return Ok(take_data(buf, left)),
                Self::ChunkLine { total } => {
                    let Some((size, line_len)) = read_chunk_line(buf)? else {
                        return Ok(Piece::Later);
                    };
                    buf.advance(line_len);
                    let total = total.saturating_add(size);
                    if total > max {
                        return Err(DecodeError::BodyTooLong);
                    }
                    *self = match size {
                        0 => Self::Trailers { read: 0 },
                        left => Self::ChunkData { left, total },
                    };
                }
                Self::ChunkData { left: 0, total } => *self = Self::ChunkEnd { total },
                Self::ChunkData { ref mut left, .. } => return Ok(take_data(buf, left)),
                Self::ChunkEnd { total } => {
                    if !b"\r\n".starts_with(&buf[..buf.len().min(2)]) {
                        return Err(DecodeError::ChunkEnd);
                    }
                    if buf.len() < 2 {
                        return Ok(Piece::Later);
                    }
                    buf.advance(2);
                    *self = Self::ChunkLine { total };
                }
                Self::Trailers { ref mut read } => return skip_trailers(buf, read),
            }
        }
    }
}

fn take_data(buf: &mut BytesMut, left: &mut u64) -> Piece {
    let available = usize::try_from(*left).map_or(buf.len(), |left| left.min(buf.len()));
    if available == 0 {
        return Piece::Later;
    }
    *left -= available as u64;
    Piece::Data(buf.split_to(available).freeze())
}

/// Reads the size of a chunk and the length of the line that says so.
fn read_chunk_line(buf: &[u8]) -> Result<Option<(u64, usize)>, DecodeError> {
    let digits = buf.iter().take_while(|c| c.is_ascii_hexdigit()).count();
    if digits > MAX_CHUNK_LINE_BYTES {
        return Err(DecodeError::ChunkSize);
    }
    let cr = match buf.get(digits) {
        None => return Ok(None),
        Some(_) if digits == 0 => return Err(DecodeError::ChunkSize),
        Some(b'\r') => digits,
        Some(b';' | b' ') => match memchr::memchr(b'\r', buf) {
            None if buf.len() > MAX_CHUNK_LINE_BYTES => return Err(DecodeError::ChunkSize),
            None => return Ok(None),
            Some(cr) => cr,
        },
        Some(_) => return Err(DecodeError::ChunkSize),
    };
    match buf.get(cr + 1) {
        None => return Ok(None),
        Some(b'\n') => {}
        Some(_) => return Err(DecodeError::LineEnd),
    }
    let size = buf[..digits]
        .iter()
        .filter_map(|c| char::from(*c).to_digit(16))
        .fold(0u64, |size, digit| size.saturating_mul(16).saturating_add(u64::from(digit)));
    Ok(Some((size, cr + 2)))
}

fn skip_trailers(buf: &mut BytesMut, read: &mut usize) -> Result<Piece, DecodeError> {
    loop {
        let end = memchr::memchr(b'\n', buf);
        *read += end.map_or(0, |end| end + 1);
        if *read + end.map_or(buf.len(), |_| 0) > MAX_HEAD_BYTES {
            return Err(DecodeError::HeadTooLong);
        }
        let Some(end) = end else { return Ok(Piece::Later) };
        let line = strip_cr(&buf[..end]);
        let is_last = line.is_empty();
        split_field(line)?;
        buf.advance(end + 1);
        if is_last {
            return Ok(Piece::End);
        }
    }
}

/// How the bytes of a body are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
}

/// A body on its way in.
#[derive(Debug)]
pub(super) struct Body {
    framing: Framing,
    coding: Coding,
    gathered: Gathered,
}

#[derive(Debug)]
enum Gathered {
    One(Bytes),
    Many(BytesMut),
}

impl Body {
    pub(super) fn new(framing: Framing, coding: Coding) -> Self {
        Self { framing, coding, gathered: Gathered::One(Bytes::new()) }
    }

    /// The framing of a body that is taken as it is; none once it has begun to arrive.
    pub(super) fn plain_framing(&self) -> Option<Framing> {
        let has_begun = !matches!(&self.gathered, Gathered::One(first) if first.is_empty());
        (self.coding == Coding::Identity && !has_begun).then_some(self.framing)
    }

    /// Reads on in `buf`; gives the body once it is complete.
    pub(super) fn read(&mut self, buf: &mut BytesMut) -> Result<Option<Bytes>, DecodeError> {
        loop {
            match self.framing.next(buf, MAX_BODY_BYTES)? {
                Piece::Data(piece) => self.gather(piece),
                Piece::Later => return Ok(None),
                Piece::End => break,
            }
        }
        let body = match std::mem::replace(&mut self.gathered, Gathered::One(Bytes::new())) {
            Gathered::One(body) => body,
            Gathered::Many(body) => body.freeze(),
        };
        match self.coding {
            Coding::Identity => Ok(Some(body)),
            Coding::Gzip => inflate(&body).map(Some),
        }
    }

    fn gather(&mut self, piece: Bytes) {
        let ahead = self.framing.announced().min(MAX_RESERVED_BYTES) as usize;
        match &mut self.gathered {
            Gathered::One(first) if first.is_empty() => self.gathered = Gathered::One(piece),
            Gathered::One(first) => {
                let mut many = BytesMut::with_capacity(first.len() + piece.len() + ahead);
                many.extend_from_slice(first);
                many.extend_from_slice(&piece);
                self.gathered = Gathered::Many(many);
            }
            Gathered::Many(many) => many.extend_from_slice(&piece),
        }
    }
}

fn inflate(body: &[u8]) -> Result<Bytes, DecodeError> {
    let mut inflated = Vec::new();
    let stream = flate2::read::GzDecoder::new(body);
    stream
        .take(MAX_INFLATED_BYTES + 1)
        .read_to_end(&mut inflated)
        .map_err(|_| DecodeError::Gzip)?;
    if inflated.len() as u64 > MAX_INFLATED_BYTES {
        return Err(DecodeError::InflatedTooLong);
    }
    Ok(inflated.into())
}
