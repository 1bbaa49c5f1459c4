//! Many nodes in one thread on virtual time, over a network whose delays, losses, resets and
//! partitions come from a seed: the same seed is the same run.
//! Used by the tests of every crate. Never waits: time passes when nothing is left to do.
//!
//! ```no_run
//! use std::time::Duration;
//! use libprocess::simulation::{Simulation, seeds};
//! # struct Counter; impl libprocess::Process for Counter {}
//! # impl Counter { fn new() -> Self { Counter } }
//!
//! for seed in seeds(100, 10_000) {
//!     let mut sim = Simulation::seeded(seed).nodes(3).start(|_node, runtime| {
//!         runtime.spawn("counter", Counter::new()).expect("the first of its name");
//!     });
//!     let [one, two, three] = sim.nodes();
//!     sim.invariant(|_| assert!(true, "what holds after each event"));
//!     sim.run_for(Duration::from_secs(5));
//!     sim.partition(one, two);
//!     sim.crash(three);
//!     sim.run_for(Duration::from_secs(60));
//!     sim.restart(three);
//!     sim.calm(); // no more faults, everybody is up and reached
//!     assert!(sim.run_until(Duration::from_secs(60), |_| true), "all is well in the end");
//! }
//! ```
//!
//! When a check fails, the last events are told, with the seed and how to run it again.
//!
//! What a node is: a [`Runtime`] whose actors, futures, timers and blocking work are run by the
//! simulation, one at a time, in an order that the seed chooses. Its messages travel as the bytes
//! that they are on a socket, through the encoder, the decoder and the tables of connections and
//! links that a daemon has. Plain HTTP requests reach no simulated node. What an actor does beside
//! its runtime, such as reading files, must itself be the same in each run.
//!
//! Upstream has no such thing.

mod faults;
mod host;
mod network;
mod socket;
mod trace;

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use rand::SeedableRng;
use rand::rngs::SmallRng;

pub use crate::simulation::faults::Faults;
pub(crate) use crate::simulation::host::Host;
pub(crate) use crate::simulation::socket::Socket;

use crate::clock::{Clock, Time};
use crate::http::server::Site;
use crate::net::incoming;
use crate::net::stream::Stream;
use crate::pid::Address;
use crate::runtime::Runtime;
use crate::runtime::config::Config;
use crate::simulation::faults::Schedule;
use crate::simulation::host::{Life, Ready, TaskWaker, World};
use crate::simulation::network::{Accepted, Network, SERVER, Weather};
use crate::simulation::trace::{Body, Fault, What};
use crate::testing::filter::{Installed, Verdict};

/// The time at which every simulation begins: 2016-01-01 00:00:00 UTC.
const START: Time = Time::from_epoch(Duration::from_secs(1_451_606_400));

/// The port of every node.
const PORT: u16 = 5050;

/// How many things may happen at one point in time before it is taken for an endless loop.
const STEPS_AT_ONCE_MAX: usize = 1_000_000;

/// The seed to run alone, for all simulations of the process.
const SEED_VARIABLE: &str = "MESOS_SIMULATION_SEED";

/// How many seeds to run instead of as many as a test usually does: a number, or `full`.
const SEEDS_VARIABLE: &str = "MESOS_SIMULATION_SEEDS";

/// The seeds of a test: 1 to `usual`. `MESOS_SIMULATION_SEEDS` makes it another number, or with
/// `full` the one given here; `MESOS_SIMULATION_SEED` leaves only the one it names.
pub fn seeds(usual: u64, full: u64) -> impl Iterator<Item = u64> {
    let number = |variable| std::env::var(variable).ok()?.parse().ok();
    let is_full = std::env::var(SEEDS_VARIABLE).is_ok_and(|value| value == "full");
    match number(SEED_VARIABLE) {
        Some(seed) => seed..=seed,
        None if is_full => 1..=full,
        None => 1..=number(SEEDS_VARIABLE).unwrap_or(usual),
    }
}

/// A machine of a simulation and, as a rule, the process on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(usize);

impl Node {
    /// The nodes of a simulation of so many.
    pub fn all(count: usize) -> impl Iterator<Item = Node> {
        (0..count).map(Node)
    }

    /// Counted from 0.
    pub fn index(self) -> usize {
        self.0
    }

    /// Where its runtime is reached, whether or not one runs.
    pub fn address(self) -> Address {
        let [high, low] = u16::try_from(self.0 + 1).expect("below 65535 nodes").to_be_bytes();
        Address::new(Ipv4Addr::new(10, 0, high, low), PORT)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node{}", self.0)
    }
}

type Boot = Box<dyn FnMut(Node, &Runtime)>;
type Invariant = Box<dyn FnMut(&Simulation)>;

