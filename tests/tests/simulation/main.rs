//! Three masters, five slaves and two frameworks on virtual time, under crashes, partitions,
//! resets, stopped processes and lost leadership, by a seed. What must hold:
//!
//! - one leader acts: no slave runs what it was told by a master that it does not know as the
//!   leader, or goes back to an earlier one, and none writes the registry after a later one has;
//! - no task runs twice, and no slave ever runs more than it has, but for the tasks of a framework
//!   that does not checkpoint: when a slave's connection ends, a master gives them up and offers
//!   what they use, though the slave may run them on. So does upstream's;
//! - the books of a master add up;
//! - what is finished stays so;
//! - in the end each task that was launched is known to be over, and as finished if it is and its
//!   slave was there all the time.

mod containers;
mod election;
mod framework;
mod registry;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use containers::{Executors, Ground};
use coordination::store::State;
use election::Election;
use framework::{Beliefs, Framework, is_terminal};
use libprocess::files::Files;
use libprocess::simulation::{Faults, Node, Simulation, seeds};
use libprocess::testing::{Installed, Verdict};
use libprocess::{Pid, Runtime, Upid};
use master::allocator::HierarchicalAllocator;
use master::master::master_info;
use master::registrar::{self, Options};
use master::{Master, Parts};
use parking_lot::Mutex;
use prost::{Message, Name};
use proto::mesos::TaskState;
use proto::mesos::internal::RunTaskMessage;
use registry::Registry;
use slave::Slave;
use slave::oversubscription::NoopResourceEstimator;
use slave::storage::FileSystem;
use stout::flags::BoxedError;
use stout::flags::parse::Loader;
use tempfile::TempDir;
use tests::fakes::containers::FakeContainerizer;

const MASTERS: usize = 3;
const SLAVES: usize = 5;
const FRAMEWORKS: usize = 2;

/// What the actor of a slave is called.
const SLAVE: &str = "slave(1)";

/// As many as have a processor each.
const TASKS_PER_SLAVE: usize = 4;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Where what is synchronized costs nothing, if there is such a place.
fn folder_in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// What outlives the processes.
#[derive(Clone)]
struct Cluster {
    election: Election,
    registry: State,
    ground: Ground,
    beliefs: Beliefs,
    folder: Arc<TempDir>,
    /// Masters that have had to end.
    ended: Arc<Mutex<BTreeSet<Node>>>,
    masters: Arc<Mutex<BTreeMap<Node, Pid<Master>>>>,
    /// Nodes whose processes have been started, and how often.
    boots: Arc<Mutex<BTreeMap<Node, usize>>>,
    /// What hears the words that slaves are told.
    ears: Arc<Mutex<BTreeMap<Node, Installed>>>,
}

impl Cluster {
    fn new() -> Self {
        let election = Election::new();
        Self {
            registry: State::new(Registry::new(&election)),
            election,
            ground: Ground::default(),
            beliefs: Beliefs::default(),
            folder: Arc::new(folder_in_memory()),
            ended: Arc::default(),
            masters: Arc::default(),
            boots: Arc::default(),
            ears: Arc::default(),
        }
    }

    fn boot(&self, node: Node, runtime: &Runtime) {
        *self.boots.lock().entry(node).or_default() += 1;
        match node.index() {
            0..MASTERS => self.start_master(node, runtime),
            index if index < MASTERS + SLAVES => self.start_slave(node, runtime),
            _ => self.start_framework(node, runtime),
        }
    }

    fn start_master(&self, node: Node, runtime: &Runtime) {
        let pid = Upid::new("master", runtime.address());
        let info = master_info(&format!("m{}", runtime.random()), &pid, &node.to_string());
        let ended = self.ended.clone();
        let registrar = registrar::start(runtime, self.registry.clone(), Options::default());
        let parts = Parts {
            allocator: Box::new(HierarchicalAllocator::new(runtime, runtime.random())),
            registrar: Box::new(registrar),
            contender: self.election.contender(),
            detector: self.election.detector(runtime),
            authorizer: None,
            on_fatal: Box::new(move |_| {
                ended.lock().insert(node);
            }),
        };
        let master = Master::new(master::Config::default(), info, parts, runtime);
        let master = runtime.spawn("master", master).expect("the only one");
        self.masters.lock().insert(node, master);
    }

