//! The driver's actor, `scheduler-<uuid>`: what it knows, and how it calls the user's scheduler.
//! Called by `driver`; the family of each message and call is in `registration`, `calls` and
//! `events`. Never calls the scheduler on its own thread.
//!
//! Upstream: `SchedulerProcess`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use common::ids::{FrameworkId, OfferId, SlaveId, TaskId};
use coordination::election::MasterDetector;
use libprocess::clock::Timer;
use libprocess::embed::{Callbacks, Latch};
use libprocess::{Ctx, Process, Router, Upid, vlog};
use proto::mesos::internal::DeactivateFrameworkMessage;
use proto::mesos::{Credential, FrameworkInfo, MasterInfo};
use tracing::info;

use crate::driver::{Acknowledgements, Inner, Scheduler, SchedulerDriver};
use crate::flags::SchedulerFlags;
use crate::registration::Authentication;

const EVENT_QUEUE_MESSAGES: &str = "scheduler/event_queue_messages";
const EVENT_QUEUE_DISPATCHES: &str = "scheduler/event_queue_dispatches";

/// The user's scheduler, on the thread of the callbacks.
pub(crate) struct Callee {
    scheduler: Box<dyn Scheduler>,
    driver: Arc<OnceLock<Weak<Inner>>>,
}

impl Callee {
    pub(crate) fn new(scheduler: Box<dyn Scheduler>, driver: Arc<OnceLock<Weak<Inner>>>) -> Self {
        Self { scheduler, driver }
    }

    fn driver(&self) -> Option<SchedulerDriver> {
        self.driver.get().and_then(Weak::upgrade).map(SchedulerDriver::of)
    }

    fn is_running(&self) -> bool {
        let driver = self.driver.get().and_then(Weak::upgrade);
        driver.is_some_and(|inner| inner.is_running())
    }

    /// Calls the scheduler, unless the driver has been stopped, aborted or dropped.
    pub(crate) fn call(&mut self, call: impl FnOnce(&mut dyn Scheduler, &SchedulerDriver)) {
        if self.is_running() {
            self.call_last(call);
        }
    }

    /// Calls the scheduler of a driver that has been aborted.
    pub(crate) fn call_last(&mut self, call: impl FnOnce(&mut dyn Scheduler, &SchedulerDriver)) {
        if let Some(driver) = self.driver() {
            call(&mut *self.scheduler, &driver);
        }
    }

    /// Aborts the driver and says why, unless it is over already.
    fn fail(&mut self, message: &str) {
        self.call(|scheduler, driver| {
            driver.abort();
            scheduler.error(driver, message);
        });
    }
}

/// What the actor is made of before it is started.
pub(crate) struct Setup {
    pub(crate) framework: FrameworkInfo,
    pub(crate) credential: Option<Credential>,
    pub(crate) acknowledgements: Acknowledgements,
    pub(crate) random: fn() -> f64,
    pub(crate) callbacks: Callbacks<Callee>,
    pub(crate) running: Arc<AtomicBool>,
    pub(crate) ended: Latch,
}

/// The leading master.
pub(crate) struct Master {
    pub(crate) info: MasterInfo,
    pub(crate) pid: Upid,
    /// Whether the connection to it stands, for all that we know.
    pub(crate) linked: bool,
}

/// The actor.
pub(crate) struct SchedulerProcess {
    pub(crate) setup: Setup,
    pub(crate) detector: Arc<dyn MasterDetector>,
    pub(crate) flags: SchedulerFlags,
    pub(crate) master: Option<Master>,
    /// Whether the leading master knows the framework.
    pub(crate) connected: bool,
    /// Whether the framework had an id before and no master has accepted us since.
    pub(crate) failover: bool,
    pub(crate) retry: Option<Timer>,
    pub(crate) authentication: Authentication,
    /// Where the slave of each open offer is.
    pub(crate) saved_offers: BTreeMap<OfferId, (SlaveId, Upid)>,
    /// Where the slaves are that we have launched tasks on.
    pub(crate) saved_slave_pids: BTreeMap<SlaveId, Upid>,
    /// Tasks to be killed as soon as a master knows us.
    pub(crate) saved_kills: BTreeSet<TaskId>,
}

