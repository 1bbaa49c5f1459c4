//! The executor driver against a scripted slave on a real port.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

mod test_util;

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use common::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
use executor::{Environment, Executor, ExecutorDriver, Status};
use libprocess::embed::Embedded;
use libprocess::testing::{runtime, wait};
use libprocess::{Config, Runtime};
use proto::mesos::internal::{
    ExecutorReregisteredMessage, ExecutorToFrameworkMessage, FrameworkToExecutorMessage,
    KillTaskMessage, ReconnectExecutorMessage, RegisterExecutorMessage, ReregisterExecutorMessage,
    ShutdownExecutorMessage, StatusUpdateAcknowledgementMessage,
};
use proto::mesos::{ExecutorInfo, FrameworkInfo, SlaveInfo, TaskInfo, TaskState, TaskStatus};
use test_util::{EXECUTOR, FRAMEWORK, SLAVE, Slave, registered, slave_info, task};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(3600);

/// Tells which of its methods were called; panics at a message that says so.
struct Witness(Sender<String>);

impl Witness {
    fn tell(&self, text: impl Into<String>) {
        self.0.send(text.into()).expect("the test listens");
    }
}

impl Executor for Witness {
    fn registered(
        &mut self,
        _: &ExecutorDriver,
        executor: ExecutorInfo,
        _: FrameworkInfo,
        slave: SlaveInfo,
    ) {
        self.tell(format!("registered {} {}", executor.executor_id.value, slave.hostname));
    }

    fn reregistered(&mut self, _: &ExecutorDriver, slave: SlaveInfo) {
        self.tell(format!("reregistered {}", slave.hostname));
    }

    fn disconnected(&mut self, _: &ExecutorDriver) {
        self.tell("disconnected");
    }

    fn launch_task(&mut self, _: &ExecutorDriver, task: TaskInfo) {
        self.tell(format!("launch {}", task.task_id.value));
    }

    fn kill_task(&mut self, _: &ExecutorDriver, task_id: TaskId) {
        self.tell(format!("kill {task_id}"));
    }

    fn framework_message(&mut self, driver: &ExecutorDriver, data: Bytes) {
        assert_ne!(data, "panic", "as asked");
        driver.send_framework_message(data.clone());
        self.tell(format!("message {data:?}"));
    }

    fn shutdown(&mut self, _: &ExecutorDriver) {
        self.tell("shutdown");
    }

    fn error(&mut self, _: &ExecutorDriver, message: &str) {
        self.tell(format!("error {message}"));
    }
}

/// A registered executor, in a runtime that the test has in its hands.
struct Scene {
    slave: Slave,
    driver: ExecutorDriver,
    runtime: Runtime,
    told: Receiver<String>,
}

impl Scene {
    fn new(more: &[(&str, &str)]) -> Self {
        let mut slave = Slave::start();
        let runtime = runtime_with_schema();
        let (tell, told) = channel();
        let mut variables = slave.variables();
        // So that a shutdown does not kill the test.
        variables.push(("MESOS_LOCAL".to_owned(), String::new()));
        variables.extend(more.iter().map(|(name, value)| ((*name).into(), (*value).into())));
        let find = |name: &str| {
            variables.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.clone())
        };
        let environment = Environment::read(find).unwrap();
        let shared = Embedded::shared(runtime.clone());
        let driver = ExecutorDriver::with_runtime(Witness(tell), environment, shared).unwrap();
        assert_eq!(driver.start(), Status::DriverRunning);
        slave.register(FrameworkInfo::default());
        let scene = Self { slave, driver, runtime, told };
        scene.expect("registered E0 localhost");
        scene
    }

    fn expect(&self, text: &str) {
        assert_eq!(self.told.recv_timeout(Duration::from_secs(30)).as_deref(), Ok(text));
    }

    fn send<M: prost::Message + prost::Name>(&self, message: &M) {
        self.slave.peer.send(&self.slave.executor, message);
    }

    fn say(&self, data: &'static str) {
        self.send(&FrameworkToExecutorMessage {
            slave_id: SlaveId::from(SLAVE).into(),
            framework_id: FrameworkId::from(FRAMEWORK).into(),
            executor_id: ExecutorId::from(EXECUTOR).into(),
            data: data.into(),
        });
    }

    fn update(&self, id: &str, state: TaskState) {
        let mut status = TaskStatus::default();
        status.task_id.value = id.to_owned();
        status.set_state(state);
        assert_eq!(self.driver.send_status_update(status), Status::DriverRunning);
    }
}

fn runtime_with_schema() -> Runtime {
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    libprocess::testing::start(Config { schema, ..Config::default() })
}

