//! What machines in maintenance mean for slaves and offers.

use proto::mesos::internal::{
    RegisterSlaveMessage, Registry, ResourceOffersMessage, ShutdownMessage, SlaveRegisteredMessage,
    registry,
};
use proto::mesos::machine_info::Mode;
use proto::mesos::maintenance::{Schedule, Window};
use proto::mesos::{MachineId, MachineInfo, SlaveInfo, TimeInfo, Unavailability};

use crate::slaves::reregister;
use crate::test_util::{Slave, World, parse, slave_info};

fn unavailability(start: i64) -> Unavailability {
    Unavailability { start: TimeInfo { nanoseconds: start }, duration: None }
}

/// A master after one that was told of a machine that drains, and of one that is down.
fn world() -> World {
    let ip = Some("127.0.0.1".to_owned());
    let machine = |hostname: &str, mode: Mode, start: i64| {
        let id = MachineId { hostname: Some(hostname.to_owned()), ip: ip.clone() };
        let unavailability = Some(unavailability(start));
        let mut info = MachineInfo { id, unavailability, ..MachineInfo::default() };
        info.set_mode(mode);
        registry::Machine { info }
    };
    let machines = vec![machine("Drains", Mode::Draining, 7), machine("Down", Mode::Down, 8)];
    let window = |machine: &registry::Machine| Window {
        machine_ids: vec![machine.info.id.clone()],
        unavailability: unavailability(7),
    };
    let schedules = vec![Schedule { windows: machines.iter().map(window).collect() }];
    let machines = Some(registry::Machines { machines });
    let registry = Registry { machines, schedules, ..Registry::default() };
    World::start(master::Config::default(), registry, None)
}

fn register(world: &World, hostname: &str) -> Slave {
    let info = SlaveInfo { hostname: hostname.to_owned(), ..slave_info("cpus:4;mem:1024") };
    let peer = world.peer(&format!("slave-{hostname}"));
    peer.send(&RegisterSlaveMessage { slave: info.clone(), ..RegisterSlaveMessage::default() });
    world.settle();
    let id = peer.find::<SlaveRegisteredMessage>().map(|message| message.slave_id.value);
    Slave { id: id.unwrap_or_default().as_str().into(), info, peer }
}

/// The last third of upstream's `EnterMaintenanceMode`, after a failover.
#[test]
fn slaves_of_machines_that_are_down_are_refused_by_a_new_master() {
    let world = world();
    // Names of hosts are compared without case.
    let slave = register(&world, "dOWN");
    let told = slave.peer.take::<ShutdownMessage>();
    assert_eq!(told.message(), "Machine is `DOWN`");
    let old = Slave { id: "old-S0".into(), ..slave };
    old.peer.send(&reregister(&old, Vec::new()));
    world.settle();
    assert_eq!(old.peer.take::<ShutdownMessage>().message(), "Machine is `DOWN`");
    assert_eq!(old.peer.rest(), [""; 0]);
    assert_eq!(world.allocator.calls(), ["recover 0"]);
    assert_eq!(world.ask(|cluster| cluster.machines.schedules[0].windows.len()), 2);
    // Another machine may have the name.
    register(&world, "up");
    assert_eq!(world.allocator.calls(), ["add_slave m-S0 cpus(*):4; mem(*):1024"]);
}

#[test]
fn offers_say_when_their_machine_will_be_gone() {
    let world = world();
    let (slave, framework) = (register(&world, "drains"), world.framework("f"));
    let added = "add_slave m-S0 cpus(*):4; mem(*):1024 until 7";
    assert_eq!(world.allocator.calls()[1], added);
    world.allocator.offer(framework.id.clone(), [(slave.id.clone(), parse("cpus:1"))].into());
    world.settle();
    let offers = framework.peer.take::<ResourceOffersMessage>().offers;
    assert_eq!(offers[0].unavailability, Some(unavailability(7)));
}
