//! The master's pings, what their absence means, and the order to end.
//! Upstream: `Slave::ping`, `pingTimeout`, `shutdown`.

use libprocess::{Ctx, Upid, vlog};
use proto::mesos::internal::{
    PingSlaveMessage, PongSlaveMessage, ShutdownMessage, UnregisterSlaveMessage,
};
use tracing::{info, warn};

use crate::phase::Phase;
use crate::slave::Slave;

impl Slave {
    /// Anyone may ping; it means something if it comes from an actor where the master is, which
    /// pings through an observer of its own.
    pub(crate) fn ping_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: PingSlaveMessage,
    ) {
        vlog!(1, "Received ping from {from}");
        ctx.send(&from, &PongSlaveMessage {});
        if self.master.as_ref().is_none_or(|master| master.address != from.address) {
            return;
        }
        if !message.connected && self.phase == Phase::Running {
            info!(
                "Master marked the slave as disconnected but the slave considers itself \
                 registered! Forcing re-registration."
            );
            self.redetect(ctx);
        }
        self.await_ping(ctx);
    }

    /// Expects a ping in time; without one the master may have forgotten us.
    pub(crate) fn await_ping(&mut self, ctx: &mut Ctx<Self>) {
        self.ping_timer.take().map(|timer| ctx.cancel(timer));
        let (timeout, detection) = (self.ping_timeout, self.detection);
        self.ping_timer = Some(ctx.after(timeout, move |slave, ctx| {
            info!("No pings from master received within {}", stout::duration::display(timeout));
            if slave.detection == detection && slave.phase == Phase::Running {
                slave.redetect(ctx);
            }
        }));
    }

    pub(crate) fn shutdown(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: ShutdownMessage) {
        if !from.is_empty() && self.master.as_ref() != Some(&from) {
            warn!(
                "Ignoring shutdown message from {from} because it is not from the registered \
                 master: {}",
                self.master_or_none()
            );
            return;
        }
        let why = message.message();
        let because = if why.is_empty() { String::new() } else { format!(" because '{why}'") };
        info!("Slave asked to shut down by {from}{because}");
        self.shut_down(ctx);
    }

    /// Tells the master that we leave, if there is one, and ends.
    pub(crate) fn shut_down_by_operator(&mut self, ctx: &mut Ctx<Self>, why: &str) {
        match (self.info.id.clone(), &self.master) {
            (None, _) => info!("{why}; shutting down"),
            (Some(slave_id), master) => {
                info!("{why}; unregistering and shutting down");
                if let Some(master) = master {
                    ctx.send(master, &UnregisterSlaveMessage { slave_id });
                }
            }
        }
        self.shut_down(ctx);
    }

    /// Shuts down all frameworks; the actor ends with the last of them.
    fn shut_down(&mut self, ctx: &mut Ctx<Self>) {
        self.phase = Phase::Terminating;
        if self.frameworks.is_empty() {
            return ctx.terminate();
        }
        for framework_id in self.frameworks.ids() {
            self.shut_down_framework(ctx, &framework_id);
        }
    }
}
