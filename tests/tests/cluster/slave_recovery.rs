//! The slave is killed while tasks run, again and again, alone or with others: they go on, and no
//! update is lost. What happens meanwhile to the master and the frameworks is made up for.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use proto::mesos::internal::{StatusUpdateMessage, UnregisterFrameworkMessage};
use proto::mesos::{FrameworkInfo, Offer, TaskInfo, TaskState};
use tests::cluster::{Cluster, Slave, SlaveBuilder};
use tests::daemon::wait_for_end;
use tests::fakes::scheduler::{Event, FakeScheduler, framework};
use tests::http;
use tests::make::command_task;

/// How often the slave is killed; `MESOS_TEST_SLAVE_KILLS` says otherwise.
const KILLS: usize = 5;

const AN_HOUR: Duration = Duration::from_secs(3_600);

/// A command that tells the pid of its executor, and goes on until a file `end` is there.
const LONG: &str = "echo $PPID > pid.new && mv pid.new pid; while [ ! -e end ]; do sleep 0.1; done";

fn checkpointing() -> FrameworkInfo {
    FrameworkInfo { checkpoint: Some(true), ..framework(Duration::ZERO) }
}

/// The same with a scheduler that may stay away.
fn patient() -> FrameworkInfo {
    FrameworkInfo { checkpoint: Some(true), ..framework(AN_HOUR) }
}

/// A task that runs on a slave that will be killed.
struct Scene {
    cluster: Cluster,
    port: u16,
    slave: Slave,
    scheduler: FakeScheduler,
    offer: Offer,
    task: TaskInfo,
}

impl Scene {
    fn new(flags: &[&str]) -> Scene {
        Scene::on(flags, |slave| slave)
    }

    /// The same on a slave of another kind.
    fn on(flags: &[&str], change: impl FnOnce(SlaveBuilder) -> SlaveBuilder) -> Scene {
        let cluster = Cluster::start_with(flags);
        let port = free_port();
        let slave = change(cluster.slave().port(port)).start();
        let mut scheduler = FakeScheduler::registered(cluster.address(), patient());
        let offer = scheduler.expect_offer();
        let task = launch(&mut scheduler, &offer, "task");
        Scene { cluster, port, slave, scheduler, offer, task }
    }

    fn start_slave_again(&mut self) {
        self.slave = self.cluster.slave().port(self.port).start();
    }

    fn executor(&self) -> Pid {
        let text = self.slave.wait_for_sandbox_file("task", "pid");
        Pid::from_raw(text.trim().parse().expect("a pid"))
    }

    /// The task can be reached, and what it had is free again.
    fn kill_task(&mut self) {
        self.scheduler.kill(&self.task);
        self.expect_killed();
    }

    fn expect_killed(&mut self) {
        self.scheduler.expect_state(&self.task, TaskState::TaskKilled);
        self.cluster
            .wait_until("/state", |state| state["slaves"][0]["used_resources"]["cpus"] == 0.0);
    }
}

/// Runs a task until its first update is acknowledged.
fn launch(scheduler: &mut FakeScheduler, offer: &Offer, id: &str) -> TaskInfo {
    let task = command_task(id, offer, LONG);
    scheduler.launch(offer, std::slice::from_ref(&task));
    scheduler.expect_state(&task, TaskState::TaskRunning);
    task
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}

fn kills() -> usize {
    let asked = std::env::var("MESOS_TEST_SLAVE_KILLS").ok();
    asked.map_or(KILLS, |asked| asked.parse().expect("MESOS_TEST_SLAVE_KILLS is a number"))
}

/// The next update of a task, which nobody has acknowledged yet.
fn next_update(scheduler: &mut FakeScheduler, task: &TaskInfo) -> StatusUpdateMessage {
    scheduler.expect("update", |event| match event {
        Event::Update(message) if message.update.status.task_id == task.task_id => Some(*message),
        _ => None,
    })
}

#[test]
fn tasks_outlive_a_slave_that_is_killed_again_and_again() {
    let cluster = Cluster::start();
    let port = free_port();
    let mut slave = cluster.slave().port(port).start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), checkpointing());
    let offer = scheduler.expect_offer();
    let long = command_task("long", &offer, "echo $$ >> pid; exec sleep 1000");
    // It ends while the slave is away, and nobody has acknowledged that it runs.
    let short = command_task("short", &offer, "while [ ! -e end ]; do sleep 0.1; done");
    scheduler.launch(&offer, &[long.clone(), short.clone()]);
    let mut seen = BTreeSet::from([next_update(&mut scheduler, &short).update.uuid]);
    slave.wait_for_sandbox_file("long", "pid");
    let sandbox = slave.sandbox("short");
    for _ in 1..kills() {
        slave.daemon.kill();
        slave = cluster.slave().port(port).start();
        // Nobody has acknowledged it, so it comes again, and is the same.
        seen.insert(next_update(&mut scheduler, &short).update.uuid);
    }
    assert_eq!(seen.len(), 1, "one update, however often it is sent");
    slave.daemon.kill();
    std::fs::write(sandbox.join("end"), "").expect("the sandbox is there");
    slave = cluster.slave().port(port).start();
    scheduler.expect_state(&short, TaskState::TaskRunning);
    scheduler.expect_state(&short, TaskState::TaskFinished);
    let pids = slave.sandbox_file("long", "pid");
    assert_eq!(pids.lines().count(), 1, "it was started once");
    scheduler.kill(&long);
    let ended = loop {
        let message = next_update(&mut scheduler, &long);
        scheduler.acknowledge(&message);
        let state = message.update.status.state();
        if state != TaskState::TaskRunning {
            break state;
        }
    };
    assert_eq!(ended, TaskState::TaskKilled, "nothing else has become of it");
}

