//! Frameworks that come, count, go and come back.

use common::ids::TaskId;
use proto::mesos::{ExecutorInfo, TaskInfo};

use super::*;
use crate::state::executor::ExecutorKind;

fn task(id: &str) -> TaskInfo {
    TaskInfo { task_id: TaskId::from(id).into(), ..TaskInfo::default() }
}

fn executor(container: &str) -> Executor {
    let run =
        Run { framework_id: "f".into(), executor_id: "e".into(), container_id: container.into() };
    Executor::new(run, ExecutorInfo::default(), ExecutorKind::Custom, "/s".into())
}

#[test]
fn a_framework_that_comes_back_has_its_history() {
    let mut frameworks = Frameworks::default();
    for container in ["one", "two"] {
        let framework = frameworks.add("f".into(), FrameworkInfo::default(), None);
        framework.executors.insert("e".into(), executor(container));
        framework.complete_executor(&"e".into());
        assert!(framework.is_idle());
        frameworks.remove(&"f".into());
        frameworks.check_invariants();
    }
    assert_eq!(frameworks.completed().count(), 1);
    let completed = frameworks.completed().next().unwrap();
    assert_eq!(completed.completed_executors.len(), 2);
}

#[test]
fn runs_are_told_apart_by_their_containers() {
    let mut frameworks = Frameworks::default();
    let framework = frameworks.add("f".into(), FrameworkInfo::default(), None);
    framework.executors.insert("e".into(), executor("new"));
    assert!(frameworks.run(&executor("new").run).is_some());
    assert!(frameworks.run(&executor("old").run).is_none());
    assert!(frameworks.run_mut(&executor("old").run).is_none());
}

#[test]
fn tasks_without_an_executor_are_staging() {
    let mut frameworks = Frameworks::default();
    let framework = frameworks.add("f".into(), FrameworkInfo::default(), None);
    framework.add_pending("e".into(), task("pending"));
    let mut launched = executor("c");
    launched.queue(task("queued"));
    launched.queue(task("launched"));
    launched.launch(&"launched".into());
    framework.executors.insert("e2".into(), launched);
    assert_eq!(frameworks.count_tasks(TaskState::TaskStaging), 3);
    assert_eq!(frameworks.count_tasks(TaskState::TaskRunning), 0);
    assert_eq!(frameworks.count_executors(ExecutorPhase::Registering), 1);
    let framework = frameworks.get_mut(&"f".into()).unwrap();
    assert!(framework.take_pending(&"e".into(), &"pending".into()).is_some());
    assert!(framework.take_pending(&"e".into(), &"pending".into()).is_none());
    assert!(framework.pending.is_empty());
}
