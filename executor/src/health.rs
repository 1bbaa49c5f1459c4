//! Checks the health of a task by running a command again and again: what `mesos-health-check`
//! is, and what the command executor starts beside a task.
//! Never judges: it tells the executor, who tells the slave.
//!
//! Upstream: `src/health-check/main.cpp`.

use std::io;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::json::protobuf;
use libprocess::clock::{Time, Timer};
use libprocess::os::hostname;
use libprocess::pid::{Address, Parsed};
use libprocess::{Ctx, Process, Upid, vlog};
use nix::sys::signal::Signal;
use proto::mesos::internal::TaskHealthStatus;
use proto::mesos::{CommandInfo, HealthCheck, TaskId};
use stout::flags::load::{FlagValue, ValueError};
use stout::flags::{Flag, Flags};
use stout::{duration, json};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::child::{pid_of, reap, watch};
use crate::command::killtree;

/// The program's name.
pub const PROGRAM: &str = "mesos-health-check";

/// The address of an actor as a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpidFlag(pub Upid);

impl FlagValue for UpidFlag {
    fn parse(text: &str) -> Result<Self, ValueError> {
        let upid = match Upid::parse(text).map_err(|error| ValueError::Other(error.into()))? {
            Parsed::Upid(upid) => upid,
            Parsed::NeedsDns { id, host, port } => {
                let ip = hostname::to_ip(&host).map_err(|error| ValueError::Other(error.into()))?;
                Upid::new(id, Address::new(ip, port))
            }
        };
        Ok(Self(upid))
    }

    fn print(&self) -> String {
        self.0.to_string()
    }
}

/// What may be typed behind `mesos-health-check`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthFlags {
    /// The check, as JSON.
    pub health_check_json: Option<String>,
    /// Whom to tell.
    pub executor: Option<UpidFlag>,
    /// Whose health it is.
    pub task_id: Option<String>,
}

impl Flags for HealthFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("health_check_json", "The health check to perform, as JSON", |flags| {
            &mut flags.health_check_json
        }),
        Flag::new("executor", "The UPID of the executor that is told of the health", |flags| {
            &mut flags.executor
        }),
        Flag::new("task_id", "The ID of the task that is checked", |flags| &mut flags.task_id),
    ];
}

