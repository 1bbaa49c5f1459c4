//! Launching an executor: its sandbox, its container, and how long it may take to register.
//! Called by `run_task` for the first task of an executor.
//! Upstream: `Framework::launchExecutor`, `Slave::executorLaunched`, `registerExecutorTimeout`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::ids::{ContainerId, ExecutorId, FrameworkId, SlaveId};
use common::resources::Resources;
use containerizer::users;
use containerizer::{Checkpoint, LaunchError, LaunchSpec, Launched};
use futures_util::FutureExt;
use libprocess::Ctx;
use proto::mesos::containerizer::Termination;
use proto::mesos::{ExecutorInfo, TaskInfo};
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::command_executor::executor_info;
use crate::paths::{FORKED_PID, create_sandbox};
use crate::refusal::Ending;
use crate::slave::Slave;
use crate::state::executor::{Executor, ExecutorKind, ExecutorPhase, Run};
use crate::state::framework::FrameworkPhase;

impl Slave {
    /// Launches the executor of a task, with the resources of both.
    pub(crate) fn launch_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        framework_id: &FrameworkId,
        task: &TaskInfo,
    ) {
        let container_id = ContainerId::from(self.random_uuid().to_string());
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        let (info, kind) = match &task.executor {
            Some(executor) => (custom(executor, framework_id), ExecutorKind::Custom),
            None => (executor_info(&self.config, &framework.info, task), ExecutorKind::Command),
        };
        let command_user = info.command.as_ref().and_then(|command| command.user.clone());
        let user = command_user.unwrap_or_else(|| framework.info.user.clone());
        let user = self.config.switch_user.then_some(user);
        let run = Run {
            framework_id: framework_id.clone(),
            executor_id: ExecutorId::from(&info.executor_id),
            container_id,
        };
        let slave_id = SlaveId::from(&task.slave_id);
        let directory = self.config.work_dir.run(&slave_id, &run);
        let mut resources = Resources::from(&info.resources);
        info!(
            "Launching executor {} of framework {framework_id} with resources {resources} in work \
             directory '{}'",
            run.executor_id,
            directory.display()
        );
        resources += &Resources::from(&task.resources);
        let spec = LaunchSpec {
            container_id: run.container_id.clone(),
            task_info: (kind == ExecutorKind::Command).then(|| task.clone()),
            executor_info: ExecutorInfo { resources: resources.to_messages(), ..info.clone() },
            directory: directory.clone(),
            user: user.clone(),
            slave_id,
            slave_pid: ctx.upid().to_string(),
            cause: ctx.runtime().cause_for_child(),
            checkpoint: None,
        };
        let mut executor = Executor::new(run.clone(), info.clone(), kind, directory);
        let meta = self.config.work_dir.meta();
        let kept = framework.info.checkpoint().then(|| meta.run(&spec.slave_id, &run));
        executor.meta.clone_from(&kept);
        framework.executors.insert(run.executor_id.clone(), executor);
        self.await_registration(ctx, run.clone());
        let Some(kept) = kept else { return self.make_sandbox(ctx, run, spec) };
        let directory = meta.executor(&spec.slave_id, framework_id, &run.executor_id);
        let steps = write::executor(&directory, &kept, &info);
        let spec = LaunchSpec { checkpoint: Some(self.keep_pid(kept)), ..spec };
        self.checkpoint(ctx, steps, move |slave, ctx, written| match written {
            Ok(()) => slave.make_sandbox(ctx, run, spec),
            Err(why) => slave.fail_launch(ctx, &run, why.to_string()),
        });
    }

    /// How the containerizer keeps the first process of a run.
    fn keep_pid(&self, run: PathBuf) -> Checkpoint {
        let disk = self.disk.clone();
        Checkpoint(Arc::new(move |pid, started| {
            let (done, kept) = oneshot::channel();
            info!(
                "Checkpointing executor's forked pid {pid} to '{}'",
                run.join(FORKED_PID).display()
            );
            disk.write(write::forked_pid(&run, pid, started), |written| {
                // The launch may have been given up.
                let _ = done.send(written);
            });
            async move { Ok(kept.await??) }.boxed()
        }))
    }

    fn make_sandbox(&mut self, ctx: &mut Ctx<Self>, run: Run, spec: LaunchSpec) {
        let (directory, user) = (spec.directory.clone(), spec.user.clone());
        let sandbox = ctx.runtime().blocking(move || prepare_sandbox(&directory, user.as_deref()));
        ctx.then(sandbox, move |slave, ctx, made| slave.on_sandbox_made(ctx, run, spec, made));
    }

    /// Ends an executor that has never had a container.
    fn fail_launch(&mut self, ctx: &mut Ctx<Self>, run: &Run, why: String) {
        error!("{why}");
        let Some(executor) = self.frameworks.run_mut(run) else { return };
        self.counters.container_launch_errors.increment();
        executor.pending_termination = Some(Ending::LaunchFailed(why).into());
        self.on_executor_terminated(ctx, run, Ok(Termination::default()));
    }

    fn on_sandbox_made(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: Run,
        spec: LaunchSpec,
        made: Option<io::Result<()>>,
    ) {
        let Some(executor) = self.frameworks.run(&run) else { return };
        let failure = match made {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("interrupted".to_owned()),
        };
        if let Some(why) = failure {
            let directory = spec.directory.display();
            let why = format!("Failed to create executor directory '{directory}': {why}");
            return self.fail_launch(ctx, &run, why);
        }
        if executor.phase != ExecutorPhase::Registering {
            // It was shut down meanwhile, and there is no container that could tell of its end.
            let never_ran = Termination {
                message: Some("Executor terminated".to_owned()),
                ..Termination::default()
            };
            return self.on_executor_terminated(ctx, &run, Ok(never_ran));
        }
        let name = spec.directory.display().to_string();
        self.attach(ctx, spec.directory.clone(), name);
        let launch = self.parts.containerizer.launch(spec);
        ctx.then(launch, move |slave, ctx, launched| slave.on_launched(ctx, run, launched));
    }

    fn on_launched(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: Run,
        launched: Result<Launched, LaunchError>,
    ) {
        // Even a launch that failed has an end, by which everything gets cleaned up.
        let (end, ended) = (self.parts.containerizer.wait(&run.container_id), run.clone());
        ctx.then(end, move |slave, ctx, end| slave.on_executor_terminated(ctx, &ended, end));

        let Run { framework_id, executor_id, container_id } = &run;
        match launched {
            Err(why) => {
                error!(
                    "Container '{container_id}' for executor '{executor_id}' of framework \
                     {framework_id} failed to start: {why}"
                );
                self.counters.container_launch_errors.increment();
                self.end_container(&run, Ending::LaunchFailed(why.to_string()));
            }
            Ok(Launched::NotSupported) => {
                error!(
                    "Container '{container_id}' for executor '{executor_id}' of framework \
                     {framework_id} failed to start: None of the enabled containerizers ({}) could \
                     create a container for the provided TaskInfo/ExecutorInfo message",
                    self.config.containerizers
                );
                self.counters.container_launch_errors.increment();
            }
            Ok(Launched::Started) => self.end_if_unwanted(&run),
        }
    }

    /// Ends a container that has come up too late.
    fn end_if_unwanted(&mut self, run: &Run) {
        let Run { framework_id, executor_id, container_id } = run;
        let why = match (self.frameworks.get(framework_id), self.frameworks.run(run)) {
            (None, _) => "the framework is no longer valid",
            (Some(framework), _) if framework.phase == FrameworkPhase::Terminating => {
                "the framework is terminating"
            }
            (_, None) => "the executor is unknown",
            (_, Some(executor)) if executor.phase == ExecutorPhase::Terminating => {
                "the executor is terminating"
            }
            _ => return,
        };
        warn!("Killing executor '{executor_id}' of framework {framework_id} because {why}");
        self.parts.containerizer.destroy(container_id);
    }

    /// Gives up on an executor that does not register in time.
    fn await_registration(&mut self, ctx: &mut Ctx<Self>, run: Run) {
        let timeout = self.config.executor_registration_timeout;
        ctx.after(timeout, move |slave, _| {
            let Some(framework) = slave.frameworks.get(&run.framework_id) else { return };
            if framework.phase == FrameworkPhase::Terminating {
                info!(
                    "Ignoring registration timeout for executor '{}' because the  framework {} \
                     is terminating",
                    run.executor_id, run.framework_id
                );
                return;
            }
            let Some(executor) = slave.frameworks.run_mut(&run) else { return };
            if executor.phase != ExecutorPhase::Registering {
                return;
            }
            info!(
                "Terminating executor '{executor}' because it did not register within {}",
                stout::duration::display(timeout)
            );
            executor.phase = ExecutorPhase::Terminating;
            slave.end_container(&run, Ending::NotRegistered(timeout));
        });
    }

    /// Destroys a container, and notes why for the tasks in it.
    pub(crate) fn end_container(&mut self, run: &Run, ending: Ending) {
        self.parts.containerizer.destroy(&run.container_id);
        if let Some(executor) = self.frameworks.run_mut(run) {
            executor.pending_termination = Some(ending.into());
        }
    }
}

/// The framework's executor, which belongs to the framework even if it does not say so.
fn custom(executor: &ExecutorInfo, framework_id: &FrameworkId) -> ExecutorInfo {
    ExecutorInfo { framework_id: Some(framework_id.into()), ..executor.clone() }
}

/// COMPAT: a user that does not exist only gets a warning here; the launch itself shows it
/// (`paths::createExecutorDirectory`); held by `slave::sandboxes_of_unknown_users_are_made`.
fn prepare_sandbox(directory: &Path, user: Option<&str>) -> io::Result<()> {
    create_sandbox(directory)?;
    let Some(user) = user else { return Ok(()) };
    info!("Trying to chown '{}' to user '{user}'", directory.display());
    if let Err(error) = users::chown(user, directory) {
        warn!("Failed to chown executor directory '{}': {error}", directory.display());
    }
    Ok(())
}
