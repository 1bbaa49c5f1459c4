//! Drills: a cluster goes on while what it stands on dies, again and again. Real processes, real
//! ZooKeeper.
//!
//! In short form by default; `MESOS_DRILLS=full` (`cargo xtask drill`) repeats as often and waits
//! as long as the promise says.

#![expect(clippy::print_stdout, reason = "drills say what they measured")]

mod support;

mod disks;
mod masters;
mod partitions;
mod slaves;
mod zookeeper;

/// How often something dies: `full` times in the full form.
fn rounds(full: usize) -> usize {
    if is_full() { full } else { 2 }
}

fn is_full() -> bool {
    std::env::var("MESOS_DRILLS").is_ok_and(|form| form == "full")
}
