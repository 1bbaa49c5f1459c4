//! A variable and where it is kept. Called by whoever has something to keep; never changes a
//! value without being told its last version. Upstream: `state::State`, `state::Variable`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use proto::mesos::internal::state::Entry;
use uuid::Uuid;

use super::backend::{Storage, StoreError};

/// One version of a variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    entry: Entry,
    /// The version that storing it replaces.
    version: Uuid,
}

impl Variable {
    /// The bytes; none of a variable that was never stored.
    pub fn value(&self) -> &Bytes {
        &self.entry.value
    }

    /// The same variable with other bytes, not stored yet.
    #[must_use]
    pub fn mutate(&self, value: Bytes) -> Variable {
        let entry = Entry { name: self.entry.name.clone(), value, ..Entry::default() };
        Variable { entry, version: self.version }
    }
}

/// Variables by name, in some storage. Clones share it.
#[derive(Clone)]
pub struct State {
    storage: Arc<dyn Storage>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State")
    }
}

impl State {
    /// The variables of a storage.
    pub fn new(storage: impl Storage) -> State {
        State { storage: Arc::new(storage) }
    }

    /// The variable as it was last stored; a new one if it never was.
    ///
    /// # Errors
    /// When the storage cannot be read.
    pub async fn fetch(&self, name: &str) -> Result<Variable, StoreError> {
        let Some(entry) = self.storage.get(name).await? else {
            let version = Uuid::new_v4();
            let uuid = Bytes::copy_from_slice(version.as_bytes());
            let entry = Entry { name: name.to_owned(), uuid, value: Bytes::new() };
            return Ok(Variable { entry, version });
        };
        let version = Uuid::from_slice(&entry.uuid).map_err(|_| StoreError::MalformedEntry)?;
        Ok(Variable { entry, version })
    }

    /// Stores a variable and gives its new version; `None` if it is no longer the last one.
    ///
    /// # Errors
    /// When the storage cannot be written. Whether it was is not known then.
    pub async fn store(&self, variable: Variable) -> Result<Option<Variable>, StoreError> {
        let version = Uuid::new_v4();
        let uuid = Bytes::copy_from_slice(version.as_bytes());
        let entry = Entry { uuid, ..variable.entry };
        let stored = self.storage.set(entry.clone(), variable.version).await?;
        Ok(stored.then_some(Variable { entry, version }))
    }

    /// Removes a variable; false if it is no longer the last version, or not there.
    ///
    /// # Errors
    /// When the storage cannot be written.
    pub async fn expunge(&self, variable: Variable) -> Result<bool, StoreError> {
        let uuid = Bytes::copy_from_slice(variable.version.as_bytes());
        self.storage.expunge(Entry { uuid, ..variable.entry }).await
    }

    /// The names of all variables.
    ///
    /// # Errors
    /// When the storage cannot be read.
    pub async fn names(&self) -> Result<BTreeSet<String>, StoreError> {
        self.storage.names().await
    }
}
