//! A scripted slave for the tests of drivers and of the command executor.

use common::ids::{ExecutorId, FrameworkId, SlaveId};
use libprocess::Upid;
use libprocess::testing::Peer;
use proto::mesos::internal::{
    ExecutorRegisteredMessage, RegisterExecutorMessage, RunTaskMessage,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use proto::mesos::{ExecutorInfo, FrameworkInfo, SlaveInfo, TaskInfo, TaskState, TaskStatus};

pub(crate) const SLAVE: &str = "S0";
pub(crate) const FRAMEWORK: &str = "F0";
pub(crate) const EXECUTOR: &str = "E0";

/// A slave that does what the test says.
pub(crate) struct Slave {
    pub(crate) peer: Peer,
    /// Known once an executor has registered.
    pub(crate) executor: Upid,
}

impl Slave {
    pub(crate) fn start() -> Self {
        Self { peer: Peer::start("slave(1)"), executor: Upid::empty() }
    }

    /// The variables that an executor is started with.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let pid = self.peer.upid().to_string();
        [
            ("LIBPROCESS_IP", "127.0.0.1"),
            ("LIBPROCESS_PORT", "0"),
            ("MESOS_SLAVE_PID", &pid),
            ("MESOS_SLAVE_ID", SLAVE),
            ("MESOS_FRAMEWORK_ID", FRAMEWORK),
            ("MESOS_EXECUTOR_ID", EXECUTOR),
            ("MESOS_DIRECTORY", "/tmp"),
            ("MESOS_INITIALIZE_DRIVER_LOGGING", "false"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// Waits for an executor and makes it known.
    pub(crate) fn register(&mut self, framework: FrameworkInfo) {
        let registration = self.peer.expect::<RegisterExecutorMessage>();
        assert_eq!(registration.message.framework_id.value, FRAMEWORK);
        assert_eq!(registration.message.executor_id.value, EXECUTOR);
        self.executor = registration.from;
        self.peer.send(&self.executor, &registered(framework));
    }

    pub(crate) fn run(&self, task: TaskInfo) {
        let message = RunTaskMessage {
            framework_id: Some(FrameworkId::from(FRAMEWORK).into()),
            framework: FrameworkInfo::default(),
            task,
            pid: None,
        };
        self.peer.send(&self.executor, &message);
    }

    pub(crate) fn expect_update(&self) -> StatusUpdateMessage {
        self.peer.expect::<StatusUpdateMessage>().message
    }

    pub(crate) fn acknowledge(&self, update: &StatusUpdateMessage) {
        let status = &update.update.status;
        let message = StatusUpdateAcknowledgementMessage {
            slave_id: SlaveId::from(SLAVE).into(),
            framework_id: FrameworkId::from(FRAMEWORK).into(),
            task_id: status.task_id.clone(),
            uuid: update.update.uuid.clone().expect("executors' updates have one"),
        };
        self.peer.send(&self.executor, &message);
    }

    /// The next update, which is acknowledged.
    pub(crate) fn expect_status(&self, state: TaskState) -> TaskStatus {
        let update = self.expect_update();
        assert_eq!(update.update.status.state(), state, "{update:?}");
        self.acknowledge(&update);
        update.update.status
    }
}

pub(crate) fn registered(framework: FrameworkInfo) -> ExecutorRegisteredMessage {
    ExecutorRegisteredMessage {
        executor_info: ExecutorInfo {
            executor_id: ExecutorId::from(EXECUTOR).into(),
            ..ExecutorInfo::default()
        },
        framework_id: FrameworkId::from(FRAMEWORK).into(),
        framework_info: framework,
        slave_id: SlaveId::from(SLAVE).into(),
        slave_info: slave_info(),
    }
}

pub(crate) fn slave_info() -> SlaveInfo {
    SlaveInfo { hostname: "localhost".to_owned(), ..SlaveInfo::default() }
}

pub(crate) fn task(id: &str) -> TaskInfo {
    let mut task = TaskInfo { name: id.to_owned(), ..TaskInfo::default() };
    task.task_id.value = id.to_owned();
    task.slave_id.value = SLAVE.to_owned();
    task
}
