//! Every way out for a slave, and what becomes of a slave that falls silent.
//! Upstream: the slave half of `Master::exited`, `disconnect(Slave*)`, `unregisterSlave`,
//! `shutdownSlave`, `removeSlave`, `_removeSlave`, `removeFramework(Slave*, Framework*)`.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::ids::{ExecutorId, FrameworkId, SlaveId};
use common::status::print_update;
use libprocess::{Ctx, Inject, Upid};
use proto::mesos::internal::{
    LostSlaveMessage, ShutdownMessage, StatusUpdate, UnregisterSlaveMessage,
};
use proto::mesos::task_status::Reason;
use proto::mesos::{SlaveInfo, TaskState};
use tracing::{info, warn};

use crate::fatal::Fatal;
use crate::handlers::offer::Recall;
use crate::handlers::task::{NOBODY, update_of};
use crate::master::Master;
use crate::refusal::RemovalCause;
use crate::registrar::{Admission, Operation, RegistrarError};
use crate::state::Task;

impl Master {
    /// The link to a slave ended. It may come back, but tasks of frameworks that do not
    /// checkpoint cannot.
    pub(crate) fn slave_exited(&mut self, ctx: &mut Ctx<Self>, id: &SlaveId) {
        let Some(slave) = self.cluster.slaves.get_mut(id) else { return };
        info!("Slave {slave} disconnected");
        if !slave.connected {
            return warn!("Ignoring duplicate exited() notification for slave {slave}");
        }
        info!("Disconnecting slave {slave}");
        info!("Deactivating slave {slave}");
        slave.connected = false;
        slave.active = false;
        if let Some(observer) = self.observers.get(id) {
            observer.tell(|observer, _| observer.disconnect());
        }
        self.allocator.deactivate_slave(id);
        self.recall_offers_on(ctx, id);
        self.remove_unrecoverable_frameworks(ctx, id);
    }

