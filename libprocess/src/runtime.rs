//! The runtime as a value: the table of actors, the threads that run them, the ids they get.
//! Called by everything; a process may hold as many runtimes as it likes, each with a port.
//! Never decodes a body and never touches a socket itself: `net` does.
//!
//! Upstream: `process::initialize`, `ProcessManager`, `process::spawn`, `process::post`.

mod activity;
pub mod config;
mod directory;
pub(crate) mod engine;
mod links;
mod run_queue;
mod threads;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::net::SocketAddrV4;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use foldhash::HashMap;
use parking_lot::{Mutex, RwLock};

use crate::clock::Clock;
use crate::event::{Message, Name, Untyped};
use crate::http::auth::Authenticator;
use crate::mailbox::{AnyCell, Cell};
use crate::metrics::Metrics;
use crate::net::outgoing::Outgoing;
use crate::pid::{Address, Upid};
use crate::process::{Inject, Pid, Process};
use crate::router::Schema;
use crate::runtime::activity::{Activity, Busy};
use crate::runtime::config::{Config, StartError};
use crate::runtime::directory::Directory;
use crate::runtime::engine::Engine;
use crate::runtime::links::Links;
use crate::runtime::threads::Threads;
use crate::simulation::Host;
use crate::testing::filter::Traffic;
use crate::tls::Tls;
use crate::trace::{EventId, Kind, Outcome, Tracer, cause};

/// How long the end of a runtime waits for messages that are still on their way out.
const FLUSH_AT_MOST: Duration = Duration::from_secs(1);

/// Whether a link may use the connection that others have made already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking {
    /// It may. Upstream: `RemoteConnection::REUSE`.
    Reuse,
    /// It replaces that one by a fresh one. Upstream: `RemoteConnection::RECONNECT`.
    Reconnect,
}

/// An actor of that id runs already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Attempted to spawn already running process {0}")]
pub struct AlreadyRunning(pub Upid);

struct Inner {
    /// What is printed and compared: the advertised address.
    address: Address,
    /// What the socket is bound to.
    bound: SocketAddrV4,
    tls: Option<Tls>,
    schema: Option<Schema>,
    stalled_connection: Duration,
    delegate: RwLock<Option<String>>,
    disabled_endpoints: RwLock<BTreeSet<String>>,
    authenticators: RwLock<BTreeMap<String, Arc<dyn Authenticator>>>,
    clock: Clock,
    metrics: Metrics,
    cells: Directory,
    ids: Mutex<HashMap<Box<str>, u64>>,
    links: Mutex<Links>,
    activity: Activity,
    engine: Engine,
    outgoing: OnceLock<Outgoing>,
    traffic: Arc<Traffic>,
    tracer: Arc<Tracer>,
}

/// A libprocess runtime: actors, their threads, one port. Clones are the same runtime.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

/// A runtime that may be gone already.
#[derive(Clone)]
pub(crate) struct WeakRuntime(Weak<Inner>);

impl WeakRuntime {
    pub(crate) fn upgrade(&self) -> Option<Runtime> {
        self.0.upgrade().map(|inner| Runtime { inner })
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({})", self.inner.address)
    }
}

impl Runtime {
    /// Binds the port, starts the threads and the built-in actors. Upstream:
    /// `process::initialize`.
    ///
    /// # Errors
    /// When the address cannot be had, or this host has none to publish.
    pub fn start(config: Config) -> Result<Runtime, StartError> {
        let (listener, bound, address) = config.bind()?;
        let tls = config.tls.as_ref().map(|tls| Tls::new(tls, config.stalled_connection()));
        let tls = tls.transpose()?;
        let workers = config.workers();
        let threads = Threads::start(workers)?;
        let engine = Engine::Threads(threads);
        let runtime = Self::assemble(&config, bound, address, tls, engine);
        if let Engine::Threads(threads) = &runtime.inner.engine {
            threads.work(&runtime.inner.activity, &runtime.downgrade());
            runtime.run(runtime.inner.clock.clone().run());
            threads.listen(listener, runtime.downgrade());
        }
        crate::builtin::spawn_all(&runtime, &config)?;
        crate::vlog!(1, "libprocess is initialized on {address} for {workers} cpus");
        Ok(runtime)
    }

