//! What can go wrong with a container. The texts reach operators, and frameworks in
//! `TaskStatus.message`, and are upstream's. Used by all containerizers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use common::ids::ContainerId;

use crate::fetcher::FetchError;
use crate::isolators::IsolatorError;
use crate::launcher::LauncherError;
use crate::mesos::Stage;

/// Why a container could not be launched.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is a container of that id; it is not touched.
    #[error("Container already started")]
    AlreadyStarted,
    /// The container's image is of a kind that no store provides.
    #[error("Unsupported container image type: {0}")]
    UnsupportedImage(String),
    /// The container was destroyed meanwhile.
    #[error("Container destroyed during {0}")]
    Destroyed(Stage),
    /// The container was about to be destroyed meanwhile.
    #[error("Container is being destroyed during {0}")]
    BeingDestroyed(Stage),
    /// An isolator failed.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
    /// The output files cannot be opened.
    #[error("Failed to fork executor: Failed to open '{}': {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are no more descriptors for pipes.
    #[error("Failed to fork executor: Failed to create a pipe: {0}")]
    Pipe(io::Error),
    /// The first process could not be started.
    #[error("Failed to fork executor: {0}")]
    Fork(#[from] LauncherError),
    /// Another run of the slave would not find it.
    #[error("Could not checkpoint executor's pid: {0}")]
    Checkpoint(Box<dyn std::error::Error + Send + Sync>),
    /// The URIs could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The first process is gone, or does not listen.
    #[error("Failed to synchronize child process: {0}")]
    Synchronize(io::Error),
    /// The runtime is shutting down.
    #[error("Interrupted: {0}")]
    Shutdown(#[from] tokio::task::JoinError),
}

/// Why the containers of an earlier run cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// A process cannot be watched.
    #[error("Failed to recover launcher: {0}")]
    Launcher(#[from] LauncherError),
    /// An isolator failed.
    #[error("Failed to recover isolator: {0}")]
    Isolator(#[from] IsolatorError),
}

/// Why nothing can be said of a container, or done with it.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// No such container.
    #[error("Unknown container: {0}")]
    Unknown(ContainerId),
    /// An isolator failed.
    #[error(transparent)]
    Isolator(#[from] IsolatorError),
}

/// Why the end of a container is not known, or is no proper end.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TerminationError {
    /// No such container.
    #[error("Unknown container (could have already been destroyed): {0}")]
    Unknown(ContainerId),
    /// Some of its processes may still run.
    #[error("Failed to destroy container {container_id}: {source}")]
    Kill {
        /// The container.
        container_id: ContainerId,
        /// What went wrong.
        source: Arc<LauncherError>,
    },
    /// Something of it may be left.
    #[error("Failed to clean up an isolator when destroying container '{container_id}': {source}")]
    Cleanup {
        /// The container.
        container_id: ContainerId,
        /// What went wrong.
        source: Arc<IsolatorError>,
    },
    /// The containerizer went away first.
    #[error("The containerizer is gone, and container {0} may still run")]
    Abandoned(ContainerId),
}
