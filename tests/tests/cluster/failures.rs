//! What is left when a process of the cluster is killed, at any moment: upstream's updates, the
//! resources offered again, the framework taken over or removed.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proto::mesos::TaskState;
use proto::mesos::task_status::{Reason, Source};
use tests::cluster::{Cluster, Slave};
use tests::fakes::scheduler::{Event, FakeScheduler, framework};
use tests::make::{command_task, executor_task};

const NO_TIME: Duration = Duration::ZERO;
const AN_HOUR: Duration = Duration::from_secs(3_600);

/// A command that tells the pid of the executor that runs it, and goes on for longer than a test.
const TELL_EXECUTOR: &str = "echo $PPID > pid.new && mv pid.new pid && exec sleep 1000";

fn executor_pid(slave: &Slave, executor: &str) -> Pid {
    let text = slave.wait_for_sandbox_file(executor, "pid");
    Pid::from_raw(text.trim().parse().expect("a pid"))
}

/// Waits until the whole slave is offered.
fn expect_whole_slave(scheduler: &mut FakeScheduler, cpus: f64) {
    scheduler.expect("offer of the whole slave", |event| {
        let Event::Offers(offers) = event else { return None };
        let amount = |offer: &proto::mesos::Offer| -> f64 {
            let cpus = offer.resources.iter().filter(|resource| resource.name == "cpus");
            cpus.filter_map(|cpus| cpus.scalar.as_ref()).map(|scalar| scalar.value).sum()
        };
        offers.into_iter().find(|offer| amount(offer) == cpus)
    });
}

#[test]
fn killed_slave_loses_its_tasks_and_is_offered_again_when_it_is_back() {
    let cluster = Cluster::start();
    let mut slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), framework(NO_TIME));
    let offer = scheduler.expect_offer();
    let task = command_task("task", &offer, "exec sleep 1000");
    scheduler.launch(&offer, std::slice::from_ref(&task));
    scheduler.expect_state(&task, TaskState::TaskRunning);
    slave.daemon.kill();
    let lost = scheduler.expect_state(&task, TaskState::TaskLost).update.status;
    assert_eq!(lost.source(), Source::Master);
    assert_eq!(lost.reason(), Reason::SlaveDisconnected);
    assert_eq!(lost.message(), "Slave localhost disconnected");
    let _back = cluster.slave().named("second").start();
    expect_whole_slave(&mut scheduler, 4.0);
}

#[test]
fn killed_command_executor_fails_its_task() {
    let cluster = Cluster::start();
    let slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), framework(NO_TIME));
    let offer = scheduler.expect_offer();
    let task = command_task("task", &offer, TELL_EXECUTOR);
    scheduler.launch(&offer, std::slice::from_ref(&task));
    scheduler.expect_state(&task, TaskState::TaskRunning);
    kill(executor_pid(&slave, "task"), Signal::SIGKILL).expect("it runs");
    let failed = scheduler.expect_state(&task, TaskState::TaskFailed).update.status;
    assert_eq!(failed.source(), Source::Slave);
    assert_eq!(failed.reason(), Reason::ExecutorTerminated);
    expect_whole_slave(&mut scheduler, 4.0);
}

#[test]
fn custom_executor_that_ends_before_it_registers_fails_its_task() {
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), framework(NO_TIME));
    let offer = scheduler.expect_offer();
    let task = executor_task("task", &offer, "executor", "exit 7");
    scheduler.launch(&offer, std::slice::from_ref(&task));
    let failed = scheduler.expect_state(&task, TaskState::TaskFailed).update.status;
    assert_eq!(failed.source(), Source::Slave);
    assert_eq!(failed.reason(), Reason::ExecutorTerminated);
    expect_whole_slave(&mut scheduler, 4.0);
}

#[test]
fn killed_scheduler_finds_its_tasks_when_it_is_back_in_time() {
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let mut first = FakeScheduler::registered(cluster.address(), framework(AN_HOUR));
    let offer = first.expect_offer();
    let task = command_task("task", &offer, "exec sleep 1000");
    first.launch(&offer, std::slice::from_ref(&task));
    first.expect_state(&task, TaskState::TaskRunning);
    let id = first.id.clone();
    drop(first);
    let mut second = FakeScheduler::failed_over(cluster.address(), framework(AN_HOUR), &id);
    assert_eq!(second.id, id);
    second.reconcile();
    let known = second.expect_state(&task, TaskState::TaskRunning).update.status;
    assert_eq!(known.reason(), Reason::Reconciliation);
    second.kill(&task);
    second.expect_state(&task, TaskState::TaskKilled);
}

#[test]
fn killed_scheduler_that_stays_away_is_removed_with_its_tasks() {
    let cluster = Cluster::start();
    let slave = cluster.slave().start();
    let mut first = FakeScheduler::registered(cluster.address(), framework(NO_TIME));
    let offer = first.expect_offer();
    let task = command_task("task", &offer, TELL_EXECUTOR);
    first.launch(&offer, std::slice::from_ref(&task));
    first.expect_state(&task, TaskState::TaskRunning);
    let executor = executor_pid(&slave, "task");
    drop(first);
    cluster.master.wait_for("Framework failover timeout, removing framework");
    slave.daemon.wait_for("Asked to shut down framework");
    let mut other = FakeScheduler::registered(cluster.address(), framework(NO_TIME));
    expect_whole_slave(&mut other, 4.0);
    tests::daemon::wait_for_end(executor);
}

#[test]
fn frozen_slave_is_removed_after_its_pings_go_unanswered() {
    let flags = ["--slave_ping_timeout=1secs", "--max_slave_ping_timeouts=2"];
    let cluster = Cluster::start_with(&flags);
    let slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), framework(NO_TIME));
    let offer = scheduler.expect_offer();
    let task = command_task("task", &offer, "exec sleep 1000");
    scheduler.launch(&offer, std::slice::from_ref(&task));
    scheduler.expect_state(&task, TaskState::TaskRunning);
    slave.daemon.signal(Signal::SIGSTOP);
    let lost = scheduler.expect_state(&task, TaskState::TaskLost).update.status;
    assert_eq!(lost.reason(), Reason::SlaveRemoved);
    assert_eq!(lost.message(), "Slave localhost removed: health check timed out");
    scheduler.expect("lost slave", |event| match event {
        Event::LostSlave(id) => Some(id),
        _ => None,
    });
}
