//! What a master that does not lead says to everyone, which is nothing; and how often frameworks
//! may speak to one that does. Every message passes here before its handler.
//! Upstream: `Master::visit`, `_visit`, `throttled`, `exceededCapacity`.

use std::collections::BTreeMap;
use std::time::Duration;

use libprocess::clock::{Clock, Timer};
use libprocess::sync::RateLimiter;
use libprocess::{Ctx, Upid, vlog};
use prost::{Message, Name};
use proto::mesos::internal::FrameworkErrorMessage;
use tracing::warn;

use crate::config::{RateLimit, RateLimits};
use crate::fatal::Fatal;
use crate::master::Master;
use crate::refusal::SubscribeRefusal;

/// How far a master has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Another master leads, or none.
    Standby,
    /// It leads, and reads the registry.
    Recovering,
    /// It leads.
    Leading,
}

/// What handles a message.
pub(crate) type Handler<M> = fn(&mut Master, &mut Ctx<Master>, Upid, M);

/// Messages of peers that arrived before the registry was read, by sender and name.
pub(crate) type Waiting =
    BTreeMap<(Upid, String), Box<dyn FnOnce(&mut Master, &mut Ctx<Master>) + Send>>;

/// How many may wait: more than a cluster has slaves and frameworks.
const WAITING_MAX: usize = 200_000;

impl Master {
    /// Hands a message to its handler, now or when it is its sender's turn, or drops it.
    pub(crate) fn admit<M: Message + Name + 'static>(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: M,
        handler: Handler<M>,
    ) {
        let sender = self.sender(&from);
        if let Sender::Principal(principal) = &sender {
            self.metrics.message_received(principal);
        }
        self.doubts(ctx);
        let why = match self.phase {
            Phase::Standby => "elected",
            Phase::Recovering => "recovered",
            Phase::Leading => return self.throttle(ctx, sender, from, (message, handler)),
        };
        vlog!(1, "Dropping '{}' message since not {why} yet", M::full_name());
        self.metrics.dropped_messages.increment();
    }

    /// Keeps a message until the registry has been read. Of a peer that repeats itself the last
    /// one counts.
    pub(crate) fn keep_waiting<M: Message + Name + 'static>(
        &mut self,
        from: Upid,
        message: M,
        handler: Handler<M>,
    ) {
        let key = (from.clone(), M::full_name());
        if self.waiting.len() >= WAITING_MAX && !self.waiting.contains_key(&key) {
            vlog!(1, "Dropping '{}' message since not recovered yet", key.1);
            return self.metrics.dropped_messages.increment();
        }
        vlog!(1, "Keeping '{}' message from {from} since not recovered yet", key.1);
        let admit = move |master: &mut Master, ctx: &mut Ctx<Master>| {
            master.admit(ctx, from, message, handler);
        };
        self.waiting.insert(key, Box::new(admit));
    }

    /// The registry has been read.
    pub(crate) fn serve_who_waited(&mut self, ctx: &mut Ctx<Self>) {
        for admit in std::mem::take(&mut self.waiting).into_values() {
            admit(self, ctx);
        }
    }

    /// Whether this master leads, or so it thinks, and another one may lead by now: its session
    /// has not shown a sign of life for too long. It ends then. That comes to light here, before
    /// it acts, if the process was stopped meanwhile.
    pub(crate) fn doubts(&mut self, ctx: &mut Ctx<Self>) -> bool {
        let doubts = self.phase != Phase::Standby && !self.contender.is_certain();
        if doubts {
            self.fail(ctx, Fatal::LostLeadership);
        }
        doubts
    }

    /// Does something later, if it is certain then that this master leads still.
    pub(crate) fn later(
        ctx: &Ctx<Self>,
        delay: Duration,
        act: impl FnOnce(&mut Self, &mut Ctx<Self>) + Send + 'static,
    ) -> Timer {
        ctx.after(delay, |master, ctx| {
            if !master.doubts(ctx) {
                act(master, ctx);
            }
        })
    }

    fn throttle<M: Message + Name + 'static>(
        &mut self,
        ctx: &mut Ctx<Self>,
        sender: Sender,
        from: Upid,
        (message, handler): (M, Handler<M>),
    ) {
        let Some(throttle) = self.throttles.of(&sender) else {
            return self.serve(ctx, from, message, handler);
        };
        if let Some(capacity) = throttle.exceeded_capacity() {
            return exceeded_capacity(ctx, &from, &sender, (M::full_name(), capacity));
        }
        throttle.waiting += 1;
        ctx.then(throttle.limiter.acquire(), move |master, ctx, ()| {
            if let Some(throttle) = master.throttles.of(&sender) {
                throttle.waiting = throttle.waiting.saturating_sub(1);
            }
            master.serve(ctx, from, message, handler);
        });
    }

    fn serve<M: Message + Name>(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: M,
        handler: Handler<M>,
    ) {
        // Before the handler, which may remove the framework.
        let sender = self.sender(&from);
        handler(self, ctx, from, message);
        if let Sender::Principal(principal) = sender {
            self.metrics.message_processed(&principal);
        }
    }

    /// As [`Master::admit`] for the end of a link: never dropped, but kept behind messages.
    pub(crate) fn admit_exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        if self.doubts(ctx) {
            return;
        }
        let sender = self.sender(&pid);
        match self.throttles.of(&sender) {
            None => self.peer_exited(ctx, pid),
            Some(throttle) => ctx.then(throttle.limiter.acquire(), |master, ctx, ()| {
                master.peer_exited(ctx, pid);
            }),
        }
    }

    fn sender(&self, from: &Upid) -> Sender {
        match self.cluster.frameworks.at(from) {
            None => Sender::Unregistered,
            Some(framework) => match &framework.info.principal {
                None => Sender::NoPrincipal,
                Some(principal) => Sender::Principal(principal.clone()),
            },
        }
    }
}

