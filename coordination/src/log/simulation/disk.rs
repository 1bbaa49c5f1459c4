//! A replica's disk in memory, which outlives the processes of its node and can be wiped; and what
//! all disks together say was learned.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{Action, Metadata};

use crate::log::Position;
use crate::log::message::{Payload, beginning_after, is_learned};
use crate::log::storage::{Change, Durability, Restored, Storage, StorageError};

/// What was learned at each position, by anybody.
#[derive(Clone, Default)]
pub(super) struct Learned(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    payloads: BTreeMap<u64, Payload>,
    /// What has been learned since the last check, or learned again as something else.
    fresh: Vec<(u64, Payload)>,
}

impl Learned {
    fn note(&self, action: &Action) {
        let payload = Payload::of(action).expect("a whole action");
        self.0.lock().fresh.push((action.position, payload));
    }

    /// Compares what is new with what was known, and with what writers were told.
    pub(super) fn check(&self, acknowledged: &BTreeMap<Position, Bytes>) {
        let mut book = self.0.lock();
        for (position, payload) in std::mem::take(&mut book.fresh) {
            let known = book.payloads.entry(position).or_insert_with(|| payload.clone());
            assert_eq!(*known, payload, "two values at {position}");
            if let Some(data) = acknowledged.get(&Position(position)) {
                let is_it = matches!(&payload, Payload::Append(append) if append.bytes == *data);
                assert!(is_it, "acknowledged at {position}: {data:?}, learned: {payload:?}");
            }
        }
    }
}

/// The disk; clones are the same one.
#[derive(Clone)]
pub(super) struct Disk {
    contents: Arc<Mutex<Contents>>,
    learned: Learned,
}

#[derive(Default)]
struct Contents {
    metadata: Option<Metadata>,
    actions: BTreeMap<u64, Action>,
    /// What was there instead of what is not synchronized yet, the latest last.
    undo: Vec<Undo>,
    /// How many promises for all unused positions were written.
    promises: u64,
    /// And how many actions.
    entries: u64,
}

enum Undo {
    Metadata(Option<Metadata>),
    Action(u64, Option<Action>),
}

impl Disk {
    pub(super) fn new(learned: Learned) -> Self {
        Self { contents: Arc::default(), learned }
    }

    pub(super) fn wipe(&self) {
        *self.contents.lock() = Contents::default();
    }

    /// How much was written since it was new.
    pub(super) fn writes(&self) -> u64 {
        self.promises() + self.entries()
    }

    /// How many promises for all unused positions were written since it was new.
    pub(super) fn promises(&self) -> u64 {
        self.contents.lock().promises
    }

    /// How many actions were written since it was new.
    pub(super) fn entries(&self) -> u64 {
        self.contents.lock().entries
    }

    /// What was not synchronized is gone.
    pub(super) fn lose_power(&self) {
        let mut contents = self.contents.lock();
        while let Some(undo) = contents.undo.pop() {
            match undo {
                Undo::Metadata(metadata) => contents.metadata = metadata,
                Undo::Action(position, Some(action)) => {
                    contents.actions.insert(position, action);
                }
                Undo::Action(position, None) => {
                    contents.actions.remove(&position);
                }
            }
        }
    }

    /// Whether the replica on it may vote.
    pub(super) fn votes(&self) -> bool {
        let metadata = self.contents.lock().metadata;
        metadata.is_some_and(|metadata| metadata.status() == Status::Voting)
    }
}

impl Storage for Disk {
    fn restore(&mut self) -> Result<Restored, StorageError> {
        let contents = self.contents.lock();
        let mut restored = Restored::default();
        restored.metadata.set_status(Status::Empty);
        restored.metadata = contents.metadata.unwrap_or(restored.metadata);
        for action in contents.actions.values() {
            let position = action.position;
            if is_learned(action) {
                restored.learned.insert(position, position);
                restored.begin = restored.begin.max(beginning_after(action));
            } else {
                restored.unlearned.insert(position, position);
            }
            restored.end = restored.end.max(position);
        }
        Ok(restored)
    }

    fn write(&mut self, changes: &[Change], durability: Durability) -> Result<(), StorageError> {
        let mut contents = self.contents.lock();
        for change in changes {
            let undo = match change {
                Change::Metadata(metadata) => {
                    contents.promises += 1;
                    Undo::Metadata(contents.metadata.replace(*metadata))
                }
                Change::Action(action) => {
                    contents.entries += 1;
                    if is_learned(action) {
                        self.learned.note(action);
                    }
                    let position = action.position;
                    Undo::Action(position, contents.actions.insert(position, action.clone()))
                }
            };
            contents.undo.push(undo);
        }
        if durability == Durability::Disk {
            contents.undo.clear();
        }
        Ok(())
    }

    fn read(&mut self, position: u64) -> Result<Action, StorageError> {
        let contents = self.contents.lock();
        contents.actions.get(&position).cloned().ok_or(StorageError::Lost(position))
    }
}
