//! What keeps entries: the trait, and what can go wrong below it. Implemented by `in_memory`,
//! `leveldb`, `log` and `zookeeper`. Upstream: `state::Storage`.

use std::collections::BTreeSet;
use std::pin::Pin;

use proto::mesos::internal::state::Entry;
use uuid::Uuid;

use super::svndiff::DiffError;
use crate::log::{ReadError, WriteError};
use crate::zookeeper::ZooKeeperError;

/// A storage's answer, later.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Why a storage cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The log below cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The log below cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The log holds something that is no operation, or one of a later version.
    #[error("Failed to deserialize Operation")]
    MalformedOperation,
    /// The log holds a patch that does not fit.
    #[error("Failed to apply the diff: {0}")]
    Diff(#[from] DiffError),
    /// The log holds a patch of a name that it does not have.
    #[error("Failed to apply the diff: there is no snapshot of '{0}'")]
    DiffWithoutSnapshot(String),
    /// What is stored under a name is no entry.
    #[error("Failed to deserialize Entry")]
    MalformedEntry,
    /// The files cannot be read or written; the text is the system's or LevelDB's.
    #[error("{0}")]
    Files(String),
    /// ZooKeeper has said no.
    #[error(transparent)]
    ZooKeeper(#[from] ZooKeeperError),
    /// ZooKeeper's nodes are not made for so much.
    #[error("Serialized data is too big (> 1 MB)")]
    TooBig,
    /// The storage has ended.
    #[error("the storage is closed")]
    Closed,
}

/// Keeps entries by name. A version of an entry is known by its uuid, 16 bytes.
///
/// An answer that is dropped before it completes may or may not take effect.
pub trait Storage: Send + Sync + 'static {
    /// The entry of a name.
    fn get(&self, name: &str) -> Answer<Option<Entry>>;

    /// Replaces the entry of that name if its version is `uuid`, or if there is none; else false.
    fn set(&self, entry: Entry, uuid: Uuid) -> Answer<bool>;

    /// Removes the entry of that name if its version is the given one's; else false.
    fn expunge(&self, entry: Entry) -> Answer<bool>;

    /// All names.
    fn names(&self) -> Answer<BTreeSet<String>>;
}

/// Whether an entry that is there, if one is, may be replaced by who knows version `uuid`.
pub(super) fn admits(present: Option<&Entry>, uuid: &[u8]) -> bool {
    present.is_none_or(|present| present.uuid == uuid)
}
