//! One actor at run time: its queue of events, its phase of life, and the loop that serves it.
//! Called by the runtime's workers (`run`) and by everything that sends. Never serves one actor
//! on two threads, and never holds the queue's lock while a handler runs.
//!
//! Upstream: `ProcessManager::resume`, `ProcessManager::cleanup`, `ProcessBase::enqueue`.

mod taken;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::event::{Event, HttpEvent, Message, Name, Summary, Untyped};
use crate::http::{Response, serve_reply};
use crate::mailbox::taken::Taken;
use crate::pid::Upid;
use crate::process::{Ctx, Inject, Pid, Process, Waiting};
use crate::router::{Router, Routes};
use crate::runtime::Runtime;
use crate::trace::{EventId, Kind, Meter, Outcome, Record, Watch, cause};

/// How many events an actor may serve before others get their turn on the thread.
const EVENTS_PER_TURN_MAX: usize = 512;

/// A worker takes one in so many of the waiting events into its hand without another lock; those
/// are out of sight for who asks what waits.
const IN_SIGHT: usize = 32;

/// The most events that a worker has in its hand.
const IN_HAND_MAX: usize = 16;

/// For how many events an idle actor keeps room.
const IDLE_ROOM: usize = 16;

/// Whether an actor is waiting for events, or for a thread, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    /// In the run queue, or on a thread.
    Scheduled,
    /// Served its last event; refuses new ones.
    Terminating,
    /// Its id is free again.
    Ended,
}

/// An event with what the trace keeps of it, if it is recorded.
struct Mail<P: Process> {
    event: Event<P>,
    record: Option<Box<Record>>,
}

struct Mailbox<P: Process> {
    phase: Phase,
    arrived: VecDeque<Mail<P>>,
    waiters: Vec<oneshot::Sender<()>>,
}

struct Body<P: Process> {
    process: P,
    ctx: Ctx<P>,
    initialized: bool,
    /// What comes next, before what has been taken.
    hand: VecDeque<Mail<P>>,
    spawned: Option<Box<Record>>,
}

/// How far apart in memory, in bytes, lies what different threads write.
const GAP: usize = 64;

/// An actor of type `P` at run time. Its fields lie in memory in this order: what is only read,
/// what senders write, and what the worker writes that runs the actor.
#[repr(C)]
pub(crate) struct Cell<P: Process> {
    upid: Upid,
    /// Lives as long as its actors: it ends when they have.
    runtime: Runtime,
    this: Weak<Cell<P>>,
    router: Router<P>,
    /// Held by the request whose sender is being authenticated: later ones wait behind it.
    door: tokio::sync::Mutex<()>,
    mailbox: Mutex<Mailbox<P>>,
    _gap: [u8; GAP],
    /// What has been taken begins with an event that comes before those in the worker's hand.
    is_urgent: AtomicBool,
    /// What has been taken out of the mailbox all at once, and comes before what is there. Locked
    /// for an event at a time, behind the mailbox where both are.
    taken: Mutex<Taken<P>>,
    meter: Meter,
    /// Locked by the one worker that runs the actor; empty once it has ended.
    body: Mutex<Option<Body<P>>>,
}

/// An actor of unknown type: what the runtime, the network and the built-in pages need of it.
pub(crate) trait AnyCell: Send + Sync {
    fn upid(&self) -> &Upid;
    /// Puts an event into the mailbox; an ended actor drops it.
    fn deliver(&self, event: Untyped);
    /// Puts messages into the mailbox, in order, and leaves the vector empty.
    fn deliver_all(&self, messages: &mut Vec<(EventId, Message)>);
    fn terminate(&self, inject: Inject);
    /// Completes when the actor has ended; `None` if it has already.
    fn watch_end(&self) -> Option<oneshot::Receiver<()>>;
    /// Serves waiting events; called by one worker at a time. Gives whether the actor has ended.
    fn run(&self) -> bool;
    /// Drops the actor and all that waits for it without a word.
    fn abandon(&self);
    fn waiting(&self) -> Vec<Summary>;
    fn meter(&self) -> &Meter;
    fn routes(&self) -> &dyn Routes;
    /// Where requests line up on their way to the mailbox.
    fn door(&self) -> &tokio::sync::Mutex<()>;
}