impl Process for SchedulerProcess {
    fn install(&self, router: &mut Router<Self>) {
        router.on(Self::event);
        router.on(Self::framework_registered);
        router.on(Self::framework_reregistered);
        router.on(Self::resource_offers);
        router.on(Self::rescind_resource_offer);
        router.on(Self::status_update);
        router.on(Self::lost_slave);
        router.on(Self::exited_executor);
        router.on(Self::executor_to_framework);
        router.on(Self::framework_error);
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        info!("Version: {}", common::VERSION);
        ctx.gauge(EVENT_QUEUE_MESSAGES, |_, ctx| ctx.pid().waiting().messages as f64);
        ctx.gauge(EVENT_QUEUE_DISPATCHES, |_, ctx| ctx.pid().waiting().dispatches as f64);
        self.detect(ctx, None);
    }

    fn finalize(&mut self, ctx: &mut Ctx<Self>) {
        ctx.runtime().metrics().remove(EVENT_QUEUE_MESSAGES);
        ctx.runtime().metrics().remove(EVENT_QUEUE_DISPATCHES);
    }

    fn exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        self.on_exited(ctx, &pid);
    }
}

impl SchedulerProcess {
    pub(crate) fn new(
        setup: Setup,
        detector: Arc<dyn MasterDetector>,
        flags: SchedulerFlags,
    ) -> Self {
        let failover = setup.framework.id.as_ref().is_some_and(|id| !id.value.is_empty());
        Self {
            setup,
            detector,
            flags,
            master: None,
            connected: false,
            failover,
            retry: None,
            authentication: Authentication::default(),
            saved_offers: BTreeMap::new(),
            saved_slave_pids: BTreeMap::new(),
            saved_kills: BTreeSet::new(),
        }
    }

    /// The framework's id; empty before the first registration.
    pub(crate) fn framework_id(&self) -> FrameworkId {
        self.setup.framework.id.clone().unwrap_or_default().into()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.setup.running.load(Ordering::Acquire)
    }

    /// Whether what has come is too late to be served.
    pub(crate) fn ignores(&self, what: impl Display) -> bool {
        let ignores = !self.is_running();
        if ignores {
            vlog!(1, "Ignoring {what} because the driver is not running!");
        }
        ignores
    }

    pub(crate) fn call(
        &self,
        name: &'static str,
        call: impl FnOnce(&mut dyn Scheduler, &SchedulerDriver) + Send + 'static,
    ) {
        self.setup.callbacks.call(name, |callee| callee.call(call));
    }

    /// As [`SchedulerProcess::call`]; `afterwards` runs in the actor if the driver still runs.
    pub(crate) fn call_and_then(
        &self,
        ctx: &Ctx<Self>,
        name: &'static str,
        call: impl FnOnce(&mut dyn Scheduler, &SchedulerDriver) + Send + 'static,
        afterwards: impl FnOnce(&mut Self, &mut Ctx<Self>) + Send + 'static,
    ) {
        let pid = ctx.pid().clone();
        self.setup.callbacks.call(name, move |callee| {
            callee.call(call);
            if callee.is_running() {
                pid.tell(afterwards);
            } else {
                vlog!(
                    1,
                    "Not sending status update acknowledgment message because the driver is not \
                     running!"
                );
            }
        });
    }

    /// Aborts the driver and tells the scheduler why.
    pub(crate) fn fail(&self, message: String) {
        if !self.ignores("error message") {
            info!("Got error '{message}'");
            self.setup.callbacks.call("Scheduler::error", move |callee| callee.fail(&message));
        }
    }

    pub(crate) fn stop(&mut self, ctx: &mut Ctx<Self>) {
        info!("Stopping framework '{}'", self.framework_id());
        if self.connected {
            self.teardown(ctx);
        }
        self.end(ctx);
    }

    pub(crate) fn stop_for_failover(&mut self, ctx: &mut Ctx<Self>) {
        info!("Stopping framework '{}'", self.framework_id());
        self.end(ctx);
    }

    fn end(&mut self, ctx: &mut Ctx<Self>) {
        self.setup.ended.open_when_flushed(ctx.runtime());
        ctx.terminate();
    }

    /// The actor lives on: `stop` may follow.
    pub(crate) fn abort(&mut self, ctx: &mut Ctx<Self>) {
        info!("Aborting framework '{}'", self.framework_id());
        match &self.master {
            Some(master) if self.connected => {
                let framework_id = self.framework_id().into();
                ctx.send(&master.pid, &DeactivateFrameworkMessage { framework_id });
            }
            _ => vlog!(1, "Not sending a deactivate message as master is disconnected"),
        }
        self.setup.ended.open_when_flushed(ctx.runtime());
    }
}