/// Why there is nothing to check; printed above the usage.
#[derive(Debug, thiserror::Error)]
pub enum HealthFlagsError {
    /// `--health_check_json` was not given.
    #[error("Expected JSON with health check description")]
    NoCheck,
    /// It is no JSON object.
    #[error("Failed to parse --health_check_json: {0}")]
    Json(#[from] json::ParseError),
    /// It is no `HealthCheck`.
    #[error("Failed to parse --health_check_json: {0}")]
    Protobuf(#[from] protobuf::ParseError),
    /// A flag is missing that must be there.
    #[error("Missing required option --{0}")]
    Missing(&'static str),
    /// It is not clear which check is meant.
    #[error("Both 'http' and 'command' health check requested")]
    Both,
    /// It does not say what to do.
    #[error("Expecting one of 'http' or 'command' health check")]
    Neither,
}

impl HealthFlags {
    /// The checker that the flags describe, and what completes with the reason for its end.
    ///
    /// # Errors
    /// The first thing, in upstream's order, that is missing or wrong.
    pub fn checker(self) -> Result<(HealthChecker, oneshot::Receiver<String>), HealthFlagsError> {
        let text = self.health_check_json.ok_or(HealthFlagsError::NoCheck)?;
        let check: HealthCheck = protobuf::parse(&json::parse_object(&text)?.into())?;
        let executor = self.executor.ok_or(HealthFlagsError::Missing("executor"))?.0;
        match (&check.http, &check.command) {
            (Some(_), Some(_)) => return Err(HealthFlagsError::Both),
            (None, None) => return Err(HealthFlagsError::Neither),
            (Some(_), None) | (None, Some(_)) => {}
        }
        let task_id = TaskId { value: self.task_id.ok_or(HealthFlagsError::Missing("task_id"))? };
        Ok(HealthChecker::new(check, executor, task_id))
    }
}

/// The actor that checks. It ends when the task is to be killed.
pub struct HealthChecker {
    check: HealthCheck,
    executor: Upid,
    task_id: TaskId,
    started: Time,
    consecutive_failures: u32,
    /// Whether the executor knows that the task is healthy.
    told_healthy: bool,
    running: Option<Running>,
    failed: Option<oneshot::Sender<String>>,
}

struct Running {
    child: Child,
    timeout: Timer,
    timed_out: bool,
}

impl Process for HealthChecker {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        let delay = secs(self.check.delay_seconds());
        vlog!(
            2,
            "Health checks starting in {}, grace period {}",
            duration::display(delay),
            duration::display(secs(self.check.grace_period_seconds()))
        );
        self.started = ctx.now();
        ctx.after(delay, Self::health_check);
    }
}

impl HealthChecker {
    fn new(
        check: HealthCheck,
        executor: Upid,
        task_id: TaskId,
    ) -> (Self, oneshot::Receiver<String>) {
        let (failed, failure) = oneshot::channel();
        let checker = Self {
            check,
            executor,
            task_id,
            started: Time::from_epoch(Duration::ZERO),
            consecutive_failures: 0,
            told_healthy: false,
            running: None,
            failed: Some(failed),
        };
        (checker, failure)
    }

    fn health_check(&mut self, ctx: &mut Ctx<Self>) {
        let Some(command) = &self.check.command else {
            return self.fail("HTTP health check is not supported".to_owned());
        };
        let Some(value) = &command.value else {
            let what = if command.shell() { "Shell command" } else { "Executable path" };
            return self.fail(format!("{what} is not specified"));
        };
        vlog!(2, "Launching health command '{value}'");
        let spawned = spawn(command, value).and_then(|child| {
            watch(&child, ctx.pid(), Self::on_exit)?;
            Ok(child)
        });
        match spawned {
            Ok(child) => {
                let timeout = secs(self.check.timeout_seconds());
                let timeout = ctx.after(timeout, |this, _| this.on_timeout());
                self.running = Some(Running { child, timeout, timed_out: false });
            }
            Err(error) => {
                self.failure(ctx, format!("Error creating subprocess for healthcheck: {error}"));
            }
        }
    }

    /// Ends the command; its end is what is counted.
    fn on_timeout(&mut self) {
        let Some(running) = &mut self.running else { return };
        running.timed_out = true;
        let pid = pid_of(&running.child);
        vlog!(1, "Kill health check command {pid}");
        if let Err(error) = killtree(pid, Signal::SIGKILL) {
            warn!("Failed to kill the process tree rooted at pid {pid}: {error}");
            // It has not been reaped: the number is still its own.
            let _ = running.child.kill();
        }
    }

    fn on_exit(&mut self, ctx: &mut Ctx<Self>) {
        let Some(mut running) = self.running.take() else { return };
        ctx.cancel(running.timeout);
        let status = reap(&mut running.child);
        if running.timed_out {
            let timeout = duration::display(secs(self.check.timeout_seconds()));
            let reason = format!("status still pending after timeout {timeout}");
            return self.failure(ctx, format!("Command check failed with reason: {reason}"));
        }
        match status {
            Ok(status) if status.is_success() => self.success(ctx),
            Ok(status) => self.failure(ctx, format!("Health command check {status}")),
            Err(error) => {
                let reason = format!("failed with error: {error}");
                self.failure(ctx, format!("Command check failed with reason: {reason}"));
            }
        }
    }

    fn success(&mut self, ctx: &mut Ctx<Self>) {
        vlog!(1, "Check passed");
        if !self.told_healthy {
            let message = TaskHealthStatus {
                task_id: self.task_id.clone(),
                healthy: true,
                ..TaskHealthStatus::default()
            };
            ctx.send(&self.executor, &message);
            self.told_healthy = true;
        }
        self.consecutive_failures = 0;
        self.reschedule(ctx);
    }

    fn failure(&mut self, ctx: &mut Ctx<Self>, message: String) {
        let grace_period = self.check.grace_period_seconds();
        let age = ctx.now().since(self.started);
        if grace_period > 0.0 && age <= secs(grace_period) {
            info!("Ignoring failure as health check still in grace period");
            return self.reschedule(ctx);
        }
        self.consecutive_failures += 1;
        self.told_healthy = false;
        vlog!(1, "#{} check failed: {message}", self.consecutive_failures);
        let kill_task = self.consecutive_failures >= self.check.consecutive_failures();
        let status = TaskHealthStatus {
            task_id: self.task_id.clone(),
            healthy: false,
            kill_task: Some(kill_task),
            consecutive_failures: i32::try_from(self.consecutive_failures).ok(),
        };
        ctx.send(&self.executor, &status);
        if kill_task {
            self.fail(message);
        } else {
            self.reschedule(ctx);
        }
    }

    fn fail(&mut self, message: String) {
        if let Some(failed) = self.failed.take() {
            // Whoever started us may have lost interest.
            let _ = failed.send(message);
        }
    }

    fn reschedule(&self, ctx: &Ctx<Self>) {
        let interval = secs(self.check.interval_seconds());
        vlog!(1, "Rescheduling health check in {}", duration::display(interval));
        ctx.after(interval, Self::health_check);
    }
}

/// Both outputs go to our stderr, the executor's. Only a command for the shell reaches it.
fn spawn(command: &CommandInfo, value: &str) -> io::Result<Child> {
    let mut process = if command.shell() {
        let mut shell = Command::new("sh");
        shell.args(["-c", value]);
        shell
    } else {
        let mut program = Command::new(value);
        if let [name, arguments @ ..] = &*command.arguments {
            use std::os::unix::process::CommandExt;
            program.arg0(name).args(arguments);
        }
        program
    };
    let variables = command.environment.iter().flat_map(|environment| &environment.variables);
    process.envs(variables.map(|variable| (&variable.name, variable.value())));
    let stderr = || io::stderr().as_fd().try_clone_to_owned().map(Stdio::from);
    process.stdin(Stdio::null()).stdout(stderr()?).stderr(stderr()?).spawn()
}

/// Seconds from a message; what is no length of time counts as none, too much as a year.
fn secs(secs: f64) -> Duration {
    const YEAR_SECS: f64 = 365.0 * 24.0 * 3600.0;
    Duration::try_from_secs_f64(secs.min(YEAR_SECS)).unwrap_or_default()
}
