//! The slave is killed under its tasks; the framework is not to notice.

use crate::rounds;
use crate::support::{ensemble, finish, framework, slave, start};

#[test]
fn slave_is_killed_again_and_again() {
    let Some(zookeeper) = ensemble(1, "slave_is_killed_again_and_again") else { return };
    let masters = start(&zookeeper);
    let mut slave = slave(masters.slave());
    let framework = framework(&masters);
    for _ in 0..rounds(20) {
        framework.wait_for_running();
        slave.daemon.kill();
        slave.restart();
        framework.wait_for_finished(2);
    }
    finish("slave killed", framework);
}

/// Both at the same time: what the slave has not told the old leader, it tells the new one.
#[test]
fn slave_and_leading_master_are_killed_together() {
    let Some(zookeeper) = ensemble(1, "slave_and_leading_master_are_killed_together") else {
        return;
    };
    let mut masters = start(&zookeeper);
    let mut slave = slave(masters.slave());
    let framework = framework(&masters);
    for _ in 0..rounds(5) {
        let leader = masters.leader();
        framework.wait_for_running();
        masters.kill(leader);
        slave.daemon.kill();
        masters.restart(leader);
        slave.restart();
        framework.wait_for_finished(2);
    }
    finish("slave and leader killed", framework);
}
