//! Updates on their way up, and what they change.
//! Upstream: `Master::statusUpdate`, `forward`, `updateTask`, `removeTask`, `removeExecutor`.

use common::ids::{ExecutorId, FrameworkId, SlaveId};
use common::status::{NewUpdate, print_update};
use common::task_state::is_terminal;
use libprocess::pid::Parsed;
use libprocess::{Ctx, Upid};
use proto::mesos::TaskState;
use proto::mesos::internal::{StatusUpdate, StatusUpdateMessage};
use proto::mesos::task_status::Source;
use tracing::{info, warn};

use crate::master::Master;
use crate::refusal::SlaveRefusal;
use crate::state::{Task, TaskKey, TaskUpdated};

/// The pid in updates that nobody is to acknowledge: the empty one.
pub(crate) const NOBODY: &str = "@0.0.0.0:0";

/// An update that the master makes of a task.
pub(crate) fn update_of(task: &Task, state: TaskState, now: f64) -> NewUpdate {
    let TaskKey { framework_id, slave_id, task_id } = &task.key;
    let update = NewUpdate::new(framework_id, task_id, state, Source::Master, now).slave(slave_id);
    match &task.executor_id {
        Some(executor_id) => update.executor(executor_id),
        None => update,
    }
}

impl Master {
    /// A slave has news of a task. Its framework hears of it whether the task is known or not;
    /// if the framework is unknown nobody answers, so that the slave tries again.
    pub(crate) fn status_update(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: StatusUpdateMessage,
    ) {
        self.metrics.messages_status_update.increment();
        let pid = acknowledgee(message.pid());
        let mut update = message.update;
        match self.validate_update(&update, &pid) {
            Ok(()) => {}
            Err(None) => return self.metrics.invalid_status_updates.increment(),
            Err(Some(refusal)) => {
                self.refuse_slave(ctx, &pid.parse().unwrap_or(from), &refusal);
                return self.metrics.invalid_status_updates.increment();
            }
        }
        if let Some(uuid) = &update.uuid {
            update.status.uuid = Some(uuid.clone());
        }
        let key = TaskKey {
            framework_id: (&update.framework_id).into(),
            slave_id: update.slave_id.clone().unwrap_or_default().into(),
            task_id: (&update.status.task_id).into(),
        };
        self.forward(ctx, update.clone(), &pid);
        if self.update_task(&key, &update).is_none() {
            warn!(
                "Could not lookup task for status update {} from slave {}",
                print_update(&update),
                key.slave_id
            );
            return self.metrics.invalid_status_updates.increment();
        }
        // Nobody is going to acknowledge it.
        if pid == NOBODY && self.cluster.task(&key).is_some_and(Task::is_terminal) {
            self.remove_task(&key);
        }
        self.metrics.valid_status_updates.increment();
    }

    /// Whether an update is from a slave, and about a framework, that are known.
    fn validate_update(
        &self,
        update: &StatusUpdate,
        pid: &str,
    ) -> Result<(), Option<SlaveRefusal>> {
        let id = SlaveId::from(update.slave_id.clone().unwrap_or_default());
        if self.cluster.slaves.is_removed(&id) {
            warn!(
                "Ignoring status update {} from removed slave {pid} with id {id} ; asking slave  \
                 to shutdown",
                print_update(update)
            );
            return Err(Some(SlaveRefusal::StatusUpdate));
        }
        let Some(slave) = self.cluster.slaves.get(&id) else {
            let update = print_update(update);
            warn!("Ignoring status update {update} from unknown slave {pid} with id {id}");
            return Err(None);
        };
        let framework_id = FrameworkId::from(&update.framework_id);
        if self.cluster.frameworks.get(&framework_id).is_none() {
            warn!(
                "Ignoring status update {} from slave {slave} because the framework is unknown",
                print_update(update)
            );
            return Err(None);
        }
        // Drivers copy it into 16 bytes, however many there are.
        if update.uuid.as_ref().is_some_and(|uuid| uuid.len() != 16) {
            let update = print_update(update);
            warn!("Ignoring status update {update} from slave {slave} because its UUID is none");
            return Err(None);
        }
        info!("Status update {} from slave {slave}", print_update(update));
        Ok(())
    }

