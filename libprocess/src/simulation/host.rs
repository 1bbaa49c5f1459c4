//! What the nodes of a simulation share, and what a runtime runs on that is one of them: a list
//! of what could run next, in place of threads.
//! Called by the runtime's engine and by the simulation. Never runs anything itself.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;
use std::time::Duration;

use parking_lot::Mutex;
use rand::RngExt;
use rand::rngs::SmallRng;

use crate::clock::Clock;
use crate::mailbox::AnyCell;
use crate::pid::{Address, Upid};
use crate::simulation::Node;
use crate::simulation::network::{CLIENT, Moment, Network};
use crate::simulation::socket::Socket;
use crate::simulation::trace::{Trace, What};

/// A process: of which node, and how many were started there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Life {
    pub(super) node: Node,
    pub(super) number: u64,
}

/// A future of a node.
pub(super) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What could run next.
pub(super) enum Ready {
    Cell(Arc<dyn AnyCell>),
    /// A future that has been woken.
    Task(u64),
    /// A future that has not begun.
    Begin(Job),
}

/// By what a thing that could run is known. Not by when it was woken: those who wait for the same
/// thing are woken in an order that may be another one in each run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// An actor, and how many of its name are listed already: those before it that have ended.
    Cell(Arc<str>, usize),
    Task(u64),
    /// Counted from the first that the simulation began.
    Begin(u64),
}

/// What could run next, with the process it belongs to.
#[derive(Default)]
struct Agenda {
    ready: BTreeMap<(Life, Key), Ready>,
    begun: u64,
}

/// Everything that chance and packets touch.
struct Fate {
    random: SmallRng,
    network: Network,
    trace: Trace,
}

/// What all nodes share.
pub(crate) struct World {
    clock: Clock,
    latency: Range<Duration>,
    /// Not under the lock of the rest, because wakers come here from anywhere.
    agenda: Mutex<Agenda>,
    /// The process that runs on each node.
    lives: Mutex<Vec<Option<Life>>>,
    fate: Mutex<Fate>,
    /// The first actor that panicked, and why.
    panic: Mutex<Option<(Upid, String)>>,
}

