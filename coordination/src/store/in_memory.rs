//! Entries that live no longer than the process. Upstream: `state::InMemoryStorage`.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;

use parking_lot::Mutex;
use proto::mesos::internal::state::Entry;
use uuid::Uuid;

use super::backend::{Answer, Storage, admits};

/// A map; done with every call at once.
#[derive(Debug, Default)]
pub struct InMemoryStorage {
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl Storage for InMemoryStorage {
    fn get(&self, name: &str) -> Answer<Option<Entry>> {
        let entry = self.entries.lock().get(name).cloned();
        Box::pin(ready(Ok(entry)))
    }

    fn set(&self, entry: Entry, uuid: Uuid) -> Answer<bool> {
        let mut entries = self.entries.lock();
        let admitted = admits(entries.get(&entry.name), uuid.as_bytes());
        if admitted {
            entries.insert(entry.name.clone(), entry);
        }
        Box::pin(ready(Ok(admitted)))
    }

    fn expunge(&self, entry: Entry) -> Answer<bool> {
        let mut entries = self.entries.lock();
        let found = entries.get(&entry.name).is_some_and(|present| present.uuid == entry.uuid);
        if found {
            entries.remove(&entry.name);
        }
        Box::pin(ready(Ok(found)))
    }

    fn names(&self) -> Answer<BTreeSet<String>> {
        let names = self.entries.lock().keys().cloned().collect();
        Box::pin(ready(Ok(names)))
    }
}
