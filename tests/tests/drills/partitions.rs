//! Machines that cannot reach each other: three masters and a slave, each in a network namespace
//! of its own; ZooKeeper and the framework in the middle.

use std::rc::Rc;

use tests::daemon::eventually;
use tests::masters::Masters;
use tests::needs;
use tests::network::{MIDDLE, Network};
use tests::zookeeper::ZooKeeper;

use crate::rounds;
use crate::support::{finish, framework_at, session_timeout, slave};

const MASTERS: usize = 3;

/// The machine of the slave.
const SLAVE: usize = MASTERS;

struct Site {
    network: Rc<Network>,
    _zookeeper: ZooKeeper,
    masters: Masters,
}

fn site(test: &str) -> Option<Site> {
    if !needs::root(test) || needs::program("ip", test).is_none() {
        return None;
    }
    let network = Rc::new(Network::enter(4));
    let ip = MIDDLE.parse().expect("an address");
    let zookeeper = ZooKeeper::builder().session_timeout(session_timeout()).ip(ip).start(test)?;
    let zk = zookeeper.url("/mesos");
    let masters = Masters::start_in(Some(network.clone()), MASTERS, &zk, &[]);
    masters.leader();
    Some(Site { network, _zookeeper: zookeeper, masters })
}

#[test]
fn leading_master_is_cut_off() {
    let Some(mut site) = site("leading_master_is_cut_off") else { return };
    let _slave = slave(site.masters.slave().on(site.network.machine(SLAVE)));
    let framework = framework_at(MIDDLE, &site.masters);
    for _ in 0..rounds(5) {
        let leader = site.masters.leader();
        framework.wait_for_running();
        site.network.isolate(leader);
        let next = site.masters.leader_but(leader);
        framework.wait_for_finished(1);
        // Nobody can tell it; its own clock does.
        let words = site.masters.wait_for_end(leader);
        assert!(words.contains("Lost leadership... committing suicide!"), "{words}");
        site.network.rejoin(leader);
        site.masters.restart(leader);
        framework.wait_for_finished(1);
        assert_eq!(site.masters.leader(), next);
    }
    finish("leader cut off", framework);
}

/// The leader still has ZooKeeper, the slave and the framework, but no quorum for its registry.
#[test]
fn masters_are_cut_from_each_other() {
    let Some(site) = site("masters_are_cut_from_each_other") else { return };
    let _slave = slave(site.masters.slave().on(site.network.machine(SLAVE)));
    let framework = framework_at(MIDDLE, &site.masters);
    for _ in 0..rounds(5) {
        let leader = site.masters.leader();
        let others: Vec<usize> = (0..MASTERS).filter(|&other| other != leader).collect();
        others.iter().for_each(|&other| site.network.cut(leader, other));
        framework.wait_for_finished(3);
        others.iter().for_each(|&other| site.network.mend(leader, other));
        framework.wait_for_finished(1);
        assert_eq!(site.masters.leader(), leader);
    }
    finish("masters cut from each other", framework);
}

/// For less time than a slave may be silent.
#[test]
fn slave_is_cut_from_the_masters() {
    let Some(site) = site("slave_is_cut_from_the_masters") else { return };
    let slave = slave(site.masters.slave().on(site.network.machine(SLAVE)));
    let framework = framework_at(MIDDLE, &site.masters);
    for _ in 0..rounds(5) {
        framework.wait_for_running();
        (0..MASTERS).for_each(|master| site.network.cut(master, SLAVE));
        // A task that ends meanwhile is told of all the same, later.
        eventually("the end of all executors", || {
            let printed = slave.daemon.printed();
            let count = |text| printed.matches(text).count();
            (count("Starting container '") == count(" exited with status ")).then_some(())
        });
        (0..MASTERS).for_each(|master| site.network.mend(master, SLAVE));
        framework.wait_for_finished(1);
    }
    finish("slave cut off", framework);
}
