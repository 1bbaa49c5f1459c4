//! Messages in files: four bytes of length in the order of the host, then the message. Pure.
//! Called by `write` and `read`.
//! Upstream: `protobuf::write`, `protobuf::read`.

use prost::bytes::{BufMut, Bytes, BytesMut};
use prost::{Message, Name};
use proto::initialized::{Checker, Incomplete};

const LENGTH_BYTES: usize = size_of::<u32>();

/// Adds a message to what a file will hold.
pub(super) fn put<M: Message>(file: &mut BytesMut, message: &M) {
    let length = u32::try_from(message.encoded_len()).expect("no message is larger than 4 GB");
    file.put_slice(&length.to_ne_bytes());
    message.encode(file).expect("the buffer grows");
}

/// Why there are no more messages although there are more bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The file ends within a message.
    #[error(
        "Failed to read message of size {size} bytes: hit EOF unexpectedly, possible corruption"
    )]
    Truncated {
        /// What the file says that would follow.
        size: usize,
    },
    /// The file ends within a length.
    #[error("Failed to read size: hit EOF unexpectedly, possible corruption")]
    TruncatedLength,
    /// It is no such message.
    #[error("Failed to deserialize message of {name}: {source}")]
    Malformed {
        /// The full name of what was expected.
        name: &'static str,
        /// What is wrong.
        source: Incomplete,
    },
}

/// Reads message after message.
pub(super) struct Records {
    rest: Bytes,
    /// How many bytes the messages so far have taken.
    taken: usize,
}

impl Records {
    pub(super) fn new(file: Bytes) -> Records {
        Records { rest: file, taken: 0 }
    }

    /// Where the first message begins that has not been given.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// The next message; `None` at the end.
    pub(super) fn next<M: Name + Default>(&mut self) -> Result<Option<M>, RecordError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let length = self.rest.first_chunk::<LENGTH_BYTES>();
        let length = *length.ok_or(RecordError::TruncatedLength)?;
        let size = u32::from_ne_bytes(length) as usize;
        let end = LENGTH_BYTES + size;
        if self.rest.len() < end {
            return Err(RecordError::Truncated { size });
        }
        let body = self.rest.slice(LENGTH_BYTES..end);
        let checker = Checker::of::<M>();
        let message = checker
            .decode(body)
            .map_err(|source| RecordError::Malformed { name: checker.name(), source })?;
        self.rest = self.rest.split_off(end);
        self.taken += end;
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use proto::mesos::TaskId;

    use super::*;

    fn task_id(value: &str) -> TaskId {
        TaskId { value: value.to_owned() }
    }

    #[test]
    fn messages_come_back_up_to_where_the_file_is_cut() {
        let mut file = BytesMut::new();
        put(&mut file, &task_id("one"));
        let first = file.len();
        put(&mut file, &task_id("two"));
        let file = file.freeze();
        assert_eq!(file[..5], [5, 0, 0, 0, 10]);
        for cut in 0..=file.len() {
            let mut records = Records::new(file.slice(..cut));
            let mut found = Vec::new();
            let end = loop {
                match records.next::<TaskId>() {
                    Ok(Some(message)) => found.push(message.value),
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            let complete = cut / first;
            assert_eq!(found, ["one", "two"][..complete]);
            assert_eq!(records.taken(), complete * first);
            let expected = match cut % first {
                0 => None,
                1..LENGTH_BYTES => Some(RecordError::TruncatedLength),
                _ => Some(RecordError::Truncated { size: first - LENGTH_BYTES }),
            };
            assert_eq!(end, expected, "{cut}");
        }
    }

    #[test]
    fn what_is_no_message_is_named() {
        let mut records = Records::new(Bytes::from_static(&[0, 0, 0, 0]));
        let error = records.next::<TaskId>().unwrap_err().to_string();
        assert_eq!(error, "Failed to deserialize message of mesos.TaskID: value");
    }
}
