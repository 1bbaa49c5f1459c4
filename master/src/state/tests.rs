//! The tables under every change, with their invariants checked after each.

use std::time::Duration;

use common::ids::{FrameworkId, OfferId, SlaveId, TaskId};
use common::resources::Resources;
use common::status::NewUpdate;
use libprocess::clock::Time;
use libprocess::{Address, Upid};
use proto::mesos::task_status::Source;
use proto::mesos::{self, ExecutorInfo, FrameworkInfo, SlaveInfo, TaskInfo, TaskState};

use super::cluster::Limits;
use super::slave::NewSlave;
use super::{Cluster, Connection, Framework, Offer, Slave, Task, TaskKey, TaskUpdated};

fn resources(text: &str) -> Resources {
    Resources::parse(text, "*").expect("resources")
}

fn now() -> Time {
    Time::from_epoch(Duration::from_secs(1))
}

fn pid(port: u16) -> Upid {
    Upid::new("peer", Address::new([127, 0, 0, 1].into(), port))
}

fn cluster() -> Cluster {
    let limits =
        Limits { removed_slaves_max: 2, completed_frameworks_max: 1, completed_tasks_max: 2 };
    let mut cluster = Cluster::new(limits);
    cluster.add_slave(slave("s1", 1));
    cluster.add_framework(framework("f1", 11));
    cluster
}

fn slave(id: &str, port: u16) -> Slave {
    let info = SlaveInfo {
        hostname: "host".into(),
        resources: resources("cpus:4;mem:1024").to_messages(),
        ..SlaveInfo::default()
    };
    let new = NewSlave {
        id: id.into(),
        info,
        pid: pid(port),
        version: String::new(),
        checkpointed: Resources::new(),
    };
    Slave::new(new, now()).expect("nothing is checkpointed")
}

fn framework(id: &str, port: u16) -> Framework {
    let info = FrameworkInfo { name: id.into(), ..FrameworkInfo::default() };
    Framework::new(id.into(), info, Connection::Pid(pid(port)), now())
}

fn key(framework: &str, slave: &str, task: &str) -> TaskKey {
    TaskKey { framework_id: framework.into(), slave_id: slave.into(), task_id: task.into() }
}

fn task(key: &TaskKey) -> Task {
    let info = TaskInfo {
        task_id: (&key.task_id).into(),
        slave_id: (&key.slave_id).into(),
        resources: resources("cpus:1;mem:32").to_messages(),
        ..TaskInfo::default()
    };
    Task::launched(&info, &key.framework_id)
}

fn executor(id: &str) -> ExecutorInfo {
    ExecutorInfo {
        executor_id: mesos::ExecutorId { value: id.into() },
        resources: resources("cpus:0.1;mem:32").to_messages(),
        ..ExecutorInfo::default()
    }
}

fn update(key: &TaskKey, state: TaskState) -> proto::mesos::internal::StatusUpdate {
    NewUpdate::new(&key.framework_id, &key.task_id, state, Source::Slave, 1.0).uuid([1; 16]).build()
}

#[test]
fn what_a_task_uses_is_freed_when_it_ends_and_not_again_when_it_is_forgotten() {
    let mut cluster = cluster();
    let key = key("f1", "s1", "t");
    assert!(cluster.add_task(task(&key)));
    assert!(!cluster.add_task(task(&key)));
    cluster.check_invariants();
    let used = |cluster: &Cluster| {
        let framework = cluster.frameworks.get(&key.framework_id).expect("registered");
        framework.total_used.to_string()
    };
    assert_eq!(used(&cluster), "cpus(*):1; mem(*):32");
    let running = update(&key, TaskState::TaskRunning);
    assert_eq!(cluster.update_task(&key, &running), Some(TaskUpdated::Changed));
    let finished = update(&key, TaskState::TaskFinished);
    assert_eq!(cluster.update_task(&key, &finished), Some(TaskUpdated::Terminated));
    assert_eq!(used(&cluster), "");
    assert_eq!(cluster.update_task(&key, &running), Some(TaskUpdated::Changed));
    assert_eq!(cluster.task(&key).map(Task::state), Some(TaskState::TaskFinished));
    cluster.check_invariants();
    assert!(cluster.remove_task(&key).is_some());
    assert!(cluster.remove_task(&key).is_none());
    cluster.check_invariants();
    let framework = cluster.frameworks.get(&key.framework_id).expect("registered");
    assert_eq!(framework.completed_tasks.len(), 1);
}

