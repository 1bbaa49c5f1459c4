//! Launching, updating, acknowledging and killing tasks.

use proto::mesos::internal::{
    KillTaskMessage, LaunchTasksMessage, RunTaskMessage, StatusUpdateAcknowledgementMessage,
    StatusUpdateMessage,
};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{self, CommandInfo, ExecutorInfo, Filters, TaskInfo, TaskState};

use crate::test_util::{Framework, Slave, World, command_task, launch, parse};

fn executor(id: &str, command: &str) -> ExecutorInfo {
    ExecutorInfo {
        executor_id: mesos::ExecutorId { value: id.to_owned() },
        command: Some(CommandInfo { value: Some(command.to_owned()), ..CommandInfo::default() }),
        resources: parse("cpus:0.5;mem:64").to_messages(),
        ..ExecutorInfo::default()
    }
}

fn executor_task(id: &str, slave: &Slave, executor: ExecutorInfo) -> TaskInfo {
    TaskInfo { command: None, executor: Some(executor), ..command_task(id, &slave.id) }
}

#[test]
fn master_test_task_running() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    world.allocator.calls();
    let offer = world.offer(&framework, &slave, "cpus:2;mem:64");
    framework.accept(&[&offer], vec![launch(vec![command_task("t", &slave.id)])]);
    world.settle();
    let run = slave.peer.take::<RunTaskMessage>();
    assert_eq!(run.framework_id, None);
    assert_eq!(run.framework, framework.known_info());
    assert_eq!(run.pid, Some(framework.peer.upid().to_string()));
    assert_eq!(run.task, command_task("t", &slave.id));
    // What is left is refused for the default time.
    let rest =
        format!("recover_resources {} {} cpus(*):1; mem(*):32 for 5", framework.id, slave.id);
    assert_eq!(world.allocator.calls(), [rest]);
    assert_eq!(world.metric("master/tasks_staging"), 1.0);
    assert_eq!(world.metric("master/cpus_used"), 1.0);
    assert_eq!(world.metric("master/cpus_percent"), 0.25);
    slave.update(&framework, &run.task.task_id.into(), TaskState::TaskRunning, 1);
    world.settle();
    let update = framework.peer.take::<StatusUpdateMessage>();
    assert_eq!(update.pid, Some(slave.peer.upid().to_string()));
    assert_eq!(update.update.status.uuid.as_deref(), Some(&[1; 16][..]));
    assert_eq!(world.metric("master/tasks_running"), 1.0);
    assert_eq!(world.metric("master/valid_status_updates"), 1.0);
}

#[test]
fn master_test_status_update_ack() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    slave.update(&framework, &task, TaskState::TaskFinished, 7);
    world.settle();
    assert_eq!(framework.status().0, TaskState::TaskFinished);
    assert_eq!(world.metric("master/tasks_finished"), 1.0);
    // Another uuid does not end it.
    framework.acknowledge(&slave, &task, &[8; 16]);
    world.settle();
    assert_eq!(slave.peer.take::<StatusUpdateAcknowledgementMessage>().uuid, vec![8; 16]);
    let id = framework.id.clone();
    let count = move |world: &World| {
        let id = id.clone();
        world.ask(move |cluster| {
            let framework = cluster.frameworks.get(&id).expect("registered");
            (framework.tasks.len(), framework.completed_tasks.len())
        })
    };
    assert_eq!(count(&world), (1, 0));
    framework.acknowledge(&slave, &task, &[7; 16]);
    world.settle();
    assert_eq!(count(&world), (0, 1));
    assert_eq!(world.metric("master/valid_status_update_acknowledgements"), 2.0);
}

#[test]
fn master_test_release_resources_for_terminal_task_with_pending_updates() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    world.allocator.calls();
    let mut update = slave.status_update(&framework, &task, TaskState::TaskRunning, 1);
    update.set_latest_state(TaskState::TaskFinished);
    let pid = Some(slave.peer.upid().to_string());
    slave.peer.send(&StatusUpdateMessage { update, pid });
    world.settle();
    let freed = format!("recover_resources {} {} cpus(*):1; mem(*):32", framework.id, slave.id);
    assert_eq!(world.allocator.calls(), [freed]);
    assert_eq!(world.metric("master/cpus_used"), 0.0);
    assert_eq!(world.metric("master/tasks_finished"), 0.0);
}

#[test]
fn a_task_whose_end_was_known_before_it_was_told_is_counted_once() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    let mut running = slave.status_update(&framework, &task, TaskState::TaskRunning, 1);
    running.set_latest_state(TaskState::TaskFinished);
    let pid = Some(slave.peer.upid().to_string());
    slave.peer.send(&StatusUpdateMessage { update: running, pid });
    for _ in 0..3 {
        slave.update(&framework, &task, TaskState::TaskFinished, 2);
    }
    world.settle();
    assert_eq!(world.metric("master/tasks_finished"), 1.0);
}