#[test]
fn slave_recovery_test_reconcile_kill_task() {
    let mut scene = Scene::new(&[]);
    scene.slave.daemon.kill();
    scene.scheduler.kill(&scene.task);
    scene.start_slave_again();
    scene.expect_killed();
}

#[test]
fn slave_recovery_test_reconcile_shutdown_framework() {
    let mut scene = Scene::new(&[]);
    let executor = scene.executor();
    scene.slave.daemon.kill();
    let framework_id = scene.scheduler.id.clone();
    scene.scheduler.send(&UnregisterFrameworkMessage { framework_id });
    scene.cluster.wait_until("/state", |state| state["frameworks"] == serde_json::json!([]));
    scene.start_slave_again();
    scene.slave.daemon.wait_for("Asked to shut down framework");
    wait_for_end(executor);
}

#[test]
fn slave_recovery_test_scheduler_failover() {
    let mut scene = Scene::new(&[]);
    scene.slave.daemon.kill();
    let id = scene.scheduler.id.clone();
    let second = FakeScheduler::failed_over(scene.cluster.address(), patient(), &id);
    let mut first = std::mem::replace(&mut scene.scheduler, second);
    let error = first.expect("error", |event| match event {
        Event::Error(why) => Some(why),
        _ => None,
    });
    assert_eq!(error, "Framework failed over");
    scene.start_slave_again();
    scene.kill_task();
}

#[test]
fn slave_recovery_test_master_failover() {
    let mut scene = Scene::new(&[]);
    scene.slave.daemon.kill();
    scene.cluster.restart_master();
    let id = scene.scheduler.id.clone();
    scene.scheduler = FakeScheduler::failed_over(scene.cluster.address(), patient(), &id);
    scene.start_slave_again();
    scene.kill_task();
}

#[test]
fn slave_recovery_test_partitioned_slave() {
    let mut scene = Scene::new(&["--slave_ping_timeout=1secs", "--max_slave_ping_timeouts=1"]);
    let executor = scene.executor();
    scene.slave.daemon.signal(Signal::SIGSTOP);
    scene.scheduler.expect_state(&scene.task, TaskState::TaskLost);
    scene.scheduler.expect("lost slave", |event| match event {
        Event::LostSlave(id) if id == scene.offer.slave_id => Some(()),
        _ => None,
    });
    scene.slave.daemon.signal(Signal::SIGCONT);
    assert_eq!(scene.slave.daemon.wait().code(), Some(0));
    wait_for_end(executor);
    // It does not come back as who it was.
    scene.start_slave_again();
    assert_ne!(scene.scheduler.expect_offer().slave_id, scene.offer.slave_id);
}

#[test]
fn slave_recovery_test_register_disconnected_slave() {
    let mut scene = Scene::on(&[], |slave| slave.flag("--recovery_timeout=1secs"));
    let executor = scene.executor();
    scene.slave.daemon.kill();
    let latest = scene.cluster.folder().join("slave/meta/slaves/latest");
    std::fs::remove_file(latest).expect("it points to the slave");
    scene.start_slave_again();
    scene.scheduler.expect_state(&scene.task, TaskState::TaskLost);
    assert_ne!(scene.scheduler.expect_offer().slave_id, scene.offer.slave_id);
    // Nobody calls it back.
    wait_for_end(executor);
}

#[test]
fn slave_recovery_test_multiple_frameworks() {
    let cluster = Cluster::start();
    let port = free_port();
    let mut slave = cluster.slave().port(port).start();
    let mut first = FakeScheduler::registered(cluster.address(), patient());
    let offer = first.expect_offer();
    // It gets what the first one leaves.
    let mut second = FakeScheduler::registered(cluster.address(), patient());
    let task = launch(&mut first, &offer, "first");
    let offer = second.expect_offer();
    let other = launch(&mut second, &offer, "second");
    slave.daemon.kill();
    slave = cluster.slave().port(port).start();
    for (scheduler, task) in [(&mut first, task), (&mut second, other)] {
        scheduler.kill(&task);
        scheduler.expect_state(&task, TaskState::TaskKilled);
    }
    assert!(slave.daemon.is_running());
}

#[test]
fn slave_recovery_test_multiple_slaves() {
    let mut scene = Scene::new(&[]);
    let port = free_port();
    let mut second = scene.cluster.slave().named("second").port(port).start();
    let offer = scene.scheduler.expect("offer of the second slave", |event| match event {
        Event::Offers(offers) => {
            offers.into_iter().find(|offer| offer.slave_id != scene.offer.slave_id)
        }
        _ => None,
    });
    let other = launch(&mut scene.scheduler, &offer, "other");
    scene.slave.daemon.kill();
    second.daemon.kill();
    second = scene.cluster.slave().named("second").port(port).start();
    scene.start_slave_again();
    for task in [&scene.task, &other] {
        scene.scheduler.kill(task);
        scene.scheduler.expect_state(task, TaskState::TaskKilled);
    }
    assert!(second.daemon.is_running());
}

#[test]
fn slave_recovery_test_resource_statistics() {
    let mut scene = Scene::new(&[]);
    scene.slave.daemon.kill();
    scene.start_slave_again();
    let address = format!("127.0.0.1:{}", scene.port);
    let usage = http::get_json(&address, "/monitor/statistics");
    let statistics = &usage[0]["statistics"];
    // The task's, and what its executor has beside it.
    assert_eq!(statistics["cpus_limit"], 0.2, "{usage}");
    assert_eq!(statistics["mem_limit_bytes"], 64 << 20, "{usage}");
    assert!(statistics["mem_rss_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{usage}");
    scene.kill_task();
}
