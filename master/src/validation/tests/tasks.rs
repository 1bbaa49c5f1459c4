//! Tasks.

use std::time::Duration;

use common::resources::Resources;
use libprocess::clock::Time;
use libprocess::{Address, Upid};
use proto::mesos::{self, CommandInfo, ExecutorInfo, FrameworkInfo, SlaveInfo, TaskInfo};

use super::{resource, revocable, volume};
use crate::state::{Connection, Framework, NewSlave, Slave, Task};
use crate::validation::task::{executor_warnings, validate_task};

fn now() -> Time {
    Time::from_epoch(Duration::ZERO)
}

fn pid() -> Upid {
    Upid::new("peer", Address::new([127, 0, 0, 1].into(), 1))
}

fn slave() -> Slave {
    let new = NewSlave {
        id: "s".into(),
        info: SlaveInfo::default(),
        pid: pid(),
        version: String::new(),
        checkpointed: Resources::new(),
    };
    Slave::new(new, now()).expect("nothing is checkpointed")
}

fn framework() -> Framework {
    Framework::new("f".into(), FrameworkInfo::default(), Connection::Pid(pid()), now())
}

fn task() -> TaskInfo {
    TaskInfo {
        task_id: mesos::TaskId { value: "t".to_owned() },
        slave_id: mesos::SlaveId { value: "s".to_owned() },
        resources: vec![resource("cpus:1", "*")],
        command: Some(CommandInfo::default()),
        ..TaskInfo::default()
    }
}

fn executor() -> ExecutorInfo {
    ExecutorInfo {
        executor_id: mesos::ExecutorId { value: "e".to_owned() },
        framework_id: Some(mesos::FrameworkId { value: "f".to_owned() }),
        ..ExecutorInfo::default()
    }
}

fn check_on(slave: &Slave, task: TaskInfo, expected: &str) {
    let available = Resources::parse("cpus:4;mem:512;disk:512", "*").expect("well-formed");
    let outcome = validate_task(&task, &framework(), slave, &available);
    assert_eq!(outcome.map_err(|error| error.to_string()).err().unwrap_or_default(), expected);
}

fn check(task: TaskInfo, expected: &str) {
    check_on(&slave(), task, expected);
}

#[test]
fn an_ordinary_task_is_valid() {
    check(task(), "");
    check(TaskInfo { command: None, executor: Some(executor()), ..task() }, "");
}

#[test]
fn task_validation_test_task_uses_invalid_task_id() {
    let with_id = |id: &str| TaskInfo { task_id: mesos::TaskId { value: id.into() }, ..task() };
    check(with_id("a/b"), "TaskID 'a/b' contains invalid characters");
    check(with_id(".."), "TaskID '..' is disallowed");
    check(with_id(""), "TaskID is empty");
}

#[test]
fn task_validation_test_duplicated_task_id() {
    let mut slave = slave();
    slave.add_task(Task::launched(&task(), &"f".into()));
    check_on(&slave, task(), "Task has duplicate ID: t");
}

#[test]
fn task_validation_test_task_uses_command_info_and_executor_info() {
    let expected =
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present";
    check(TaskInfo { executor: Some(executor()), ..task() }, expected);
    check(TaskInfo { command: None, ..task() }, expected);
}

#[test]
fn task_validation_test_task_uses_invalid_framework_id() {
    let id = Some(mesos::FrameworkId { value: "other".to_owned() });
    let executor = ExecutorInfo { framework_id: id, ..executor() };
    check(
        TaskInfo { command: None, executor: Some(executor), ..task() },
        "ExecutorInfo has an invalid FrameworkID (Actual: other vs Expected: f)",
    );
}

#[test]
fn an_executor_whose_name_is_a_path_is_refused() {
    let executor_id = mesos::ExecutorId { value: "../e".to_owned() };
    let executor = ExecutorInfo { executor_id, ..executor() };
    check(
        TaskInfo { command: None, executor: Some(executor), ..task() },
        "ExecutorID '../e' contains invalid characters",
    );
}

#[test]
fn task_validation_test_task_uses_no_resources() {
    check(TaskInfo { resources: Vec::new(), ..task() }, "Task uses no resources");
}

#[test]
fn task_validation_test_task_uses_more_resources_than_offered() {
    check(
        TaskInfo { resources: vec![resource("cpus:4.001", "*")], ..task() },
        "Task uses more resources cpus(*):4.001 than available cpus(*):4; mem(*):512; disk(*):512",
    );
    let executor = ExecutorInfo { resources: vec![resource("cpus:4", "*")], ..executor() };
    check(
        TaskInfo { command: None, executor: Some(executor), ..task() },
        "Task uses more resources cpus(*):5 than available cpus(*):4; mem(*):512; disk(*):512",
    );
}

#[test]
fn task_validation_test_task_uses_revocable_resources() {
    let both = vec![resource("cpus:1", "*"), revocable(resource("cpus:1", "*"))];
    let expected = "Task (and its executor, if exists) uses both revocable and non-revocable cpus";
    check(TaskInfo { resources: both, ..task() }, expected);
}

#[test]
fn task_validation_test_task_and_executor_use_revocable_resources() {
    let lent = vec![revocable(resource("cpus:1", "*"))];
    let executor = ExecutorInfo { resources: lent, ..executor() };
    let expected = "Task (and its executor, if exists) uses both revocable and non-revocable cpus";
    check(TaskInfo { command: None, executor: Some(executor), ..task() }, expected);
}

#[test]
fn resources_that_are_none_are_named() {
    let negative = mesos::Resource {
        scalar: Some(mesos::value::Scalar { value: -1.0 }),
        ..resource("cpus:1", "*")
    };
    check(
        TaskInfo { resources: vec![negative.clone()], ..task() },
        "Task uses invalid resources: Invalid resources: Resource 'cpus(*):-1' is invalid: \
         Invalid scalar resource: value < 0",
    );
    let executor = ExecutorInfo { resources: vec![negative], ..executor() };
    check(
        TaskInfo { command: None, executor: Some(executor), ..task() },
        "Executor uses invalid resources: Invalid resources: Resource 'cpus(*):-1' is invalid: \
         Invalid scalar resource: value < 0",
    );
    check(
        TaskInfo { resources: vec![volume("v", "r"), volume("v", "r")], ..task() },
        "Persistence ID 'v' is not unique",
    );
}

#[test]
fn executors_that_ask_for_too_little_are_warned_about() {
    let task = task();
    let check = |resources: Vec<mesos::Resource>, expected: &[&str]| {
        let executor = ExecutorInfo { resources, ..executor() };
        let warnings = executor_warnings(&task, &executor);
        let starts = warnings.iter().zip(expected).all(|(warning, start)| {
            warning.starts_with(&format!("Executor e for task t uses less {start}. Please"))
        });
        assert!(starts && warnings.len() == expected.len(), "{warnings:?}");
    };
    check(
        Vec::new(),
        &[
            "CPUs (None) than the minimum required (0.01)",
            "memory (None) than the minimum required (32MB)",
        ],
    );
    check(
        vec![resource("cpus:0.005", "*"), resource("mem:31", "*")],
        &[
            "CPUs (0.005) than the minimum required (0.01)",
            "memory (31) than the minimum required (32MB)",
        ],
    );
    check(vec![resource("cpus:0.01", "*"), resource("mem:32", "*")], &[]);
}
