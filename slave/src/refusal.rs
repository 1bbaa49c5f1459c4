//! Every end that the slave itself gives to a task: state, reason and wording.
//! The handlers pick one; `handlers::status` makes it an update. Pure.
//! Upstream: the calls of `protobuf::createStatusUpdate` in `slave.cpp`.

use std::time::Duration;

use common::ids::{ExecutorId, InvalidId};
use common::task_state;
use proto::mesos::containerizer::Termination;
use proto::mesos::task_status::Reason;
use proto::mesos::{TaskInfo, TaskState};

use crate::storage::StorageError;

/// Why a task cannot be run as it is described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTask {
    /// An id that cannot name a directory.
    #[error("Task uses invalid id: {0}")]
    Id(#[from] InvalidId),
    /// Both of command and executor, or neither.
    #[error("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")]
    CommandOrExecutor,
    /// An executor that nobody could start.
    #[error("Task uses executor '{0}' without a command")]
    ExecutorWithoutCommand(ExecutorId),
}

impl InvalidTask {
    /// Looks for what upstream takes for granted after the master's own checks.
    pub(crate) fn find_in(task: &TaskInfo) -> Result<(), InvalidTask> {
        common::ids::TaskId::from(&task.task_id).validate()?;
        match (&task.command, &task.executor) {
            (Some(_), None) => Ok(()),
            (None, Some(executor)) => {
                let executor_id = ExecutorId::from(&executor.executor_id);
                executor_id.validate()?;
                match executor.command {
                    Some(_) => Ok(()),
                    None => Err(InvalidTask::ExecutorWithoutCommand(executor_id)),
                }
            }
            _ => Err(InvalidTask::CommandOrExecutor),
        }
    }
}

/// Who uses resources that were never checkpointed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResourceUser {
    Task,
    Executor,
}

/// Why the slave itself reports the end of a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    Invalid(InvalidTask),
    KilledBeforeLaunch,
    KilledWhenQueued,
    ExecutorUnregistered,
    ExecutorUnknown,
    ExecutorGone,
    GcFailed,
    ResourcesUnknown(ResourceUser),
    NotCheckpointed(StorageError),
    UnknownToSlave,
    /// The master asks for a task of which the slave knows how it ended, as its framework does.
    EndedBefore(TaskState),
    /// The slave has ended before it gave the task to its executor.
    UnknownToExecutor,
    /// The executor has ended; see [`Verdict::executor_ended`].
    ExecutorEnded {
        state: TaskState,
        reason: Reason,
        message: String,
    },
}

impl Verdict {
    /// What becomes of the tasks of an executor that has ended: `ended` is how, if the
    /// containerizer knows, and `pending` why we ended it, if we did.
    /// Upstream: `Slave::sendExecutorTerminatedStatusUpdate`.
    pub(crate) fn executor_ended(
        ended: Option<&Termination>,
        pending: Option<&Termination>,
    ) -> Self {
        let told = || ended.into_iter().chain(pending);
        let state = told().find(|told| told.state.is_some()).map(Termination::state);
        let reason = told().find_map(|told| told.reasons().next());
        let mut messages: Vec<&str> = Vec::new();
        messages.extend(pending.and_then(|pending| pending.message.as_deref()));
        match ended {
            None => messages.push("Abnormal executor termination"),
            Some(ended) => messages.extend(ended.message.as_deref()),
        }
        let message = match messages.is_empty() {
            true => "Executor terminated".to_owned(),
            false => messages.join("; "),
        };
        // A state that is no end would leave the task with an executor that has gone.
        let state = state.filter(|state| task_state::is_terminal(*state));
        Verdict::ExecutorEnded {
            state: state.unwrap_or(TaskState::TaskFailed),
            reason: reason.unwrap_or(Reason::ExecutorTerminated),
            message,
        }
    }

    pub(crate) fn state(&self) -> TaskState {
        match self {
            Verdict::Invalid(_) => TaskState::TaskError,
            Verdict::KilledBeforeLaunch
            | Verdict::KilledWhenQueued
            | Verdict::ExecutorUnregistered => TaskState::TaskKilled,
            Verdict::ExecutorUnknown
            | Verdict::ExecutorGone
            | Verdict::GcFailed
            | Verdict::ResourcesUnknown(_)
            | Verdict::NotCheckpointed(_)
            | Verdict::UnknownToExecutor
            | Verdict::UnknownToSlave => TaskState::TaskLost,
            Verdict::EndedBefore(state) | Verdict::ExecutorEnded { state, .. } => *state,
        }
    }

    pub(crate) fn reason(&self) -> Option<Reason> {
        match self {
            Verdict::Invalid(_) => Some(Reason::TaskInvalid),
            Verdict::KilledBeforeLaunch
            | Verdict::KilledWhenQueued
            | Verdict::NotCheckpointed(_) => None,
            Verdict::ExecutorUnregistered => Some(Reason::ExecutorUnregistered),
            Verdict::ExecutorUnknown | Verdict::ExecutorGone => Some(Reason::ExecutorTerminated),
            Verdict::GcFailed => Some(Reason::GcError),
            Verdict::ResourcesUnknown(_) => Some(Reason::ResourcesUnknown),
            Verdict::UnknownToExecutor => Some(Reason::SlaveRestarted),
            Verdict::UnknownToSlave | Verdict::EndedBefore(_) => Some(Reason::Reconciliation),
            Verdict::ExecutorEnded { reason, .. } => Some(*reason),
        }
    }

