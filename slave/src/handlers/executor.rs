//! Executors that register, and executors that are to end. Called by the table of messages.
//! Upstream: `Slave::registerExecutor`, `reregisterExecutor`, `shutdownExecutor`,
//! `_shutdownExecutor`, `shutdownExecutorTimeout`, `Executor::send`.

use common::ids::{ExecutorId, FrameworkId};
use libprocess::{Ctx, Upid};
use proto::mesos::internal::{
    ExecutorRegisteredMessage, RegisterExecutorMessage, ReregisterExecutorMessage,
    ShutdownExecutorMessage,
};
use tracing::{info, warn};

use crate::phase::Phase;
use crate::slave::Slave;
use crate::state::executor::{Executor, ExecutorPhase, Run};
use crate::state::framework::FrameworkPhase;

impl Slave {
    pub(crate) fn register_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: RegisterExecutorMessage,
    ) {
        let framework_id = FrameworkId::from(&message.framework_id);
        let executor_id = ExecutorId::from(&message.executor_id);
        info!(
            "Got registration for executor '{executor_id}' of framework {framework_id} from {from}"
        );
        if let Some(why) = self.why_not_register(&framework_id, &executor_id) {
            warn!("Shutting down executor '{executor_id}' of framework {framework_id} {why}");
            return ctx.reply(&ShutdownExecutorMessage::default());
        }
        let Some(framework) = self.frameworks.get_mut(&framework_id) else { return };
        let framework_info = framework.info.clone();
        let Some(executor) = framework.executors.get_mut(&executor_id) else { return };
        executor.phase = ExecutorPhase::Running;
        executor.pid = Some(from.clone());
        ctx.link(&from);
        let run = executor.run.clone();
        if executor.queued.is_empty() {
            warn!("Shutting down the executor {executor} because it has no tasks to run");
            return self.shut_down_executor(ctx, &run);
        }
        let message = ExecutorRegisteredMessage {
            executor_info: executor.info.clone(),
            framework_id: message.framework_id,
            framework_info,
            slave_id: self.info.id.clone().unwrap_or_default(),
            slave_info: self.info.clone(),
        };
        send_to_executor(ctx, executor, &message);
        let task_ids = executor.queued.ids().cloned().collect();
        self.make_room(ctx, run, task_ids);
    }

    /// Why an executor that registers has no business here; `None` if it has.
    fn why_not_register(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<String> {
        match self.phase {
            Phase::Recovering => return Some("because the slave is still recovering".to_owned()),
            Phase::Terminating => return Some("because the slave is terminating".to_owned()),
            Phase::Disconnected | Phase::Running => {}
        }
        let Some(framework) = self.frameworks.get(framework_id) else {
            return Some("as the framework does not exist".to_owned());
        };
        if framework.phase == FrameworkPhase::Terminating {
            return Some("as the framework is terminating".to_owned());
        }
        let Some(executor) = framework.executors.get(executor_id) else {
            return Some("because it was not expected".to_owned());
        };
        match executor.phase {
            ExecutorPhase::Registering => None,
            phase => Some(format!("because it is in unexpected state {phase}")),
        }
    }

    /// Executors come back to a slave that recovers them, which we do not.
    pub(crate) fn reregister_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        _: Upid,
        message: ReregisterExecutorMessage,
    ) {
        warn!(
            "Shutting down executor '{}' of framework {} because the slave is not in recovery mode",
            message.executor_id.value, message.framework_id.value
        );
        ctx.reply(&ShutdownExecutorMessage::default());
    }

    pub(crate) fn shutdown_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ShutdownExecutorMessage,
    ) {
        let framework_id = FrameworkId::from(message.framework_id.unwrap_or_default());
        let executor_id = ExecutorId::from(message.executor_id.unwrap_or_default());
        if !from.is_empty() && self.master.as_ref() != Some(&from) {
            warn!(
                "Ignoring shutdown executor message for executor '{executor_id}' of framework \
                 {framework_id} from {from} because it is not from the registered master ({})",
                self.master_or_none()
            );
            return;
        }
        info!("Asked to shut down executor '{executor_id}' of framework {framework_id} by {from}");
        if !self.phase.takes_shutdowns() {
            warn!(
                "Ignoring shutdown executor message for executor '{executor_id}' of framework \
                 {framework_id} because the slave has not yet registered with the master"
            );
            return;
        }
        let Some(framework) = self.frameworks.get(&framework_id) else {
            warn!("Cannot shut down executor '{executor_id}' of unknown framework {framework_id}");
            return;
        };
        let refused = |why: &str| {
            warn!(
                "Ignoring shutdown executor '{executor_id}' of framework {framework_id} because \
                 {why}"
            );
        };
        if framework.phase == FrameworkPhase::Terminating {
            return refused("the framework is terminating");
        }
        let Some(executor) = framework.executors.get(&executor_id) else {
            return refused("the executor is unknown");
        };
        let run = executor.run.clone();
        match executor.phase {
            ExecutorPhase::Registering | ExecutorPhase::Running => {
                self.shut_down_executor(ctx, &run);
            }
            ExecutorPhase::Terminating | ExecutorPhase::Terminated => {
                refused("the executor is terminating/terminated");
            }
        }
    }

    /// Asks an executor to end, and kills it if it does not do so in time.
    pub(crate) fn shut_down_executor(&mut self, ctx: &mut Ctx<Self>, run: &Run) {
        let Some(executor) = self.frameworks.run_mut(run) else { return };
        match executor.phase {
            ExecutorPhase::Registering | ExecutorPhase::Running => {}
            ExecutorPhase::Terminating | ExecutorPhase::Terminated => return,
        }
        info!("Shutting down executor {executor}");
        executor.phase = ExecutorPhase::Terminating;
        send_to_executor(ctx, executor, &ShutdownExecutorMessage::default());
        let run = run.clone();
        ctx.after(self.config.executor_shutdown_grace_period, move |slave, _| {
            let executor = slave.frameworks.run(&run);
            let hangs = |executor: &&Executor| executor.phase == ExecutorPhase::Terminating;
            if let Some(executor) = executor.filter(hangs) {
                info!("Killing executor {executor}");
                slave.parts.containerizer.destroy(&run.container_id);
            }
        });
    }
}

/// Sends a message to an executor, if it has an address.
pub(crate) fn send_to_executor<M: prost::Message + prost::Name>(
    ctx: &Ctx<Slave>,
    executor: &Executor,
    message: &M,
) {
    match &executor.pid {
        Some(pid) => ctx.send(pid, message),
        None => {
            warn!("Unable to send event to executor {executor}: unknown connection type");
        }
    }
}
