//! Containers: launching, isolating, fetching, measuring and ending what a slave runs. The slave
//! sees the trait [`Containerizer`] and hands over values; nothing here knows its flags.
//!
//! Reading order: the trait below, `config`, `environment`; `mesos` with its stages; `launcher`,
//! `isolators` and `fetcher`, which it calls; `users`, `usage` and `linux` at the bottom.
//! Upstream: `Containerizer` in `slave/containerizer/containerizer.hpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use common::ids::{ContainerId, SlaveId};
use common::resources::Resources;
use futures_util::future::BoxFuture;
use proto::mesos::containerizer::Termination;
use proto::mesos::{ContainerStatus, ExecutorInfo, ResourceStatistics, TaskInfo};

pub use create::{CreateError, create};
pub use environment::executor_environment;
pub use errors::{ContainerError, LaunchError, RecoverError, TerminationError};

pub mod config;
mod create;
mod environment;
mod errors;

pub mod mesos;

pub mod fetcher;
pub mod isolators;
pub mod launcher;

pub mod users;

mod linux;
mod usage;

/// What to launch, for whom and where.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// A fresh id.
    pub container_id: ContainerId,
    /// The task, if the executor is the built-in one that was made for it.
    pub task_info: Option<TaskInfo>,
    /// The executor, with the resources that the container starts with.
    pub executor_info: ExecutorInfo,
    /// The sandbox: an absolute path; it exists and belongs to `user`.
    pub directory: PathBuf,
    /// The user that the executor runs as; ours if unset.
    pub user: Option<String>,
    /// The slave's id.
    pub slave_id: SlaveId,
    /// The slave's pid: `slave(1)@ip:port`.
    pub slave_pid: String,
    /// What makes the actor trace go on in the executor, as
    /// [`libprocess::Runtime::cause_for_child`] gives it.
    pub cause: Option<String>,
    /// Keeps what another run of the slave needs to find the container, if the framework
    /// checkpoints.
    pub checkpoint: Option<Checkpoint>,
}

/// Keeps the number of a container's first process, and when that started, in ticks since the host
/// did. The container goes on when it is kept.
#[derive(Clone)]
pub struct Checkpoint(pub Arc<dyn Fn(i32, u64) -> BoxFuture<'static, Kept> + Send + Sync>);

/// What becomes of it; the error is for the operator.
pub type Kept = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checkpoint")
    }
}

/// A container that an earlier run of the slave has left.
#[derive(Clone, Debug)]
pub struct RecoverableContainer {
    /// Its id.
    pub container_id: ContainerId,
    /// The executor, with the resources that the container has.
    pub executor_info: ExecutorInfo,
    /// The sandbox.
    pub directory: PathBuf,
    /// Its first process.
    pub pid: i32,
    /// When that started, in ticks since the host did, if it was kept.
    pub started: Option<u64>,
}

/// What became of a launch that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launched {
    /// The executor runs.
    Started,
    /// This containerizer does not run such containers; ask another one.
    NotSupported,
}

/// Runs the containers of a slave. All futures may be awaited anywhere in the runtime in which
/// the method was called; none needs to be polled for its effect to happen.
pub trait Containerizer: Send + Sync {
    /// Takes over the containers of an earlier run. Those that have ended meanwhile are there, too,
    /// until their end has been told. Called once, before anything else.
    fn recover(
        &self,
        containers: Vec<RecoverableContainer>,
    ) -> BoxFuture<'static, Result<(), RecoverError>>;

    /// Launches a container. If this fails, the container must be destroyed nevertheless, and
    /// its end can be waited for, unless the failure is [`LaunchError::AlreadyStarted`].
    fn launch(&self, spec: LaunchSpec) -> BoxFuture<'static, Result<Launched, LaunchError>>;

    /// Sets the resources of a container. One that is unknown or going is left alone.
    fn update(
        &self,
        container_id: &ContainerId,
        resources: Resources,
    ) -> BoxFuture<'static, Result<(), ContainerError>>;

    /// What a container consumes, as far as it is known.
    fn usage(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<ResourceStatistics, ContainerError>>;

    /// What a container looks like to the outside, as far as it is known.
    fn status(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<ContainerStatus, ContainerError>>;

    /// How a container ended, once it has. Any number may wait as long as it has not; if nobody
    /// did, its end is told to the first who asks.
    fn wait(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<Termination, TerminationError>>;

    /// Ends a container at whatever stage it is. One that is unknown or going is left alone.
    fn destroy(&self, container_id: &ContainerId);

    /// The containers that there are, those that are going included.
    fn containers(&self) -> BTreeSet<ContainerId>;

    /// The counters of `/metrics/snapshot`, by their full names.
    fn counters(&self) -> BTreeMap<&'static str, u64>;
}
