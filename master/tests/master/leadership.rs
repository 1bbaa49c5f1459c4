//! Before a master leads, when it ceases to, and what an earlier one left.

use std::sync::Arc;
use std::time::Duration;

use master::fatal::Fatal;
use proto::mesos::internal::{
    FrameworkRegisteredMessage, LostSlaveMessage, RegisterFrameworkMessage, Registry,
    SlaveReregisteredMessage, registry,
};
use proto::mesos::{MasterInfo, SlaveInfo};

use crate::slaves::reregister;
use crate::test_util::{Slave, World, framework_info, slave_info};

fn registry(slaves: &[&str]) -> Registry {
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
    let slave = Slave {
        id: "old-S0".into(),
        info: slave_info("cpus:1;mem:64"),
        peer: world.peer("slave(1)"),
    };
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
    assert!(!Arc::clone(&world.fatal).lock()[0].aborts());
}
