//! The log's records in files of LevelDB, as upstream writes and reads them. Called by `store`,
//! where it may block. Never goes on after an error: see `files`.
//!
//! Keys are decimal, padded to ten digits: 0 is the metadata, `p + 1` is position `p`. Values are
//! `Record`s.
//!
//! Upstream: `LevelDBStorage`.

mod checked;
mod files;

use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use libprocess::clock::{Clock, Time};
use prost::Message;
use proto::initialized::Checker;
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::record::Type;
use proto::mesos::internal::log::{Action, Metadata, Record};
use rusty_leveldb::{DB, LdbIterator, Options, WriteBatch};
use stout::duration::display as text;
use tracing::{info, warn};

use self::files::Files;
pub(crate) use self::files::Shared;
use crate::log::message::{LAST_POSITION, beginning_after, is_learned};
use crate::log::positions::Positions;
use crate::log::storage::{Change, Durability, Restored, Storage, StorageError};

/// The compressor of the library that leaves blocks as they are: upstream's LevelDB has no other.
const NO_COMPRESSION: u8 = 0;

/// A folder of LevelDB's.
pub(crate) struct LevelDb {
    path: PathBuf,
    clock: Clock,
    open: Option<Open>,
}

struct Open {
    db: DB,
    clock: Clock,
    shared: Arc<Shared>,
    /// Positions that have a key.
    stored: Positions,
}

impl LevelDb {
    /// The storage in the folder `path`, which need not be there yet.
    pub(crate) fn new(path: &Path, clock: Clock) -> Self {
        Self { path: path.to_owned(), clock, open: None }
    }
}

/// Opens the files of a folder in the form that upstream reads and writes; whatever fails is told
/// to `shared`.
pub(crate) fn open_files(path: &Path, shared: &Arc<Shared>) -> rusty_leveldb::Result<DB> {
    let options = Options {
        env: Rc::new(Box::new(Files::new(shared.clone()))),
        compressor: NO_COMPRESSION,
        // What a crash has cut off must not be written behind.
        reuse_logs: false,
        reuse_manifest: false,
        ..Options::default()
    };
    DB::open(path, options)
}

/// The value of a key. The library's own `get` does not find the entry that was written last, if
/// it is the last one of its block; its iterators do.
pub(crate) fn value(db: &mut DB, key: &[u8]) -> rusty_leveldb::Result<Option<Bytes>> {
    let mut iterator = db.new_iter()?;
    iterator.seek(key);
    Ok(iterator.current().filter(|(found, _)| &**found == key).map(|(_, value)| value))
}

impl Storage for LevelDb {
    fn restore(&mut self) -> Result<Restored, StorageError> {
        // The lock first of all.
        self.open = None;
        let start = self.clock.now();
        let shared = Arc::new(Shared::default());
        let db = open_files(&self.path, &shared).map_err(|status| failure(&shared, status))?;
        let mut open = Open { db, clock: self.clock.clone(), shared, stored: Positions::default() };
        info!("Opened db in {}", open.since(start));
        let restored = open.scan()?;
        self.open = Some(open);
        Ok(restored)
    }

    fn write(&mut self, changes: &[Change], durability: Durability) -> Result<(), StorageError> {
        let open = self.open.as_mut().ok_or(StorageError::Closed)?;
        let written = open.write(changes, durability);
        if written.is_err() {
            self.open = None;
        }
        written
    }

    fn read(&mut self, position: u64) -> Result<Action, StorageError> {
        self.open.as_mut().ok_or(StorageError::Closed)?.read(position)
    }
}

impl Open {
    /// Reads everything once.
    fn scan(&mut self) -> Result<Restored, StorageError> {
        let start = self.clock.now();
        let mut restored = Restored::default();
        restored.metadata.set_status(Status::Empty);
        let mut keys = 0_u64;
        let mut iterator = self.db.new_iter().map_err(|status| failure(&self.shared, status))?;
        while iterator.advance() {
            let Some((key, value)) = iterator.current() else { break };
            keys += 1;
            match decode(&key, value)? {
                Entry::Metadata(metadata) => restored.metadata = metadata,
                Entry::Action(action) => {
                    let position = action.position;
                    self.stored.insert(position, position);
                    let learned = is_learned(&action);
                    let known =
                        if learned { &mut restored.learned } else { &mut restored.unlearned };
                    known.insert(position, position);
                    if learned {
                        restored.begin = restored.begin.max(beginning_after(&action));
                    }
                    restored.end = restored.end.max(position);
                }
            }
        }
        // An iterator that cannot read on just ends.
        self.check()?;
        info!("Iterated through {keys} keys in the db in {}", self.since(start));
        Ok(restored)
    }

