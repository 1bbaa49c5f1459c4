//! A task's way through an executor.

use proto::mesos::{TaskId as TaskIdMessage, TaskStatus};

use super::*;

fn executor() -> Executor {
    let run = Run { framework_id: "f".into(), executor_id: "e".into(), container_id: "c".into() };
    let info = ExecutorInfo { resources: messages("cpus:0.1"), ..ExecutorInfo::default() };
    Executor::new(run, info, ExecutorKind::Custom, "/sandbox".into())
}

fn messages(text: &str) -> Vec<proto::mesos::Resource> {
    text.parse::<Resources>().unwrap().to_messages()
}

fn task(id: &str) -> TaskInfo {
    TaskInfo {
        task_id: TaskIdMessage { value: id.to_owned() },
        resources: messages("cpus:1"),
        ..TaskInfo::default()
    }
}

fn status(id: &str, state: TaskState) -> TaskStatus {
    TaskStatus {
        task_id: TaskIdMessage { value: id.to_owned() },
        state: state.into(),
        ..TaskStatus::default()
    }
}

fn held(executor: &Executor) -> (String, String) {
    executor.check_invariants();
    (executor.resources().to_string(), executor.wanted_resources().to_string())
}

#[test]
fn resources_follow_the_tasks() {
    let mut executor = executor();
    executor.queue(task("a"));
    executor.queue(task("b"));
    let expect = |now: &str, wanted: &str| (format!("cpus(*):{now}"), format!("cpus(*):{wanted}"));
    assert_eq!(held(&executor), expect("0.1", "2.1"));
    executor.phase = ExecutorPhase::Running;
    executor.connection = Connection::Pid(Upid::empty());
    assert!(executor.launch(&"a".into()).is_some());
    assert!(executor.launch(&"a".into()).is_none());
    assert_eq!(held(&executor), expect("1.1", "2.1"));
    executor.terminate_task(&"b".into(), TaskState::TaskKilled);
    assert_eq!(held(&executor), expect("1.1", "1.1"));
    executor.terminate_task(&"a".into(), TaskState::TaskFinished);
    executor.terminate_task(&"a".into(), TaskState::TaskFinished);
    assert_eq!(held(&executor), expect("0.1", "0.1"));
    for id in ["a", "b"] {
        assert!(executor.has_incomplete_tasks());
        executor.complete_task(&id.into());
    }
    assert!(!executor.has_incomplete_tasks());
    assert_eq!(executor.completed.len(), 2);
}

#[test]
fn of_equal_states_the_last_status_stays() {
    let mut executor = executor();
    executor.queue(task("a"));
    executor.launch(&"a".into());
    for state in [TaskState::TaskStarting, TaskState::TaskRunning, TaskState::TaskRunning] {
        executor.update_task_state(&status("a", state));
    }
    executor.update_task_state(&status("unknown", TaskState::TaskRunning));
    let task = executor.task_mut(&"a".into()).unwrap();
    assert_eq!(task.state(), TaskState::TaskRunning);
    assert_eq!(task.statuses.len(), 2);
}

#[test]
fn those_that_end_with_the_executor() {
    let mut executor = executor();
    for id in ["queued", "running", "finished"] {
        executor.queue(task(id));
    }
    executor.launch(&"running".into());
    executor.launch(&"finished".into());
    executor.update_task_state(&status("finished", TaskState::TaskFinished));
    let expected: [TaskId; 2] = ["running".into(), "queued".into()];
    assert_eq!(executor.live_tasks(), expected);
}

#[test]
fn executors_print_as_upstream() {
    let mut executor = executor();
    assert_eq!(executor.to_string(), "'e' of framework f");
    executor.connection = Connection::Pid("executor(1)@127.0.0.1:1".parse().unwrap());
    assert_eq!(executor.to_string(), "'e' of framework f at executor(1)@127.0.0.1:1");
}
