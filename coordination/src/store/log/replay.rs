//! What the operations of a log come to: the last entry of each name, and which positions of the
//! log are still needed for it. Called by the storage; pure.
//! Upstream: `LogStorageProcess::apply`, `LogStorageProcess::Snapshot`.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto::initialized::Checker;
use proto::mesos::internal::state::operation::Type;
use proto::mesos::internal::state::{Entry, Operation};

use super::Change;
use crate::log::{Entry as LogEntry, Position};
use crate::store::backend::StoreError;
use crate::store::svndiff;

/// An entry, and where the log has it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    /// Where it is whole. With patches this is before them.
    pub(super) position: Position,
    pub(super) entry: Entry,
    /// How many patches lead to it from there.
    pub(super) diffs: usize,
}

/// A log, as far as it was read or written.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    pub(super) snapshots: BTreeMap<String, Kept>,
    /// The last position that was read or written.
    pub(super) index: Option<Position>,
    /// Everything before is forgotten by the log.
    pub(super) truncated: Position,
    /// Whether nobody else can have written since.
    pub(super) is_writer: bool,
}

impl Replayed {
    /// Where to read on in a log that begins at `beginning` by now.
    pub(super) fn resume_at(&self, beginning: Position) -> Position {
        self.index.map_or(beginning, |index| index.max(beginning))
    }

    /// Reads on.
    pub(super) fn apply(&mut self, entries: Vec<LogEntry>) -> Result<(), StoreError> {
        for LogEntry { position, data } in entries {
            if self.index.is_none_or(|index| index < position) {
                self.apply_one(position, data)?;
                self.index = Some(position);
            }
        }
        Ok(())
    }

    fn apply_one(&mut self, position: Position, data: Bytes) -> Result<(), StoreError> {
        let malformed = StoreError::MalformedOperation;
        let operation: Operation =
            Checker::of::<Operation>().decode(data).map_err(|_| malformed.clone())?;
        match operation.r#type() {
            Type::Snapshot => {
                let entry = operation.snapshot.ok_or(malformed)?.entry;
                self.keep(Kept { position, entry, diffs: 0 });
            }
            Type::Diff => {
                let diff = operation.diff.ok_or(malformed)?.entry;
                let kept = self.snapshots.get(&diff.name);
                let missing = || StoreError::DiffWithoutSnapshot(diff.name.clone());
                let kept = kept.ok_or_else(missing)?;
                let value = svndiff::patch(&kept.entry.value, &diff.value)?;
                let (position, diffs) = (kept.position, kept.diffs + 1);
                self.keep(Kept { position, entry: Entry { value, ..diff }, diffs });
            }
            Type::Expunge => {
                self.snapshots.remove(&operation.expunge.ok_or(malformed)?.name);
            }
        }
        Ok(())
    }

    /// Takes note of what was written.
    pub(super) fn take(&mut self, position: Position, change: Change) {
        self.index = Some(position);
        match change {
            Change::Snapshot(entry) => self.keep(Kept { position, entry, diffs: 0 }),
            Change::Diff(entry, _) => {
                if let Some(kept) = self.snapshots.get_mut(&entry.name) {
                    kept.entry = entry;
                    kept.diffs += 1;
                }
            }
            Change::Expunge(name) => {
                self.snapshots.remove(&name);
            }
        }
    }

    fn keep(&mut self, kept: Kept) {
        self.snapshots.insert(kept.entry.name.clone(), kept);
    }

    /// The first position that is still needed.
    pub(super) fn oldest(&self) -> Option<Position> {
        self.snapshots.values().map(|kept| kept.position).min()
    }
}
