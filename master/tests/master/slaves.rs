//! Slaves: admission, return, silence, removal.

use std::time::Duration;

use common::ids::SlaveId;
use common::resources::Resources;
use proto::mesos::internal::{
    CheckpointResourcesMessage, ExitedExecutorMessage, KillTaskMessage, LostSlaveMessage,
    PingSlaveMessage, PongSlaveMessage, RegisterSlaveMessage, ReregisterSlaveMessage,
    RescindResourceOfferMessage, ShutdownFrameworkMessage, ShutdownMessage, SlaveRegisteredMessage,
    SlaveReregisteredMessage, StatusUpdateMessage, Task, UnregisterSlaveMessage,
    UpdateFrameworkMessage, UpdateSlaveMessage,
};
use proto::mesos::resource::RevocableInfo;
use proto::mesos::scheduler::{Call, call};
use proto::mesos::task_status::Reason;
use proto::mesos::{ExecutorId, FrameworkInfo, SlaveInfo, TaskState};

use crate::test_util::{Slave, World, framework_info, parse, slave_info};

/// What a slave says when it comes back.
pub(crate) fn reregister(slave: &Slave, tasks: Vec<Task>) -> ReregisterSlaveMessage {
    ReregisterSlaveMessage {
        slave: SlaveInfo { id: Some((&slave.id).into()), ..slave.info.clone() },
        tasks,
        version: Some("0.28.3".to_owned()),
        ..ReregisterSlaveMessage::default()
    }
}

pub(crate) fn task_message(slave: &Slave, framework: &str, task: &str, state: TaskState) -> Task {
    Task {
        name: task.to_owned(),
        task_id: proto::mesos::TaskId { value: task.to_owned() },
        framework_id: proto::mesos::FrameworkId { value: framework.to_owned() },
        slave_id: (&slave.id).into(),
        state: state.into(),
        resources: parse("cpus:1;mem:32").to_messages(),
        ..Task::default()
    }
}

fn checkpointing() -> FrameworkInfo {
    FrameworkInfo { checkpoint: Some(true), ..framework_info() }
}

#[test]
fn a_slave_is_admitted_once() {
    let world = World::new();
    let slave = world.peer("slave(1)");
    let register = RegisterSlaveMessage {
        slave: slave_info("cpus:2;mem:512"),
        version: Some("0.28.3".to_owned()),
        ..RegisterSlaveMessage::default()
    };
    slave.send(&register);
    slave.send(&register);
    world.settle();
    let registered = slave.take::<SlaveRegisteredMessage>();
    assert_eq!(registered.slave_id.value, "m-S0");
    let connection = registered.connection.expect("how long it may be silent");
    assert_eq!(connection.total_ping_timeout_seconds, Some(75.0));
    // The second came before it was admitted, and is ignored, or afterwards.
    slave.forget();
    slave.send(&register);
    world.settle();
    assert_eq!(slave.take::<SlaveRegisteredMessage>().slave_id.value, "m-S0");
    assert_eq!(world.metric("master/slave_registrations"), 1.0);
    assert_eq!(world.metric("master/messages_register_slave"), 3.0);
    assert_eq!(world.metric("master/slaves_active"), 1.0);
    assert_eq!(world.metric("master/mem_total"), 512.0);
    let calls = world.allocator.calls();
    assert_eq!(calls, ["recover 0", "add_slave m-S0 cpus(*):2; mem(*):512"]);
}

#[test]
fn a_slave_that_forgot_itself_takes_the_place_of_the_old_one() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework_with("f", checkpointing()));
    world.launch(&framework, &slave, "t");
    slave.peer.exit();
    world.settle();
    let again = world.slave("slave(1)");
    assert_eq!(again.id.as_str(), "m-S1");
    let (state, message) = framework.status();
    assert_eq!(state, TaskState::TaskLost);
    assert_eq!(message, "Slave host removed: a new slave registered at the same address");
    assert_eq!(framework.peer.take::<LostSlaveMessage>().slave_id.value, "m-S0");
    assert_eq!(world.metric("master/slave_removals/reason_registered"), 1.0);
}

#[test]
fn a_task_that_has_ended_is_not_lost_with_its_slave() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let task = world.launch(&framework, &slave, "t");
    slave.update(&framework, &task, TaskState::TaskFinished, 1);
    world.settle();
    assert_eq!(framework.status().0, TaskState::TaskFinished);
    // Before that is acknowledged.
    slave.peer.exit();
    world.settle();
    let (state, message) = framework.status();
    assert_eq!((state, &*message), (TaskState::TaskFinished, "Slave host disconnected"));
    assert_eq!(world.metric("master/tasks_finished"), 1.0);
    assert_eq!(world.metric("master/tasks_lost"), 0.0);
}