/// What a simulation is made of; see [`Simulation::seeded`].
pub struct Builder {
    seed: u64,
    nodes: usize,
    config: Config,
    weather: Weather,
    latency: Range<Duration>,
}

impl Builder {
    /// How many nodes there are; one if this is not called.
    #[must_use]
    pub fn nodes(self, nodes: usize) -> Self {
        Self { nodes, ..self }
    }

    /// What the runtimes are started with; addresses and threads are not looked at.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// How long packets travel; 100 µs to 2 ms if this is not called. Must not be empty.
    #[must_use]
    pub fn delay(mut self, delay: Range<Duration>) -> Self {
        self.weather.delay = delay;
        self
    }

    /// Which part of the packets is lost, to be sent again after 200 ms; none if this is not
    /// called. Below 1.
    #[must_use]
    pub fn loss(mut self, loss: f64) -> Self {
        self.weather.loss = loss;
        self
    }

    /// How long work takes that may block; up to 1 ms if this is not called. Must not be empty.
    #[must_use]
    pub fn latency(self, latency: Range<Duration>) -> Self {
        Self { latency, ..self }
    }

    /// Starts all nodes. `boot` is what a process does first, here and at each restart.
    pub fn start(self, boot: impl FnMut(Node, &Runtime) + 'static) -> Simulation {
        let Builder { seed, nodes, config, weather, latency } = self;
        let clock = Clock::paused_at(START);
        let mut network = Network::new(weather);
        Node::all(nodes).for_each(|node| network.add_machine(node.address()));
        let mut sim = Simulation {
            seed,
            config,
            world: Arc::new(World::new(clock, SmallRng::seed_from_u64(seed), network, latency)),
            machines: (0..nodes).map(|_| Machine::default()).collect(),
            boot: Box::new(boot),
            tasks: BTreeMap::new(),
            serial: 0,
            site: Rc::new(Site::closed()),
            invariants: Vec::new(),
            schedule: None,
        };
        for node in sim.all() {
            sim.restart(node);
        }
        sim
    }
}

#[derive(Default)]
struct Machine {
    process: Option<Running>,
    frozen: bool,
    /// What could run there, were it not frozen.
    kept: Vec<(Life, Ready)>,
}

struct Running {
    runtime: Runtime,
    life: Life,
    /// What tells the trace of messages.
    _ears: Installed,
}

struct Task {
    life: Life,
    waker: Arc<TaskWaker>,
    future: LocalBoxFuture<'static, ()>,
}

/// A cluster on virtual time; see the module.
pub struct Simulation {
    seed: u64,
    config: Config,
    world: Arc<World>,
    machines: Vec<Machine>,
    boot: Boot,
    tasks: BTreeMap<u64, Task>,
    serial: u64,
    site: Rc<Site>,
    invariants: Vec<Invariant>,
    schedule: Option<Schedule>,
}

impl Simulation {
    /// Begins to build a simulation in which all that is left to chance comes from `seed`.
    pub fn seeded(seed: u64) -> Builder {
        let micros = Duration::from_micros;
        Builder {
            seed,
            nodes: 1,
            config: Config::default(),
            weather: Weather { delay: micros(100)..micros(2_000), loss: 0.0 },
            latency: micros(0)..micros(1_000),
        }
    }

    // === looking

    /// The nodes, by a pattern: `let [one, two] = sim.nodes();`
    ///
    /// # Panics
    /// When there are more or fewer.
    pub fn nodes<const COUNT: usize>(&self) -> [Node; COUNT] {
        self.all().try_into().expect("as many nodes as the simulation has")
    }

    /// All nodes in order.
    pub fn all(&self) -> Vec<Node> {
        Node::all(self.machines.len()).collect()
    }

    /// The runtime of a node.
    ///
    /// # Panics
    /// When the node is down.
    pub fn runtime(&self, node: Node) -> &Runtime {
        let process = self.machines[node.0].process.as_ref();
        &process.unwrap_or_else(|| panic!("{node} is down")).runtime
    }

    /// Whether a process runs on a node, be it frozen.
    pub fn is_up(&self, node: Node) -> bool {
        self.machines[node.0].process.is_some()
    }

    /// How much virtual time has passed.
    pub fn elapsed(&self) -> Duration {
        self.world.clock().now().since(START)
    }

