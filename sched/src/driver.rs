//! The scheduler driver: what a scheduler must answer to, and the calls that it may make.
//! Called by frameworks written in Rust, by `mesos-execute` and by the bindings. Owns the state
//! that its callers see; everything on the wire is `process`'s. Starts no cluster: who wants a
//! local one starts it and gives its address.
//!
//! Upstream: `mesos::Scheduler`, `MesosSchedulerDriver`.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use coordination::election::{MasterDetector, Mechanism};
use libprocess::embed::{Callbacks, Embedded, Latch};
use libprocess::logging::{self, InitError};
use libprocess::os::hostname;
use libprocess::runtime::config::{Config, ConfigError, StartError};
use libprocess::{Ctx, Inject, Pid, Runtime, vlog};
use nix::unistd::{Uid, User};
use parking_lot::Mutex;
use proto::mesos::offer::{Operation, operation};
use proto::mesos::{
    Credential, Filters, FrameworkInfo, MasterInfo, Offer, Request, Status, TaskInfo, TaskStatus,
};

use stout::Uuid;
use stout::flags::parse::LoadError;
use tracing::{info, warn};

use crate::flags::{ConstructorFlags, SchedulerFlags, load};
use crate::process::{Callee, SchedulerProcess, Setup};

/// What a scheduler answers to. Calls come one at a time, from one thread, and may block it.
/// Upstream: `mesos::Scheduler`.
pub trait Scheduler: Send + 'static {
    /// A master that did not know the framework before knows it now; after a failover of the
    /// master or of the scheduler, too.
    fn registered(
        &mut self,
        driver: &SchedulerDriver,
        framework_id: FrameworkId,
        master: MasterInfo,
    );

    /// A master that knew the framework before has it back.
    fn reregistered(&mut self, driver: &SchedulerDriver, master: MasterInfo);

    /// The leading master is gone. Calls are lost until the next registration.
    fn disconnected(&mut self, driver: &SchedulerDriver);

    /// Resources may be used, by [`SchedulerDriver::launch_tasks`] or
    /// [`SchedulerDriver::accept_offers`]. Others may be offered them, too.
    fn resource_offers(&mut self, driver: &SchedulerDriver, offers: Vec<Offer>);

    /// An offer can be used no more.
    fn offer_rescinded(&mut self, driver: &SchedulerDriver, offer_id: OfferId);

    /// A task is in another state. Comes again until it is acknowledged.
    fn status_update(&mut self, driver: &SchedulerDriver, status: TaskStatus);

    /// An executor says something. Nothing guarantees that it arrives.
    fn framework_message(
        &mut self,
        driver: &SchedulerDriver,
        executor_id: ExecutorId,
        slave_id: SlaveId,
        data: Bytes,
    );

    /// A slave is gone for good.
    fn slave_lost(&mut self, driver: &SchedulerDriver, slave_id: SlaveId);

    /// An executor has ended; `status` is as `wait` gives it.
    fn executor_lost(
        &mut self,
        driver: &SchedulerDriver,
        executor_id: ExecutorId,
        slave_id: SlaveId,
        status: i32,
    );

    /// The driver cannot go on and is aborted.
    fn error(&mut self, driver: &SchedulerDriver, message: &str);
}

/// Who acknowledges status updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Acknowledgements {
    /// The driver, when the scheduler has seen the update.
    #[default]
    Implicit,
    /// The scheduler, by [`SchedulerDriver::acknowledge_status_update`].
    Explicit,
}

/// How to find the leading master.
pub enum Leader {
    /// By a text: `host:port`, `zk://…`, `file://…`.
    At(String),
    /// By what such a text was read as.
    By(Mechanism),
    /// By a detector that the caller has.
    Detector(Arc<dyn MasterDetector>),
}

/// What a driver is made for.
pub struct Options {
    /// The framework. An empty user and a missing host name are filled in.
    pub framework: FrameworkInfo,
    /// Where the leading master is.
    pub leader: Leader,
    /// Who acknowledges status updates.
    pub acknowledgements: Acknowledgements,
    /// Who the framework is, and the proof of it.
    pub credential: Option<Credential>,
    /// Gives numbers from 0 to 1, by which waiting times are chosen: others in each process, so
    /// that drivers do not come back to a master all at the same time.
    pub random: fn() -> f64,
}

impl Options {
    /// A framework without a credential, whose driver acknowledges for it.
    pub fn new(framework: FrameworkInfo, leader: Leader) -> Self {
        Self {
            framework,
            leader,
            acknowledgements: Acknowledgements::default(),
            credential: None,
            random,
        }
    }
}