#[test]
fn calls_of_the_slave_reach_the_executor_in_order() {
    let scene = Scene::new(&[]);
    scene.slave.run(task("t1"));
    scene.expect("launch t1");
    let framework_id = FrameworkId::from(FRAMEWORK);
    scene.send(&KillTaskMessage {
        framework_id: framework_id.into(),
        task_id: TaskId::from("t1").into(),
    });
    scene.expect("kill t1");
    scene.say("hello");
    scene.expect("message b\"hello\"");
    let answer = scene.slave.peer.expect::<ExecutorToFrameworkMessage>().message;
    assert_eq!(answer.data, "hello");
    assert_eq!(answer.executor_id.value, EXECUTOR);
    scene.send(&ShutdownExecutorMessage::default());
    scene.expect("shutdown");
}

#[test]
fn status_updates_carry_what_the_slave_needs() {
    let scene = Scene::new(&[]);
    scene.update("t1", TaskState::TaskRunning);
    let message = scene.slave.expect_update();
    let update = &message.update;
    assert_eq!(message.pid, Some(scene.slave.executor.to_string()));
    assert_eq!(update.framework_id.value, FRAMEWORK);
    assert_eq!(update.executor_id.as_ref().unwrap().value, EXECUTOR);
    assert_eq!(update.slave_id.as_ref().unwrap().value, SLAVE);
    assert_eq!(update.slave_id, update.status.slave_id);
    assert_eq!(update.uuid.as_ref().unwrap().len(), 16);
    assert_eq!(update.uuid, update.status.uuid);
    assert!(update.timestamp > 0.0);
    assert_eq!(Some(update.timestamp), update.status.timestamp);
    assert_eq!(update.status.source, None);
    let acknowledged = scene.driver.acknowledged(LONG);
    scene.slave.acknowledge(&message);
    wait(acknowledged);
}

#[test]
fn updates_are_sent_again_until_they_are_acknowledged() {
    let scene = Scene::new(&[]);
    let clock = scene.runtime.clock();
    clock.pause();
    scene.update("t1", TaskState::TaskRunning);
    let first = scene.slave.expect_update();
    for wait in [10, 20, 40] {
        wait_for_peace(&scene);
        clock.advance(Duration::from_secs(wait - 1));
        wait_for_peace(&scene);
        assert!(scene.slave.peer.is_quiet());
        clock.advance(Duration::from_secs(1));
        assert_eq!(scene.slave.expect_update(), first);
    }
    let acknowledged = scene.driver.acknowledged(LONG);
    scene.slave.acknowledge(&first);
    wait(acknowledged);
    clock.advance(Duration::from_secs(3_600));
    wait_for_peace(&scene);
    assert!(scene.slave.peer.is_quiet());
}

fn wait_for_peace(scene: &Scene) {
    wait(scene.runtime.settle());
}

#[test]
fn bad_messages_are_dropped_and_the_executor_lives_on() {
    let scene = Scene::new(&[]);
    scene.slave.run(task("t1"));
    scene.slave.run(task("t1"));
    scene.send(&registered(FrameworkInfo::default()));
    for length in [0, 15, 17, 1000] {
        scene.send(&StatusUpdateAcknowledgementMessage {
            uuid: vec![7; length].into(),
            ..StatusUpdateAcknowledgementMessage::default()
        });
    }
    let name = "mesos.internal.RunTaskMessage";
    scene.slave.peer.send_raw(&scene.slave.executor, name, "garbage".into());
    scene.slave.peer.send_raw(&scene.slave.executor, name, Bytes::new());
    scene.say("still there");
    scene.expect("launch t1");
    scene.expect("message b\"still there\"");
}

#[test]
fn checkpointing_executor_reconnects_with_what_was_not_acknowledged() {
    let mut scene = Scene::new(&[("MESOS_CHECKPOINT", "1")]);
    for id in ["acknowledged", "silent", "running"] {
        scene.slave.run(task(id));
        scene.expect(&format!("launch {id}"));
    }
    scene.update("acknowledged", TaskState::TaskRunning);
    scene.update("running", TaskState::TaskRunning);
    scene.update("running", TaskState::TaskFinished);
    scene.slave.expect_status(TaskState::TaskRunning);
    let pending = [scene.slave.expect_update().update, scene.slave.expect_update().update];
    let executor = scene.slave.executor.clone();
    // Acknowledgements and messages take one way, so this one is behind it.
    scene.say("sync");
    scene.expect("message b\"sync\"");
    let before = std::mem::replace(&mut scene.slave, Slave::start());
    let slave_id = || SlaveId::from(SLAVE).into();
    before.peer.kill();
    scene.slave.executor = executor;
    scene.send(&ReconnectExecutorMessage { slave_id: slave_id() });
    let message = scene.slave.peer.expect::<ReregisterExecutorMessage>().message;
    assert_eq!(message.updates, pending);
    let tasks: Vec<&str> = message.tasks.iter().map(|task| &*task.task_id.value).collect();
    assert_eq!(tasks, ["silent", "running"]);
    scene.send(&ExecutorReregisteredMessage { slave_id: slave_id(), slave_info: slave_info() });
    scene.expect("reregistered localhost");
    scene.say("again");
    scene.expect("message b\"again\"");
}