#[test]
fn a_disconnected_slave_keeps_what_can_be_recovered() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let safe = world.framework_with("safe", checkpointing());
    let unsafe_one = world.framework("unsafe");
    world.launch(&safe, &slave, "t");
    world.launch(&unsafe_one, &slave, "t");
    world.offer(&safe, &slave, "cpus:1");
    world.allocator.calls();
    slave.peer.exit();
    world.settle();
    assert_eq!(unsafe_one.status(), (TaskState::TaskLost, "Slave host disconnected".to_owned()));
    safe.peer.take::<RescindResourceOfferMessage>();
    assert!(safe.peer.find::<StatusUpdateMessage>().is_none());
    assert_eq!(world.metric("master/task_lost/source_master/reason_slave_disconnected"), 1.0);
    assert_eq!(world.metric("master/slaves_inactive"), 1.0);
    assert_eq!(world.metric("master/cpus_used"), 1.0);
    assert_eq!(world.allocator.calls()[0], "deactivate_slave m-S0");
}

#[test]
fn master_slave_reconciliation_test_reconcile_lost_task() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let framework = world.framework_with("f", checkpointing());
    world.launch(&framework, &slave, "lost");
    world.launch(&framework, &slave, "killed");
    framework.kill(&"killed".into());
    world.settle();
    slave.peer.forget();
    let known = task_message(&slave, framework.id.as_str(), "killed", TaskState::TaskRunning);
    slave.peer.send(&reregister(&slave, vec![known]));
    world.settle();
    let reregistered = slave.peer.take::<SlaveReregisteredMessage>();
    let [reconciliation] = &reregistered.reconciliations[..] else { panic!("of one framework") };
    let [status] = &reconciliation.statuses[..] else { panic!("of one task") };
    assert_eq!((status.task_id.value.as_str(), status.state()), ("lost", TaskState::TaskStaging));
    assert_eq!(
        (status.message(), status.reason()),
        ("Reconciliation request", Reason::Reconciliation)
    );
    assert_eq!(slave.peer.take::<KillTaskMessage>().task_id.value, "killed");
    let update = slave.peer.take::<UpdateFrameworkMessage>();
    assert_eq!(update.pid, Some(framework.peer.upid().to_string()));
    slave.peer.take::<CheckpointResourcesMessage>();
    assert_eq!(slave.peer.rest(), [""; 0]);
}

#[test]
fn a_slave_that_comes_back_is_offered_again_and_told_of_what_ended() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let framework = world.framework_with("f", checkpointing());
    world.launch(&framework, &slave, "t");
    let message = reregister(
        &slave,
        vec![task_message(&slave, framework.id.as_str(), "t", TaskState::TaskRunning)],
    );
    slave.peer.exit();
    framework.call(call::Type::Teardown, Call::default());
    world.settle();
    world.allocator.calls();
    let back = world.peer("slave(1)");
    back.send(&message);
    world.settle();
    back.take::<SlaveReregisteredMessage>();
    let shutdown = back.take::<ShutdownFrameworkMessage>();
    assert_eq!(shutdown.framework_id.value, framework.id.as_str());
    assert_eq!(world.allocator.calls(), ["activate_slave m-S0"]);
    assert_eq!(world.metric("master/slaves_active"), 1.0);
    assert_eq!(world.metric("master/slave_reregistrations"), 0.0);
}

#[test]
fn master_test_orphan_tasks() {
    let world = World::new();
    let (slave, framework) = (world.peer("slave(1)"), world.framework("f"));
    let slave = Slave { id: "old-S0".into(), info: slave_info("cpus:4;mem:1024"), peer: slave };
    let tasks = vec![
        task_message(&slave, "old-0000", "orphan", TaskState::TaskRunning),
        task_message(&slave, framework.id.as_str(), "known", TaskState::TaskRunning),
    ];
    slave.peer.send(&reregister(&slave, tasks));
    world.settle();
    let reregistered = slave.peer.take::<SlaveReregisteredMessage>();
    assert!(reregistered.reconciliations.is_empty());
    slave.peer.take::<UpdateFrameworkMessage>();
    assert_eq!(world.ask(|cluster| cluster.orphan_tasks().count()), 1);
    assert_eq!(world.metric("master/tasks_running"), 2.0);
    assert_eq!(world.metric("master/slave_reregistrations"), 1.0);
    let call = world.allocator.calls().pop().expect("added");
    let used = "cpus(*):1; mem(*):32";
    let expected = format!("add_slave old-S0 cpus(*):4; mem(*):1024 m-0000={used} old-0000={used}");
    assert_eq!(call, expected);
}