    fn remove_unrecoverable_frameworks(&mut self, ctx: &mut Ctx<Self>, id: &SlaveId) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let frameworks: BTreeSet<&FrameworkId> =
            slave.tasks.keys().chain(slave.executors.keys()).collect();
        let unrecoverable: Vec<FrameworkId> = frameworks
            .into_iter()
            .filter_map(|id| self.cluster.frameworks.get(id))
            .filter(|framework| !framework.info.checkpoint())
            .inspect(|framework| {
                info!(
                    "Removing framework {framework} from disconnected slave {slave} because the \
                     framework is not checkpointing"
                );
            })
            .map(|framework| framework.id.clone())
            .collect();
        for framework_id in unrecoverable {
            self.remove_framework_from_slave(ctx, id, &framework_id);
        }
    }

    fn remove_framework_from_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &SlaveId,
        framework_id: &FrameworkId,
    ) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        info!("Removing framework {framework_id} from slave {slave}");
        let message = format!("Slave {} disconnected", slave.info.hostname);
        let tasks = slave.tasks.get(framework_id).into_iter().flat_map(|tasks| tasks.values());
        let last = last_updates(tasks, ctx, &message, Reason::SlaveDisconnected);
        for (task, update) in last {
            self.update_task(&task.key, &update);
            self.remove_task(&task.key);
            self.forward(ctx, update, NOBODY);
        }
        self.remove_executors_on(id, |owner| owner == framework_id);
    }

    /// A slave says that it ends.
    pub(crate) fn unregister_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: UnregisterSlaveMessage,
    ) {
        self.metrics.messages_unregister_slave.increment();
        let id = SlaveId::from(message.slave_id);
        info!("Asked to unregister slave {id}");
        let Some(slave) = self.cluster.slaves.get(&id) else { return };
        if slave.pid != from {
            return warn!(
                "Ignoring unregister slave message from {from} because it is not the slave {}",
                slave.pid
            );
        }
        self.remove_slave(ctx, &id, RemovalCause::Unregistered);
    }

    /// A slave has to end, and is removed whether it hears so or not.
    pub(crate) fn shutdown_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &SlaveId,
        cause: RemovalCause,
    ) {
        if self.doubts(ctx) {
            return;
        }
        let Some(slave) = self.cluster.slaves.get(id) else {
            return warn!("Unable to shutdown unknown slave {id}");
        };
        warn!("Shutting down slave {slave} with message '{cause}'");
        ctx.send(&slave.pid, &ShutdownMessage { message: Some(cause.to_string()) });
        self.remove_slave(ctx, id, cause);
    }

    /// A slave is removed. Frameworks are told once the registry knows.
    pub(crate) fn remove_slave(&mut self, ctx: &mut Ctx<Self>, id: &SlaveId, cause: RemovalCause) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        info!("Removing slave {slave}: {cause}");
        // First, so that the allocator does not hand out again what comes back below.
        self.allocator.remove_slave(id);
        let message = format!("Slave {} removed: {cause}", slave.info.hostname);
        let tasks = slave.tasks.values().flat_map(|tasks| tasks.values());
        let mut updates = Vec::new();
        for (task, update) in last_updates(tasks, ctx, &message, Reason::SlaveRemoved) {
            self.update_task(&task.key, &update);
            self.remove_task(&task.key);
            updates.push(update);
        }
        self.remove_executors_on(id, |_| true);
        self.recall_offers_on(ctx, id);
        let Some(slave) = self.cluster.remove_slave(id) else { return };
        if let Some(observer) = self.observers.remove(id) {
            observer.terminate(Inject::Front);
        }
        self.cluster.slaves.removing.insert(id.clone());
        let removed = self.registrar.apply(Operation::RemoveSlave((*slave.info).clone()));
        let info = slave.info.clone();
        ctx.then(removed, move |master, ctx, removed| {
            master.on_slave_removed(ctx, &info, cause, (updates, removed));
        });
    }

    pub(crate) fn on_slave_removed(
        &mut self,
        ctx: &mut Ctx<Self>,
        info: &SlaveInfo,
        cause: RemovalCause,
        (updates, removed): (Vec<StatusUpdate>, Result<Admission, RegistrarError>),
    ) {
        let id = SlaveId::from(info.id.clone().unwrap_or_default());
        self.cluster.slaves.removing.remove(&id);
        let slave = format!("{id} ({})", info.hostname);
        if let Err(error) = removed {
            let slave = format!("{slave} from the registrar");
            return self.fail(ctx, Fatal::Registrar { action: "remove", slave, error });
        }
        info!("Removed slave {slave}: {cause}");
        self.metrics.slave_removals.increment();
        match cause {
            RemovalCause::Unhealthy | RemovalCause::NotReregistered => {
                self.metrics.slave_removals_reason_unhealthy.increment();
            }
            RemovalCause::Unregistered => {
                self.metrics.slave_removals_reason_unregistered.increment();
            }
            RemovalCause::Replaced => self.metrics.slave_removals_reason_registered.increment(),
        }
        for update in updates {
            let framework_id = FrameworkId::from(&update.framework_id);
            match self.cluster.frameworks.get(&framework_id) {
                Some(_) => self.forward(ctx, update, NOBODY),
                None => warn!(
                    "Dropping update {} from unknown framework {framework_id}",
                    print_update(&update)
                ),
            }
        }
        let message = LostSlaveMessage { slave_id: (&id).into() };
        for framework in self.cluster.frameworks.iter() {
            info!("Notifying framework {framework} of lost slave {slave} after recovering");
            self.tell_framework(ctx, framework, &message);
        }
    }

    /// A slave that is not in the tables is taken out of the registry.
    pub(crate) fn forget_slave(&mut self, ctx: &mut Ctx<Self>, info: SlaveInfo) {
        let slave = info.id.clone().unwrap_or_default().value;
        let removed = self.registrar.apply(Operation::RemoveSlave(info));
        ctx.then(removed, move |master, ctx, removed| {
            if let Err(error) = removed {
                master.fail(ctx, Fatal::Registrar { action: "remove", slave, error });
            }
        });
    }

    fn remove_executors_on(&mut self, id: &SlaveId, is_meant: impl Fn(&FrameworkId) -> bool) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let executors: Vec<(FrameworkId, ExecutorId)> = slave
            .all_executors()
            .filter(|(framework_id, _)| is_meant(framework_id))
            .map(|(framework_id, executor_id)| (framework_id.clone(), executor_id.clone()))
            .collect();
        for (framework_id, executor_id) in executors {
            self.remove_executor(id, &framework_id, &executor_id);
        }
    }

    fn recall_offers_on(&mut self, ctx: &mut Ctx<Self>, id: &SlaveId) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let offers = slave.offers.iter().cloned().collect();
        self.recall_offers(ctx, offers, Recall::Rescind);
    }
}

/// The end of each task: TASK_LOST, unless it is known to have ended otherwise.
fn last_updates<'a>(
    tasks: impl Iterator<Item = &'a Arc<Task>>,
    ctx: &Ctx<Master>,
    message: &str,
    reason: Reason,
) -> Vec<(Arc<Task>, StatusUpdate)> {
    let now = ctx.now().secs();
    let last = |task: &Arc<Task>| {
        let state = if task.is_terminal() { task.state() } else { TaskState::TaskLost };
        let update = update_of(task, state, now).message(message).reason(reason);
        (task.clone(), update.build())
    };
    tasks.map(last).collect()
}