impl<P: Process> Cell<P> {
    /// Makes the actor, as one that is in the run queue: it initializes itself before any event.
    pub(crate) fn spawn(process: P, upid: Upid, runtime: &Runtime) -> Arc<Self> {
        let mut router = Router::new(runtime.schema());
        process.install(&mut router);
        let name = Name::of_static(std::any::type_name::<P>());
        let spawned = || Record::new(Kind::Spawn, Upid::nobody(), &upid, name);
        let spawned = runtime.tracer().note(cause::current(), spawned);
        Arc::new_cyclic(|this| {
            let ctx = Ctx::new(Pid::new(upid.clone(), this.clone()), runtime.clone());
            Cell {
                upid,
                runtime: runtime.clone(),
                this: this.clone(),
                router,
                door: tokio::sync::Mutex::default(),
                mailbox: Mutex::new(Mailbox {
                    phase: Phase::Scheduled,
                    arrived: VecDeque::new(),
                    waiters: Vec::new(),
                }),
                _gap: [0; GAP],
                is_urgent: AtomicBool::new(false),
                taken: Mutex::default(),
                meter: Meter::default(),
                body: Mutex::new(Some(Body {
                    process,
                    ctx,
                    initialized: false,
                    hand: VecDeque::new(),
                    spawned,
                })),
            }
        })
    }

    pub(crate) fn pid(&self) -> Pid<P> {
        Pid::new(self.upid.clone(), self.this.clone())
    }

    /// How many events of each kind wait.
    pub(crate) fn count(&self) -> Waiting {
        let mut waiting = Waiting::default();
        self.for_each_waiting(|event| match event {
            Event::Message(_) => waiting.messages += 1,
            Event::Dispatch(..) => waiting.dispatches += 1,
            Event::Http(_) => waiting.http_requests += 1,
            Event::Exited(_) | Event::Terminate => {}
        });
        waiting
    }

    fn for_each_waiting(&self, mut visit: impl FnMut(&Event<P>)) {
        let mailbox = self.mailbox.lock();
        self.taken.lock().for_each(&mut visit);
        mailbox.arrived.iter().for_each(|mail| visit(&mail.event));
    }

    pub(crate) fn enqueue(&self, event: Event<P>) {
        self.arrive([self.mail(event, cause::current())]);
    }

    /// Takes a message that does not come by way of the runtime.
    pub(crate) fn receive(&self, message: Message) {
        if self.runtime.traffic().admits(&message, &self.upid) {
            self.enqueue(Event::Message(message));
        }
    }

    /// An event with a record, if it is to be recorded.
    #[inline]
    fn mail(&self, event: Event<P>, cause: EventId) -> Mail<P> {
        let record = self.runtime.tracer().note(cause, || event.record(&self.upid));
        Mail { event, record }
    }

    /// Puts events behind what waits.
    #[inline]
    fn arrive(&self, mails: impl IntoIterator<Item = Mail<P>>) {
        self.insert(mails, |mailbox, mails| mailbox.arrived.extend(mails));
    }

    /// The one way into the mailbox, where `put` puts them.
    #[inline]
    fn insert<M: IntoIterator<Item = Mail<P>>>(
        &self,
        mails: M,
        put: impl FnOnce(&mut Mailbox<P>, M),
    ) {
        let mut mailbox = self.mailbox.lock();
        if matches!(mailbox.phase, Phase::Terminating | Phase::Ended) {
            drop(mailbox);
            return mails.into_iter().for_each(|mail| self.refuse(mail));
        }
        put(&mut mailbox, mails);
        if mailbox.phase == Phase::Idle {
            mailbox.phase = Phase::Scheduled;
            drop(mailbox);
            self.schedule();
        }
    }

