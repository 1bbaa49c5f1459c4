//! The driver's actor, `executor(1)`: registers with the slave, keeps what the slave has not
//! acknowledged, and survives the slave's restart. Called by `driver`; calls the user's executor
//! on the callback thread only. Never trusts a message to be complete, unique or in order.
//!
//! Upstream: `ExecutorProcess`, `ShutdownProcess`.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use common::ids::{FrameworkId, TaskId};
use common::status::print_update;
use libprocess::embed::{Callbacks, Latch};
use libprocess::{Ctx, Process, Router, Upid, vlog};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use proto::mesos::internal::{
    ExecutorRegisteredMessage, ExecutorReregisteredMessage, ExecutorToFrameworkMessage,
    FrameworkToExecutorMessage, KillTaskMessage, ReconnectExecutorMessage, RegisterExecutorMessage,
    ReregisterExecutorMessage, RunTaskMessage, ShutdownExecutorMessage, StatusUpdate,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use proto::mesos::{TaskInfo, TaskStatus};
use stout::Uuid;
use stout::{duration, uuid};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::driver::{Callee, Executor, ExecutorDriver};
use crate::environment::Environment;

/// When an update is sent again that the slave has not acknowledged; each wait is twice the one
/// before.
const UPDATE_RETRY_INTERVAL_MIN: Duration = Duration::from_secs(10);
const UPDATE_RETRY_INTERVAL_MAX: Duration = Duration::from_secs(10 * 60);

/// Whether messages are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Registration has been asked for.
    Registering,
    /// The slave knows us.
    Connected,
    /// The slave is gone and may come back; how often that happened before.
    Disconnected { times: u64 },
    /// Shut down: nothing is served any more, but status updates still leave.
    ShutDown,
}

/// The actor.
pub(crate) struct ExecutorProcess {
    environment: Environment,
    slave: Upid,
    callbacks: Callbacks<Callee>,
    live: Arc<AtomicBool>,
    ended: Latch,
    phase: Phase,
    disconnections: u64,
    /// Not acknowledged by the slave, oldest first.
    updates: VecDeque<(Uuid, StatusUpdate)>,
    /// None of whose updates has been acknowledged, oldest first: the slave may not know that
    /// they have arrived.
    tasks: VecDeque<TaskInfo>,
    /// Wait for `updates` to be empty.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Process for ExecutorProcess {
    fn install(&self, router: &mut Router<Self>) {
        router.on(Self::registered);
        router.on(Self::reregistered);
        router.on(Self::reconnect);
        router.on(Self::run_task);
        router.on(Self::kill_task);
        router.on(Self::status_update_acknowledgement);
        router.on(Self::framework_message);
        router.on(Self::shutdown_executor);
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        info!("Version: {}", common::VERSION);
        vlog!(1, "Executor started at: {} with pid {}", ctx.upid(), std::process::id());
        ctx.link(&self.slave);
        let message = RegisterExecutorMessage {
            framework_id: (&self.environment.framework_id).into(),
            executor_id: (&self.environment.executor_id).into(),
        };
        ctx.send(&self.slave, &message);
    }

    fn exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        if self.ignores("exited event") || pid != self.slave {
            return;
        }
        let timeout = self.environment.recovery_timeout;
        match self.phase {
            Phase::Connected if self.environment.checkpoint => {
                info!(
                    "Slave exited, but framework has checkpointing enabled. Waiting {} to \
                     reconnect with slave {}",
                    duration::display(timeout),
                    self.environment.slave_id
                );
                self.disconnections += 1;
                let waiting = Phase::Disconnected { times: self.disconnections };
                self.phase = waiting;
                ctx.after(timeout, move |this, ctx| this.on_recovery_timeout(ctx, waiting));
            }
            // The reconnection failed; the timer that runs already decides.
            Phase::Disconnected { .. } => {}
            Phase::Registering | Phase::Connected | Phase::ShutDown => {
                info!("Slave exited ... shutting down");
                self.shut_down(ctx);
            }
        }
    }
}

