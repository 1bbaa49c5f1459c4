//! Where a replica keeps what it must not forget. Called by `store` alone, where it may block.
//! Upstream: `Storage`, `Storage::State`.

use proto::mesos::internal::log::{Action, Metadata};

use crate::log::positions::Positions;

/// One thing to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// The replica's own state.
    Metadata(Metadata),
    /// What stands at a position from now on. Learned truncations also free what they truncate.
    Action(Action),
}

/// How sure a write must be when it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// It outlives the machine's power.
    Disk,
    /// It outlives the process, and is on disk with the next write that must be.
    Process,
}

/// What a storage held when it was opened, but for the actions themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Restored {
    pub(crate) metadata: Metadata,
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) learned: Positions,
    pub(crate) unlearned: Positions,
}

/// The disk failed, or what is on it is not a log's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// What the system or the library below says, with the file it says it of.
    #[error("{0}")]
    Files(String),
    /// Bytes that are no record.
    #[error("Failed to deserialize record")]
    Undecodable,
    /// A record that lacks what its type names, or is at another position than its key says.
    #[error("Bad record")]
    BadRecord,
    /// It was written once, and is gone.
    #[error("The record of position {0} is not in the log's files")]
    Lost(u64),
    /// The files were not opened, or had to be closed after an error.
    #[error("The log's files are closed")]
    Closed,
}

/// Keeps metadata and actions.
pub(crate) trait Storage: Send {
    /// Opens it, again if it was open, and tells what is there. What a failed write has left is
    /// known only afterwards.
    fn restore(&mut self) -> Result<Restored, StorageError>;

    /// Writes all `changes` or, as far as anybody can tell before [`Storage::restore`], some.
    fn write(&mut self, changes: &[Change], durability: Durability) -> Result<(), StorageError>;

    /// The action at a position that was written and not truncated.
    fn read(&mut self, position: u64) -> Result<Action, StorageError>;
}
