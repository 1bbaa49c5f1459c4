//! Writes the log: one writer at a time among all replicas, the last one that was started.
//! Called by whoever got it from `Log`. Upstream: `Log::Writer`, `LogWriterProcess`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libprocess::Runtime;
use libprocess::process::Gone;
use proto::mesos::internal::log::action::{Append, Truncate};
use tokio::sync::{Mutex, watch};
use tracing::info;

use crate::log::Position;
use crate::log::coordinator::{Coordinator, Full};
use crate::log::drive::{Peers, drive, jittered};
use crate::log::message::Payload;
use crate::log::process::{RecoverError, Recovered};

/// Between an election that was lost and the next one at least this long passes, twice as long
/// after each further one that was lost.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
/// But no longer than this.
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// Why nothing was written, and will not be without a new start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The writer was never started.
    #[error("No election has been performed")]
    NotStarted,
    /// The own replica did not recover.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// No position is left.
    #[error(transparent)]
    Full(#[from] Full),
    /// What has not been written yet cannot be truncated.
    #[error("The log ends before position {0}")]
    BeyondEnd(Position),
    /// The log was closed.
    #[error("Log writer is being deleted")]
    Closed,
}

impl From<Gone> for WriteError {
    fn from(_: Gone) -> Self {
        WriteError::Closed
    }
}

struct State {
    coordinator: Coordinator,
    started: bool,
    elections_lost: u32,
    ending: u64,
}

/// A writer; clones are the same one. What is asked while it is busy is done afterwards. Whoever
/// drops a future of it before it completes demotes it: nobody knows then whether that was written.
#[derive(Clone)]
pub struct Writer {
    peers: Peers,
    recovered: watch::Receiver<Recovered>,
    state: Arc<Mutex<State>>,
}

impl Writer {
    pub(crate) fn new(peers: Peers, recovered: watch::Receiver<Recovered>) -> Self {
        let coordinator = Coordinator::new(peers.quorum);
        let state = State { coordinator, started: false, elections_lost: 0, ending: 0 };
        Self { peers, recovered, state: Arc::new(Mutex::new(state)) }
    }

    /// Waits for the own replica, and stands for election. Gives the last position of the log, or
    /// nothing if somebody else is in the way; then it may be tried again at once: this waits by
    /// itself.
    pub fn start(
        &self,
    ) -> impl Future<Output = Result<Option<Position>, WriteError>> + Send + 'static {
        let Self { peers, mut recovered, state } = self.clone();
        async move {
            crate::log::recovered(&mut recovered).await?;
            let state = &mut *state.lock().await;
            if state.elections_lost > 0 {
                peers.runtime.clock().sleep(backoff(&peers.runtime, state.elections_lost)).await;
            }
            info!("Attempting to start the writer");
            state.started = true;
            let promised = peers.replica.promised().await?;
            state.coordinator.elect(promised);
            let elected = drive(&peers, &mut state.coordinator).await?;
            match elected {
                Some(ending) => {
                    info!("Writer started with ending position {ending}");
                    (state.elections_lost, state.ending) = (0, ending);
                }
                None => {
                    info!("Could not start the writer, but can be retried");
                    state.elections_lost = state.elections_lost.saturating_add(1);
                }
            }
            Ok(elected.map(Position))
        }
    }

    /// Appends an entry. Gives its position, or nothing if another writer has taken over.
    pub fn append(
        &self,
        bytes: Bytes,
    ) -> impl Future<Output = Result<Option<Position>, WriteError>> + Send + 'static {
        info!("Attempting to append {} bytes to the log", bytes.len());
        self.write(Payload::Append(Append { bytes, cksum: None }))
    }

    /// Forgets all entries before `to`. Gives the position of this very action, or nothing if
    /// another writer has taken over.
    pub fn truncate(
        &self,
        to: Position,
    ) -> impl Future<Output = Result<Option<Position>, WriteError>> + Send + 'static {
        info!("Attempting to truncate the log to {to}");
        self.write(Payload::Truncate(Truncate { to: to.0 }))
    }

    fn write(
        &self,
        payload: Payload,
    ) -> impl Future<Output = Result<Option<Position>, WriteError>> + Send + 'static {
        let Self { peers, state, .. } = self.clone();
        async move {
            let state = &mut *state.lock().await;
            if !state.started {
                return Err(WriteError::NotStarted);
            }
            if !state.coordinator.is_elected() {
                return Ok(None);
            }
            match &payload {
                Payload::Truncate(truncate) if truncate.to > state.ending + 1 => {
                    return Err(WriteError::BeyondEnd(Position(truncate.to)));
                }
                _ => state.coordinator.write(payload)?,
            }
            let written = drive(&peers, &mut state.coordinator).await?;
            state.ending = written.unwrap_or(state.ending);
            Ok(written.map(Position))
        }
    }
}

fn backoff(runtime: &Runtime, elections_lost: u32) -> Duration {
    let doublings = elections_lost.saturating_sub(1).min(16);
    jittered(runtime, (BACKOFF_MIN * (1 << doublings)).min(BACKOFF_MAX))
}
