//! Acknowledgements on their way down; the last one ends a task.
//! Upstream: `Master::statusUpdateAcknowledgement`, `acknowledge`.

use common::calls::uuid_bytes;
use common::ids::{FrameworkId, SlaveId, TaskId};
use libprocess::{Ctx, Upid};
use proto::mesos::internal::StatusUpdateAcknowledgementMessage;
use proto::mesos::scheduler::call::Acknowledge;
use stout::uuid;
use tracing::{error, info, warn};

use crate::master::Master;
use crate::state::{Task, TaskKey};

impl Master {
    /// The old form of [`Master::acknowledge`].
    pub(crate) fn status_update_acknowledgement(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: StatusUpdateAcknowledgementMessage,
    ) {
        let id = FrameworkId::from(&message.framework_id);
        let slave = &message.slave_id.value;
        let why = match self.cluster.frameworks.get(&id) {
            None => format!("{id} on slave {slave} because the framework cannot be found"),
            Some(framework) if framework.pid() != Some(&from) => {
                format!("{framework} on slave {slave} because it is not expected from {from}")
            }
            Some(framework) => match uuid_bytes(&message.uuid) {
                Err(invalid) => format!("{framework} on slave {slave}: {invalid}"),
                Ok(_) => {
                    let acknowledge = Acknowledge {
                        slave_id: message.slave_id,
                        task_id: message.task_id,
                        uuid: message.uuid,
                    };
                    return self.acknowledge(ctx, &id, acknowledge);
                }
            },
        };
        warn!(
            "Ignoring status update acknowledgement {} for task {} of framework {why}",
            print_uuid(&message.uuid),
            message.task_id.value
        );
        self.metrics.invalid_status_update_acknowledgements.increment();
    }

    /// A framework has seen an update; its slave hears so, whether the task is known or not.
    pub(crate) fn acknowledge(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        acknowledge: Acknowledge,
    ) {
        self.metrics.messages_status_update_acknowledgement.increment();
        let invalid = &self.metrics.invalid_status_update_acknowledgements;
        let Some(framework) = self.cluster.frameworks.get(id) else { return };
        let key = TaskKey {
            framework_id: id.clone(),
            slave_id: SlaveId::from(&acknowledge.slave_id),
            task_id: TaskId::from(&acknowledge.task_id),
        };
        let what = || {
            let uuid = print_uuid(&acknowledge.uuid);
            format!(
                "status update acknowledgement {uuid} for task {} of framework {framework} to \
                 slave",
                key.task_id
            )
        };
        let Some(slave) = self.cluster.slaves.get(&key.slave_id) else {
            let slave_id = &key.slave_id;
            warn!("Cannot send {} {slave_id} because slave is not registered", what());
            return invalid.increment();
        };
        if !slave.connected {
            warn!("Cannot send {} {slave} because slave is disconnected", what());
            return invalid.increment();
        }
        info!(
            "Processing ACKNOWLEDGE call {} for task {} of framework {framework} on slave {}",
            print_uuid(&acknowledge.uuid),
            key.task_id,
            key.slave_id
        );
        let task = slave.task(id, &key.task_id);
        if task.is_some_and(|task| task.message.status_update_state.is_none()) {
            error!("Ignoring {} {slave} because the update was not sent by this master", what());
            return invalid.increment();
        }
        let message = StatusUpdateAcknowledgementMessage {
            slave_id: acknowledge.slave_id,
            framework_id: id.into(),
            task_id: acknowledge.task_id,
            uuid: acknowledge.uuid,
        };
        ctx.send(&slave.pid, &message);
        self.metrics.valid_status_update_acknowledgements.increment();
        if task.is_some_and(|task: &Task| task.ends_with(&message.uuid)) {
            self.remove_task(&key);
        }
    }
}

fn print_uuid(bytes: &[u8]) -> String {
    match uuid::from_bytes(bytes) {
        Ok(uuid) => uuid.to_string(),
        Err(error) => format!("({error})"),
    }
}
