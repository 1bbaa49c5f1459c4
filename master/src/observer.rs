//! Watches one slave: pings it, and asks the master to remove it when it does not answer.
//! Spawned by the master for each registered slave, as `slave-observer(N)`; never touches the
//! tables. Upstream: `SlaveObserver`.

use std::time::Duration;

use common::ids::SlaveId;
use futures_util::future::{AbortHandle, Aborted, abortable};
use libprocess::metrics::Counter;
use libprocess::sync::RateLimiter;
use libprocess::{Ctx, Pid, Process, Router, Upid};
use proto::mesos::internal::{PingSlaveMessage, PongSlaveMessage};
use tracing::info;

use crate::master::Master;
use crate::refusal::RemovalCause;

/// What an observer is told once.
pub(crate) struct Watch {
    pub(crate) slave_id: SlaveId,
    pub(crate) slave: Upid,
    pub(crate) master: Pid<Master>,
    pub(crate) ping_timeout: Duration,
    pub(crate) ping_timeouts_max: usize,
    pub(crate) limiter: Option<RateLimiter>,
    pub(crate) counters: Counters,
}

/// What becomes of slaves that do not answer.
#[derive(Clone)]
pub(crate) struct Counters {
    pub(crate) scheduled: Counter,
    pub(crate) completed: Counter,
    pub(crate) canceled: Counter,
}

/// The actor.
pub(crate) struct Observer {
    watch: Watch,
    /// How the master sees the slave, which pings tell it.
    connected: bool,
    unanswered: bool,
    timeouts: usize,
    /// Gives up the place in the limiter's queue.
    shutting_down: Option<AbortHandle>,
}

impl Observer {
    pub(crate) fn new(watch: Watch) -> Observer {
        Observer { watch, connected: true, unanswered: false, timeouts: 0, shutting_down: None }
    }

    /// The master sees the slave's connection stand, at this pid.
    pub(crate) fn reconnect(&mut self, slave: Upid) {
        self.connected = true;
        self.watch.slave = slave;
    }

    /// The master sees it broken.
    pub(crate) fn disconnect(&mut self) {
        self.connected = false;
    }

    fn ping(&mut self, ctx: &mut Ctx<Self>) {
        ctx.send(&self.watch.slave, &PingSlaveMessage { connected: self.connected });
        self.unanswered = true;
        ctx.after(self.watch.ping_timeout, Self::on_timeout);
    }

    fn pong(&mut self, _: &mut Ctx<Self>, _from: Upid, _: PongSlaveMessage) {
        self.timeouts = 0;
        self.unanswered = false;
        if let Some(waiting) = &self.shutting_down {
            waiting.abort();
        }
    }

    fn on_timeout(&mut self, ctx: &mut Ctx<Self>) {
        if self.unanswered {
            self.timeouts += 1;
            if self.timeouts >= self.watch.ping_timeouts_max && self.shutting_down.is_none() {
                self.schedule_shutdown(ctx);
            }
        }
        // Also while a shutdown waits for its turn, so that a pong can prevent it.
        self.ping(ctx);
    }

    fn schedule_shutdown(&mut self, ctx: &mut Ctx<Self>) {
        self.watch.counters.scheduled.increment();
        let Some(limiter) = &self.watch.limiter else { return self.shut_down() };
        let id = &self.watch.slave_id;
        info!("Scheduling shutdown of slave {id} due to health check timeout");
        let (permit, waiting) = abortable(limiter.acquire());
        self.shutting_down = Some(waiting);
        ctx.then(permit, Self::on_permitted);
    }

    fn on_permitted(&mut self, _: &mut Ctx<Self>, permitted: Result<(), Aborted>) {
        self.shutting_down = None;
        match permitted {
            Ok(()) => self.shut_down(),
            Err(Aborted) => {
                let id = &self.watch.slave_id;
                info!("Canceling shutdown of slave {id} since a pong is received!");
                self.watch.counters.canceled.increment();
            }
        }
    }

    fn shut_down(&mut self) {
        let id = self.watch.slave_id.clone();
        info!("Shutting down slave {id} due to health check timeout");
        self.watch.counters.completed.increment();
        self.watch.master.tell(move |master, ctx| {
            master.shutdown_slave(ctx, &id, RemovalCause::Unhealthy);
        });
    }
}

impl Process for Observer {
    fn install(&self, router: &mut Router<Self>) {
        router.on(Self::pong);
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        self.ping(ctx);
    }
}
