//! What an earlier run of a slave has left, as it was found: what is missing was never written.
//! Made by `read`, looked at by `handlers::recovery`. Pure.
//! Upstream: `state::State` and its parts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use common::ids::{ContainerId, ExecutorId, FrameworkId, SlaveId, TaskId};
use libprocess::Upid;
use proto::mesos::internal::{StatusUpdate, Task};
use proto::mesos::{ExecutorInfo, FrameworkInfo, Resource, SlaveInfo};
use stout::Uuid;

use crate::state::connection::Connection;

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    /// Reservations and volumes.
    pub(crate) resources: Vec<Resource>,
    /// The slave that this one goes on as.
    pub(crate) slave: Option<RecoveredSlave>,
    /// What is there and cannot be read, and was passed over.
    pub(crate) errors: Vec<super::read::ReadError>,
}

/// A slave that was registered.
#[derive(Debug)]
pub(crate) struct RecoveredSlave {
    pub(crate) id: SlaveId,
    pub(crate) info: SlaveInfo,
    pub(crate) frameworks: BTreeMap<FrameworkId, RecoveredFramework>,
}

/// A framework that had tasks.
#[derive(Debug)]
pub(crate) struct RecoveredFramework {
    pub(crate) info: FrameworkInfo,
    /// None if it speaks HTTP.
    pub(crate) pid: Option<Upid>,
    pub(crate) executors: BTreeMap<ExecutorId, RecoveredExecutor>,
}

/// An executor.
#[derive(Debug, Default)]
pub(crate) struct RecoveredExecutor {
    pub(crate) info: Option<ExecutorInfo>,
    /// The run that it was in, or is.
    pub(crate) latest: Option<ContainerId>,
    pub(crate) runs: BTreeMap<ContainerId, RecoveredRun>,
}

/// A run of an executor.
#[derive(Debug, Default)]
pub(crate) struct RecoveredRun {
    pub(crate) tasks: BTreeMap<TaskId, RecoveredTask>,
    /// Its first process, and when that started.
    pub(crate) forked: Option<Forked>,
    pub(crate) connection: Connection,
    /// It has ended, and everything it did was acknowledged.
    pub(crate) completed: bool,
}

/// The first process of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forked {
    pub(crate) pid: i32,
    /// In ticks since the host started; upstream does not write it down.
    pub(crate) started: Option<u64>,
}

/// A task that was given to a run.
#[derive(Debug, Default)]
pub(crate) struct RecoveredTask {
    pub(crate) info: Option<Task>,
    /// In the order in which they came.
    pub(crate) updates: Vec<StatusUpdate>,
    pub(crate) acknowledged: BTreeSet<Uuid>,
    /// Where its files are.
    pub(crate) directory: PathBuf,
}
