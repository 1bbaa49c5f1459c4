//! One run of an executor: its phase, what it consumes, and its tasks at every stage.
//! Changed by the handlers through `state::frameworks`. Pure: sends nothing, touches no disk.
//!
//! A task goes from `queued` (the executor is not ready for it) to `launched` to `terminated` (it
//! has ended, the framework has not acknowledged that yet) to `completed`.
//!
//! Upstream: `struct Executor` in `slave.hpp`.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::path::PathBuf;

use common::ids::{ContainerId, ExecutorId, FrameworkId, TaskId};
use common::resources::Resources;
use common::status::create_task;
use common::task_state;
use libprocess::Upid;
use proto::mesos::containerizer::Termination;
use proto::mesos::internal::{StatusUpdate, Task};
use proto::mesos::{ExecutorInfo, TaskInfo, TaskState, TaskStatus};
use stout::bounded::History;
use tracing::warn;

use crate::checkpoint::recovered::RecoveredTask;
use crate::constants::MAX_COMPLETED_TASKS_PER_EXECUTOR;
use crate::paths::TASKS;
use crate::state::connection::Connection;
use crate::state::queue::TaskQueue;

/// Where an executor is in its life. Upstream: `Executor::State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecutorPhase {
    /// It is being launched and has not registered.
    Registering,
    /// It has registered.
    Running,
    /// It was asked to end, or is being killed.
    Terminating,
    /// It has ended; some of its tasks may be unacknowledged.
    Terminated,
}

impl fmt::Display for ExecutorPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ExecutorPhase::Registering => "REGISTERING",
            ExecutorPhase::Running => "RUNNING",
            ExecutorPhase::Terminating => "TERMINATING",
            ExecutorPhase::Terminated => "TERMINATED",
        })
    }
}

/// Who brought the executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecutorKind {
    /// We made it for one task; the master does not know of it.
    Command,
    /// The framework did.
    Custom,
}

/// Names one run of an executor across a wait: the executor of that id may be another by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) framework_id: FrameworkId,
    pub(crate) executor_id: ExecutorId,
    pub(crate) container_id: ContainerId,
}

/// Who is told that an update was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UpdateOrigin {
    /// We made it ourselves: nobody.
    Slave,
    /// The executor at this address.
    Executor(Upid),
    /// The executor of this run, by way of HTTP.
    Subscriber(Run),
}

/// One run of an executor.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) run: Run,
    pub(crate) info: ExecutorInfo,
    pub(crate) kind: ExecutorKind,
    /// The sandbox.
    pub(crate) directory: PathBuf,
    /// Where it is kept for the next run of the slave; none if its framework does not checkpoint.
    pub(crate) meta: Option<PathBuf>,
    pub(crate) phase: ExecutorPhase,
    pub(crate) connection: Connection,
    /// What the executor and its launched tasks hold.
    resources: Resources,
    pub(crate) queued: TaskQueue<TaskInfo>,
    /// Queued tasks that are not on the disk yet: they must be before the executor has them.
    pub(crate) unwritten: BTreeSet<TaskId>,
    pub(crate) launched: TaskQueue<Task>,
    pub(crate) terminated: TaskQueue<Task>,
    pub(crate) completed: History<Task>,
    /// Why we end the container, for the updates of the tasks that end with it.
    pub(crate) pending_termination: Option<Termination>,
    /// Updates that wait to be worked on, in their order; the first is being worked on.
    pub(crate) updates: VecDeque<(StatusUpdate, UpdateOrigin)>,
}

impl Executor {
    pub(crate) fn new(
        run: Run,
        info: ExecutorInfo,
        kind: ExecutorKind,
        directory: PathBuf,
    ) -> Executor {
        Executor {
            resources: Resources::from(&info.resources),
            run,
            info,
            kind,
            directory,
            meta: None,
            phase: ExecutorPhase::Registering,
            connection: Connection::Unknown,
            queued: TaskQueue::default(),
            unwritten: BTreeSet::new(),
            launched: TaskQueue::default(),
            terminated: TaskQueue::default(),
            completed: History::new(MAX_COMPLETED_TASKS_PER_EXECUTOR),
            pending_termination: None,
            updates: VecDeque::new(),
        }
    }

    pub(crate) fn id(&self) -> &ExecutorId {
        &self.run.executor_id
    }

    /// Where a task of this run is kept for the next run of the slave.
    pub(crate) fn meta_of(&self, task_id: &TaskId) -> Option<PathBuf> {
        Some(self.meta.as_ref()?.join(TASKS).join(task_id.as_str()))
    }

    /// Queued tasks that the executor may have.
    pub(crate) fn ready_tasks(&self) -> Vec<TaskId> {
        let ready = self.queued.ids().filter(|task_id| !self.unwritten.contains(*task_id));
        ready.cloned().collect()
    }

