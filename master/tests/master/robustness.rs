//! One bad message must not end a master: what ends upstream's, and what lacks a part.

use common::ids::FrameworkId;
use proto::mesos::internal::{
    AuthenticateMessage, AuthenticationErrorMessage, FrameworkErrorMessage,
    FrameworkRegisteredMessage, RegisterFrameworkMessage, RegisterSlaveMessage,
    ReregisterFrameworkMessage, ReregisterSlaveMessage, ShutdownMessage, SlaveReregisteredMessage,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage, UnregisterSlaveMessage,
    UpdateSlaveMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{self, ExecutorInfo, FrameworkInfo, TaskState};

use crate::slaves::{reregister, task_message};
use crate::test_util::{Slave, World, framework_info, parse, slave_info};

#[test]
fn a_uuid_that_is_none_is_refused() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    for bytes in [0, 3, 15, 17, 4096] {
        let uuid = vec![1; bytes];
        framework.acknowledge(&slave, &task, &uuid);
        framework.peer.send(&StatusUpdateAcknowledgementMessage {
            slave_id: (&slave.id).into(),
            framework_id: (&framework.id).into(),
            task_id: (&task).into(),
            uuid: uuid.clone().into(),
        });
        let mut update = slave.status_update(&framework, &task, TaskState::TaskFinished, 1);
        update.uuid = Some(uuid.into());
        slave.peer.send(&StatusUpdateMessage { update, pid: Some(slave.peer.upid().to_string()) });
    }
    world.settle();
    assert_eq!(slave.peer.find::<StatusUpdateAcknowledgementMessage>(), None);
    assert_eq!(framework.peer.rest(), [""; 0]);
    assert_eq!(world.metric("master/invalid_status_updates"), 5.0);
    assert_eq!(world.metric("master/tasks_staging"), 1.0);
}

#[test]
fn a_second_framework_of_one_pid_is_refused() {
    let world = World::new();
    let framework = world.framework("f");
    for (id, failover) in [("x-0000", false), ("x-0000", true)] {
        let id = Some(FrameworkId::from(id).into());
        let info = FrameworkInfo { id, ..framework_info() };
        framework.peer.send(&ReregisterFrameworkMessage { framework: info, failover });
        world.settle();
        let error = framework.peer.take::<FrameworkErrorMessage>().message;
        let expected = format!("Another framework is subscribed from {}", framework.peer.upid());
        assert_eq!(error, expected);
    }
    // Nor does a framework move to where another is.
    let other = world.framework("g");
    let info = framework.known_info();
    other.peer.send(&ReregisterFrameworkMessage { framework: info, failover: true });
    world.settle();
    other.peer.take::<FrameworkErrorMessage>();
    assert_eq!(world.metric("master/frameworks_active"), 2.0);
}

#[test]
fn a_framework_id_that_is_a_path_is_refused() {
    let world = World::new();
    for (peer, id) in [("1", ".."), ("2", "a/b"), ("3", "a\0b")] {
        let peer = world.peer(peer);
        let info = FrameworkInfo { id: Some(FrameworkId::from(id).into()), ..framework_info() };
        peer.send(&ReregisterFrameworkMessage { framework: info, failover: false });
        world.settle();
        let error = peer.take::<FrameworkErrorMessage>().message;
        assert!(error.starts_with("FrameworkID '"), "{error}");
    }
}

#[test]
fn checkpointed_resources_that_do_not_fit_are_refused() {
    let world = World::new();
    let reserved = parse("cpus(role):9").to_messages();
    let mut dynamic = parse("cpus(role):9").to_messages();
    dynamic[0].reservation = Some(mesos::resource::ReservationInfo::default());
    for (id, checkpointed_resources) in [("slave(1)", reserved), ("slave(2)", dynamic)] {
        let peer = world.peer(id);
        let slave = slave_info("cpus:1");
        peer.send(&RegisterSlaveMessage {
            slave: slave.clone(),
            checkpointed_resources: checkpointed_resources.clone(),
            version: None,
        });
        world.settle();
        let shutdown = peer.take::<ShutdownMessage>();
        let start = "Slave has invalid checkpointed resources: ";
        assert!(shutdown.message().starts_with(start), "{shutdown:?}");
        let slave =
            mesos::SlaveInfo { id: Some(mesos::SlaveId { value: format!("old-{id}") }), ..slave };
        peer.send(&ReregisterSlaveMessage {
            slave,
            checkpointed_resources,
            ..ReregisterSlaveMessage::default()
        });
        world.settle();
        assert!(peer.take::<ShutdownMessage>().message().starts_with(start));
        assert_eq!(peer.rest(), [""; 0]);
    }
    assert_eq!(world.metric("master/slaves_active"), 0.0);
}

#[test]
fn what_a_returning_slave_lists_twice_or_without_owner_is_left_out() {
    let world = World::new();
    let slave = Slave {
        id: "old-S0".into(),
        info: slave_info("cpus:4;mem:1024"),
        peer: world.peer("slave(1)"),
    };
    let executor = |framework: Option<&str>| ExecutorInfo {
        executor_id: mesos::ExecutorId { value: "e".to_owned() },
        framework_id: framework.map(|id| mesos::FrameworkId { value: id.to_owned() }),
        resources: parse("cpus:1").to_messages(),
        ..ExecutorInfo::default()
    };
    let mut foreign = task_message(&slave, "f", "foreign", TaskState::TaskRunning);
    foreign.slave_id.value = "another".to_owned();
    let task = task_message(&slave, "f", "t", TaskState::TaskRunning);
    let message = ReregisterSlaveMessage {
        executor_infos: vec![executor(None), executor(Some("f")), executor(Some("f"))],
        ..reregister(&slave, vec![task.clone(), task, foreign])
    };
    slave.peer.send(&message);
    world.settle();
    slave.peer.take::<SlaveReregisteredMessage>();
    assert_eq!(world.metric("master/cpus_used"), 2.0);
    // The same to the master that knows it.
    slave.peer.send(&message);
    world.settle();
    slave.peer.take::<SlaveReregisteredMessage>();
    assert_eq!(world.metric("master/cpus_used"), 2.0);
}

