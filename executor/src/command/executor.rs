//! The life of the one task that `mesos-executor` runs: launch, health, kill with escalation,
//! and the last status update. The lines on stdout are interface.
//! Called by the driver through [`CommandExecutor`], which only passes calls on to the actor.
//!
//! Upstream: `CommandExecutor`, `CommandExecutorProcess`.

use std::fmt::Arguments;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use common::ids::TaskId;
use common::json::protobuf::SortedProtobuf;
use common::wait_status::WaitStatus;
use libprocess::clock::Timer;
use libprocess::{Ctx, Pid, Process, Router, Upid};
use nix::sys::signal::{Signal, kill};
use proto::mesos::framework_info::capability;
use proto::mesos::internal::TaskHealthStatus;
use proto::mesos::{
    ExecutorInfo, FrameworkInfo, HealthCheck, SlaveInfo, TaskInfo, TaskState, TaskStatus,
};
use stout::duration;
use stout::json;

use crate::child::{pid_of, reap, watch};
use crate::command::flags::CommandFlags;
use crate::command::kill::killtree;
use crate::command::launch::{Launch, LaunchError, Rootfs, plan};
use crate::driver::{Executor, ExecutorDriver};
use crate::health;

/// How long a task has between SIGTERM and SIGKILL.
/// Upstream: `EXECUTOR_SIGNAL_ESCALATION_TIMEOUT`.
const ESCALATION_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the slave may take to acknowledge the last status update before we end regardless. If
/// it is away it gets that update when it is back.
const FAREWELL_AT_MOST: Duration = Duration::from_secs(1);

/// What `mesos-executor` is started with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What was typed.
    pub flags: CommandFlags,
    /// What was typed besides flags: what `--override` runs.
    pub arguments: Vec<String>,
    /// Where `mesos-health-check` is.
    pub launcher_dir: PathBuf,
    /// `PATH`.
    pub path: Option<String>,
}

/// Runs one command. Upstream: `CommandExecutor`.
pub struct CommandExecutor {
    options: Options,
    actor: Option<Pid<CommandProcess>>,
}

impl CommandExecutor {
    /// An executor that has not been asked for anything.
    pub fn new(options: Options) -> Self {
        Self { options, actor: None }
    }

    fn tell(
        &mut self,
        driver: &ExecutorDriver,
        call: impl FnOnce(&mut CommandProcess, &mut Ctx<CommandProcess>) + Send + 'static,
    ) {
        let options = &self.options;
        let make = || CommandProcess::new(options.clone(), driver.clone());
        self.actor.get_or_insert_with(|| driver.runtime().spawn_numbered("", make)).tell(call);
    }
}

impl Executor for CommandExecutor {
    fn registered(
        &mut self,
        driver: &ExecutorDriver,
        _executor: ExecutorInfo,
        framework: FrameworkInfo,
        slave: SlaveInfo,
    ) {
        say(format_args!("Registered executor on {}", slave.hostname));
        let killing = capability::Type::TaskKillingState;
        let knows_killing = framework.capabilities.iter().any(|other| other.r#type() == killing);
        self.tell(driver, move |this, _| this.knows_killing = knows_killing);
    }

    fn reregistered(&mut self, _driver: &ExecutorDriver, slave: SlaveInfo) {
        say(format_args!("Re-registered executor on {}", slave.hostname));
    }

    fn disconnected(&mut self, _driver: &ExecutorDriver) {}

    fn launch_task(&mut self, driver: &ExecutorDriver, task: TaskInfo) {
        self.tell(driver, move |this, ctx| this.launch_task(ctx, &task));
    }

    fn kill_task(&mut self, driver: &ExecutorDriver, task_id: TaskId) {
        self.tell(driver, move |this, ctx| this.kill_task(ctx, task_id));
    }

    fn framework_message(&mut self, _driver: &ExecutorDriver, _data: Bytes) {}

    fn shutdown(&mut self, driver: &ExecutorDriver) {
        self.tell(driver, CommandProcess::shutdown);
    }

    fn error(&mut self, _driver: &ExecutorDriver, _message: &str) {}
}

enum Stage {
    /// Nothing was launched. A kill may have come first.
    Idle {
        killed: Option<TaskId>,
    },
    Running(Running),
    /// The last status update is on its way.
    Ended,
}

struct Running {
    task_id: TaskId,
    child: Child,
    health_check: Option<Child>,
    kill: Option<Kill>,
}

/// A kill that has begun.
struct Kill {
    /// Runs out when SIGTERM was not enough.
    escalation: Timer,
    for_bad_health: bool,
}

/// The actor; its id `(1)` is what the health checker is told.
struct CommandProcess {
    options: Options,
    driver: ExecutorDriver,
    /// Whether the framework wants to be told of `TASK_KILLING`.
    knows_killing: bool,
    stage: Stage,
}

impl Process for CommandProcess {
    fn install(&self, router: &mut Router<Self>) {
        router.on(Self::task_health_status);
    }
}

impl CommandProcess {
    fn new(options: Options, driver: ExecutorDriver) -> Self {
        Self { options, driver, knows_killing: false, stage: Stage::Idle { killed: None } }
    }