    pub(crate) fn message(&self) -> String {
        match self {
            Verdict::Invalid(why) => why.to_string(),
            Verdict::KilledBeforeLaunch => "Task killed before it was launched".to_owned(),
            Verdict::KilledWhenQueued => "Task killed when it was queued".to_owned(),
            Verdict::ExecutorUnregistered => "Unregistered executor".to_owned(),
            Verdict::ExecutorUnknown => "Cannot find executor".to_owned(),
            Verdict::ExecutorGone => "Executor terminating/terminated".to_owned(),
            Verdict::GcFailed => "Could not launch the task because we failed to unschedule \
                                  directories scheduled for gc"
                .to_owned(),
            Verdict::ResourcesUnknown(user) => {
                let user = match user {
                    ResourceUser::Task => "task",
                    ResourceUser::Executor => "executor",
                };
                format!(
                    "The checkpointed resources being used by the {user} are unknown to the slave"
                )
            }
            Verdict::NotCheckpointed(why) => {
                format!("Could not launch the task because it could not be checkpointed: {why}")
            }
            Verdict::UnknownToExecutor => "Task launched during slave restart".to_owned(),
            Verdict::UnknownToSlave => "Reconciliation: task unknown to the slave".to_owned(),
            Verdict::EndedBefore(_) => "Reconciliation: task has ended before".to_owned(),
            Verdict::ExecutorEnded { message, .. } => message.clone(),
        }
    }
}

/// Why we end a container, to be told of the tasks in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    LaunchFailed(String),
    UpdateFailed(String),
    NotRegistered(Duration),
    NotReregistered(Duration),
}

impl From<Ending> for Termination {
    fn from(ending: Ending) -> Termination {
        let (state, reason, message) = match ending {
            Ending::LaunchFailed(why) => (
                TaskState::TaskFailed,
                Reason::ContainerLaunchFailed,
                format!("Failed to launch container: {why}"),
            ),
            Ending::UpdateFailed(why) => (
                TaskState::TaskLost,
                Reason::ContainerUpdateFailed,
                format!("Failed to update resources for container: {why}"),
            ),
            Ending::NotRegistered(timeout) => (
                TaskState::TaskFailed,
                Reason::ExecutorRegistrationTimeout,
                format!("Executor did not register within {}", stout::duration::display(timeout)),
            ),
            Ending::NotReregistered(timeout) => (
                TaskState::TaskLost,
                Reason::ExecutorReregistrationTimeout,
                format!(
                    "Executor did not re-register within {}",
                    stout::duration::display(timeout)
                ),
            ),
        };
        Termination {
            status: None,
            state: Some(state.into()),
            reasons: vec![reason.into()],
            message: Some(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(message: Option<&str>) -> Termination {
        Termination { message: message.map(str::to_owned), ..Termination::default() }
    }

    #[test]
    fn the_end_of_an_executor_as_its_tasks_hear_of_it() {
        let check = |ended: Option<Termination>, pending: Option<Ending>, expected: &str| {
            let pending = pending.map(Termination::from);
            let verdict = Verdict::executor_ended(ended.as_ref(), pending.as_ref());
            let reason = verdict.reason().unwrap().as_str_name();
            let state = verdict.state().as_str_name();
            assert_eq!(format!("{state} {reason} {}", verdict.message()), expected);
        };
        check(
            Some(ended(None)),
            None,
            "TASK_FAILED REASON_EXECUTOR_TERMINATED Executor terminated",
        );
        check(None, None, "TASK_FAILED REASON_EXECUTOR_TERMINATED Abnormal executor termination");
        check(
            Some(ended(Some("Executor terminated"))),
            Some(Ending::NotRegistered(Duration::from_secs(60))),
            "TASK_FAILED REASON_EXECUTOR_REGISTRATION_TIMEOUT \
             Executor did not register within 1mins; Executor terminated",
        );
        check(
            Some(ended(Some("Executor terminated"))),
            Some(Ending::NotReregistered(Duration::from_secs(2))),
            "TASK_LOST REASON_EXECUTOR_REREGISTRATION_TIMEOUT \
             Executor did not re-register within 2secs; Executor terminated",
        );
        check(
            None,
            Some(Ending::LaunchFailed("no".to_owned())),
            "TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED \
             Failed to launch container: no; Abnormal executor termination",
        );
        check(
            Some(ended(None)),
            Some(Ending::UpdateFailed("no".to_owned())),
            "TASK_LOST REASON_CONTAINER_UPDATE_FAILED \
             Failed to update resources for container: no",
        );
        let limited = Termination {
            state: Some(TaskState::TaskFailed.into()),
            reasons: vec![Reason::ContainerLimitationMemory.into()],
            ..ended(Some("Memory limit exceeded"))
        };
        check(
            Some(limited),
            None,
            "TASK_FAILED REASON_CONTAINER_LIMITATION_MEMORY Memory limit exceeded",
        );
        let odd = Termination { state: Some(TaskState::TaskRunning.into()), ..ended(None) };
        check(Some(odd), None, "TASK_FAILED REASON_EXECUTOR_TERMINATED Executor terminated");
    }
}
