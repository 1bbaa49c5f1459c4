//! The replicated log: a sequence of entries that a majority of replicas agrees on, each of which
//! keeps it on its disk. Called by whoever keeps state in it, and by `mesos-log`.
//!
//! From below: `acceptor` is what a replica may answer, `leveldb` its files, `store` both together,
//! `replica` the actor around them. `round`, `fill`, `catchup`, `coordinator` and `recovery` are
//! what a proposer does, one inside of the other, and pure; `drive` does it. `process` is the actor
//! that recovers the own replica, `writer` and `reader` are what users see.
//!
//! On the wire and on disk it is upstream's: replicas of both stand in one quorum, and each opens
//! the other's files.
//!
//! Upstream: `src/log`.

mod message;
mod positions;

mod acceptor;
pub(crate) mod leveldb;
mod replica;
mod storage;
mod store;

mod catchup;
mod coordinator;
mod fill;
mod recovery;
mod round;
mod turn;

mod drive;
mod network;
mod process;

mod offline;
mod reader;
mod writer;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use libprocess::{Inject, Pid, Runtime, Upid};
use tokio::sync::{oneshot, watch};

use crate::group::GroupError;

pub use self::coordinator::Full;
pub use self::message::LAST_POSITION;
pub use self::network::Network;
pub use self::offline::Offline;
pub use self::process::RecoverError;
pub use self::reader::{ReadError, Reader};
pub use self::recovery::{AutoInitialize, StatusNotWritten};
pub use self::storage::StorageError;
pub use self::store::ReadError as RangeError;
pub use self::writer::{WriteError, Writer};

use self::drive::Peers;
use self::leveldb::LevelDb;
use self::network::Members;
use self::process::{LogProcess, Recovered};
use self::replica::{Opened, OwnReplica, Replica};
use self::storage::Storage;
use self::store::Store;

/// A place in the log. Upstream: `Log::Position`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was appended, and where. Upstream: `Log::Entry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub position: Position,
    /// What.
    pub data: Bytes,
}

/// How a log is kept.
pub struct Config {
    /// How many replicas make a majority: `q` of `2q - 1`. At least 1.
    pub quorum: usize,
    /// The folder of the own replica; its parent must be there.
    pub path: PathBuf,
    /// The other replicas.
    pub network: Network,
    /// Whether a log that nobody has ever used may be begun.
    pub auto_initialize: AutoInitialize,
}

/// Why there is no log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No number of replicas has such a majority.
    #[error("A quorum of 0 replicas cannot be reached")]
    NoQuorum,
    /// The own replica's files.
    #[error("Failed to recover the log: {0}")]
    Storage(#[from] StorageError),
}

/// A log with its own replica. It ends when it is dropped. Upstream: `Log`.
pub struct Log {
    peers: Peers,
    process: Pid<LogProcess>,
    recovered: watch::Receiver<Recovered>,
    expelled: watch::Receiver<Option<GroupError>>,
    files_closed: Option<oneshot::Receiver<Infallible>>,
}

impl Log {
    /// Opens the own replica, which may block for as long as its files take to be read, and begins
    /// to recover it.
    ///
    /// # Errors
    /// When the files cannot be had.
    pub fn start(runtime: &Runtime, config: Config) -> Result<Log, StartError> {
        let storage = LevelDb::new(&config.path, runtime.clock().clone());
        Self::start_on(runtime, config, Box::new(storage))
    }

    /// As [`Log::start`], with the own replica on a storage that is not in the files of the path.
    fn start_on(
        runtime: &Runtime,
        config: Config,
        storage: Box<dyn Storage>,
    ) -> Result<Log, StartError> {
        let Config { quorum, network, auto_initialize, path: _ } = config;
        if quorum == 0 {
            return Err(StartError::NoQuorum);
        }
        let store = Store::open(storage)?;
        let members = Members::default();
        let replica = runtime.spawn_numbered("log-replica", || Replica::new(members.clone()));
        let (closed, files_closed) = oneshot::channel();
        let opened = Opened { store, _closed: closed };
        replica.tell(|replica, ctx| replica.open(ctx, opened));
        let peers =
            Peers { runtime: runtime.clone(), quorum, members, replica: OwnReplica::new(replica) };
        let (recovering, recovered) = watch::channel(None);
        let (expelling, expelled) = watch::channel(None);
        let (recovering, expelling) = (Arc::new(recovering), Arc::new(expelling));
        let process = runtime.spawn_numbered("log", || LogProcess {
            peers: peers.clone(),
            network: network.clone(),
            auto_initialize,
            recovered: recovering.clone(),
            expelled: expelling.clone(),
        });
        Ok(Log { peers, process, recovered, expelled, files_closed: Some(files_closed) })
    }

    /// The own replica, as peers know it. Upstream: `Replica::pid`.
    pub fn replica(&self) -> &Upid {
        self.peers.replica.pid().upid()
    }

    /// Waits until the own replica votes.
    ///
    /// # Errors
    /// When it never will.
    pub async fn recovered(&self) -> Result<(), RecoverError> {
        recovered(&mut self.recovered.clone()).await
    }

    /// Completes when the own replica cannot be in its group of ZooKeeper's any more, nor see the
    /// others: nobody can write then, and a new log is needed. Upstream ends the process.
    pub fn expelled(&self) -> impl Future<Output = GroupError> + Send + 'static {
        let mut expelled = self.expelled.clone();
        async move {
            match expelled.wait_for(Option::is_some).await {
                Ok(error) => error.clone().unwrap_or(GroupError::Closed),
                Err(_) => GroupError::Closed,
            }
        }
    }

    /// A reader of it.
    pub fn reader(&self) -> Reader {
        Reader::new(self.peers.replica.clone(), self.recovered.clone())
    }

    /// A writer of it, which has to be started.
    pub fn writer(&self) -> Writer {
        Writer::new(self.peers.clone(), self.recovered.clone())
    }

    /// Ends it, and waits until its files are closed.
    pub async fn close(mut self) {
        let files_closed = self.files_closed.take();
        drop(self);
        if let Some(files_closed) = files_closed {
            // Nothing is ever sent: the sender goes with the files.
            let _ = files_closed.await;
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.process.terminate(Inject::Front);
        self.peers.replica.pid().terminate(Inject::Front);
    }
}

/// Waits for the own replica's recovery to end.
async fn recovered(recovered: &mut watch::Receiver<Recovered>) -> Result<(), RecoverError> {
    match recovered.wait_for(Option::is_some).await {
        Ok(ended) => (*ended).unwrap_or(Ok(())),
        Err(_) => Err(RecoverError::Closed),
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
