//! The executor driver: what an executor must answer to, and the calls that it may make.
//! Called by executors written in Rust and by the command executor. Owns the state that its
//! callers see; everything on the wire is `process`'s.
//!
//! Upstream: `mesos::Executor`, `MesosExecutorDriver`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use common::ids::TaskId;
use libprocess::embed::{Callbacks, Embedded, Latch};
use libprocess::logging::{self, InitError};
use libprocess::runtime::config::{Config, ConfigError, StartError};
use libprocess::{Ctx, Inject, Pid, Runtime};
use parking_lot::Mutex;
use proto::mesos::{ExecutorInfo, FrameworkInfo, SlaveInfo, Status, TaskInfo, TaskStatus};
use stout::flags::BoxedError;
use stout::flags::parse::{LoadError, Loader};

use crate::environment::{Environment, EnvironmentError};
use crate::process::ExecutorProcess;

/// What an executor answers to. Calls come one at a time, from one thread, and may block it.
/// Upstream: `mesos::Executor`.
pub trait Executor: Send + 'static {
    /// The slave knows the executor. Comes once.
    fn registered(
        &mut self,
        driver: &ExecutorDriver,
        executor: ExecutorInfo,
        framework: FrameworkInfo,
        slave: SlaveInfo,
    );

    /// A restarted slave knows the executor again.
    fn reregistered(&mut self, driver: &ExecutorDriver, slave: SlaveInfo);

    /// COMPAT: no version of `MesosExecutorDriver` ever calls it; held by
    /// `checkpointing_executor_reconnects_with_what_was_not_acknowledged`.
    fn disconnected(&mut self, driver: &ExecutorDriver);

    /// A task is to be started. May come before a `kill_task` for it that was sent earlier.
    fn launch_task(&mut self, driver: &ExecutorDriver, task: TaskInfo);

    /// A task is to be ended.
    fn kill_task(&mut self, driver: &ExecutorDriver, task_id: TaskId);

    /// The scheduler says something. Nothing guarantees that it arrives.
    fn framework_message(&mut self, driver: &ExecutorDriver, data: Bytes);

    /// All tasks are to be ended. After the grace period the whole process group is killed.
    fn shutdown(&mut self, driver: &ExecutorDriver);

    /// The driver cannot go on and is aborted.
    fn error(&mut self, driver: &ExecutorDriver, message: &str);
}

