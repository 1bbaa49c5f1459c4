//! From a RunTaskMessage to a task that is queued for its executor: its directories are kept from
//! removal, it is checked, and its executor is found or launched. Called by the table of messages.
//! Upstream: `Slave::runTask`, `_runTask`, `runTasks`.

use common::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
use common::resources::Resources;
use common::status::create_task;
use containerizer::ContainerError;
use libprocess::{Ctx, Upid};
use proto::mesos::internal::RunTaskMessage;
use proto::mesos::{FrameworkInfo, Resource, TaskInfo, TaskState};
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::disk::Written;
use crate::handlers::executor::send_to_executor;
use crate::paths::WorkDir;
use crate::phase::Phase;
use crate::refusal::{Ending, InvalidTask, ResourceUser, Verdict};
use crate::slave::Slave;
use crate::state::executor::{ExecutorPhase, Run};
use crate::state::framework::FrameworkPhase;

impl Slave {
    pub(crate) fn run_task(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: RunTaskMessage) {
        if !self.is_from_master(&from, "run task") {
            return;
        }
        let RunTaskMessage { framework, task, pid, .. } = message;
        let Some(framework_id) = framework.id.as_ref().map(FrameworkId::from) else {
            error!("Ignoring run task message from {from} because it does not have a framework ID");
            return;
        };
        let task_id = TaskId::from(&task.task_id);
        info!("Got assigned task {task_id} for framework {framework_id}");
        if self.id().is_none_or(|id| id != task.slave_id) {
            let (id, other) = (self.id_or_none(), &task.slave_id.value);
            warn!(
                "Slave {id} ignoring task {task_id} because it was intended for old slave {other}"
            );
            return;
        }
        if !self.phase.takes_tasks() {
            warn!("Ignoring task {task_id} because the slave is {}", self.phase);
            return;
        }
        if let Err(why) = framework_id.validate() {
            error!("Ignoring task {task_id} of framework {framework_id}: {why}");
            return;
        }
        if let Err(why) = InvalidTask::find_in(&task) {
            warn!("Refusing task {task_id} of framework {framework_id}: {why}");
            let verdict = Verdict::Invalid(why);
            return self.report_unknown(ctx, &framework_id, &task_id, &verdict);
        }
        let known = self.frameworks.get(&framework_id);
        if known.is_some_and(|framework| framework.has_task(&task_id)) {
            // Answering it would end the task that is here.
            warn!("Ignoring task {task_id} of framework {framework_id} because it is here already");
            return;
        }
        let pid = pid.and_then(|pid| pid.parse::<Upid>().ok()).filter(|pid| !pid.is_empty());
        self.keep_directories(ctx, framework, framework_id, (task, pid));
    }

    /// Notes the task as pending and keeps its directories, if they were to be removed.
    fn keep_directories(
        &mut self,
        ctx: &mut Ctx<Self>,
        info: FrameworkInfo,
        framework_id: FrameworkId,
        (task, pid): (TaskInfo, Option<Upid>),
    ) {
        let (slave_id, executor_id) = (SlaveId::from(&task.slave_id), executor_of(&task));
        let roots = [self.config.work_dir.clone(), self.config.work_dir.meta()];
        let mut paths = Vec::new();
        if self.frameworks.get(&framework_id).is_none() {
            paths.extend(roots.iter().map(|root| root.framework(&slave_id, &framework_id)));
            self.add_framework(ctx, &slave_id, (framework_id.clone(), info, pid));
        }
        let Some(framework) = self.frameworks.get_mut(&framework_id) else { return };
        if !framework.executors.contains_key(&executor_id) {
            let executor = |root: &WorkDir| root.executor(&slave_id, &framework_id, &executor_id);
            paths.extend(roots.iter().map(executor));
        }
        let task_id = TaskId::from(&task.task_id);
        framework.add_pending(executor_id.clone(), task);
        ctx.then(self.gc.unschedule(paths), move |slave, ctx, kept| {
            slave.on_directories_kept(ctx, &framework_id, &executor_id, (&task_id, kept));
        });
    }