#[test]
fn a_slave_without_an_id_cannot_come_back() {
    let world = World::new();
    let peer = world.peer("slave(1)");
    let slave = slave_info("cpus:1");
    peer.send(&ReregisterSlaveMessage { slave, ..ReregisterSlaveMessage::default() });
    world.settle();
    let shutdown = peer.take::<ShutdownMessage>();
    assert_eq!(shutdown.message(), "Slave attempted to re-register without an id");
}

#[test]
fn only_a_slave_itself_lends_out_and_only_what_is_revocable() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let update = UpdateSlaveMessage {
        slave_id: (&slave.id).into(),
        oversubscribed_resources: parse("cpus:9").to_messages(),
    };
    world.peer("stranger").send(&update);
    world.settle();
    world.allocator.calls();
    slave.peer.send(&update);
    world.settle();
    assert_eq!(world.allocator.calls(), ["update_slave m-S0 "]);
    assert_eq!(world.metric("master/cpus_total"), 4.0);
}

#[test]
fn a_slave_on_another_port_is_the_same_one() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let moved = world.peer("slave(9)");
    moved.send(&reregister(&slave, Vec::new()));
    world.settle();
    moved.take::<SlaveReregisteredMessage>();
    // The end of the old one means nothing any more.
    slave.peer.exit();
    world.settle();
    assert_eq!(world.metric("master/slaves_active"), 1.0);
    let ping = libprocess::testing::Intercept::of(&world.runtime).to(moved.upid());
    let ping = ping.next();
    world.advance(15.0);
    let ping: libprocess::testing::Caught<proto::mesos::internal::PingSlaveMessage> =
        libprocess::testing::wait(ping);
    assert!(ping.message.connected);
    moved.send(&UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    world.settle();
    assert_eq!(world.metric("master/slaves_active"), 0.0);
    moved.send(&RegisterSlaveMessage { slave: slave_info("cpus:1"), ..Default::default() });
    world.settle();
    assert_eq!(world.metric("master/slaves_active"), 1.0);
}

#[test]
fn a_slave_where_another_was_takes_its_place() {
    let world = World::new();
    let slave = world.slave("slave(1)");
    let other = Slave { id: "old-S7".into(), info: slave.info.clone(), peer: slave.peer };
    other.peer.send(&reregister(&other, Vec::new()));
    world.settle();
    other.peer.take::<SlaveReregisteredMessage>();
    let ids = world
        .ask(|cluster| cluster.slaves.iter().map(|slave| slave.id.to_string()).collect::<Vec<_>>());
    assert_eq!(ids, ["old-S7"]);
}

#[test]
fn calls_that_make_no_sense_are_dropped() {
    let world = World::new();
    let framework = world.framework("f");
    for number in 0..14 {
        let framework_id = Some((&framework.id).into());
        framework.peer.send(&Call { framework_id, r#type: number, ..Call::default() });
    }
    let stranger = world.peer("stranger");
    for id in ["m-0000", "unknown"] {
        let framework_id = Some(FrameworkId::from(id).into());
        let mut call = Call { framework_id, ..Call::default() };
        call.set_type(call::Type::Suppress);
        stranger.send(&call);
    }
    world.settle();
    assert_eq!(stranger.rest(), [""; 0]);
    let mut calls = world.allocator.calls();
    // Of all these only those that need nothing mean something.
    calls.retain(|call| call.ends_with("_offers m-0000"));
    assert!(calls.len() <= 2, "{calls:?}");
}

#[test]
fn bytes_that_are_no_message_are_dropped() {
    let world = World::new();
    let peer = world.peer("p");
    for name in ["RegisterFrameworkMessage", "ReregisterSlaveMessage", "StatusUpdateMessage"] {
        for body in [&b""[..], b"\xff\xff\xff", b"\x0a\x7f"] {
            let name = format!("mesos.internal.{name}");
            let body = bytes::Bytes::from(body);
            world.runtime.post(peer.upid(), world.master.upid(), name, body);
        }
    }
    world.settle();
    peer.send(&RegisterFrameworkMessage { framework: framework_info() });
    world.settle();
    peer.take::<FrameworkRegisteredMessage>();
}

#[test]
fn nobody_is_authenticated() {
    let world = World::new();
    let peer = world.peer("p");
    peer.send(&AuthenticateMessage { pid: peer.upid().to_string() });
    world.settle();
    let error = peer.take::<AuthenticationErrorMessage>();
    assert_eq!(error.error.as_deref(), Some("No authenticator loaded"));
    assert_eq!(world.metric("master/messages_authenticate"), 1.0);
}

#[test]
fn a_tasks_name_on_two_slaves_confuses_nobody() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    let other = Slave {
        id: "old-S0".into(),
        info: slave_info("cpus:4;mem:1024"),
        peer: world.peer("slave(2)"),
    };
    let same = task_message(&other, framework.id.as_str(), "t", TaskState::TaskRunning);
    other.peer.send(&reregister(&other, vec![same]));
    world.settle();
    other.update(&framework, &task, TaskState::TaskFinished, 1);
    world.settle();
    assert_eq!(world.metric("master/cpus_used"), 1.0);
    framework.acknowledge(&other, &task, &[1; 16]);
    framework.call(call::Type::Teardown, Call::default());
    world.settle();
    assert_eq!(world.metric("master/cpus_used"), 0.0);
}
