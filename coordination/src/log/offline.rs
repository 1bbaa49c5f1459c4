//! A replica's files without a replica: what a tool may do with them while nobody else has them
//! open. Called by `mesos-log`. Blocks.
//!
//! Upstream: `Replica`, as `tool::Initialize` and `tool::Read` use it.

use std::path::Path;

use libprocess::clock::Clock;
use proto::mesos::internal::log::Action;
use proto::mesos::internal::log::metadata::Status;

use crate::log::StartError;
use crate::log::leveldb::LevelDb;
use crate::log::store::{ReadError, Store};

/// The files of one replica.
pub struct Offline {
    store: Store,
}

impl Offline {
    /// Opens the folder `path`, which is made if it is not there.
    ///
    /// # Errors
    /// When the files cannot be had.
    pub fn open(path: &Path) -> Result<Self, StartError> {
        Ok(Self { store: Store::open(Box::new(LevelDb::new(path, Clock::default())))? })
    }

    /// Whether nobody has ever used it.
    pub fn is_empty(&self) -> bool {
        self.store.acceptor().status() == Status::Empty
    }

    /// Lets the replica vote; false if that could not be written.
    pub fn initialize(&mut self) -> bool {
        self.store.set_status(Status::Voting)
    }

    /// The first position that is not truncated.
    pub fn beginning(&self) -> u64 {
        self.store.acceptor().begin()
    }

    /// The last position.
    pub fn ending(&self) -> u64 {
        self.store.acceptor().end()
    }

    /// What stands at these positions; those of which nothing is known are passed over.
    ///
    /// # Errors
    /// When they are outside of the log.
    pub fn read(&mut self, from: u64, to: u64) -> Result<Vec<Action>, ReadError> {
        self.store.read(from, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::storage::{Change, Durability, Restored, Storage, StorageError};

    /// A disk that is full.
    struct Full;

    impl Storage for Full {
        fn restore(&mut self) -> Result<Restored, StorageError> {
            Ok(Restored::default())
        }

        fn write(&mut self, _: &[Change], _: Durability) -> Result<(), StorageError> {
            Err(StorageError::Files("No space left on device".to_owned()))
        }

        fn read(&mut self, position: u64) -> Result<Action, StorageError> {
            Err(StorageError::Lost(position))
        }
    }

    #[test]
    fn a_status_that_cannot_be_written_is_told() {
        let store = Store::open(Box::new(Full)).expect("it is empty");
        assert!(!Offline { store }.initialize());
    }
}
