//! Frameworks: how they come, come back, fail over, fall silent and end.

use common::ids::FrameworkId;
use proto::mesos::framework_info::Capability;
use proto::mesos::internal::{
    DeactivateFrameworkMessage, FrameworkErrorMessage, FrameworkRegisteredMessage,
    FrameworkReregisteredMessage, RegisterFrameworkMessage, ReregisterFrameworkMessage,
    RescindResourceOfferMessage, ShutdownFrameworkMessage, StatusUpdateAcknowledgementMessage,
    StatusUpdateMessage, UnregisterFrameworkMessage, UpdateFrameworkMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{FrameworkInfo, Label, Labels, TaskState};

use crate::slaves::{reregister, task_message};
use crate::test_util::{Framework, Peer, Slave, World, framework_info, slave_info};

fn reregister_framework(info: FrameworkInfo, failover: bool) -> ReregisterFrameworkMessage {
    ReregisterFrameworkMessage { framework: info, failover }
}

fn error(peer: &Peer) -> String {
    peer.take::<FrameworkErrorMessage>().message
}

fn patient(failover_timeout: f64) -> FrameworkInfo {
    FrameworkInfo { failover_timeout: Some(failover_timeout), ..framework_info() }
}

#[test]
fn a_framework_registers_once() {
    let world = World::new();
    let peer = world.peer("scheduler");
    for _ in 0..2 {
        peer.send(&RegisterFrameworkMessage { framework: framework_info() });
    }
    let subscribe = call::Subscribe { framework_info: framework_info(), force: None };
    let mut call = Call { subscribe: Some(subscribe), ..Call::default() };
    call.set_type(call::Type::Subscribe);
    peer.send(&call);
    world.settle();
    for _ in 0..3 {
        let registered = peer.take::<FrameworkRegisteredMessage>();
        assert_eq!(registered.framework_id.value, "m-0000");
        assert_eq!(registered.master_info, world.info);
    }
    assert_eq!(world.metric("master/messages_register_framework"), 2.0);
    assert_eq!(world.metric("master/frameworks_active"), 1.0);
    assert_eq!(world.allocator.calls(), ["recover 0", "add_framework m-0000"]);
}

#[test]
fn subscriptions_are_refused_with_upstreams_words() {
    let roles = Some(["*".to_owned(), "a".to_owned()].into());
    let config = master::Config { roles, root_submissions: false, ..Default::default() };
    let world = World::with(config);
    let check = |id: &str, info: FrameworkInfo, expected: &str| {
        let peer = world.peer(id);
        peer.send(&RegisterFrameworkMessage { framework: info });
        world.settle();
        assert_eq!(error(&peer), expected);
        assert_eq!(peer.rest(), [""; 0]);
    };
    let with_role = FrameworkInfo { role: Some("b".to_owned()), ..framework_info() };
    check("1", with_role, "Role 'b' is not present in the master's --roles");
    let root = FrameworkInfo { user: "root".to_owned(), ..framework_info() };
    let text = "User 'root' is not allowed to run frameworks without --root_submissions set";
    check("2", root, text);
    let with_id = FrameworkInfo { id: Some(FrameworkId::from("x").into()), ..framework_info() };
    check("3", with_id, "Registering with 'id' already set");
    let peer = world.peer("4");
    peer.send(&reregister_framework(framework_info(), false));
    world.settle();
    assert_eq!(error(&peer), "Re-registering without an 'id'");
}

#[test]
fn fault_tolerance_test_scheduler_failover() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    world.offer(&framework, &slave, "cpus:1");
    let other = world.peer("g");
    world.allocator.calls();
    other.send(&reregister_framework(framework.known_info(), true));
    world.settle();
    assert_eq!(error(&framework.peer), "Framework failed over");
    // Its offers are gone without a word.
    assert_eq!(framework.peer.rest(), [""; 0]);
    assert_eq!(other.take::<FrameworkRegisteredMessage>().framework_id.value, "m-0000");
    let update = slave.peer.take::<UpdateFrameworkMessage>();
    assert_eq!(update.pid, Some(other.upid().to_string()));
    let expected = ["update_framework m-0000", "recover_resources m-0000 m-S0 cpus(*):1"];
    assert_eq!(world.allocator.calls(), expected);
    // The old one has nothing to say any more.
    framework.call(call::Type::Teardown, Call::default());
    framework.peer.exit();
    world.settle();
    assert_eq!(world.metric("master/frameworks_active"), 1.0);
}

#[test]
fn fault_tolerance_test_scheduler_failover_retried_reregistration() {
    let world = World::new();
    let framework = world.framework("f");
    let other = world.peer("g");
    for _ in 0..2 {
        other.send(&reregister_framework(framework.known_info(), true));
        world.settle();
        other.take::<FrameworkRegisteredMessage>();
    }
    assert_eq!(other.rest(), [""; 0]);
}

