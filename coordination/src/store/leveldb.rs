//! Entries in LevelDB's files: a key for each name, the encoded entry as its value. Called by
//! `State`. The files belong to a thread of their own, since they block, and it ends with the
//! storage. Upstream: `state::LevelDBStorage`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;

use prost::Message;
use proto::initialized::Checker;
use proto::mesos::internal::state::Entry;
use rusty_leveldb::{DB, LdbIterator, Status};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::backend::{Answer, Storage, StoreError, admits};
use crate::log::leveldb::{Shared, open_files, value};

type Job = Box<dyn FnOnce(&mut Files) + Send>;

/// The storage.
pub struct LevelDbStorage {
    jobs: mpsc::Sender<Job>,
}

impl fmt::Debug for LevelDbStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LevelDbStorage")
    }
}

/// The files as they were opened.
struct Files {
    shared: Arc<Shared>,
    database: Result<DB, StoreError>,
}

impl LevelDbStorage {
    /// The entries in a directory, which is made if its parent is there. Whatever is wrong with
    /// it is told by every call.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn open(path: &Path) -> std::io::Result<LevelDbStorage> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let path = path.to_owned();
        thread::Builder::new().name("leveldb-storage".to_owned()).spawn(move || {
            let mut files = Files::open(&path);
            for job in queue {
                job(&mut files);
            }
        })?;
        Ok(LevelDbStorage { jobs })
    }

    fn answer<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Files) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<T> {
        let (done, outcome) = oneshot::channel();
        let job: Job = Box::new(move |files| {
            // Nobody may be waiting any more.
            let _ = done.send(work(files));
        });
        // Without the thread `done` is gone, too.
        let _ = self.jobs.send(job);
        Box::pin(async move { outcome.await.unwrap_or(Err(StoreError::Closed)) })
    }
}

impl Files {
    fn open(path: &Path) -> Files {
        let shared = Arc::new(Shared::default());
        let database = open_files(path, &shared).map_err(|status| failure(&shared, status));
        Files { shared, database }
    }

    fn database(&mut self) -> Result<&mut DB, StoreError> {
        self.database.as_mut().map_err(|error| error.clone())
    }

    /// The library keeps some errors to itself, but the files do not.
    fn check(&self) -> Result<(), StoreError> {
        self.shared.fault().map_or(Ok(()), |fault| Err(StoreError::Files(fault)))
    }

    fn get(&mut self, name: &str) -> Result<Option<Entry>, StoreError> {
        let bytes = value(self.database()?, name.as_bytes());
        self.check()?;
        let bytes = bytes.map_err(|status| failure(&self.shared, status))?;
        let entry = bytes.map(|bytes| Checker::of::<Entry>().decode(bytes)).transpose();
        entry.map_err(|_| StoreError::MalformedEntry)
    }

    fn set(&mut self, entry: &Entry, uuid: Uuid) -> Result<bool, StoreError> {
        if !admits(self.get(&entry.name)?.as_ref(), uuid.as_bytes()) {
            return Ok(false);
        }
        self.write(|database| database.put(entry.name.as_bytes(), &entry.encode_to_vec()))
    }

    fn expunge(&mut self, entry: &Entry) -> Result<bool, StoreError> {
        if self.get(&entry.name)?.is_none_or(|present| present.uuid != entry.uuid) {
            return Ok(false);
        }
        self.write(|database| database.delete(entry.name.as_bytes()))
    }

    /// Makes a change, which is on disk then.
    fn write(
        &mut self,
        change: impl FnOnce(&mut DB) -> Result<(), Status>,
    ) -> Result<bool, StoreError> {
        let database = self.database()?;
        let written = change(database).and_then(|()| database.flush());
        written.map_err(|status| failure(&self.shared, status))?;
        self.check()?;
        Ok(true)
    }

    fn names(&mut self) -> Result<BTreeSet<String>, StoreError> {
        let entries = self.database()?.new_iter();
        let mut entries = entries.map_err(|status| failure(&self.shared, status))?;
        let mut names = BTreeSet::new();
        while let Some((name, _)) = entries.next() {
            names.insert(String::from_utf8_lossy(&name).into_owned());
        }
        self.check()?;
        Ok(names)
    }
}

/// What the files say is closer to the cause than what the library makes of it.
fn failure(shared: &Shared, status: Status) -> StoreError {
    StoreError::Files(shared.fault().unwrap_or(status.err))
}

impl Storage for LevelDbStorage {
    fn get(&self, name: &str) -> Answer<Option<Entry>> {
        let name = name.to_owned();
        self.answer(move |files| files.get(&name))
    }

    fn set(&self, entry: Entry, uuid: Uuid) -> Answer<bool> {
        self.answer(move |files| files.set(&entry, uuid))
    }

    fn expunge(&self, entry: Entry) -> Answer<bool> {
        self.answer(move |files| files.expunge(&entry))
    }

    fn names(&self) -> Answer<BTreeSet<String>> {
        self.answer(Files::names)
    }
}
