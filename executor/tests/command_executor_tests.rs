//! `mesos-executor` and `mesos-health-check` as real processes, under a scripted slave.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod test_util;

use std::io::Read;
use std::process::{Child, Command, Stdio};

use common::ids::{FrameworkId, SlaveId, TaskId};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use proto::mesos::framework_info::Capability;
use proto::mesos::framework_info::capability::Type;
use proto::mesos::internal::{
    ExecutorReregisteredMessage, KillTaskMessage, RegisterExecutorMessage, ShutdownExecutorMessage,
    TaskHealthStatus,
};
use proto::mesos::{CommandInfo, FrameworkInfo, HealthCheck, TaskInfo, TaskState, environment};
use test_util::{FRAMEWORK, SLAVE, Slave, registered, slave_info, task};

/// A registered command executor.
struct Scene {
    slave: Slave,
    child: Child,
}

impl Scene {
    fn new(framework: FrameworkInfo, arguments: &[&str]) -> Self {
        let mut scene = Self::unregistered(arguments);
        scene.slave.register(framework);
        scene
    }

    fn unregistered(arguments: &[&str]) -> Self {
        let slave = Slave::start();
        let child = Command::new(env!("CARGO_BIN_EXE_mesos-executor"))
            .args(arguments)
            .envs(slave.variables())
            .env("FROM_THE_SLAVE", "seen")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { slave, child }
    }

    fn kill(&self) {
        self.slave.peer.send(
            &self.slave.executor,
            &KillTaskMessage {
                framework_id: FrameworkId::from(FRAMEWORK).into(),
                task_id: TaskId::from("t").into(),
            },
        );
    }

    /// The exit code, stdout with each pid replaced by `PID`, and stderr.
    fn end(mut self) -> (Option<i32>, String, String) {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = self.child.wait().unwrap().code();
        (code, without_pid(&stdout), stderr)
    }

