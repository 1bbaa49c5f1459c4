//! Records in a stream of bytes, each behind its length in decimal and a line feed: the framing
//! of the v1 APIs. Pure; the server side encodes, the client side decodes.
//! Upstream: `recordio::Encoder`, `recordio::Decoder`.

use bytes::{Buf, Bytes, BytesMut};
use stout::number::numify;

/// No length has more digits.
const HEADER_BYTES_MAX: usize = 20;

/// A record in its frame.
pub fn encode(record: &[u8]) -> Vec<u8> {
    let mut frame = format!("{}\n", record.len()).into_bytes();
    frame.extend_from_slice(record);
    frame
}

/// The stream cannot be understood from here on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The length is no number.
    #[error("Failed to decode length '{0}'")]
    Length(String),
    /// The record would be larger than the reader takes.
    #[error("Record of {bytes} bytes exceeds the limit of {bytes_max} bytes")]
    TooLarge {
        /// The announced length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// An error came before.
    #[error("Decoder is in a FAILED state")]
    Failed,
}

/// Finds the records in chunks of a stream.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    record_bytes_max: usize,
    has_failed: bool,
}

impl Decoder {
    /// A decoder that refuses records of more than so many bytes.
    pub fn new(record_bytes_max: usize) -> Decoder {
        Decoder { buffer: BytesMut::new(), record_bytes_max, has_failed: false }
    }

    /// Takes the next chunk and gives the records that it completes. After an error every
    /// further call fails.
    pub fn decode(&mut self, chunk: &[u8]) -> Result<Vec<Bytes>, DecodeError> {
        if self.has_failed {
            return Err(DecodeError::Failed);
        }
        self.buffer.extend_from_slice(chunk);
        let mut records = Vec::new();
        loop {
            match self.next_record() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => return Ok(records),
                Err(error) => {
                    self.has_failed = true;
                    return Err(error);
                }
            }
        }
    }

    fn next_record(&mut self) -> Result<Option<Bytes>, DecodeError> {
        let invalid = |header: &[u8]| DecodeError::Length(String::from_utf8_lossy(header).into());
        let Some(end) = self.buffer.iter().take(HEADER_BYTES_MAX + 1).position(|&b| b == b'\n')
        else {
            if self.buffer.len() > HEADER_BYTES_MAX {
                return Err(invalid(&self.buffer[..HEADER_BYTES_MAX]));
            }
            return Ok(None);
        };
        let header = &self.buffer[..end];
        let length = std::str::from_utf8(header).ok().and_then(|text| numify(text).ok());
        let bytes: usize = length.ok_or_else(|| invalid(header))?;
        if bytes > self.record_bytes_max {
            return Err(DecodeError::TooLarge { bytes, bytes_max: self.record_bytes_max });
        }
        if self.buffer.len() - end - 1 < bytes {
            return Ok(None);
        }
        self.buffer.advance(end + 1);
        Ok(Some(self.buffer.split_to(bytes).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::{DecodeError, Decoder, encode};
    use proptest::prelude::*;

    fn decoder() -> Decoder {
        Decoder::new(1000)
    }

    #[test]
    fn encoder() {
        let frames: Vec<u8> = ["HELLO!", "", " ", "13 CHARACTERS"]
            .iter()
            .flat_map(|r| encode(r.as_bytes()))
            .collect();
        assert_eq!(frames, b"6\nHELLO!0\n1\n 13\n13 CHARACTERS");
    }

    #[test]
    fn records_come_once_they_are_complete() {
        let mut decoder = decoder();
        assert_eq!(decoder.decode(b"").expect("nothing"), Vec::<&[u8]>::new());
        let records = decoder.decode(b"6\nHELLO!0\n1\n ").expect("three records");
        assert_eq!(records, [&b"HELLO!"[..], b"", b" "]);
        for chunk in ["1", "3", "\n", "13 CHARACTER"] {
            assert!(decoder.decode(chunk.as_bytes()).expect("a part").is_empty());
        }
        assert_eq!(decoder.decode(b"S").expect("the rest"), [&b"13 CHARACTERS"[..]]);
    }

    #[test]
    fn bad_lengths_fail_for_good() {
        let check = |bytes: &[u8], expected: DecodeError| {
            let mut decoder = decoder();
            assert_eq!(decoder.decode(bytes), Err(expected));
            assert_eq!(decoder.decode(b"1\na"), Err(DecodeError::Failed));
        };
        check(b"not a number\n", DecodeError::Length("not a number".into()));
        check(b"-1\n", DecodeError::Length("-1".into()));
        check(&[b'1'; 500], DecodeError::Length("1".repeat(20)));
        check(b"1001\n", DecodeError::TooLarge { bytes: 1001, bytes_max: 1000 });
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..8),
            size in 1usize..20,
        ) {
            let stream: Vec<u8> = records.iter().flat_map(|record| encode(record)).collect();
            let mut decoder = decoder();
            let mut decoded = Vec::new();
            for chunk in stream.chunks(size) {
                decoded.extend(decoder.decode(chunk).expect("well framed"));
            }
            prop_assert_eq!(decoded, records);
        }
    }
}
