//! The slave is killed again and again while tasks run: they go on, and no update is lost.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use proto::mesos::{FrameworkInfo, TaskState};
use tests::cluster::Cluster;
use tests::fakes::scheduler::{Event, FakeScheduler, framework};
use tests::make::command_task;

/// How often the slave is killed; `MESOS_TEST_SLAVE_KILLS` says otherwise.
const KILLS: usize = 5;

fn checkpointing() -> FrameworkInfo {
    FrameworkInfo { checkpoint: Some(true), ..framework(Duration::ZERO) }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn kills() -> usize {
    let asked = std::env::var("MESOS_TEST_SLAVE_KILLS").ok();
    asked.map_or(KILLS, |asked| asked.parse().expect("MESOS_TEST_SLAVE_KILLS is a number"))
}

#[test]
fn tasks_outlive_a_slave_that_is_killed_again_and_again() {
    let cluster = Cluster::start();
    let port = free_port();
    let mut slave = cluster.slave().port(port).start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), checkpointing());
    let offer = scheduler.expect_offer();
    let long = command_task("long", &offer, "echo $$ >> pid; exec sleep 1000");
    // It ends while the slave is away, and at times when nobody has acknowledged that it runs.
    let short = command_task("short", &offer, "while [ ! -e end ]; do sleep 0.1; done");
    scheduler.launch(&offer, &[long.clone(), short.clone()]);
    let mut seen: BTreeSet<_> = BTreeSet::new();
    let running = scheduler.expect_state(&long, TaskState::TaskRunning);
    scheduler.acknowledge(&running);
    seen.extend(scheduler.expect_state(&short, TaskState::TaskRunning).update.uuid);
    let sandbox = slave.sandbox("short");
    for _ in 1..kills() {
        slave.daemon.kill();
        slave = cluster.slave().port(port).start();
        // Nobody has acknowledged it, so it comes again, and is the same.
        seen.extend(scheduler.expect_state(&short, TaskState::TaskRunning).update.uuid);
    }
    assert_eq!(seen.len(), 1, "one update, however often it is sent");
    slave.daemon.kill();
    std::fs::write(sandbox.join("end"), "").expect("the sandbox is there");
    slave = cluster.slave().port(port).start();
    let running = scheduler.expect_state(&short, TaskState::TaskRunning);
    scheduler.acknowledge(&running);
    let finished = scheduler.expect_state(&short, TaskState::TaskFinished);
    scheduler.acknowledge(&finished);
    let pids = slave.sandbox_file("long", "pid");
    assert_eq!(pids.lines().count(), 1, "it was started once");
    scheduler.kill(&long);
    let killed = scheduler.expect("end of the long task", |event| match event {
        Event::Update(message) if message.update.status.task_id == long.task_id => {
            Some(message.update.status.state())
        }
        _ => None,
    });
    assert_eq!(killed, TaskState::TaskKilled, "nothing else has become of it");
}
