//! ZooKeeper dies: the leading one of three servers, or all of them for a while.

use std::time::Duration;

use crate::support::{ensemble, finish, framework, slave, start};
use crate::{is_full, rounds};

#[test]
fn leading_zookeeper_server_is_killed() {
    let Some(mut zookeeper) = ensemble(3, "leading_zookeeper_server_is_killed") else { return };
    let masters = start(&zookeeper);
    let _slave = slave(masters.slave());
    let framework = framework(&masters);
    for _ in 0..rounds(5) {
        let leader = zookeeper.leader().expect("a quorum has a leader");
        framework.wait_for_running();
        zookeeper.kill(leader);
        framework.wait_for_finished(2);
        zookeeper.launch(leader);
        zookeeper.wait_until_serving();
        framework.wait_for_finished(1);
    }
    masters.leader();
    finish("ZooKeeper's leader killed", framework);
}

/// Upstream's leading master ends when it has been without ZooKeeper for a session, and so does
/// ours; its supervisor starts it again. What runs must not notice.
#[test]
fn zookeeper_is_down_for_a_while() {
    let Some(mut zookeeper) = ensemble(1, "zookeeper_is_down_for_a_while") else { return };
    let mut masters = start(&zookeeper);
    let _slave = slave(masters.slave());
    let framework = framework(&masters);
    let leader = masters.leader();
    framework.wait_for_running();
    zookeeper.kill(0);
    let words = masters.wait_for_end(leader);
    assert!(words.contains("Lost leadership... committing suicide!"), "{words}");
    masters.restart(leader);
    if is_full() {
        std::thread::sleep(Duration::from_secs(60));
    }
    zookeeper.launch(0);
    masters.leader();
    framework.wait_for_finished(2);
    finish("ZooKeeper down", framework);
}
