//! The start of a slave, in steps: what an earlier run has left is read, it becomes our state, the
//! containers are found again, their executors are called back or ended, and then we look for a
//! master. Called when the actor starts; never again.
//! Upstream: `Slave::recover`, `_recover`, `__recover`, `reregisterExecutorTimeout`,
//! `Framework::recoverExecutor`, the `recover`s of status updates and containers.

use std::io;
use std::path::{Path, PathBuf};

use common::ids::{ContainerId, ExecutorId, FrameworkId, SlaveId};
use common::resources::Resources;
use containerizer::{RecoverError, RecoverableContainer};
use libprocess::Ctx;
use proto::mesos::ExecutorInfo;
use proto::mesos::internal::ReconnectExecutorMessage;
use tracing::{info, warn};

use crate::checkpoint::compatible::reconfigured;
use crate::checkpoint::read::{ReadError, recover};
use crate::checkpoint::recovered::{
    Recovered, RecoveredExecutor, RecoveredFramework, RecoveredRun, RecoveredSlave,
};
use crate::checkpoint::write;
use crate::command_executor::kind_of;
use crate::config::Recover;
use crate::constants::EXECUTOR_REREGISTER_TIMEOUT;
use crate::gc::Age;
use crate::phase::Phase;
use crate::refusal::Ending;
use crate::slave::{Fatal, RecoveryError, Slave};
use crate::state::connection::Connection;
use crate::state::executor::{Executor, ExecutorPhase, Run};
use crate::status_updates::{RecoveredStream, Stream};

/// What others have to go on with.
#[derive(Default)]
struct Found {
    streams: Vec<RecoveredStream>,
    containers: Vec<RecoverableContainer>,
}

impl Slave {
    /// Reads what an earlier run has left.
    pub(crate) fn recover(&mut self, ctx: &mut Ctx<Self>) {
        let meta = self.config.work_dir.meta();
        info!("Recovering state from '{}'", meta.0.display());
        let (boot_id, strict) = (self.parts.boot_id.clone(), self.config.strict);
        let read = ctx.runtime().blocking(move || recover(&meta, &boot_id, strict));
        ctx.then(read, Slave::on_state_read);
    }

    fn on_state_read(&mut self, ctx: &mut Ctx<Self>, read: Option<Result<Recovered, ReadError>>) {
        let adopted = match read {
            Some(Ok(recovered)) => self.adopt(ctx, recovered),
            Some(Err(why)) => Err(why.into()),
            None => Err(RecoveryError::Interrupted),
        };
        let Found { streams, containers } = match adopted {
            Ok(found) => found,
            Err(why) => return self.fail_recovery(ctx, why),
        };
        self.updates.recover(streams);
        let recovered = self.parts.containerizer.recover(containers);
        ctx.then(recovered, Slave::on_containers_recovered);
    }

    fn fail_recovery(&mut self, ctx: &mut Ctx<Self>, why: RecoveryError) {
        let latest = self.config.work_dir.meta().latest_slave();
        self.die(ctx, Fatal::Recovery { why, latest });
    }

    /// Makes what was found our state.
    fn adopt(&mut self, ctx: &mut Ctx<Self>, left: Recovered) -> Result<Found, RecoveryError> {
        if !left.errors.is_empty() {
            warn!("Errors encountered during slave recovery: {}", left.errors.len());
            left.errors.iter().for_each(|_| self.counters.recovery_errors.increment());
        }
        self.checkpointed_resources = Resources::from(&left.resources);
        let resources = Resources::from(&self.info.resources);
        if let Err(why) = resources.apply_checkpointed(&self.checkpointed_resources) {
            return Err(RecoveryError::Resources {
                checkpointed: self.checkpointed_resources.to_string(),
                resources: resources.to_string(),
                why,
            });
        }
        let mut found = Found::default();
        let Some(RecoveredSlave { id, info, frameworks }) = left.slave else { return Ok(found) };
        let old = proto::mesos::SlaveInfo { id: Some((&id).into()), ..info };
        self.info = match self.config.recover {
            // What ends is compared with nothing.
            Recover::Cleanup => old,
            Recover::Reconnect => {
                let new = reconfigured(&old, &self.info).map_err(RecoveryError::Incompatible)?;
                if new != old {
                    info!("Slave resources or attributes have been added");
                    let meta = self.config.work_dir.meta();
                    let steps = write::slave(&meta, &meta.slave(&id), &new);
                    self.checkpoint_or_die(ctx, steps);
                }
                new
            }
        };
        for (framework_id, framework) in frameworks {
            self.recover_framework(ctx, &id, (framework_id, framework), &mut found);
        }
        Ok(found)
    }

