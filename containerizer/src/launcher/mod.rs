//! Starting a container's first process and ending all of them. Called by `mesos` only; knows
//! neither isolators nor what the process is for.
//! Upstream: `Launcher` in `mesos/launcher.hpp`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use common::ids::ContainerId;
use futures_util::future::{BoxFuture, Shared};

pub use killtree::KillError;

pub(crate) mod killtree;
pub(crate) mod posix;

/// The raw wait status of a process once it has been reaped; `None` if nobody can know it.
pub type Exit = Shared<BoxFuture<'static, Option<i32>>>;

/// Where the standard output and error of a container go.
#[derive(Debug)]
pub enum Output {
    /// To these files.
    Files {
        /// Standard output.
        stdout: File,
        /// Standard error.
        stderr: File,
    },
    /// To where ours go.
    Inherited,
}

/// The process that a launcher is asked to start.
#[derive(Debug)]
pub struct ForkPlan {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments, without the name of the program.
    pub arguments: Vec<String>,
    /// Its whole environment; nothing is inherited.
    pub environment: BTreeMap<String, String>,
    /// A variable in `environment` that no other container's processes have.
    pub marker: Option<String>,
    /// Where its output goes.
    pub output: Output,
    /// The descriptor that it keeps, under the same number.
    pub inherited: OwnedFd,
}

/// A process that was started.
#[derive(Clone, Debug)]
pub struct Forked {
    /// Its number.
    pub pid: i32,
    /// When it started, in ticks since the host did.
    pub started: u64,
    /// How it ended, for everyone who wants to know. It is reaped whether or not anyone does.
    pub exit: Exit,
}

/// A process that an earlier run of the slave has started.
#[derive(Clone, Debug)]
pub struct Left {
    /// Its number.
    pub pid: i32,
    /// When it started, in ticks since the host did, if that is known.
    pub started: Option<u64>,
    /// A variable and value that no other container's processes have.
    pub marker: (String, String),
}

/// Why a launcher failed.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// One container has one first process.
    #[error("Process has already been forked for container {0}")]
    AlreadyForked(ContainerId),
    /// The process could not be started.
    #[error("Failed to fork a child process: {0}")]
    Fork(io::Error),
    /// Nothing was started for the container.
    #[error("Unknown container {0}")]
    UnknownContainer(ContainerId),
    /// A process that was left cannot be looked at.
    #[error("Failed to look at process {pid} of container {container_id}: {source}")]
    Watch {
        /// The container.
        container_id: ContainerId,
        /// The process.
        pid: i32,
        /// What the system said.
        source: io::Error,
    },
    /// Some processes may still run.
    #[error("Failed to kill all processes: {0}")]
    Kill(#[from] KillError),
    /// The runtime is shutting down.
    #[error("Failed to kill all processes: {0}")]
    Shutdown(#[from] tokio::task::JoinError),
}

/// Starts and ends the processes of containers.
pub trait Launcher: Send + Sync {
    /// Takes over a container of an earlier run. Its exit is there at once if its first process has
    /// ended, or its number is another one's by now; whatever else was left of it can be destroyed
    /// all the same. Blocking.
    fn recover(&self, container_id: &ContainerId, left: Left) -> Result<Exit, LauncherError>;

    /// Starts the first process of a container in a session of its own.
    fn fork(&self, container_id: &ContainerId, plan: ForkPlan) -> Result<Forked, LauncherError>;

    /// Kills all processes of a container. Ready when none runs and the first one is reaped.
    fn destroy(&self, container_id: &ContainerId) -> BoxFuture<'static, Result<(), LauncherError>>;
}

/// The launcher that needs no privileges. Upstream: `--launcher=posix`.
pub fn posix() -> Arc<dyn Launcher> {
    Arc::new(posix::PosixLauncher::default())
}