    /// A number below `bound`, by the seed; for what a test leaves to chance.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn random(&self, bound: u64) -> u64 {
        use rand::RngExt;
        self.world.with_random(|random| random.random_range(0..bound))
    }

    /// A hash of all that happened. Two runs of a seed have the same.
    pub fn hash(&self) -> u64 {
        self.world.with_trace(|trace| trace.hash())
    }

    /// The last events, one a line: when, where, and who sent what to whom.
    pub fn trace(&self) -> String {
        self.world.with_trace(|trace| trace.tell(START))
    }

    /// Adds a check that runs after each event. It asserts.
    pub fn invariant(&mut self, check: impl FnMut(&Simulation) + 'static) {
        self.invariants.push(Box::new(check));
    }

    // === running

    /// Lets `duration` pass.
    pub fn run_for(&mut self, duration: Duration) {
        let never = self.run_until(duration, |_| false);
        debug_assert!(!never);
    }

    /// Runs until `reached`, which is asked after each event, but no longer than `at_most`. Says
    /// whether it was.
    pub fn run_until(
        &mut self,
        at_most: Duration,
        mut reached: impl FnMut(&Simulation) -> bool,
    ) -> bool {
        let end = self.world.clock().now() + at_most;
        let mut steps_at_once = 0;
        while !reached(self) {
            if self.step() {
                steps_at_once += 1;
                assert!(
                    steps_at_once < STEPS_AT_ONCE_MAX,
                    "time stands still at {:?}",
                    self.elapsed()
                );
            } else if self.next_time().is_some_and(|next| next <= end) {
                steps_at_once = 0;
                self.pass_time();
            } else {
                self.advance_to(end);
                return reached(self);
            }
            self.check();
        }
        true
    }

    fn check(&mut self) {
        if let Some((upid, what)) = self.world.take_panic() {
            panic!("{upid} has panicked: {what}");
        }
        let mut invariants = std::mem::take(&mut self.invariants);
        invariants.iter_mut().for_each(|check| check(self));
        invariants.append(&mut self.invariants);
        self.invariants = invariants;
    }

    /// Runs one of what could run now; false if there is nothing.
    fn step(&mut self) -> bool {
        let Some((life, ready)) = self.world.draw() else { return false };
        let machine = &mut self.machines[life.node.0];
        let Some(process) = machine.process.as_ref().filter(|process| process.life == life) else {
            // What has been left of a process that ended.
            return true;
        };
        if machine.frozen {
            machine.kept.push((life, ready));
            return true;
        }
        match ready {
            Ready::Cell(cell) => {
                let runtime = process.runtime.clone();
                cell.run();
                runtime.turn_taken();
            }
            Ready::Begin(job) => self.begin(life, job),
            Ready::Task(id) => self.poll(id),
        }
        true
    }

    fn begin(&mut self, life: Life, future: LocalBoxFuture<'static, ()>) {
        self.serial += 1;
        let id = self.serial;
        let world = self.world.clone();
        let waker = TaskWaker { world, life, id, listed: AtomicBool::new(false) };
        self.tasks.insert(id, Task { life, waker: Arc::new(waker), future });
        self.poll(id);
    }

    fn poll(&mut self, id: u64) {
        // It stays out of the table meanwhile: it may end, and with it what it owns.
        let Some(mut task) = self.tasks.remove(&id) else { return };
        task.waker.begin();
        let waker = Waker::from(task.waker.clone());
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.tasks.insert(id, task);
        }
    }

    /// When the next thing happens that waits for time to pass.
    fn next_time(&self) -> Option<Time> {
        let packet = self.world.with_network(|network, _| network.next());
        let fault = self.schedule.as_ref().map(|schedule| schedule.next);
        [self.world.clock().next_expiry(), packet, fault].into_iter().flatten().min()
    }

    /// Lets the next thing happen that waits for time to pass.
    fn pass_time(&mut self) {
        let Some(next) = self.next_time() else { return };
        // Fires timers.
        self.advance_to(next);
        let accepted = self.world.with_network(|network, moment| network.fire(moment));
        if let Some(accepted) = accepted {
            self.accept(accepted);
        }
        if self.schedule.as_ref().is_some_and(|schedule| schedule.next <= next) {
            self.misfortune();
        }
    }

    fn advance_to(&mut self, time: Time) {
        let clock = self.world.clock();
        clock.advance(time.since(clock.now()));
    }

    fn accept(&mut self, accepted: Accepted) {
        let Accepted { connection, by, peer } = accepted;
        let socket = Socket::new(self.world.clone(), connection, SERVER);
        let process = self.machines[by.node.0].process.as_ref();
        // Without one the socket is closed here.
        let Some(process) = process.filter(|process| process.life == by) else { return };
        let (runtime, site) = (process.runtime.downgrade(), self.site.clone());
        let peer = std::net::SocketAddrV4::from(peer).into();
        let serving = incoming::serve(Stream::Simulated(socket), peer, runtime, site);
        self.begin(by, Box::pin(serving));
    }

    // === faults

    /// Ends the process of a node as SIGKILL does: its system closes its connections. Nothing
    /// happens if none runs.
    pub fn crash(&mut self, node: Node) {
        if self.is_up(node) {
            self.record(Fault::Crash(node));
            self.end_process(node);
        }
    }

    /// Takes the power of a node away: nobody is told, connections stay half-open. Nothing
    /// happens if no process runs.
    pub fn power_off(&mut self, node: Node) {
        if self.is_up(node) {
            self.record(Fault::PowerOff(node));
            self.world.with_network(|network, moment| network.set_power(node, false, moment));
            self.end_process(node);
        }
    }

    fn end_process(&mut self, node: Node) {
        let machine = &mut self.machines[node.0];
        machine.frozen = false;
        let kept = std::mem::take(&mut machine.kept);
        let Some(process) = machine.process.take() else { return };
        self.world.set_life(node, None);
        // Futures first, as they hold connections; in the order in which they were begun.
        let life = process.life;
        drop(kept);
        let ids: Vec<u64> = self.tasks.keys().copied().collect();
        for id in ids {
            if self.tasks.get(&id).is_some_and(|task| task.life == life) {
                self.tasks.remove(&id);
            }
        }
        process.runtime.abandon();
    }

    /// Starts the process of a node, and its machine if that is off. Nothing happens if it runs.
    pub fn restart(&mut self, node: Node) {
        if self.is_up(node) {
            return;
        }
        self.record(Fault::Boot(node));
        self.world.with_network(|network, moment| network.set_power(node, true, moment));
        self.serial += 1;
        let life = Life { node, number: self.serial };
        self.world.set_life(node, Some(life));
        let host = Host::new(self.world.clone(), life);
        let runtime = Runtime::simulated(&self.config, node.address(), host);
        let world = self.world.clone();
        let ears = runtime.filter(move |envelope| {
            world.record(What::Message {
                node,
                from: envelope.from.clone(),
                to: envelope.to.clone(),
                name: envelope.name.into(),
                body: Body(envelope.body.clone()),
            });
            Verdict::NotMine
        });
        let process = Running { runtime: runtime.clone(), life, _ears: ears };
        self.machines[node.0].process = Some(process);
        (self.boot)(node, &runtime);
    }

    /// Stops the process of a node as SIGSTOP does: its connections stay, nothing runs.
    pub fn freeze(&mut self, node: Node) {
        if self.is_up(node) && !std::mem::replace(&mut self.machines[node.0].frozen, true) {
            self.record(Fault::Freeze(node));
        }
    }

    /// Lets it go on.
    pub fn thaw(&mut self, node: Node) {
        let machine = &mut self.machines[node.0];
        if std::mem::take(&mut machine.frozen) {
            for (life, ready) in std::mem::take(&mut machine.kept) {
                self.world.push(life, ready);
            }
            self.record(Fault::Thaw(node));
        }
    }

    /// Lets nothing get from one node to another, though it may the other way.
    pub fn cut(&mut self, from: Node, to: Node) {
        if self.world.with_network(|network, _| network.cut(from, to)) {
            self.record(Fault::Cut(from, to));
        }
    }

    /// Lets nothing get between two nodes. Connections stay, and are held up.
    pub fn partition(&mut self, one: Node, other: Node) {
        self.cut(one, other);
        self.cut(other, one);
    }

    /// Lets nothing get between a node and all others.
    pub fn isolate(&mut self, node: Node) {
        for other in self.all() {
            if other != node {
                self.partition(node, other);
            }
        }
    }

    /// Lets everything get everywhere again.
    pub fn heal(&mut self) {
        for from in self.all() {
            for to in self.all() {
                if self.world.with_network(|network, moment| network.mend(from, to, moment)) {
                    self.record(Fault::Mend(from, to));
                }
            }
        }
    }

    /// Ends all connections between two nodes; what is under way is lost from some point on.
    pub fn reset(&mut self, one: Node, other: Node) {
        self.record(Fault::Reset(one, other));
        self.world.with_network(|network, moment| network.reset(one, other, moment));
    }

    /// Ends the faults that come by chance and repairs everything: all nodes run and reach each
    /// other.
    pub fn calm(&mut self) {
        self.schedule = None;
        self.heal();
        for node in self.all() {
            self.restart(node);
            self.thaw(node);
        }
    }

    fn record(&self, fault: Fault) {
        self.world.record(What::Fault(fault));
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tell(self.seed, &self.trace());
        }
        for node in self.all() {
            self.end_process(node);
        }
    }
}

#[expect(clippy::print_stderr, reason = "a failing test tells what led to it")]
fn tell(seed: u64, trace: &str) {
    eprintln!("{trace}The seed was {seed}; to see it again: {SEED_VARIABLE}={seed}");
}