/// Why there can be no driver.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// What the slave should have set is not there.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A `MESOS_*` variable about logging has a bad value.
    #[error(transparent)]
    Flags(#[from] LoadError),
    /// Logs cannot be written as configured.
    #[error(transparent)]
    Logging(#[from] InitError),
    /// A `LIBPROCESS_*` variable has a bad value.
    #[error(transparent)]
    Libprocess(#[from] ConfigError),
    /// The actors cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no thread for the callbacks.
    #[error("Failed to start a thread: {0}")]
    Thread(#[from] io::Error),
}

/// What the user's executor is called with.
pub(crate) struct Callee {
    executor: Box<dyn Executor>,
    driver: Arc<OnceLock<Weak<Inner>>>,
}

impl Callee {
    /// Calls the executor, unless the driver has been stopped, aborted or dropped.
    pub(crate) fn call(&mut self, call: impl FnOnce(&mut dyn Executor, &ExecutorDriver)) {
        let Some(inner) = self.driver.get().and_then(Weak::upgrade) else { return };
        if inner.live.load(Ordering::Acquire) {
            call(&mut *self.executor, &ExecutorDriver { inner });
        }
    }
}

struct State {
    status: Status,
    process: Option<Pid<ExecutorProcess>>,
}

struct Inner {
    environment: Environment,
    runtime: Embedded,
    callbacks: Callbacks<Callee>,
    /// False from the moment that `stop` or `abort` is called.
    live: Arc<AtomicBool>,
    ended: Latch,
    state: Mutex<State>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(process) = &self.state.get_mut().process {
            // Behind what waits: it was asked for before the end.
            process.terminate(Inject::Back);
        }
    }
}

/// Speaks to the slave for an executor. Clones are the same driver; it ends with the last one.
/// Upstream: `MesosExecutorDriver`.
#[derive(Clone)]
pub struct ExecutorDriver {
    inner: Arc<Inner>,
}

impl ExecutorDriver {
    /// A driver with a libprocess runtime of its own. `variables` is the environment that the
    /// slave gave to this process; the `MESOS_*` ones about logging are obeyed, too.
    ///
    /// # Errors
    /// Something in the environment is missing or wrong; upstream's text.
    pub fn new(executor: impl Executor, variables: &[(String, String)]) -> Result<Self, NewError> {
        let get = |name: &str| find(variables, name);
        let environment = Environment::read(get)?;
        initialize_logging(variables)?;
        let config =
            Config { schema: Some(proto::initialized::schema), ..Config::from_environment(get)? };
        Self::with_runtime(executor, environment, Embedded::start(config)?)
    }

    /// A driver in a runtime that the caller has.
    ///
    /// # Errors
    /// If there is no thread for the callbacks.
    pub fn with_runtime(
        executor: impl Executor,
        environment: Environment,
        runtime: Embedded,
    ) -> Result<Self, NewError> {
        let place: Arc<OnceLock<Weak<Inner>>> = Arc::default();
        let callee = Callee { executor: Box::new(executor), driver: place.clone() };
        let driver = place.clone();
        let callbacks = Callbacks::start("executor", callee, move || {
            if let Some(inner) = driver.get().and_then(Weak::upgrade) {
                ExecutorDriver { inner }.abort();
            }
        })?;
        let inner = Arc::new(Inner {
            environment,
            runtime,
            callbacks,
            live: Arc::new(AtomicBool::new(true)),
            ended: Latch::default(),
            state: Mutex::new(State { status: Status::DriverNotStarted, process: None }),
        });
        // The only place that sets it, and nobody calls the executor before `start`.
        let _ = place.set(Arc::downgrade(&inner));
        Ok(Self { inner })
    }

    /// The runtime that the driver's actor lives in, for the executor's own actors.
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// What the slave said of this executor.
    pub fn environment(&self) -> &Environment {
        &self.inner.environment
    }

    /// Starts the driver, which registers with the slave. Running says nothing about being
    /// registered. Only a driver that was never started can be started.
    pub fn start(&self) -> Status {
        let mut state = self.inner.state.lock();
        if state.status == Status::DriverNotStarted {
            let process = ExecutorProcess::new(
                self.inner.environment.clone(),
                self.inner.callbacks.clone(),
                self.inner.live.clone(),
                self.inner.ended.clone(),
            );
            let mut process = Some(process);
            let make = || process.take().expect("asked once: nobody else names actors `executor`");
            state.process = Some(self.inner.runtime.spawn_numbered("executor", make));
            state.status = Status::DriverRunning;
        }
        state.status
    }

    /// Stops the driver; no more callbacks. What was sent before still leaves. Aborted is
    /// returned, once, by a driver that was aborted before.
    pub fn stop(&self) -> Status {
        let mut state = self.inner.state.lock();
        let before = state.status;
        if !matches!(before, Status::DriverRunning | Status::DriverAborted) {
            return before;
        }
        self.inner.live.store(false, Ordering::Release);
        if let Some(process) = &state.process {
            process.tell(ExecutorProcess::stop);
        }
        state.status = Status::DriverStopped;
        if before == Status::DriverAborted { before } else { state.status }
    }

    /// Aborts the driver: no more callbacks, at most one that has begun. What the executor sent
    /// before is still sent.
    pub fn abort(&self) -> Status {
        let mut state = self.inner.state.lock();
        if state.status == Status::DriverRunning {
            self.inner.live.store(false, Ordering::Release);
            if let Some(process) = &state.process {
                process.tell(ExecutorProcess::abort);
            }
            state.status = Status::DriverAborted;
        }
        state.status
    }

    /// Waits until the driver is stopped or aborted, if it is running.
    pub fn join(&self) -> Status {
        let status = self.inner.state.lock().status;
        if status != Status::DriverRunning {
            return status;
        }
        self.inner.ended.wait();
        self.inner.state.lock().status
    }

    /// Starts the driver and waits for its end.
    pub fn run(&self) -> Status {
        match self.start() {
            Status::DriverRunning => self.join(),
            status => status,
        }
    }

    /// Tells the framework the state of a task; the slave sees to it that it arrives.
    /// Timestamp, uuid and slave id of `status` are overwritten.
    pub fn send_status_update(&self, status: TaskStatus) -> Status {
        self.tell(move |process, ctx| process.send_status_update(ctx, status))
    }

    /// Says something to the scheduler. Nothing guarantees that it arrives.
    pub fn send_framework_message(&self, data: impl Into<Bytes>) -> Status {
        let data = data.into();
        self.tell(move |process, ctx| process.send_framework_message(ctx, data))
    }

    /// Completes when the slave has acknowledged every status update sent so far, when it has been
    /// there for `at_most` without doing so, or when the driver is gone. A slave that is away is
    /// waited for, for as long as the driver waits itself.
    pub fn acknowledged(&self, at_most: Duration) -> impl Future<Output = ()> + Send + use<> {
        let process = self.inner.state.lock().process.clone();
        async move {
            if let Some(process) = process {
                // Gone or acknowledged: there is nothing more to wait for.
                let _ =
                    process.dispatch_then(move |this, ctx| this.acknowledged(ctx, at_most)).await;
            }
        }
    }

    fn tell(
        &self,
        call: impl FnOnce(&mut ExecutorProcess, &mut Ctx<ExecutorProcess>) + Send + 'static,
    ) -> Status {
        let state = self.inner.state.lock();
        if let (Status::DriverRunning, Some(process)) = (state.status, &state.process) {
            process.tell(call);
        }
        state.status
    }
}

/// Starts the logs as the `MESOS_*` variables say; whoever logs already goes on as he does.
fn initialize_logging(variables: &[(String, String)]) -> Result<(), NewError> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let loader = Loader::new(&read).environment("MESOS_", variables.iter().cloned());
    let flags: logging::Config = loader.load(&[])?.flags;
    if !flags.initialize_driver_logging {
        return Ok(());
    }
    match logging::init(&flags, "mesos", |name| find(variables, name)) {
        Ok(()) | Err(InitError::AlreadyInitialized | InitError::ForeignSubscriber) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn find(variables: &[(String, String)], name: &str) -> Option<String> {
    variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use libprocess::Process as _;
    use libprocess::testing::{Peer, start, wait};
    use proto::mesos::TaskState;
    use proto::mesos::internal::{
        ExecutorRegisteredMessage, ExecutorReregisteredMessage, ReconnectExecutorMessage,
        RegisterExecutorMessage, ReregisterExecutorMessage, StatusUpdateMessage,
    };

    use super::*;

    struct Idle;

    impl Executor for Idle {
        fn registered(
            &mut self,
            _: &ExecutorDriver,
            _: ExecutorInfo,
            _: FrameworkInfo,
            _: SlaveInfo,
        ) {
        }
        fn reregistered(&mut self, _: &ExecutorDriver, _: SlaveInfo) {}
        fn disconnected(&mut self, _: &ExecutorDriver) {}
        fn launch_task(&mut self, _: &ExecutorDriver, _: TaskInfo) {}
        fn kill_task(&mut self, _: &ExecutorDriver, _: TaskId) {}
        fn framework_message(&mut self, _: &ExecutorDriver, _: Bytes) {}
        fn shutdown(&mut self, _: &ExecutorDriver) {}
        fn error(&mut self, _: &ExecutorDriver, _: &str) {}
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn driver_of(slave: &Peer, runtime: &Runtime) -> ExecutorDriver {
        let environment = Environment {
            slave: slave.upid().clone(),
            slave_id: "S".into(),
            framework_id: "F".into(),
            executor_id: "E".into(),
            directory: "/tmp".to_owned(),
            checkpoint: true,
            recovery_timeout: Duration::from_secs(900),
            shutdown_grace_period: SECOND,
            local: true,
        };
        let shared = Embedded::shared(runtime.clone());
        let driver = ExecutorDriver::with_runtime(Idle, environment, shared).unwrap();
        driver.start();
        driver
    }

    /// How long it lasts is said by the clock, which the test has in its hands.
    #[test]
    fn the_last_update_waits_for_a_slave_that_is_away() {
        let (slave, runtime) = (Peer::start("slave(1)"), start(Config::default()));
        runtime.clock().pause();
        let driver = driver_of(&slave, &runtime);
        let process = driver.inner.state.lock().process.clone().unwrap();
        let executor = slave.expect::<RegisterExecutorMessage>().from;
        slave.send(&executor, &ExecutorRegisteredMessage::default());
        let mut status = TaskStatus::default();
        status.set_state(TaskState::TaskFinished);
        driver.send_status_update(status);
        let update = slave.expect::<StatusUpdateMessage>().message.update;

        let has = |question: fn(&ExecutorProcess) -> bool| {
            wait(process.dispatch(move |process, _| question(process))).unwrap()
        };
        let until = |question| while !has(question) {};
        until(ExecutorProcess::is_connected);
        let acknowledged = driver.acknowledged(SECOND);
        let farewell = std::thread::spawn(move || wait(acknowledged));
        until(ExecutorProcess::is_waited_for);
        let gone = slave.upid().clone();
        wait(process.dispatch(move |process, ctx| process.exited(ctx, gone))).unwrap();
        for _ in 0..5 {
            runtime.clock().advance(SECOND);
            wait(runtime.settle());
            assert!(has(ExecutorProcess::is_waited_for));
        }
        let slave_id = proto::mesos::SlaveId { value: "S".to_owned() };
        slave.send(&executor, &ReconnectExecutorMessage { slave_id: slave_id.clone() });
        let message = slave.expect::<ReregisterExecutorMessage>().message;
        assert_eq!(message.updates, [update]);
        let slave_info = SlaveInfo::default();
        slave.send(&executor, &ExecutorReregisteredMessage { slave_id, slave_info });
        until(ExecutorProcess::is_connected);
        runtime.clock().advance(SECOND);
        wait(runtime.settle());
        assert!(has(ExecutorProcess::is_waited_for), "it is only just back");
        runtime.clock().advance(SECOND);
        farewell.join().unwrap();
    }
}
