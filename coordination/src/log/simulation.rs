//! The replicated log under crashes, lost power, partitions and wiped disks: three replicas, each
//! with a writer that contends with the others, on virtual time and by a seed. What must hold:
//!
//! - no two values are learned at one position, by whomever and whenever;
//! - what was acknowledged is what is learned there, and what is read in the end.
//!
//! At most one disk is wiped at a time, and only while all others have what was agreed on.

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libprocess::simulation::{Faults, Node, Simulation, seeds};
use libprocess::{Runtime, Upid};
use parking_lot::Mutex;

use self::disk::{Disk, Learned};
use crate::log::{AutoInitialize, Config, Log, Network, Position, Writer};

const REPLICAS: usize = 3;
const QUORUM: usize = 2;

/// What writers were told: what stands where.
type Acknowledged = Arc<Mutex<BTreeMap<Position, Bytes>>>;

/// What all replicas and writers of a simulation share with the test.
#[derive(Clone, Default)]
struct Shared {
    disks: BTreeMap<Node, Disk>,
    learned: Learned,
    acknowledged: Acknowledged,
    /// Nobody writes any more.
    quiet: Arc<Mutex<bool>>,
    /// The logs that run.
    logs: Arc<Mutex<BTreeMap<Node, Log>>>,
}

impl Shared {
    fn new() -> Self {
        let learned = Learned::default();
        let disks = Node::all(REPLICAS).map(|node| (node, Disk::new(learned.clone())));
        Self { disks: disks.collect(), learned, ..Self::default() }
    }

    fn boot(&self, node: Node, runtime: &Runtime) {
        let config = Config {
            quorum: QUORUM,
            path: PathBuf::new(),
            network: Network::Fixed(replicas()),
            auto_initialize: AutoInitialize::Yes,
        };
        let storage = Box::new(self.disks[&node].clone());
        let log = Log::start_on(runtime, config, storage).expect("a disk that can be read");
        let writer = log.writer();
        self.logs.lock().insert(node, log);
        runtime.run(write(self.clone(), runtime.clone(), node, writer));
    }

    fn is_quiet(&self) -> bool {
        *self.quiet.lock()
    }
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn replicas() -> BTreeSet<Upid> {
    Node::all(REPLICAS).map(|node| Upid::new("log-replica(1)", node.address())).collect()
}

/// Stands for election, appends some entries, leaves the log to others for a while.
async fn write(shared: Shared, runtime: Runtime, node: Node, writer: Writer) {
    let pause = |most: u64| {
        let pause = millis(runtime.random() % most);
        runtime.clock().sleep(pause)
    };
    while !shared.is_quiet() {
        pause(300).await;
        if let Ok(Some(_)) = writer.start().await {
            for _ in 0..runtime.random() % 8 {
                let data = Bytes::from(format!("{node} {}", runtime.random()));
                let Ok(Some(position)) = writer.append(data.clone()).await else { break };
                shared.acknowledged.lock().insert(position, data);
                pause(20).await;
            }
        }
    }
}

/// Wipes the disk of a node that is down, where all others vote.
fn wipe(sim: &Simulation, shared: &Shared) {
    let down = sim.all().into_iter().find(|node| !sim.is_up(*node));
    if let Some(down) = down {
        let mut others = shared.disks.iter().filter(|(node, _)| **node != down);
        if others.all(|(_, disk)| disk.votes()) {
            shared.disks[&down].wipe();
        }
    }
}

/// Everything that is in the log, read by a writer that has just been elected.
fn read_all(sim: &mut Simulation, shared: &Shared) -> BTreeMap<Position, Bytes> {
    let [node, ..] = sim.nodes::<REPLICAS>();
    let (writer, reader) = {
        let logs = shared.logs.lock();
        (logs[&node].writer(), logs[&node].reader())
    };
    let found = Arc::new(Mutex::new(None));
    let result = found.clone();
    sim.runtime(node).run(async move {
        let ending = loop {
            if let Ok(Some(ending)) = writer.start().await {
                break ending;
            }
        };
        let beginning = reader.beginning().await.expect("a log that has recovered");
        let entries = reader.read(beginning, ending).await.expect("all that was agreed on");
        *result.lock() = Some(entries);
    });
    let was_read = sim.run_until(millis(300_000), |_| found.lock().is_some());
    assert!(was_read, "nobody is elected though all is well");
    let entries = found.lock().take().expect("just seen");
    entries.into_iter().map(|entry| (entry.position, entry.data)).collect()
}

/// One run; gives its hash.
fn run(seed: u64) -> u64 {
    let shared = Shared::new();
    let boots = shared.clone();
    let boot = move |node: Node, runtime: &Runtime| boots.boot(node, runtime);
    let mut sim = Simulation::seeded(seed).nodes(REPLICAS).loss(0.01).start(boot);
    let (learned, acknowledged) = (shared.learned.clone(), shared.acknowledged.clone());
    sim.invariant(move |_| learned.check(&acknowledged.lock()));
    sim.run_for(millis(1_500));
    sim.faults(Faults::every(millis(300)).resets().partitions().crashes(2));
    for _ in 0..8 {
        sim.run_for(millis(600));
        wipe(&sim, &shared);
    }
    sim.calm();
    sim.run_for(millis(1_500));
    *shared.quiet.lock() = true;
    sim.run_for(millis(30_000));
    let entries = read_all(&mut sim, &shared);
    for (position, data) in &*shared.acknowledged.lock() {
        assert_eq!(entries.get(position), Some(data), "lost at {position}");
    }
    assert!(!entries.is_empty(), "nothing was ever written");
    sim.hash()
}

#[test]
fn replicas_agree_and_lose_nothing_on_every_schedule() {
    for seed in seeds(10, 1_000) {
        run(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(1), run(1));
}
