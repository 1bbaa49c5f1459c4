//! A framework that has tasks here: its executors, and tasks that wait for a clean directory.
//! Changed by the handlers through `state::frameworks`. Pure.
//! Upstream: `struct Framework` in `slave.hpp`.

use std::collections::BTreeMap;

use common::ids::{ExecutorId, FrameworkId, TaskId};
use libprocess::Upid;
use proto::mesos::{FrameworkInfo, TaskInfo};
use stout::bounded::History;

use crate::constants::MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK;
use crate::state::executor::Executor;

/// Where a framework is in its life here. Upstream: `Framework::State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameworkPhase {
    /// It may launch tasks.
    Running,
    /// All of it is being shut down; its updates are dropped, since nobody acknowledges them.
    Terminating,
}

/// A framework that has, or had, tasks here.
#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) id: FrameworkId,
    pub(crate) info: FrameworkInfo,
    /// Where its scheduler is; none if it speaks HTTP, and messages go through the master.
    pub(crate) pid: Option<Upid>,
    pub(crate) phase: FrameworkPhase,
    /// Tasks whose directories are being kept from removal, by their executor.
    pub(crate) pending: BTreeMap<ExecutorId, BTreeMap<TaskId, TaskInfo>>,
    pub(crate) executors: BTreeMap<ExecutorId, Executor>,
    pub(crate) completed_executors: History<Executor>,
}

impl Framework {
    pub(crate) fn new(id: FrameworkId, info: FrameworkInfo, pid: Option<Upid>) -> Framework {
        Framework {
            id,
            info,
            pid,
            phase: FrameworkPhase::Running,
            pending: BTreeMap::new(),
            executors: BTreeMap::new(),
            completed_executors: History::new(MAX_COMPLETED_EXECUTORS_PER_FRAMEWORK),
        }
    }

    /// Whether nothing is left of it but its history.
    pub(crate) fn is_idle(&self) -> bool {
        self.executors.is_empty() && self.pending.is_empty()
    }

    pub(crate) fn add_pending(&mut self, executor_id: ExecutorId, task: TaskInfo) {
        let task_id = TaskId::from(&task.task_id);
        self.pending.entry(executor_id).or_default().insert(task_id, task);
    }

    /// `None` if the task has been killed meanwhile.
    pub(crate) fn take_pending(
        &mut self,
        executor_id: &ExecutorId,
        task_id: &TaskId,
    ) -> Option<TaskInfo> {
        let tasks = self.pending.get_mut(executor_id)?;
        let task = tasks.remove(task_id);
        if tasks.is_empty() {
            self.pending.remove(executor_id);
        }
        task
    }

    /// Which executor a pending task will go to.
    pub(crate) fn pending_executor_of(&self, task_id: &TaskId) -> Option<&ExecutorId> {
        let mut pending = self.pending.iter();
        pending.find(|(_, tasks)| tasks.contains_key(task_id)).map(|(executor_id, _)| executor_id)
    }

    /// The executor that has the task, completed tasks excepted.
    pub(crate) fn executor_of(&self, task_id: &TaskId) -> Option<&Executor> {
        self.executors.values().find(|executor| executor.has_task(task_id))
    }

    /// See [`Framework::executor_of`].
    pub(crate) fn executor_of_mut(&mut self, task_id: &TaskId) -> Option<&mut Executor> {
        self.executors.values_mut().find(|executor| executor.has_task(task_id))
    }

    /// Whether the task is at any stage before completion.
    pub(crate) fn has_task(&self, task_id: &TaskId) -> bool {
        self.pending_executor_of(task_id).is_some() || self.executor_of(task_id).is_some()
    }

    /// Puts an executor into the history. Upstream: `Framework::destroyExecutor`.
    pub(crate) fn complete_executor(&mut self, executor_id: &ExecutorId) {
        if let Some(executor) = self.executors.remove(executor_id) {
            self.completed_executors.push(executor);
        }
    }

    /// What must hold between two handlers.
    pub(crate) fn check_invariants(&self) {
        for (executor_id, tasks) in &self.pending {
            assert!(!tasks.is_empty(), "{}: no empty list is kept for {executor_id}", self.id);
        }
        for (executor_id, executor) in &self.executors {
            assert_eq!(executor_id, executor.id());
            assert_eq!(self.id, executor.run.framework_id);
            executor.check_invariants();
        }
    }
}