#[test]
fn partition_test_partitioned_slave() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let framework = world.framework_with("f", checkpointing());
    world.launch(&framework, &slave, "t");
    let pings = libprocess::testing::Intercept::<PingSlaveMessage>::of(&world.runtime).count();
    for _ in 0..4 {
        world.advance(15.0);
    }
    assert_eq!(pings.count(), 4);
    assert!(slave.peer.find::<ShutdownMessage>().is_none());
    world.advance(15.0);
    assert_eq!(slave.peer.take::<ShutdownMessage>().message(), "health check timed out");
    let lost = (TaskState::TaskLost, "Slave host removed: health check timed out".to_owned());
    assert_eq!(framework.status(), lost);
    assert_eq!(framework.peer.take::<LostSlaveMessage>().slave_id.value, "m-S0");
    for name in ["", "/reason_unhealthy"] {
        assert_eq!(world.metric(&format!("master/slave_removals{name}")), 1.0);
    }
    assert_eq!(world.metric("master/slave_shutdowns_scheduled"), 1.0);
    assert_eq!(world.metric("master/slave_shutdowns_completed"), 1.0);
    assert_eq!(world.metric("master/task_lost/source_master/reason_slave_removed"), 1.0);
}

#[test]
fn partition_test_partitioned_slave_reregistration() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    slave.peer.send(&UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    slave.peer.send(&reregister(&slave, Vec::new()));
    world.settle();
    let shutdown = slave.peer.take::<ShutdownMessage>();
    assert_eq!(shutdown.message(), "Slave attempted to re-register after removal");
}

#[test]
fn partition_test_partitioned_slave_status_updates() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    slave.peer.send(&UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    slave.update(&framework, &"t".into(), TaskState::TaskRunning, 1);
    world.settle();
    let shutdown = slave.peer.take::<ShutdownMessage>();
    assert_eq!(shutdown.message(), "Status update from unknown slave");
    assert_eq!(world.metric("master/invalid_status_updates"), 1.0);
    assert!(framework.peer.find::<StatusUpdateMessage>().is_none());
}

#[test]
fn partition_test_partitioned_slave_exited_executor() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    slave.peer.send(&UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    slave.peer.send(&ExitedExecutorMessage {
        slave_id: (&slave.id).into(),
        framework_id: (&framework.id).into(),
        executor_id: ExecutorId { value: "e".to_owned() },
        status: 0,
    });
    world.settle();
    let shutdown = slave.peer.take::<ShutdownMessage>();
    assert_eq!(shutdown.message(), "Executor exited message from unknown slave");
    assert_eq!(framework.peer.rest(), ["LostSlaveMessage"]);
}

#[test]
fn master_slave_reconciliation_test_slave_reregister_terminal_task() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    // Its update is on its way when it comes back.
    let finished = task_message(&slave, framework.id.as_str(), "t", TaskState::TaskFinished);
    slave.peer.send(&reregister(&slave, vec![finished]));
    world.settle();
    slave.peer.take::<SlaveReregisteredMessage>();
    assert!(framework.peer.find::<StatusUpdateMessage>().is_none());
    slave.update(&framework, &task, TaskState::TaskFinished, 1);
    world.settle();
    assert_eq!(framework.status().0, TaskState::TaskFinished);
    assert_eq!(framework.peer.rest(), [""; 0]);
}

/// Answers the next ping of an observer.
fn pong(world: &World, slave: &Slave, seconds: f64) {
    let ping = libprocess::testing::Intercept::<PingSlaveMessage>::of(&world.runtime).next();
    world.advance(seconds);
    let observer = libprocess::testing::wait(ping).from;
    let body = prost::Message::encode_to_vec(&PongSlaveMessage {}).into();
    world.runtime.post(slave.peer.upid(), &observer, "mesos.internal.PongSlaveMessage", body);
    world.settle();
}

#[test]
fn a_pong_starts_the_count_again() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    for _ in 0..10 {
        pong(&world, &slave, 15.0);
    }
    assert_eq!(world.metric("master/slaves_connected"), 1.0);
    assert_eq!(world.metric("master/slave_shutdowns_scheduled"), 0.0);
}

