//! What an actor is: the trait that it implements, the context that its handlers get, and the
//! typed address by which others reach it.
//! Called by every actor. Never touches a socket; all of that is behind the runtime.
//!
//! Upstream: `ProcessBase`, `Process<T>`, `ProtobufProcess<T>`, `PID<T>`, `dispatch`, `defer`,
//! `delay`.

use std::fmt;
use std::future::Future;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::clock::{Time, Timer};
use crate::event::{Event, Message, Name, name_of};
use crate::mailbox::{AnyCell, Cell};
use crate::pid::Upid;
use crate::router::Router;
use crate::runtime::{Linking, Runtime};

/// An actor. Its handlers run one at a time, on any thread, and must not block.
/// Upstream: `process::Process`.
pub trait Process: Sized + Send + 'static {
    /// Fills the table of what the actor understands: messages, HTTP routes, delegates. Called
    /// once, before [`Process::initialize`].
    fn install(&self, _router: &mut Router<Self>) {}

    /// Runs before any event is served.
    fn initialize(&mut self, _ctx: &mut Ctx<Self>) {}

    /// Runs when the actor is terminated; nothing is served afterwards.
    fn finalize(&mut self, _ctx: &mut Ctx<Self>) {}

    /// A linked actor, or the connection to its host, has ended. The link is gone with this call.
    fn exited(&mut self, _ctx: &mut Ctx<Self>, _pid: Upid) {}
}

/// The context that a handler runs in: who it is, who asks, and what it can do about it.
pub struct Ctx<P: Process> {
    pid: Pid<P>,
    runtime: Runtime,
    /// The sender of the last message.
    from: Option<Upid>,
    /// Whether that message is being handled.
    has_sender: bool,
    /// Whether it has linked anybody.
    has_linked: AtomicBool,
}

impl<P: Process> Ctx<P> {
    pub(crate) fn new(pid: Pid<P>, runtime: Runtime) -> Self {
        Self { pid, runtime, from: None, has_sender: false, has_linked: AtomicBool::new(false) }
    }

    /// Whether the actor has linked anybody.
    pub(crate) fn has_linked(&self) -> bool {
        self.has_linked.load(Ordering::Relaxed)
    }

    /// A message of `from` is about to be handled.
    pub(crate) fn set_sender(&mut self, from: &Upid) {
        // One actor often sends many in a row.
        if !self.from.as_ref().is_some_and(|last| last.is_same(from)) {
            self.from = Some(from.clone());
        }
        self.has_sender = true;
    }

    pub(crate) fn clear_sender(&mut self) {
        self.has_sender = false;
    }

    /// The actor's own typed address.
    pub fn pid(&self) -> &Pid<P> {
        &self.pid
    }

    /// The actor's own name on the network. Upstream: `self()`.
    pub fn upid(&self) -> &Upid {
        self.pid.upid()
    }

    /// The sender of the message being handled; the empty pid otherwise. Upstream: `from`.
    pub fn from(&self) -> &Upid {
        self.from.as_ref().filter(|_| self.has_sender).unwrap_or_else(|| Upid::nobody())
    }

    /// The runtime that the actor lives in.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The time on the runtime's clock.
    pub fn now(&self) -> Time {
        self.runtime.clock().now()
    }

    /// Sends a protobuf message, fire and forget. Upstream: `ProtobufProcess::send`.
    pub fn send<M: prost::Message + prost::Name>(&self, to: &Upid, message: &M) {
        self.send_raw(to, name_of::<M>(), message.encode_to_vec().into());
    }

    /// Sends a protobuf message to the sender of the one being handled. Upstream: `reply`.
    pub fn reply<M: prost::Message + prost::Name>(&self, message: &M) {
        self.send(self.from(), message);
    }

    /// Sends a message of any name with a body already encoded. Upstream: `ProcessBase::send`.
    pub fn send_raw(&self, to: &Upid, name: impl Into<Name>, body: Bytes) {
        self.runtime.post(self.upid(), to, name, body);
    }

    /// Asks to be told, by [`Process::exited`], when `to` or the connection to its host ends.
    /// Upstream: `link` with `RemoteConnection::REUSE`.
    pub fn link(&self, to: &Upid) {
        self.link_by(to, Linking::Reuse);
    }

    /// As [`Ctx::link`], over a fresh connection. Upstream: `RemoteConnection::RECONNECT`.
    pub fn link_reconnect(&self, to: &Upid) {
        self.link_by(to, Linking::Reconnect);
    }

    fn link_by(&self, to: &Upid, linking: Linking) {
        // Relaxed: read when the actor has ended, by the thread that ran it.
        self.has_linked.store(true, Ordering::Relaxed);
        self.runtime.link(self.upid(), to, linking);
    }

    /// Runs `handler` in this actor once `delay` has passed on the runtime's clock; not at all if
    /// the actor is gone by then. Upstream: `delay`.
    pub fn after(
        &self,
        delay: Duration,
        handler: impl FnOnce(&mut P, &mut Ctx<P>) + Send + 'static,
    ) -> Timer {
        let pid = self.pid.clone();
        let timer = self.runtime.clock().after(delay, Box::new(move || pid.tell(handler)));
        self.log_timer(timer, delay)
    }

    /// As [`Ctx::after`], once the runtime's clock shows `moment`; at once if that has passed.
    pub fn at(
        &self,
        moment: Time,
        handler: impl FnOnce(&mut P, &mut Ctx<P>) + Send + 'static,
    ) -> Timer {
        let pid = self.pid.clone();
        let timer = self.runtime.clock().at(moment, Box::new(move || pid.tell(handler)));
        self.log_timer(timer, moment.since(self.now()))
    }

