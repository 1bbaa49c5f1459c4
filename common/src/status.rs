//! Status updates: building and printing them, and the task as the daemons keep it.
//! Time and UUIDs are handed in. Upstream: `protobuf::createStatusUpdate`, `createTask`,
//! `getTaskHealth`, `getTaskContainerStatus`, `operator<<(StatusUpdate)`.

use bytes::Bytes;
use proto::mesos::internal::{StatusUpdate, Task};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{ContainerStatus, Labels, TaskInfo, TaskState, TaskStatus};
use stout::uuid;

use crate::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};

/// An update in the making. What is not set stays unset, save for the message, which is empty.
#[derive(Clone, Debug)]
pub struct NewUpdate(StatusUpdate);

impl NewUpdate {
    /// Of a task of a framework, at a time in seconds since the epoch.
    pub fn new(
        framework_id: &FrameworkId,
        task_id: &TaskId,
        state: TaskState,
        source: Source,
        timestamp: f64,
    ) -> NewUpdate {
        let status = TaskStatus {
            task_id: task_id.into(),
            state: state.into(),
            source: Some(source.into()),
            message: Some(String::new()),
            timestamp: Some(timestamp),
            ..TaskStatus::default()
        };
        NewUpdate(StatusUpdate {
            framework_id: framework_id.into(),
            status,
            timestamp,
            ..StatusUpdate::default()
        })
    }

    /// Where the task runs or should have run.
    pub fn slave(mut self, slave_id: &SlaveId) -> NewUpdate {
        self.0.slave_id = Some(slave_id.into());
        self.0.status.slave_id = Some(slave_id.into());
        self
    }

    /// The executor of the task. It is told in the update and not in the status.
    pub fn executor(mut self, executor_id: &ExecutorId) -> NewUpdate {
        self.0.executor_id = Some(executor_id.into());
        self
    }

    /// What an acknowledgement will name; without it none is expected.
    pub fn uuid(mut self, uuid: [u8; 16]) -> NewUpdate {
        let uuid = Bytes::copy_from_slice(&uuid);
        self.0.uuid = Some(uuid.clone());
        self.0.status.uuid = Some(uuid);
        self
    }

    /// For people to read.
    pub fn message(mut self, message: impl Into<String>) -> NewUpdate {
        self.0.status.message = Some(message.into());
        self
    }

    /// For programs to read.
    pub fn reason(mut self, reason: Reason) -> NewUpdate {
        self.0.status.reason = Some(reason.into());
        self
    }

    /// The outcome of the last health check, if there was one.
    pub fn healthy(mut self, healthy: Option<bool>) -> NewUpdate {
        self.0.status.healthy = healthy;
        self
    }

    /// Labels of the status, if there are any.
    pub fn labels(mut self, labels: Option<Labels>) -> NewUpdate {
        self.0.status.labels = labels;
        self
    }

    /// Addresses and control groups of the container, if known.
    pub fn container_status(mut self, status: Option<ContainerStatus>) -> NewUpdate {
        self.0.status.container_status = status;
        self
    }

    /// The finished update.
    pub fn build(self) -> StatusUpdate {
        self.0
    }
}

/// An update that carries a status as it is; `now` is its time if the status has none.
pub fn update_from_status(
    framework_id: &FrameworkId,
    slave_id: Option<&SlaveId>,
    status: TaskStatus,
    now: f64,
) -> StatusUpdate {
    StatusUpdate {
        framework_id: framework_id.into(),
        executor_id: status.executor_id.clone(),
        slave_id: slave_id.map(Into::into),
        timestamp: status.timestamp.unwrap_or(now),
        uuid: status.uuid.clone(),
        status,
        ..StatusUpdate::default()
    }
}

/// `TASK_RUNNING (UUID: …) for task t in health state healthy of framework f`; the UUID only if
/// it is one, the health only if it is known.
pub fn print_update(update: &StatusUpdate) -> String {
    let status = &update.status;
    let uuid = update.uuid.as_ref().and_then(|uuid| uuid::from_bytes(uuid).ok());
    let uuid = uuid.map(|uuid| format!(" (UUID: {uuid})")).unwrap_or_default();
    let health = match status.healthy {
        Some(true) => " in health state healthy",
        Some(false) => " in health state unhealthy",
        None => "",
    };
    format!(
        "{}{uuid} for task {}{health} of framework {}",
        status.state().as_str_name(),
        status.task_id.value,
        update.framework_id.value
    )
}

