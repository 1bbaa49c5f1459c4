//! Tasks that shall end. Upstream: `Master::killTask`, `kill`.

use common::ids::{FrameworkId, SlaveId, TaskId};
use common::status::NewUpdate;
use libprocess::{Ctx, Upid};
use proto::mesos::TaskState;
use proto::mesos::internal::KillTaskMessage;
use proto::mesos::scheduler::call::{Kill, reconcile};
use proto::mesos::task_status::Source;
use tracing::{info, warn};

use super::NOBODY;
use crate::master::Master;

impl Master {
    /// The old form of [`Master::kill`].
    pub(crate) fn kill_task(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: KillTaskMessage) {
        let id = FrameworkId::from(&message.framework_id);
        let task_id = &message.task_id.value;
        info!("Asked to kill task {task_id} of framework {id}");
        if self.is_from_framework(&from, &id, &format!("kill task message for task {task_id} of")) {
            let kill = Kill { task_id: message.task_id, ..Kill::default() };
            self.kill(ctx, &id, &kill);
        }
    }

    /// A framework wants a task to end.
    pub(crate) fn kill(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId, kill: &Kill) {
        self.metrics.messages_kill_task.increment();
        let task_id = TaskId::from(&kill.task_id);
        let wanted = kill.slave_id.as_ref().map(SlaveId::from);
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return };
        if framework.pending_tasks.remove(&task_id).is_some() {
            return self.kill_pending(ctx, id, &task_id, wanted);
        }
        let Some(slave_id) = framework.tasks.get(&task_id).cloned() else {
            warn!(
                "Cannot kill task {task_id} of framework {framework} because it is unknown; \
                 performing reconciliation"
            );
            let task =
                reconcile::Task { task_id: kill.task_id.clone(), slave_id: kill.slave_id.clone() };
            return self.reconcile_tasks_of(ctx, id, &[task]);
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != slave_id) {
            return warn!(
                "Cannot kill task {task_id} of slave {wanted} of framework {framework} because it \
                 belongs to different slave {slave_id}"
            );
        }
        let Some(slave) = self.cluster.slaves.get_mut(&slave_id) else { return };
        // Also if it seems connected: it may be so no longer.
        slave.killed_tasks.insert((id.clone(), task_id.clone()));
        if !slave.connected {
            return warn!(
                "Cannot kill task {task_id} of framework {framework} because the slave {slave} is \
                 disconnected. Kill will be retried if the slave re-registers"
            );
        }
        info!("Telling slave {slave} to kill task {task_id} of framework {framework}");
        let message = KillTaskMessage { framework_id: id.into(), task_id: kill.task_id.clone() };
        ctx.send(&slave.pid, &message);
    }

    /// A task whose launch is still being authorized is not launched.
    fn kill_pending(
        &mut self,
        ctx: &Ctx<Self>,
        id: &FrameworkId,
        task_id: &TaskId,
        slave_id: Option<SlaveId>,
    ) {
        let (state, now) = (TaskState::TaskKilled, ctx.now().secs());
        let mut update =
            NewUpdate::new(id, task_id, state, Source::Master, now).message("Killed pending task");
        if let Some(slave_id) = slave_id {
            update = update.slave(&slave_id);
        }
        self.forward(ctx, update.build(), NOBODY);
    }
}