    fn recover_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        slave_id: &SlaveId,
        (id, left): (FrameworkId, RecoveredFramework),
        found: &mut Found,
    ) {
        info!("Recovering framework {id}");
        let work_dir = self.config.work_dir.clone();
        if left.executors.is_empty() {
            self.collect(work_dir.framework(slave_id, &id), Age::Kept);
            return self.collect(work_dir.meta().framework(slave_id, &id), Age::Kept);
        }
        let info = proto::mesos::FrameworkInfo { id: Some((&id).into()), ..left.info };
        self.frameworks.add(id.clone(), info, left.pid);
        for (executor_id, executor) in left.executors {
            self.recover_executor(ctx, slave_id, (&id, executor_id, executor), found);
        }
        self.remove_framework_if_idle(ctx, &id);
    }

    fn recover_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        slave_id: &SlaveId,
        (framework_id, id, left): (&FrameworkId, ExecutorId, RecoveredExecutor),
        found: &mut Found,
    ) {
        info!("Recovering executor '{id}' of framework {framework_id}");
        let RecoveredExecutor { info, latest, mut runs } = left;
        let latest = latest.and_then(|latest| runs.remove_entry(&latest));
        let (Some(info), Some((container_id, left))) = (info, latest) else {
            warn!(
                "Skipping recovery of executor '{id}' of framework {framework_id} because its \
                 latest run or executor info cannot be recovered"
            );
            return self.collect_executor(slave_id, framework_id, &id, Age::Kept);
        };
        let run = |container_id: ContainerId| Run {
            framework_id: framework_id.clone(),
            executor_id: id.clone(),
            container_id,
        };
        for container_id in runs.into_keys() {
            self.collect_run(slave_id, &run(container_id), Age::Kept);
        }
        let run = run(container_id);
        let executor = self.recover_run(ctx, slave_id, (&run, info), &left);
        if left.completed {
            self.counters.executors_terminated.increment();
            self.collect_run(slave_id, &run, Age::Kept);
            self.collect_executor(slave_id, framework_id, &id, Age::Kept);
        } else {
            found.containers.extend(container(&executor, &left));
            let streams = left.tasks.into_iter().filter_map(|(task_id, task)| {
                let framework_id = framework_id.clone();
                if task.updates.is_empty() {
                    warn!("No updates found for task {task_id} of framework {framework_id}");
                    return None;
                }
                let stream = Stream::replay(&task.updates, &task.acknowledged).ok().flatten()?;
                Some(RecoveredStream { framework_id, task_id, directory: task.directory, stream })
            });
            found.streams.extend(streams);
        }
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        framework.executors.insert(id.clone(), executor);
        if left.completed {
            framework.complete_executor(&id);
        }
    }

    /// The latest run of an executor, with its tasks as far as they had got.
    fn recover_run(
        &mut self,
        ctx: &Ctx<Self>,
        slave_id: &SlaveId,
        (run, info): (&Run, ExecutorInfo),
        left: &RecoveredRun,
    ) -> Executor {
        let work_dir = &self.config.work_dir;
        let directory = work_dir.run(slave_id, run);
        let kind = kind_of(&info);
        let mut executor = Executor::new(run.clone(), info, kind, directory.clone());
        executor.meta = Some(work_dir.meta().run(slave_id, run));
        executor.connection = left.connection.clone();
        left.tasks.iter().for_each(|(task_id, task)| executor.recover_task(task_id, task));
        if left.completed {
            executor.phase = ExecutorPhase::Terminated;
        }
        let name = directory.display().to_string();
        self.attach(ctx, directory, name);
        executor
    }

    /// Calls executors back, or ends them; either way their end will be heard of.
    fn on_containers_recovered(
        &mut self,
        ctx: &mut Ctx<Self>,
        recovered: Result<(), RecoverError>,
    ) {
        if let Err(why) = recovered {
            return self.fail_recovery(ctx, RecoveryError::Containers(why.to_string()));
        }
        let runs: Vec<Run> = self.frameworks.executors().map(|one| one.run.clone()).collect();
        for run in runs {
            let (end, ended) = (self.parts.containerizer.wait(&run.container_id), run.clone());
            ctx.then(end, move |slave, ctx, end| slave.on_executor_terminated(ctx, &ended, end));
            match self.config.recover {
                Recover::Reconnect => self.reconnect(ctx, &run),
                Recover::Cleanup => self.end_recovered(ctx, &run),
            }
        }
        if matches!(self.config.recover, Recover::Reconnect) {
            let timer = ctx.after(EXECUTOR_REREGISTER_TIMEOUT, Slave::on_reregistration_timeout);
            self.reregistration_timer = Some(timer);
            return self.finish_recovery_if_all_are_back(ctx);
        }
        self.finish_recovery(ctx);
    }

    fn reconnect(&mut self, ctx: &mut Ctx<Self>, run: &Run) {
        let Some(executor) = self.frameworks.run(run) else { return };
        match &executor.connection {
            Connection::Pid(pid) => {
                info!("Sending reconnect request to executor {executor}");
                let slave_id = self.info.id.clone().unwrap_or_default();
                ctx.send(pid, &ReconnectExecutorMessage { slave_id });
            }
            Connection::Awaited | Connection::Stream(_) => {
                info!("Waiting for executor {executor} to subscribe");
            }
            Connection::Unknown => warn!(
                "Unable to reconnect to executor {executor} because no pid or http checkpoint file \
                 was found"
            ),
        }
    }

    fn end_recovered(&mut self, ctx: &mut Ctx<Self>, run: &Run) {
        let Some(executor) = self.frameworks.run(run) else { return };
        if executor.connection != Connection::Unknown {
            info!("Sending shutdown to executor {executor}");
            return self.shut_down_executor(ctx, run);
        }
        info!("Killing executor {executor} because no pid or http checkpoint file was found");
        self.parts.containerizer.destroy(&run.container_id);
    }

    /// Ends executors that have not come back: they hang, or somebody else has their address.
    fn on_reregistration_timeout(&mut self, ctx: &mut Ctx<Self>) {
        info!("Cleaning up un-reregistered executors");
        let late = self.frameworks.executors().filter(|executor| !is_back(executor));
        let late: Vec<Run> = late.map(|executor| executor.run.clone()).collect();
        for run in late {
            let Some(executor) = self.frameworks.run_mut(&run) else { continue };
            info!("Killing un-reregistered executor {executor}");
            executor.phase = ExecutorPhase::Terminating;
            self.end_container(&run, Ending::NotReregistered(EXECUTOR_REREGISTER_TIMEOUT));
        }
        self.finish_recovery(ctx);
    }

    /// Goes on as soon as nobody has to be waited for any more.
    pub(crate) fn finish_recovery_if_all_are_back(&mut self, ctx: &mut Ctx<Self>) {
        let is_waiting = self.reregistration_timer.is_some();
        if is_waiting && self.frameworks.executors().all(is_back) {
            self.finish_recovery(ctx);
        }
    }

    fn finish_recovery(&mut self, ctx: &mut Ctx<Self>) {
        self.reregistration_timer.take().map(|timer| ctx.cancel(timer));
        info!("Finished recovery");
        let meta = self.config.work_dir.meta();
        self.checkpoint_or_die(ctx, write::boot_id(&meta, &self.parts.boot_id));
        self.collect_old_slaves(ctx);
        match self.config.recover {
            Recover::Cleanup => {
                self.phase = Phase::Terminating;
                if self.frameworks.is_empty() {
                    ctx.terminate();
                }
            }
            Recover::Reconnect => {
                self.phase = Phase::Disconnected;
                self.detect(ctx, None);
                self.estimate_oversubscribed(ctx);
            }
        }
    }

    fn collect_old_slaves(&mut self, ctx: &mut Ctx<Self>) {
        let slaves = self.config.work_dir.slaves();
        let listed = ctx.runtime().blocking(move || names(&slaves));
        let own = self.id();
        ctx.then(listed, move |slave, _, listed| {
            for id in listed.unwrap_or_default() {
                let id = SlaveId::from(id);
                if own.as_ref() == Some(&id) {
                    continue;
                }
                info!("Garbage collecting old slave {id}");
                let work_dir = slave.config.work_dir.clone();
                slave.collect(work_dir.slave(&id), Age::New);
                slave.collect(work_dir.meta().slave(&id), Age::New);
            }
        });
    }
}