    /// What the executor and its launched tasks hold.
    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }

    /// The same and what the queued tasks will need.
    pub(crate) fn wanted_resources(&self) -> Resources {
        self.queued.values().fold(self.resources.clone(), |mut wanted, task| {
            wanted += &Resources::from(&task.resources);
            wanted
        })
    }

    /// Whether the task is queued, launched or terminated here.
    pub(crate) fn has_task(&self, task_id: &TaskId) -> bool {
        self.is_live(task_id) || self.terminated.contains(task_id)
    }

    /// Whether the task is queued or launched here.
    pub(crate) fn is_live(&self, task_id: &TaskId) -> bool {
        self.queued.contains(task_id) || self.launched.contains(task_id)
    }

    /// Whether any task is left that is not completed.
    pub(crate) fn has_incomplete_tasks(&self) -> bool {
        !self.queued.is_empty() || !self.launched.is_empty() || !self.terminated.is_empty()
    }

    /// The tasks that end when the executor does, launched ones first.
    pub(crate) fn live_tasks(&self) -> Vec<TaskId> {
        let launched = self.launched.values().filter(|task| !task_state::is_terminal(task.state()));
        let launched = launched.map(|task| TaskId::from(&task.task_id));
        launched.chain(self.queued.ids().cloned()).collect()
    }

    /// Queues a task until the executor can have it. The caller has made sure that it is new.
    pub(crate) fn queue(&mut self, task: TaskInfo) {
        let task_id = TaskId::from(&task.task_id);
        assert!(!self.has_task(&task_id), "{task_id} is here already");
        self.queued.insert(task_id, task);
    }

    /// Makes a queued task a launched one. `None` if it is not queued any more.
    /// Upstream: `Executor::addTask`.
    pub(crate) fn launch(&mut self, task_id: &TaskId) -> Option<TaskInfo> {
        let info = self.queued.remove(task_id)?;
        let task = create_task(&info, TaskState::TaskStaging, &self.run.framework_id);
        self.launched.insert(task_id.clone(), task);
        self.resources += &Resources::from(&info.resources);
        Some(info)
    }

    /// Takes a task in that an earlier run of the slave has left, at the stage that it had got to.
    /// What it holds is what it may hold at most: it may have ended meanwhile.
    /// Upstream: `Executor::recoverTask`.
    pub(crate) fn recover_task(&mut self, task_id: &TaskId, left: &RecoveredTask) {
        let Some(task) = &left.info else {
            warn!("Skipping recovery of task {task_id} because its info cannot be recovered");
            return;
        };
        self.resources += &Resources::from(&task.resources);
        self.launched.insert(task_id.clone(), task.clone());
        for update in &left.updates {
            self.update_task_state(&update.status);
            let state = update.status.state();
            if !task_state::is_terminal(state) {
                continue;
            }
            self.terminate_task(task_id, state);
            let uuid = update.uuid.as_deref().map(stout::uuid::from_bytes);
            if uuid.is_some_and(|uuid| uuid.is_ok_and(|uuid| left.acknowledged.contains(&uuid))) {
                self.complete_task(task_id);
            }
            return;
        }
    }

    /// Notes the latest state of a launched task; of equal states in a row the last status stays.
    pub(crate) fn update_task_state(&mut self, status: &TaskStatus) {
        let Some(task) = self.launched.get_mut(&TaskId::from(&status.task_id)) else { return };
        task.statuses.pop_if(|last| last.state == status.state);
        task.statuses.push(status.clone());
        task.state = status.state;
    }

    /// Ends a queued or launched task; what it held is free.
    pub(crate) fn terminate_task(&mut self, task_id: &TaskId, state: TaskState) {
        let task = if let Some(info) = self.queued.remove(task_id) {
            create_task(&info, state, &self.run.framework_id)
        } else if let Some(task) = self.launched.remove(task_id) {
            self.resources -= &Resources::from(&task.resources);
            task
        } else {
            return;
        };
        self.terminated.insert(task_id.clone(), task);
    }

    /// The end of a task is known to its framework.
    pub(crate) fn complete_task(&mut self, task_id: &TaskId) {
        if let Some(task) = self.terminated.remove(task_id) {
            self.completed.push(task);
        }
    }

    /// A launched or terminated task.
    pub(crate) fn task_mut(&mut self, task_id: &TaskId) -> Option<&mut Task> {
        if self.launched.contains(task_id) {
            return self.launched.get_mut(task_id);
        }
        self.terminated.get_mut(task_id)
    }

    /// What must hold between two handlers.
    pub(crate) fn check_invariants(&self) {
        let mut held = Resources::from(&self.info.resources);
        for task in self.launched.values() {
            let task_id = TaskId::from(&task.task_id);
            assert!(!self.queued.contains(&task_id), "{self}: {task_id} is queued and launched");
            assert!(!self.terminated.contains(&task_id), "{self}: {task_id} is at two stages");
            held += &Resources::from(&task.resources);
        }
        for task_id in self.queued.ids() {
            assert!(!self.terminated.contains(task_id), "{self}: {task_id} is at two stages");
        }
        // Ranges and sets of tasks that share what nobody can share would not add up.
        let (held, known) = (held.scalars(), self.resources.scalars());
        assert_eq!(held, known, "{self}: what is held is what its parts hold");
        assert!(
            self.phase != ExecutorPhase::Running || self.connection.is_open(),
            "{self}: a registered executor can be spoken to"
        );
    }
}

/// `'<id>' of framework <id> at <pid>`, or ` (via HTTP)`, as log lines name an executor.
impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' of framework {}", self.run.executor_id, self.run.framework_id)?;
        match &self.connection {
            Connection::Unknown => Ok(()),
            Connection::Pid(pid) => write!(f, " at {pid}"),
            Connection::Awaited | Connection::Stream(_) => f.write_str(" (via HTTP)"),
        }
    }
}

#[cfg(test)]
mod tests;