impl ExecutorProcess {
    pub(crate) fn new(
        environment: Environment,
        callbacks: Callbacks<Callee>,
        live: Arc<AtomicBool>,
        ended: Latch,
    ) -> Self {
        Self {
            slave: environment.slave.clone(),
            environment,
            callbacks,
            live,
            ended,
            phase: Phase::Registering,
            disconnections: 0,
            updates: VecDeque::new(),
            tasks: VecDeque::new(),
            waiting: Vec::new(),
        }
    }

    /// Whether what has come is too late to be served.
    fn ignores(&self, what: impl Display) -> bool {
        let ignores = self.phase == Phase::ShutDown || !self.live.load(Ordering::Acquire);
        if ignores {
            vlog!(1, "Ignoring {what} because the driver is aborted!");
        }
        ignores
    }

    fn call(
        &self,
        name: &'static str,
        call: impl FnOnce(&mut dyn Executor, &ExecutorDriver) + Send + 'static,
    ) {
        self.callbacks.call(name, |callee| callee.call(call));
    }

    fn registered(&mut self, _: &mut Ctx<Self>, from: Upid, message: ExecutorRegisteredMessage) {
        let slave_id = &message.slave_id.value;
        if self.ignores(format_args!("registered message from slave {slave_id}")) {
            return;
        }
        if self.phase != Phase::Registering {
            return warn!(
                "Ignoring registered message of slave {slave_id} from {from} because the \
                 executor is registered already"
            );
        }
        info!("Executor registered on slave {slave_id}");
        self.phase = Phase::Connected;
        let ExecutorRegisteredMessage { executor_info, framework_info, slave_info, .. } = message;
        self.call("Executor::registered", |executor, driver| {
            executor.registered(driver, executor_info, framework_info, slave_info);
        });
    }

    fn reregistered(&mut self, _: &mut Ctx<Self>, _: Upid, message: ExecutorReregisteredMessage) {
        let slave_id = &message.slave_id.value;
        if self.ignores(format_args!("re-registered message from slave {slave_id}")) {
            return;
        }
        info!("Executor re-registered on slave {slave_id}");
        self.phase = Phase::Connected;
        let slave_info = message.slave_info;
        self.call("Executor::reregistered", |executor, driver| {
            executor.reregistered(driver, slave_info);
        });
    }

    fn reconnect(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: ReconnectExecutorMessage) {
        let slave_id = &message.slave_id.value;
        if self.ignores(format_args!("reconnect message from slave {slave_id}")) {
            return;
        }
        info!("Received reconnect request from slave {slave_id}");
        // A fresh connection, so that the old one's end is not taken for the new slave's.
        self.slave = from;
        ctx.link_reconnect(&self.slave);
        let message = ReregisterExecutorMessage {
            executor_id: (&self.environment.executor_id).into(),
            framework_id: (&self.environment.framework_id).into(),
            updates: self.updates.iter().map(|(_, update)| update.clone()).collect(),
            tasks: self.tasks.iter().cloned().collect(),
        };
        ctx.send(&self.slave, &message);
    }

    fn run_task(&mut self, _: &mut Ctx<Self>, from: Upid, message: RunTaskMessage) {
        let task = message.task;
        let task_id = TaskId::from(&task.task_id);
        if self.ignores(format_args!("run task message for task {task_id}")) {
            return;
        }
        if self.tasks.iter().any(|known| task_id == known.task_id) {
            return warn!("Ignoring duplicate task {task_id} from {from}");
        }
        vlog!(1, "Executor asked to run task '{task_id}'");
        self.tasks.push_back(task.clone());
        self.call("Executor::launchTask", |executor, driver| executor.launch_task(driver, task));
    }

