//! A session with ZooKeeper: the calls that are needed, and news of its state.
//! Called by `group` and by state stores, in futures that the runtime runs: the library's own
//! tasks live beside them. Never tries again and never logs.
//!
//! Upstream: `class ZooKeeper`.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use libprocess::Stopwatch;
use zookeeper_client::{
    Acl, Acls, AuthId, Client, CreateMode, CreateOptions, Error, EventType, MultiWriteError,
    MultiWriteResult, Permission, SessionState, StateWatcher,
};

use crate::zookeeper::error::ZooKeeperError;
use crate::zookeeper::lease::Lease;
use crate::zookeeper::url::Url;

/// How often the server is asked for a sign of life within the session's timeout; the library
/// pings no more often, and not at all beside this.
const TOUCHES: u32 = 8;

/// How long the end of a session is waited for.
const CLOSE_AT_MOST: Duration = Duration::from_secs(1);

/// What others may do with the nodes of one who has credentials.
static READ_ONLY: LazyLock<[Acl; 2]> = LazyLock::new(|| {
    [Acl::new(Permission::READ, AuthId::anyone()), Acl::new(Permission::ALL, AuthId::authed())]
});

/// A session. Clones are the same one; with the last one it ends.
#[derive(Clone)]
pub struct Session {
    client: Client,
    has_credentials: bool,
}

/// How a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has a connection.
    Connected,
    /// It has none, and looks for one.
    Disconnected,
    /// It is over.
    Expired,
    /// The server does not accept the credentials; it is over.
    AuthFailed,
}

/// What a session comes to.
pub struct States(StateWatcher);

impl States {
    /// The next state that it is in; waits for ever once it is over.
    pub async fn next(&mut self) -> State {
        match self.0.changed().await {
            SessionState::SyncConnected | SessionState::ConnectedReadOnly => State::Connected,
            SessionState::Disconnected => State::Disconnected,
            SessionState::AuthFailed => State::AuthFailed,
            SessionState::Expired | SessionState::Closed => State::Expired,
        }
    }
}

impl Session {
    /// Begins a session with the servers of `url`, which lasts for `timeout` without a connection
    /// unless the servers have it otherwise. Tries for that long.
    ///
    /// # Errors
    /// If there is no server to be had, or none could be with this URL.
    pub async fn connect(url: Url, timeout: Duration) -> Result<Session, ZooKeeperError> {
        let connector = Client::connector().with_session_timeout(timeout);
        let client = connector.connect(&url.servers).await?;
        Ok(Session { client, has_credentials: url.credentials.is_some() })
    }

    /// Its number; it changes only with the session.
    pub fn id(&self) -> i64 {
        self.client.session_id().0
    }

    /// What the server made of the timeout that was asked for.
    pub fn timeout(&self) -> Duration {
        self.client.session_timeout()
    }

    /// What it comes to from now on.
    pub fn states(&self) -> States {
        States(self.client.state_watcher())
    }

    /// Keeps `lease` for as long as it is polled and the session is alive.
    pub(crate) async fn keep(self, lease: &Lease) {
        let timeout = self.timeout();
        loop {
            let sent = Stopwatch::start();
            match self.client.check_stat("/").await {
                Ok(_) => lease.renew(sent, timeout),
                Err(Error::SessionExpired | Error::AuthFailed | Error::ClientClosed) => return,
                Err(_) => {}
            }
            tokio::time::sleep(timeout / TOUCHES).await;
        }
    }

    /// Proves who we are. `credentials` is `user:password`.
    ///
    /// # Errors
    /// What the server says.
    pub async fn authenticate(&self, credentials: &str) -> Result<(), ZooKeeperError> {
        Ok(self.client.auth("digest", credentials.as_bytes()).await?)
    }

    /// Makes a node that stays, and those above it that are missing.
    ///
    /// # Errors
    /// What the server says; that the node is there is none.
    pub async fn make_path(&self, path: &str) -> Result<(), ZooKeeperError> {
        // Somebody who may only read can be content with a node that is there.
        if self.client.check_stat(path).await?.is_some() {
            return Ok(());
        }
        Ok(self.client.mkdir(path, &self.options(CreateMode::Persistent)).await?)
    }

