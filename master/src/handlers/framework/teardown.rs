//! The end of a framework, with all that is its. Its scheduler is told nothing.
//! Upstream: `Master::unregisterFramework`, `teardown`, `removeFramework`.

use std::sync::Arc;

use common::ids::{ExecutorId, FrameworkId, SlaveId};
use libprocess::{Ctx, Upid};
use proto::mesos::TaskState;
use proto::mesos::internal::{ShutdownFrameworkMessage, UnregisterFrameworkMessage};
use proto::mesos::task_status::Reason;
use tracing::{info, warn};

use crate::handlers::offer::Recall;
use crate::handlers::task::update_of;
use crate::master::Master;
use crate::state::Task;

impl Master {
    /// The old form of [`Master::teardown`].
    pub(crate) fn unregister_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: UnregisterFrameworkMessage,
    ) {
        let id = FrameworkId::from(message.framework_id);
        info!("Asked to unregister framework {id}");
        match self.cluster.frameworks.get(&id) {
            None => {}
            Some(framework) if framework.pid() != Some(&from) => warn!(
                "Ignoring unregister framework message for framework {framework} because it is \
                 not expected from {from}"
            ),
            Some(_) => self.teardown(ctx, &id),
        }
    }

    /// A framework wants to end.
    pub(crate) fn teardown(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        info!("Processing TEARDOWN call for framework {framework}");
        self.metrics.messages_unregister_framework.increment();
        self.remove_framework(ctx, id);
    }

    /// A framework ends, by its own wish, an operator's or for being away too long.
    pub(crate) fn remove_framework(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get_mut(id) else { return };
        info!("Removing framework {framework}");
        framework.unregistered_time = Some(ctx.now());
        framework.pending_tasks.clear();
        if framework.active {
            self.allocator.deactivate_framework(id);
        }
        self.tell_slaves(ctx, &ShutdownFrameworkMessage { framework_id: id.into() });
        self.kill_tasks_of(ctx, id);
        self.recall_offers_of(ctx, id, Recall::Silently);
        self.remove_executors_of(id);
        let Some(framework) = self.cluster.remove_framework(id) else { return };
        if let Some(principal) = &framework.info.principal {
            self.metrics.remove_principal(principal);
        }
        self.allocator.remove_framework(id);
    }

    /// Books every task as killed, for nobody is interested in its end any more.
    fn kill_tasks_of(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        let now = ctx.now().secs();
        // By slave and not by the framework's own table, which has each name once.
        let slaves = self.cluster.slaves.iter();
        let tasks = slaves.filter_map(|slave| slave.tasks.get(id));
        let tasks: Vec<Arc<Task>> = tasks.flat_map(|tasks| tasks.values().cloned()).collect();
        for task in tasks {
            let update = update_of(&task, TaskState::TaskKilled, now)
                .message(format!("Framework {id} removed"))
                .reason(Reason::FrameworkRemoved)
                .build();
            self.update_task(&task.key, &update);
            self.remove_task(&task.key);
        }
    }

    fn remove_executors_of(&mut self, id: &FrameworkId) {
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        let executors: Vec<(SlaveId, ExecutorId)> = framework
            .executors
            .iter()
            .flat_map(|(slave, executors)| executors.iter().map(|e| (slave.clone(), e.clone())))
            .collect();
        for (slave_id, executor_id) in executors {
            self.remove_executor(&slave_id, id, &executor_id);
        }
    }
}