    fn add_framework(
        &mut self,
        ctx: &Ctx<Self>,
        slave_id: &SlaveId,
        (framework_id, info, pid): (FrameworkId, FrameworkInfo, Option<Upid>),
    ) {
        if info.checkpoint() {
            let directory = self.config.work_dir.meta().framework(slave_id, &framework_id);
            let steps = write::framework(&directory, &info, pid.as_ref());
            self.checkpoint(ctx, steps, |_, _, written| {
                // No executor of it will be launched either then.
                if let Err(why) = written {
                    error!("{why}");
                }
            });
        }
        self.frameworks.add(framework_id, info, pid);
    }

    fn on_directories_kept(
        &mut self,
        ctx: &mut Ctx<Self>,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        (task_id, kept): (&TaskId, bool),
    ) {
        info!("Launching task {task_id} for framework {framework_id}");
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            warn!(
                "Ignoring run task {task_id} because the framework {framework_id} does not exist"
            );
            return;
        };
        let Some(task) = framework.take_pending(executor_id, task_id) else {
            warn!(
                "Ignoring run task {task_id} of framework {framework_id} because the task has \
                 been killed in the meantime"
            );
            return;
        };
        if framework.phase == FrameworkPhase::Terminating {
            warn!(
                "Ignoring run task {task_id} of framework {framework_id} because the framework \
                 is terminating"
            );
        } else if self.phase == Phase::Terminating {
            warn!(
                "Ignoring run task {task_id} of framework {framework_id} because the slave is \
                 terminating"
            );
        } else if !kept {
            error!("Failed to unschedule directories scheduled for gc");
            self.report(ctx, framework_id, task_id, &Verdict::GcFailed);
        } else if let Some(user) = self.user_of_unknown_resources(framework_id, &task) {
            self.report(ctx, framework_id, task_id, &Verdict::ResourcesUnknown(user));
        } else {
            self.assign(ctx, framework_id, executor_id, task);
        }
        self.remove_framework_if_idle(ctx, framework_id);
    }

    /// Who of the task and its executor uses a reservation or volume that we have not heard of:
    /// the message about it may come too late, so that another try can succeed.
    fn user_of_unknown_resources(
        &self,
        framework_id: &FrameworkId,
        task: &TaskInfo,
    ) -> Option<ResourceUser> {
        let unknown = |resources: &Vec<Resource>| {
            let needed = Resources::from(resources).filter(|one| one.needs_checkpointing());
            let mut needed = needed.into_iter();
            needed.find(|resource| !self.checkpointed_resources.contains_resource(resource))
        };
        let task_id = &task.task_id.value;
        if let Some(resource) = unknown(&task.resources) {
            warn!(
                "Unknown checkpointed resource {resource} for task {task_id} of framework \
                 {framework_id}"
            );
            return Some(ResourceUser::Task);
        }
        let executor = task.executor.as_ref()?;
        let resource = unknown(&executor.resources)?;
        warn!(
            "Unknown checkpointed resource {resource} for executor '{}' of framework \
             {framework_id}",
            executor.executor_id.value
        );
        Some(ResourceUser::Executor)
    }

    /// Queues the task for its executor, which is launched if there is none.
    fn assign(
        &mut self,
        ctx: &mut Ctx<Self>,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
        task: TaskInfo,
    ) {
        if self.frameworks.executor(framework_id, executor_id).is_none() {
            self.launch_executor(ctx, framework_id, &task);
        }
        let Some(executor) = self.frameworks.executor_mut(framework_id, executor_id) else {
            return;
        };
        let task_id = TaskId::from(&task.task_id);
        match executor.phase {
            ExecutorPhase::Terminating | ExecutorPhase::Terminated => {
                warn!(
                    "Asked to run task '{task_id}' for framework {framework_id} with executor \
                     '{executor_id}' which is terminating/terminated"
                );
                self.report(ctx, framework_id, &task_id, &Verdict::ExecutorGone);
            }
            ExecutorPhase::Registering | ExecutorPhase::Running => {
                info!("Queuing task '{task_id}' for executor {executor}");
                let run = executor.run.clone();
                let kept = executor.meta_of(&task_id);
                let steps = kept.map(|directory| {
                    write::task(
                        &directory,
                        &create_task(&task, TaskState::TaskStaging, framework_id),
                    )
                });
                executor.queue(task);
                let Some(steps) = steps else { return self.on_task_ready(ctx, run, task_id) };
                executor.unwritten.insert(task_id.clone());
                self.checkpoint(ctx, steps, move |slave, ctx, written| {
                    slave.on_task_checkpointed(ctx, run, task_id, written);
                });
            }
        }
    }

    fn on_task_checkpointed(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: Run,
        task_id: TaskId,
        written: Written,
    ) {
        let Some(executor) = self.frameworks.run_mut(&run) else { return };
        executor.unwritten.remove(&task_id);
        if !executor.queued.contains(&task_id) {
            return;
        }
        match written {
            Ok(()) => self.on_task_ready(ctx, run, task_id),
            Err(why) => {
                error!("{why}");
                let verdict = Verdict::NotCheckpointed(why);
                self.report(ctx, &run.framework_id, &task_id, &verdict);
            }
        }
    }

    /// A queued task goes to an executor that runs; one that registers will get it then.
    fn on_task_ready(&mut self, ctx: &mut Ctx<Self>, run: Run, task_id: TaskId) {
        let executor = self.frameworks.run(&run);
        if executor.is_some_and(|executor| executor.phase == ExecutorPhase::Running) {
            self.make_room(ctx, run, vec![task_id]);
        }
    }

    /// Lets the container grow for all queued tasks, and then sends these.
    pub(crate) fn make_room(&mut self, ctx: &mut Ctx<Self>, run: Run, task_ids: Vec<TaskId>) {
        let Some(executor) = self.frameworks.run(&run) else { return };
        let wanted = executor.wanted_resources();
        let update = self.parts.containerizer.update(&run.container_id, wanted);
        ctx.then(update, move |slave, ctx, updated| {
            slave.on_room_made(ctx, &run, &task_ids, updated);
        });
    }

    fn on_room_made(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: &Run,
        task_ids: &[TaskId],
        updated: Result<(), ContainerError>,
    ) {
        let Run { framework_id, executor_id, container_id } = run;
        if let Err(why) = updated {
            error!(
                "Failed to update resources for container {container_id} of executor \
                 '{executor_id}' of framework {framework_id}, destroying container: {why}"
            );
            return self.end_container(run, Ending::UpdateFailed(why.to_string()));
        }
        let tasks = common::ids::print_list(task_ids);
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            warn!(
                "Ignoring sending queued tasks {tasks} to executor '{executor_id}' of framework \
                 {framework_id} because the framework does not exist"
            );
            return;
        };
        if framework.phase == FrameworkPhase::Terminating {
            warn!(
                "Ignoring sending queued tasks {tasks} to executor '{executor_id}' of framework \
                 {framework_id} because the framework is terminating"
            );
            return;
        }
        let pid = framework.pid.clone().unwrap_or_default();
        let info = framework.info.clone();
        let executor = framework.executors.get_mut(executor_id);
        let Some(executor) = executor.filter(|executor| executor.run == *run) else {
            warn!(
                "Ignoring sending queued tasks {tasks} to executor '{executor_id}' of framework \
                 {framework_id} because the target container {container_id} has exited"
            );
            return;
        };
        if executor.phase != ExecutorPhase::Running {
            warn!(
                "Ignoring sending queued tasks {tasks} to executor {executor} because the \
                 executor is in {} state",
                executor.phase
            );
            return;
        }
        for task_id in task_ids {
            let Some(task) = executor.launch(task_id) else {
                warn!(
                    "Ignoring sending queued task '{task_id}' to executor {executor} because the \
                     task has been killed"
                );
                continue;
            };
            info!("Sending queued task '{task_id}' to executor {executor}");
            // COMPAT: the pid is always there, since executors of 0.23 need it
            // (`Slave::runTasks`); held by `slave::run_task_message_names_the_framework`.
            let message = RunTaskMessage {
                framework: info.clone(),
                task,
                pid: Some(pid.to_string()),
                framework_id: None,
            };
            send_to_executor(ctx, executor, &message);
        }
    }

    fn id_or_none(&self) -> String {
        self.id().map(|id| id.to_string()).unwrap_or_default()
    }
}

/// The executor that a task will get: its own, or the built-in one that bears its name.
fn executor_of(task: &TaskInfo) -> ExecutorId {
    match &task.executor {
        Some(executor) => ExecutorId::from(&executor.executor_id),
        None => ExecutorId::from(task.task_id.value.as_str()),
    }
}
