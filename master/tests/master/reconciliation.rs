//! What a framework is told of tasks that it asks about.

use proto::mesos::TaskState;
use proto::mesos::internal::{ReconcileTasksMessage, StatusUpdateMessage};
use proto::mesos::task_status::{Reason, Source};

use crate::leadership::registry;
use crate::test_util::{Framework, World};

const LATEST: &str = "Reconciliation: Latest task state";

/// The next answer: state and message; it is marked as one.
fn answer(framework: &Framework) -> (TaskState, String) {
    let message = framework.peer.take::<StatusUpdateMessage>();
    assert_eq!((message.pid, message.update.uuid), (None, None));
    let status = message.update.status;
    assert_eq!((status.source(), status.reason()), (Source::Master, Reason::Reconciliation));
    (status.state(), status.message().to_owned())
}

fn lost(message: &str) -> (TaskState, String) {
    (TaskState::TaskLost, message.to_owned())
}

#[test]
fn reconciliation_test_task_state_match() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    slave.update(&framework, &task, TaskState::TaskRunning, 1);
    world.settle();
    framework.peer.forget();
    framework.reconcile(&[("t", None)]);
    framework.reconcile(&[("t", Some(&"another".into()))]);
    world.settle();
    for _ in 0..2 {
        assert_eq!(answer(&framework), (TaskState::TaskRunning, LATEST.to_owned()));
    }
    assert_eq!(world.metric("master/messages_reconcile_tasks"), 2.0);
}

#[test]
fn reconciliation_test_task_state_mismatch() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    slave.update(&framework, &task, TaskState::TaskRunning, 1);
    world.settle();
    framework.peer.forget();
    let believed = slave.status_update(&framework, &task, TaskState::TaskKilled, 2).status;
    framework.peer.send(&ReconcileTasksMessage {
        framework_id: (&framework.id).into(),
        statuses: vec![believed],
    });
    world.settle();
    assert_eq!(answer(&framework), (TaskState::TaskRunning, LATEST.to_owned()));
}

#[test]
fn reconciliation_test_implicit_non_terminal_task() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    world.launch(&framework, &slave, "u");
    let mut update = slave.status_update(&framework, &task, TaskState::TaskRunning, 1);
    update.status.healthy = Some(true);
    slave.peer.send(&StatusUpdateMessage { update, pid: None });
    world.settle();
    framework.peer.forget();
    framework.reconcile(&[]);
    world.settle();
    let first = framework.peer.take::<StatusUpdateMessage>().update.status;
    assert_eq!((first.task_id.value.as_str(), first.state()), ("t", TaskState::TaskRunning));
    assert_eq!(first.healthy, Some(true));
    assert_eq!(answer(&framework), (TaskState::TaskStaging, LATEST.to_owned()));
    assert_eq!(framework.peer.rest(), [""; 0]);
}

#[test]
fn reconciliation_test_reconcile_status_update_task_state() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    let mut update = slave.status_update(&framework, &task, TaskState::TaskRunning, 1);
    update.set_latest_state(TaskState::TaskFinished);
    slave.peer.send(&StatusUpdateMessage { update, pid: Some(slave.peer.upid().to_string()) });
    world.settle();
    framework.peer.forget();
    framework.reconcile(&[("t", None)]);
    world.settle();
    assert_eq!(answer(&framework).0, TaskState::TaskRunning);
}

#[test]
fn reconciliation_test_unacknowledged_terminal_task() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    slave.update(&framework, &task, TaskState::TaskFinished, 1);
    world.settle();
    framework.peer.forget();
    framework.reconcile(&[]);
    world.settle();
    assert_eq!(answer(&framework).0, TaskState::TaskFinished);
    framework.acknowledge(&slave, &task, &[1; 16]);
    framework.reconcile(&[]);
    world.settle();
    assert_eq!(framework.peer.rest(), [""; 0]);
}

#[test]
fn reconciliation_test_unknown_task() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    framework.reconcile(&[("x", None), ("y", Some(&slave.id)), ("z", Some(&"gone".into()))]);
    world.settle();
    assert_eq!(answer(&framework), lost("Reconciliation: Task is unknown"));
    assert_eq!(answer(&framework), lost("Reconciliation: Task is unknown to the slave"));
    assert_eq!(answer(&framework), lost("Reconciliation: Task is unknown"));
}

#[test]
fn reconciliation_test_slave_in_transition() {
    let world = World::start(master::Config::default(), registry(&["old-S0"]), None);
    let framework = world.framework("f");
    // It may be running on the slave that is yet to come back.
    framework.reconcile(&[("x", Some(&"old-S0".into())), ("y", None)]);
    framework.kill(&"z".into());
    world.settle();
    assert_eq!(framework.peer.rest(), [""; 0]);
    framework.reconcile(&[("x", Some(&"other".into()))]);
    world.settle();
    assert_eq!(answer(&framework), lost("Reconciliation: Task is unknown"));
}

#[test]
fn who_asks_hears_that_a_task_is_lost_whose_slave_never_came_back() {
    let world = World::start(master::Config::default(), registry(&["old-S0"]), None);
    let framework = world.framework("f");
    let ask = || framework.reconcile(&[("x", Some(&"old-S0".into()))]);
    ask();
    world.settle();
    assert_eq!(framework.peer.rest(), [""; 0]);
    world.advance(600.0);
    ask();
    world.settle();
    assert_eq!(answer(&framework), lost("Reconciliation: Task is unknown"));
}