impl Slave {
    /// Puts a directory up for removal, if it is there.
    pub(crate) fn collect(&self, path: PathBuf, age: Age) {
        self.gc.schedule(path, self.config.gc_delay, age, || {});
    }

    /// Puts what an executor has left up for removal.
    pub(crate) fn collect_executor(
        &self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        age: Age,
    ) {
        for root in [self.config.work_dir.clone(), self.config.work_dir.meta()] {
            self.collect(root.executor(slave_id, framework_id, executor_id), age);
        }
    }

    /// Puts what a run has left up for removal; its sandbox can be looked at until then.
    pub(crate) fn collect_run(&self, slave_id: &SlaveId, run: &Run, age: Age) {
        let sandbox = self.config.work_dir.run(slave_id, run);
        let (files, name) = (self.parts.files.clone(), sandbox.display().to_string());
        self.gc.schedule(sandbox, self.config.gc_delay, age, move || files.detach(&name));
        self.collect(self.config.work_dir.meta().run(slave_id, run), age);
    }
}

/// Whether recovery need not wait for an executor.
fn is_back(executor: &Executor) -> bool {
    executor.phase != ExecutorPhase::Registering
}

/// The container of a run, if there has ever been one.
fn container(executor: &Executor, left: &RecoveredRun) -> Option<RecoverableContainer> {
    let forked = left.forked?;
    let resources = executor.resources().to_messages();
    Some(RecoverableContainer {
        container_id: executor.run.container_id.clone(),
        executor_info: ExecutorInfo { resources, ..executor.info.clone() },
        directory: executor.directory.clone(),
        pid: forked.pid,
        started: forked.started,
    })
}

/// The names in a directory; none if it cannot be read, or is not there.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names = entries.map(|entry: io::Result<_>| Some(entry.ok()?.file_name()));
    names.flatten().map(|name| name.to_string_lossy().into_owned()).collect()
}