    /// The one way out of the mailbox; without an event, the actor is idle from here on.
    #[inline]
    fn next_mail(&self, hand: &mut VecDeque<Mail<P>>) -> Option<Mail<P>> {
        // Relaxed: whoever learns of the urgent event by another way than this flag has
        // synchronized with whoever has set it.
        if !self.is_urgent.load(Ordering::Relaxed)
            && let Some(mail) = hand.pop_front()
        {
            return Some(mail);
        }
        self.take_mail(hand)
    }

    fn take_mail(&self, hand: &mut VecDeque<Mail<P>>) -> Option<Mail<P>> {
        let mut taken = self.taken.lock();
        self.is_urgent.store(false, Ordering::Relaxed);
        if taken.is_empty() {
            drop(taken);
            let mut mailbox = self.mailbox.lock();
            taken = self.taken.lock();
            // What is urgent may have come meanwhile.
            if taken.is_empty() {
                std::mem::swap(taken.rest(), &mut mailbox.arrived);
            }
            if taken.is_empty() {
                mailbox.phase = Phase::Idle;
                for queue in [taken.rest(), &mut mailbox.arrived, hand] {
                    if queue.capacity() > IDLE_ROOM {
                        *queue = VecDeque::new();
                    }
                }
            }
        }
        let next = taken.pop_front();
        if hand.is_empty() {
            let rest = taken.rest();
            let more = (rest.len() / IN_SIGHT).min(IN_HAND_MAX);
            hand.extend(rest.drain(..more));
        }
        next
    }

    /// Has the actor served by a worker, soon.
    pub(crate) fn schedule(&self) {
        if let Some(cell) = self.this.upgrade() {
            self.runtime.schedule(cell);
        }
    }

    /// An event that will not be served: a request is told so, all else vanishes.
    fn refuse(&self, mail: Mail<P>) {
        crate::vlog!(2, "Dropping event for process {}", self.upid);
        self.runtime.tracer().lose(mail.record, Outcome::Ended);
        if let Event::Http(event) = mail.event {
            // The client may be gone as well.
            let _ = event.responder.send(Response::internal_server_error());
        }
    }

    /// Runs the handler of an event; gives the handler's name.
    fn serve(&self, body: &mut Body<P>, event: Event<P>) -> &str {
        let Body { process, ctx, .. } = body;
        match event {
            Event::Message(message) => {
                ctx.set_sender(&message.from);
                let name = self.router.serve_message(process, ctx, message);
                ctx.clear_sender();
                name
            }
            Event::Dispatch(name, call) => {
                call(process, ctx);
                name
            }
            Event::Http(event) => {
                let HttpEvent { request, responder } = *event;
                crate::vlog!(
                    1,
                    "Handling HTTP event for process '{}' with path: '{}'",
                    self.upid.id,
                    request.path
                );
                let (reply, name) = self.router.serve_request(process, ctx, request);
                serve_reply(ctx.runtime(), reply, responder);
                name
            }
            Event::Exited(pid) => {
                process.exited(ctx, pid);
                "exited"
            }
            Event::Terminate => {
                process.finalize(ctx);
                "finalize"
            }
        }
    }

    /// Serves up to a turn's worth of events. A handler that panics ends its actor, without
    /// `finalize`, and nothing else.
    fn take_turn(&self, body: &mut Body<P>) -> Turn {
        let turn = catch_unwind(AssertUnwindSafe(|| {
            let mut watch = Watch::new(self.runtime.tracer(), &self.meter, &self.upid);
            for _ in 0..EVENTS_PER_TURN_MAX {
                let Some(Mail { event, record }) = self.next_mail(&mut body.hand) else {
                    return Turn::Idle;
                };
                let is_last = matches!(event, Event::Terminate);
                watch.begin(record);
                watch.end(self.serve(body, event));
                if is_last {
                    return Turn::Ended;
                }
            }
            Turn::Unfinished
        }));
        turn.unwrap_or_else(|panic| self.report_panic(&*panic))
    }

    fn report_panic(&self, panic: &(dyn std::any::Any + Send)) -> Turn {
        let what = panic.downcast_ref::<String>().map(String::as_str);
        let what = what.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
        tracing::error!("libprocess: {} terminating due to {what}", self.upid);
        self.runtime.engine().saw_panic(&self.upid, what);
        Turn::Ended
    }

