//! Before a master leads, when it ceases to, and what an earlier one left.

use std::time::Duration;

use master::fatal::Fatal;
use master::registrar::{
    Admission, Answer, Operation, Registrar, RegistrarError, Strictness, Trouble,
};
use parking_lot::Mutex;
use proto::mesos::internal::{
    DeactivateFrameworkMessage, FrameworkRegisteredMessage, LostSlaveMessage,
    RegisterFrameworkMessage, RegisterSlaveMessage, Registry, ShutdownMessage,
    SlaveReregisteredMessage, registry,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{FrameworkId, MasterInfo, SlaveInfo};
use tokio::sync::oneshot;

use crate::slaves::reregister;
use crate::test_util::{Slave, World, framework_info, slave_info};

pub(crate) fn registry(slaves: &[&str]) -> Registry {
    let slave = |id: &&str| {
        let id = Some(proto::mesos::SlaveId { value: (*id).to_owned() });
        registry::Slave { info: SlaveInfo { id, ..slave_info("cpus:1;mem:64") } }
    };
    let slaves = Some(registry::Slaves { slaves: slaves.iter().map(slave).collect() });
    Registry { slaves, ..Registry::default() }
}

fn with_registry(slaves: &[&str], config: master::Config) -> World {
    World::start(config, registry(slaves), None)
}

#[test]
fn a_master_that_does_not_lead_says_nothing() {
    let world = World::standby(master::Config::default(), Registry::default(), None);
    let peer = world.peer("f");
    peer.send(&RegisterFrameworkMessage { framework: framework_info() });
    world.settle();
    assert_eq!(peer.rest(), [""; 0]);
    assert_eq!(world.metric("master/dropped_messages"), 1.0);
    assert_eq!(world.metric("master/elected"), 0.0);
    world.detector.appoint(Some(world.info.clone()));
    world.settle();
    peer.send(&RegisterFrameworkMessage { framework: framework_info() });
    world.settle();
    peer.take::<FrameworkRegisteredMessage>();
    assert_eq!(world.metric("master/elected"), 1.0);
}

#[test]
fn master_test_master_lost() {
    let check = |leader: Option<MasterInfo>| {
        let world = World::new();
        world.detector.appoint(leader);
        world.settle();
        assert_eq!(*world.fatal.lock(), [Fatal::LostLeadership]);
    };
    check(None);
    check(Some(MasterInfo { id: "other".to_owned(), ..MasterInfo::default() }));
}

#[test]
fn master_test_recovered_slave_reregisters() {
    let world = with_registry(&["old-S0"], master::Config::default());
    assert_eq!(world.allocator.calls(), ["recover 1"]);
    let slave = old_slave(&world);
    slave.peer.send(&reregister(&slave, Vec::new()));
    world.settle();
    slave.peer.take::<SlaveReregisteredMessage>();
    world.advance(600.0);
    assert_eq!(world.metric("master/recovery_slave_removals"), 0.0);
}

#[test]
fn master_test_non_strict_registry_write_only() {
    let world = with_registry(&["old-S0"], master::Config::default());
    let framework = world.framework("f");
    world.advance(600.0);
    assert_eq!(world.metric("master/recovery_slave_removals"), 1.0);
    assert_eq!(world.metric("master/slave_shutdowns_completed"), 1.0);
    // Nobody is told, and the slave may still come.
    assert!(framework.peer.find::<LostSlaveMessage>().is_none());
    assert!(!world.ask(|cluster| cluster.slaves.is_removed(&"old-S0".into())));
}

#[test]
fn master_test_rate_limit_recovered_slave_removal() {
    let interval = Some(Duration::from_secs(10));
    let config = master::Config { slave_removal_interval: interval, ..Default::default() };
    let world = with_registry(&["1", "2", "3"], config);
    world.advance(600.0);
    assert_eq!(world.metric("master/slave_shutdowns_scheduled"), 3.0);
    assert_eq!(world.metric("master/slave_shutdowns_completed"), 1.0);
    let slave = Slave { id: "3".into(), info: slave_info("cpus:1"), peer: world.peer("slave(1)") };
    slave.peer.send(&reregister(&slave, Vec::new()));
    world.advance(10.0);
    world.advance(10.0);
    assert_eq!(world.metric("master/slave_shutdowns_completed"), 2.0);
    assert_eq!(world.metric("master/slave_shutdowns_canceled"), 1.0);
}

#[test]
fn too_many_missing_slaves_end_the_master() {
    let config = master::Config { recovery_slave_removal_limit: 50.0, ..Default::default() };
    let world = with_registry(&["1", "2"], config);
    world.runtime.clock().advance(Duration::from_secs(600));
    world.settle_without_looking();
    let fatal = world.fatal.lock().first().map(ToString::to_string).expect("it ends");
    let start = "Post-recovery slave removal limit exceeded! After 10mins there were 2 (100%) \
                 slaves recovered from the registry that did not re-register: \n{ 1, 2 }\n ";
    assert!(fatal.starts_with(start), "{fatal}");
}

#[test]
fn master_test_strict_registry() {
    let config = master::Config { registry_strictness: Strictness::Strict, ..Default::default() };
    let world = with_registry(&["old-S0"], config);
    let framework = world.framework("f");
    world.advance(600.0);
    assert_eq!(world.metric("master/recovery_slave_removals"), 1.0);
    assert_eq!(world.metric("master/slave_removals/reason_unhealthy"), 1.0);
    assert_eq!(framework.peer.take::<LostSlaveMessage>().slave_id.value, "old-S0");
    assert_eq!(framework.peer.rest(), [""; 0]);
    // It comes too late, and another one was never admitted.
    for id in ["old-S0", "old-S1"] {
        let (info, peer) = (slave_info("cpus:1;mem:64"), world.peer(&format!("slave-{id}")));
        let slave = Slave { id: id.into(), info, peer };
        slave.peer.send(&reregister(&slave, Vec::new()));
        world.settle();
        let expected = format!("Slave attempted to re-register with unknown slave id {id}");
        assert_eq!(slave.peer.take::<ShutdownMessage>().message, Some(expected));
    }
}

#[test]
fn a_slave_that_comes_too_late_is_taken_back_by_a_lenient_registry() {
    let world = with_registry(&["old-S0"], master::Config::default());
    world.advance(600.0);
    let slave = old_slave(&world);
    slave.peer.send(&reregister(&slave, Vec::new()));
    world.settle();
    assert_eq!(slave.peer.take::<SlaveReregisteredMessage>().slave_id.value, "old-S0");
}

fn old_slave(world: &World) -> Slave {
    let info = slave_info("cpus:1;mem:64");
    Slave { id: "old-S0".into(), info, peer: world.peer("slave(1)") }
}

/// A registrar whose first answers wait for the test, and whose later ones are an error.
struct Slow {
    registry: Mutex<Option<oneshot::Receiver<Registry>>>,
    admission: Mutex<Option<oneshot::Receiver<Admission>>>,
}

fn broken() -> RegistrarError {
    RegistrarError::Update(Trouble::VersionMismatch)
}

impl Registrar for Slow {
    fn recover(&self, _: MasterInfo) -> Answer<Registry> {
        let registry = self.registry.lock().take().expect("a master recovers once");
        Box::pin(async move {
            registry.await.map_err(|_| RegistrarError::Fetch(Trouble::VersionMismatch))
        })
    }

    fn apply(&self, _: Operation) -> Answer<Admission> {
        let admission = self.admission.lock().take();
        Box::pin(async {
            match admission {
                Some(admission) => admission.await.map_err(|_| broken()),
                None => Err(broken()),
            }
        })
    }
}

/// A master that leads, has not read the registry yet, and waits for its first admission.
fn recovering() -> (World, oneshot::Sender<Registry>, oneshot::Sender<Admission>) {
    let ((read, registry), (admit, admission)) = (oneshot::channel(), oneshot::channel());
    let (registry, admission) = (Mutex::new(Some(registry)), Mutex::new(Some(admission)));
    let slow = |_: &_| -> Box<dyn Registrar> { Box::new(Slow { registry, admission }) };
    let world = World::standby_with(master::Config::default(), slow, None);
    world.detector.appoint(Some(world.info.clone()));
    world.settle();
    (world, read, admit)
}

#[test]
fn who_comes_while_the_registry_is_read_waits() {
    let (world, read, _) = recovering();
    let (framework, old, other) = (world.peer("f"), world.peer("g"), world.peer("h"));
    let registration = RegisterFrameworkMessage { framework: framework_info() };
    framework.send(&registration);
    framework.send(&registration);
    let mut subscribe = Call::default();
    subscribe.set_type(call::Type::Subscribe);
    let info = framework_info();
    subscribe.subscribe = Some(call::Subscribe { framework_info: info, ..Default::default() });
    old.send(&subscribe);
    // Whoever is in already is not known yet, and asks again.
    other.send(&DeactivateFrameworkMessage { framework_id: FrameworkId::default() });
    world.settle();
    assert_eq!(world.metric("master/dropped_messages"), 1.0);
    assert_eq!(framework.rest(), [""; 0]);
    read.send(Registry::default()).expect("the master waits");
    world.settle();
    assert_eq!(framework.rest(), ["FrameworkRegisteredMessage"]);
    assert_eq!(old.rest(), ["FrameworkRegisteredMessage"]);
    assert_eq!(world.metric("master/dropped_messages"), 1.0);
}

#[test]
fn a_slave_that_is_being_readmitted_is_not_missing() {
    let (world, read, admit) = recovering();
    read.send(registry(&["old-S0"])).expect("the master waits");
    world.settle();
    let (framework, slave) = (world.framework("f"), old_slave(&world));
    slave.peer.send(&reregister(&slave, Vec::new()));
    world.settle();
    world.advance(600.0);
    assert_eq!(world.metric("master/recovery_slave_removals"), 0.0);
    framework.reconcile(&[("t", Some(&slave.id))]);
    world.settle();
    assert_eq!(framework.peer.rest(), [""; 0]);
    admit.send(Admission::Accepted).expect("the master waits");
    world.settle();
    slave.peer.take::<SlaveReregisteredMessage>();
}

#[test]
fn without_a_registry_the_master_ends() {
    let check = |make: fn(&World, oneshot::Sender<Registry>), expected: fn(&World) -> String| {
        let (world, read, _) = recovering();
        make(&world, read);
        world.settle_without_looking();
        let fatal = world.fatal.lock().first().map(ToString::to_string);
        assert_eq!(fatal, Some(expected(&world)));
    };
    check(
        |_, read| drop(read),
        |_| "Recovery failed: Failed to recover registrar: version mismatch".to_owned(),
    );
    check(
        |world, read| {
            read.send(Registry::default()).expect("the master waits");
            let info = slave_info("cpus:1;mem:64");
            let message = RegisterSlaveMessage { slave: info, ..Default::default() };
            world.peer("slave(1)").send(&message);
        },
        |world| {
            let address = world.runtime.address();
            format!("Failed to admit slave m-S0 at slave(1)@{address} (host): {}", broken())
        },
    );
    check(
        |world, read| {
            read.send(registry(&["old-S0"])).expect("the master waits");
            world.settle();
            world.runtime.clock().advance(Duration::from_secs(600));
        },
        |_| format!("Failed to remove slave old-S0: {}", broken()),
    );
}