    fn kill_task(&mut self, _: &mut Ctx<Self>, _: Upid, message: KillTaskMessage) {
        let task_id = TaskId::from(message.task_id);
        if self.ignores(format_args!("kill task message for task {task_id}")) {
            return;
        }
        vlog!(1, "Executor asked to kill task '{task_id}'");
        self.call("Executor::killTask", |executor, driver| executor.kill_task(driver, task_id));
    }

    fn status_update_acknowledgement(
        &mut self,
        _: &mut Ctx<Self>,
        from: Upid,
        message: StatusUpdateAcknowledgementMessage,
    ) {
        let task_id = TaskId::from(message.task_id);
        let framework_id = FrameworkId::from(message.framework_id);
        let uuid = match uuid::from_bytes(&message.uuid) {
            Ok(uuid) => uuid,
            Err(error) => {
                return warn!(
                    "Ignoring status update acknowledgement from {from} for task {task_id} of \
                     framework {framework_id}: {error}"
                );
            }
        };
        // Also while shutting down: who waits for the last update's arrival may end then.
        vlog!(
            1,
            "Executor received status update acknowledgement {uuid} for task {task_id} of \
             framework {framework_id}"
        );
        if let Some(place) = self.updates.iter().position(|(sent, _)| *sent == uuid) {
            self.updates.remove(place);
        }
        if let Some(place) = self.tasks.iter().position(|task| task_id == task.task_id) {
            self.tasks.remove(place);
        }
        if self.updates.is_empty() {
            // Dropping a sender completes what waits for it.
            self.waiting.clear();
        }
    }

    fn framework_message(
        &mut self,
        _: &mut Ctx<Self>,
        _: Upid,
        message: FrameworkToExecutorMessage,
    ) {
        if self.ignores("framework message") {
            return;
        }
        vlog!(1, "Executor received framework message");
        self.call("Executor::frameworkMessage", |executor, driver| {
            executor.framework_message(driver, message.data);
        });
    }

    fn shutdown_executor(&mut self, ctx: &mut Ctx<Self>, _: Upid, _: ShutdownExecutorMessage) {
        if !self.ignores("shutdown message") {
            info!("Executor asked to shutdown");
            self.shut_down(ctx);
        }
    }

    fn on_recovery_timeout(&mut self, ctx: &mut Ctx<Self>, waiting: Phase) {
        if self.phase != waiting || self.ignores("recovery timeout") {
            return;
        }
        info!(
            "Recovery timeout of {} exceeded; Shutting down",
            duration::display(self.environment.recovery_timeout)
        );
        info!("Executor asked to shutdown");
        self.shut_down(ctx);
    }

    /// Tells the executor to end, and makes sure that it does.
    fn shut_down(&mut self, ctx: &mut Ctx<Self>) {
        self.phase = Phase::ShutDown;
        if !self.environment.local {
            let grace_period = self.environment.shutdown_grace_period;
            ctx.runtime().spawn_numbered("", || Suicide { grace_period });
        }
        let (pid, local) = (ctx.pid().clone(), self.environment.local);
        self.callbacks.call("Executor::shutdown", move |callee| {
            callee.call(|executor, driver| executor.shutdown(driver));
            if local {
                pid.tell(|_, ctx| ctx.terminate());
            }
        });
    }

    pub(crate) fn send_status_update(&mut self, ctx: &mut Ctx<Self>, mut status: TaskStatus) {
        let timestamp = ctx.now().secs();
        let uuid = Uuid::new_v4();
        let uuid_bytes = Bytes::copy_from_slice(uuid.as_bytes());
        let slave_id = proto::mesos::SlaveId::from(&self.environment.slave_id);
        status.timestamp = Some(timestamp);
        status.uuid = Some(uuid_bytes.clone());
        status.slave_id = Some(slave_id.clone());
        let update = StatusUpdate {
            framework_id: (&self.environment.framework_id).into(),
            executor_id: Some((&self.environment.executor_id).into()),
            slave_id: Some(slave_id),
            status,
            timestamp,
            uuid: Some(uuid_bytes),
            ..StatusUpdate::default()
        };
        vlog!(1, "Executor sending status update {}", print_update(&update));
        self.updates.push_back((uuid, update.clone()));
        self.send_update(ctx, update);
        Self::retry_update(ctx, uuid, UPDATE_RETRY_INTERVAL_MIN);
    }