#[test]
fn the_latest_state_runs_ahead_of_what_the_framework_was_told() {
    let mut cluster = cluster();
    let key = key("f1", "s1", "t");
    cluster.add_task(task(&key));
    let mut running = update(&key, TaskState::TaskRunning);
    running.set_latest_state(TaskState::TaskFailed);
    assert_eq!(cluster.update_task(&key, &running), Some(TaskUpdated::Terminated));
    let task = cluster.task(&key).expect("not acknowledged");
    assert_eq!(task.state(), TaskState::TaskFailed);
    assert_eq!(task.state_for_reconciliation(), TaskState::TaskRunning);
    assert!(!task.ends_with(&[1; 16]));
    cluster.check_invariants();
}

#[test]
fn statuses_of_one_state_replace_one_another_and_lose_their_data() {
    let mut cluster = cluster();
    let key = key("f1", "s1", "t");
    cluster.add_task(task(&key));
    for text in ["first", "second"] {
        let mut running = update(&key, TaskState::TaskRunning);
        running.status.message = Some(text.into());
        running.status.data = Some("large".into());
        cluster.update_task(&key, &running);
    }
    let statuses = &cluster.task(&key).expect("running").message.statuses;
    assert_eq!(statuses.len(), 1);
    assert_eq!(statuses[0].message(), "second");
    assert_eq!(statuses[0].data, None);
}

#[test]
fn orphans_belong_to_their_framework_once_it_registers() {
    let mut cluster = cluster();
    let mut slave = slave("s2", 2);
    let id = FrameworkId::from("f2");
    assert!(slave.add_task(task(&key("f2", "s2", "t"))));
    assert!(slave.add_executor(&id, executor("e")));
    assert!(!slave.add_executor(&id, executor("e")));
    cluster.add_slave(slave);
    cluster.check_invariants();
    assert_eq!(cluster.orphan_tasks().count(), 1);
    cluster.add_framework(framework("f2", 12));
    cluster.check_invariants();
    assert_eq!(cluster.orphan_tasks().count(), 0);
    let framework = cluster.frameworks.get(&id).expect("registered");
    assert_eq!(framework.total_used.to_string(), "cpus(*):1.1; mem(*):64");
}

#[test]
fn a_name_on_two_slaves_is_two_tasks() {
    let mut cluster = cluster();
    cluster.add_task(task(&key("f1", "s1", "t")));
    let mut other = slave("s2", 2);
    other.add_task(task(&key("f1", "s2", "t")));
    cluster.add_slave(other);
    cluster.check_invariants();
    let (framework_id, task_id) = (FrameworkId::from("f1"), TaskId::from("t"));
    let found = cluster.task_of(&framework_id, &task_id).expect("launched first");
    assert_eq!(found.key.slave_id.as_str(), "s1");
    cluster.remove_task(&key("f1", "s2", "t"));
    assert!(cluster.task_of(&framework_id, &task_id).is_some());
    cluster.check_invariants();
}

#[test]
fn offers_are_booked_on_both_sides() {
    let mut cluster = cluster();
    let id = OfferId::from("o");
    cluster.add_offer(Offer {
        id: id.clone(),
        framework_id: "f1".into(),
        slave_id: "s1".into(),
        resources: resources("cpus:4;mem:1024"),
    });
    cluster.check_invariants();
    assert!(cluster.take_offer(&id).is_some());
    assert!(cluster.take_offer(&id).is_none());
    cluster.check_invariants();
    let slave = cluster.slaves.get(&SlaveId::from("s1")).expect("registered");
    assert!(slave.offered.is_empty());
}

#[test]
fn what_is_removed_is_remembered_for_a_while() {
    let mut cluster = cluster();
    assert!(cluster.remove_slave(&"s1".into()).is_some());
    assert!(cluster.slaves.is_removed(&"s1".into()));
    assert!(cluster.slaves.at(&pid(1)).is_none());
    assert!(cluster.remove_framework(&"f1".into()).is_some());
    assert!(cluster.frameworks.completed.contains(&"f1".into()));
    cluster.add_framework(framework("f2", 12));
    cluster.remove_framework(&"f2".into());
    assert!(!cluster.frameworks.completed.contains(&"f1".into()));
    cluster.check_invariants();
}

#[test]
fn a_slave_on_another_port_leaves_no_trace_of_the_old_one() {
    let mut cluster = cluster();
    cluster.slaves.move_to(&"s1".into(), &pid(7));
    assert!(cluster.slaves.at(&pid(1)).is_none());
    assert_eq!(cluster.slaves.at(&pid(7)).map(|slave| slave.id.as_str()), Some("s1"));
    cluster.check_invariants();
    cluster.remove_slave(&"s1".into());
    assert!(cluster.slaves.at(&pid(7)).is_none());
}

#[test]
fn a_clone_is_a_picture_of_its_moment() {
    let mut cluster = cluster();
    let picture = cluster.clone();
    cluster.add_task(task(&key("f1", "s1", "t")));
    assert_eq!(picture.slaves.iter().map(|slave| slave.all_tasks().count()).sum::<usize>(), 0);
    picture.check_invariants();
}