#[test]
fn updates_are_forwarded_whether_the_task_is_known_or_not() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    slave.update(&framework, &"unknown".into(), TaskState::TaskRunning, 1);
    world.settle();
    assert_eq!(framework.status().0, TaskState::TaskRunning);
    assert_eq!(world.metric("master/invalid_status_updates"), 1.0);
    let mut update = slave.status_update(&framework, &"t".into(), TaskState::TaskRunning, 1);
    update.framework_id.value = "unknown".to_owned();
    slave.peer.send(&StatusUpdateMessage { update, pid: None });
    world.settle();
    assert!(framework.peer.rest().is_empty());
    assert_eq!(world.metric("master/invalid_status_updates"), 2.0);
}

#[test]
fn a_terminal_update_that_nobody_acknowledges_ends_the_task() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    let mut update = slave.status_update(&framework, &task, TaskState::TaskFinished, 1);
    update.uuid = None;
    slave.peer.send(&StatusUpdateMessage { update, pid: Some("@0.0.0.0:0".to_owned()) });
    world.settle();
    let id = framework.id.clone();
    assert!(world.ask(move |cluster| cluster.frameworks.get(&id).unwrap().tasks.is_empty()));
}

#[test]
fn master_test_kill_task() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    framework.kill(&task);
    framework
        .peer
        .send(&KillTaskMessage { framework_id: (&framework.id).into(), task_id: (&task).into() });
    world.settle();
    for _ in 0..2 {
        assert_eq!(slave.peer.take::<KillTaskMessage>().task_id.value, "t");
    }
    assert_eq!(world.metric("master/messages_kill_task"), 2.0);
}

#[test]
fn master_test_kill_unknown_task() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    framework.kill(&"unknown".into());
    world.settle();
    let expected = (TaskState::TaskLost, "Reconciliation: Task is unknown".to_owned());
    assert_eq!(framework.status(), expected);
    assert!(slave.peer.find::<KillTaskMessage>().is_none());
}

#[test]
fn a_task_of_another_slave_is_not_killed() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    let kill = mesos::scheduler::call::Kill {
        task_id: (&task).into(),
        slave_id: Some(mesos::SlaveId { value: "other".to_owned() }),
    };
    let call = mesos::scheduler::Call { kill: Some(kill), ..Default::default() };
    framework.call(mesos::scheduler::call::Type::Kill, call);
    world.settle();
    assert!(slave.peer.find::<KillTaskMessage>().is_none());
    assert!(framework.peer.rest().is_empty());
}

#[test]
fn fault_tolerance_test_ignore_kill_task_from_unregistered_framework() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    let stranger = world.peer("stranger");
    stranger
        .send(&KillTaskMessage { framework_id: (&framework.id).into(), task_id: (&task).into() });
    world.settle();
    assert!(slave.peer.find::<KillTaskMessage>().is_none());
    assert_eq!(world.metric("master/messages_kill_task"), 0.0);
}

#[test]
fn master_test_multiple_executors() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offer = world.offer(&framework, &slave, "cpus:4;mem:512");
    let tasks = vec![
        executor_task("1", &slave, executor("e1", "exit 1")),
        executor_task("2", &slave, executor("e2", "exit 1")),
        executor_task("3", &slave, executor("e1", "exit 1")),
    ];
    framework.accept(&[&offer], vec![launch(tasks)]);
    world.settle();
    for id in ["1", "2", "3"] {
        let task = slave.peer.take::<RunTaskMessage>().task;
        assert_eq!(task.task_id.value, id);
        let executor = task.executor.expect("as it was sent");
        assert_eq!(executor.framework_id, Some((&framework.id).into()));
    }
    // An executor is charged once, its tasks each.
    assert_eq!(world.metric("master/cpus_used"), 4.0);
    let offer = world.offer(&framework, &slave, "ports:[31000-31001];cpus:0.1");
    assert_eq!(offer.as_str(), "m-O1");
}

#[test]
fn task_validation_test_executor_info_differs_on_same_slave() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offer = world.offer(&framework, &slave, "cpus:4;mem:512");
    let tasks = vec![
        executor_task("1", &slave, executor("e", "exit 1")),
        executor_task("2", &slave, executor("e", "exit 2")),
    ];
    framework.accept(&[&offer], vec![launch(tasks)]);
    world.settle();
    assert_eq!(slave.peer.take::<RunTaskMessage>().task.task_id.value, "1");
    assert!(slave.peer.find::<RunTaskMessage>().is_none());
    let (state, message) = framework.status();
    assert_eq!(state, TaskState::TaskError);
    let start = "Task has invalid ExecutorInfo (existing ExecutorInfo with same ExecutorID is not \
                 compatible).\n------------------------------------------------------------\n\
                 Existing ExecutorInfo:\nexecutor_id {\n  value: \"e\"\n}\n";
    assert!(message.starts_with(start), "{message}");
}

