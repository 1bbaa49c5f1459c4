//! Killing a task at whatever stage it is. Called by the table of messages.
//! Upstream: `Slave::killTask`.

use common::ids::{FrameworkId, TaskId};
use libprocess::{Ctx, Upid};
use proto::mesos::internal::KillTaskMessage;
use tracing::{info, warn};

use crate::handlers::executor::send_to_executor;
use crate::refusal::Verdict;
use crate::slave::Slave;
use crate::state::executor::ExecutorPhase;
use crate::state::framework::FrameworkPhase;

impl Slave {
    pub(crate) fn kill_task(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: KillTaskMessage) {
        if !self.is_from_master(&from, "kill task") {
            return;
        }
        let framework_id = FrameworkId::from(&message.framework_id);
        let task_id = TaskId::from(&message.task_id);
        info!("Asked to kill task {task_id} of framework {framework_id}");
        if !self.phase.takes_tasks() {
            warn!(
                "Cannot kill task {task_id} of framework {framework_id} because the slave is {}",
                self.phase
            );
            return;
        }
        let Some(framework) = self.frameworks.get_mut(&framework_id) else {
            warn!(
                "Ignoring kill task {task_id} of framework {framework_id} because no such \
                 framework is running"
            );
            return;
        };
        if framework.phase == FrameworkPhase::Terminating {
            warn!(
                "Ignoring kill task {task_id} of framework {framework_id} because the framework \
                 is terminating"
            );
            return;
        }
        if let Some(executor_id) = framework.pending_executor_of(&task_id).cloned() {
            warn!("Killing task {task_id} of framework {framework_id} before it was launched");
            self.report(ctx, &framework_id, &task_id, &Verdict::KilledBeforeLaunch);
            if let Some(framework) = self.frameworks.get_mut(&framework_id) {
                framework.take_pending(&executor_id, &task_id);
            }
            return self.remove_framework_if_idle(ctx, &framework_id);
        }
        self.kill_assigned(ctx, &framework_id, &task_id);
    }

    /// Kills a task that an executor has, or none.
    fn kill_assigned(&mut self, ctx: &mut Ctx<Self>, framework_id: &FrameworkId, task_id: &TaskId) {
        let framework = self.frameworks.get(framework_id);
        let Some(executor) = framework.and_then(|framework| framework.executor_of(task_id)) else {
            warn!(
                "Cannot kill task {task_id} of framework {framework_id} because no corresponding \
                 executor is running"
            );
            return self.report(ctx, framework_id, task_id, &Verdict::ExecutorUnknown);
        };
        match executor.phase {
            ExecutorPhase::Registering => {
                // The word is misspelt as in upstream's line, which people look for.
                warn!(
                    "Transitioning the state of task {task_id} of framework {framework_id} to \
                     TASK_KILED because the executor is not registered"
                );
                self.report(ctx, framework_id, task_id, &Verdict::ExecutorUnregistered);
            }
            ExecutorPhase::Terminating | ExecutorPhase::Terminated => warn!(
                "Ignoring kill task {task_id} because the executor {executor} is \
                 terminating/terminated"
            ),
            ExecutorPhase::Running if executor.queued.contains(task_id) => {
                self.report(ctx, framework_id, task_id, &Verdict::KilledWhenQueued);
            }
            ExecutorPhase::Running => {
                let message =
                    KillTaskMessage { framework_id: framework_id.into(), task_id: task_id.into() };
                send_to_executor(ctx, executor, &message);
            }
        }
    }
}