fn exceeded_capacity(
    ctx: &Ctx<Master>,
    from: &Upid,
    sender: &Sender,
    (message, capacity): (String, u64),
) {
    let principal = match sender {
        Sender::Principal(principal) => format!("({principal})"),
        Sender::NoPrincipal | Sender::Unregistered => String::new(),
    };
    warn!("Dropping message {message} from {from}{principal}: capacity({capacity}) exceeded");
    let refusal = SubscribeRefusal::Capacity { message, capacity };
    ctx.send(from, &FrameworkErrorMessage { message: refusal.to_string() });
}

/// Who sent a message, as far as rates are concerned.
enum Sender {
    /// No registered framework; never slowed down.
    Unregistered,
    /// A framework that nobody stands for.
    NoPrincipal,
    /// A framework of a principal.
    Principal(String),
}

/// The rates of frameworks, and what waits for its turn.
pub(crate) struct Throttles {
    /// `None` for a principal that is not limited.
    by_principal: BTreeMap<String, Option<Throttle>>,
    default: Option<Throttle>,
}

struct Throttle {
    limiter: RateLimiter,
    capacity: Option<u64>,
    waiting: u64,
}

impl Throttles {
    pub(crate) fn new(limits: &RateLimits, clock: &Clock) -> Throttles {
        let throttle = |limit: &RateLimit| Throttle::new(limit, clock);
        let by_principal = limits
            .by_principal
            .iter()
            .map(|(principal, limit)| (principal.clone(), limit.as_ref().map(throttle)));
        Throttles {
            by_principal: by_principal.collect(),
            default: limits.default.as_ref().map(throttle),
        }
    }

    fn of(&mut self, sender: &Sender) -> Option<&mut Throttle> {
        match sender {
            Sender::Unregistered => None,
            Sender::NoPrincipal => self.default.as_mut(),
            Sender::Principal(principal) => match self.by_principal.get_mut(principal) {
                Some(throttle) => throttle.as_mut(),
                None => self.default.as_mut(),
            },
        }
    }
}

impl Throttle {
    fn new(limit: &RateLimit, clock: &Clock) -> Throttle {
        Throttle {
            limiter: RateLimiter::new(clock, limit.interval),
            capacity: limit.capacity,
            waiting: 0,
        }
    }

    fn exceeded_capacity(&self) -> Option<u64> {
        self.capacity.filter(|capacity| self.waiting >= *capacity)
    }
}
