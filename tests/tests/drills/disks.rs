//! Disks are full: of a registry, of one replica of it, of a slave.

use tests::cluster::SlaveBuilder;
use tests::disk::Disk;
use tests::masters::Masters;
use tests::needs;

use crate::rounds;
use crate::support::{ensemble, finish, framework, slave};

/// What the system says.
const FULL: &str = "No space left on device";

/// A slave that needs more room in the registry than is left in the last block of a file.
fn newcomer(masters: &Masters, number: usize) -> SlaveBuilder {
    let attribute = format!("--attributes=room:{}", "x".repeat(6_000));
    masters.slave().named(&format!("newcomer-{number}")).flag(&attribute)
}

/// The last words of a master that could not write its registry.
fn expect_full(words: &str) {
    assert!(words.contains(FULL), "{words}");
    let last = words.lines().last().unwrap_or_default();
    assert!(last.starts_with("Failed to admit slave "), "{words}");
}

/// The only replica of the registry.
#[test]
fn disk_of_the_registry_is_full() {
    let test = "disk_of_the_registry_is_full";
    if !needs::mounts(test) {
        return;
    }
    let Some(zookeeper) = ensemble(1, test) else { return };
    let flags = ["--registry_store_timeout=2secs"];
    let mut masters = Masters::places(None, 1, &zookeeper.url("/mesos"), &flags);
    let disk = Disk::mount(&masters.work_dir(0));
    masters.restart(0);
    let mut slaves = vec![slave(masters.slave())];
    let framework = framework(&masters);
    for _ in 0..rounds(5) {
        framework.wait_for_running();
        disk.fill();
        // Nothing of a task is in the registry.
        framework.wait_for_finished(1);
        let newcomer = newcomer(&masters, slaves.len()).spawn();
        expect_full(&masters.wait_for_end(0));
        // It says the same of a disk that has not been looked after.
        masters.restart(0);
        let words = masters.wait_for_end(0);
        assert!(words.contains(FULL), "{words}");

        disk.free();
        masters.restart(0);
        let known = format!("Recovered {} slaves from the Registry", slaves.len());
        masters.daemon(0).wait_for(&known);
        newcomer.daemon.wait_for("egistered with master");
        slaves.push(newcomer);
        framework.wait_for_finished(1);
    }
    finish("the registry's disk full", framework);
}

/// A leader whose own replica does not have what the others have steps down; one of them leads.
#[test]
fn disk_of_the_leading_master_is_full() {
    let test = "disk_of_the_leading_master_is_full";
    if !needs::mounts(test) {
        return;
    }
    let Some(zookeeper) = ensemble(1, test) else { return };
    let mut masters = Masters::places(None, 3, &zookeeper.url("/mesos"), &[]);
    let disks: Vec<Disk> = (0..3).map(|index| Disk::mount(&masters.work_dir(index))).collect();
    (0..3).for_each(|index| masters.restart(index));
    let mut slaves = vec![slave(masters.slave())];
    let framework = framework(&masters);
    for _ in 0..rounds(5) {
        let leader = masters.leader();
        framework.wait_for_running();
        disks[leader].fill();
        let newcomer = newcomer(&masters, slaves.len()).spawn();
        expect_full(&masters.wait_for_end(leader));
        assert_ne!(masters.leader(), leader);
        newcomer.daemon.wait_for("egistered with master");
        slaves.push(newcomer);
        framework.wait_for_finished(1);

        disks[leader].free();
        masters.restart(leader);
        framework.wait_for_finished(1);
    }
    finish("the leader's disk full", framework);
}

/// What cannot be written down is not begun, and what was begun is told of when there is room.
#[test]
fn disk_of_the_slave_is_full() {
    let test = "disk_of_the_slave_is_full";
    if !needs::mounts(test) {
        return;
    }
    let Some(zookeeper) = ensemble(1, test) else { return };
    let masters = Masters::start(1, &zookeeper.url("/mesos"), &[]);
    let disk = Disk::mount(&masters.folder().join("slave"));
    let mut slave = slave(masters.slave());
    let framework = framework(&masters);
    let mut seen = 0;
    for _ in 0..rounds(5) {
        framework.wait_for_running();
        disk.fill();
        seen = slave.daemon.wait_for_after(seen, FULL).0;
        disk.free();
        framework.wait_for_finished(2);
        seen = seen.max(slave.daemon.line_count());
    }
    assert!(slave.daemon.is_running());
    finish("the slave's disk full", framework);
}
