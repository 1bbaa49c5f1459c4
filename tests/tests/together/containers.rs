//! Containers whose executors are real drivers beside the slave: they do what they are told, and
//! tell the test. They end when the test says so. Upstream: `TestContainerizer`, `MockExecutor`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use common::ids::{ContainerId, FrameworkId, TaskId};
use common::resources::Resources;
use containerizer::{
    ContainerError, Containerizer, LaunchError, LaunchSpec, Launched, RecoverError,
    RecoverableContainer, TerminationError,
};

use executor::{Environment, Executor, ExecutorDriver};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use libprocess::Runtime;
use libprocess::embed::Embedded;
use parking_lot::Mutex;
use proto::mesos::containerizer::Termination;
use proto::mesos::{
    ContainerStatus, ExecutorInfo, FrameworkInfo, ResourceStatistics, SlaveInfo, TaskInfo,
    TaskState, TaskStatus,
};
use tokio::sync::watch;

/// What an executor is told.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Launch(TaskId),
    Message(Bytes),
    Shutdown,
}

struct Container {
    driver: Option<ExecutorDriver>,
    ended: watch::Sender<Option<Termination>>,
}

/// All containers of a slave.
pub(crate) struct Containers {
    runtime: Runtime,
    /// What tasks become as soon as they are launched.
    state: TaskState,
    said: Sender<Said>,
    containers: Mutex<BTreeMap<ContainerId, Container>>,
}

impl Containers {
    pub(crate) fn new(runtime: Runtime, state: TaskState, said: Sender<Said>) -> Arc<Self> {
        Arc::new(Self { runtime, state, said, containers: Mutex::default() })
    }

    /// The driver of the only executor.
    pub(crate) fn executor(&self) -> ExecutorDriver {
        let containers = self.containers.lock();
        let container = containers.values().next().expect("a container");
        container.driver.clone().expect("it has not ended")
    }

    /// Ends the only container.
    pub(crate) fn end(&self) {
        let id = self.containers.lock().keys().next().cloned().expect("a container");
        self.destroy(&id);
    }
}

impl Containerizer for Containers {
    fn recover(
        &self,
        _: Vec<RecoverableContainer>,
    ) -> BoxFuture<'static, Result<(), RecoverError>> {
        future::ready(Ok(())).boxed()
    }

    fn launch(&self, spec: LaunchSpec) -> BoxFuture<'static, Result<Launched, LaunchError>> {
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
        let container = Container { driver: Some(driver), ended: watch::Sender::new(None) };
        self.containers.lock().insert(spec.container_id, container);
        future::ready(Ok(Launched::Started)).boxed()
    }

    fn update(
        &self,
        _: &ContainerId,
        _: Resources,
    ) -> BoxFuture<'static, Result<(), ContainerError>> {
        future::ready(Ok(())).boxed()
    }

    fn usage(
        &self,
        id: &ContainerId,
    ) -> BoxFuture<'static, Result<ResourceStatistics, ContainerError>> {
        future::ready(Err(ContainerError::Unknown(id.clone()))).boxed()
    }

    fn status(
        &self,
        _: &ContainerId,
    ) -> BoxFuture<'static, Result<ContainerStatus, ContainerError>> {
        future::ready(Ok(ContainerStatus::default())).boxed()
    }

    fn wait(&self, id: &ContainerId) -> BoxFuture<'static, Result<Termination, TerminationError>> {
        let unknown = TerminationError::Unknown(id.clone());
        let containers = self.containers.lock();
        let Some(mut ended) = containers.get(id).map(|container| container.ended.subscribe())
        else {
            return future::ready(Err(unknown)).boxed();
        };
        async move {
            let ended = ended.wait_for(Option::is_some).await;
            ended.ok().and_then(|ended| ended.clone()).ok_or(unknown)
        }
        .boxed()
    }

    fn destroy(&self, id: &ContainerId) {
        if let Some(container) = self.containers.lock().get_mut(id) {
            if let Some(driver) = container.driver.take() {
                driver.abort();
            }
            let status = Some(0);
            container.ended.send_replace(Some(Termination { status, ..Termination::default() }));
        }
    }

    fn containers(&self) -> BTreeSet<ContainerId> {
        self.containers.lock().keys().cloned().collect()
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
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
