//! Reads the log, as far as the own replica knows it. Called by whoever got it from `Log`.
//! Never asks other replicas. Upstream: `Log::Reader`, `LogReaderProcess`.

use std::future::Future;

use bytes::Bytes;
use libprocess::process::Gone;
use proto::mesos::internal::log::Action;
use tokio::sync::watch;

use crate::log::message::{Payload, checked_learned};
use crate::log::process::{RecoverError, Recovered};
use crate::log::replica::OwnReplica;
use crate::log::store;
use crate::log::{Entry, Position};

/// Why nothing was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The own replica did not recover.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The own replica has no such range.
    #[error(transparent)]
    Range(#[from] store::ReadError),
    /// Of a position in the range it is not known what was agreed on.
    #[error("Bad read range (includes pending entries)")]
    Pending,
    /// Of a position in the range nothing is known.
    #[error("Bad read range (includes missing entries)")]
    Missing,
    /// The log was closed.
    #[error("Log reader is being deleted")]
    Closed,
}

impl From<Gone> for ReadError {
    fn from(_: Gone) -> Self {
        ReadError::Closed
    }
}

/// A reader; all its calls wait for the own replica to recover.
#[derive(Clone)]
pub struct Reader {
    replica: OwnReplica,
    recovered: watch::Receiver<Recovered>,
}

impl Reader {
    pub(crate) fn new(replica: OwnReplica, recovered: watch::Receiver<Recovered>) -> Self {
        Self { replica, recovered }
    }

    /// The first position that is not truncated.
    pub fn beginning(&self) -> impl Future<Output = Result<Position, ReadError>> + Send + 'static {
        let Self { replica, mut recovered } = self.clone();
        async move {
            crate::log::recovered(&mut recovered).await?;
            Ok(Position(replica.beginning().await?))
        }
    }

    /// The last position.
    pub fn ending(&self) -> impl Future<Output = Result<Position, ReadError>> + Send + 'static {
        let Self { replica, mut recovered } = self.clone();
        async move {
            crate::log::recovered(&mut recovered).await?;
            Ok(Position(replica.ending().await?))
        }
    }

    /// The entries from one position to another, both of them included.
    pub fn read(
        &self,
        from: Position,
        to: Position,
    ) -> impl Future<Output = Result<Vec<Entry>, ReadError>> + Send + 'static {
        let Self { replica, mut recovered } = self.clone();
        async move {
            crate::log::recovered(&mut recovered).await?;
            entries(from, replica.read(from.0, to.0).await??)
        }
    }
}

fn entries(from: Position, actions: Vec<Action>) -> Result<Vec<Entry>, ReadError> {
    let mut entries: Vec<Entry> = Vec::new();
    for (position, action) in (from.0..).zip(actions) {
        let payload = checked_learned(&action).map_err(|_| ReadError::Pending)?;
        if action.position != position {
            return Err(ReadError::Missing);
        }
        if let Payload::Append(append) = payload {
            let data: Bytes = append.bytes;
            entries.push(Entry { position: Position(position), data });
        }
    }
    Ok(entries)
}
