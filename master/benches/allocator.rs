//! Upstream's own benchmarks of its allocator, on ours: `AddAndUpdateSlave`, `DeclineOffers` and
//! `ResourceLabels`. Run by `cargo bench -p master`.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use libprocess::Runtime;
use libprocess::testing::{runtime, wait};
use master::allocator::{Allocator, HierarchicalAllocator, NewSlave, Options};
use proto::mesos::framework_info::{Capability, capability};
use proto::mesos::resource::ReservationInfo;
use proto::mesos::{Filters, FrameworkInfo, Label, Labels, SlaveInfo};

/// So long that it comes only when the clock is advanced.
const INTERVAL: Duration = Duration::from_secs(3600);

/// What upstream's `INT_MAX` seconds are: for ever.
const FOR_EVER: Filters = Filters { refuse_seconds: Some(i32::MAX as f64) };

type Offers = Vec<(FrameworkId, BTreeMap<SlaveId, Resources>)>;

struct Cluster {
    runtime: Runtime,
    allocator: HierarchicalAllocator,
    frameworks: Vec<FrameworkId>,
    offers: Arc<Mutex<Offers>>,
}

impl Cluster {
    fn new(frameworks: usize, role: &str) -> Cluster {
        let runtime = runtime();
        runtime.clock().pause();
        let mut allocator = HierarchicalAllocator::new(&runtime, 7);
        let offers: Arc<Mutex<Offers>> = Arc::default();
        let sink = offers.clone();
        allocator.initialize(Options {
            allocation_interval: INTERVAL,
            weights: BTreeMap::new(),
            offers: Box::new(move |id, slaves| sink.lock().expect("alive").push((id, slaves))),
            inverse_offers: Box::new(|_, _| {}),
        });
        let capability = Capability { r#type: Some(capability::Type::RevocableResources.into()) };
        let info = FrameworkInfo {
            role: Some(role.to_owned()),
            capabilities: vec![capability],
            ..FrameworkInfo::default()
        };
        let ids = (0..frameworks).map(|n| FrameworkId::from(format!("framework{n}")));
        let frameworks: Vec<FrameworkId> = ids.collect();
        for id in &frameworks {
            allocator.add_framework(id, &info, BTreeMap::new());
        }
        Cluster { runtime, allocator, frameworks, offers }
    }

    /// Adds slaves; `used` makes what a framework uses of the n-th, in turn.
    fn add_slaves(&self, count: usize, total: &str, used: impl Fn(usize) -> Resources) {
        let total: Resources = total.parse().expect("resources");
        for n in 0..count {
            let framework = self.frameworks[n % self.frameworks.len()].clone();
            let info = SlaveInfo { hostname: format!("host{n}"), ..SlaveInfo::default() };
            let slave = NewSlave {
                info: &info,
                unavailability: None,
                total: total.clone(),
                used: BTreeMap::from([(framework, used(n))]),
            };
            self.allocator.add_slave(&slave_id(n), slave);
        }
    }

    /// Returns all that is offered, refused for ever or not at all.
    fn give_back(&self, filters: Option<Filters>) {
        let offers = std::mem::take(&mut *self.offers.lock().expect("alive"));
        for (framework_id, slaves) in offers {
            for (slave_id, resources) in slaves {
                self.allocator.recover_resources(&framework_id, &slave_id, resources, filters);
            }
        }
        self.settle();
    }

    /// Lets a batch allocation happen.
    fn allocate(&self) {
        self.runtime.clock().advance(INTERVAL);
        self.settle();
    }

    /// Waits for all that was asked of the allocator: an allocation comes behind the calls that
    /// caused it, and so before the second of two more.
    fn settle(&self) {
        wait(self.allocator.inverse_offer_statuses());
        wait(self.allocator.inverse_offer_statuses());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        wait(self.runtime.shutdown());
    }
}

fn slave_id(n: usize) -> SlaveId {
    SlaveId::from(format!("slave{n}"))
}

fn parse(text: &str) -> Resources {
    text.parse().expect("resources")
}

fn add_and_update_slave(criterion: &mut Criterion) {
    const SLAVES: usize = 10_000;
    const TOTAL: &str = "cpus:2;mem:1024;disk:4096;ports:[31000-32000]";
    let used = parse(
        "cpus:1;mem:128;disk:1024;ports:[31126-31510, 31512-31623, 31810-31852, 31854-31964]",
    );
    let mut oversubscribed = parse("cpus:10").to_messages();
    oversubscribed[0].revocable = Some(Default::default());
    let oversubscribed = Resources::from(&oversubscribed);

    let mut group = criterion.benchmark_group("10000 slaves");
    group.sample_size(10);
    for frameworks in [1, 200, 1000] {
        group.bench_function(BenchmarkId::new("added", frameworks), |bencher| {
            let empty = || Cluster::new(frameworks, "*");
            let add = |cluster: Cluster| {
                cluster.add_slaves(SLAVES, TOTAL, |_| used.clone());
                cluster.settle();
                cluster
            };
            bencher.iter_batched(empty, add, BatchSize::PerIteration);
        });
        group.bench_function(BenchmarkId::new("updated", frameworks), |bencher| {
            let full = || {
                let cluster = Cluster::new(frameworks, "*");
                cluster.add_slaves(SLAVES, TOTAL, |_| used.clone());
                cluster.settle();
                cluster
            };
            let update = |cluster: Cluster| {
                for n in 0..SLAVES {
                    cluster.allocator.update_slave(&slave_id(n), oversubscribed.clone());
                }
                cluster.settle();
                cluster
            };
            bencher.iter_batched(full, update, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// One allocation of 2,000 slaves when most of 200 frameworks refuse most of them for ever.
fn decline_offers(
    criterion: &mut Criterion,
    name: &str,
    role: &str,
    used: impl Fn(usize) -> Resources,
) {
    let cluster = LazyCell::new(|| {
        let cluster = Cluster::new(200, role);
        cluster.add_slaves(2_000, "cpus:24;mem:4096;disk:4096;ports:[31000-32000]", used);
        cluster.settle();
        for _ in 0..190 {
            cluster.give_back(Some(FOR_EVER));
            cluster.allocate();
        }
        cluster
    });
    let mut group = criterion.benchmark_group("2000 slaves refused by 200 frameworks");
    group.sample_size(10);
    group.bench_function(BenchmarkId::new("allocated", name), |bencher| {
        let give_back = || cluster.give_back(None);
        bencher.iter_batched(give_back, |()| cluster.allocate(), BatchSize::PerIteration);
    });
    group.finish();
}

fn sixteen_ports() -> String {
    let ports: Vec<String> =
        (0..16).map(|n| 31_000 + n * 62).map(|p| format!("{p}-{}", p + 1)).collect();
    format!("ports:[{}]", ports.join(", "))
}

fn declined(criterion: &mut Criterion) {
    let used = parse(&format!("cpus:16;mem:2014;disk:1024;{}", sixteen_ports()));
    decline_offers(criterion, "plain", "*", |_| used.clone());
}

/// As `declined`, with two reservations on each slave whose labels are found nowhere else.
fn labelled(criterion: &mut Criterion) {
    let used = parse(&format!("mem:2014;disk:1024;{}", sixteen_ports()));
    let reserved = |name: &str, n: usize| {
        let mut labels: Vec<Label> = (1..=11)
            .map(|i| Label { key: format!("foo{i}"), value: Some(format!("bar{i}")) })
            .collect();
        labels.push(Label { key: name.to_owned(), value: Some(n.to_string()) });
        let reservation = ReservationInfo {
            principal: Some("principal1".to_owned()),
            labels: Some(Labels { labels }),
            ..ReservationInfo::default()
        };
        parse("cpus:8").flatten_to_reservation("role1", &reservation)
    };
    decline_offers(criterion, "labelled", "role1", |n| {
        used.clone() + &reserved("bar1", n) + &reserved("baz1", n)
    });
}

criterion_group!(benches, add_and_update_slave, declined, labelled);
criterion_main!(benches);
