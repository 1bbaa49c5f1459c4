//! What all drills begin and end with.

use std::time::Duration;

use tests::cluster::{Slave, SlaveBuilder, free_port};
use tests::drill::DrillFramework;
use tests::masters::Masters;
use tests::zookeeper::ZooKeeper;

use crate::is_full;

/// What a slave has, in thousandths of a processor.
const MILLICPUS: i64 = 4000;

/// What a task does.
const COMMAND: &str = "sleep 0.3";

/// How many tasks are under way at the same time, at most.
const AT_ONCE: usize = 6;

/// The time after which a silent master is taken for dead: upstream's in the full form.
pub(crate) fn session_timeout() -> Duration {
    Duration::from_secs(if is_full() { 10 } else { 2 })
}

/// Servers of ZooKeeper; nothing, said aloud, if there are none here.
pub(crate) fn ensemble(size: usize, test: &str) -> Option<ZooKeeper> {
    ZooKeeper::builder().size(size).session_timeout(session_timeout()).start(test)
}

/// Three masters, one of which leads.
pub(crate) fn start(zookeeper: &ZooKeeper) -> Masters {
    let masters = Masters::start(3, &zookeeper.url("/mesos"), &[]);
    masters.leader();
    masters
}

/// A slave that comes back without much ado.
pub(crate) fn slave(builder: SlaveBuilder) -> Slave {
    builder.port(free_port()).flag("--registration_backoff_factor=100ms").start()
}

/// A framework of which a task has finished.
pub(crate) fn framework(masters: &Masters) -> DrillFramework {
    framework_at("127.0.0.1", masters)
}

/// As [`framework`], at an address.
pub(crate) fn framework_at(ip: &str, masters: &Masters) -> DrillFramework {
    let framework = DrillFramework::start(ip, masters.zk(), COMMAND, AT_ONCE);
    framework.wait_for_finished(1);
    framework
}

/// The end of a drill, and the judgement on it.
pub(crate) fn finish(drill: &str, framework: DrillFramework) {
    println!("{drill}: {}", framework.finish(MILLICPUS));
}