    /// Makes nodes that last as long as the session, all or none of them, and gives their names,
    /// which are the prefixes with numbers behind. Those of one call follow each other. Each comes
    /// with what it holds.
    ///
    /// # Errors
    /// What the server says.
    pub async fn make_members(
        &self,
        folder: &str,
        members: &[(String, Bytes)],
    ) -> Result<Vec<String>, ZooKeeperError> {
        let options = self.options(CreateMode::EphemeralSequential);
        let mut transaction = self.client.new_multi_writer();
        for (prefix, data) in members {
            transaction.add_create(&format!("{folder}/{prefix}"), data, &options)?;
        }
        let made = transaction.commit().await.map_err(plain)?;
        let name = |made: MultiWriteResult| match made {
            MultiWriteResult::Create { path, .. } => path.rsplit('/').next().map(str::to_owned),
            _ => None,
        };
        Ok(made.into_iter().filter_map(name).collect())
    }

    /// Makes a node that stays.
    ///
    /// # Errors
    /// What the server says.
    pub async fn create(&self, path: &str, data: &[u8]) -> Result<(), ZooKeeperError> {
        self.client.create(path, data, &self.options(CreateMode::Persistent)).await?;
        Ok(())
    }

    /// Removes these nodes, all or none of them.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove(&self, paths: &[String]) -> Result<(), ZooKeeperError> {
        let mut transaction = self.client.new_multi_writer();
        for path in paths {
            transaction.add_delete(path, None)?;
        }
        transaction.commit().await.map_err(plain)?;
        Ok(())
    }

    /// Removes a node if it has this version.
    ///
    /// # Errors
    /// What the server says.
    pub async fn remove_version(&self, path: &str, version: i32) -> Result<(), ZooKeeperError> {
        Ok(self.client.delete(path, Some(version)).await?)
    }

    /// What a node holds and its version; `None` if it is not there.
    ///
    /// # Errors
    /// What the server says.
    pub async fn read(&self, path: &str) -> Result<Option<(Vec<u8>, i32)>, ZooKeeperError> {
        match self.client.get_data(path).await {
            Ok((data, stat)) => Ok(Some((data, stat.version))),
            Err(Error::NoNode) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts `data` into a node if it has this version.
    ///
    /// # Errors
    /// What the server says.
    pub async fn write(&self, path: &str, data: &[u8], version: i32) -> Result<(), ZooKeeperError> {
        self.client.set_data(path, data, Some(version)).await?;
        Ok(())
    }

    /// The names of the nodes below `path`.
    ///
    /// # Errors
    /// What the server says.
    pub async fn children(&self, path: &str) -> Result<Vec<String>, ZooKeeperError> {
        Ok(self.client.list_children(path).await?)
    }

    /// The names of the nodes below `path`, and what completes when they are others; with false
    /// if that is because the session is over.
    ///
    /// # Errors
    /// What the server says.
    pub async fn watch_children(
        &self,
        path: &str,
    ) -> Result<(Vec<String>, impl Future<Output = bool> + Send + use<>), ZooKeeperError> {
        let (children, watcher) = self.client.list_and_watch_children(path).await?;
        let changed = async { watcher.changed().await.event_type != EventType::Session };
        Ok((children, changed))
    }

    /// Ends the session: its nodes are gone when this completes, if there is a connection.
    pub async fn close(self) {
        let mut states = self.states();
        drop(self);
        let closed = async { while states.next().await != State::Expired {} };
        // Without a connection nobody can be told: the server ends it when its time is over.
        let _ = tokio::time::timeout(CLOSE_AT_MOST, closed).await;
    }

    fn options(&self, mode: CreateMode) -> CreateOptions<'static> {
        mode.with_acls(match self.has_credentials {
            true => Acls::new(&*READ_ONLY),
            false => Acls::anyone_all(),
        })
    }
}

fn plain(error: MultiWriteError) -> ZooKeeperError {
    Error::from(error).into()
}