    /// What a task that prints `ready` prints before.
    fn read_until(&mut self, end: &str) -> String {
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut text = String::new();
        while !text.ends_with(end) {
            let mut byte = [0];
            assert_eq!(stdout.read(&mut byte).unwrap(), 1, "stdout ended with {text:?}");
            text.push(byte[0].into());
        }
        text
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

fn pid(stdout: &str) -> Option<&str> {
    stdout.split_once("Forked command at ")?.1.lines().next()
}

fn without_pid(stdout: &str) -> String {
    pid(stdout).map_or_else(|| stdout.to_owned(), |pid| stdout.replace(pid, "PID"))
}

fn shell(value: &str) -> TaskInfo {
    let command = CommandInfo { value: Some(value.to_owned()), ..CommandInfo::default() };
    TaskInfo { command: Some(command), ..task("t") }
}

fn program(value: &str, arguments: &[&str]) -> TaskInfo {
    let mut task = shell(value);
    let command = task.command.as_mut().unwrap();
    command.shell = Some(false);
    command.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    task
}

/// Runs a task to its end; gives its message and stdout from `Starting task` on.
fn run(task: TaskInfo, state: TaskState) -> (String, String) {
    let scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(task);
    scene.slave.expect_status(TaskState::TaskRunning);
    let status = scene.slave.expect_status(state);
    assert_eq!(status.healthy, None);
    let (code, stdout, stderr) = scene.end();
    assert_eq!(code, Some(0), "{stderr}");
    let (registered, rest) = stdout.split_once("Starting task t\n").unwrap();
    assert_eq!(registered, "Registered executor on localhost\n");
    (status.message().to_owned(), rest.to_owned())
}

#[test]
fn stdout_of_a_shell_command_is_upstreams() {
    let (message, stdout) = run(shell("echo hello world"), TaskState::TaskFinished);
    assert_eq!(message, "Command exited with status 0");
    assert_eq!(
        stdout,
        "sh -c 'echo hello world'\nForked command at PID\nhello world\n\
         Command exited with status 0 (pid: PID)\n"
    );
}

#[test]
fn exit_statuses_and_signals_are_told() {
    let check = |value: &str, state, message: &str| {
        assert_eq!(run(shell(value), state).0, message);
    };
    check("exit 7", TaskState::TaskFailed, "Command exited with status 7");
    check("kill -9 $$", TaskState::TaskFailed, "Command terminated with signal Killed");
    check(
        "kill -SEGV $$",
        TaskState::TaskFailed,
        "Command terminated with signal Segmentation fault",
    );
}

#[test]
fn arguments_reach_no_shell() {
    let task = program("echo", &["echo", "$(echo x)", "; exit 3", "'"]);
    let (_, stdout) = run(task, TaskState::TaskFinished);
    assert!(stdout.starts_with("[echo, echo, $(echo x), ; exit 3, ']\n"), "{stdout}");
    assert!(stdout.contains("\n$(echo x) ; exit 3 '\n"), "{stdout}");
}

#[test]
fn the_first_argument_is_the_programs_name() {
    let task = program("sh", &["my-name", "-c", "echo $0"]);
    let (_, stdout) = run(task, TaskState::TaskFinished);
    assert!(stdout.contains("\nmy-name\n"), "{stdout}");
}

#[test]
fn a_task_inherits_the_environment_and_leads_a_session_of_its_own() {
    let value = "echo $FROM_THE_SLAVE; test $(ps -o sid= -p $$) = $$ && echo leads";
    let (_, stdout) = run(shell(value), TaskState::TaskFinished);
    assert!(stdout.contains("\nseen\nleads\n"), "{stdout}");
}

#[test]
fn slave_test_command_executor_with_override_runs_what_was_typed() {
    let scene = Scene::new(FrameworkInfo::default(), &["--override", "--", "echo", "instead"]);
    scene.slave.run(shell("echo own"));
    scene.slave.expect_status(TaskState::TaskRunning);
    scene.slave.expect_status(TaskState::TaskFinished);
    let (_, stdout, _) = scene.end();
    assert!(stdout.contains("\necho instead \n"), "{stdout}");
    assert!(stdout.contains("\ninstead\n"), "{stdout}");
    assert!(!stdout.contains("own"), "{stdout}");
}

#[test]
fn a_program_that_is_missing_fails_the_task_with_the_reason() {
    let check = |task: TaskInfo, arguments: &[&str], message: &str| {
        let scene = Scene::new(FrameworkInfo::default(), arguments);
        scene.slave.run(task);
        assert_eq!(scene.slave.expect_status(TaskState::TaskFailed).message(), message);
        assert_eq!(scene.end().0, Some(0));
    };
    check(
        program("/none/such", &[]),
        &[],
        "Failed to exec '/none/such': No such file or directory",
    );
    check(task("t"), &[], "Expecting task 't' to have a command!");
    check(
        TaskInfo { command: Some(CommandInfo::default()), ..task("t") },
        &[],
        "Shell command of task 't' is not specified!",
    );
    check(
        shell("true"),
        &["--rootfs=/tmp"],
        "Expecting --working_directory or --sandbox_directory with --rootfs",
    );
}

#[test]
fn a_second_task_fails_and_the_first_goes_on() {
    let mut scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(shell("echo ready; exec sleep 1000"));
    scene.slave.expect_status(TaskState::TaskRunning);
    let second = TaskInfo { task_id: TaskId::from("second").into(), ..shell("true") };
    scene.slave.run(second);
    let status = scene.slave.expect_status(TaskState::TaskFailed);
    assert_eq!(status.task_id.value, "second");
    assert_eq!(status.message(), "Attempted to run multiple tasks using a \"command\" executor");
    scene.read_until("ready\n");
    scene.kill();
    assert_eq!(scene.slave.expect_status(TaskState::TaskKilled).task_id.value, "t");
}

#[test]
fn command_executor_test_no_task_killing_capability() {
    let mut scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(shell("echo ready; exec sleep 1000"));
    scene.slave.expect_status(TaskState::TaskRunning);
    let before = scene.read_until("ready\n");
    let pid = pid(&before).unwrap().to_owned();
    scene.kill();
    let status = scene.slave.expect_status(TaskState::TaskKilled);
    assert_eq!(status.message(), "Command terminated with signal Terminated");
    let (_, rest, _) = scene.end();
    assert_eq!(
        rest.replace(&pid, "PID"),
        "Received killTask\nShutting down\nSending SIGTERM to process tree at pid PID\n\
         Sent SIGTERM to the following process trees:\n[ \n--- PID sleep 1000 \n]\n\
         Command terminated with signal Terminated (pid: PID)\n"
    );
}

#[test]
fn command_executor_test_task_killing_capability() {
    let capability = Capability { r#type: Some(Type::TaskKillingState.into()) };
    let framework = FrameworkInfo { capabilities: vec![capability], ..FrameworkInfo::default() };
    let mut scene = Scene::new(framework, &[]);
    scene.slave.run(shell("echo ready; exec sleep 1000"));
    scene.slave.expect_status(TaskState::TaskRunning);
    scene.read_until("ready\n");
    scene.kill();
    scene.slave.expect_status(TaskState::TaskKilling);
    scene.slave.expect_status(TaskState::TaskKilled);
}

#[test]
fn a_task_that_ignores_sigterm_is_killed_with_its_tree() {
    let mut scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(shell("trap '' TERM; setsid sh -c 'echo $$; exec sleep 1000' & wait; wait"));
    scene.slave.expect_status(TaskState::TaskRunning);
    let before = scene.read_until("\nForked command at ");
    assert!(before.ends_with("Forked command at "));
    scene.read_until("\n");
    let orphan: i32 = scene.read_until("\n").trim().parse().unwrap();
    scene.slave.peer.send(&scene.slave.executor, &ShutdownExecutorMessage::default());
    let status = scene.slave.expect_status(TaskState::TaskKilled);
    assert_eq!(status.message(), "Command terminated with signal Killed");
    let (_, rest, _) = scene.end();
    let escalated = "did not terminate after 3secs, sending SIGKILL to process tree at";
    assert!(rest.starts_with("Shutting down\nSending SIGTERM to process tree"), "{rest}");
    assert!(rest.contains(escalated), "{rest}");
    assert!(rest.contains("Killed the following process trees:\n[ \n-+- "), "{rest}");
    while kill(Pid::from_raw(orphan), None).is_ok() {
        std::thread::yield_now();
    }
}

#[test]
fn a_task_that_ends_well_when_it_is_killed_is_finished() {
    let mut scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done"));
    scene.slave.expect_status(TaskState::TaskRunning);
    scene.read_until("ready\n");
    scene.kill();
    scene.slave.expect_status(TaskState::TaskFinished);
}

#[test]
fn a_kill_before_the_launch_is_remembered() {
    let scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.kill();
    scene.slave.run(shell("echo never"));
    scene.slave.expect_status(TaskState::TaskKilled);
    let (code, stdout, _) = scene.end();
    assert_eq!(code, Some(0));
    assert!(!stdout.contains("never"), "{stdout}");
}

#[test]
fn a_shutdown_without_a_task_ends_the_executor_at_once() {
    let scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.peer.send(&scene.slave.executor, &ShutdownExecutorMessage::default());
    let (code, stdout, _) = scene.end();
    assert_eq!((code, &*stdout), (Some(0), "Registered executor on localhost\nShutting down\n"));
}

#[test]
fn a_second_registration_and_an_early_task_end_nothing() {
    let mut scene = Scene::unregistered(&[]);
    let registration = scene.slave.peer.expect::<RegisterExecutorMessage>();
    scene.slave.executor = registration.from;
    scene.slave.run(shell("true"));
    scene.slave.peer.send(&scene.slave.executor, &registered(FrameworkInfo::default()));
    scene.slave.peer.send(&scene.slave.executor, &registered(FrameworkInfo::default()));
    scene.slave.expect_status(TaskState::TaskRunning);
    scene.slave.expect_status(TaskState::TaskFinished);
    assert_eq!(scene.end().0, Some(0));
}

#[test]
fn a_task_is_killed_on_the_word_of_a_slave_that_only_came_back() {
    let mut scene = Scene::unregistered(&[]);
    let registration = scene.slave.peer.expect::<RegisterExecutorMessage>();
    scene.slave.executor = registration.from;
    let (slave_id, slave_info) = (SlaveId::from(SLAVE).into(), slave_info());
    let executor = &scene.slave.executor;
    scene.slave.peer.send(executor, &ExecutorReregisteredMessage { slave_id, slave_info });
    scene.slave.run(shell("exec sleep 1000"));
    scene.slave.expect_status(TaskState::TaskRunning);
    scene.kill();
    scene.slave.expect_status(TaskState::TaskKilled);
    assert_eq!(scene.end().0, Some(0));
}

#[test]
fn a_kill_after_the_end_signals_nobody() {
    let scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(shell("true"));
    scene.slave.expect_status(TaskState::TaskRunning);
    let finished = scene.slave.expect_update();
    scene.kill();
    scene.slave.acknowledge(&finished);
    let (code, stdout, _) = scene.end();
    assert_eq!(code, Some(0));
    assert!(!stdout.contains("Sending SIGTERM"), "{stdout}");
}

#[test]
fn no_health_check_outlives_its_task() {
    let mut scene = Scene::new(FrameworkInfo::default(), &[]);
    let check = shell("exec sleep 1000").command.unwrap();
    scene.slave.run(checked(shell("exec sleep 1000"), check));
    scene.slave.expect_status(TaskState::TaskRunning);
    scene.read_until("\nHealth check process launched at pid: ");
    let checker: i32 = scene.read_until("\n").trim().parse().unwrap();
    assert!(kill(Pid::from_raw(checker), None).is_ok());
    scene.kill();
    scene.slave.expect_status(TaskState::TaskKilled);
    assert!(kill(Pid::from_raw(checker), None).is_err());
}

#[test]
fn without_its_environment_it_says_what_is_missing() {
    let output = Command::new(env!("CARGO_BIN_EXE_mesos-executor")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "Expecting 'MESOS_SLAVE_PID' to be set in the environment\n"
    );
}

#[test]
fn an_unknown_flag_gives_usage() {
    let check = |program: &str, name: &str| {
        let output = Command::new(program).arg("--x").output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let start = format!("Failed to load unknown flag 'x'\n\nUsage: {name} [options]\n\n");
        assert!(stderr.starts_with(&start), "{stderr}");
    };
    check(env!("CARGO_BIN_EXE_mesos-executor"), "mesos-executor");
    check(env!("CARGO_BIN_EXE_mesos-health-check"), "mesos-health-check");
}

fn checked(task: TaskInfo, command: CommandInfo) -> TaskInfo {
    let check = HealthCheck {
        command: Some(command),
        delay_seconds: Some(0.0),
        interval_seconds: Some(0.01),
        grace_period_seconds: Some(0.0),
        ..HealthCheck::default()
    };
    TaskInfo { health_check: Some(check), ..task }
}

#[test]
fn health_check_test_healthy_task() {
    let check = |command: CommandInfo| {
        let scene = Scene::new(FrameworkInfo::default(), &[]);
        scene.slave.run(checked(shell("exec sleep 1000"), command));
        assert_eq!(scene.slave.expect_status(TaskState::TaskRunning).healthy, None);
        assert_eq!(scene.slave.expect_status(TaskState::TaskRunning).healthy, Some(true));
        scene.kill();
        scene.slave.expect_status(TaskState::TaskKilled);
        let (_, stdout, _) = scene.end();
        assert!(stdout.contains("\nLaunching health check process: /"), "{stdout}");
        assert!(stdout.contains("/mesos-health-check --executor=(1)@127.0.0.1:"), "{stdout}");
        assert!(stdout.contains(" --health_check_json={\"command\":{"), "{stdout}");
        // The health check's own lines may come between.
        assert!(stdout.contains(" --task_id=t\n"), "{stdout}");
        assert!(stdout.contains("\nHealth check process launched at pid: "), "{stdout}");
        assert!(stdout.contains("\nReceived task health update, healthy: true\n"), "{stdout}");
    };
    check(shell("exit 0").command.unwrap());
    check(program("/bin/sh", &["sh", "-c", "exit 0"]).command.unwrap());
}

#[test]
fn health_check_test_consecutive_failures_kill_the_task() {
    let scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(checked(shell("exec sleep 1000"), shell("exit 1").command.unwrap()));
    assert_eq!(scene.slave.expect_status(TaskState::TaskRunning).healthy, None);
    for _ in 0..3 {
        assert_eq!(scene.slave.expect_status(TaskState::TaskRunning).healthy, Some(false));
    }
    let status = scene.slave.expect_status(TaskState::TaskKilled);
    assert_eq!(status.healthy, Some(false));
    assert_eq!(status.message(), "Command terminated with signal Terminated");
}

#[test]
fn health_check_test_health_status_change_and_environment_setup() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = shell("rm $MARK 2>&- || (touch $MARK && exit 1)").command.unwrap();
    let variable = environment::Variable {
        name: "MARK".to_owned(),
        value: Some(folder.path().join("mark").display().to_string()),
        ..environment::Variable::default()
    };
    let environment = proto::mesos::Environment { variables: vec![variable] };
    command.environment = Some(environment);
    let scene = Scene::new(FrameworkInfo::default(), &[]);
    scene.slave.run(checked(shell("exec sleep 1000"), command));
    let healthy = || scene.slave.expect_status(TaskState::TaskRunning).healthy;
    assert_eq!(
        [healthy(), healthy(), healthy(), healthy()],
        [None, Some(false), Some(true), Some(false)]
    );
}

/// A health checker that tells us instead of an executor.
fn check_directly(json: &str) -> (Slave, Child) {
    let slave = Slave::start();
    let child = Command::new(env!("CARGO_BIN_EXE_mesos-health-check"))
        .arg(format!("--executor={}", slave.peer.upid()))
        .arg(format!("--health_check_json={json}"))
        .arg("--task_id=t")
        .env("LIBPROCESS_IP", "127.0.0.1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    (slave, child)
}

fn stderr_of(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn health_check_test_check_command_timeout() {
    let (slave, child) = check_directly(
        r#"{"command": {"value": "sleep 1000"}, "delay_seconds": 0, "timeout_seconds": 0.05,
            "consecutive_failures": 1, "grace_period_seconds": 0}"#,
    );
    let status = slave.peer.expect::<TaskHealthStatus>().message;
    assert_eq!((status.healthy, status.kill_task()), (false, true));
    assert_eq!(status.consecutive_failures, Some(1));
    let (code, stderr) = stderr_of(child);
    let reason = "status still pending after timeout 50ms";
    assert_eq!(code, Some(1));
    let end = format!("Health check failed Command check failed with reason: {reason}\n");
    assert!(stderr.ends_with(&end), "{stderr}");
}

#[test]
fn health_check_test_grace_period() {
    let folder = tempfile::tempdir().unwrap();
    let (slave, mut child) = check_directly(&format!(
        r#"{{"command": {{"value": "echo x >> {0}/runs; test $(wc -l < {0}/runs) -ge 3"}},
            "delay_seconds": 0, "interval_seconds": 0, "grace_period_seconds": 1000}}"#,
        folder.path().display()
    ));
    // Nothing is said of the first two failures.
    assert!(slave.peer.expect::<TaskHealthStatus>().message.healthy);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn http_health_checks_are_not_supported() {
    let (slave, child) = check_directly(r#"{"http": {"port": 80}, "delay_seconds": 0}"#);
    let (code, stderr) = stderr_of(child);
    assert_eq!(code, Some(1));
    let end = "Health check failed HTTP health check is not supported\n";
    assert!(stderr.ends_with(end), "{stderr}");
    assert!(slave.peer.is_quiet());
}

#[test]
fn what_is_wrong_with_a_health_check_is_said() {
    let check = |json: &str, text: &str| {
        let (code, stderr) = stderr_of(check_directly(json).1);
        assert_eq!(code, Some(1));
        assert!(stderr.starts_with(&format!("{text}\n\nUsage: ")), "{stderr}");
    };
    check("{}", "Expecting one of 'http' or 'command' health check");
    check(
        r#"{"http": {"port": 80}, "command": {"value": "true"}}"#,
        "Both 'http' and 'command' health check requested",
    );
    check(
        r#"{"http": {}}"#,
        "Failed to parse --health_check_json: Missing required fields: http.port",
    );
}
