//! The replicated log under crashes, lost power, partitions and wiped disks: three replicas, each
//! with two writers that contend with all others, on virtual time and by a seed. What must hold:
//!
//! - no two values are learned at one position, by whomever and whenever;
//! - what was acknowledged is what is learned there, and what is read in the end.
//!
//! At most one disk is wiped at a time, and only while all others have what was agreed on.
//!
//! What it was seen to catch, and by which seed: a write that is accepted below the promise (1),
//! one vote taken for enough to write (1), a replica that votes after it was wiped (1), what is not
//! synchronized (1), a position filled whatever was performed there (1), or with the earliest (25)
//! or the first heard of (51) action there instead of the latest, one proposal promised to two (3),
//! a replica that forgets at restart what it promised for all unused positions (89).

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use libprocess::simulation::{Node, Simulation, seeds};
use libprocess::{Runtime, Upid};
use parking_lot::Mutex;

use self::disk::{Disk, Learned};
use crate::log::{AutoInitialize, Config, Log, Network, Position};

const REPLICAS: usize = 3;
const QUORUM: usize = 2;

/// How many contend on each node.
const WRITERS: usize = 2;

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
        self.logs.lock().insert(node, log);
        for _ in 0..WRITERS {
            runtime.run(write(self.clone(), runtime.clone(), node));
        }
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

/// Stands for election, appends some entries, leaves the log to others for a while. Has no patience
/// with what does not come to an end: nobody knows then whether it was written.
async fn write(shared: Shared, runtime: Runtime, node: Node) {
    let pause = |most: u64| Box::pin(runtime.clock().sleep(millis(runtime.random() % most)));
    while !shared.is_quiet() {
        pause(40).await;
        // A new one each time, which need not wait because others have defeated it.
        let writer = shared.logs.lock()[&node].writer();
        let election = select(Box::pin(writer.start()), pause(400)).await;
        let Either::Left((Ok(Some(_)), _)) = election else { continue };
        for _ in 0..runtime.random() % 16 {
            // Mostly one after the other; but who waits has been followed by another perhaps.
            if runtime.random().is_multiple_of(3) {
                pause(80).await;
            }
            let data = Bytes::from(format!("{node} {}", runtime.random()));
            let append = select(Box::pin(writer.append(data.clone())), pause(200)).await;
            let Either::Left((Ok(Some(position)), _)) = append else { break };
            shared.acknowledged.lock().insert(position, data);
        }
    }
}

/// Waits for a disk to be written, or a little longer, and lets something go wrong there, as a rule
/// while others have not heard of it yet; or repairs everything.
fn disturb(sim: &mut Simulation, shared: &Shared) {
    if sim.random(12) == 0 {
        return divide(sim, shared);
    }
    let writes = || shared.disks.values().map(Disk::writes).collect::<Vec<_>>();
    let pause = sim.random(40);
    sim.run_for(millis(pause));
    let before = writes();
    sim.run_until(millis(40), |_| writes() != before);
    let written = before.iter().zip(writes()).position(|(before, now)| *before != now);
    let chosen = sim.random(REPLICAS as u64) as usize;
    let (node, other) = (sim.all()[written.unwrap_or(chosen)], sim.all()[chosen]);
    let pause = sim.random(4_000);
    sim.run_for(Duration::from_micros(pause));
    match sim.random(24) {
        0 => sim.reset(node, other),
        1..=4 if node != other => {
            sim.heal();
            sim.partition(node, other);
        }
        5..=6 if node != other => sim.cut(node, other),
        1..=8 => {
            sim.heal();
            sim.isolate(node);
        }
        9..=12 => sim.heal(),
        13 => sim.crash(node),
        14..=16 => {
            sim.crash(node);
            sim.restart(node);
        }
        17..=20 => {
            sim.power_off(node);
            shared.disks[&node].lose_power();
            sim.restart(node);
        }
        21..=22 => sim.all().into_iter().for_each(|node| sim.restart(node)),
        _ => wipe(sim, shared),
    }
}

/// Leaves two nodes only the third one in common. That is restarted whenever it has made a promise
/// to one of them, which the other does not hear of; and what comes of the next write there, it is
/// not told by one of the two.
fn divide(sim: &mut Simulation, shared: &Shared) {
    let mut nodes = sim.all();
    let middle = nodes.remove(sim.random(REPLICAS as u64) as usize);
    let disk = &shared.disks[&middle];
    for _ in 0..4 {
        sim.heal();
        sim.partition(nodes[0], nodes[1]);
        let promises = disk.promises();
        sim.run_until(millis(100), |_| disk.promises() != promises);
        let pause = sim.random(4_000);
        sim.run_for(Duration::from_micros(pause));
        sim.crash(middle);
        sim.restart(middle);
        let entries = disk.entries();
        sim.run_until(millis(100), |_| disk.entries() != entries);
        let unheard = sim.random(2) as usize;
        sim.cut(nodes[unheard], middle);
        let pause = sim.random(40);
        sim.run_for(millis(pause));
    }
}

/// Wipes a disk while all others vote. Promises are lost with it, so that nobody who relies on them
/// may live on: all start anew.
fn wipe(sim: &mut Simulation, shared: &Shared) {
    let node = sim.all()[sim.random(REPLICAS as u64) as usize];
    let mut others = shared.disks.iter().filter(|(other, _)| **other != node);
    if others.all(|(_, disk)| disk.votes()) {
        sim.all().into_iter().for_each(|node| sim.crash(node));
        shared.disks[&node].wipe();
        sim.all().into_iter().for_each(|node| sim.restart(node));
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
    let mut sim = Simulation::seeded(seed).nodes(REPLICAS).loss(0.03).start(boot);
    let (learned, acknowledged) = (shared.learned.clone(), shared.acknowledged.clone());
    sim.invariant(move |_| learned.check(&acknowledged.lock()));
    sim.run_for(millis(1_500));
    for _ in 0..100 {
        disturb(&mut sim, &shared);
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