#[test]
fn slave_test_rate_limit_slave_shutdown() {
    let interval = Some(Duration::from_secs(100));
    let config = master::Config { slave_removal_interval: interval, ..Default::default() };
    let world = World::with(config);
    let (one, two) = (world.slave("slave(1)"), world.slave("slave(2)"));
    for _ in 0..5 {
        world.advance(15.0);
    }
    // The first at once, the second in its turn.
    assert_eq!(world.metric("master/slave_shutdowns_scheduled"), 2.0);
    assert_eq!(world.metric("master/slave_shutdowns_completed"), 1.0);
    let removed = |slave: &Slave| slave.peer.find::<ShutdownMessage>().is_some();
    let (first, second) = (removed(&one), removed(&two));
    assert_ne!(first, second);
    for _ in 0..7 {
        world.advance(15.0);
    }
    assert_eq!(world.metric("master/slave_shutdowns_completed"), 2.0);
    assert_eq!(world.metric("master/slave_removals"), 2.0);
}

#[test]
fn slave_test_cancel_slave_shutdown() {
    let interval = Some(Duration::from_secs(1000));
    let config = master::Config { slave_removal_interval: interval, ..Default::default() };
    let world = World::with(config);
    let first = world.slave("slave(1)");
    for _ in 0..5 {
        world.advance(15.0);
    }
    first.peer.take::<ShutdownMessage>();
    let slave = world.slave("slave(2)");
    for _ in 0..5 {
        world.advance(15.0);
    }
    assert_eq!(world.metric("master/slave_shutdowns_scheduled"), 2.0);
    pong(&world, &slave, 15.0);
    assert_eq!(world.metric("master/slave_shutdowns_canceled"), 1.0);
    assert_eq!(world.metric("master/slaves_connected"), 1.0);
}

#[test]
fn only_a_slave_itself_unregisters() {
    let world = World::new();
    let (slave, other) = (world.slave("slave(1)"), world.slave("slave(2)"));
    let framework = world.framework("f");
    other.peer.send(&UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    world.settle();
    assert_eq!(world.metric("master/slaves_active"), 2.0);
    slave.peer.send(&UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    world.settle();
    assert_eq!(world.metric("master/slaves_active"), 1.0);
    assert_eq!(world.metric("master/slave_removals/reason_unregistered"), 1.0);
    assert_eq!(framework.peer.take::<LostSlaveMessage>().slave_id.value, slave.id.as_str());
}

#[test]
fn a_slave_from_elsewhere_is_another() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let mut message = reregister(&slave, Vec::new());
    message.slave.hostname = "other".to_owned();
    slave.peer.send(&message);
    world.settle();
    let shutdown = slave.peer.take::<ShutdownMessage>();
    assert_eq!(shutdown.message(), "Slave attempted to re-register with different IP / hostname");
}

#[test]
fn what_a_slave_lends_out_replaces_what_it_lent() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let revocable = |text: &str| {
        let mut resources = parse(text).to_messages();
        resources.iter_mut().for_each(|r| r.revocable = Some(RevocableInfo::default()));
        resources
    };
    let update = |resources| UpdateSlaveMessage {
        slave_id: (&slave.id).into(),
        oversubscribed_resources: resources,
    };
    slave.peer.send(&update(revocable("cpus:2")));
    world.settle();
    assert_eq!(world.metric("master/cpus_revocable_total"), 2.0);
    let offers = [(slave.id.clone(), Resources::from(&revocable("cpus:1")))].into();
    world.allocator.offer(framework.id.clone(), offers);
    world.offer(&framework, &slave, "cpus:1");
    world.allocator.calls();
    slave.peer.send(&update(revocable("cpus:1")));
    world.settle();
    framework.peer.take::<RescindResourceOfferMessage>();
    assert!(framework.peer.find::<RescindResourceOfferMessage>().is_none());
    let expected =
        ["recover_resources m-0000 m-S0 cpus(*){REV}:1", "update_slave m-S0 cpus(*){REV}:1"];
    assert_eq!(world.allocator.calls(), expected);
    assert_eq!(world.metric("master/cpus_revocable_total"), 1.0);
    assert_eq!(world.metric("master/cpus_total"), 4.0);
}

#[test]
fn a_removed_slave_is_shut_down_whatever_it_says() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    slave.peer.send(&UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    world.settle();
    slave.peer.send(&UpdateSlaveMessage {
        slave_id: (&slave.id).into(),
        oversubscribed_resources: Vec::new(),
    });
    world.settle();
    let shutdown = slave.peer.take::<ShutdownMessage>();
    assert_eq!(shutdown.message(), "Update slave message from unknown slave");
    assert!(world.ask(|cluster| cluster.slaves.is_removed(&SlaveId::from("m-S0"))));
}