#[test]
fn fault_tolerance_test_scheduler_failover_status_update() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    let task = world.launch(&framework, &slave, "t");
    let other = world.peer("g");
    other.send(&reregister_framework(framework.known_info(), true));
    slave.update(&framework, &task, TaskState::TaskRunning, 1);
    world.settle();
    // The new one has it, and its answer reaches the slave.
    let update = other.take::<StatusUpdateMessage>().update;
    assert_eq!(update.status.state(), TaskState::TaskRunning);
    assert!(framework.peer.find::<StatusUpdateMessage>().is_none());
    let successor = Framework { peer: other, ..framework };
    successor.acknowledge(&slave, &task, &[1; 16]);
    world.settle();
    slave.peer.take::<StatusUpdateAcknowledgementMessage>();
}

#[test]
fn fault_tolerance_test_scheduler_reregister_after_unregistration() {
    let world = World::new();
    let framework = world.framework("f");
    framework.peer.send(&UnregisterFrameworkMessage { framework_id: (&framework.id).into() });
    framework.peer.send(&reregister_framework(framework.known_info(), true));
    world.settle();
    assert_eq!(error(&framework.peer), "Framework has been removed");
}

#[test]
fn the_newcomer_is_refused_unless_it_insists() {
    let world = World::new();
    let framework = world.framework("f");
    let other = world.peer("g");
    other.send(&reregister_framework(framework.known_info(), false));
    world.settle();
    assert_eq!(error(&other), "Framework failed over");
    assert_eq!(framework.peer.rest(), [""; 0]);
}

#[test]
fn fault_tolerance_test_framework_reregister() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    world.offer(&framework, &slave, "cpus:1");
    world.advance(10.0);
    framework.peer.send(&reregister_framework(framework.known_info(), false));
    world.settle();
    framework.peer.take::<RescindResourceOfferMessage>();
    let reregistered = framework.peer.take::<FrameworkReregisteredMessage>();
    assert_eq!(reregistered.framework_id.value, "m-0000");
    assert!(slave.peer.find::<UpdateFrameworkMessage>().is_none());
    let times = world.ask(|cluster| {
        let framework = cluster.frameworks.iter().next().expect("one");
        framework.reregistered_time.since(framework.registered_time).as_secs()
    });
    assert_eq!(times, 10);
}

#[test]
fn a_framework_that_came_back_is_linked_again() {
    let world = World::new();
    let framework = world.framework_with("f", patient(1000.0));
    framework.peer.exit();
    world.settle();
    assert_eq!(world.metric("master/frameworks_disconnected"), 1.0);
    let peer = world.peer("f");
    peer.send(&reregister_framework(framework.known_info(), false));
    world.settle();
    peer.take::<FrameworkReregisteredMessage>();
    assert_eq!(world.metric("master/frameworks_active"), 1.0);
    peer.exit();
    world.settle();
    assert_eq!(world.metric("master/frameworks_disconnected"), 1.0);
}

#[test]
fn fault_tolerance_test_framework_registers_with_new_master_by_its_old_id() {
    let world = World::new();
    let slave = Slave {
        id: "old-S0".into(),
        info: slave_info("cpus:4;mem:1024"),
        peer: world.peer("slave(1)"),
    };
    let task = task_message(&slave, "old-0000", "t", TaskState::TaskRunning);
    slave.peer.send(&reregister(&slave, vec![task]));
    world.settle();
    slave.peer.forget();
    world.allocator.calls();
    let peer = world.peer("f");
    let id = FrameworkId::from("old-0000");
    let info = FrameworkInfo { id: Some((&id).into()), ..framework_info() };
    peer.send(&reregister_framework(info.clone(), false));
    world.settle();
    assert_eq!(peer.take::<FrameworkRegisteredMessage>().framework_id.value, "old-0000");
    let update = slave.peer.take::<UpdateFrameworkMessage>();
    assert_eq!(update.pid, Some(peer.upid().to_string()));
    assert_eq!(world.ask(|cluster| cluster.orphan_tasks().count()), 0);
    let used = "add_framework old-0000 old-S0=cpus(*):1; mem(*):32";
    assert_eq!(world.allocator.calls(), [used]);
    // Its tasks are its own again.
    let framework = Framework { id, info, peer };
    slave.update(&framework, &"t".into(), TaskState::TaskFinished, 1);
    world.settle();
    assert_eq!(framework.status().0, TaskState::TaskFinished);
}

