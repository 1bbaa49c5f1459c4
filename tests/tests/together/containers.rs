//! Containers whose executors are real drivers beside the slave: they do what they are told, and
//! tell the test. They end when the test says so. Upstream: `MockExecutor`.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use common::ids::{ContainerId, FrameworkId, TaskId};
use containerizer::LaunchSpec;
use executor::{Environment, Executor, ExecutorDriver};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use libprocess::Runtime;
use libprocess::embed::Embedded;
use parking_lot::Mutex;
use proto::mesos::{ExecutorInfo, FrameworkInfo, SlaveInfo, TaskInfo, TaskState, TaskStatus};
use tests::fakes::containers::{Ends, Play};

/// What an executor is told.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Launch(TaskId),
    Message(Bytes),
    Shutdown,
}

/// The drivers in all containers of a slave.
pub(crate) struct Drivers {
    runtime: Runtime,
    /// What tasks become as soon as they are launched.
    state: TaskState,
    said: Sender<Said>,
    running: Mutex<BTreeMap<ContainerId, ExecutorDriver>>,
}

impl Drivers {
    pub(crate) fn new(runtime: Runtime, state: TaskState, said: Sender<Said>) -> Self {
        Self { runtime, state, said, running: Mutex::default() }
    }

    fn only(&self) -> (ContainerId, ExecutorDriver) {
        let running = self.running.lock();
        let (id, driver) = running.iter().next().expect("a container that has not ended");
        (id.clone(), driver.clone())
    }

    /// The driver of the only executor.
    pub(crate) fn executor(&self) -> ExecutorDriver {
        self.only().1
    }

    /// The only container.
    pub(crate) fn container(&self) -> ContainerId {
        self.only().0
    }
}

impl Play for Drivers {
    fn launch(&self, spec: LaunchSpec, _: &Ends) -> BoxFuture<'static, ()> {
        let framework_id = spec.executor_info.framework_id.as_ref().expect("the slave sets it");
        let environment = Environment {
            slave: spec.slave_pid.parse().expect("a pid"),
            slave_id: spec.slave_id.clone(),
            framework_id: FrameworkId::from(framework_id),
            executor_id: (&spec.executor_info.executor_id).into(),
            directory: spec.directory.display().to_string(),
            checkpoint: false,
            recovery_timeout: Duration::ZERO,
            shutdown_grace_period: Duration::ZERO,
            local: true,
        };
        let player = Player { state: self.state, said: self.said.clone() };
        let runtime = Embedded::shared(self.runtime.clone());
        let driver = ExecutorDriver::with_runtime(player, environment, runtime);
        let driver = driver.expect("a thread for it");
        driver.start();
        self.running.lock().insert(spec.container_id, driver);
        future::ready(()).boxed()
    }

    fn destroy(&self, id: &ContainerId, ends: &Ends) {
        if let Some(driver) = self.running.lock().remove(id) {
            driver.abort();
        }
        ends.end(id);
    }
}

/// An executor that does as it is told.
struct Player {
    state: TaskState,
    said: Sender<Said>,
}

impl Player {
    fn tell(&self, said: Said) {
        // The test may have heard enough.
        let _ = self.said.send(said);
    }
}

/// What an executor says of a task.
pub(crate) fn status(task_id: &TaskId, state: TaskState) -> TaskStatus {
    let task_id = task_id.into();
    TaskStatus { task_id, state: state.into(), ..TaskStatus::default() }
}

impl Executor for Player {
    fn registered(&mut self, _: &ExecutorDriver, _: ExecutorInfo, _: FrameworkInfo, _: SlaveInfo) {}

    fn reregistered(&mut self, _: &ExecutorDriver, _: SlaveInfo) {}

    fn disconnected(&mut self, _: &ExecutorDriver) {}

    fn launch_task(&mut self, driver: &ExecutorDriver, task: TaskInfo) {
        let id = TaskId::from(&task.task_id);
        if self.state != TaskState::TaskStaging {
            driver.send_status_update(status(&id, self.state));
        }
        self.tell(Said::Launch(id));
    }

    fn kill_task(&mut self, driver: &ExecutorDriver, task_id: TaskId) {
        driver.send_status_update(status(&task_id, TaskState::TaskKilled));
    }

    fn framework_message(&mut self, _: &ExecutorDriver, data: Bytes) {
        self.tell(Said::Message(data));
    }

    fn shutdown(&mut self, _: &ExecutorDriver) {
        self.tell(Said::Shutdown);
    }

    fn error(&mut self, _: &ExecutorDriver, _: &str) {}
}