    fn log_timer(&self, timer: Timer, delay: Duration) -> Timer {
        crate::vlog!(
            3,
            "Created a timer for {} in {} in the future ({})",
            self.upid(),
            stout::duration::display(delay),
            timer.expiry()
        );
        timer
    }

    /// Forgets a timer; false if it has expired already.
    pub fn cancel(&self, timer: Timer) -> bool {
        self.runtime.clock().cancel(timer)
    }

    /// Runs `future` beside the actor and `handler` in it with the outcome; the actor goes on
    /// with other events meanwhile. Upstream: `future.then(defer(self(), …))`.
    pub fn then<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
        handler: impl FnOnce(&mut P, &mut Ctx<P>, T) + Send + 'static,
    ) {
        let pid = self.pid.clone();
        self.runtime.run(async move {
            let outcome = future.await;
            let name = std::any::type_name_of_val(&handler);
            pid.call(name, move |process, ctx| handler(process, ctx, outcome));
        });
    }

    /// Ends this actor after the event being handled, before any other one.
    /// Upstream: `terminate(self())`.
    pub fn terminate(&self) {
        self.pid.terminate(Inject::Front);
    }
}

/// Where a termination enters the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inject {
    /// Before everything that waits. Upstream: `terminate(pid, true)`, the default.
    Front,
    /// Behind everything that waits. Upstream: `terminate(pid, false)`.
    Back,
}

/// How many events of each kind wait for an actor. Upstream: `ProcessBase::eventCount`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Messages from other actors.
    pub messages: usize,
    /// Calls.
    pub dispatches: usize,
    /// HTTP requests.
    pub http_requests: usize,
}

/// The typed address of an actor in this runtime; keeps nothing alive. Upstream: `PID<P>`.
pub struct Pid<P: Process> {
    upid: Upid,
    cell: Weak<Cell<P>>,
}

impl<P: Process> Clone for Pid<P> {
    fn clone(&self) -> Self {
        Self { upid: self.upid.clone(), cell: self.cell.clone() }
    }
}

impl<P: Process> fmt::Debug for Pid<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pid({})", self.upid)
    }
}

/// The actor was gone before it could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the actor is gone")]
pub struct Gone;

impl<P: Process> Pid<P> {
    pub(crate) fn new(upid: Upid, cell: Weak<Cell<P>>) -> Self {
        Self { upid, cell }
    }

    /// The actor's name on the network.
    pub fn upid(&self) -> &Upid {
        &self.upid
    }

    /// Runs `call` in the actor and drops its outcome; nothing happens if the actor is gone.
    /// Upstream: `dispatch` of a void method.
    pub fn tell(&self, call: impl FnOnce(&mut P, &mut Ctx<P>) + Send + 'static) {
        self.call(std::any::type_name_of_val(&call), call);
    }

    /// As [`Pid::tell`], under a name for the trace.
    fn call(&self, name: &'static str, call: impl FnOnce(&mut P, &mut Ctx<P>) + Send + 'static) {
        match self.cell.upgrade() {
            Some(cell) => cell.enqueue(Event::Dispatch(name, Box::new(call))),
            None => crate::vlog!(2, "Dropping event for process {}", self.upid),
        }
    }

    /// Runs `call` in the actor and gives what it returns. Queued at once, whether or not the
    /// future is polled. Upstream: `dispatch`.
    pub fn dispatch<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut P, &mut Ctx<P>) -> T + Send + 'static,
    ) -> impl Future<Output = Result<T, Gone>> + Send + 'static {
        let (answer, answered) = oneshot::channel();
        self.call(std::any::type_name_of_val(&call), move |process, ctx| {
            // Nobody may be waiting any more: that is the caller's choice.
            let _ = answer.send(call(process, ctx));
        });
        async move { answered.await.map_err(|_| Gone) }
    }

    /// As [`Pid::dispatch`], for a call that itself answers later.
    pub fn dispatch_then<T, F>(
        &self,
        call: impl FnOnce(&mut P, &mut Ctx<P>) -> F + Send + 'static,
    ) -> impl Future<Output = Result<T, Gone>> + Send + 'static
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let future = self.dispatch(call);
        async move { Ok(future.await?.await) }
    }

    /// Puts a message into the actor's mailbox, as if `from` had sent it.
    pub fn post<M: prost::Message + prost::Name>(&self, from: &Upid, message: &M) {
        let Some(cell) = self.cell.upgrade() else { return };
        let (name, body) = (name_of::<M>(), message.encode_to_vec().into());
        cell.receive(Message { from: from.clone(), name, body });
    }

    /// How much the actor has not come to yet; nothing if it is gone.
    pub fn waiting(&self) -> Waiting {
        self.cell.upgrade().map(|cell| cell.count()).unwrap_or_default()
    }

    /// Asks the actor to end. Upstream: `terminate`.
    pub fn terminate(&self, inject: Inject) {
        if let Some(cell) = self.cell.upgrade() {
            cell.terminate(inject);
        }
    }

    /// Waits until the actor has ended and its id is free again; returns at once if it has.
    /// Upstream: `wait`.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        let ended = self.cell.upgrade().and_then(|cell| cell.watch_end());
        async move {
            if let Some(ended) = ended {
                // The sender is dropped only when the actor has ended.
                let _ = ended.await;
            }
        }
    }
}
