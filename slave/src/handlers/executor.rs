//! Executors that register, and executors that are to end. Called by the table of messages.
//! Upstream: `Slave::registerExecutor`, `reregisterExecutor`, `shutdownExecutor`,
//! `_shutdownExecutor`, `shutdownExecutorTimeout`, `Executor::send`.

use std::collections::BTreeSet;

use common::ids::{ExecutorId, FrameworkId, TaskId};
use libprocess::{Ctx, Upid};
use proto::mesos::TaskState;
use proto::mesos::internal::{
    ExecutorRegisteredMessage, ExecutorReregisteredMessage, RegisterExecutorMessage,
    ReregisterExecutorMessage, ShutdownExecutorMessage,
};
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::events::ExecutorMessage;
use crate::phase::Phase;
use crate::refusal::{Ending, Verdict};
use crate::slave::Slave;
use crate::state::connection::Connection;
use crate::state::executor::{Executor, ExecutorPhase, Run, UpdateOrigin};
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
        let Some(executor) = self.frameworks.executor_mut(&framework_id, &executor_id) else {
            return;
        };
        executor.connection = Connection::Pid(from.clone());
        ctx.link(&from);
        let run = executor.run.clone();
        let Some(directory) = &executor.meta else { return self.on_executor_known(ctx, &run) };
        let steps = write::libprocess_pid(directory, &from);
        self.checkpoint(ctx, steps, move |slave, ctx, written| {
            if let Err(why) = written {
                // It would be lost with us, and is not worse off now.
                error!("{why}");
            }
            slave.on_executor_known(ctx, &run);
        });
    }

    /// Another run of the slave would find the executor: it gets its tasks.
    fn on_executor_known(&mut self, ctx: &mut Ctx<Self>, run: &Run) {
        let Some(framework) = self.frameworks.get_mut(&run.framework_id) else { return };
        let framework_info = framework.info.clone();
        let Some(executor) = self.frameworks.run_mut(run) else { return };
        if executor.phase != ExecutorPhase::Registering {
            return;
        }
        executor.phase = ExecutorPhase::Running;
        if executor.queued.is_empty() {
            warn!("Shutting down the executor {executor} because it has no tasks to run");
            return self.shut_down_executor(ctx, run);
        }
        let message = ExecutorRegisteredMessage {
            executor_info: executor.info.clone(),
            framework_id: (&run.framework_id).into(),
            framework_info,
            slave_id: self.info.id.clone().unwrap_or_default(),
            slave_info: self.info.clone(),
        };
        send_to_executor(ctx, executor, &message);
        let task_ids = executor.ready_tasks();
        self.make_room(ctx, run.clone(), task_ids);
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
            ExecutorPhase::Registering if executor.connection == Connection::Unknown => None,
            phase => Some(format!("because it is in unexpected state {phase}")),
        }
    }

    pub(crate) fn reregister_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ReregisterExecutorMessage,
    ) {
        let framework_id = FrameworkId::from(&message.framework_id);
        let executor_id = ExecutorId::from(&message.executor_id);
        info!("Re-registering executor '{executor_id}' of framework {framework_id}");
        if let Some(why) = self.why_not_reregister(&framework_id, &executor_id) {
            warn!("Shutting down executor '{executor_id}' of framework {framework_id} {why}");
            return ctx.reply(&ShutdownExecutorMessage::default());
        }
        let Some(executor) = self.frameworks.executor_mut(&framework_id, &executor_id) else {
            return;
        };
        executor.phase = ExecutorPhase::Running;
        executor.connection = Connection::Pid(from.clone());
        ctx.link(&from);
        let run = executor.run.clone();
        let reregistered = ExecutorReregisteredMessage {
            slave_id: self.info.id.clone().unwrap_or_default(),
            slave_info: self.info.clone(),
        };
        ctx.send(&from, &reregistered);
        // Those that are on the disk already are duplicates, which the manager knows.
        for update in message.updates {
            self.status_update(ctx, update, UpdateOrigin::Executor(from.clone()));
        }
        self.resize_reregistered(ctx, run.clone());
        let known: BTreeSet<TaskId> =
            message.tasks.iter().map(|task| TaskId::from(&task.task_id)).collect();
        self.report_tasks_unknown_to_executor(ctx, &run, &known);
        self.finish_recovery_if_all_are_back(ctx);
    }

    fn why_not_reregister(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<String> {
        if self.phase != Phase::Recovering {
            return Some("because the slave is not in recovery mode".to_owned());
        }
        let Some(executor) = self.frameworks.executor(framework_id, executor_id) else {
            return Some("because it was not recovered".to_owned());
        };
        match executor.phase {
            ExecutorPhase::Registering => None,
            phase => Some(format!("because it is in unexpected state {phase}")),
        }
    }

    /// Lets the container have what the tasks hold that still run.
    fn resize_reregistered(&mut self, ctx: &Ctx<Self>, run: Run) {
        let Some(executor) = self.frameworks.run(&run) else { return };
        let resources = executor.resources().clone();
        let update = self.parts.containerizer.update(&run.container_id, resources);
        ctx.then(update, move |slave, _, updated| {
            let Err(why) = updated else { return };
            error!(
                "Failed to update resources for container {} of executor '{}' of framework {}, \
                 destroying container: {why}",
                run.container_id, run.executor_id, run.framework_id
            );
            slave.end_container(&run, Ending::UpdateFailed(why.to_string()));
        });
    }

    /// A task that no update was ever heard of, and that its executor does not know, was lost with
    /// the earlier run of the slave.
    pub(crate) fn report_tasks_unknown_to_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: &Run,
        known: &BTreeSet<TaskId>,
    ) {
        let Some(executor) = self.frameworks.run(run) else { return };
        let staging =
            executor.launched.values().filter(|task| task.state() == TaskState::TaskStaging);
        let task_ids = staging.map(|task| TaskId::from(&task.task_id));
        let unknown: Vec<TaskId> = task_ids.filter(|task_id| !known.contains(task_id)).collect();
        for task_id in unknown {
            info!(
                "Transitioning STAGED task {task_id} to LOST because it is unknown to the \
                 executor '{}'",
                run.executor_id
            );
            self.report(ctx, &run.framework_id, &task_id, &Verdict::UnknownToExecutor);
        }
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

/// Tells an executor something, if it can be spoken to.
pub(crate) fn send_to_executor(
    ctx: &Ctx<Slave>,
    executor: &Executor,
    message: &impl ExecutorMessage,
) {
    match &executor.connection {
        Connection::Pid(pid) => ctx.send(pid, message),
        Connection::Stream(stream) => {
            if !stream.send(message.event()) {
                warn!("Unable to send event to executor {executor}: connection closed");
            }
        }
        Connection::Unknown | Connection::Awaited => {
            warn!("Unable to send event to executor {executor}: unknown connection type");
        }
    }
}