#[test]
fn every_refused_task_hears_why_and_does_not_stop_others() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offer = world.offer(&framework, &slave, "cpus:2;mem:512");
    let good = || command_task("good", &slave.id);
    let task = |id: &str| command_task(id, &slave.id);
    let tasks = vec![
        good(),
        good(),
        task("../x"),
        TaskInfo { slave_id: mesos::SlaveId { value: "other".into() }, ..task("2") },
        TaskInfo { command: None, ..task("3") },
        TaskInfo { resources: Vec::new(), ..task("4") },
        TaskInfo { resources: parse("cpus:9").to_messages(), ..task("5") },
        task("last"),
    ];
    framework.accept(&[&offer], vec![launch(tasks)]);
    world.settle();
    assert_eq!(slave.peer.take::<RunTaskMessage>().task.task_id.value, "good");
    assert_eq!(slave.peer.take::<RunTaskMessage>().task.task_id.value, "last");
    let expected = [
        "Task has duplicate ID: good",
        "TaskID '../x' contains invalid characters",
        &format!("Task uses invalid slave other while slave {} is expected", slave.id),
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present",
        "Task uses no resources",
        "Task uses more resources cpus(*):9 than available cpus(*):1; mem(*):480",
    ];
    for message in expected {
        let update = framework.peer.take::<StatusUpdateMessage>();
        assert_eq!(update.pid.as_deref(), Some("@0.0.0.0:0"));
        assert_eq!(update.update.uuid, None);
        let status = update.update.status;
        assert_eq!(status.message(), message);
        assert_eq!(status.state(), TaskState::TaskError);
        assert_eq!((status.source(), status.reason()), (Source::Master, Reason::TaskInvalid));
    }
    assert!(framework.peer.rest().is_empty());
    assert_eq!(world.metric("master/tasks_error"), 6.0);
    assert_eq!(world.metric("master/task_error/source_master/reason_task_invalid"), 6.0);
}

#[test]
fn a_duplicate_whose_first_was_refused_is_refused_too() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offer = world.offer(&framework, &slave, "cpus:2;mem:512");
    let first = TaskInfo { resources: Vec::new(), ..command_task("t", &slave.id) };
    framework.accept(&[&offer], vec![launch(vec![first, command_task("t", &slave.id)])]);
    world.settle();
    assert_eq!(framework.status().1, "Task uses no resources");
    assert_eq!(framework.status().1, "Task has duplicate ID: t");
    assert!(slave.peer.find::<RunTaskMessage>().is_none());
}

#[test]
fn the_old_message_launches_as_the_call_does() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offer = world.offer(&framework, &slave, "cpus:2;mem:64");
    let message = |tasks: Vec<TaskInfo>, offer: &common::ids::OfferId| LaunchTasksMessage {
        framework_id: (&framework.id).into(),
        tasks,
        filters: Filters { refuse_seconds: Some(2.0) },
        offer_ids: vec![offer.into()],
    };
    framework.peer.send(&message(vec![command_task("t", &slave.id)], &offer));
    world.settle();
    assert_eq!(slave.peer.take::<RunTaskMessage>().task.task_id.value, "t");
    let calls = world.allocator.calls();
    assert!(calls.last().is_some_and(|call| call.ends_with("cpus(*):1; mem(*):32 for 2")));
    // Without tasks it is a decline.
    let offer = world.offer(&framework, &slave, "cpus:1");
    framework.peer.send(&message(Vec::new(), &offer));
    world.settle();
    let calls = world.allocator.calls();
    assert!(calls.last().is_some_and(|call| call.ends_with("cpus(*):1 for 2")), "{calls:?}");
    assert_eq!(world.metric("master/messages_launch_tasks"), 1.0);
    assert_eq!(world.metric("master/messages_decline_offers"), 1.0);
}

#[test]
fn master_test_max_completed_tasks_per_framework_flag() {
    let mut config = master::Config::default();
    config.limits.completed_tasks_max = 2;
    let world = World::with(config);
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    finish(&world, &framework, &slave, &["1", "2", "3"]);
    let id = framework.id.clone();
    let completed = world.ask(move |cluster| {
        let framework = cluster.frameworks.get(&id).expect("registered");
        let tasks = framework.completed_tasks.iter();
        tasks.map(|task| task.key.task_id.to_string()).collect::<Vec<_>>()
    });
    assert_eq!(completed, ["2", "3"]);
}

fn finish(world: &World, framework: &Framework, slave: &Slave, tasks: &[&str]) {
    for (task, uuid) in tasks.iter().zip(1..) {
        let task = world.launch(framework, slave, task);
        slave.update(framework, &task, TaskState::TaskFinished, uuid);
        world.settle();
        framework.acknowledge(slave, &task, &[uuid; 16]);
        world.settle();
    }
}