    /// A runtime that is a node of a simulation. It has none of the built-in actors: they serve
    /// plain HTTP, which does not reach it.
    pub(crate) fn simulated(config: &Config, address: Address, host: Host) -> Runtime {
        Self::assemble(config, address.into(), address, None, Engine::Simulated(host))
    }

    fn assemble(
        config: &Config,
        bound: SocketAddrV4,
        address: Address,
        tls: Option<Tls>,
        engine: Engine,
    ) -> Runtime {
        let clock = engine.clock();
        let inner = Inner {
            address,
            bound,
            tls,
            schema: config.schema,
            stalled_connection: config.stalled_connection(),
            delegate: RwLock::new(config.delegate.clone()),
            disabled_endpoints: RwLock::default(),
            authenticators: RwLock::default(),
            metrics: Metrics::new(&clock),
            clock,
            cells: Directory::default(),
            ids: Mutex::default(),
            links: Mutex::default(),
            activity: Activity::default(),
            engine,
            outgoing: OnceLock::new(),
            traffic: Arc::default(),
            tracer: Arc::new(Tracer::new(config)),
        };
        let runtime = Runtime { inner: Arc::new(inner) };
        // The only call that sets it, on a runtime nobody else has yet.
        let _ = runtime
            .inner
            .outgoing
            .set(Outgoing::new(runtime.downgrade(), runtime.tracer().clone()));
        runtime
    }

    /// The published address, as every pid prints it. Upstream: `process::address`.
    pub fn address(&self) -> Address {
        self.inner.address
    }

    /// The address that the socket is bound to.
    pub fn bound(&self) -> SocketAddrV4 {
        self.inner.bound
    }