    fn launch_task(&mut self, ctx: &mut Ctx<Self>, task: &TaskInfo) {
        let task_id = TaskId::from(&task.task_id);
        let Stage::Idle { killed } = &self.stage else {
            let message = "Attempted to run multiple tasks using a \"command\" executor";
            return self.update(&task_id, TaskState::TaskFailed, |status| {
                status.message = Some(message.to_owned());
            });
        };
        if *killed == Some(task_id.clone()) {
            return self.end(ctx, &task_id, TaskState::TaskKilled, "Killed before its launch");
        }
        let child = match self.spawn(ctx, task) {
            Ok(child) => child,
            Err(error) => {
                complain(format_args!("{error}"));
                return self.end(ctx, &task_id, TaskState::TaskFailed, &error.to_string());
            }
        };
        let check = task.health_check.as_ref();
        let health_check = check.and_then(|check| self.launch_health_check(ctx, &task_id, check));
        self.update(&task_id, TaskState::TaskRunning, |_| {});
        self.stage = Stage::Running(Running { task_id, child, health_check, kill: None });
    }

    fn spawn(&self, ctx: &Ctx<Self>, task: &TaskInfo) -> Result<Child, LaunchError> {
        let flags = &self.options.flags;
        let instead = if flags.r#override { &*self.options.arguments } else { &[] };
        let launch = Launch {
            rootfs: rootfs(flags)?,
            ..plan(task, instead, flags.task_command.as_deref())?
        };
        say(format_args!("Starting task {}", task.task_id.value));
        say(format_args!("{}", launch.text));
        let mut child = launch.spawn(self.options.path.as_deref())?;
        if let Err(error) = watch(&child, ctx.pid(), Self::on_exit) {
            // A task whose end we would not notice cannot be run.
            let _ = child.kill();
            return Err(LaunchError::fork(&launch.text, &error));
        }
        Ok(child)
    }

    fn launch_health_check(
        &self,
        ctx: &Ctx<Self>,
        task_id: &TaskId,
        check: &HealthCheck,
    ) -> Option<Child> {
        let program = self.options.launcher_dir.join(health::PROGRAM);
        let arguments = [
            format!("--executor={}", ctx.upid()),
            format!("--health_check_json={}", json::to_string(&SortedProtobuf(check))),
            format!("--task_id={task_id}"),
        ];
        say(format_args!(
            "Launching health check process: {} {}",
            program.display(),
            arguments.join(" ")
        ));
        match Command::new(program).args(arguments).stdin(Stdio::null()).spawn() {
            Ok(child) => {
                say(format_args!("Health check process launched at pid: {}", child.id()));
                Some(child)
            }
            Err(error) => {
                complain(format_args!("Unable to launch health process: {error}"));
                None
            }
        }
    }

    fn task_health_status(&mut self, ctx: &mut Ctx<Self>, _: Upid, message: TaskHealthStatus) {
        // No TASK_RUNNING behind TASK_KILLING.
        let Stage::Running(Running { kill: None, task_id, .. }) = &self.stage else { return };
        if *task_id != message.task_id {
            return;
        }
        let task_id = task_id.clone();
        say(format_args!("Received task health update, healthy: {}", message.healthy));
        self.update(&task_id, TaskState::TaskRunning, |status| {
            status.healthy = Some(message.healthy);
        });
        if message.kill_task() {
            self.kill_task(ctx, task_id);
            if let Stage::Running(Running { kill: Some(kill), .. }) = &mut self.stage {
                kill.for_bad_health = true;
            }
        }
    }

    fn kill_task(&mut self, ctx: &mut Ctx<Self>, task_id: TaskId) {
        say(format_args!("Received killTask"));
        say(format_args!("Shutting down"));
        match &mut self.stage {
            Stage::Idle { killed } => *killed = Some(task_id),
            Stage::Running(_) => self.begin_kill(ctx),
            Stage::Ended => {}
        }
    }

    fn shutdown(&mut self, ctx: &mut Ctx<Self>) {
        say(format_args!("Shutting down"));
        match &self.stage {
            // Nothing can be launched any more.
            Stage::Idle { .. } => self.leave(ctx),
            Stage::Running(_) => self.begin_kill(ctx),
            Stage::Ended => {}
        }
    }

