//! How long a large cluster's documents take: 10,000 slaves and 50,000 tasks of 10 frameworks,
//! 20 MB of `/state`. Upstream takes 1.8 s for 33 MB of them. Run by `cargo bench -p master`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use common::ids::FrameworkId;
use common::resources::Resources;
use common::status::NewUpdate;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libprocess::clock::Time;
use libprocess::{Address, Upid};
use master::state::cluster::Limits;
use master::state::slave::NewSlave;
use master::state::{Cluster, Connection, Framework, Slave, Task};
use master::views::task::{Order, Page};
use master::views::{View, cluster, role, task};
use proto::mesos::task_status::Source;
use proto::mesos::{FrameworkInfo, MasterInfo, SlaveInfo, TaskInfo, TaskState};
use stout::flags::parse::Shown;

const SLAVES: usize = 10_000;
const TASKS_PER_SLAVE: usize = 5;
const FRAMEWORKS: usize = 10;
const MASTER: &str = "0f4b2c4e-7d43-4f7c-9d33-5a7c5b1b5f5c";

fn now() -> Time {
    Time::from_epoch(Duration::from_micros(1_795_216_098_986_851))
}

fn pid(id: &str, port: u16) -> Upid {
    Upid::new(id, Address::new([10, 0, 0, 1].into(), port))
}

fn resources(text: &str) -> Resources {
    Resources::parse(text, "*").expect("resources")
}

fn framework_id(number: usize) -> FrameworkId {
    format!("{MASTER}-{:04}", number % FRAMEWORKS).into()
}

fn large_cluster() -> Cluster {
    let mut cluster = Cluster::new(Limits {
        removed_slaves_max: 0,
        completed_frameworks_max: 0,
        completed_tasks_max: 0,
    });
    for number in 0..FRAMEWORKS {
        let info = FrameworkInfo { name: "bench".into(), ..FrameworkInfo::default() };
        let connection = Connection::Pid(pid("scheduler", number as u16));
        cluster.add_framework(Framework::new(framework_id(number), info, connection, now()));
    }
    for number in 0..SLAVES {
        add_slave(&mut cluster, number);
    }
    cluster
}

fn add_slave(cluster: &mut Cluster, number: usize) {
    let all = resources("cpus:16;mem:65536;disk:1000000;ports:[31000-32000]");
    let info = SlaveInfo {
        hostname: format!("host-{number}.example.com"),
        resources: all.to_messages(),
        ..SlaveInfo::default()
    };
    let id = format!("{MASTER}-S{number}");
    let new = NewSlave {
        id: id.as_str().into(),
        info,
        pid: pid("slave(1)", number as u16),
        version: "0.28.3".into(),
        checkpointed: Resources::new(),
    };
    cluster.add_slave(Slave::new(new, now()).expect("nothing is checkpointed"));
    for task in 0..TASKS_PER_SLAVE {
        add_task(cluster, &id, &format!("task-{number}-{task}"), &framework_id(number + task));
    }
}

fn add_task(cluster: &mut Cluster, slave: &str, name: &str, framework_id: &FrameworkId) {
    let info = TaskInfo {
        name: name.into(),
        task_id: common::ids::TaskId::from(name).into(),
        slave_id: common::ids::SlaveId::from(slave).into(),
        resources: resources("cpus:0.5;mem:128").to_messages(),
        ..TaskInfo::default()
    };
    let task = Task::launched(&info, framework_id);
    let key = task.key.clone();
    assert!(cluster.add_task(task));
    let update = NewUpdate::new(
        framework_id,
        &key.task_id,
        TaskState::TaskRunning,
        Source::Slave,
        now().secs(),
    );
    cluster.update_task(&key, &update.build());
}

fn documents(criterion: &mut Criterion) {
    let cluster = large_cluster();
    let (flags, weights, info) = (Shown::default(), BTreeMap::new(), MasterInfo::default());
    let view = View {
        cluster: &cluster,
        info: &info,
        leader: None,
        start_time: now(),
        elected_time: None,
        build: &[],
        flags: &flags,
        role_whitelist: None,
        weights: &weights,
    };
    let mut group = criterion.benchmark_group("large cluster");
    group.sample_size(10).throughput(Throughput::Bytes(cluster::state(&view).len() as u64));
    group.bench_function("state", |bencher| bencher.iter(|| black_box(cluster::state(&view))));
    group.throughput(Throughput::Elements(SLAVES as u64));
    group.bench_function("summary", |bencher| bencher.iter(|| black_box(cluster::summary(&view))));
    group.bench_function("slaves", |bencher| bencher.iter(|| black_box(cluster::slaves(&view))));
    group.bench_function("roles", |bencher| bencher.iter(|| black_box(role::roles(&view))));
    let page = Page { limit: 100, offset: 0, order: Order::Descending };
    group.bench_function("tasks", |bencher| bencher.iter(|| black_box(task::tasks(&view, &page))));
    group.finish();
}

criterion_group!(benches, documents);
criterion_main!(benches);
