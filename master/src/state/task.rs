//! A task as the master books it, from its launch to its last acknowledgement.
//! Upstream: `Task` in `messages.proto`, and `Master::updateTask` as far as it changes one.

use common::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
use common::json::BookedTask;
use common::resources::Resources;
use common::status::create_task;
use common::task_state::{Transition, is_terminal, transition};
use proto::mesos::internal::{self, StatusUpdate};
use proto::mesos::{TaskInfo, TaskState};

/// Where a task is found: on a slave, among those of its framework.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskKey {
    /// Whose task it is.
    pub framework_id: FrameworkId,
    /// Where it runs.
    pub slave_id: SlaveId,
    /// Its name, chosen by the framework.
    pub task_id: TaskId,
}

/// A task. Its `state` is the latest one that the slave knows of; the state of the last update
/// that went to the framework lags behind it and decides when the task may be forgotten.
#[derive(Clone, Debug)]
pub struct Task {
    /// Where it is found.
    pub key: TaskKey,
    /// Its custom executor; a command task has none.
    pub executor_id: Option<ExecutorId>,
    /// What it uses until it is terminal.
    pub resources: Resources,
    /// The whole message but its resources, which as messages take a kilobyte each.
    pub message: internal::Task,
}

/// What an update changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskUpdated {
    /// The task ended with this update.
    Terminated,
    /// It runs on, or had ended before.
    Changed,
}

impl Task {
    /// A task that is being launched.
    pub fn launched(info: &TaskInfo, framework_id: &FrameworkId) -> Task {
        create_task(info, TaskState::TaskStaging, framework_id).into()
    }

    /// As JSON shows it.
    pub fn booked(&self) -> BookedTask<'_> {
        BookedTask { task: &self.message, resources: &self.resources }
    }

    /// The latest known state.
    pub fn state(&self) -> TaskState {
        self.message.state()
    }

    /// Whether the task has ended and holds no resources.
    pub fn is_terminal(&self) -> bool {
        is_terminal(self.state())
    }

    /// The state that its framework was last told, else the latest known.
    /// What reconciliation answers.
    pub fn state_for_reconciliation(&self) -> TaskState {
        match self.message.status_update_state {
            Some(_) => self.message.status_update_state(),
            None => self.state(),
        }
    }

    /// Whether the framework was told that the task has ended.
    pub fn is_told_terminal(&self) -> bool {
        self.message.status_update_state.is_some()
            && is_terminal(self.message.status_update_state())
    }

    /// Whether an acknowledgement of this uuid is the last thing to be heard of the task.
    pub fn ends_with(&self, uuid: &[u8]) -> bool {
        self.is_told_terminal() && self.message.status_update_uuid.as_deref() == Some(uuid)
    }

    pub(super) fn update(&mut self, update: &StatusUpdate) -> TaskUpdated {
        let status = &update.status;
        let latest = update.latest_state.and_then(|state| TaskState::try_from(state).ok());
        let reported = latest.unwrap_or_else(|| status.state());
        let mut updated = TaskUpdated::Changed;
        if let Transition::Taken(state) = transition(self.state(), reported) {
            self.message.set_state(state);
            if is_terminal(state) {
                updated = TaskUpdated::Terminated;
            }
        }
        if let Some(uuid) = &update.uuid {
            self.message.set_status_update_state(status.state());
            self.message.status_update_uuid = Some(uuid.clone());
        }
        let mut status = status.clone();
        // Frameworks may put megabytes there, which nobody would read here.
        status.data = None;
        if self.message.statuses.last().is_some_and(|last| last.state == status.state) {
            self.message.statuses.pop();
        }
        self.message.statuses.push(status);
        updated
    }
}

impl From<internal::Task> for Task {
    fn from(mut message: internal::Task) -> Task {
        let resources = Resources::from(&std::mem::take(&mut message.resources));
        Task {
            key: TaskKey {
                framework_id: (&message.framework_id).into(),
                slave_id: (&message.slave_id).into(),
                task_id: (&message.task_id).into(),
            },
            executor_id: message.executor_id.as_ref().map(ExecutorId::from),
            resources,
            message,
        }
    }
}
