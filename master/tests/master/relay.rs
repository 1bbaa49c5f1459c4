//! What frameworks and executors tell each other through the master.

use proto::mesos::internal::{
    ExecutorToFrameworkMessage, ExitedExecutorMessage, FrameworkToExecutorMessage,
    ShutdownExecutorMessage, SubmitSchedulerRequest, SubmitSchedulerResponse,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{self, CommandInfo, ExecutorInfo, TaskInfo};

use crate::test_util::{Framework, Slave, World, command_task, launch, parse};

fn executor_id() -> mesos::ExecutorId {
    mesos::ExecutorId { value: "e".to_owned() }
}

fn with_executor(world: &World, framework: &Framework, slave: &Slave) {
    let executor = ExecutorInfo {
        executor_id: executor_id(),
        command: Some(CommandInfo::default()),
        resources: parse("cpus:1;mem:32").to_messages(),
        ..ExecutorInfo::default()
    };
    let task = TaskInfo { command: None, executor: Some(executor), ..command_task("t", &slave.id) };
    let offer = world.offer(framework, slave, "cpus:2;mem:64");
    framework.accept(&[&offer], vec![launch(vec![task])]);
    world.settle();
}

#[test]
fn master_test_framework_message() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let old = FrameworkToExecutorMessage {
        slave_id: (&slave.id).into(),
        framework_id: (&framework.id).into(),
        executor_id: executor_id(),
        data: "old".into(),
    };
    framework.peer.send(&old);
    let message = call::Message {
        slave_id: (&slave.id).into(),
        executor_id: executor_id(),
        data: "new".into(),
    };
    let call = Call { message: Some(message), ..Call::default() };
    framework.call(call::Type::Message, call.clone());
    world.settle();
    assert_eq!(slave.peer.take::<FrameworkToExecutorMessage>(), old);
    assert_eq!(slave.peer.take::<FrameworkToExecutorMessage>().data, "new");
    let answer = ExecutorToFrameworkMessage {
        slave_id: (&slave.id).into(),
        framework_id: (&framework.id).into(),
        executor_id: executor_id(),
        data: "back".into(),
    };
    slave.peer.send(&answer);
    world.settle();
    assert_eq!(framework.peer.take::<ExecutorToFrameworkMessage>(), answer);
    slave.peer.exit();
    world.settle();
    framework.call(call::Type::Message, call);
    world.settle();
    assert_eq!(world.metric("master/valid_framework_to_executor_messages"), 2.0);
    assert_eq!(world.metric("master/invalid_framework_to_executor_messages"), 1.0);
    assert_eq!(world.metric("master/valid_executor_to_framework_messages"), 1.0);
}

#[test]
fn fault_tolerance_test_reregister_framework_exited_executor() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    with_executor(&world, &framework, &slave);
    world.allocator.calls();
    let exited = ExitedExecutorMessage {
        slave_id: (&slave.id).into(),
        framework_id: (&framework.id).into(),
        executor_id: executor_id(),
        status: 256,
    };
    slave.peer.send(&exited);
    slave.peer.send(&exited);
    world.settle();
    assert_eq!(framework.peer.take::<ExitedExecutorMessage>(), exited);
    // The second is of an executor that is unknown by then.
    assert!(framework.peer.find::<ExitedExecutorMessage>().is_none());
    let freed = format!("recover_resources {} {} cpus(*):1; mem(*):32", framework.id, slave.id);
    assert_eq!(world.allocator.calls(), [freed]);
    assert_eq!(world.metric("master/messages_exited_executor"), 2.0);
}

#[test]
fn an_executor_is_shut_down_by_its_framework() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let shutdown = |slave_id: mesos::SlaveId| {
        let shutdown = call::Shutdown { executor_id: executor_id(), slave_id };
        framework.call(call::Type::Shutdown, Call { shutdown: Some(shutdown), ..Call::default() });
        world.settle();
    };
    shutdown(mesos::SlaveId { value: "gone".to_owned() });
    assert!(slave.peer.find::<ShutdownExecutorMessage>().is_none());
    shutdown((&slave.id).into());
    let message = slave.peer.take::<ShutdownExecutorMessage>();
    assert_eq!(message.executor_id, Some(executor_id()));
    assert_eq!(message.framework_id, Some((&framework.id).into()));
}

#[test]
fn schedulers_are_not_run_for_anybody() {
    let world = World::new();
    let peer = world.peer("p");
    peer.send(&SubmitSchedulerRequest { name: "x".to_owned() });
    world.settle();
    assert!(!peer.take::<SubmitSchedulerResponse>().okay);
}