impl World {
    pub(super) fn new(
        clock: Clock,
        random: SmallRng,
        network: Network,
        latency: Range<Duration>,
    ) -> Self {
        Self {
            clock,
            latency,
            agenda: Mutex::default(),
            lives: Mutex::default(),
            fate: Mutex::new(Fate { random, network, trace: Trace::default() }),
            panic: Mutex::default(),
        }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn take_panic(&self) -> Option<(Upid, String)> {
        self.panic.lock().take()
    }

    pub(super) fn with_network<T>(
        &self,
        act: impl FnOnce(&mut Network, &mut Moment<'_>) -> T,
    ) -> T {
        let mut fate = self.fate.lock();
        let Fate { random, network, trace } = &mut *fate;
        act(network, &mut Moment { now: self.clock.now(), random, trace })
    }

    pub(super) fn with_random<T>(&self, draw: impl FnOnce(&mut SmallRng) -> T) -> T {
        draw(&mut self.fate.lock().random)
    }

    pub(super) fn with_trace<T>(&self, act: impl FnOnce(&mut Trace) -> T) -> T {
        act(&mut self.fate.lock().trace)
    }

    pub(super) fn record(&self, what: What) {
        let now = self.clock.now();
        self.with_trace(|trace| trace.add(now, what));
    }

    /// Starts a process on a node in place of the one that ran there, or ends that.
    pub(super) fn set_life(&self, node: Node, life: Option<Life>) {
        let mut lives = self.lives.lock();
        if lives.len() <= node.0 {
            lives.resize(node.0 + 1, None);
        }
        lives[node.0] = life;
        drop(lives);
        self.with_network(|network, _| network.set_listener(node, life));
    }

    pub(super) fn is_alive(&self, life: Life) -> bool {
        self.lives.lock().get(life.node.0) == Some(&Some(life))
    }

    pub(super) fn push(&self, life: Life, ready: Ready) {
        let mut agenda = self.agenda.lock();
        let key = match &ready {
            Ready::Cell(cell) => {
                let named = |count| Key::Cell(cell.upid().id.clone(), count);
                let is_free = |key: &Key| !agenda.ready.contains_key(&(life, key.clone()));
                (0..).map(named).find(is_free).expect("a list that ends")
            }
            Ready::Task(id) => Key::Task(*id),
            Ready::Begin(_) => {
                agenda.begun += 1;
                Key::Begin(agenda.begun)
            }
        };
        agenda.ready.insert((life, key), ready);
    }

    /// Takes one of what could run, by chance.
    pub(super) fn draw(&self) -> Option<(Life, Ready)> {
        let mut agenda = self.agenda.lock();
        let index = match agenda.ready.len() {
            0 => return None,
            1 => 0,
            count => self.with_random(|random| random.random_range(0..count)),
        };
        let key = agenda.ready.keys().nth(index)?.clone();
        let ready = agenda.ready.remove(&key)?;
        self.with_trace(|trace| trace.note((index as u64) << 32 | agenda.ready.len() as u64));
        Some((key.0, ready))
    }
}

/// What a simulated runtime runs on.
#[derive(Clone)]
pub(crate) struct Host {
    world: Arc<World>,
    life: Life,
}

impl Host {
    pub(super) fn new(world: Arc<World>, life: Life) -> Self {
        Self { world, life }
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.world.clock
    }

    pub(crate) fn schedule(&self, cell: Arc<dyn AnyCell>) -> bool {
        let is_alive = self.world.is_alive(self.life);
        if is_alive {
            self.world.push(self.life, Ready::Cell(cell));
        }
        is_alive
    }

    pub(crate) fn run(&self, job: Job) {
        if self.world.is_alive(self.life) {
            self.world.push(self.life, Ready::Begin(job));
        }
    }

    /// How long a disk or another blocking thing takes, by chance.
    pub(crate) fn latency(&self) -> impl Future<Output = ()> + Send + 'static {
        let range = self.world.latency.clone();
        let latency = self.world.with_random(|random| random.random_range(range));
        self.world.clock.sleep(latency)
    }

    pub(crate) fn random(&self) -> u64 {
        self.world.with_random(|random| random.random())
    }

    pub(crate) fn connect(
        &self,
        peer: Address,
    ) -> impl Future<Output = io::Result<Socket>> + Send + 'static {
        let node = self.life.node;
        let id = self.world.with_network(|network, moment| network.connect(node, peer, moment));
        let mut socket = Socket::new(self.world.clone(), id, CLIENT);
        async move {
            poll_fn(|context| socket.poll_connected(context)).await?;
            Ok(socket)
        }
    }

    pub(crate) fn saw_exited(&self, linker: &str, linkee: &Upid) {
        let (node, linkee) = (self.life.node, linkee.clone());
        self.world.record(What::Exited { node, linker: linker.into(), linkee });
    }

    pub(crate) fn saw_panic(&self, upid: &Upid, what: &str) {
        self.world.panic.lock().get_or_insert_with(|| (upid.clone(), what.to_owned()));
    }

    pub(crate) fn stop(&self) {
        if self.world.is_alive(self.life) {
            self.world.set_life(self.life.node, None);
        }
    }
}

/// Puts a future that is woken on the list, once.
pub(super) struct TaskWaker {
    pub(super) world: Arc<World>,
    pub(super) life: Life,
    pub(super) id: u64,
    /// It is on the list already.
    pub(super) listed: AtomicBool,
}

impl TaskWaker {
    /// The future is about to be polled: being woken from now on counts anew.
    pub(super) fn begin(&self) {
        self.listed.store(false, Ordering::Relaxed);
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::Relaxed) {
            self.world.push(self.life, Ready::Task(self.id));
        }
    }
}