    /// Refuses new events from now on; gives those that will not be served.
    fn close(&self) -> VecDeque<Mail<P>> {
        let mut mailbox = self.mailbox.lock();
        mailbox.phase = Phase::Terminating;
        let mut events = std::mem::take(&mut *self.taken.lock()).into_queue();
        events.append(&mut mailbox.arrived);
        events
    }

    /// The id is free; gives those who wait for that.
    fn end(&self) -> Vec<oneshot::Sender<()>> {
        let mut mailbox = self.mailbox.lock();
        mailbox.phase = Phase::Ended;
        std::mem::take(&mut mailbox.waiters)
    }

    /// The order is upstream's: refuse new events, drop what waits, forget the id, tell those who
    /// linked, release those who wait.
    fn clean_up(&self, mut body: Body<P>) {
        crate::vlog!(2, "Cleaning up {}", self.upid);
        let events = self.close();
        let hand = std::mem::take(&mut body.hand);
        let has_linked = body.ctx.has_linked();
        hand.into_iter().chain(events).for_each(|mail| self.refuse(mail));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(body))) {
            self.report_panic(&*panic);
        }
        self.runtime.forget(&self.upid, has_linked);
        for waiter in self.end() {
            // Whoever waited may have given up.
            let _ = waiter.send(());
        }
    }
}

/// How a turn on a thread ended.
enum Turn {
    Idle,
    Unfinished,
    Ended,
}

impl<P: Process> AnyCell for Cell<P> {
    fn upid(&self) -> &Upid {
        &self.upid
    }

    fn deliver(&self, event: Untyped) {
        self.enqueue(event.into());
    }

    fn deliver_all(&self, messages: &mut Vec<(EventId, Message)>) {
        let mails = messages.drain(..);
        let mails = mails.map(|(cause, message)| self.mail(Event::Message(message), cause));
        self.arrive(mails);
    }

    fn terminate(&self, inject: Inject) {
        let mail = self.mail(Event::Terminate, cause::current());
        match inject {
            Inject::Back => self.arrive([mail]),
            Inject::Front => self.insert([mail], |_, [Mail { record, .. }]| {
                self.taken.lock().end_next(record);
                self.is_urgent.store(true, Ordering::Relaxed);
            }),
        }
    }

    fn watch_end(&self) -> Option<oneshot::Receiver<()>> {
        let mut mailbox = self.mailbox.lock();
        if mailbox.phase == Phase::Ended {
            return None;
        }
        let (ended, watch) = oneshot::channel();
        mailbox.waiters.push(ended);
        Some(watch)
    }

    fn run(&self) -> bool {
        let mut place = self.body.lock();
        let Some(body) = place.as_mut() else { return true };
        crate::vlog!(2, "Resuming {} at {}", self.upid, body.ctx.now());
        if !body.initialized {
            body.initialized = true;
            let spawned = body.spawned.take();
            let initialize = || {
                let mut watch = Watch::new(self.runtime.tracer(), &self.meter, &self.upid);
                watch.begin(spawned);
                body.process.initialize(&mut body.ctx);
                watch.end("initialize");
            };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(initialize)) {
                self.report_panic(&*panic);
                let body = place.take().expect("looked at just above, under the same lock");
                self.clean_up(body);
                return true;
            }
        }
        match self.take_turn(body) {
            Turn::Idle => false,
            Turn::Unfinished => {
                self.schedule();
                false
            }
            Turn::Ended => {
                let body = place.take().expect("looked at just above, under the same lock");
                drop(place);
                self.clean_up(body);
                true
            }
        }
    }

    fn abandon(&self) {
        let body = self.body.lock().take();
        drop((self.close(), body));
    }

    fn waiting(&self) -> Vec<Summary> {
        let mut summaries = Vec::new();
        self.for_each_waiting(|event| summaries.push(event.summary()));
        summaries
    }

    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn routes(&self) -> &dyn Routes {
        &self.router
    }

    fn door(&self) -> &tokio::sync::Mutex<()> {
        &self.door
    }
}
