//! A slave that was admitted before comes back: to the master that knows it, or to a new one.
//! Upstream: `Master::reregisterSlave`, `_reregisterSlave`, `__reregisterSlave`.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;
use libprocess::{Ctx, Upid};
use proto::mesos::internal::{
    CheckpointResourcesMessage, ReregisterSlaveMessage, SlaveReregisteredMessage,
    Task as TaskMessage, UpdateFrameworkMessage, archive,
};
use tracing::{info, warn};

use crate::fatal::Fatal;
use crate::master::Master;
use crate::refusal::{RemovalCause, SlaveRefusal};
use crate::registrar::{Admission, Operation, RegistrarError};
use crate::state::{NewSlave, Slave, Task};
use crate::validation::slave::{consistent_executors, consistent_tasks};

impl Master {
    /// A slave with an id wants to be admitted again.
    pub(crate) fn reregister_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ReregisterSlaveMessage,
    ) {
        self.metrics.messages_reregister_slave.increment();
        let hostname = message.slave.hostname.clone();
        let Some(id) = message.slave.id.as_ref().map(SlaveId::from) else {
            warn!("Slave at {from} ({hostname}) attempted to re-register without an id");
            return self.refuse_slave(ctx, &from, &SlaveRefusal::NoId);
        };
        if self.refuses_machine(ctx, &from, &message.slave, "re-registration") {
            return;
        }
        if self.cluster.slaves.is_removed(&id) {
            warn!(
                "Slave {id} at {from} ({hostname}) attempted to re-register after removal; \
                 shutting it down"
            );
            return self.refuse_slave(ctx, &from, &SlaveRefusal::Removed);
        }
        if self.cluster.slaves.get(&id).is_some() {
            return self.welcome_back(ctx, &from, &id, message);
        }
        self.cluster.slaves.recovered.remove(&id);
        if !self.cluster.slaves.reregistering.insert(id.clone()) {
            return info!(
                "Ignoring re-register slave message from slave {id} at {from} ({hostname}) as \
                 readmission is already in progress"
            );
        }
        info!("Re-registering slave {id} at {from} ({hostname})");
        let readmitted = self.registrar.apply(Operation::ReadmitSlave(message.slave.clone()));
        ctx.then(readmitted, move |master, ctx, readmitted| {
            master.on_slave_readmitted(ctx, (id, from), message, readmitted);
        });
    }

    /// A slave that this master knows.
    fn welcome_back(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: &Upid,
        id: &SlaveId,
        message: ReregisterSlaveMessage,
    ) {
        let Some(slave) = self.cluster.slaves.get_mut(id) else { return };
        slave.reregistered_time = Some(ctx.now());
        info!("Re-registering slave {slave}");
        let hostname = &message.slave.hostname;
        if slave.pid.address.ip != from.address.ip || slave.info.hostname != *hostname {
            warn!(
                "Slave {id} at {from} ({hostname}) attempted to re-register with different IP / \
                 hostname; expected {} ({}) shutting it down",
                slave.pid.address.ip, slave.info.hostname
            );
            return self.refuse_slave(ctx, from, &SlaveRefusal::Moved);
        }
        slave.version = message.version.unwrap_or_default();
        self.move_slave(ctx, from, id);
        self.reconcile_slave(ctx, id, message.executor_infos, &message.tasks);
        let Some(slave) = self.cluster.slaves.get_mut(id) else { return };
        if !slave.connected {
            slave.connected = true;
            slave.active = true;
            self.allocator.activate_slave(id);
        }
        self.tell_slave_what_it_missed(ctx, id, &message.tasks);
    }

    fn move_slave(&mut self, ctx: &mut Ctx<Self>, from: &Upid, id: &SlaveId) {
        let other = self.cluster.slaves.at(from).map(|slave| slave.id.clone());
        if let Some(other) = other.filter(|other| other != id) {
            self.remove_slave(ctx, &other, RemovalCause::Replaced);
        }
        self.cluster.slaves.move_to(id, from);
        ctx.link(from);
        if let Some(observer) = self.observers.get(id) {
            let from = from.clone();
            observer.tell(move |observer, _| observer.reconnect(from));
        }
    }

    fn on_slave_readmitted(
        &mut self,
        ctx: &mut Ctx<Self>,
        (id, from): (SlaveId, Upid),
        message: ReregisterSlaveMessage,
        readmitted: Result<Admission, RegistrarError>,
    ) {
        self.cluster.slaves.reregistering.remove(&id);
        let slave = format!("{id} at {from} ({})", message.slave.hostname);
        match readmitted {
            Err(error) => {
                self.fail(ctx, Fatal::Registrar { action: "readmit", slave, error });
            }
            Ok(Admission::Refused) => {
                warn!("The slave {slave} could not be readmitted; shutting it down");
                self.cluster.slaves.mark_removed(id.clone());
                self.refuse_slave(ctx, &from, &SlaveRefusal::UnknownId(id));
            }
            Ok(Admission::Accepted) => self.take_over(ctx, id, from, message),
        }
    }

    /// A slave of an earlier master, with all that is on it.
    fn take_over(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: SlaveId,
        from: Upid,
        message: ReregisterSlaveMessage,
    ) {
        let new = NewSlave {
            id: id.clone(),
            info: message.slave,
            pid: from.clone(),
            version: message.version.unwrap_or_default(),
            checkpointed: Resources::from(&message.checkpointed_resources),
        };
        let mut slave = match Slave::new(new, ctx.now()) {
            Ok(slave) => slave,
            Err(error) => return self.refuse_admitted_slave(ctx, &id, &from, error.into()),
        };
        slave.reregistered_time = Some(ctx.now());
        let (executors, inconsistent_executors) = consistent_executors(message.executor_infos);
        let (tasks, inconsistent_tasks) = consistent_tasks(&id, message.tasks);
        for inconsistency in inconsistent_executors.iter().chain(&inconsistent_tasks) {
            warn!("Slave {slave} re-registered with {inconsistency}; ignoring it");
        }
        for (framework_id, executor) in executors {
            slave.add_executor(&framework_id, executor);
        }
        for task in &tasks {
            slave.add_task(task.clone().into());
        }
        self.metrics.slave_reregistrations.increment();
        self.add_slave(ctx, slave);
        self.warn_of_orphans(&id);
        self.take_over_completed(&id, message.completed_frameworks);
        let Some(slave) = self.cluster.slaves.get(&id) else { return };
        let reregistered = SlaveReregisteredMessage {
            slave_id: (&id).into(),
            reconciliations: Vec::new(),
            connection: Some(self.slave_connection()),
        };
        ctx.send(&slave.pid, &reregistered);
        info!("Re-registered slave {slave} with {}", Resources::from(&slave.info.resources));
        self.tell_slave_what_it_missed(ctx, &id, &tasks);
    }

    fn warn_of_orphans(&self, id: &SlaveId) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        for task in slave.all_tasks() {
            let framework_id = &task.key.framework_id;
            if self.cluster.frameworks.get(framework_id).is_none() {
                warn!(
                    "Possibly orphaned task {} of framework {framework_id} running on slave \
                     {slave}",
                    task.key.task_id
                );
            }
        }
    }

    fn take_over_completed(&mut self, id: &SlaveId, completed: Vec<archive::Framework>) {
        for framework in completed {
            let framework_id = FrameworkId::from(framework.framework_info.id.unwrap_or_default());
            for task in framework.tasks {
                match self.cluster.frameworks.get_mut(&framework_id) {
                    Some(framework) => {
                        framework.completed_tasks.push(Arc::new(Task::from(task)));
                    }
                    None => warn!(
                        "Possibly orphaned completed task {} of framework {framework_id} that ran \
                         on slave {id}",
                        task.task_id.value
                    ),
                }
            }
        }
    }

    /// Where the schedulers of its tasks are now, and what it has to remember.
    fn tell_slave_what_it_missed(&self, ctx: &Ctx<Self>, id: &SlaveId, tasks: &[TaskMessage]) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let frameworks: BTreeSet<FrameworkId> =
            tasks.iter().map(|task| (&task.framework_id).into()).collect();
        for framework in frameworks.iter().filter_map(|id| self.cluster.frameworks.get(id)) {
            let message = UpdateFrameworkMessage {
                framework_id: (&framework.id).into(),
                pid: Some(framework.pid().cloned().unwrap_or_default().to_string()),
            };
            ctx.send(&slave.pid, &message);
        }
        info!("Sending updated checkpointed resources {} to slave {slave}", slave.checkpointed);
        let message = CheckpointResourcesMessage { resources: slave.checkpointed.to_messages() };
        ctx.send(&slave.pid, &message);
    }
}
