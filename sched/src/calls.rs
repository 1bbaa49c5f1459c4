//! What a scheduler asks of the master, and of slaves directly: one method for each call of the
//! driver. Called by `driver`. Validates nothing: that is the master's business.
//! Calls of a disconnected driver are lost, but launched tasks are told to be, and kills are kept.
//!
//! Upstream: `SchedulerProcess::{killTask, launchTasks, acceptOffers, …}`.

use bytes::Bytes;
use common::calls::scheduler::FrameworkCall;
use common::ids::{ExecutorId, OfferId, SlaveId, TaskId};
use common::status::NewUpdate;
use libprocess::{Ctx, vlog};
use proto::mesos::internal::FrameworkToExecutorMessage;
use proto::mesos::offer::{Operation, operation};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{Filters, Request, TaskInfo, TaskState, TaskStatus};
use tracing::warn;

use crate::process::SchedulerProcess;

/// The tasks that operations launch.
fn launched(operations: &[Operation]) -> impl Iterator<Item = &TaskInfo> {
    let launches = operations.iter().filter(|other| other.r#type() == operation::Type::Launch);
    launches.flat_map(|operation| &operation.launch).flat_map(|launch| &launch.task_infos)
}

impl SchedulerProcess {
    /// Sends a call to the master, if there is one that knows us.
    fn send_call(&self, ctx: &Ctx<Self>, call: FrameworkCall) {
        if let Some(master) = self.master.as_ref().filter(|_| self.connected) {
            let framework_id = Some(self.framework_id().into());
            ctx.send(&master.pid, &Call { framework_id, ..call.into() });
        }
    }

    fn is_disconnected(&self, what: &str) -> bool {
        if !self.connected {
            vlog!(1, "Ignoring {what} as master is disconnected");
        }
        !self.connected
    }

    pub(crate) fn teardown(&self, ctx: &Ctx<Self>) {
        self.send_call(ctx, FrameworkCall::Teardown);
    }

    pub(crate) fn request_resources(&mut self, ctx: &mut Ctx<Self>, requests: Vec<Request>) {
        if !self.is_disconnected("request resources message") {
            self.send_call(ctx, FrameworkCall::Request(call::Request { requests }));
        }
    }

    pub(crate) fn accept_offers(
        &mut self,
        ctx: &mut Ctx<Self>,
        offer_ids: &[OfferId],
        operations: Vec<Operation>,
        filters: Filters,
    ) {
        if self.is_disconnected("accept offers message") {
            return launched(&operations).for_each(|task| self.lose(ctx, task));
        }
        for offer_id in offer_ids {
            self.save_slave_pids(offer_id, &operations);
        }
        let offer_ids = offer_ids.iter().map(Into::into).collect();
        let accept = call::Accept { offer_ids, operations, filters: Some(filters) };
        self.send_call(ctx, FrameworkCall::Accept(accept));
    }

    /// Keeps where the slave is that tasks are launched on, to speak to their executors directly.
    fn save_slave_pids(&mut self, offer_id: &OfferId, operations: &[Operation]) {
        let Some((slave_id, pid)) = self.saved_offers.remove(offer_id) else {
            return warn!("Attempting to accept an unknown offer {offer_id}");
        };
        for task in launched(operations) {
            if slave_id == task.slave_id {
                self.saved_slave_pids.insert(slave_id.clone(), pid.clone());
            } else {
                warn!(
                    "Attempting to launch task {} with the wrong slave id {}",
                    task.task_id.value, task.slave_id.value
                );
            }
        }
    }

    /// Tells the scheduler that a task will not be launched.
    fn lose(&self, ctx: &Ctx<Self>, task: &TaskInfo) {
        if self.ignores("task status update message") {
            return;
        }
        let (task_id, now) = (TaskId::from(&task.task_id), ctx.now().secs());
        let state = TaskState::TaskLost;
        let update = NewUpdate::new(&self.framework_id(), &task_id, state, Source::Master, now)
            .message("Master disconnected")
            .reason(Reason::MasterDisconnected)
            .build();
        self.call("Scheduler::statusUpdate", |scheduler, driver| {
            scheduler.status_update(driver, update.status);
        });
    }

    pub(crate) fn decline_offer(
        &mut self,
        ctx: &mut Ctx<Self>,
        offer_id: &OfferId,
        filters: Filters,
    ) {
        if self.is_disconnected("decline offer message") {
            return;
        }
        if self.saved_offers.remove(offer_id).is_none() {
            warn!("Attempting to decline an unknown offer {offer_id}");
        }
        let decline = call::Decline { offer_ids: vec![offer_id.into()], filters: Some(filters) };
        self.send_call(ctx, FrameworkCall::Decline(decline));
    }

    pub(crate) fn kill_task(&mut self, ctx: &mut Ctx<Self>, task_id: TaskId) {
        if !self.connected {
            vlog!(1, "Keeping kill task message as master is disconnected");
            self.saved_kills.insert(task_id);
            return;
        }
        let kill = call::Kill { task_id: task_id.into(), slave_id: None };
        self.send_call(ctx, FrameworkCall::Kill(kill));
    }

    /// Asks for what could not be asked for while no master knew us.
    pub(crate) fn send_saved_kills(&mut self, ctx: &mut Ctx<Self>) {
        for task_id in std::mem::take(&mut self.saved_kills) {
            self.kill_task(ctx, task_id);
        }
    }

    pub(crate) fn revive_offers(&mut self, ctx: &mut Ctx<Self>) {
        if !self.is_disconnected("revive offers message") {
            self.send_call(ctx, FrameworkCall::Revive);
        }
    }

    pub(crate) fn suppress_offers(&mut self, ctx: &mut Ctx<Self>) {
        if !self.is_disconnected("suppress offers message") {
            self.send_call(ctx, FrameworkCall::Suppress);
        }
    }

    /// Only what a slave sent has both a uuid and a slave id, and is to be acknowledged.
    pub(crate) fn acknowledge_status_update(&mut self, ctx: &mut Ctx<Self>, status: &TaskStatus) {
        if !self.connected {
            return vlog!(
                1,
                "Ignoring explicit status update acknowledgement because the driver is \
                 disconnected"
            );
        }
        let (Some(uuid), Some(slave_id)) = (&status.uuid, &status.slave_id) else {
            return vlog!(2, "Received ACK for status update of task {}", status.task_id.value);
        };
        let acknowledge = call::Acknowledge {
            slave_id: slave_id.clone(),
            task_id: status.task_id.clone(),
            uuid: uuid.clone(),
        };
        self.acknowledge(ctx, acknowledge);
    }

    pub(crate) fn acknowledge(&mut self, ctx: &mut Ctx<Self>, acknowledge: call::Acknowledge) {
        vlog!(
            2,
            "Sending ACK for status update of task {} on slave {}",
            acknowledge.task_id.value,
            acknowledge.slave_id.value
        );
        self.send_call(ctx, FrameworkCall::Acknowledge(acknowledge));
    }

    pub(crate) fn send_framework_message(
        &mut self,
        ctx: &mut Ctx<Self>,
        executor_id: &ExecutorId,
        slave_id: &SlaveId,
        data: Bytes,
    ) {
        if self.is_disconnected("send framework message") {
            return;
        }
        vlog!(2, "Asked to send framework message to slave {slave_id}");
        if let Some(slave) = self.saved_slave_pids.get(slave_id) {
            let message = FrameworkToExecutorMessage {
                slave_id: slave_id.into(),
                framework_id: self.framework_id().into(),
                executor_id: executor_id.into(),
                data,
            };
            return ctx.send(slave, &message);
        }
        vlog!(1, "Cannot send directly to slave {slave_id}; sending through master");
        let (slave_id, executor_id) = (slave_id.into(), executor_id.into());
        let message = call::Message { slave_id, executor_id, data };
        self.send_call(ctx, FrameworkCall::Message(message));
    }

    pub(crate) fn reconcile_tasks(&mut self, ctx: &mut Ctx<Self>, statuses: Vec<TaskStatus>) {
        if self.is_disconnected("task reconciliation") {
            return;
        }
        let task =
            |TaskStatus { task_id, slave_id, .. }| call::reconcile::Task { task_id, slave_id };
        let reconcile = call::Reconcile { tasks: statuses.into_iter().map(task).collect() };
        self.send_call(ctx, FrameworkCall::Reconcile(reconcile));
    }
}
