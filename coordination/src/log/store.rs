//! A replica's knowledge together with its disk: serves requests in batches, each written at once.
//! Called by `replica`, on a thread that may block. Sends nothing: it gives back what may be said
//! now that it is on disk.
//!
//! Upstream: `ReplicaProcess::persist`, `update`, `updatePromised`, `read`, `restore`.

use std::collections::BTreeMap;

use libprocess::Upid;
use proto::mesos::internal::log::action::Type;
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{Action, PromiseRequest, WriteRequest};
use tracing::{error, info};

use crate::log::acceptor::{Acceptor, Reply, Step};
use crate::log::message::is_learned;
use crate::log::storage::{Change, Durability, Storage, StorageError};

/// What a peer asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Request {
    Promise(PromiseRequest),
    Write(WriteRequest),
    Learned(Action),
    Recover,
}

/// A range of positions that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It ends before it begins.
    #[error("Bad read range (to < from)")]
    Backwards,
    /// It begins before the log.
    #[error("Bad read range (truncated position)")]
    Truncated,
    /// It ends behind the log.
    #[error("Bad read range (past end of log)")]
    PastEnd,
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A replica that can be asked.
pub(crate) struct Store {
    acceptor: Acceptor,
    storage: Box<dyn Storage>,
    /// What is decided, and not written yet.
    batch: Vec<Change>,
    /// To be said once the batch is written.
    replies: Vec<(Upid, Reply)>,
    /// The actions of the batch.
    pending: BTreeMap<u64, Action>,
    /// Nothing is known of the disk, since it failed.
    is_lost: bool,
}

impl Store {
    /// Opens a storage.
    pub(crate) fn open(mut storage: Box<dyn Storage>) -> Result<Self, StorageError> {
        let acceptor = Acceptor::restore(storage.restore()?);
        let (batch, replies, pending) = Default::default();
        Ok(Self { acceptor, storage, batch, replies, pending, is_lost: false })
    }

    /// Decides on a request; the outcome is known after [`Store::commit`].
    pub(crate) fn serve(&mut self, from: Upid, request: &Request) {
        if self.is_lost && !self.reopen() {
            return;
        }
        match self.step(&from, request) {
            Ok(Step { change, reply }) => {
                if let Some(change) = change {
                    self.acceptor.apply(&change);
                    if let Change::Action(action) = &change {
                        self.pending.insert(action.position, action.clone());
                    }
                    self.batch.push(change);
                }
                self.replies.extend(reply.map(|reply| (from, reply)));
            }
            Err(why) => error!("Error getting log record: {why}"),
        }
    }

    fn step(&mut self, from: &Upid, request: &Request) -> Result<Step, StorageError> {
        Ok(match request {
            Request::Promise(request) => {
                let stored = request.position.map(|position| self.stored(position)).transpose()?;
                self.acceptor.promise(from, request, stored.flatten())
            }
            Request::Write(request) => {
                let stored = self.stored(request.position)?;
                self.acceptor.write(from, request, stored)
            }
            Request::Learned(action) => self.acceptor.learned(from, action),
            Request::Recover => self.acceptor.recover(from),
        })
    }

    fn stored(&mut self, position: u64) -> Result<Option<Action>, StorageError> {
        if let Some(action) = self.pending.get(&position) {
            return Ok(Some(action.clone()));
        }
        self.acceptor.has(position).then(|| self.storage.read(position)).transpose()
    }

    /// Writes what was decided, and gives what may be said about it: nothing, if it could not be
    /// written.
    pub(crate) fn commit(&mut self) -> Vec<(Upid, Reply)> {
        let (batch, replies) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.replies));
        self.pending.clear();
        if batch.is_empty() {
            return replies;
        }
        if let Err(why) = self.storage.write(&batch, durability(&batch)) {
            error!("Error writing to log: {why}");
            self.lose();
            return Vec::new();
        }
        batch.iter().for_each(log);
        replies
    }

    /// Changes the replica's own status; false if that could not be written.
    pub(crate) fn set_status(&mut self, status: Status) -> bool {
        if self.is_lost && !self.reopen() {
            return false;
        }
        let change = self.acceptor.set_status(status);
        if let Err(why) = self.storage.write(std::slice::from_ref(&change), Durability::Disk) {
            error!("Error writing to log: {why}");
            self.lose();
            return false;
        }
        info!("Persisted replica status to {}", status.as_str_name());
        self.acceptor.apply(&change);
        true
    }

    /// What the replica knows.
    pub(crate) fn acceptor(&self) -> &Acceptor {
        &self.acceptor
    }

    /// All actions from one position to another; holes are passed over.
    pub(crate) fn read(&mut self, from: u64, to: u64) -> Result<Vec<Action>, ReadError> {
        if to < from {
            return Err(ReadError::Backwards);
        } else if from < self.acceptor.begin() {
            return Err(ReadError::Truncated);
        } else if self.acceptor.end() < to {
            return Err(ReadError::PastEnd);
        }
        let mut actions = Vec::new();
        for position in from..=to {
            actions.extend(self.stored(position)?);
        }
        Ok(actions)
    }

    /// After a failed write nobody knows what is on disk, until it has been read.
    fn lose(&mut self) {
        self.is_lost = true;
        self.reopen();
    }

    fn reopen(&mut self) -> bool {
        match self.storage.restore() {
            Ok(restored) => {
                self.acceptor = Acceptor::restore(restored);
                self.is_lost = false;
                true
            }
            Err(why) => {
                error!("Failed to recover the log: {why}");
                false
            }
        }
    }
}

/// Notices of what was agreed on need no synchronization of their own: no reply depends on them,
/// and a majority that accepted has it on disk.
fn durability(batch: &[Change]) -> Durability {
    let is_notice = |change: &Change| match change {
        Change::Action(action) => is_learned(action),
        Change::Metadata(_) => false,
    };
    if batch.iter().all(is_notice) { Durability::Process } else { Durability::Disk }
}

fn log(change: &Change) {
    match change {
        Change::Metadata(metadata) => info!("Persisted promised to {}", metadata.promised),
        Change::Action(action) => {
            info!("Persisted action at {}", action.position);
            if is_learned(action) {
                let kind = Type::as_str_name(&action.r#type());
                info!("Replica learned {kind} action at position {}", action.position);
            }
        }
    }
}