fn random() -> f64 {
    let [high, low, ..] = *Uuid::new_v4().as_bytes();
    f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
}

/// Why there can be no driver.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// A `MESOS_*` variable has a bad value.
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
    /// The framework names no user and ours has no name.
    #[error("No username for uid {0}")]
    NoUser(Uid),
}

struct State {
    status: Status,
    process: Option<Pid<SchedulerProcess>>,
    /// What the actor is made of, until it is.
    setup: Option<Setup>,
}

pub(crate) struct Inner {
    id: String,
    variables: Vec<(String, String)>,
    leader: Leader,
    acknowledgements: Acknowledgements,
    runtime: Embedded,
    callbacks: Callbacks<Callee>,
    /// False from the moment that `stop` or `abort` is called.
    running: Arc<AtomicBool>,
    ended: Latch,
    state: Mutex<State>,
}

impl Inner {
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(process) = &self.state.get_mut().process {
            // Behind what waits: it was asked for before the end.
            process.terminate(Inject::Back);
        }
    }
}

/// Speaks to the master for a scheduler. Clones are the same driver; it ends with the last one.
/// Upstream: `MesosSchedulerDriver`.
#[derive(Clone)]
pub struct SchedulerDriver {
    inner: Arc<Inner>,
}

impl SchedulerDriver {
    /// A driver with a libprocess runtime of its own. `variables` is the environment: `MESOS_*`
    /// says how the driver logs and registers, `LIBPROCESS_*` where it listens.
    ///
    /// # Errors
    /// A variable has a bad value, or the runtime cannot start.
    pub fn new(
        scheduler: impl Scheduler,
        options: Options,
        variables: &[(String, String)],
    ) -> Result<Self, NewError> {
        let flags: ConstructorFlags = load(variables)?;
        let id = format!("scheduler-{}", Uuid::new_v4());
        let get = |name: &str| find(variables, name);
        let config = Config {
            delegate: Some(id.clone()),
            schema: Some(proto::initialized::schema),
            ..Config::from_environment(get)?
        };
        let runtime = Embedded::start(config)?;
        if flags.logging.initialize_driver_logging {
            match logging::init(&flags.logging, &options.framework.name, get) {
                Ok(()) | Err(InitError::AlreadyInitialized | InitError::ForeignSubscriber) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if runtime.address().ip.is_loopback() {
            warn!(
                "Scheduler driver bound to loopback interface! Cannot communicate with remote \
                 master(s). You might want to set 'LIBPROCESS_IP' environment variable to use a \
                 routable IP address."
            );
        }
        Self::build(id, scheduler, options, variables, runtime)
    }

    /// A driver in a runtime that the caller has.
    ///
    /// # Errors
    /// As [`SchedulerDriver::new`].
    pub fn with_runtime(
        scheduler: impl Scheduler,
        options: Options,
        variables: &[(String, String)],
        runtime: Embedded,
    ) -> Result<Self, NewError> {
        let id = format!("scheduler-{}", Uuid::new_v4());
        Self::build(id, scheduler, options, variables, runtime)
    }

    fn build(
        id: String,
        scheduler: impl Scheduler,
        options: Options,
        variables: &[(String, String)],
        runtime: Embedded,
    ) -> Result<Self, NewError> {
        let place: Arc<OnceLock<Weak<Inner>>> = Arc::default();
        let callee = Callee::new(Box::new(scheduler), place.clone());
        let driver = place.clone();
        let callbacks = Callbacks::start("scheduler", callee, move || {
            if let Some(inner) = driver.get().and_then(Weak::upgrade) {
                SchedulerDriver { inner }.abort();
            }
        })?;
        let running = Arc::new(AtomicBool::new(true));
        let ended = Latch::default();
        let setup = Setup {
            framework: complete(options.framework)?,
            credential: options.credential,
            acknowledgements: options.acknowledgements,
            random: options.random,
            callbacks: callbacks.clone(),
            running: running.clone(),
            ended: ended.clone(),
        };
        let inner = Arc::new(Inner {
            id,
            variables: variables.to_vec(),
            leader: options.leader,
            acknowledgements: options.acknowledgements,
            runtime,
            callbacks,
            running,
            ended,
            state: Mutex::new(State {
                status: Status::DriverNotStarted,
                process: None,
                setup: Some(setup),
            }),
        });
        // The only place that sets it, and nobody calls the scheduler before `start`.
        let _ = place.set(Arc::downgrade(&inner));
        Ok(Self { inner })
    }

    pub(crate) fn of(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    /// The runtime that the driver's actor lives in.
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// Starts the driver, which looks for the leading master and registers with it. Running says
    /// nothing about being registered. Only a driver that was never started can be started.
    ///
    /// If the leader cannot be looked for, or a `MESOS_*` variable has a bad value, the driver is
    /// aborted and [`Scheduler::error`] has been called when this returns.
    pub fn start(&self) -> Status {
        match self.try_start() {
            Ok(status) => status,
            Err(message) => {
                self.inner.running.store(false, Ordering::Release);
                self.inner.callbacks.call_and_wait("Scheduler::error", move |callee| {
                    callee.call_last(|scheduler, driver| scheduler.error(driver, &message));
                });
                Status::DriverAborted
            }
        }
    }

    fn try_start(&self) -> Result<Status, String> {
        let mut state = self.inner.state.lock();
        let Some(setup) = state.setup.take().filter(|_| state.status == Status::DriverNotStarted)
        else {
            return Ok(state.status);
        };
        state.status = Status::DriverAborted;
        let detector = match &self.inner.leader {
            Leader::Detector(detector) => detector.clone(),
            Leader::By(mechanism) => mechanism.clone().detector(&self.inner.runtime),
            Leader::At(text) => {
                let mechanism = Mechanism::parse(text).map_err(|error| {
                    format!("Failed to create a master detector for '{text}': {error}")
                })?;
                mechanism.detector(&self.inner.runtime)
            }
        };
        let flags: SchedulerFlags =
            load(&self.inner.variables).map_err(|error| error.to_string())?;
        if flags.modules.is_some() {
            return Err("Error loading modules: this build loads none".to_owned());
        }
        let process = SchedulerProcess::new(setup, detector, flags);
        let spawned = self.inner.runtime.spawn(self.inner.id.as_str(), process);
        state.process = Some(spawned.map_err(|error| error.to_string())?);
        state.status = Status::DriverRunning;
        Ok(state.status)
    }

    /// Ends the framework with all its tasks, if the master can be told, and the driver; no more
    /// callbacks. Aborted is returned, once, by a driver that was aborted before.
    pub fn stop(&self) -> Status {
        self.end(SchedulerProcess::stop)
    }

    /// Ends the driver and leaves the framework to another one, which must come within the
    /// framework's failover timeout. Upstream: `stop(true)`.
    pub fn stop_for_failover(&self) -> Status {
        self.end(SchedulerProcess::stop_for_failover)
    }

    fn end(
        &self,
        stop: impl FnOnce(&mut SchedulerProcess, &mut Ctx<SchedulerProcess>) + Send + 'static,
    ) -> Status {
        let mut state = self.inner.state.lock();
        info!("Asked to stop the driver");
        let before = state.status;
        if !matches!(before, Status::DriverRunning | Status::DriverAborted) {
            let name = before.as_str_name();
            vlog!(1, "Ignoring stop because the status of the driver is {name}");
            return before;
        }
        self.inner.running.store(false, Ordering::Release);
        if let Some(process) = &state.process {
            process.tell(stop);
        }
        state.status = Status::DriverStopped;
        if before == Status::DriverAborted { before } else { state.status }
    }

    /// Aborts the driver: no more callbacks, at most one that has begun. The master is told to
    /// send no more offers; the framework and its tasks go on until its failover timeout.
    pub fn abort(&self) -> Status {
        let mut state = self.inner.state.lock();
        info!("Asked to abort the driver");
        if state.status != Status::DriverRunning {
            let name = state.status.as_str_name();
            vlog!(1, "Ignoring abort because the status of the driver is {name}");
            return state.status;
        }
        self.inner.running.store(false, Ordering::Release);
        if let Some(process) = &state.process {
            process.tell(SchedulerProcess::abort);
        }
        state.status = Status::DriverAborted;
        state.status
    }

    /// Waits until the driver is stopped or aborted, if it was ever started.
    pub fn join(&self) -> Status {
        if self.inner.state.lock().process.is_some() {
            self.inner.ended.wait();
        }
        self.inner.state.lock().status
    }

    /// Starts the driver and waits for its end.
    pub fn run(&self) -> Status {
        match self.start() {
            Status::DriverRunning => self.join(),
            status => status,
        }
    }

    /// Asks for resources beyond those that are offered; a hint to allocators.
    pub fn request_resources(&self, requests: Vec<Request>) -> Status {
        self.tell(move |process, ctx| process.request_resources(ctx, requests))
    }

    /// Starts tasks on offers, all of one slave. What is left of them is declined with `filters`.
    /// Lost tasks are told, if the driver is disconnected.
    pub fn launch_tasks(
        &self,
        offer_ids: &[OfferId],
        tasks: Vec<TaskInfo>,
        filters: Filters,
    ) -> Status {
        let launch = Operation {
            r#type: operation::Type::Launch.into(),
            launch: Some(operation::Launch { task_infos: tasks }),
            ..Operation::default()
        };
        self.accept_offers(offer_ids, vec![launch], filters)
    }

    /// Uses offers, all of one slave, in the order of `operations`.
    pub fn accept_offers(
        &self,
        offer_ids: &[OfferId],
        operations: Vec<Operation>,
        filters: Filters,
    ) -> Status {
        let offer_ids = offer_ids.to_vec();
        self.tell(move |process, ctx| process.accept_offers(ctx, &offer_ids, operations, filters))
    }

    /// Does without an offer; its resources are not offered again for as long as `filters` says.
    pub fn decline_offer(&self, offer_id: &OfferId, filters: Filters) -> Status {
        let offer_id = offer_id.clone();
        self.tell(move |process, ctx| process.decline_offer(ctx, &offer_id, filters))
    }

    /// Asks for the end of a task; of a disconnected driver, once it is connected again.
    pub fn kill_task(&self, task_id: &TaskId) -> Status {
        let task_id = task_id.clone();
        self.tell(move |process, ctx| process.kill_task(ctx, task_id))
    }

    /// Forgets all filters, and asks for offers again.
    pub fn revive_offers(&self) -> Status {
        self.tell(SchedulerProcess::revive_offers)
    }

    /// Asks for no offers until [`SchedulerDriver::revive_offers`].
    pub fn suppress_offers(&self) -> Status {
        self.tell(SchedulerProcess::suppress_offers)
    }

    /// Says that an update has been taken care of, so that it comes no more.
    ///
    /// # Panics
    /// If the driver acknowledges by itself: the two together lose updates.
    pub fn acknowledge_status_update(&self, status: &TaskStatus) -> Status {
        assert_eq!(
            self.inner.acknowledgements,
            Acknowledgements::Explicit,
            "Cannot call acknowledgeStatusUpdate: Implicit acknowledgements are enabled"
        );
        let status = status.clone();
        self.tell(move |process, ctx| process.acknowledge_status_update(ctx, &status))
    }

    /// Says something to an executor. Nothing guarantees that it arrives.
    pub fn send_framework_message(
        &self,
        executor_id: &ExecutorId,
        slave_id: &SlaveId,
        data: impl Into<Bytes>,
    ) -> Status {
        let (executor_id, slave_id, data) = (executor_id.clone(), slave_id.clone(), data.into());
        self.tell(move |process, ctx| {
            process.send_framework_message(ctx, &executor_id, &slave_id, data);
        })
    }

    /// Asks for the states of these tasks, or of all if there are none.
    pub fn reconcile_tasks(&self, statuses: &[TaskStatus]) -> Status {
        let statuses = statuses.to_vec();
        self.tell(move |process, ctx| process.reconcile_tasks(ctx, statuses))
    }

    fn tell(
        &self,
        call: impl FnOnce(&mut SchedulerProcess, &mut Ctx<SchedulerProcess>) + Send + 'static,
    ) -> Status {
        let state = self.inner.state.lock();
        if let (Status::DriverRunning, Some(process)) = (state.status, &state.process) {
            process.tell(call);
        }
        state.status
    }
}

/// Fills in who runs the framework and where, if it does not say so itself.
fn complete(mut framework: FrameworkInfo) -> Result<FrameworkInfo, NewError> {
    if framework.user.is_empty() {
        let uid = Uid::current();
        let user = User::from_uid(uid).ok().flatten().ok_or(NewError::NoUser(uid))?;
        framework.user = user.name;
    }
    if framework.hostname().is_empty() {
        framework.hostname = hostname::of_this_host().ok();
    }
    Ok(framework)
}

fn find(variables: &[(String, String)], name: &str) -> Option<String> {
    variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    #[test]
    fn random_numbers_are_between_0_and_1_and_differ() {
        let numbers: Vec<f64> = (0..1_000).map(|_| super::random()).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number != numbers[0]));
    }
}