    /// The clock that all actors of this runtime share.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The metrics behind `/metrics/snapshot`.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Makes an id of the form `prefix(N)`, counting from 1 for each prefix.
    /// Upstream: `ID::generate`.
    pub fn generate(&self, prefix: &str) -> String {
        let mut ids = self.inner.ids.lock();
        let count = match ids.get_mut(prefix) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                ids.insert(prefix.into(), 1);
                1
            }
        };
        drop(ids);
        [prefix, "(", itoa::Buffer::new().format(count), ")"].concat()
    }

    /// Starts an actor under `id`. Upstream: `process::spawn`.
    ///
    /// # Errors
    /// If an actor of that id runs already; the new one is dropped.
    pub fn spawn<P: Process>(
        &self,
        id: impl Into<Arc<str>>,
        process: P,
    ) -> Result<Pid<P>, AlreadyRunning> {
        let cell = Cell::spawn(process, Upid::new(id, self.inner.address), self);
        if !self.inner.cells.add(&cell) {
            return Err(AlreadyRunning(cell.upid().clone()));
        }
        crate::vlog!(2, "Spawned process {}", cell.upid());
        let pid = cell.pid();
        self.schedule(cell);
        Ok(pid)
    }

    /// Starts an actor under the next id of `prefix`.
    pub fn spawn_numbered<P: Process>(&self, prefix: &str, mut make: impl FnMut() -> P) -> Pid<P> {
        loop {
            // Taken only if somebody chose an id of this form by hand.
            if let Ok(pid) = self.spawn(self.generate(prefix), make()) {
                return pid;
            }
        }
    }

    /// Sends a message in the name of `from`, which need not be an actor here.
    /// Upstream: `process::post`.
    pub fn post(&self, from: &Upid, to: &Upid, name: impl Into<Name>, body: Bytes) {
        if !to.is_empty() {
            self.deliver(Message { from: from.clone(), name: name.into(), body }, to);
        }
    }

    pub(crate) fn deliver(&self, message: Message, to: &Upid) {
        if !self.inner.traffic.admits(&message, to) {
            return self.lose(&message, to, Outcome::Filtered, cause::current());
        }
        if to.address != self.inner.address {
            return self.outgoing().send(message, to);
        }
        self.inner.cells.visit(&to.id, |cell| match cell {
            Some(cell) => cell.deliver(Untyped::Message(message)),
            None => {
                crate::vlog!(2, "Dropping event for process {to}");
                self.lose(&message, to, Outcome::NoActor, cause::current());
            }
        });
    }

    /// Notes that a message has not found its way.
    pub(crate) fn lose(&self, message: &Message, to: &Upid, why: Outcome, cause: EventId) {
        let record = self.tracer().note(cause, || message.record(Kind::Message, to));
        self.tracer().lose(record, why);
    }

    /// What a program that is about to be started is to find as `LIBPROCESS_CAUSE`, so that the
    /// trace goes on there; nothing if none is being taken.
    pub fn cause_for_child(&self) -> Option<String> {
        self.tracer().passed_by(cause::current()).map(|passed| passed.to_string())
    }

    pub(crate) fn tracer(&self) -> &Arc<Tracer> {
        &self.inner.tracer
    }

    /// Ends an actor of this runtime by its name; others are ignored. Upstream: `terminate`.
    pub fn terminate(&self, upid: &Upid, inject: Inject) {
        if let Some(cell) = self.cell(&upid.id).filter(|cell| cell.upid() == upid) {
            cell.terminate(inject);
        }
    }

    /// Waits for the end of an actor of this runtime; false if there is none of that name.
    /// Upstream: `wait`.
    pub async fn wait(&self, upid: &Upid) -> bool {
        let Some(ended) = self.cell(&upid.id).and_then(|cell| cell.watch_end()) else {
            return false;
        };
        // The sender is dropped only when the actor has ended.
        let _ = ended.await;
        true
    }

    /// Runs a future beside the actors, on the thread that serves the sockets. It must not block.
    pub fn run(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.inner.engine.run(self.inner.activity.track(future));
    }

    /// Runs `work` where it may block: files, name services, other processes.
    pub fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let (done, outcome) = tokio::sync::oneshot::channel();
        let cause = cause::current();
        let working = self.inner.engine.blocking(move || {
            let _working = cause::enter(cause);
            work()
        });
        self.run(async move {
            // A panic in `work` shows as a dropped sender; nobody may be waiting any more.
            if let Some(value) = working.await {
                let _ = done.send(value);
            }
        });
        async move { outcome.await.ok() }
    }

    /// A number for back-offs and the like: the same in each run of a simulation's seed, and
    /// otherwise not to be foreseen, though no secret should be made of it.
    pub fn random(&self) -> u64 {
        self.engine().random()
    }

    /// Who serves requests whose first component is no actor's id.
    pub fn set_delegate(&self, id: &str) {
        *self.inner.delegate.write() = Some(id.to_owned());
    }

    pub(crate) fn delegate(&self) -> Option<String> {
        self.inner.delegate.read().clone()
    }

    /// Answers 403 on exactly these paths; those without the delegate's id get it.
    /// Upstream: `DisabledEndpointsFirewallRule`.
    pub fn set_disabled_endpoints(&self, paths: BTreeSet<String>) {
        *self.inner.disabled_endpoints.write() = paths;
    }

    pub(crate) fn is_disabled(&self, path: &str) -> bool {
        let disabled = self.inner.disabled_endpoints.read();
        let below = || {
            let delegate = self.delegate()?;
            path.strip_prefix('/')?.strip_prefix(&delegate)
        };
        disabled.contains(path) || below().is_some_and(|below| disabled.contains(below))
    }

    /// Lets `authenticator` decide on requests to routes of `realm`.
    /// Upstream: `authentication::setAuthenticator`.
    pub fn set_authenticator(&self, realm: &str, authenticator: Arc<dyn Authenticator>) {
        self.inner.authenticators.write().insert(realm.to_owned(), authenticator);
    }

    pub(crate) fn authenticator(&self, realm: &str) -> Option<Arc<dyn Authenticator>> {
        self.inner.authenticators.read().get(realm).cloned()
    }

    /// Completes once no actor and no future of this runtime has anything to do and no timer is
    /// due. With the clock paused, that is when everything that follows from what happened so far
    /// has happened; what comes over a socket, or from a thread that blocks, is not waited for.
    /// Must not be awaited by an actor or a future of this runtime. Upstream: `Clock::settle`.
    pub async fn settle(&self) {
        loop {
            self.inner.activity.calm().await;
            if self.clock().has_due() {
                // The thread that fires it is about to.
                tokio::task::yield_now().await;
            } else if self.inner.activity.is_calm() {
                return crate::vlog!(3, "Clock is settled");
            }
        }
    }

    /// Completes when all that was sent so far has been given to the system, or its connection has
    /// failed, but `at_most` after so long: a process may end then without losing its last words.
    pub async fn flush(&self, at_most: Duration) {
        if self.engine().pace().limit(at_most, self.outgoing().flush()).await.is_none() {
            crate::vlog!(1, "Gave up sending after {}", stout::duration::display(at_most));
        }
    }

    /// Ends all actors in the order of their ids, then the threads; the port is free afterwards.
    /// Work that blocks ends when it ends. Called from an actor or a future of this runtime, it
    /// never completes.
    /// Upstream: `process::finalize`.
    pub async fn shutdown(&self) {
        for cell in self.cells().into_values() {
            let ended = cell.watch_end();
            cell.terminate(Inject::Back);
            if let Some(ended) = ended {
                // The sender is dropped only when the actor has ended.
                let _ = ended.await;
            }
        }
        // What the actors said last may still be on its way.
        self.flush(FLUSH_AT_MOST).await;
        self.inner.engine.stop();
        self.inner.engine.closed().await;
    }

    pub(crate) fn downgrade(&self) -> WeakRuntime {
        WeakRuntime(Arc::downgrade(&self.inner))
    }

    /// Drops all actors and what waits for them, as the end of a process does: nothing more of
    /// them runs, and nobody is told.
    pub(crate) fn abandon(&self) {
        let cells = self.cells();
        self.inner.cells.clear();
        cells.into_values().for_each(|cell| cell.abandon());
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    pub(crate) fn tls(&self) -> Option<Tls> {
        self.inner.tls.clone()
    }

    pub(crate) fn schema(&self) -> Option<Schema> {
        self.inner.schema
    }

    /// How long an accepted connection may stall within a request or its answer.
    pub(crate) fn stalled_connection(&self) -> Duration {
        self.inner.stalled_connection
    }

    pub(crate) fn outgoing(&self) -> &Outgoing {
        self.inner.outgoing.get().expect("set before the runtime is handed out")
    }

    pub(crate) fn cell(&self, id: &str) -> Option<Arc<dyn AnyCell>> {
        self.inner.cells.get(id)
    }

    pub(crate) fn traffic(&self) -> &Arc<Traffic> {
        &self.inner.traffic
    }

    /// All actors by id.
    pub(crate) fn cells(&self) -> BTreeMap<Arc<str>, Arc<dyn AnyCell>> {
        self.inner.cells.all()
    }

    pub(crate) fn schedule(&self, cell: Arc<dyn AnyCell>) {
        self.inner.activity.begin();
        if !self.inner.engine.schedule(cell) {
            self.turn_taken();
        }
    }

    /// Something goes on until the guard is dropped that is no actor's turn and no future.
    pub(crate) fn busy(&self) -> Busy {
        self.inner.activity.busy()
    }

    pub(crate) fn turn_taken(&self) {
        self.inner.activity.end();
    }

    pub(crate) fn clear_at_hand(&self) {
        self.inner.cells.clear_at_hand();
    }

    pub(crate) fn link(&self, linker: &Upid, to: &Upid, linking: Linking) {
        if to.is_empty() {
            return;
        }
        if to.address != self.inner.address {
            return self.outgoing().link(linker, to, linking);
        }
        // Recorded first and looked up then: an actor that ends in between finds the record.
        self.inner.links.lock().add(&linker.id, &to.id);
        if self.cell(&to.id).is_none() {
            self.exited_locally(to);
        }
    }

    /// An actor has ended: its id becomes free and those who linked it are told. Whether it has
    /// linked others itself is for it to say.
    pub(crate) fn forget(&self, upid: &Upid, has_linked: bool) {
        self.inner.cells.remove(&upid.id);
        if has_linked {
            self.inner.links.lock().forget_linker(&upid.id);
            self.outgoing().unlink(upid);
        }
        self.exited_locally(upid);
    }

    fn exited_locally(&self, upid: &Upid) {
        let linkers = self.inner.links.lock().take_linkers(&upid.id);
        for linker in linkers {
            self.tell_exited(&linker, upid);
        }
    }

    pub(crate) fn tell_exited(&self, linker: &str, upid: &Upid) {
        if let Some(cell) = self.cell(linker) {
            self.engine().saw_exited(linker, upid);
            cell.deliver(Untyped::Exited(upid.clone()));
        }
    }
}
