//! Entries kept in a log that others write too, one writer at a time. The whole log is read once
//! and remembered; who is no longer the writer hears so from a store that is refused, and reads
//! what was written meanwhile before the next one.
//! Called by `State`. Sees a log through the trait below only, and writes one operation at a time.
//! Upstream: `state::LogStorage`, whose records these are.

mod replay;
mod replicated;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use libprocess::metrics::Timer;
use libprocess::{Runtime, vlog};
use prost::Message;
use proto::mesos::internal::state::operation::{Diff, Expunge, Snapshot, Type};
use proto::mesos::internal::state::{Entry, Operation};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use uuid::Uuid;

use super::backend::{Answer, Storage, StoreError, admits};
use super::svndiff;
use crate::log::{Entry as LogEntry, Position};
use replay::Replayed;
pub use replicated::ReplicatedLog;

/// A log with one writer. `None` says that there is another writer now.
pub trait Log: Send + Sync + 'static {
    /// Becomes the writer, and gives the last position. `None` if somebody else was faster.
    fn elect(&self) -> Answer<Option<Position>>;

    /// Writes an entry, and gives its position.
    fn append(&self, data: Bytes) -> Answer<Option<Position>>;

    /// Forgets everything before a position, and gives the position of this fact itself.
    fn truncate(&self, to: Position) -> Answer<Option<Position>>;

    /// The first position that is not forgotten.
    fn beginning(&self) -> Answer<Position>;

    /// The entries from one position to another, both included.
    fn read(&self, from: Position, to: Position) -> Answer<Vec<LogEntry>>;
}

/// The storage. `Clone` shares it.
#[derive(Clone)]
pub struct LogStorage {
    runtime: Runtime,
    log: Arc<dyn Log>,
    diffs_between_snapshots: usize,
    diff_timer: Timer,
    /// Held throughout an operation that writes.
    replayed: Arc<Mutex<Replayed>>,
}

impl fmt::Debug for LogStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogStorage")
    }
}

/// What is to become of an entry.
enum Change {
    Snapshot(Entry),
    /// The entry as it will be, and the patch that leads to it.
    Diff(Entry, Bytes),
    Expunge(String),
}

impl LogStorage {
    /// The entries of a log. Of a large value that is stored again and again, so many patches may
    /// follow a whole one; 0 is what masters use, and all that upstream's 0.20 can read.
    pub fn new(runtime: &Runtime, log: impl Log, diffs_between_snapshots: usize) -> LogStorage {
        LogStorage {
            log: Arc::new(log),
            diffs_between_snapshots,
            diff_timer: runtime.metrics().timer("log_storage/diff"),
            replayed: Arc::default(),
            runtime: runtime.clone(),
        }
    }

    /// What the log says, once we are its writer. Nothing is written here that could be left
    /// half done, so that the caller may lose patience.
    async fn replayed(&self) -> Result<OwnedMutexGuard<Replayed>, StoreError> {
        let mut replayed = self.replayed.clone().lock_owned().await;
        while !replayed.is_writer {
            vlog!(2, "Starting the writer");
            let Some(end) = self.log.elect().await? else {
                vlog!(2, "Writer failed to get elected, retrying");
                continue;
            };
            vlog!(2, "Writer got elected at position {end}");
            let beginning = self.log.beginning().await?;
            let entries = self.log.read(replayed.resume_at(beginning), end).await?;
            vlog!(2, "Applying operations ({} entries)", entries.len());
            replayed.apply(entries)?;
            replayed.truncated = beginning;
            replayed.is_writer = true;
        }
        Ok(replayed)
    }

    /// Writes a change, even if the caller does not wait for it: what the log holds must be known.
    async fn write(
        &self,
        mut replayed: OwnedMutexGuard<Replayed>,
        change: Change,
    ) -> Result<bool, StoreError> {
        let (done, outcome) = oneshot::channel();
        let log = self.log.clone();
        self.runtime.run(async move {
            let data = change.operation().encode_to_vec().into();
            let written = log.append(data).await;
            replayed.is_writer = matches!(written, Ok(Some(_)));
            if let Ok(Some(position)) = &written {
                replayed.take(*position, change);
            }
            let is_written = written.map(|position| position.is_some());
            let was_written = is_written == Ok(true);
            // The caller may have lost patience.
            let _ = done.send(is_written);
            if was_written {
                truncate(&*log, &mut replayed).await;
            }
        });
        outcome.await.unwrap_or(Err(StoreError::Closed))
    }

    fn change(&self, replayed: &Replayed, entry: Entry) -> Change {
        let Some(present) = replayed.snapshots.get(&entry.name) else {
            return Change::Snapshot(entry);
        };
        if present.diffs >= self.diffs_between_snapshots {
            return Change::Snapshot(entry);
        }
        let clock = self.runtime.clock();
        let start = clock.now();
        let patch = svndiff::diff(&present.entry.value, &entry.value);
        self.diff_timer.record(clock.now().since(start));
        // Only if it is smaller than what it stands for.
        if patch.len() < entry.value.len() {
            Change::Diff(entry, patch)
        } else {
            Change::Snapshot(entry)
        }
    }
}

/// Forgets what no entry needs any more. A failure shows at the next write.
async fn truncate(log: &dyn Log, replayed: &mut Replayed) {
    let Some(oldest) = replayed.oldest().filter(|oldest| *oldest > replayed.truncated) else {
        return;
    };
    if let Ok(Some(position)) = log.truncate(oldest).await {
        replayed.truncated = oldest;
        replayed.index = Some(position);
    }
}

impl Change {
    fn operation(&self) -> Operation {
        let mut operation = Operation::default();
        match self {
            Change::Snapshot(entry) => {
                operation.set_type(Type::Snapshot);
                operation.snapshot = Some(Snapshot { entry: entry.clone() });
            }
            Change::Diff(entry, patch) => {
                operation.set_type(Type::Diff);
                let entry = Entry { value: patch.clone(), ..entry.clone() };
                operation.diff = Some(Diff { entry });
            }
            Change::Expunge(name) => {
                operation.set_type(Type::Expunge);
                operation.expunge = Some(Expunge { name: name.clone() });
            }
        }
        operation
    }
}

impl Storage for LogStorage {
    fn get(&self, name: &str) -> Answer<Option<Entry>> {
        let (this, name) = (self.clone(), name.to_owned());
        Box::pin(async move {
            let replayed = this.replayed().await?;
            Ok(replayed.snapshots.get(&name).map(|snapshot| snapshot.entry.clone()))
        })
    }

    fn set(&self, entry: Entry, uuid: Uuid) -> Answer<bool> {
        let this = self.clone();
        Box::pin(async move {
            let replayed = this.replayed().await?;
            let present = replayed.snapshots.get(&entry.name).map(|snapshot| &snapshot.entry);
            if !admits(present, uuid.as_bytes()) {
                return Ok(false);
            }
            let change = this.change(&replayed, entry);
            this.write(replayed, change).await
        })
    }

    fn expunge(&self, entry: Entry) -> Answer<bool> {
        let this = self.clone();
        Box::pin(async move {
            let replayed = this.replayed().await?;
            let present = replayed.snapshots.get(&entry.name);
            if present.is_none_or(|present| present.entry.uuid != entry.uuid) {
                return Ok(false);
            }
            this.write(replayed, Change::Expunge(entry.name)).await
        })
    }

    fn names(&self) -> Answer<BTreeSet<String>> {
        let this = self.clone();
        Box::pin(async move {
            let replayed = this.replayed().await?;
            Ok(replayed.snapshots.keys().cloned().collect())
        })
    }
}
