//! Status updates: taken from executors or made by ourselves, worked on in their order, handed to
//! the manager that retries them, forwarded to the master, acknowledged in both directions.
//! Called by the table of messages, by the manager, and by every handler that ends a task.
//! Upstream: the four `Slave::statusUpdate`s, `forward`, `statusUpdateAcknowledgement`.

use std::path::PathBuf;

use common::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
use common::status::{NewUpdate, print_update};
use common::task_state;
use containerizer::ContainerError;
use libprocess::{Ctx, Upid, vlog};
use proto::mesos::internal::{
    StatusUpdate, StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use proto::mesos::task_status::Source;
use proto::mesos::{ContainerStatus, NetworkInfo, TaskState, network_info};
use stout::Uuid;
use tracing::{error, info, warn};

use crate::handlers::executor::send_to_executor;
use crate::phase::Phase;
use crate::refusal::{Ending, Verdict};
use crate::slave::Slave;
use crate::state::connection::Connection;
use crate::state::executor::{Executor, ExecutorPhase, Run, UpdateOrigin};
use crate::state::framework::{Framework, FrameworkPhase};
use crate::status_updates::{AckError, Acknowledged, UpdateError};

impl Slave {
    pub(crate) fn status_update_message(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: StatusUpdateMessage,
    ) {
        let named = message.pid().parse::<Upid>().ok().filter(|pid| !pid.is_empty());
        let origin = UpdateOrigin::Executor(named.unwrap_or(from));
        self.status_update(ctx, message.update, origin);
    }

    /// Reports the end of a task by `verdict`.
    pub(crate) fn report(
        &mut self,
        ctx: &mut Ctx<Self>,
        framework_id: &FrameworkId,
        task_id: &TaskId,
        verdict: &Verdict,
    ) {
        let framework = self.frameworks.get(framework_id);
        let executor = framework.and_then(|framework| framework.executor_of(task_id));
        let executor_id = executor.map(|executor| executor.id().clone());
        let update = self.own_update(ctx, framework_id, (task_id, executor_id), verdict);
        self.status_update(ctx, update, UpdateOrigin::Slave);
    }

    /// The same of a task that is not in our tables, nor perhaps its framework.
    pub(crate) fn report_unknown(
        &mut self,
        ctx: &mut Ctx<Self>,
        framework_id: &FrameworkId,
        task_id: &TaskId,
        verdict: &Verdict,
    ) {
        let update = self.own_update(ctx, framework_id, (task_id, None), verdict);
        self.hand_over(ctx, (update, None), UpdateOrigin::Slave, |_, _| {});
    }

    fn own_update(
        &mut self,
        ctx: &Ctx<Self>,
        framework_id: &FrameworkId,
        (task_id, executor_id): (&TaskId, Option<ExecutorId>),
        verdict: &Verdict,
    ) -> StatusUpdate {
        let (source, now) = (Source::Slave, ctx.now().secs());
        let mut update = NewUpdate::new(framework_id, task_id, verdict.state(), source, now)
            .slave(&self.id().unwrap_or_else(|| SlaveId::from("")))
            .uuid(*self.random_uuid().as_bytes())
            .message(verdict.message());
        if let Some(reason) = verdict.reason() {
            update = update.reason(reason);
        }
        if let Some(executor_id) = executor_id {
            update = update.executor(&executor_id);
        }
        update.build()
    }

    /// Takes an update in: those that nobody could acknowledge are dropped, the others get in line
    /// behind earlier ones of the same executor.
    pub(crate) fn status_update(
        &mut self,
        ctx: &mut Ctx<Self>,
        mut update: StatusUpdate,
        origin: UpdateOrigin,
    ) {
        info!("Handling status update {}{}", print_update(&update), sender(&origin));
        let uuid = update.uuid.as_ref().map(|uuid| stout::uuid::from_bytes(uuid));
        if !matches!(uuid, Some(Ok(_))) {
            let what = if uuid.is_some() { "with a malformed" } else { "without" };
            return self.refuse_update(&update, &format!("{what} 'uuid'"));
        }
        complete(&mut update, &origin);
        let framework_id = FrameworkId::from(&update.framework_id);
        let Some(framework) = self.frameworks.get_mut(&framework_id) else {
            return self.refuse_update(&update, &format!("for unknown framework {framework_id}"));
        };
        if framework.phase == FrameworkPhase::Terminating {
            return self
                .refuse_update(&update, &format!("for terminating framework {framework_id}"));
        }
        let task_id = TaskId::from(&update.status.task_id);
        let Some(executor) = framework.executor_of_mut(&task_id) else {
            warn!("Could not find the executor for status update {}", print_update(&update));
            self.counters.valid_status_updates.increment();
            return self.hand_over(ctx, (update, None), origin, |_, _| {});
        };
        let run = executor.run.clone();
        let is_own = origin == UpdateOrigin::Slave;
        if !is_own && update.status.state() == TaskState::TaskStaging {
            error!(
                "Received TASK_STAGING from executor {executor} which is not allowed. Shutting \
                 down the executor"
            );
            return self.shut_down_executor(ctx, &run);
        }
        if let (UpdateOrigin::Executor(from), Connection::Pid(pid)) =
            (&origin, &executor.connection)
            && from != pid
        {
            warn!(
                "Received status update {} from {from} on behalf of a different executor '{}' \
                 ({pid})",
                print_update(&update),
                run.executor_id
            );
        }
        self.counters.valid_status_updates.increment();
        executor.updates.push_back((update, origin));
        if executor.updates.len() == 1 {
            self.work_on_updates(ctx, run);
        }
    }

    fn refuse_update(&mut self, update: &StatusUpdate, why: &str) {
        warn!("Ignoring status update {} {why}", print_update(update));
        self.counters.invalid_status_updates.increment();
    }

    /// Works on the first of an executor's updates; the next one follows when this one is with the
    /// manager, so that none overtakes another.
    fn work_on_updates(&mut self, ctx: &mut Ctx<Self>, run: Run) {
        if self.frameworks.run(&run).is_none_or(|executor| executor.updates.is_empty()) {
            return;
        }
        let status = self.parts.containerizer.status(&run.container_id);
        ctx.then(status, move |slave, ctx, status| slave.on_container_status(ctx, run, status));
    }

    fn on_container_status(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: Run,
        container: Result<ContainerStatus, ContainerError>,
    ) {
        let own_ip = ctx.upid().address.ip.to_string();
        let Some(executor) = self.frameworks.run_mut(&run) else { return };
        let Some((mut update, origin)) = executor.updates.front().cloned() else { return };
        let status = &mut update.status;
        let merged = status.container_status.get_or_insert_default();
        if let Ok(container) = container {
            merge(merged, container, own_ip);
        }
        let task_id = TaskId::from(&status.task_id);
        executor.update_task_state(status);
        let (state, kept) = (status.state(), executor.meta_of(&task_id));
        if !task_state::is_terminal(state) || !executor.is_live(&task_id) {
            let update = (update, kept);
            return self.hand_over(ctx, update, origin, move |slave, ctx| slave.next(ctx, run));
        }
        executor.terminate_task(&task_id, state);
        let remaining = executor.resources().clone();
        self.counters.count_end(state);
        let shrink = self.parts.containerizer.update(&run.container_id, remaining);
        ctx.then(shrink, move |slave, ctx, shrunk| {
            if let Err(why) = shrunk {
                error!(
                    "Failed to update resources for container {} of executor '{}' running task \
                     {task_id} on status update for terminal task, destroying container: {why}",
                    run.container_id, run.executor_id
                );
                slave.end_container(&run, Ending::UpdateFailed(why.to_string()));
            }
            let update = (update, kept);
            slave.hand_over(ctx, update, origin, move |slave, ctx| slave.next(ctx, run));
        });
    }

    fn next(&mut self, ctx: &mut Ctx<Self>, run: Run) {
        if let Some(executor) = self.frameworks.run_mut(&run) {
            executor.updates.pop_front();
            self.work_on_updates(ctx, run);
        }
    }

    /// Gives an update to the manager, which keeps it in `directory`, if there is one; and then
    /// acknowledges it to the executor that sent it.
    fn hand_over(
        &mut self,
        ctx: &mut Ctx<Self>,
        (update, directory): (StatusUpdate, Option<PathBuf>),
        origin: UpdateOrigin,
        then: impl FnOnce(&mut Self, &mut Ctx<Self>) + Send + 'static,
    ) {
        ctx.then(self.updates.update(update.clone(), directory), move |slave, ctx, taken| {
            slave.on_update_taken(ctx, &update, &origin, taken);
            then(slave, ctx);
        });
    }

    fn on_update_taken(
        &mut self,
        ctx: &mut Ctx<Self>,
        update: &StatusUpdate,
        origin: &UpdateOrigin,
        taken: Result<(), UpdateError>,
    ) {
        if let Err(why) = taken {
            error!("Failed to handle status update {}: {why}", print_update(update));
            return;
        }
        vlog!(
            1,
            "Status update manager successfully handled status update {}",
            print_update(update)
        );
        let message = StatusUpdateAcknowledgementMessage {
            slave_id: update.slave_id.clone().unwrap_or_default(),
            framework_id: update.framework_id.clone(),
            task_id: update.status.task_id.clone(),
            uuid: update.uuid.clone().unwrap_or_default(),
        };
        match origin {
            UpdateOrigin::Slave => {}
            UpdateOrigin::Executor(pid) => {
                info!(
                    "Sending acknowledgement for status update {} to {pid}",
                    print_update(update)
                );
                ctx.send(pid, &message);
            }
            UpdateOrigin::Subscriber(run) => match self.frameworks.run(run) {
                Some(executor) => send_to_executor(ctx, executor, &message),
                None => warn!(
                    "Ignoring sending acknowledgement for status update {} of unknown executor",
                    print_update(update)
                ),
            },
        }
    }

    /// Sends an update to the master, with the latest state of the task beside it.
    pub(crate) fn forward(&mut self, ctx: &mut Ctx<Self>, mut update: StatusUpdate) {
        let master = match (self.phase, self.master.clone()) {
            (Phase::Running, Some(master)) => master,
            (phase, _) => {
                warn!(
                    "Dropping status update {} sent by status update manager because the slave is \
                     in {phase} state",
                    print_update(&update)
                );
                return;
            }
        };
        update.status.uuid.clone_from(&update.uuid);
        let (framework_id, task_id) =
            (FrameworkId::from(&update.framework_id), TaskId::from(&update.status.task_id));
        let framework = self.frameworks.get_mut(&framework_id);
        let executor = framework.and_then(|framework| framework.executor_of_mut(&task_id));
        if let Some(task) = executor.and_then(|executor| executor.task_mut(&task_id)) {
            task.status_update_state = Some(update.status.state);
            task.status_update_uuid.clone_from(&update.uuid);
            update.latest_state = Some(task.state);
        }
        info!("Forwarding the update {} to {master}", print_update(&update));
        let message = StatusUpdateMessage { update, pid: Some(ctx.upid().to_string()) };
        ctx.send(&master, &message);
    }

    pub(crate) fn status_update_acknowledgement(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: StatusUpdateAcknowledgementMessage,
    ) {
        let framework_id = FrameworkId::from(&message.framework_id);
        let task_id = TaskId::from(&message.task_id);
        // COMPAT: schedulers of old acknowledge without a master in between, so that only masters
        // are checked (`Slave::statusUpdateAcknowledgement`); held by
        // `slave::ignore_non_leader_status_update_acknowledgement`.
        if from.id.starts_with("master") {
            if self.phase != Phase::Running {
                warn!(
                    "Dropping status update acknowledgement message for {framework_id} because \
                     the slave is in {} state",
                    self.phase
                );
                return;
            }
            if !self.is_from_master(&from, "status update acknowledgement") {
                return;
            }
        }
        let uuid = match stout::uuid::from_bytes(&message.uuid) {
            Ok(uuid) => uuid,
            Err(why) => {
                warn!(
                    "Ignoring status update acknowledgement from {from} for task {task_id} of \
                     framework {framework_id}: {why}"
                );
                return;
            }
        };
        let taken = self.updates.acknowledge(framework_id.clone(), task_id.clone(), uuid);
        ctx.then(taken, move |slave, ctx, taken| {
            slave.on_acknowledged(ctx, (&framework_id, &task_id), uuid, taken);
        });
    }

    fn on_acknowledged(
        &mut self,
        ctx: &mut Ctx<Self>,
        (framework_id, task_id): (&FrameworkId, &TaskId),
        uuid: Uuid,
        taken: Result<Acknowledged, AckError>,
    ) {
        let acknowledged = match taken {
            Ok(acknowledged) => acknowledged,
            Err(why) => {
                error!(
                    "Failed to handle status update acknowledgement (UUID: {uuid}) for task \
                     {task_id} of framework {framework_id}: {why}"
                );
                return;
            }
        };
        let framework = self.frameworks.get_mut(framework_id);
        let Some(executor) = framework.and_then(|of| Framework::executor_of_mut(of, task_id))
        else {
            error!(
                "Status update acknowledgement (UUID: {uuid}) for task {task_id} of unknown \
                 executor"
            );
            return;
        };
        if acknowledged == Acknowledged::Terminal {
            executor.complete_task(task_id);
        }
        if is_done(executor) {
            let run = executor.run.clone();
            self.remove_executor(&run);
        }
        self.remove_framework_if_idle(ctx, framework_id);
    }
}

/// Whether an executor has ended and all that it did is acknowledged.
fn is_done(executor: &Executor) -> bool {
    executor.phase == ExecutorPhase::Terminated && !executor.has_incomplete_tasks()
}

/// ` from <pid>`, as log lines name who sent an update; who subscribes has no address.
fn sender(origin: &UpdateOrigin) -> String {
    match origin {
        UpdateOrigin::Slave => format!(" from {}", Upid::empty()),
        UpdateOrigin::Executor(pid) => format!(" from {pid}"),
        UpdateOrigin::Subscriber(_) => String::new(),
    }
}

/// Fills in what executors leave out, or may not say themselves.
fn complete(update: &mut StatusUpdate, origin: &UpdateOrigin) {
    let status = &mut update.status;
    status.uuid.clone_from(&update.uuid);
    let source = match origin {
        UpdateOrigin::Slave => Source::Slave,
        UpdateOrigin::Executor(_) | UpdateOrigin::Subscriber(_) => Source::Executor,
    };
    status.source = Some(source.into());
    let Some(expected) = &update.executor_id else { return };
    if let Some(found) = status.executor_id.as_ref().filter(|found| *found != expected) {
        warn!(
            "Executor ID mismatch in status update{}; overwriting received '{}' with expected \
             '{}'",
            sender(origin),
            found.value,
            expected.value
        );
    }
    status.executor_id = Some(expected.clone());
}

/// Adds what the containerizer knows; a container without a network of its own has our address.
fn merge(merged: &mut ContainerStatus, container: ContainerStatus, own_ip: String) {
    merged.network_infos.extend(container.network_infos);
    merged.cgroup_info = container.cgroup_info.or(merged.cgroup_info.take());
    merged.executor_pid = container.executor_pid.or(merged.executor_pid);
    merged.container_id = container.container_id.or(merged.container_id.take());
    if merged.network_infos.is_empty() {
        let address =
            network_info::IpAddress { ip_address: Some(own_ip.clone()), ..Default::default() };
        merged.network_infos.push(NetworkInfo {
            ip_address: Some(own_ip),
            ip_addresses: vec![address],
            ..NetworkInfo::default()
        });
    }
}
