//! Entries in LevelDB's files: a key for each name, the encoded entry as its value. Called by
//! `State`. The files belong to a thread of their own, since they block, and it ends with the
//! storage. Upstream: `state::LevelDBStorage`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use prost::Message;
use proto::initialized::Checker;
use proto::mesos::internal::state::Entry;
use rusty_leveldb::{DB, LdbIterator, Options, Status};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::backend::{Answer, Storage, StoreError, admits};

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
    path: PathBuf,
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
            let mut files = Files::open(path);
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
    fn open(path: PathBuf) -> Files {
        let failed = |status: Status| files_error(&path, &status);
        let database = DB::open(&path, Options::default()).map_err(failed);
        Files { path, database }
    }

    fn database(&mut self) -> Result<&mut DB, StoreError> {
        self.database.as_mut().map_err(|error| error.clone())
    }

    fn get(&mut self, name: &str) -> Result<Option<Entry>, StoreError> {
        let Some(bytes) = self.database()?.get(name.as_bytes()) else { return Ok(None) };
        let bytes = Bytes::copy_from_slice(&bytes);
        let entry = Checker::of::<Entry>().decode(bytes);
        entry.map(Some).map_err(|_| StoreError::MalformedEntry)
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
        written.map(|()| true).map_err(|status| files_error(&self.path, &status))
    }

    fn names(&mut self) -> Result<BTreeSet<String>, StoreError> {
        let entries = self.database()?.new_iter();
        let mut entries = entries.map_err(|status| files_error(&self.path, &status))?;
        let mut names = BTreeSet::new();
        while let Some((name, _)) = entries.next() {
            names.insert(String::from_utf8_lossy(&name).into_owned());
        }
        Ok(names)
    }
}

fn files_error(path: &Path, status: &Status) -> StoreError {
    StoreError::Files { path: path.to_owned(), why: status.to_string() }
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