    /// SIGTERM now, SIGKILL later; once.
    fn begin_kill(&mut self, ctx: &mut Ctx<Self>) {
        let Stage::Running(Running { task_id, child, kill: None, .. }) = &self.stage else {
            return;
        };
        let (task_id, pid) = (task_id.clone(), pid_of(child));
        if self.knows_killing {
            self.update(&task_id, TaskState::TaskKilling, |_| {});
        }
        say(format_args!("Sending SIGTERM to process tree at pid {pid}"));
        signal_tree(pid, Signal::SIGTERM, "Sent SIGTERM to");
        let escalation = ctx.after(ESCALATION_TIMEOUT, |this, _| this.on_escalation());
        let Stage::Running(running) = &mut self.stage else { return };
        running.kill = Some(Kill { escalation, for_bad_health: false });
        running.end_health_check();
    }

    fn on_escalation(&self) {
        let Stage::Running(running) = &self.stage else { return };
        let pid = pid_of(&running.child);
        say(format_args!(
            "Process {pid} did not terminate after {}, sending SIGKILL to process tree at {pid}",
            duration::display(ESCALATION_TIMEOUT)
        ));
        signal_tree(pid, Signal::SIGKILL, "Killed");
    }

    fn on_exit(&mut self, ctx: &mut Ctx<Self>) {
        let Stage::Running(mut running) = std::mem::replace(&mut self.stage, Stage::Ended) else {
            return;
        };
        let pid = pid_of(&running.child);
        let status = reap(&mut running.child);
        running.end_health_check();
        if let Some(kill) = &running.kill {
            ctx.cancel(kill.escalation);
        }
        let message = match &status {
            Ok(status) => format!("Command {status}"),
            Err(error) => format!("Failed to get exit status for Command: {error}"),
        };
        say(format_args!("{message} (pid: {pid})"));
        let state = match status {
            Ok(status) if WaitStatus::is_success(status) => TaskState::TaskFinished,
            Ok(_) if running.kill.is_some() => TaskState::TaskKilled,
            Ok(_) | Err(_) => TaskState::TaskFailed,
        };
        let for_bad_health = running.kill.is_some_and(|kill| kill.for_bad_health);
        self.update(&running.task_id, state, |status| {
            status.message = Some(message);
            status.healthy = for_bad_health.then_some(false);
        });
        self.say_farewell(ctx);
    }

    /// The last word about a task that never ran.
    fn end(&mut self, ctx: &mut Ctx<Self>, task_id: &TaskId, state: TaskState, message: &str) {
        self.stage = Stage::Ended;
        self.update(task_id, state, |status| status.message = Some(message.to_owned()));
        self.say_farewell(ctx);
    }

    fn update(&self, task_id: &TaskId, state: TaskState, more: impl FnOnce(&mut TaskStatus)) {
        let mut status =
            TaskStatus { task_id: task_id.into(), state: state.into(), ..TaskStatus::default() };
        more(&mut status);
        self.driver.send_status_update(status);
    }

    /// Leaves once the slave has the last status update.
    fn say_farewell(&self, ctx: &Ctx<Self>) {
        ctx.then(self.driver.acknowledged(FAREWELL_AT_MOST), |this, ctx, ()| this.leave(ctx));
    }

    fn leave(&self, ctx: &Ctx<Self>) {
        self.driver.stop();
        ctx.terminate();
    }
}

impl Running {
    /// The health of a task that ends is of no interest.
    fn end_health_check(&mut self) {
        if let Some(mut check) = self.health_check.take() {
            if let Err(error) = killtree(pid_of(&check), Signal::SIGKILL) {
                complain(format_args!("Failed to kill the health check process: {error}"));
            }
            // It is ours and was killed just now, or has ended before.
            let _ = check.kill().and_then(|()| check.wait());
        }
    }
}

/// Where the task's own root directory is, if it has one, and who it runs as there.
fn rootfs(flags: &CommandFlags) -> Result<Option<Rootfs>, LaunchError> {
    let Some(root) = flags.rootfs.clone() else { return Ok(None) };
    let directory = flags.working_directory.as_ref().or(flags.sandbox_directory.as_ref());
    Ok(Some(Rootfs {
        root,
        directory: directory.ok_or(LaunchError::NoDirectory)?.clone(),
        user: flags.user.clone().unwrap_or_default(),
    }))
}

/// Signals a process tree; `sent` begins the line that draws it.
fn signal_tree(pid: i32, signal: Signal, sent: &str) {
    match killtree(pid, signal) {
        Ok(trees) => say(format_args!("{sent} the following process trees:\n{trees}")),
        Err(error) => {
            complain(format_args!("Failed to kill the process tree rooted at pid {pid}: {error}"));
            // It has not been reaped: the number is still its own. It may have ended.
            let _ = kill(nix::unistd::Pid::from_raw(pid), signal);
        }
    }
}

/// A line on stdout, which may be gone.
pub(super) fn say(line: Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A line on stderr, which may be gone.
fn complain(line: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}
