//! The body of an answer on its way to whoever asked: unpacked if it was packed, gathered or
//! passed on. Called by the connection for each piece. Pure, but for the pipe.
//!
//! Upstream: `gzip::decompress`, `http::internal::convert`.

use std::io::Write;

use bytes::Bytes;
use flate2::write::GzDecoder;

use crate::wire::decode::MAX_BODY_BYTES;

/// Why a body cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// It is not what gzip makes, or not all of it.
    #[error("it is not whole gzip data")]
    Gzip,
    /// It is longer than what is held in memory.
    #[error("it is longer than {MAX_BODY_BYTES} bytes")]
    TooLong,
}

/// Takes the coding off a body, piece by piece.
pub(super) enum Inflater {
    Identity,
    Gzip(Box<GzDecoder<Vec<u8>>>),
}

impl Inflater {
    /// For a body of this `Content-Encoding`; one that is not known is passed on as it is.
    pub(super) fn of(coding: Option<&str>) -> Self {
        match coding {
            Some("gzip") => Self::Gzip(Box::new(GzDecoder::new(Vec::new()))),
            _ => Self::Identity,
        }
    }

    /// What the next piece stands for; nothing, perhaps, of a packed one.
    pub(super) fn take(&mut self, piece: Bytes) -> Result<Bytes, BadBody> {
        match self {
            Self::Identity => Ok(piece),
            Self::Gzip(decoder) => {
                decoder.write_all(&piece).map_err(|_| BadBody::Gzip)?;
                Ok(std::mem::take(decoder.get_mut()).into())
            }
        }
    }

    /// What is left at the end of the body.
    pub(super) fn finish(self) -> Result<Bytes, BadBody> {
        match self {
            Self::Identity => Ok(Bytes::new()),
            Self::Gzip(decoder) => decoder.finish().map(Bytes::from).map_err(|_| BadBody::Gzip),
        }
    }
}

/// Pieces put together.
#[derive(Default)]
pub(super) struct Gathered(Vec<u8>);

impl Gathered {
    pub(super) fn add(&mut self, piece: &[u8]) -> Result<(), BadBody> {
        if (self.0.len() + piece.len()) as u64 > MAX_BODY_BYTES {
            return Err(BadBody::TooLong);
        }
        self.0.extend_from_slice(piece);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.0.into()
    }
}
