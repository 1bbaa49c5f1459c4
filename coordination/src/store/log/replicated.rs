//! The replicated log, as the storage wants to see a log. Called by the storage alone.
//! Upstream: what `LogStorageProcess` asks of `Log::Reader` and `Log::Writer`.

use bytes::Bytes;
use futures_util::TryFutureExt;

use super::Log;
use crate::log::{self, Entry, Position, Reader, Writer};
use crate::store::backend::{Answer, StoreError};

/// A replicated log, which ends with this value.
pub struct ReplicatedLog {
    writer: Writer,
    reader: Reader,
    _log: log::Log,
}

impl ReplicatedLog {
    /// Takes a log for itself.
    pub fn new(log: log::Log) -> ReplicatedLog {
        ReplicatedLog { writer: log.writer(), reader: log.reader(), _log: log }
    }
}

impl Log for ReplicatedLog {
    fn elect(&self) -> Answer<Option<Position>> {
        Box::pin(self.writer.start().map_err(StoreError::from))
    }

    fn append(&self, data: Bytes) -> Answer<Option<Position>> {
        Box::pin(self.writer.append(data).map_err(StoreError::from))
    }

    fn truncate(&self, to: Position) -> Answer<Option<Position>> {
        Box::pin(self.writer.truncate(to).map_err(StoreError::from))
    }

    fn beginning(&self) -> Answer<Position> {
        Box::pin(self.reader.beginning().map_err(StoreError::from))
    }

    fn read(&self, from: Position, to: Position) -> Answer<Vec<Entry>> {
        Box::pin(self.reader.read(from, to).map_err(StoreError::from))
    }
}
