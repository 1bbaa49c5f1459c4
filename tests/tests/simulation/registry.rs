//! A registry in memory that outlives the masters and watches who writes it: no leader after a
//! later one has.

use std::collections::BTreeSet;
use std::future::ready;

use coordination::store::Storage;
use coordination::store::backend::Answer;
use coordination::store::in_memory::InMemoryStorage;
use futures_util::FutureExt;
use parking_lot::Mutex;
use prost::Message;
use proto::mesos::internal;
use proto::mesos::internal::state::Entry;
use uuid::Uuid;

use crate::election::Election;

/// The storage.
pub(crate) struct Registry {
    storage: InMemoryStorage,
    election: Election,
    /// The lease of the leader who wrote last.
    latest: Mutex<u64>,
}

impl Registry {
    pub(crate) fn new(election: &Election) -> Self {
        let (storage, latest) = (InMemoryStorage::default(), Mutex::default());
        Self { storage, election: election.clone(), latest }
    }

    /// Whose registry an entry is, by the lease.
    fn lease(&self, entry: &Entry) -> u64 {
        let registry = internal::Registry::decode(&entry.value[..]).expect("a registry");
        let master = registry.master.expect("a leader puts its name into it first");
        self.election.lease(&master.info.id).expect("a candidate")
    }
}

impl Storage for Registry {
    fn get(&self, name: &str) -> Answer<Option<Entry>> {
        self.storage.get(name)
    }

    fn set(&self, entry: Entry, uuid: Uuid) -> Answer<bool> {
        let lease = self.lease(&entry);
        let written = self.storage.set(entry, uuid).now_or_never().expect("done at once");
        let mut latest = self.latest.lock();
        if let Ok(true) = written {
            assert!(*latest <= lease, "lease {lease} writes after {latest}");
            *latest = lease;
        }
        Box::pin(ready(written))
    }

    fn expunge(&self, entry: Entry) -> Answer<bool> {
        self.storage.expunge(entry)
    }

    fn names(&self) -> Answer<BTreeSet<String>> {
        self.storage.names()
    }
}