    /// Notes which tasks a slave is told to run by whom it knows as the leader.
    fn listen(&self, node: Node, runtime: &Runtime) {
        let (election, ground) = (self.election.clone(), self.ground.clone());
        let ears = runtime.filter(move |envelope| {
            let to = envelope.to;
            if envelope.name == RunTaskMessage::full_name() && *to.id == *SLAVE {
                let lease = election.lease_of(to.address, envelope.from);
                let message = RunTaskMessage::decode(envelope.body.clone());
                if let (Some(lease), Ok(message)) = (lease, message) {
                    ground.take(&to.address.to_string(), message.task.task_id.value, lease);
                }
            }
            Verdict::NotMine
        });
        self.ears.lock().insert(node, ears);
    }

    fn start_slave(&self, node: Node, runtime: &Runtime) {
        self.listen(node, runtime);
        let no_files = |path: &str| Err::<String, BoxedError>(format!("no file {path}").into());
        let arguments = [
            "mesos-slave".to_owned(),
            format!("--hostname={node}"),
            format!("--work_dir={}", self.folder.path().join(node.to_string()).display()),
            "--launcher_dir=/nowhere".to_owned(),
            format!("--resources=cpus:{TASKS_PER_SLAVE};mem:1024;disk:1024;ports:[31000-32000]"),
            "--no-switch_user".to_owned(),
        ];
        let loaded = Loader::new(&no_files).load::<slave::Flags>(&arguments).expect("good flags");
        let config =
            slave::Config::new(&loaded, Vec::new(), runtime.address()).expect("good flags");
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&runtime.random().to_be_bytes());
        let parts = slave::Parts {
            containerizer: Arc::new(FakeContainerizer::new(Executors::new(runtime, &self.ground))),
            detector: self.election.detector(runtime),
            estimator: Arc::new(NoopResourceEstimator),
            files: Files::start(runtime).expect("the only one"),
            storage: Arc::new(FileSystem),
            boot_id: node.to_string(),
            seed,
        };
        Slave::start(runtime, SLAVE, config, parts).expect("the only one");
    }

    fn start_framework(&self, node: Node, runtime: &Runtime) {
        let detector = self.election.detector(runtime);
        let framework = Framework::new(node.to_string(), detector, self.beliefs.clone());
        runtime.spawn("scheduler", framework).expect("the only one");
    }

    /// Lets time pass, with all that is not the nodes' own: sessions end, and masters that had to
    /// end are started again.
    fn run_for(&self, sim: &mut Simulation, duration: Duration) {
        let end = sim.elapsed() + duration;
        while sim.elapsed() < end {
            sim.run_for(secs(1));
            self.election.tick(sim.elapsed());
            for node in std::mem::take(&mut *self.ended.lock()) {
                sim.crash(node);
                sim.restart(node);
            }
            for master in self.masters.lock().values() {
                master.tell(|master, _| master.cluster().check_invariants());
            }
        }
    }

    fn check_the_end(&self) {
        let boots = self.boots.lock();
        let steady: BTreeSet<String> = Node::all(MASTERS + SLAVES)
            .filter(|node| boots.get(node) == Some(&1))
            .map(|node| node.address().to_string())
            .collect();
        let mut finished = 0;
        self.beliefs.with(|known| {
            for (task, (slave, state)) in &known.tasks {
                assert!(is_terminal(*state), "{task} on {slave} is {state:?} for ever");
                let Some(address) = self.ground.finished_at(task) else { continue };
                finished += 1;
                if steady.contains(&address) && !known.lost.contains(slave) {
                    assert_eq!(*state, TaskState::TaskFinished, "{task} on {slave}");
                }
            }
        });
        assert!(finished > 0, "nothing ran");
    }
}

/// One run; gives its hash.
fn run(seed: u64) -> u64 {
    let cluster = Cluster::new();
    let nodes = cluster.clone();
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    let config = libprocess::Config { schema, ..libprocess::Config::default() };
    let mut sim = Simulation::seeded(seed)
        .nodes(MASTERS + SLAVES + FRAMEWORKS)
        .config(config)
        .start(move |node, runtime| nodes.boot(node, runtime));
    cluster.run_for(&mut sim, secs(10));
    sim.faults(Faults::every(secs(4)).resets().partitions().freezes().crashes(3));
    for _ in 0..4 {
        cluster.run_for(&mut sim, secs(15));
        cluster.election.depose();
    }
    sim.calm();
    cluster.run_for(&mut sim, secs(60));
    cluster.beliefs.with(|known| known.quiet = true);
    cluster.run_for(&mut sim, secs(900));
    cluster.check_the_end();
    sim.hash()
}

#[test]
fn nothing_is_lost_on_any_schedule() {
    for seed in seeds(2, 1_000) {
        run(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    assert_eq!(run(2), run(2));
}
