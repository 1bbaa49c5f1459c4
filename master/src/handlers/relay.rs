//! What frameworks and executors tell each other, and the end of executors.
//! Upstream: `Master::schedulerMessage`, `message`, `executorMessage`, `shutdown`,
//! `exitedExecutor`, `submitScheduler`.

use common::ids::{ExecutorId, FrameworkId, SlaveId};
use common::wait_status::WaitStatus;
use libprocess::{Ctx, Upid};
use proto::mesos::internal::{
    ExecutorToFrameworkMessage, ExitedExecutorMessage, FrameworkToExecutorMessage,
    ShutdownExecutorMessage, SubmitSchedulerRequest, SubmitSchedulerResponse,
};
use proto::mesos::scheduler::call;
use tracing::{info, warn};

use crate::master::Master;
use crate::refusal::SlaveRefusal;

impl Master {
    /// Somebody wants a scheduler to be run, which never happens.
    pub(crate) fn submit_scheduler(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: SubmitSchedulerRequest,
    ) {
        info!("Scheduler submit request for {}", message.name);
        ctx.send(&from, &SubmitSchedulerResponse { okay: false });
    }

    /// The old form of [`Master::message`].
    pub(crate) fn scheduler_message(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: FrameworkToExecutorMessage,
    ) {
        let id = FrameworkId::from(message.framework_id);
        let executor = &message.executor_id.value;
        let Some(framework) = self.cluster.frameworks.get(&id) else {
            warn!(
                "Ignoring framework message for executor '{executor}' of framework {id} because \
                 the framework cannot be found"
            );
            return self.metrics.invalid_framework_to_executor_messages.increment();
        };
        if framework.pid() != Some(&from) {
            warn!(
                "Ignoring framework message for executor '{executor}' of framework {framework} \
                 because it is not expected from {from}"
            );
            return self.metrics.invalid_framework_to_executor_messages.increment();
        }
        let message = call::Message {
            slave_id: message.slave_id,
            executor_id: message.executor_id,
            data: message.data,
        };
        self.message(ctx, &id, message);
    }

    /// A framework tells an executor something.
    pub(crate) fn message(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        message: call::Message,
    ) {
        self.metrics.messages_framework_to_executor.increment();
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        let slave_id = SlaveId::from(&message.slave_id);
        let Some(slave) = self.cluster.slaves.get(&slave_id) else {
            warn!(
                "Cannot send framework message for framework {framework} to slave {slave_id} \
                 because slave is not registered"
            );
            return self.metrics.invalid_framework_to_executor_messages.increment();
        };
        if !slave.connected {
            warn!(
                "Cannot send framework message for framework {framework} to slave {slave} because \
                 slave is disconnected"
            );
            return self.metrics.invalid_framework_to_executor_messages.increment();
        }
        info!("Processing MESSAGE call from framework {framework} to slave {slave}");
        let message = FrameworkToExecutorMessage {
            slave_id: message.slave_id,
            framework_id: id.into(),
            executor_id: message.executor_id,
            data: message.data,
        };
        ctx.send(&slave.pid, &message);
        self.metrics.valid_framework_to_executor_messages.increment();
    }

    /// An executor tells its framework something.
    pub(crate) fn executor_message(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ExecutorToFrameworkMessage,
    ) {
        self.metrics.messages_executor_to_framework.increment();
        let slave_id = SlaveId::from(&message.slave_id);
        let framework_id = FrameworkId::from(&message.framework_id);
        let executor = &message.executor_id.value;
        let invalid = &self.metrics.invalid_executor_to_framework_messages;
        if self.cluster.slaves.is_removed(&slave_id) {
            warn!(
                "Ignoring executor message from executor '{executor}' of framework \
                 {framework_id} on removed slave {slave_id} ; asking slave to shutdown"
            );
            self.refuse_slave(ctx, &from, &SlaveRefusal::ExecutorMessage);
            return invalid.increment();
        }
        let Some(slave) = self.cluster.slaves.get(&slave_id) else {
            warn!(
                "Ignoring executor message from executor '{executor}' of framework \
                 {framework_id} on unknown slave {slave_id}"
            );
            return invalid.increment();
        };
        let Some(framework) = self.cluster.frameworks.get(&framework_id) else {
            warn!(
                "Not forwarding executor message for executor '{executor}' of framework \
                 {framework_id} on slave {slave} because the framework is unknown"
            );
            return invalid.increment();
        };
        self.tell_framework(ctx, framework, &message);
        self.metrics.valid_executor_to_framework_messages.increment();
    }

    /// A framework wants an executor to end.
    pub(crate) fn shutdown(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        shutdown: call::Shutdown,
    ) {
        let slave_id = SlaveId::from(&shutdown.slave_id);
        let Some(slave) = self.cluster.slaves.get(&slave_id) else {
            return warn!(
                "Unable to shutdown executor '{}' of framework {id} of unknown slave {slave_id}",
                shutdown.executor_id.value
            );
        };
        let message = ShutdownExecutorMessage {
            executor_id: Some(shutdown.executor_id),
            framework_id: Some(id.into()),
        };
        ctx.send(&slave.pid, &message);
    }

    /// An executor ended. What became of its tasks is told by the slave's updates.
    pub(crate) fn exited_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ExitedExecutorMessage,
    ) {
        self.metrics.messages_exited_executor.increment();
        let slave_id = SlaveId::from(&message.slave_id);
        let framework_id = FrameworkId::from(&message.framework_id);
        let executor_id = ExecutorId::from(&message.executor_id);
        let ignoring = format!("executor '{executor_id}' of framework {framework_id}");
        if self.cluster.slaves.is_removed(&slave_id) {
            warn!(
                "Ignoring exited {ignoring} on removed slave {slave_id} ; asking slave to shutdown"
            );
            return self.refuse_slave(ctx, &from, &SlaveRefusal::ExitedExecutor);
        }
        let Some(slave) = self.cluster.slaves.get(&slave_id) else {
            return warn!("Ignoring exited {ignoring} on unknown slave {slave_id}");
        };
        if slave.executor(&framework_id, &executor_id).is_none() {
            return warn!("Ignoring unknown exited {ignoring} on slave {slave}");
        }
        info!(
            "Executor '{executor_id}' of framework {framework_id} on slave {slave}: {}",
            WaitStatus(message.status)
        );
        self.remove_executor(&slave_id, &framework_id, &executor_id);
        match self.cluster.frameworks.get(&framework_id) {
            Some(framework) => self.tell_framework(ctx, framework, &message),
            None => warn!(
                "Not forwarding exited executor message for {ignoring} on slave {slave_id} \
                 because the framework is unknown"
            ),
        }
    }
}