#[test]
fn executor_shuts_down_when_its_slave_does_not_come_back() {
    let scene = Scene::new(&[("MESOS_CHECKPOINT", "1"), ("MESOS_RECOVERY_TIMEOUT", "20ms")]);
    scene.slave.peer.kill();
    assert_eq!(scene.told.recv_timeout(Duration::from_secs(30)).as_deref(), Ok("shutdown"));
}

#[test]
fn executor_without_checkpointing_shuts_down_with_its_slave() {
    let scene = Scene::new(&[]);
    scene.slave.peer.kill();
    assert_eq!(scene.told.recv_timeout(Duration::from_secs(30)).as_deref(), Ok("shutdown"));
}

#[test]
fn driver_states_are_upstreams() {
    let (tell, _told) = channel();
    let slave = Slave::start();
    let driver = ExecutorDriver::new(Witness(tell), &slave.variables()).unwrap();
    assert_eq!(driver.stop(), Status::DriverNotStarted);
    assert_eq!(driver.abort(), Status::DriverNotStarted);
    assert_eq!(driver.join(), Status::DriverNotStarted);
    assert_eq!(driver.send_framework_message("x"), Status::DriverNotStarted);
    assert_eq!(driver.start(), Status::DriverRunning);
    assert_eq!(driver.start(), Status::DriverRunning);
    slave.peer.expect::<RegisterExecutorMessage>();
    assert_eq!(driver.send_framework_message("sent"), Status::DriverRunning);
    assert_eq!(driver.abort(), Status::DriverAborted);
    assert_eq!(driver.send_framework_message("not sent"), Status::DriverAborted);
    assert_eq!(driver.join(), Status::DriverAborted);
    assert_eq!(driver.stop(), Status::DriverAborted);
    assert_eq!(driver.stop(), Status::DriverStopped);
    assert_eq!(driver.join(), Status::DriverStopped);
    assert_eq!(driver.run(), Status::DriverStopped);
    assert_eq!(slave.peer.expect::<ExecutorToFrameworkMessage>().message.data, "sent");
    assert!(slave.peer.is_quiet());
}

#[test]
fn a_stopped_driver_calls_the_executor_no_more() {
    let scene = Scene::new(&[]);
    assert_eq!(scene.driver.stop(), Status::DriverStopped);
    scene.say("too late");
    assert_eq!(scene.driver.join(), Status::DriverStopped);
    wait(scene.runtime.settle());
    drop(scene.driver);
    assert!(scene.told.recv_timeout(Duration::from_secs(30)).is_err());
}

#[test]
fn a_panicking_executor_aborts_its_driver() {
    let scene = Scene::new(&[]);
    scene.say("panic");
    assert_eq!(scene.driver.join(), Status::DriverAborted);
}

#[test]
fn bad_environment_is_named() {
    let check = |name: &str, value: &str, text: &str| {
        let slave = Slave::start();
        let mut variables = slave.variables();
        variables.retain(|(key, _)| key != name);
        variables.push((name.to_owned(), value.to_owned()));
        let (tell, _told) = channel();
        let error = ExecutorDriver::new(Witness(tell), &variables).err().unwrap();
        assert_eq!(error.to_string(), text);
    };
    check("MESOS_SLAVE_PID", "zz", "Cannot parse MESOS_SLAVE_PID 'zz'");
    check(
        "MESOS_QUIET",
        "maybe",
        "Failed to load flag 'quiet': Failed to load value 'maybe': Expecting a boolean (e.g., \
         true or false)",
    );
    check("LIBPROCESS_PORT", "x", "LIBPROCESS_PORT=x is not a valid port");
}

/// What the test below runs in a process of its own.
#[test]
fn suicide_child() {
    if std::env::var("MESOS_SLAVE_PID").is_err() {
        return;
    }
    let (tell, told) = channel();
    let variables: Vec<_> = std::env::vars().collect();
    let driver = ExecutorDriver::new(Witness(tell), &variables).unwrap();
    driver.start();
    while let Ok(text) = told.recv() {
        assert_ne!(text, "never");
    }
}

#[test]
fn an_executor_that_does_not_end_is_killed_with_its_process_group() {
    let mut slave = Slave::start();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "suicide_child"])
        .envs(slave.variables())
        .env("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "50ms")
        .process_group(0)
        .spawn()
        .unwrap();
    slave.register(FrameworkInfo::default());
    slave.peer.send(&slave.executor, &ShutdownExecutorMessage::default());
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_runtime_of_the_callers_outlives_the_driver() {
    let shared = runtime();
    let slave = Slave::start();
    let variables = slave.variables();
    let find =
        |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let environment = Environment::read(find).unwrap();
    let (tell, _told) = channel();
    let embedded = Embedded::shared(shared.clone());
    let driver = ExecutorDriver::with_runtime(Witness(tell), environment, embedded).unwrap();
    driver.start();
    let registration = slave.peer.expect::<RegisterExecutorMessage>();
    drop(driver);
    wait(shared.wait(&registration.from));
    wait(shared.shutdown());
}
