//! Entries in ZooKeeper: a node for each name, the encoded entry as what it holds. Called by
//! `State`. What fails with a connection is tried again until it does not, or nobody waits for it.
//! Upstream: `state::ZooKeeperStorage`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use libprocess::Runtime;
use prost::Message;
use proto::initialized::Checker;
use proto::mesos::internal::state::Entry;
use tokio::sync::{Mutex, oneshot};
use uuid::Uuid;

use super::backend::{Answer, Storage, StoreError, admits};
use crate::zookeeper::{Session, Url, ZooKeeperError};

/// What a node can hold.
const SIZE_MAX: usize = 1024 * 1024;

/// How long a lost connection is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The storage. `Clone` shares it.
#[derive(Clone)]
pub struct ZooKeeperStorage {
    runtime: Runtime,
    url: Url,
    timeout: Duration,
    session: Arc<Mutex<Option<Session>>>,
}

impl fmt::Debug for ZooKeeperStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ZooKeeperStorage")
    }
}

impl ZooKeeperStorage {
    /// The entries below the node that `url` means, in a session that lasts for `timeout` without
    /// a connection.
    pub fn new(runtime: &Runtime, url: Url, timeout: Duration) -> ZooKeeperStorage {
        ZooKeeperStorage { runtime: runtime.clone(), url, timeout, session: Arc::default() }
    }

    /// Asks beside the actors, and again if that may help.
    fn answer<T, F>(&self, ask: impl Fn(Session, Nodes) -> F + Send + 'static) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let (done, outcome) = oneshot::channel();
        let this = self.clone();
        self.runtime.run(async move {
            while !done.is_closed() {
                let answer = match this.session().await {
                    Ok(session) => ask(session, Nodes(this.url.node().to_owned())).await,
                    Err(error) => Err(error.into()),
                };
                if !matches!(&answer, Err(StoreError::ZooKeeper(error)) if error.is_retryable()) {
                    // Nobody may be waiting any more.
                    let _ = done.send(answer);
                    return;
                }
                *this.session.lock().await = None;
                this.runtime.clock().sleep(RETRY_AFTER).await;
            }
        });
        Box::pin(async move { outcome.await.unwrap_or(Err(StoreError::Closed)) })
    }

    async fn session(&self) -> Result<Session, ZooKeeperError> {
        let mut session = self.session.lock().await;
        if let Some(session) = &*session {
            return Ok(session.clone());
        }
        let new = Session::connect(self.url.clone(), self.timeout).await?;
        if let Some(credentials) = &self.url.credentials {
            new.authenticate(credentials).await?;
        }
        Ok(session.insert(new).clone())
    }
}

/// The node above all entries.
struct Nodes(String);

impl Nodes {
    fn of(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    async fn read(
        &self,
        session: &Session,
        name: &str,
    ) -> Result<Option<(Entry, i32)>, StoreError> {
        let Some((data, version)) = session.read(&self.of(name)).await? else { return Ok(None) };
        let entry = Checker::of::<Entry>().decode(data.into());
        Ok(Some((entry.map_err(|_| StoreError::MalformedEntry)?, version)))
    }

    async fn set(&self, session: &Session, entry: &Entry, uuid: Uuid) -> Result<bool, StoreError> {
        let data = entry.encode_to_vec();
        if data.len() > SIZE_MAX {
            return Err(StoreError::TooBig);
        }
        let path = self.of(&entry.name);
        let Some((present, version)) = self.read(session, &entry.name).await? else {
            session.make_path(&self.0).await?;
            return was_ours(session.create(&path, &data).await);
        };
        if present == *entry {
            // An earlier attempt of ours, whose answer was lost.
            return Ok(true);
        }
        if !admits(Some(&present), uuid.as_bytes()) {
            return Ok(false);
        }
        was_ours(session.write(&path, &data, version).await)
    }

    async fn expunge(&self, session: &Session, entry: &Entry) -> Result<bool, StoreError> {
        match self.read(session, &entry.name).await? {
            Some((present, version)) if present.uuid == entry.uuid => {
                was_ours(session.remove_version(&self.of(&entry.name), version).await)
            }
            _ => Ok(false),
        }
    }
}

/// False if somebody else was faster.
fn was_ours(written: Result<(), ZooKeeperError>) -> Result<bool, StoreError> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.is_bad_version() || error.is_no_node() || error.is_node_exists() => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

impl Storage for ZooKeeperStorage {
    fn get(&self, name: &str) -> Answer<Option<Entry>> {
        let name = name.to_owned();
        self.answer(move |session, nodes| {
            let name = name.clone();
            async move {
                let read = nodes.read(&session, &name).await?;
                Ok(read.map(|(entry, _)| entry))
            }
        })
    }

    fn set(&self, entry: Entry, uuid: Uuid) -> Answer<bool> {
        self.answer(move |session, nodes| {
            let entry = entry.clone();
            async move { nodes.set(&session, &entry, uuid).await }
        })
    }

    fn expunge(&self, entry: Entry) -> Answer<bool> {
        self.answer(move |session, nodes| {
            let entry = entry.clone();
            async move { nodes.expunge(&session, &entry).await }
        })
    }

    fn names(&self) -> Answer<BTreeSet<String>> {
        self.answer(|session, nodes| async move {
            session.make_path(&nodes.0).await?;
            Ok(session.children(&nodes.0).await?.into_iter().collect())
        })
    }
}