    fn write(&mut self, changes: &[Change], durability: Durability) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        let mut written = Vec::new();
        let start = self.clock.now();
        for change in changes {
            let (key, record, what) = match change {
                Change::Metadata(metadata) => {
                    let record = Record { metadata: Some(*metadata), ..record(Type::Metadata) };
                    (key(0), record, "metadata")
                }
                Change::Action(action) => {
                    let record = Record { action: Some(action.clone()), ..record(Type::Action) };
                    (key(action.position + 1), record, "action")
                }
            };
            let value = record.encode_to_vec();
            batch.put(key.as_bytes(), &value);
            written.push((what, value.len()));
        }
        self.write_batch(batch, durability)?;
        for (what, size) in written {
            info!("Persisting {what} ({size} bytes) to leveldb took {}", self.since(start));
        }
        for change in changes {
            let Change::Action(action) = change else { continue };
            self.stored.insert(action.position, action.position);
            if is_learned(action) {
                self.delete_before(beginning_after(action));
            }
        }
        Ok(())
    }

    /// Frees what is truncated. Upstream does not mind either if that fails: it is not looked at
    /// any more, and the next truncation tries again.
    fn delete_before(&mut self, begin: u64) {
        let Some(last) = begin.checked_sub(1) else { return };
        let start = self.clock.now();
        let truncated = self.stored.within(0, last);
        if truncated.is_empty() {
            return;
        }
        let mut batch = WriteBatch::default();
        for position in truncated.ranges().flatten() {
            batch.delete(key(position + 1).as_bytes());
        }
        match self.write_batch(batch, Durability::Process) {
            Ok(()) => {
                self.stored.remove(0, last);
                let (count, elapsed) = (truncated.count(), self.since(start));
                info!("Deleting ~{count} keys from leveldb took {elapsed}");
            }
            Err(error) => warn!("Ignoring leveldb batch delete failure: {error}"),
        }
    }

    fn write_batch(
        &mut self,
        batch: WriteBatch,
        durability: Durability,
    ) -> Result<(), StorageError> {
        self.shared.set_lazy(durability == Durability::Process);
        // The library's `sync` hands the bytes to the file, which knows how sure they must be.
        let written = self.db.write(batch, true);
        self.shared.set_lazy(false);
        written.map_err(|status| failure(&self.shared, status))?;
        self.check()
    }

    fn read(&mut self, position: u64) -> Result<Action, StorageError> {
        let key = key(position + 1);
        let value = value(&mut self.db, key.as_bytes());
        self.check()?;
        let value = value.map_err(|status| failure(&self.shared, status))?;
        match decode(key.as_bytes(), value.ok_or(StorageError::Lost(position))?)? {
            Entry::Action(action) => Ok(action),
            Entry::Metadata(_) => Err(StorageError::BadRecord),
        }
    }

    fn since(&self, start: Time) -> impl fmt::Display + use<> {
        text(self.clock.now().since(start))
    }

    fn check(&self) -> Result<(), StorageError> {
        self.shared.fault().map_or(Ok(()), |fault| Err(StorageError::Files(fault)))
    }
}

/// What the files say is closer to the cause than what the library makes of it.
fn failure(shared: &Shared, status: rusty_leveldb::Status) -> StorageError {
    StorageError::Files(shared.fault().unwrap_or(status.err))
}

fn key(number: u64) -> String {
    format!("{number:010}")
}

fn record(kind: Type) -> Record {
    Record { r#type: kind.into(), ..Record::default() }
}

/// One key with its value.
#[derive(Debug, PartialEq)]
enum Entry {
    Metadata(Metadata),
    Action(Action),
}

fn decode(key: &[u8], value: Bytes) -> Result<Entry, StorageError> {
    let record: Record =
        Checker::of::<Record>().decode(value).map_err(|_| StorageError::Undecodable)?;
    let entry = match record.r#type() {
        Type::Metadata => record.metadata.map(Entry::Metadata),
        // What 0.14 and older wrote; only voting replicas existed.
        Type::Promise => record.promise.map(|promise| {
            let status = Status::Voting.into();
            Entry::Metadata(Metadata { status, promised: promise.proposal })
        }),
        Type::Action => record.action.map(Entry::Action),
    };
    let entry = entry.ok_or(StorageError::BadRecord)?;
    let number = match &entry {
        Entry::Metadata(_) => 0,
        Entry::Action(action) if action.position > LAST_POSITION => {
            return Err(StorageError::BadRecord);
        }
        Entry::Action(action) => action.position + 1,
    };
    if key == self::key(number).as_bytes() { Ok(entry) } else { Err(StorageError::BadRecord) }
}

#[cfg(test)]
mod tests;