    fn send_update(&self, ctx: &Ctx<Self>, update: StatusUpdate) {
        let message = StatusUpdateMessage { update, pid: Some(ctx.upid().to_string()) };
        ctx.send(&self.slave, &message);
    }

    /// Sends an update again and again until it is acknowledged. A registration is never sent
    /// again: slaves shut executors down that register twice.
    fn retry_update(ctx: &mut Ctx<Self>, uuid: Uuid, wait: Duration) {
        ctx.after(wait, move |this, ctx| {
            let update = this.updates.iter().find(|(sent, _)| *sent == uuid);
            let Some((_, update)) = update.cloned() else { return };
            // A slave that is away gets it when it is back, with the others in their order.
            if !matches!(this.phase, Phase::Disconnected { .. }) {
                warn!("Resending status update {}", print_update(&update));
                this.send_update(ctx, update);
            }
            Self::retry_update(ctx, uuid, (wait * 2).min(UPDATE_RETRY_INTERVAL_MAX));
        });
    }

    pub(crate) fn send_framework_message(&mut self, ctx: &mut Ctx<Self>, data: Bytes) {
        let message = ExecutorToFrameworkMessage {
            slave_id: (&self.environment.slave_id).into(),
            framework_id: (&self.environment.framework_id).into(),
            executor_id: (&self.environment.executor_id).into(),
            data,
        };
        ctx.send(&self.slave, &message);
    }

    pub(crate) fn acknowledged(
        &mut self,
        ctx: &mut Ctx<Self>,
        at_most: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (waiting, done) = oneshot::channel();
        if !self.updates.is_empty() {
            self.waiting.push(waiting);
            self.wait_at_most(ctx, at_most);
        }
        async move {
            // Nothing is ever sent: the sender's end says that all is acknowledged.
            let _ = done.await;
        }
    }

    /// Ends all waiting, but not while the slave is away, nor when it is only just back.
    fn wait_at_most(&self, ctx: &mut Ctx<Self>, time: Duration) {
        let before = (self.phase, self.disconnections);
        ctx.after(time, move |this, ctx| {
            let is_away = matches!(this.phase, Phase::Disconnected { .. });
            if is_away || (this.phase, this.disconnections) != before {
                return this.wait_at_most(ctx, time);
            }
            this.waiting.clear();
        });
    }

    pub(crate) fn stop(&mut self, ctx: &mut Ctx<Self>) {
        self.ended.open_when_flushed(ctx.runtime());
        ctx.terminate();
    }

    pub(crate) fn abort(&mut self, ctx: &mut Ctx<Self>) {
        info!("Deactivating the executor libprocess");
        self.ended.open_when_flushed(ctx.runtime());
    }
}

/// Kills the process group, and with it this process, after the grace period: nothing that the
/// executor started shall outlive it. Upstream: `ShutdownProcess`.
struct Suicide {
    grace_period: Duration,
}

impl Process for Suicide {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        vlog!(1, "Scheduling shutdown of the executor in {}", duration::display(self.grace_period));
        ctx.after(self.grace_period, |_, _| {
            vlog!(1, "Committing suicide by killing the process group");
            // It cannot be handled, so nothing runs after it, unless it is not permitted.
            let _ = killpg(Pid::from_raw(0), Signal::SIGKILL);
            std::process::exit(1);
        });
    }
}

#[cfg(test)]
impl ExecutorProcess {
    pub(crate) fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    pub(crate) fn is_waited_for(&self) -> bool {
        !self.waiting.is_empty()
    }
}