/// The task that a daemon keeps of a launched `TaskInfo`.
pub fn create_task(task: &TaskInfo, state: TaskState, framework_id: &FrameworkId) -> Task {
    Task {
        name: task.name.clone(),
        task_id: task.task_id.clone(),
        framework_id: framework_id.into(),
        executor_id: task.executor.as_ref().map(|executor| executor.executor_id.clone()),
        slave_id: task.slave_id.clone(),
        state: state.into(),
        resources: task.resources.clone(),
        labels: task.labels.clone(),
        discovery: task.discovery.clone(),
        container: task.container.clone(),
        ..Task::default()
    }
}

/// The health that the last status told, if it did.
pub fn task_health(task: &Task) -> Option<bool> {
    task.statuses.last().and_then(|status| status.healthy)
}

/// The latest container status that any status told.
pub fn task_container_status(task: &Task) -> Option<&ContainerStatus> {
    task.statuses.iter().rev().find_map(|status| status.container_status.as_ref())
}

#[cfg(test)]
mod tests {
    use super::{NewUpdate, create_task, print_update, task_health, update_from_status};
    use crate::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
    use proto::mesos::task_status::{Reason, Source};
    use proto::mesos::{ExecutorInfo, TaskInfo, TaskState, TaskStatus};

    fn running() -> NewUpdate {
        let (framework_id, task_id) = (FrameworkId::from("f"), TaskId::from("t"));
        NewUpdate::new(&framework_id, &task_id, TaskState::TaskRunning, Source::Master, 1.5)
    }

    #[test]
    fn updates_repeat_themselves_in_their_status() {
        let update = running()
            .slave(&SlaveId::from("s"))
            .executor(&ExecutorId::from("e"))
            .uuid([7; 16])
            .reason(Reason::Reconciliation)
            .message("why")
            .build();
        assert_eq!(update.status.slave_id, update.slave_id);
        assert_eq!(update.status.uuid.as_deref(), Some(&[7; 16][..]));
        assert_eq!(update.status.timestamp, Some(1.5));
        assert_eq!(update.status.executor_id, None);
        assert_eq!(update.status.reason(), Reason::Reconciliation);
        assert_eq!(running().build().status.message.as_deref(), Some(""));
    }

    #[test]
    fn updates_print_as_upstream() {
        let check = |update: NewUpdate, expected: &str| {
            assert_eq!(print_update(&update.build()), expected);
        };
        check(running(), "TASK_RUNNING for task t of framework f");
        check(
            running().uuid([0x11; 16]).healthy(Some(true)),
            "TASK_RUNNING (UUID: 11111111-1111-1111-1111-111111111111) for task t \
             in health state healthy of framework f",
        );
        check(
            running().healthy(Some(false)),
            "TASK_RUNNING for task t in health state unhealthy of framework f",
        );
        let mut update = running().build();
        update.uuid = Some(vec![1; 400].into());
        assert_eq!(print_update(&update), "TASK_RUNNING for task t of framework f");
    }

    #[test]
    fn a_status_keeps_its_own_time() {
        let framework_id = FrameworkId::from("f");
        let mut status = TaskStatus { uuid: Some("u".into()), ..TaskStatus::default() };
        let update = update_from_status(&framework_id, None, status.clone(), 9.0);
        assert_eq!((update.timestamp, update.uuid.as_deref()), (9.0, Some(&b"u"[..])));
        status.timestamp = Some(3.0);
        let slave_id = SlaveId::from("s");
        let update = update_from_status(&framework_id, Some(&slave_id), status, 9.0);
        assert_eq!((update.timestamp, update.slave_id), (3.0, Some((&slave_id).into())));
    }

    #[test]
    fn tasks_know_their_custom_executor() {
        let mut info = TaskInfo { name: "n".into(), ..TaskInfo::default() };
        let framework_id = FrameworkId::from("f");
        let task = create_task(&info, TaskState::TaskStaging, &framework_id);
        assert_eq!((task.executor_id, task.state), (None, TaskState::TaskStaging.into()));
        info.executor =
            Some(ExecutorInfo { executor_id: ExecutorId::from("e").into(), ..Default::default() });
        let mut task = create_task(&info, TaskState::TaskStaging, &framework_id);
        assert_eq!(task.executor_id, Some(ExecutorId::from("e").into()));
        assert_eq!(task_health(&task), None);
        task.statuses.push(running().healthy(Some(true)).build().status);
        assert_eq!(task_health(&task), Some(true));
        task.statuses.push(running().build().status);
        assert_eq!(task_health(&task), None);
    }
}
