//! What became of which tasks: answers to frameworks that are not sure.
//! Upstream: `Master::reconcileTasks`, `reconcile(Framework*, …)`, `_reconcileTasks`.

use common::ids::{FrameworkId, SlaveId, TaskId};
use common::status::{NewUpdate, task_container_status, task_health};
use libprocess::{Ctx, Upid, vlog};
use proto::mesos::internal::{ReconcileTasksMessage, StatusUpdate, StatusUpdateMessage};
use proto::mesos::scheduler::call::{Reconcile, reconcile};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{TaskInfo, TaskState};
use tracing::{info, warn};

use super::update_of;
use crate::master::Master;
use crate::state::{Framework, Task};

const LATEST: &str = "Reconciliation: Latest task state";

impl Master {
    /// The old form of [`Master::reconcile`].
    pub(crate) fn reconcile_tasks(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ReconcileTasksMessage,
    ) {
        let id = FrameworkId::from(message.framework_id);
        if self.cluster.frameworks.get(&id).is_none() {
            return warn!("Unknown framework {id} at {from} attempted to reconcile tasks");
        }
        if self.is_from_framework(&from, &id, "reconcile tasks message for") {
            let statuses = message.statuses.into_iter();
            let tasks: Vec<reconcile::Task> = statuses
                .map(|status| reconcile::Task {
                    task_id: status.task_id,
                    slave_id: status.slave_id,
                })
                .collect();
            self.reconcile_tasks_of(ctx, &id, &tasks);
        }
    }

    /// A framework wants to know what became of tasks, or of all if it names none.
    pub(crate) fn reconcile(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        reconcile: Reconcile,
    ) {
        self.reconcile_tasks_of(ctx, id, &reconcile.tasks);
    }

    pub(super) fn reconcile_tasks_of(
        &mut self,
        ctx: &Ctx<Self>,
        id: &FrameworkId,
        tasks: &[reconcile::Task],
    ) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        self.metrics.messages_reconcile_tasks.increment();
        let now = ctx.now().secs();
        if tasks.is_empty() {
            info!("Performing implicit task state reconciliation for framework {framework}");
            for task in framework.pending_tasks.values() {
                self.tell_reconciled(ctx, framework, pending(framework, task, now));
            }
            for task in self.cluster.tasks_of(framework) {
                self.tell_reconciled(ctx, framework, latest(task, now));
            }
            return;
        }
        info!(
            "Performing explicit task state reconciliation for {} tasks of framework {framework}",
            tasks.len()
        );
        for task in tasks {
            if let Some(update) = self.reconciled(framework, task, now) {
                self.tell_reconciled(ctx, framework, update);
            }
        }
    }

    /// What is known of a task; `None` while it is uncertain what runs on its slave.
    fn reconciled(
        &self,
        framework: &Framework,
        task: &reconcile::Task,
        now: f64,
    ) -> Option<StatusUpdate> {
        let task_id = TaskId::from(&task.task_id);
        let slave_id = task.slave_id.as_ref().map(SlaveId::from);
        if let Some(task) = framework.pending_tasks.get(&task_id) {
            return Some(pending(framework, task, now));
        }
        if let Some(task) = self.cluster.task_of(&framework.id, &task_id) {
            return Some(latest(task, now));
        }
        let slaves = &self.cluster.slaves;
        let is_registered = slave_id.as_ref().is_some_and(|id| slaves.get(id).is_some());
        if !is_registered && slaves.are_in_transition(slave_id.as_ref()) {
            info!(
                "Dropping reconciliation of task {task_id} for framework {framework} because \
                 there are transitional slaves"
            );
            return None;
        }
        let message = if is_registered {
            "Reconciliation: Task is unknown to the slave"
        } else {
            "Reconciliation: Task is unknown"
        };
        let (id, state) = (&framework.id, TaskState::TaskLost);
        let mut update = NewUpdate::new(id, &task_id, state, Source::Master, now)
            .message(message)
            .reason(Reason::Reconciliation);
        if let Some(slave_id) = &slave_id {
            update = update.slave(slave_id);
        }
        Some(update.build())
    }

    fn tell_reconciled(&self, ctx: &Ctx<Self>, framework: &Framework, update: StatusUpdate) {
        vlog!(
            1,
            "Sending reconciliation state {} for task {} of framework {framework}",
            update.status.state().as_str_name(),
            update.status.task_id.value
        );
        self.tell_framework(ctx, framework, &StatusUpdateMessage { update, pid: None });
    }
}

fn pending(framework: &Framework, task: &TaskInfo, now: f64) -> StatusUpdate {
    let (task_id, state) = (TaskId::from(&task.task_id), TaskState::TaskStaging);
    NewUpdate::new(&framework.id, &task_id, state, Source::Master, now)
        .slave(&SlaveId::from(&task.slave_id))
        .message(LATEST)
        .reason(Reason::Reconciliation)
        .build()
}

fn latest(task: &Task, now: f64) -> StatusUpdate {
    update_of(task, task.state_for_reconciliation(), now)
        .message(LATEST)
        .reason(Reason::Reconciliation)
        .healthy(task_health(&task.message))
        .container_status(task_container_status(&task.message).cloned())
        .build()
}