#[test]
fn fault_tolerance_test_update_framework_info_on_scheduler_failover() {
    let world = World::new();
    let framework = world.framework("f");
    let labels = Labels { labels: vec![Label { key: "k".to_owned(), value: None }] };
    let info = FrameworkInfo {
        user: "other".to_owned(),
        name: "new".to_owned(),
        role: Some("other".to_owned()),
        checkpoint: Some(true),
        principal: Some("other".to_owned()),
        failover_timeout: Some(7.0),
        hostname: Some("h".to_owned()),
        webui_url: Some("u".to_owned()),
        capabilities: vec![Capability { r#type: Some(1) }],
        labels: Some(labels),
        ..framework.known_info()
    };
    framework.peer.send(&reregister_framework(info.clone(), true));
    world.settle();
    let kept = world.ask(|cluster| (*cluster.frameworks.iter().next().expect("one").info).clone());
    let expected = FrameworkInfo {
        user: framework.info.user.clone(),
        role: None,
        checkpoint: None,
        principal: None,
        ..info
    };
    assert_eq!(kept, expected);
}

#[test]
fn fault_tolerance_test_scheduler_reregister_after_failover_timeout() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework_with("f", patient(10.0)));
    world.launch(&framework, &slave, "t");
    world.offer(&framework, &slave, "cpus:1");
    world.allocator.calls();
    framework.peer.exit();
    world.settle();
    let expected = ["deactivate_framework m-0000", "recover_resources m-0000 m-S0 cpus(*):1"];
    assert_eq!(world.allocator.calls(), expected);
    world.advance(9.0);
    assert_eq!(world.metric("master/frameworks_disconnected"), 1.0);
    world.advance(1.0);
    assert_eq!(world.metric("master/frameworks_disconnected"), 0.0);
    let shutdown = slave.peer.take::<ShutdownFrameworkMessage>();
    assert_eq!(shutdown.framework_id.value, framework.id.as_str());
    let calls = ["recover_resources m-0000 m-S0 cpus(*):1; mem(*):32", "remove_framework m-0000"];
    assert_eq!(world.allocator.calls(), calls);
    assert_eq!(world.metric("master/tasks_killed"), 1.0);
    let peer = world.peer("g");
    peer.send(&reregister_framework(framework.known_info(), true));
    world.settle();
    assert_eq!(error(&peer), "Framework has been removed");
}

#[test]
fn a_framework_without_patience_ends_with_its_scheduler() {
    let world = World::new();
    let framework = world.framework("f");
    framework.peer.exit();
    world.settle();
    world.advance(0.001);
    let id = framework.id.clone();
    assert!(world.ask(move |cluster| cluster.frameworks.completed.contains(&id)));
    // Whatever it says of how patient it is.
    let forever = world.framework_with("g", patient(1e300));
    forever.peer.exit();
    world.settle();
    world.advance(0.001);
    assert_eq!(world.ask(|cluster| cluster.frameworks.len()), 0);
}

#[test]
fn a_framework_that_was_back_meanwhile_is_waited_for_anew() {
    let world = World::new();
    let framework = world.framework_with("f", patient(10.0));
    framework.peer.exit();
    world.settle();
    world.advance(5.0);
    let peer = world.peer("f");
    peer.send(&reregister_framework(framework.known_info(), true));
    world.settle();
    peer.exit();
    world.settle();
    world.advance(6.0);
    assert_eq!(world.ask(|cluster| cluster.frameworks.len()), 1);
    world.advance(4.0);
    assert_eq!(world.ask(|cluster| cluster.frameworks.len()), 0);
}

#[test]
fn master_test_shutdown_framework_while_task_running() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    world.launch(&framework, &slave, "t");
    let stranger = world.peer("stranger");
    let unregister = UnregisterFrameworkMessage { framework_id: (&framework.id).into() };
    stranger.send(&unregister);
    world.settle();
    assert!(slave.peer.find::<ShutdownFrameworkMessage>().is_none());
    framework.peer.send(&unregister);
    world.settle();
    slave.peer.take::<ShutdownFrameworkMessage>();
    // The scheduler is told nothing.
    assert_eq!(framework.peer.rest(), [""; 0]);
    assert_eq!(world.metric("master/messages_unregister_framework"), 1.0);
    let killed = "master/task_killed/source_master/reason_framework_removed";
    assert_eq!(world.metric(killed), 1.0);
    let id = framework.id.clone();
    let completed = world.ask(move |cluster| {
        let framework = cluster.frameworks.completed.iter().find(|f| f.id == id).expect("ended");
        (framework.active, framework.completed_tasks.len(), framework.unregistered_time.is_some())
    });
    // It stays active, as upstream leaves it.
    assert_eq!(completed, (true, 1, true));
}

#[test]
fn master_test_max_completed_frameworks_flag() {
    let mut config = master::Config::default();
    config.limits.completed_frameworks_max = 1;
    let world = World::with(config);
    for id in ["f", "g"] {
        let framework = world.framework(id);
        framework.call(call::Type::Teardown, Call::default());
        world.settle();
    }
    let completed = world.ask(|cluster| {
        cluster.frameworks.completed.iter().map(|f| f.id.to_string()).collect::<Vec<_>>()
    });
    assert_eq!(completed, ["m-0001"]);
}

#[test]
fn exception_test_deactivate_framework_on_abort() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("f"));
    world.offer(&framework, &slave, "cpus:1");
    framework.peer.send(&DeactivateFrameworkMessage { framework_id: (&framework.id).into() });
    world.settle();
    framework.peer.take::<RescindResourceOfferMessage>();
    assert_eq!(world.metric("master/frameworks_inactive"), 1.0);
    assert_eq!(world.metric("master/frameworks_connected"), 1.0);
    world.advance(1000.0);
    assert_eq!(world.metric("master/frameworks_connected"), 1.0);
    assert!(framework.peer.find::<StatusUpdateMessage>().is_none());
}