    /// Tells a framework of an update, and whom to acknowledge it to.
    pub(crate) fn forward(&self, ctx: &Ctx<Self>, update: StatusUpdate, acknowledgee: &str) {
        let framework_id = FrameworkId::from(&update.framework_id);
        let Some(framework) = self.cluster.frameworks.get(&framework_id) else { return };
        if acknowledgee == NOBODY {
            let message = update.status.message.as_ref();
            let message = message.map(|text| format!(" '{text}'")).unwrap_or_default();
            info!("Sending status update {}{message}", print_update(&update));
        } else {
            info!("Forwarding status update {}", print_update(&update));
        }
        let message = StatusUpdateMessage { update, pid: Some(acknowledgee.to_owned()) };
        self.tell_framework(ctx, framework, &message);
    }

    /// Books an update; `None` if the task is unknown. What a task used is free once it ends; it
    /// is counted as ended once its framework is told so, which may be later.
    pub(crate) fn update_task(
        &mut self,
        key: &TaskKey,
        update: &StatusUpdate,
    ) -> Option<TaskUpdated> {
        let is_told = self.cluster.task(key).is_some_and(Task::is_told_terminal);
        let updated = self.cluster.update_task(key, update)?;
        let task = self.cluster.task(key)?;
        info!(
            "Updating the state of task {} of framework {} (latest state: {}, status update \
             state: {})",
            key.task_id,
            key.framework_id,
            task.state().as_str_name(),
            update.status.state().as_str_name()
        );
        if updated == TaskUpdated::Terminated {
            let resources = task.resources.clone();
            self.allocator.recover_resources(&key.framework_id, &key.slave_id, resources, None);
        }
        if is_terminal(update.status.state()) && !is_told {
            self.metrics.task_terminated(&update.status);
        }
        Some(updated)
    }

    /// Forgets a task.
    pub(crate) fn remove_task(&mut self, key: &TaskKey) {
        let Some(task) = self.cluster.remove_task(key) else { return };
        let TaskKey { framework_id, slave_id, task_id } = key;
        let Some(slave) = self.cluster.slaves.get(slave_id) else { return };
        if task.is_terminal() {
            return info!(
                "Removing task {task_id} with resources {} of framework {framework_id} on slave \
                 {slave}",
                task.resources
            );
        }
        warn!(
            "Removing task {task_id} with resources {} of framework {framework_id} on slave \
             {slave} in non-terminal state {}",
            task.resources,
            task.state().as_str_name()
        );
        let resources = task.resources.clone();
        self.allocator.recover_resources(framework_id, slave_id, resources, None);
    }

    /// Forgets an executor, and frees what it used.
    pub(crate) fn remove_executor(
        &mut self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) {
        let executor = self.cluster.remove_executor(slave_id, framework_id, executor_id);
        let Some(executor) = executor else { return };
        let Some(slave) = self.cluster.slaves.get(slave_id) else { return };
        info!(
            "Removing executor '{executor_id}' with resources {} of framework {framework_id} on \
             slave {slave}",
            executor.resources
        );
        self.allocator.recover_resources(framework_id, slave_id, executor.resources, None);
    }
}

/// Who is to be acknowledged to, as frameworks are told; nobody if the text is no pid.
fn acknowledgee(text: &str) -> String {
    match Upid::parse(text) {
        Ok(Parsed::Upid(pid)) => pid.to_string(),
        // Looking the host up would take time that an actor does not have.
        Ok(Parsed::NeedsDns { .. }) => text.to_owned(),
        Err(_) => NOBODY.to_owned(),
    }
}
